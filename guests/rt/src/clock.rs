//! Sleeping on the monotonic clock.
//!
//! No intervals and no time-outs: a guest that needs one selects over a [`Sleep`].

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use wasip2::clocks::monotonic_clock::subscribe_duration;

use crate::reactor::{Reactor, Watch};

/// A future that is ready when its time has passed. The time begins when it is made.
#[must_use = "a sleep that nobody awaits holds up nobody"]
pub struct Sleep(Watch);

impl Sleep {
    /// Starts to sleep. Durations over 584 years are cut there.
    pub fn new(reactor: &Reactor, duration: Duration) -> Self {
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(reactor.watch(subscribe_duration(duration_ns)))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The task may have been woken for something else, or for nothing.
        if self.0.is_ready() {
            return Poll::Ready(());
        }
        self.0.wake_when_ready(cx);
        Poll::Pending
    }
}
