//! Sleeping on the monotonic clock.
//!
//! There are no intervals and no time-outs here. A guest that needs one can select over a [`Sleep`].

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use wasip2::clocks::monotonic_clock::subscribe_duration;

use crate::reactor::{Reactor, Watch};

/// A future that is ready when its time has passed. The time begins when the future is created.
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep(Watch);

impl Sleep {
    /// Starts the sleep. The longest duration is 2^64 - 1 nanoseconds, about 584 years; a longer one is cut.
    pub fn new(reactor: &Reactor, duration: Duration) -> Self {
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(reactor.watch(subscribe_duration(duration_ns)))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Ask again, because the task may have been woken for another reason, or for none.
        if self.0.is_ready() {
            return Poll::Ready(());
        }
        self.0.wake_when_ready(cx);
        Poll::Pending
    }
}
