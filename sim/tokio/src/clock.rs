//! tokio's clock, which moves only when the world's clock does.
//!
//! A runtime with a paused clock can do two things for us, and both are done inside a short `block_on` between two
//! steps, in which no task of a server runs:
//!
//! - **Move by an amount** and wake the timers that are due: [`tokio::time::advance`] changes the clock, and its yield
//!   lets the time driver look once, without parking.
//! - **Move to the next deadline**: if the runtime would park, a paused clock jumps to the next slot of the timer wheel
//!   instead. tokio names that deadline nowhere, and timers that a jump has fired cannot be set again. So the jump is
//!   made only when the world's clock is to move, and the world follows to the time that was reached.
//!
//! Three things make that jump safe:
//!
//! - It must not go beyond the world's next time. So a timer of ours stands there during the jump.
//! - It must not park when there is no timer at all. A parker that was notified before returns at once. The driver
//!   notifies it when a timer is registered that is earlier than all others. So a timer of ours is registered for the
//!   next millisecond and dropped: the notice stays, the timer does not.
//! - It must end. The runtime calls us after each park (`on_thread_unpark`). A clock does not jump in the first park
//!   after a wake, and the future of `block_on` was woken to get here. So we give another notice after the first park,
//!   and wake the future only after the second.
//!
//! A slot of the wheel's upper levels may begin before its first timer. Then the jump wakes nobody, and the world makes
//! another one.
//!
//! tokio's timers have a resolution of one millisecond, counted from the world's start, and round up. If the virtual
//! clock stands between two milliseconds, a timer may be late by less than one.
//!
//! While `spawn_blocking` works on another thread, tokio holds a paused clock. That is how we learn of it.

use std::cell::Cell;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, EnterGuard, Runtime};
use tokio::time::{Instant, sleep_until};

const MS_NS: u64 = 1_000_000;

/// The clock of a runtime without any task.
pub(crate) struct Clock {
    /// It is there until this is dropped.
    runtime: Option<Runtime>,
    start: Instant,
    /// Virtual time in nanoseconds since the start.
    now_ns: Cell<u64>,
    jump: Arc<Mutex<Jump>>,
}

/// The progress of a jump.
#[derive(Default)]
enum Jump {
    /// There is none, or it is over.
    #[default]
    None,
    /// It is ahead. After the next park, the parker must be notified by a timer at this time.
    Ahead { notice: Instant, waker: Waker },
    /// It comes with the next park. After that, the future of `block_on` must be woken.
    Next { waker: Waker },
}

impl Jump {
    /// Goes on after a park.
    fn has_parked(jump: &Mutex<Self>) {
        let mut jump = jump.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut *jump) {
            Jump::None => {}
            Jump::Ahead { notice, waker } => {
                *jump = Jump::Next { waker };
                notify_parker(notice);
            }
            Jump::Next { waker } => waker.wake(),
        }
    }
}

/// Leaves a notice for the parker, unless a timer is due by this time.
fn notify_parker(at: Instant) {
    let _ = pin!(sleep_until(at)).poll(&mut Context::from_waker(Waker::noop()));
}

impl Clock {
    /// A paused clock at 0.
    pub(crate) fn start() -> Self {
        let jump: Arc<Mutex<Jump>> = Arc::default();
        let going_on = jump.clone();
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .on_thread_unpark(move || Jump::has_parked(&going_on))
            .build()
            .expect("a runtime without I/O needs nothing that could fail");
        let start = {
            let _runtime = runtime.enter();
            // tokio's paused clock, not the machine's.
            Instant::now()
        };
        Clock { runtime: Some(runtime), start, now_ns: Cell::new(0), jump }
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is there until it is dropped")
    }

    /// Enters the runtime's context.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime().enter()
    }

    /// Whether a task was spawned on the runtime itself.
    pub(crate) fn has_spawned(&self) -> bool {
        self.runtime().metrics().num_alive_tasks() > 0
    }

    /// Moves forward to a time, and wakes those whose time has come.
    pub(crate) fn set(&self, now_ns: u64) {
        let ahead_ns = now_ns.saturating_sub(self.now_ns.get());
        if ahead_ns > 0 {
            self.runtime().block_on(tokio::time::advance(Duration::from_nanos(ahead_ns)));
            self.now_ns.set(now_ns);
        }
    }

    /// Moves to the next deadline, or to the limit if that comes first. `None` if there is neither.
    pub(crate) fn pass(&self, limit_ns: Option<u64>) -> Option<u64> {
        let before_ns = self.now_ns.get();
        let whole_ms = limit_ns.map(|limit_ns| limit_ns.saturating_sub(before_ns) / MS_NS);
        if whole_ms != Some(0) {
            self.jump(whole_ms);
        }
        let passed_ms = (self.now_ns.get() - before_ns) / MS_NS;
        match limit_ns {
            // Our own timer was reached. Another one may have been too; the rest of the way is less than a millisecond.
            Some(limit_ns) if passed_ms == 0 || Some(passed_ms) == whole_ms => {
                self.set(limit_ns);
                limit_ns.into()
            }
            _ => (passed_ms > 0).then(|| self.now_ns.get()),
        }
    }

    /// Whether work on another thread holds the clock. If not, the clock moves by a millisecond at most.
    pub(crate) fn is_held_by_another_thread(&self) -> bool {
        let before_ns = self.now_ns.get();
        self.jump(Some(1));
        self.now_ns.get() == before_ns
    }

    /// Jumps to the next slot of the timer wheel, by at most this many milliseconds.
    fn jump(&self, most_ms: Option<u64>) {
        let at_ms = self.now_ns.get() / MS_NS;
        let after = |ms: u64| self.start + Duration::from_millis(at_ms + ms);
        self.runtime().block_on(async {
            // The driver looks at its timers: only then does it know whether a new one is the earliest.
            tokio::task::yield_now().await;
            let mut limit = pin!(most_ms.map(|ms| sleep_until(after(ms))));
            let mut has_parked = false;
            std::future::poll_fn(|cx| {
                if has_parked {
                    return Poll::Ready(());
                }
                has_parked = true;
                if let Some(limit) = limit.as_mut().as_pin_mut() {
                    // It wakes nobody: the end of the park does.
                    let _ = limit.poll(&mut Context::from_waker(Waker::noop()));
                }
                notify_parker(after(1));
                *self.jump.lock().unwrap_or_else(PoisonError::into_inner) =
                    Jump::Ahead { notice: after(1), waker: cx.waker().clone() };
                Poll::Pending
            })
            .await;
        });
        let _runtime = self.enter();
        let now_ns = self.start.elapsed().as_nanos();
        self.now_ns.set(u64::try_from(now_ns).expect("a virtual time is below 584 years"));
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It waits for no thread: one of a server may never end.
            runtime.shutdown_background();
        }
    }
}
