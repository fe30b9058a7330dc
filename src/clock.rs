//! Waiting for a virtual time.

use crate::fabric::Fabric;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The virtual clock of a tank, for tasks of the host. Clones are the same clock.
#[derive(Clone)]
pub struct Clock(Fabric);

impl Clock {
    pub(crate) fn new(fabric: &Fabric) -> Self {
        Clock(fabric.clone())
    }

    /// Virtual time in nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        self.0.now_ns()
    }

    /// Waits until so many nanoseconds have passed.
    pub fn sleep(&self, duration_ns: u64) -> Sleep {
        self.sleep_until(self.now_ns().saturating_add(duration_ns))
    }

    /// Waits until a time, in nanoseconds since the start.
    pub fn sleep_until(&self, at_ns: u64) -> Sleep {
        Sleep { timer: self.0.new_timer(), fabric: self.0.clone(), at_ns }
    }
}

/// Ends at its time. Dropped before, it leaves no timer behind.
#[must_use = "time passes only for those who wait"]
pub struct Sleep {
    fabric: Fabric,
    at_ns: u64,
    timer: u32,
}

impl Sleep {
    pub(crate) fn poll_due(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.fabric.poll_timer(self.at_ns, self.timer, cx)
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_due(cx)
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.fabric.drop_timer(self.at_ns, self.timer);
    }
}
