//! The count of steps that [`yield_now`](super::yield_now) compares. A second poll does not prove that a step is over,
//! because a future that contains the yield may poll it again within the same step.
//!
//! A world has a thread to itself while it runs, and a future that yields holds no world. So the count belongs to the
//! thread.

use std::cell::Cell;

thread_local! {
    static TURN: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Steps that were begun; `None` while no world runs on this thread.
pub(super) fn now() -> Option<u64> {
    TURN.get()
}

/// Begins a step.
pub(super) fn begin() {
    TURN.set(TURN.get().map(|turn| turn + 1));
}

/// Steps are counted while this lives.
pub(super) struct Counted(());

impl Counted {
    pub(super) fn start() -> Self {
        TURN.set(Some(0));
        Counted(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        TURN.set(None);
    }
}
