//! Waiting for a virtual time.

use crate::shared::{NEVER_NS, SharedState};
use futures::future::{Either, select};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

/// A span of virtual time, or a time since the start: a [`Duration`], or a number of nanoseconds. What is longer than
/// 584 years counts as for ever.
pub trait IntoNanos {
    /// The number of nanoseconds.
    fn into_nanos(self) -> u64;
}

impl IntoNanos for u64 {
    fn into_nanos(self) -> u64 {
        self
    }
}

impl IntoNanos for Duration {
    fn into_nanos(self) -> u64 {
        u64::try_from(self.as_nanos()).unwrap_or(NEVER_NS)
    }
}

/// A future did not end within its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing came within {after:?} of virtual time")]
pub struct Elapsed {
    after: Duration,
}

impl Elapsed {
    /// The time that the future had.
    pub fn after(self) -> Duration {
        self.after
    }
}

impl From<Elapsed> for capnp::Error {
    fn from(elapsed: Elapsed) -> Self {
        capnp::Error::failed(elapsed.to_string())
    }
}

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

    /// Virtual time since the start.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.now_ns())
    }

    /// Waits until this much time has passed: a [`Duration`], or a number of nanoseconds.
    ///
    /// A wait of no time lets other tasks go first, wherever it is awaited: the code after it runs in a step of
    /// its own. No time passes meanwhile. In a tank that is not held such a wait ends at once.
    pub fn sleep(&self, time: impl IntoNanos) -> Sleep {
        self.sleep_until(self.now_ns().saturating_add(time.into_nanos()))
    }

    /// Waits until a time since the start: a [`Duration`], or a number of nanoseconds. If that time has come already, it
    /// is a wait of no time.
    pub fn sleep_until(&self, at: impl IntoNanos) -> Sleep {
        let at_ns = at.into_nanos();
        let pauses = self.0.is_held() && at_ns <= self.0.now_ns();
        let pause = if pauses { Pause::Ahead } else { Pause::Over };
        Sleep { timer: self.0.new_timer(), shared: self.0.clone(), at_ns, pause }
    }

    /// Gives a future this much virtual time from now on, and drops it if it has not ended by then. If both
    /// are over when the task goes on, the future wins.
    ///
    /// # Errors
    /// [`Elapsed`] if the time is over first. In a server's method, `?` makes a [`capnp::Error`] of it.
    pub fn timeout<N, F>(
        &self,
        time: N,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + use<N, F>
    where
        N: IntoNanos,
        F: Future,
    {
        let time_ns = time.into_nanos();
        let sleep = self.sleep(time_ns);
        async move {
            match select(pin!(future), sleep).await {
                Either::Left((output, _)) => Ok(output),
                Either::Right(((), _)) => Err(Elapsed { after: Duration::from_nanos(time_ns) }),
            }
        }
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

/// The step that a wait of no time leaves to other tasks.
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
