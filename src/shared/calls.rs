//! Calls: gates where answers wait, and calls that are cancelled by order.

use super::{SharedState, State};
use crate::event::Event;
use crate::id_set::IdSet;
use crate::ids::{GateId, LinkId, PipeId};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll, Waker};

/// The place that serves a capability: a link, and the pipe `over` that brings the calls.
#[derive(Clone, Copy)]
pub(crate) struct ServedAt {
    pub(crate) link: LinkId,
    pub(crate) over: PipeId,
}

#[derive(Default)]
pub(super) struct Gate {
    pub(super) open: bool,
    pub(super) cut: bool,
    /// The earlier streaming call whose gate must be opened first.
    pub(super) after: Option<GateId>,
    pub(super) waker: Option<Waker>,
    pub(super) cut_waker: Option<Waker>,
    /// The waker of a server that woke itself. It lets the server go on.
    pub(super) paused: Option<Waker>,
}

/// Calls that came in, and the gates at which their answers wait.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) gates: Vec<Gate>,
    /// Finished calls whose answers wait.
    pub(super) answerable: IdSet,
    /// Answers that wait for a time.
    pub(super) late: BTreeSet<(u64, u32)>,
    /// For each streaming call, the finished calls whose gates wait for its gate.
    pub(super) behind: BTreeMap<u32, Vec<GateId>>,
    /// Whether a method streams, for each method (interface and ordinal) for which this is known.
    pub(super) streaming: BTreeMap<(u64, u16), bool>,
    /// Calls that came in and whose answers have not gone out.
    pub(super) open: RoaringBitmap,
    /// The call whose server is being polled.
    pub(super) serving: Option<GateId>,
}

impl SharedState {
    pub(crate) fn new_gate(&self, served: ServedAt, (interface, method): (u64, u16), params: u64) -> GateId {
        let ServedAt { link, over } = served;
        let mut state = self.state();
        let gate = state.new_gate_id();
        state.calls.gates[gate.index()].open = !state.held;
        state.calls.open.insert(gate.0);
        state.record(Event::Called { gate, interface, method, link, over, params });
        gate
    }

    /// Registers a call that the host makes and that can be cancelled.
    pub(crate) fn new_asked(&self, interface: u64, method: u16) -> GateId {
        let mut state = self.state();
        let call = state.new_gate_id();
        state.calls.gates[call.index()].open = true;
        state.calls.open.insert(call.0);
        state.record(Event::Asked { gate: call, interface, method });
        call
    }

    /// Notes that a call is done and that its answer waits at its gate. If `after`, an earlier streaming call, is
    /// given, the gate can be opened only when the gate of `after` was opened or cancelled.
    pub(crate) fn done(&self, gate: GateId, after: Option<GateId>) {
        let mut state = self.state();
        state.record(Event::Done { gate });
        state.wait_behind(gate, after);
    }

    /// Whether the gate of a finished call can be opened only after that of an earlier streaming call.
    pub fn waits_behind(&self, gate: GateId) -> bool {
        self.state().calls.gates[gate.index()].after.is_some()
    }

    /// Whether a method, given by its interface's id and its ordinal, streams; `None` if that is not known yet.
    pub(crate) fn streams(&self, method: (u64, u16)) -> Option<bool> {
        self.state().calls.streaming.get(&method).copied()
    }

    /// Notes whether a method streams.
    pub(crate) fn learn_streams(&self, method: (u64, u16), streams: bool) {
        let mut state = self.state();
        if state.calls.streaming.insert(method, streams) != Some(true) && streams {
            state.record(Event::Streams { interface: method.0, method: method.1 });
        }
    }

    pub(crate) fn poll_answered(&self, gate: GateId, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        let slot = &mut state.calls.gates[gate.index()];
        if slot.open {
            return Poll::Ready(());
        }
        slot.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn poll_cut(&self, gate: GateId, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        let slot = &mut state.calls.gates[gate.index()];
        if slot.cut {
            return Poll::Ready(());
        }
        slot.cut_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn cancel_answer(&self, gate: GateId) {
        let mut state = self.state();
        state.forget_call(gate);
        state.record(Event::Cancelled { gate });
    }

    pub(crate) fn answered(&self, gate: GateId) {
        self.state().forget_call(gate);
    }

    /// Calls that came in and whose answers have not gone out: ids of [`GateId`].
    pub fn calls(&self) -> Vec<u32> {
        self.state().calls.open.iter().collect()
    }

    /// Cancels a call. Its server's work is dropped in its present state, and its caller gets an exception.
    pub fn cut_call(&self, gate: GateId) {
        let mut state = self.state();
        let slot = &mut state.calls.gates[gate.index()];
        slot.cut = true;
        let waker = slot.cut_waker.take();
        state.record(Event::CallCut { gate });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Delays the answer of a finished call until a time, in nanoseconds since the start.
    pub fn delay_answer(&self, gate: GateId, until_ns: u64) {
        let mut state = self.state();
        if state.calls.answerable.remove(gate.0) {
            state.calls.late.insert((until_ns, gate.0));
        }
    }

    /// Lets the answer of a finished call go out.
    pub fn answer(&self, gate: GateId) {
        let mut state = self.state();
        state.forget_call(gate);
        let slot = &mut state.calls.gates[gate.index()];
        slot.open = true;
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    }
}

impl State {
    /// Makes the next number for a call or an operation.
    pub(super) fn new_gate_id(&mut self) -> GateId {
        self.calls.gates.push(Gate::default());
        GateId(self.calls.gates.len() as u32 - 1)
    }

    /// Lets the gate of a finished call be opened: after the gate of `after`, or now if there is no such open call.
    fn wait_behind(&mut self, gate: GateId, after: Option<GateId>) {
        let first = after.filter(|first| self.calls.open.contains(first.0));
        self.calls.gates[gate.index()].after = first;
        match first {
            Some(first) => self.calls.behind.entry(first.0).or_default().push(gate),
            None => {
                self.calls.answerable.insert(gate.0);
            }
        }
    }

    /// Ends a call: removes it from all sets of possible moves, and releases the calls whose gates waited for its gate.
    pub(super) fn forget_call(&mut self, gate: GateId) {
        self.calls.open.remove(gate.0);
        self.calls.answerable.remove(gate.0);
        self.calls.late.retain(|(_, late)| *late != gate.0);
        let after = self.calls.gates[gate.index()].after.take();
        if let Some(others) = after.and_then(|first| self.calls.behind.get_mut(&first.0)) {
            others.retain(|other| *other != gate);
        }
        for behind in self.calls.behind.remove(&gate.0).unwrap_or_default() {
            self.wait_behind(behind, after);
        }
    }
}
