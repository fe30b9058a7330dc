//! The loop: menu, pick, apply, record.

use super::World;
use crate::choice::Chooser;
use crate::menu::Sets;
use crate::moves::{Kind, Move};
use crate::oracle::livelock::Watch;
use crate::outcome::Outcome;
use crate::transcript::Step;
use wavetank::{ActorId, GateId, PipeId};

impl World {
    /// Makes moves until nothing can happen any more, then judges.
    pub(crate) fn run(&mut self) -> Outcome {
        let chooser = self.chooser.clone();
        let chooser = &mut *chooser.borrow_mut();
        self.executor.look();
        self.drain();
        let mut watch = Watch::default();
        while let Some(moved) = self.next_move(chooser) {
            if self.transcript.steps.len() as u64 >= self.max_steps {
                return Outcome::StepLimit { steps: self.max_steps };
            }
            if let Some(found) = self.before(moved) {
                return found;
            }
            let from = self.transcript.events.len();
            self.apply(moved, chooser);
            self.drain();
            let to = self.transcript.events.len();
            self.transcript.steps.push(Step { moved, caused: from..to });
            if let Some(found) = self.after(moved, to > from, &mut watch) {
                return found;
            }
        }
        self.judge()
    }

    fn next_move(&self, chooser: &mut Chooser) -> Option<Move> {
        let timer = self.fabric.next_timer_ns();
        let (menu, item, kind, id) = self.with_sets(|sets| {
            let menu = self.calm.menu(sets, timer.is_some());
            if menu.is_empty() {
                return None;
            }
            let item = chooser.pick(&menu);
            let (kind, id) = self.calm.item(&menu, sets, item);
            Some((menu, item, kind, id))
        })?;
        chooser.picked(&menu, item, kind, id);
        Some(match kind {
            Kind::Start => Move::Start(id),
            Kind::Poll => Move::Poll(id),
            Kind::Deliver => {
                let bytes = self.fabric.deliverable_bytes(PipeId(id));
                Move::Deliver(id, amount(chooser, id, bytes))
            }
            Kind::Grant => {
                let bytes = self.fabric.grantable_bytes(PipeId(id));
                Move::Grant(id, amount(chooser, id, bytes))
            }
            Kind::Answer => Move::Answer(id),
            Kind::Advance => Move::Advance(timer.expect("time is on the menu where somebody waits for it")),
        })
    }

    pub(super) fn with_sets<R>(&self, with: impl FnOnce(&Sets<'_>) -> R) -> R {
        self.fabric.offers(|offers| {
            with(&Sets {
                start: offers.startable,
                poll: self.executor.ready(),
                deliver: offers.deliverable,
                grant: offers.grantable,
                answer: offers.answerable,
            })
        })
    }

    fn apply(&mut self, moved: Move, chooser: &mut Chooser) {
        match moved {
            Move::Start(cell) => {
                self.shape_pipes(ActorId(cell), chooser);
                self.fabric.start(ActorId(cell));
            }
            Move::Poll(actor) => {
                self.executor.poll(actor);
            }
            Move::Deliver(pipe, bytes) => self.fabric.deliver(PipeId(pipe), bytes),
            Move::Grant(pipe, bytes) => self.fabric.grant(PipeId(pipe), bytes),
            Move::Answer(gate) => self.fabric.answer(GateId(gate)),
            Move::Advance(to_ns) => self.fabric.advance(to_ns),
        }
        self.calm.took(moved.kind(), moved_id(moved));
        self.executor.look();
    }

    /// Draws how each pipe of a new cell flows.
    fn shape_pipes(&self, cell: ActorId, chooser: &mut Chooser) {
        let born = self.tank.cell(cell).expect("a cell that can be started was born");
        for &pipe in born.pipes() {
            self.shape_pipe(pipe, born.capacity_bytes(), chooser);
        }
    }

    /// Draws how a pipe flows. Dullest first: free; held; held and small.
    pub(super) fn shape_pipe(&self, pipe: PipeId, full_bytes: usize, chooser: &mut Chooser) {
        match chooser.pipe(pipe.0, 3) {
            0 => self.fabric.shape(pipe, full_bytes, false),
            1 => self.fabric.shape(pipe, full_bytes, true),
            _ => self.fabric.shape(pipe, full_bytes.min(SMALL_CAPACITY_BYTES), true),
        }
    }

    fn drain(&mut self) {
        self.fabric.drain_events(&mut self.transcript.events);
    }
}

/// Capacity of a pipe that was drawn small, in bytes.
const SMALL_CAPACITY_BYTES: usize = 4096;

fn amount(chooser: &mut Chooser, pipe: u32, bytes: usize) -> usize {
    let bound = u32::try_from(bytes).unwrap_or(u32::MAX);
    match chooser.amount(pipe, bound) {
        0 => bytes,
        some => some as usize,
    }
}

fn moved_id(moved: Move) -> u32 {
    match moved {
        Move::Start(id) | Move::Poll(id) | Move::Deliver(id, _) | Move::Grant(id, _) | Move::Answer(id) => id,
        Move::Advance(_) => 0,
    }
}
