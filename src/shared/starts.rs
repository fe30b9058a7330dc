//! Starts of cells, the orders that cells get before it, and the orders for the next `runBytes`.

use super::{Orders, SharedState};
use crate::event::Event;
use crate::id_set::IdSet;
use crate::ids::ActorId;
use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

/// Orders for the next `runBytes`.
#[derive(Default)]
pub(super) struct NextSpawn {
    pub(super) fails: u32,
    pub(super) slow_ns: Option<u64>,
}

/// Cells before their start.
#[derive(Default)]
pub(super) struct Starts {
    /// Cells that wait for their start.
    pub(super) unborn: IdSet,
    pub(super) wakers: BTreeMap<ActorId, Waker>,
    pub(super) orders: BTreeMap<ActorId, Orders>,
    pub(super) next_spawn: NextSpawn,
}

impl SharedState {
    pub(crate) fn hold_start(&self, cell: ActorId) {
        let mut state = self.state();
        if state.held {
            state.starts.unborn.insert(cell.0);
        }
    }

    pub(crate) fn poll_started(&self, cell: ActorId, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if !state.starts.unborn.contains(cell.0) {
            return Poll::Ready(());
        }
        state.starts.wakers.insert(cell, cx.waker().clone());
        Poll::Pending
    }

    /// Gives a cell its orders. They have no effect once it has started.
    pub fn order(&self, cell: ActorId, orders: Orders) {
        self.state().starts.orders.insert(cell, orders);
    }

    /// The orders that a cell got before its start.
    pub fn orders(&self, cell: ActorId) -> Orders {
        self.state().starts.orders.get(&cell).copied().unwrap_or_default()
    }

    /// Makes the next `runBytes` fail.
    pub fn fail_spawn(&self) {
        self.state().starts.next_spawn.fails += 1;
    }

    /// Makes the next `runBytes` take `by_ns` nanoseconds longer.
    pub fn slow_spawn(&self, by_ns: u64) {
        self.state().starts.next_spawn.slow_ns = Some(by_ns);
    }

    pub(crate) fn take_slow_spawn(&self, parent: ActorId) -> Option<u64> {
        let mut state = self.state();
        let by_ns = state.starts.next_spawn.slow_ns.take()?;
        state.record(Event::SpawnSlowed { parent, by_ns });
        Some(by_ns)
    }

    pub(crate) fn take_failed_spawn(&self, parent: ActorId) -> bool {
        let mut state = self.state();
        if state.starts.next_spawn.fails == 0 {
            return false;
        }
        state.starts.next_spawn.fails -= 1;
        state.record(Event::SpawnFailed { parent });
        true
    }

    /// Whether a cell waits for its start.
    pub fn is_unborn(&self, cell: ActorId) -> bool {
        self.state().starts.unborn.contains(cell.0)
    }

    /// Lets a new cell run.
    pub fn start(&self, cell: ActorId) {
        let mut state = self.state();
        state.starts.unborn.remove(cell.0);
        if let Some(waker) = state.starts.wakers.remove(&cell) {
            waker.wake();
        }
    }
}
