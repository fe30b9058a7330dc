//! Starts of cells, the orders that cells get before it, and the orders for the next `runBytes`.

use super::{Orders, SharedState};
use crate::event::Event;
use crate::ids::ActorId;
use std::task::{Context, Poll};

impl SharedState {
    pub(crate) fn hold_start(&self, cell: ActorId) {
        let mut state = self.state();
        if state.held {
            state.unborn.insert(cell.0);
        }
    }

    pub(crate) fn poll_started(&self, cell: ActorId, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if !state.unborn.contains(cell.0) {
            return Poll::Ready(());
        }
        state.starts.insert(cell, cx.waker().clone());
        Poll::Pending
    }

    /// Gives a cell its orders. They have no effect once it has started.
    pub fn order(&self, cell: ActorId, orders: Orders) {
        self.state().orders.insert(cell, orders);
    }

    /// The orders that a cell got before its start.
    pub fn orders(&self, cell: ActorId) -> Orders {
        self.state().orders.get(&cell).copied().unwrap_or_default()
    }

    /// Makes the next `runBytes` fail.
    pub fn fail_spawn(&self) {
        self.state().spawning.fails += 1;
    }

    /// Makes the next `runBytes` take `by_ns` nanoseconds longer.
    pub fn slow_spawn(&self, by_ns: u64) {
        self.state().spawning.slow_ns = Some(by_ns);
    }

    pub(crate) fn take_slow_spawn(&self, parent: ActorId) -> Option<u64> {
        let mut state = self.state();
        let by_ns = state.spawning.slow_ns.take()?;
        state.record(Event::SpawnSlowed { parent, by_ns });
        Some(by_ns)
    }

    pub(crate) fn take_failed_spawn(&self, parent: ActorId) -> bool {
        let mut state = self.state();
        if state.spawning.fails == 0 {
            return false;
        }
        state.spawning.fails -= 1;
        state.record(Event::SpawnFailed { parent });
        true
    }

    /// Whether a cell waits for its start.
    pub fn is_unborn(&self, cell: ActorId) -> bool {
        self.state().unborn.contains(cell.0)
    }

    /// Lets a new cell run.
    pub fn start(&self, cell: ActorId) {
        let mut state = self.state();
        state.unborn.remove(cell.0);
        if let Some(waker) = state.starts.remove(&cell) {
            waker.wake();
        }
    }
}
