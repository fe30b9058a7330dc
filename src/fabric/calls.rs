//! Calls: gates where answers wait, and calls that are cut short.

use super::{Fabric, Gate};
use crate::event::Event;
use crate::gate::Served;
use crate::ids::GateId;
use std::task::{Context, Poll};

impl Fabric {
    pub(crate) fn new_gate(&self, served: Served, (interface, method): (u64, u16), params: u64) -> GateId {
        let Served { link, over } = served;
        let mut state = self.state();
        let gate = GateId(state.gates.len() as u32);
        let open = !state.held;
        state.gates.push(Gate { open, ..Gate::default() });
        state.calls.insert(gate.0);
        state.record(Event::Called { gate, interface, method, link, over, params });
        gate
    }

    /// A call that the host makes and that can be cancelled.
    pub(crate) fn new_asked(&self, interface: u64, method: u16) -> GateId {
        let mut state = self.state();
        let call = GateId(state.gates.len() as u32);
        state.gates.push(Gate { open: true, ..Gate::default() });
        state.calls.insert(call.0);
        state.record(Event::Asked { gate: call, interface, method });
        call
    }

    pub(crate) fn poll_answered(&self, gate: GateId, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        let slot = &mut state.gates[gate.index()];
        if slot.open {
            return Poll::Ready(());
        }
        let first = slot.waker.is_none();
        slot.waker = Some(cx.waker().clone());
        if first {
            state.answerable.insert(gate.0);
            state.record(Event::Done { gate });
        }
        Poll::Pending
    }

    pub(crate) fn poll_cut(&self, gate: GateId, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        let slot = &mut state.gates[gate.index()];
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

    /// Calls that came in and whose answer has not gone out: ids of [`GateId`].
    pub fn calls(&self) -> Vec<u32> {
        self.state().calls.iter().collect()
    }

    /// Cancels a call: its server's work is dropped where it stands, and its caller gets an exception.
    pub fn cut_call(&self, gate: GateId) {
        let mut state = self.state();
        let slot = &mut state.gates[gate.index()];
        slot.cut = true;
        let waker = slot.cut_waker.take();
        state.record(Event::CallCut { gate });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Lets a finished call's answer wait until a time, in nanoseconds since the start.
    pub fn delay_answer(&self, gate: GateId, until_ns: u64) {
        let mut state = self.state();
        if state.answerable.remove(gate.0) {
            state.late.insert((until_ns, gate.0));
        }
    }

    /// Lets a finished call's answer go out.
    pub fn answer(&self, gate: GateId) {
        let mut state = self.state();
        state.forget_call(gate);
        let slot = &mut state.gates[gate.index()];
        slot.open = true;
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    }
}
