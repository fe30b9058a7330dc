//! The main loop: menu, pick, apply, record.

use super::World;
use super::dice::Running;
use super::faults::{Fault, LATENCIES, span_ns};
use super::turn;
use crate::moves::Move;
use crate::oracle::livelock::LivelockWatch;
use crate::oracle::{Evidence, Oracle, flood};
use crate::outcome::Outcome;
use crate::transcript::Step;
use wavetank::{ActorId, Completion, DrawRange, Event, GateId, PipeId, Ready};
use wavetank_choice::choice::Meaning;
use wavetank_choice::chooser::Chooser;
use wavetank_choice::menu::{Candidates, Item};
use wavetank_choice::moves::Kind;
use wavetank_choice::profile::Level;

impl World {
    /// Makes moves until nothing can happen any more, then judges.
    pub(crate) fn run(&mut self) -> Outcome {
        let chooser = self.chooser.clone();
        let chooser = &mut *chooser.borrow_mut();
        let _turns = turn::Counted::start();
        let _runs = Running::start(&self.is_running);
        self.draw_weather(chooser);
        self.executor.look();
        self.take_spawned(None);
        self.look_at_scripts();
        self.drain();
        let mut watch = LivelockWatch::default();
        loop {
            self.rest_background();
            if self.is_far_enough() {
                return Outcome::Finished;
            }
            chooser.at_step(self.transcript.steps.len() as u64 + 1);
            let Some(moved) = self.next_move(chooser) else { break };
            if self.transcript.steps.len() as u64 >= self.max_steps {
                return self.step_limit();
            }
            if let Some(found) = self.before(moved) {
                return found;
            }
            let from = self.transcript.events.len();
            self.moving = Some(moved);
            self.shared.next_turn();
            turn::begin();
            // All other moves only wake tasks.
            let runs_code = matches!(moved, Move::Poll(_) | Move::PollAt(..) | Move::Act(..));
            match self.runtime_beside().filter(|_| runs_code) {
                Some(runtime) => runtime.within(&mut || self.apply(moved, chooser)),
                None => self.apply(moved, chooser),
            }
            self.take_spawned(Some(moved));
            self.count_last_poll(moved);
            self.moving = None;
            self.drain();
            let to = self.transcript.events.len();
            for event in &self.transcript.events[from..to] {
                if let Event::Wrote { pipe, .. } | Event::Read { pipe, .. } | Event::Closed { pipe, .. } =
                    event
                {
                    chooser.touched(pipe.0);
                }
            }
            self.transcript.steps.push(Step { moved, caused: from..to });
            let outside = self.panicked_beside(moved).or_else(|| self.decided_outside(moved));
            if let Some(found) = outside.or_else(|| self.after(moved, from..to, &mut watch)) {
                self.is_far_enough();
                return found;
            }
            if self.record_bytes > self.max_record_bytes
                && !self.without.borrow().contains_key(&Oracle::Flood)
            {
                let facts = self.facts();
                let evidence =
                    Evidence { events: &self.transcript.events, ..Evidence::from_facts(&facts, &[]) };
                return Outcome::Violated(flood::judge(&evidence, self.max_record_bytes));
            }
        }
        self.judge()
    }

    fn next_move(&mut self, chooser: &mut Chooser) -> Option<Move> {
        if let Some(given_up) = self.weather.give_up(self.shared.now_ns()) {
            return Some(given_up);
        }
        if let Some(fault) = self.next_fault(chooser) {
            return Some(fault);
        }
        let timer = self.shared.next_timer_ns().into_iter().chain(self.weather.next_give_up_ns()).min();
        if let Some(hung_up) = self.hang_up(timer) {
            return Some(hung_up);
        }
        let is_due = self.shared.is_timer_due();
        loop {
            let may_pass = timer.is_some() || self.may_wait_beside();
            let is_all = self.take_changes();
            let item = self.with_sets(|sets| {
                let changes = is_all.then_some(&*self.changes);
                let sets = Candidates { changes, ..*sets };
                let menu = self.calm.menu(&sets, may_pass).with_time_due(is_due);
                (!menu.is_empty()).then(|| chooser.pick(&menu))
            });
            // Time was picked, and nobody waits for one after all: pick again from the rest.
            let moved = self.move_of(item?, timer, chooser);
            if moved.is_some() {
                return moved;
            }
        }
    }

    /// The move that an item stands for. `None` if it is time that passes, and nobody waits for one.
    fn move_of(
        &mut self,
        Item { kind, id }: Item,
        timer: Option<u64>,
        chooser: &mut Chooser,
    ) -> Option<Move> {
        Some(match kind {
            Kind::Start => Move::Start(id),
            Kind::Poll => self.poll_of(id, chooser),
            Kind::Deliver => {
                let bytes = self.shared.deliverable_bytes(PipeId(id));
                let bound = u32::try_from(bytes).unwrap_or(u32::MAX);
                match chooser.draw(Meaning::Amount(id), bound) as usize {
                    0 => Move::Deliver(id, bytes),
                    some => {
                        self.weather.count(Fault::ShortDelivery);
                        Move::Deliver(id, some)
                    }
                }
            }
            Kind::Grant => {
                let bytes = self.shared.grantable_bytes(PipeId(id));
                let bound = u32::try_from(bytes).map_or(u32::MAX, |bytes| bytes.saturating_add(1));
                match chooser.draw(Meaning::Amount(id), bound) as usize {
                    0 => Move::Grant(id, bytes),
                    // This is the last value, because a grant of nothing is further from the usual than one of nearly
                    // all.
                    none if none == bytes => {
                        self.weather.count(Fault::EmptyGrant);
                        Move::Grant(id, 0)
                    }
                    some => {
                        self.weather.count(Fault::SmallGrant);
                        Move::Grant(id, some)
                    }
                }
            }
            Kind::Answer => Move::Answer(id),
            Kind::Resume => self.resume_of(id, chooser),
            Kind::Act => {
                let operations = self.scripts.borrow()[id as usize].offers();
                Move::Act(id, chooser.draw(Meaning::Act(id), operations))
            }
            Kind::Advance => match self.probe() {
                Some(probe) => probe,
                None => Move::Advance(self.passed_time(timer)?.max(self.shared.now_ns())),
            },
            fault => unreachable!("{fault} is on no menu"),
        })
    }

    /// A host that was asked nothing and has nothing to ask hangs up when nothing but time could pass. Paused calls,
    /// draws and fake I/O do not count. This is no choice: otherwise a guest that only reads its stdin would wait for ever.
    fn hang_up(&self, timer_ns: Option<u64>) -> Option<Move> {
        let only_time = self.with_sets(|sets| {
            [sets.start, sets.poll, sets.deliver, sets.grant, sets.answer, sets.act]
                .iter()
                .all(|set| set.is_empty())
        });
        if !only_time {
            return None;
        }
        let cell = self.tank.silent_cell(timer_ns.unwrap_or(u64::MAX))?;
        Some(Move::HangUp(cell.0))
    }

    /// Picks the task of an actor to poll: the one that has been ready longest, except in a disordered world.
    fn poll_of(&self, actor: u32, chooser: &mut Chooser) -> Move {
        if self.weather.level() < Level::Disorder {
            return Move::Poll(actor);
        }
        match chooser.draw(Meaning::Task(actor), self.executor.queued(actor) as u32) {
            0 => Move::Poll(actor),
            place => Move::PollAt(actor, place),
        }
    }

    /// Resumes a paused call, or decides a draw or an operation of fake I/O. For an operation it draws how long it takes. Then it
    /// draws whether the operation fails, but only if the scenario allows that.
    fn resume_of(&self, id: u32, chooser: &mut Chooser) -> Move {
        if let Some(range) = self.shared.draw_range(GateId(id)) {
            return Move::Draw(id, drawn(id, &range, chooser));
        }
        let Some(fails_one_in) = self.shared.operation_fails_one_in(GateId(id)) else {
            return Move::Resume(id);
        };
        let latency_ns = match chooser.draw(Meaning::Latency(id), 1 + LATENCIES) {
            0 => 0,
            span => span_ns(span - 1),
        };
        let fails = match fails_one_in {
            0 => false,
            1 => true,
            one_in => chooser.draw(Meaning::Failure(id), one_in) == 1,
        };
        if fails { Move::Refuse(id, latency_ns) } else { Move::Complete(id, latency_ns) }
    }

    /// Notes which moves came or went since the last menu. Returns whether these are all.
    fn take_changes(&mut self) -> bool {
        let changes = &mut self.changes;
        changes.clear();
        let mut is_all = self.shared.take_ready_changes(|ready, id| {
            let kind = match ready {
                Ready::Start => Kind::Start,
                Ready::Deliver => Kind::Deliver,
                Ready::Grant => Kind::Grant,
                Ready::Answer => Kind::Answer,
                Ready::Resume => Kind::Resume,
            };
            changes.push(Item { kind, id });
        });
        is_all &= self.executor.take_changes(|id| changes.push(Item { kind: Kind::Poll, id }));
        is_all &= self.acting.take_changes(|id| changes.push(Item { kind: Kind::Act, id }));
        is_all
    }

    pub(super) fn with_sets<R>(&self, with: impl FnOnce(&Candidates<'_>) -> R) -> R {
        self.shared.ready_sets(|ready_sets| {
            with(&Candidates {
                start: ready_sets.startable,
                poll: self.executor.ready().ids(),
                deliver: ready_sets.deliverable,
                grant: ready_sets.grantable,
                answer: ready_sets.answerable,
                resume: ready_sets.resumable,
                act: self.acting.ids(),
                changes: None,
            })
        })
    }

    fn apply(&mut self, moved: Move, chooser: &mut Chooser) {
        self.shared.pass_time();
        self.set_time_beside();
        match moved {
            Move::Start(cell) => {
                self.shape_pipes(ActorId(cell), chooser);
                self.draw_orders(ActorId(cell), chooser);
                self.shared.start(ActorId(cell));
            }
            Move::Poll(actor) => {
                self.executor.poll(actor);
            }
            Move::PollAt(actor, place) => {
                self.executor.poll_at(actor, place as usize);
            }
            Move::Deliver(pipe, bytes) => self.shared.deliver(PipeId(pipe), bytes),
            Move::Grant(pipe, bytes) => self.shared.grant(PipeId(pipe), bytes),
            Move::Answer(gate) => self.shared.answer(GateId(gate)),
            Move::Resume(gate) => self.shared.resume(GateId(gate)),
            Move::Complete(id, latency_ns) => {
                self.shared.end_operation(GateId(id), Completion { latency_ns, fails: false });
            }
            Move::Refuse(id, latency_ns) => {
                self.shared.end_operation(GateId(id), Completion { latency_ns, fails: true });
            }
            Move::Draw(id, value) => self.shared.decide_draw(GateId(id), value),
            Move::Act(script, operation) => self.scripts.borrow_mut()[script as usize].act(operation),
            Move::Advance(to_ns) => {
                self.weather.time_passed();
                self.shared.advance(to_ns);
                self.set_time_beside();
            }
            Move::HangUp(cell) => self.tank.hang_up(ActorId(cell)),
            fault => self.apply_fault(fault),
        }
        self.calm.took(moved.kind(), moved.id());
        self.executor.look();
        self.look_at_scripts();
    }

    fn look_at_scripts(&mut self) {
        for (id, script) in (0..).zip(self.scripts.borrow().iter()) {
            self.acting.set(id, script.offers() > 0);
        }
    }

    /// Draws how each pipe of a new cell flows. It is drawn once, when the cell is started. After that, the bytes of a
    /// free pipe need neither choices nor moves.
    fn shape_pipes(&self, cell: ActorId, chooser: &mut Chooser) {
        let born = self.tank.cell(cell).expect("a cell that can be started was born");
        for &pipe in born.pipes() {
            self.shape_pipe(pipe, born.capacity_bytes(), chooser);
        }
    }

    /// Draws how a pipe flows, dullest first: free; held; held and small.
    pub(super) fn shape_pipe(&self, pipe: PipeId, full_bytes: usize, chooser: &mut Chooser) {
        match chooser.draw(Meaning::Pipe(pipe.0), 3) {
            0 => self.shared.shape(pipe, full_bytes, false),
            1 => self.shared.shape(pipe, full_bytes, true),
            _ => self.shared.shape(pipe, full_bytes.min(SMALL_CAPACITY_BYTES), true),
        }
    }

    fn drain(&mut self) {
        let from = self.transcript.events.len();
        self.shared.drain_events(&mut self.transcript.events);
        for event in &self.transcript.events[from..] {
            self.weather.see(event);
            self.record_bytes += flood::bytes_of(event);
        }
    }
}

/// Draws the value of a draw.
fn drawn(id: u32, range: &DrawRange, chooser: &mut Chooser) -> u32 {
    match *range {
        DrawRange::Chance { times, of } => u32::from(chooser.chance(Meaning::Draw(id), times, of)),
        _ => chooser.draw(Meaning::Draw(id), range.bound()),
    }
}

/// Capacity of a pipe that was drawn small, in bytes.
pub(crate) const SMALL_CAPACITY_BYTES: usize = 4096;
