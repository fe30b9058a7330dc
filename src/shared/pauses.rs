//! Pauses: calls whose server woke itself, operations of fake I/O, and [draws](super::draws). All go on by a move.

use super::SharedState;
use super::draws::Draw;
use crate::event::Event;
use crate::id_set::IdSet;
use crate::ids::GateId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// How an operation ends, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Virtual nanoseconds that it still takes; 0 means that it ends now.
    pub latency_ns: u64,
    /// Whether it fails.
    pub fails: bool,
}

/// An operation failed because the simulation chose so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} failed, as the simulation chose")]
pub struct IoError {
    what: Arc<str>,
}

impl IoError {
    pub(crate) fn new(what: &Arc<str>) -> Self {
        IoError { what: what.clone() }
    }

    /// The operation's name.
    pub fn what(&self) -> &str {
        &self.what
    }
}

/// An operation of fake I/O that somebody waits for.
pub(super) struct Operation {
    what: Arc<str>,
    fails_one_in: u32,
    stage: Stage,
    waker: Waker,
}

/// The progress of an operation.
enum Stage {
    /// It is on the menu, because its fate is not decided yet.
    Begun,
    /// Its fate is decided. It ends at a known time.
    Decided {
        fails: bool,
    },
    Ended {
        fails: bool,
    },
}

/// Calls, operations and draws that pause until a move lets them go on.
#[derive(Default)]
pub(super) struct Pauses {
    /// Calls whose server woke itself, and operations and draws that are not decided.
    pub(super) resumable: IdSet,
    pub(super) operations: BTreeMap<u32, Operation>,
    pub(super) draws: BTreeMap<u32, Draw>,
    /// Operations that end at a known time.
    pub(super) slow_operations: BTreeSet<(u64, u32)>,
    /// The first call that another thread woke.
    pub(super) woken_from_outside: Option<GateId>,
    /// The number of moves that were begun.
    pub(super) turn: u64,
}

impl Pauses {
    /// Whether an operation or a draw is there that is not decided.
    pub(super) fn is_open(&self, id: u32) -> bool {
        let operation = self.operations.get(&id);
        operation.is_some_and(|operation| matches!(operation.stage, Stage::Begun))
            || self.draws.get(&id).is_some_and(Draw::is_open)
    }
}

impl SharedState {
    /// The number of moves that were begun. A paused task compares it.
    pub(crate) fn turn(&self) -> u64 {
        self.state().pauses.turn
    }

    /// Counts another move. The driver of a held tank calls it before each move.
    pub fn next_turn(&self) {
        self.state().pauses.turn += 1;
    }

    /// The first call whose server was woken by another thread. No move caused that wake, so the run does not repeat.
    pub fn woken_from_outside(&self) -> Option<GateId> {
        self.state().pauses.woken_from_outside
    }

    pub(crate) fn note_wake_from_outside(&self, gate: GateId) {
        self.state().pauses.woken_from_outside.get_or_insert(gate);
    }

    /// The call whose server is being polled. If the server panicked, it stays the one that did.
    pub fn serving(&self) -> Option<GateId> {
        self.state().calls.serving
    }

    /// Notes whose server is being polled. Returns the call that was noted before: a server may call another one that
    /// is polled within it.
    pub(crate) fn set_serving(&self, gate: Option<GateId>) -> Option<GateId> {
        std::mem::replace(&mut self.state().calls.serving, gate)
    }

    /// Puts a call whose server woke itself on the menu. `waker` lets it go on.
    pub(crate) fn pause(&self, gate: GateId, waker: Waker) {
        let mut state = self.state();
        state.calls.gates[gate.index()].paused = Some(waker);
        state.pauses.resumable.insert(gate.0);
    }

    /// Takes a call off the menu, because it goes on for another reason or was dropped.
    pub(crate) fn unpause(&self, gate: GateId) {
        let mut state = self.state();
        state.calls.gates[gate.index()].paused = None;
        state.pauses.resumable.remove(gate.0);
    }

    /// Lets a paused call go on. Does nothing if it is not paused.
    pub fn resume(&self, gate: GateId) {
        let waker = {
            let mut state = self.state();
            state.pauses.resumable.remove(gate.0);
            state.calls.gates[gate.index()].paused.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Begins an operation of fake I/O and puts it on the menu. Operations, draws and gates are numbered together.
    pub(crate) fn begin_operation(&self, what: &Arc<str>, fails_one_in: u32, waker: &Waker) -> GateId {
        let mut state = self.state();
        let id = state.new_gate_id();
        let operation =
            Operation { what: what.clone(), fails_one_in, stage: Stage::Begun, waker: waker.clone() };
        state.pauses.operations.insert(id.0, operation);
        state.offer(id);
        state.record(Event::IoBegun { operation: id, what: what.clone() });
        id
    }

    /// Of how many begun operations about one fails; 0 means none. `None` if `id` names a paused call.
    pub fn operation_fails_one_in(&self, id: GateId) -> Option<u32> {
        self.state().pauses.operations.get(&id.0).map(|operation| operation.fails_one_in)
    }

    /// Decides how and when a begun operation ends: now, or when the clock reaches its time. Does nothing if that was
    /// decided before.
    pub fn end_operation(&self, id: GateId, fate: Completion) {
        let mut state = self.state();
        if !state.pauses.resumable.remove(id.0) {
            return;
        }
        let until_ns = state.time.now_ns.saturating_add(fate.latency_ns);
        if let Some(operation) = state.pauses.operations.get_mut(&id.0) {
            operation.stage = Stage::Decided { fails: fate.fails };
        }
        if fate.latency_ns == 0 {
            state.operation_is_over(id);
        } else {
            state.pauses.slow_operations.insert((until_ns, id.0));
        }
    }

    pub(crate) fn poll_operation(&self, id: GateId, cx: &mut Context<'_>) -> Poll<Result<(), IoError>> {
        let mut state = self.state();
        let Some(operation) = state.pauses.operations.get_mut(&id.0) else {
            unreachable!("an operation is there until its future is dropped")
        };
        match operation.stage {
            Stage::Ended { fails: false } => Poll::Ready(Ok(())),
            Stage::Ended { fails: true } => Poll::Ready(Err(IoError::new(&operation.what))),
            Stage::Begun | Stage::Decided { .. } => {
                operation.waker.clone_from(cx.waker());
                Poll::Pending
            }
        }
    }

    /// The operations and draws that would wake a task, found by its waker. Parts of the task that have wakers of their
    /// own are not included.
    pub fn undecided_of(&self, waker: &Waker) -> Vec<GateId> {
        let state = self.state();
        let operations = state.pauses.operations.iter().filter(|(_, operation)| {
            !matches!(operation.stage, Stage::Ended { .. }) && operation.waker.will_wake(waker)
        });
        let draws = state.pauses.draws.iter().filter(|(_, draw)| draw.is_open() && draw.wakes(waker));
        operations.map(|(id, _)| *id).chain(draws.map(|(id, _)| *id)).map(GateId).collect()
    }

    /// Forgets an operation, because its future was dropped.
    pub(crate) fn drop_operation(&self, id: GateId) {
        let mut state = self.state();
        state.pauses.resumable.remove(id.0);
        state.pauses.slow_operations.retain(|(_, slow)| *slow != id.0);
        let operation = state.pauses.operations.remove(&id.0);
        if operation.is_some_and(|operation| !matches!(operation.stage, Stage::Ended { .. })) {
            state.record(Event::IoDropped { operation: id });
        }
    }
}

impl super::State {
    /// Ends an operation whose fate was decided, and wakes the task that waits for it.
    pub(super) fn operation_is_over(&mut self, id: GateId) {
        let Some(operation) = self.pauses.operations.get_mut(&id.0) else { return };
        let Stage::Decided { fails } = operation.stage else { return };
        operation.stage = Stage::Ended { fails };
        let waker = operation.waker.clone();
        self.record(Event::IoEnded { operation: id, fails });
        waker.wake();
    }
}
