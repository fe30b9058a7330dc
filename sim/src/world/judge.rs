//! The judgement: the checks while a world runs, and the checks when it rests.

use super::World;
use crate::executor::{LiveTask, TaskOwner};
use crate::guest_panic::GuestPanic;
use crate::moves::Move;
use crate::oracle::livelock::{LivelockWatch, Polled, PolledActor};
use crate::oracle::{
    Allowances, Blame, CellFacts, Damage, Ends, Evidence, Facts, Finding, Oracle, Party, SwitchedOff,
    TaskFacts, blocking, output, outside, rest, transport,
};
use crate::outcome::{Outcome, Running};
use crate::transcript::{LinkFrames, Names};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use wavetank::cell::{Cause, Cell, ExitRecord, Limits};
use wavetank::{ActorId, Blocked, End, Event, GateId, IDLE_CALLS_PER_TURN, LinkEnds, Role, TrapClass};
use wavetank_choice::profile::Level;

/// An expectation of the scenario about a cell at the end.
pub(super) struct Expectation {
    pub(super) cell: Cell,
    pub(super) what: Expected,
}

#[derive(Clone)]
pub(super) enum Expected {
    Code(i32),
    Trap(TrapClass),
    Output(Stream, String),
    Rpc,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// A condition of the scenario that must hold after every step.
pub(super) struct Invariant {
    pub(super) name: String,
    pub(super) holds: Holds,
}

type Holds = Box<dyn Fn(&World) -> Result<(), String>>;

impl World {
    /// Looks at the world before a move is made: does somebody block while only time could help?
    pub(super) fn before(&self, moved: Move) -> Option<Outcome> {
        let Move::Advance(_) = moved else { return None };
        // Somebody who waits for a mute peer waits because of an injected fault.
        if self.weather.has_silent_pipes()
            || !self.could_only_time_pass()
            || !self.shared.somebody_blocks_outside_poll()
        {
            return None;
        }
        let facts = self.facts();
        let evidence = Evidence::from_facts(&facts, &[]);
        let is_on = evidence.is_on(Oracle::Blocking);
        is_on.then(|| blocking::judge_before_time(&evidence)).flatten().map(Outcome::Violated)
    }

    /// Whether nothing is left to do but to let time pass. Paused calls, draws, fake I/O and scripts are not looked at.
    pub(super) fn could_only_time_pass(&self) -> bool {
        self.with_sets(|sets| {
            [sets.start, sets.poll, sets.deliver, sets.grant, sets.answer].iter().all(|set| set.is_empty())
        })
    }

    /// Looks at the world after a move that caused these events.
    pub(super) fn after(
        &self,
        moved: Move,
        caused: Range<usize>,
        watch: &mut LivelockWatch,
    ) -> Option<Outcome> {
        let events = &self.transcript.events[caused.clone()];
        let is_of_background = |id| self.shared.is_of_background(id);
        if watch.only_time_passes(moved, events, self.shared.now_ns(), is_of_background)
            && let Some(found) = self.ticks()
        {
            return Some(found);
        }
        if let Move::Poll(actor) | Move::PollAt(actor, _) = moved {
            let is_ready = self.executor.ready().contains(actor);
            let caused = !caused.is_empty();
            let wait_stats = self.shared.wait_stats(ActorId(actor));
            let is_alone = wait_stats.idle_calls >= IDLE_CALLS_PER_TURN && self.is_alone(actor, watch);
            let polled = Polled { actor, caused, is_ready, is_alone, wait_stats };
            let paused = watch.most_resumed().map(GateId);
            let found = watch.polled(polled, || self.who(ActorId(actor), paused));
            if found.is_some() {
                return found;
            }
        } else if let Move::Resume(call) = moved {
            watch.resumed(call);
        } else {
            watch.moved();
        }
        self.broken_invariant()
    }

    /// The outcome of a world in which only the clock has moved for very long: a stall, or a cell that only waits for
    /// the next time. `None` if somebody other than a cell or a background task still waits for a time, because it may
    /// change something then.
    fn ticks(&self) -> Option<Outcome> {
        let (facts, frames) = (self.facts(), self.frames_so_far());
        let of_cells: BTreeSet<Blocked> = facts.cells.iter().flat_map(|cell| cell.blocked.clone()).collect();
        let of_background = self.shared.background_timers_ns();
        // Those whose time has just come have no timer now.
        let is_cells = |whose| matches!(whose, TaskOwner::Host(Role::Cell(_)));
        let others_go_on = || {
            let mut ready = self.executor.tasks().filter(|task| task.is_ready);
            ready.any(|task| !task.whose.is_background() && !is_cells(task.whose))
        };
        let is_known =
            |at_ns: u64| of_cells.contains(&Blocked::Until(at_ns)) || of_background.contains(&at_ns);
        if self.weather.has_silent_pipes()
            || !self.shared.late_answers().is_empty()
            || !self.shared.timers_ns().into_iter().all(is_known)
        {
            return None;
        }
        let is_time = |on: &Blocked| matches!(on, Blocked::Until(_));
        let waits_for_time = |cell: &&CellFacts| cell.exit.is_none() && cell.blocked.iter().any(is_time);
        let ticking = facts.cells.iter().find(waits_for_time);
        let is_expected = self.executor.has_background() || self.runtime_beside().is_some();
        if ticking.is_none() && (!is_expected || others_go_on()) {
            return None;
        }
        if let Some(ticking) = ticking.filter(|cell| cell.blocked.iter().all(is_time)) {
            let evidence =
                "only waits for one time after the other, and nothing else happens any more".into();
            let blame = Blame::Guest(ticking.name.to_string());
            return Some(Outcome::Spinning { who: ticking.name.to_string(), evidence, blame });
        }
        let transcript = &self.transcript;
        let evidence = Evidence {
            steps: &transcript.steps,
            events: &transcript.events,
            ..Evidence::from_facts(&facts, &frames)
        };
        evidence.wrong().map(Outcome::Violated).or_else(|| rest::stalled(&evidence).map(Outcome::Stalled))
    }

    /// The outcome of a world that reached its limit of steps.
    pub(super) fn step_limit(&self) -> Outcome {
        /// Number of last steps in which to look for the one that runs.
        const LOOKED_AT: usize = 10_000;
        let steps = &self.transcript.steps;
        let last = &steps[steps.len().saturating_sub(LOOKED_AT)..];
        let mut polls: BTreeMap<u32, usize> = BTreeMap::new();
        for step in last {
            if let Move::Poll(actor) | Move::PollAt(actor, _) = step.moved {
                *polls.entry(actor).or_default() += 1;
            }
        }
        let most = polls.into_iter().max_by_key(|(_, polls)| *polls);
        let running = most.map(|(actor, polls)| {
            let PolledActor { name, blame, .. } = self.who(ActorId(actor), None);
            Running { who: name, polls, of: last.len(), blame: blame.guessed() }
        });
        Outcome::StepLimit { steps: self.max_steps, running }
    }

    /// Whether only three things could happen: a poll of this actor, polls of others that ask in vain, or time that
    /// runs ahead.
    fn is_alone(&self, actor: u32, watch: &LivelockWatch) -> bool {
        !self.shared.is_timer_due()
            && self.with_sets(|sets| {
                let rest = [sets.start, sets.deliver, sets.grant, sets.answer, sets.resume, sets.act];
                rest.iter().all(|set| set.is_empty())
                    && sets.poll.iter().all(|other| other == actor || watch.is_asking(other))
            })
    }

    /// Facts about the polled actor. It is a cell or, if it is a task of the host, its call that pauses most.
    fn who(&self, actor: ActorId, paused: Option<GateId>) -> PolledActor {
        let Some(cell) = self.tank.cell(actor) else {
            if let Some(call) = paused {
                return self.who_paused(call);
            }
            return PolledActor {
                name: "a task of the host".into(),
                limits: None,
                keeps_time: false,
                blame: self.task_of_actor(actor),
            };
        };
        PolledActor {
            name: cell.name().to_string(),
            limits: Some(Limits {
                // An order may make it burn less at a time than its limits say.
                fuel_slice: self.shared.orders(actor).fuel_slice.unwrap_or(cell.limits().fuel_slice),
                ..cell.limits().clone()
            }),
            keeps_time: self.keeps_time(actor),
            blame: Blame::Guest(cell.name().to_string()),
        }
    }

    /// A task of the scenario that an actor holds and that has not ended. It is a guess.
    fn task_of_actor(&self, actor: ActorId) -> Blame {
        let is_scenarios = |task: &LiveTask<'_>| task.whose.is_scenarios();
        let mut own = self.executor.tasks().filter(is_scenarios).filter(|task| task.actor == actor.0);
        let Some(task) = own.next() else { return Blame::Unknown };
        let vat = self.party(actor).vat();
        Blame::Task { vat, task: task.name.into() }.guessed()
    }

    /// Whether a cell's timers may pace it.
    fn keeps_time(&self, cell: ActorId) -> bool {
        let leave = self.leave_of(cell);
        let is_off = |without: &SwitchedOff| without.contains_key(&Oracle::Livelock);
        leave.keeps_time || is_off(&leave.without) || is_off(&self.without.borrow())
    }

    /// The names of actors, pipes and calls so far.
    pub(super) fn names(&self) -> Names {
        Names::of(&self.transcript.events, &self.schema.borrow())
    }

    fn who_paused(&self, call: GateId) -> PolledActor {
        let names = self.names();
        PolledActor {
            name: format!("the server of {}", names.call(call)),
            limits: None,
            keeps_time: false,
            blame: self.server_of(call, &[]).unwrap_or(Blame::Unknown),
        }
    }

    /// The capability that serves a call; `None` if the call is neither in the transcript nor among further events.
    pub(super) fn server_of(&self, call: GateId, further: &[Event]) -> Option<Blame> {
        let ends = self.ends();
        self.transcript.events.iter().chain(further).find_map(|event| match event {
            Event::Called { gate, interface, method, link, over, .. } if *gate == call => {
                let vat = ends.get(link.0 as usize).and_then(|ends| ends.server(*over).vat());
                Some(Blame::Capability { vat, call: self.schema.borrow().method_name(*interface, *method) })
            }
            _ => None,
        })
    }

    /// The server or the task of the scenario that was being polled when the world panicked; `None` if it was neither.
    pub(crate) fn blame_for_panic(&self) -> Option<Blame> {
        if let Some(call) = self.shared.serving() {
            // The events of the move that broke off are no part of the transcript.
            let mut broken_off = Vec::new();
            self.shared.drain_events(&mut broken_off);
            return self.server_of(call, &broken_off);
        }
        let task = self.executor.broken_off().filter(|task| task.whose.is_scenarios())?;
        Some(Blame::Task { vat: self.party(ActorId(task.actor)).vat(), task: task.name.into() })
    }

    /// The things that a cell may do. Children inherit the permissions of their root.
    fn leave_of(&self, cell: ActorId) -> Allowances {
        let leave = self.leave.borrow();
        let mut of = cell;
        loop {
            if let Some(leave) = leave.get(&of) {
                return leave.clone();
            }
            let parent = self.transcript.events.iter().find_map(|event| match event {
                Event::CellBorn { cell, parent, .. } if *cell == of => *parent,
                _ => None,
            });
            match parent {
                Some(parent) => of = parent,
                None => return Allowances::default(),
            }
        }
    }

    fn broken_invariant(&self) -> Option<Outcome> {
        if self.without.borrow().contains_key(&Oracle::Invariant) {
            return None;
        }
        self.invariants.borrow().iter().find_map(|Invariant { name, holds }| {
            let wrong = holds(self).err()?;
            let step = self.transcript.steps.len();
            Some(Outcome::Violated(Finding {
                oracle: Oracle::Invariant,
                who: name.clone(),
                blame: Blame::Scenario(format!("its invariant {name:?} says so")),
                what: format!("{name:?} does not hold after step {step}: {wrong}"),
                detail: Vec::new(),
            }))
        })
    }

    /// Judges a world at rest.
    pub(super) fn judge(&self) -> Outcome {
        if let Some(found) = self.woken_from_outside() {
            return found;
        }
        let (facts, frames) = (self.facts(), self.frames());
        let transcript = &self.transcript;
        let evidence = Evidence {
            steps: &transcript.steps,
            events: &transcript.events,
            ..Evidence::from_facts(&facts, &frames)
        };
        // This comes before traps, because a guest that nobody hears may panic for that reason. A damaged world excuses
        // silence.
        if !self.weather.is_damaged()
            && let Some(finding) = transport::judge(&evidence)
        {
            return Outcome::Violated(finding);
        }
        if let Some(trapped) = self.unexpected_trap(&facts) {
            return trapped;
        }
        if let Some(finding) = evidence.wrong() {
            return Outcome::Violated(finding);
        }
        let mut stalled = rest::stalled(&evidence);
        if let Some(graph) = &mut stalled
            && self.runtime_beside().is_some()
        {
            if let Some(found) = self.stalled_outside(&graph.blame) {
                return found;
            }
            graph.calls.push(outside::NOBODY_WAKES.into());
        }
        if !self.weather.is_damaged() && self.weather.level() < Level::Disorder {
            let at_rest = self.at_rest.borrow();
            let mut found = at_rest.iter().filter_map(|wrong| wrong(&self.transcript, stalled.is_some()));
            let wrong = found.find(|finding| evidence.is_on(finding.oracle));
            if let Some(finding) = wrong {
                return Outcome::Violated(finding);
            }
        }
        if let Some(graph) = stalled {
            return Outcome::Stalled(graph);
        }
        self.unmet(&evidence).or_else(|| evidence.left()).map_or(Outcome::Finished, Outcome::Violated)
    }

    /// The first expectation that does not hold. In a damaged world a cell need not come to its usual end, but to an
    /// end.
    fn unmet(&self, evidence: &Evidence<'_>) -> Option<Finding> {
        if evidence.damage.is_done {
            return None;
        }
        let expectations = self.expectations.borrow();
        expectations
            .iter()
            .find_map(|expected| self.unmet_by(expected, evidence))
            .or_else(|| self.unmet_by_children(evidence))
    }

    /// The finding about an expectation that does not hold, unless its oracle is off.
    pub(super) fn unmet_by(&self, expected: &Expectation, evidence: &Evidence<'_>) -> Option<Finding> {
        let cell = evidence.cell(expected.cell.id());
        let is_judged = |finding: &Finding| cell.is_none_or(|cell| evidence.is_judged(finding.oracle, cell));
        self.check(expected, evidence).filter(is_judged)
    }

    /// The frames of all links so far, while the world runs.
    fn frames_so_far(&self) -> Vec<LinkFrames> {
        self.transcript.frames(&self.schema.borrow())
    }

    fn frames(&self) -> Arc<[LinkFrames]> {
        self.frames.get_or_init(|| self.transcript.frames(&self.schema.borrow()).into()).clone()
    }

    /// The present state of everything.
    pub(crate) fn facts(&self) -> Facts {
        let cells = self.tank.cells();
        let struck = self.transcript.events.iter().filter_map(|event| match event {
            Event::TrappedByOrder { cell } | Event::MemoryRefused { cell } => Some(*cell),
            _ => None,
        });
        let damage = Damage { is_done: self.weather.is_damaged(), struck: struck.collect() };
        let without = self.without.borrow().clone();
        let schema = self.schema.borrow().clone();
        let mut facts = Facts { pipes: self.shared.pipes(), damage, without, schema, ..Facts::default() };
        let mut births = self.transcript.events.iter().filter_map(|event| match event {
            Event::CellBorn { cell, parent, detached, .. } => Some((*cell, (*parent, *detached))),
            _ => None,
        });
        let leave = self.leave.borrow();
        for cell in cells {
            let id = cell.id();
            let (parent, is_detached) =
                births.find(|(born, _)| *born == id).map_or((None, false), |(_, birth)| birth);
            let inherited = || {
                let parent = parent.and_then(|parent| facts.cells.iter().find(|cell| cell.id == parent));
                parent.map(|parent| parent.leave.clone()).unwrap_or_default()
            };
            let its_leave = leave.get(&id).cloned().unwrap_or_else(inherited);
            let exit = cell.exit();
            let is_end_wanted = parent.is_some()
                && exit.as_deref().is_some_and(|exit| self.is_end_expected(&cell, exit))
                || its_leave.may_close_early && parent.is_some() && self.was_closed_early(&cell);
            facts.cells.push(CellFacts {
                id,
                name: cell.name().clone(),
                parent,
                is_scenarios: leave.contains_key(&id),
                is_detached,
                component: cell.guest().digest(),
                transport: cell.transport(),
                imports: cell.guest().transport(),
                limits: cell.limits().clone(),
                pipes: cell.pipes().into(),
                link: cell.link().map(|link| (link.id(), link.up(), link.down())),
                exit: exit.as_deref().cloned(),
                is_end_wanted,
                blocked_in: self.shared.blocked_in(id),
                blocked: self.shared.blocked(id),
                care: cell.care(),
                leave: its_leave,
            });
        }
        facts.ends = self.ends();
        facts.discarded_bytes = self.shared.discarded_bytes();
        for task in self.executor.tasks() {
            let vat = self.party(ActorId(task.actor)).vat();
            facts.tasks.push(TaskFacts { name: task.name.into(), vat, whose: task.whose });
        }
        facts
    }

    /// The parties at the ends of each link, by the link's id.
    fn ends(&self) -> Vec<Ends> {
        let party = |LinkEnds { far, near, up }| Ends { far: self.party(far), near: self.party(near), up };
        self.shared.links().into_iter().map(party).collect()
    }

    /// The party of an actor.
    pub(super) fn party(&self, actor: ActorId) -> Party {
        if actor == self.host {
            return Party::Host;
        }
        if let Some(cell) = self.tank.cell(actor) {
            return Party::Cell(cell.name().clone());
        }
        let born = self.transcript.events.iter().find_map(|event| match event {
            Event::VatBorn { vat, name } if *vat == actor => Some(name.clone()),
            _ => None,
        });
        born.map_or(Party::Host, Party::Vat)
    }

    /// The first trap that nobody expected and that nothing excuses: neither damage nor a scenario that lets children
    /// fail.
    fn unexpected_trap(&self, facts: &Facts) -> Option<Outcome> {
        let may_panic = |id: ActorId| {
            let cell = facts.cells.iter().find(|cell| cell.id == id);
            cell.is_some_and(|cell| {
                cell.parent.is_some() && (cell.leave.children_may_fail || cell.is_end_wanted)
            })
        };
        let is_excused = |cell: &Cell, class| {
            let by_scenario = class == TrapClass::Unreachable && may_panic(cell.id());
            by_scenario || facts.damage.excuses(cell.id(), class)
        };
        let expectations = self.expectations.borrow();
        let is_expected = |cell: &Cell, class| {
            expectations
                .iter()
                .any(|e| e.cell.id() == cell.id() && matches!(e.what, Expected::Trap(c) if c == class))
        };
        let is_child = |id: ActorId| facts.cells.iter().any(|cell| cell.id == id && cell.parent.is_some());
        self.tank.cells().iter().find_map(|cell| match cell.exit().as_deref() {
            Some(exit) if is_child(cell.id()) && self.is_end_expected(cell, exit) => None,
            Some(ExitRecord { cause: Cause::Trapped(trap), .. })
                if !is_expected(cell, trap.class) && !is_excused(cell, trap.class) =>
            {
                let panic = (trap.class == TrapClass::Unreachable).then(|| self.panic_of(cell)).flatten();
                Some(Outcome::Trapped { cell: cell.name().to_string(), trap: trap.clone(), panic })
            }
            _ => None,
        })
    }

    /// The last panic message that a cell wrote to its stderr.
    fn panic_of(&self, cell: &Cell) -> Option<GuestPanic> {
        GuestPanic::last_in(&self.written(cell, Stream::Stderr))
    }

    /// All that a cell wrote to its stdout or stderr.
    fn written(&self, cell: &Cell, stream: Stream) -> String {
        let index = if stream == Stream::Stdout { 1 } else { 2 };
        let Some(of) = cell.pipes().get(index) else { return String::new() };
        let written = self.transcript.events.iter().filter_map(|event| match event {
            Event::Wrote { pipe, bytes } if pipe == of => Some(&bytes[..]),
            _ => None,
        });
        String::from_utf8_lossy(&written.flatten().copied().collect::<Vec<u8>>()).into_owned()
    }

    /// Whether the reader of a cell's stdout or stderr left before the cell closed it.
    fn was_closed_early(&self, cell: &Cell) -> bool {
        let outputs = cell.pipes().get(1..3).unwrap_or_default();
        outputs.iter().any(|output| {
            let first = self.transcript.events.iter().find_map(|event| match event {
                Event::Closed { pipe, end, .. } if pipe == output => Some(*end),
                _ => None,
            });
            first == Some(End::Reader)
        })
    }

    fn check(&self, Expectation { cell, what }: &Expectation, evidence: &Evidence<'_>) -> Option<Finding> {
        let name = cell.name();
        let exit = cell.exit()?;
        let wrong = |oracle: Oracle, what| Finding {
            oracle,
            who: name.to_string(),
            blame: Blame::Guest(name.to_string()),
            what,
            detail: Vec::new(),
        };
        match what {
            Expected::Code(code) if exit.code == *code => None,
            Expected::Code(code) => {
                let mistold = evidence.cell(cell.id()).and_then(transport::without_import);
                let what = format!("{name} exited with {}, expected {code}", exit.code);
                Some(mistold.unwrap_or_else(|| wrong(Oracle::Exit, what)))
            }
            Expected::Trap(class) => match &exit.cause {
                Cause::Trapped(trap) if trap.class == *class => None,
                _ => Some(wrong(
                    Oracle::Exit,
                    format!("{name} exited with {}, expected a trap: {class}", exit.code),
                )),
            },
            Expected::Rpc => transport::without_rpc(evidence, evidence.cell(cell.id())?),
            Expected::Output(stream, text) => {
                let place = match stream {
                    Stream::Stdout => format!("the stdout of {name}"),
                    Stream::Stderr => format!("the stderr of {name}"),
                };
                let lacking = output::lacking(&place, &self.output(cell, *stream), text);
                lacking.map(|lacking| wrong(Oracle::Output, lacking))
            }
        }
    }

    fn output(&self, cell: &Cell, stream: Stream) -> String {
        let roots = self.roots.borrow();
        let Some((_, stdio)) = roots.iter().find(|(root, _)| root.id() == cell.id()) else {
            return self.written(cell, stream);
        };
        let output = match stream {
            Stream::Stdout => stdio.stdout.clone(),
            Stream::Stderr => Some(stdio.stderr.clone()),
        };
        output.map_or_else(String::new, |output| String::from_utf8_lossy(&output.kept()).into_owned())
    }

    /// How every cell ended, in order of birth.
    pub(crate) fn cells(&self) -> Vec<(Arc<str>, Option<ExitRecord>)> {
        let ended = |cell: &Cell| (cell.name().clone(), cell.exit().as_deref().cloned());
        self.tank.cells().iter().map(ended).collect()
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.shared.now_ns()
    }
}
