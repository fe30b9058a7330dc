//! Waiting for a virtual time.

use crate::shared::SharedState;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The virtual clock of a tank, for tasks of the host. Clones are the same clock.
#[derive(Clone)]
pub struct Clock(SharedState);

impl Clock {
    pub(crate) fn new(shared: &SharedState) -> Self {
        Clock(shared.clone())
    }

    /// Virtual time in nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        self.0.now_ns()
    }

    /// Waits until this many nanoseconds have passed.
    ///
    /// A wait of 0 nanoseconds lets other tasks go first, wherever it is awaited: the code after it runs in a step of
    /// its own. No time passes meanwhile. In a tank that is not held such a wait ends at once.
    pub fn sleep(&self, duration_ns: u64) -> Sleep {
        self.sleep_until(self.now_ns().saturating_add(duration_ns))
    }

    /// Waits until a time, in nanoseconds since the start. If that time has come already, it is a wait of 0.
    pub fn sleep_until(&self, at_ns: u64) -> Sleep {
        let pauses = self.0.is_held() && at_ns <= self.0.now_ns();
        let pause = if pauses { Pause::Ahead } else { Pause::Over };
        Sleep { timer: self.0.new_timer(), shared: self.0.clone(), at_ns, pause }
    }
}

/// A wait that ends at its time. If it is dropped earlier, it leaves no timer behind.
#[must_use = "time passes only for those who wait"]
pub struct Sleep {
    shared: SharedState,
    at_ns: u64,
    timer: u32,
    pause: Pause,
}

/// The step that a wait of 0 leaves to other tasks.
///
/// It is over when the number of the turn has changed. A second poll proves nothing, because a future that contains the
/// wait may poll it again within the same turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// The wait was not polled yet.
    Ahead,
    /// It was first polled in this turn, and goes on in a later one.
    Since(u64),
    /// There is no such step, or it is over.
    Over,
}

impl Sleep {
    pub(crate) fn poll_due(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.poll_timer(self.at_ns, self.timer, cx)
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let turn = self.shared.turn();
        match self.pause {
            Pause::Ahead => self.pause = Pause::Since(turn),
            Pause::Since(first) if first == turn => {}
            Pause::Since(_) | Pause::Over => {
                self.pause = Pause::Over;
                return self.poll_due(cx);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.shared.drop_timer(self.at_ns, self.timer);
    }
}
