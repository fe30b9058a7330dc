//! Sleeping on the monotonic clock.
//!
//! There are no intervals and no time-outs here. If a guest needs one, it selects over a [`Sleep`].

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use wasip2::clocks::monotonic_clock::subscribe_duration;

use crate::reactor::{Reactor, Watch};

/// A future that is ready when its time has passed. The time starts when the future is made.
#[must_use = "a sleep that nobody awaits holds up nobody"]
pub struct Sleep(Watch);

impl Sleep {
    /// Starts to sleep. A duration of more than 584 years is cut to that length.
    pub fn new(reactor: &Reactor, duration: Duration) -> Self {
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(reactor.watch(subscribe_duration(duration_ns)))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The task may have been woken for another reason, or for no reason.
        if self.0.is_ready() {
            return Poll::Ready(());
        }
        self.0.wake_when_ready(cx);
        Poll::Pending
    }
}
