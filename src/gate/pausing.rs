//! Gives a server's work a waker of its own, so that a pause of the server is a move.
//!
//! capnp-rpc polls a call again within the same step when the call wakes itself. So a self-wake (a `yield_now`, a
//! zero-length sleep, the re-wake of a `select` or a `FuturesUnordered`) would let nobody else go first. Here a wake
//! that comes while the work is being polled goes to the menu instead: the work sleeps until the move
//! [`SharedState::resume`] wakes it. A wake that comes from outside its own poll (an answer, a timer, another task) is
//! passed on at once, and ends a pause. If it comes from another thread, it is noted, because no move caused it.

use crate::ids::GateId;
use crate::shared::SharedState;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::ThreadId;

/// Work that goes on by a move when it has woken itself.
pub(super) struct Pausing<F> {
    work: F,
    shared: SharedState,
    gate: GateId,
    signal: Arc<Signal>,
    waker: Waker,
}

/// The waker of the work. It has a lock because wakers must be `Send`, although there is only one thread.
struct Signal {
    state: Mutex<State>,
    shared: SharedState,
    gate: GateId,
    /// The thread of the tank.
    home: ThreadId,
}

struct State {
    phase: Phase,
    /// Wakes the task that the work is a part of.
    outer: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It may be polled: it is new, waits for something, or was woken.
    Open,
    Polling,
    /// It was woken while it was polled.
    WokeItself,
    /// It woke itself and is on the menu.
    Paused,
    /// It was paused, and was woken. The menu may still offer it.
    Woken,
}

impl<F: Future + Unpin> Pausing<F> {
    pub(super) fn new(shared: &SharedState, gate: GateId, work: F) -> Self {
        let signal = Arc::new(Signal {
            state: Mutex::new(State { phase: Phase::Open, outer: None }),
            shared: shared.clone(),
            gate,
            home: std::thread::current().id(),
        });
        let waker = signal.clone().into();
        Pausing { work, shared: shared.clone(), gate, signal, waker }
    }
}

impl<F: Future + Unpin> Future for Pausing<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match this.signal.begin(cx.waker()) {
            // Something else in its task was woken, so it was polled too. It stays paused.
            Phase::Paused => return Poll::Pending,
            Phase::Woken => this.shared.unpause(this.gate),
            Phase::Open | Phase::Polling | Phase::WokeItself => {}
        }
        let outer = this.shared.set_serving(Some(this.gate));
        let polled = Pin::new(&mut this.work).poll(&mut Context::from_waker(&this.waker));
        this.shared.set_serving(outer);
        if this.signal.end(polled.is_ready()) == Phase::Paused {
            this.shared.pause(this.gate, this.waker.clone());
        }
        polled
    }
}

impl<F> Drop for Pausing<F> {
    fn drop(&mut self) {
        if matches!(self.signal.state().phase, Phase::Paused | Phase::Woken) {
            self.shared.unpause(self.gate);
        }
    }
}

impl Signal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a poll, unless the work is paused. Returns the phase before.
    fn begin(&self, outer: &Waker) -> Phase {
        let mut state = self.state();
        let phase = state.phase;
        state.outer = Some(outer.clone());
        if phase != Phase::Paused {
            state.phase = Phase::Polling;
        }
        phase
    }

    /// Ends a poll. Returns the new phase.
    fn end(&self, is_ready: bool) -> Phase {
        let mut state = self.state();
        let pauses = !is_ready && state.phase == Phase::WokeItself;
        state.phase = if pauses { Phase::Paused } else { Phase::Open };
        state.phase
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if std::thread::current().id() != self.home {
            self.shared.note_wake_from_outside(self.gate);
        }
        let outer = {
            let mut state = self.state();
            match state.phase {
                Phase::Polling | Phase::WokeItself => {
                    state.phase = Phase::WokeItself;
                    return;
                }
                Phase::Paused => state.phase = Phase::Woken,
                Phase::Open | Phase::Woken => {}
            }
            state.outer.clone()
        };
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::task::noop_waker_ref;
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells the work how to behave when it is polled, and keeps the waker that it got.
    #[derive(Default)]
    struct Script {
        polls: u32,
        wakes_itself: bool,
        kept: Option<Waker>,
    }

    struct Bench {
        shared: SharedState,
        gate: GateId,
        script: Rc<RefCell<Script>>,
        work: Pin<Box<dyn Future<Output = ()>>>,
        outer: Arc<Count>,
    }

    impl Bench {
        fn new() -> Self {
            let shared = SharedState::new(true, true);
            let gate = shared.new_asked(1, 2);
            let script: Rc<RefCell<Script>> = Rc::default();
            let seen = script.clone();
            let work = std::future::poll_fn(move |cx| {
                let mut script = seen.borrow_mut();
                script.polls += 1;
                script.kept = Some(cx.waker().clone());
                if script.wakes_itself {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            });
            let work = Box::pin(Pausing::new(&shared, gate, work));
            Bench { shared, gate, script, work, outer: Arc::default() }
        }

        fn poll(&mut self) {
            let waker = self.outer.clone().into();
            assert!(self.work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }

        /// How often the work was polled, how often its task was woken, and whether the menu offers it.
        fn stands(&self) -> (u32, u32, bool) {
            let is_offered = self.shared.ready_sets(|ready_sets| ready_sets.resumable.contains(self.gate.0));
            (self.script.borrow().polls, self.outer.0.load(Ordering::Relaxed), is_offered)
        }
    }

    #[test]
    fn a_wake_from_inside_waits_for_its_move() {
        let mut bench = Bench::new();
        bench.script.borrow_mut().wakes_itself = true;
        bench.poll();
        assert_eq!(bench.stands(), (1, 0, true));
        bench.poll();
        assert_eq!(bench.stands(), (1, 0, true), "polled beside something else, it stays paused");
        bench.script.borrow_mut().wakes_itself = false;
        bench.shared.resume(bench.gate);
        assert_eq!(bench.stands(), (1, 1, false));
        bench.poll();
        assert_eq!(bench.stands(), (2, 1, false));
    }

    #[test]
    fn a_wake_from_outside_is_passed_on_and_ends_a_pause() {
        let mut bench = Bench::new();
        bench.poll();
        let kept = bench.script.borrow().kept.clone().unwrap();
        kept.wake_by_ref();
        assert_eq!(bench.stands(), (1, 1, false));
        bench.script.borrow_mut().wakes_itself = true;
        bench.poll();
        assert_eq!(bench.stands(), (2, 1, true));
        kept.wake();
        bench.script.borrow_mut().wakes_itself = false;
        bench.poll();
        assert_eq!(bench.stands(), (3, 2, false));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "it wakes a call from a thread outside of the tank")]
    fn a_wake_from_another_thread_is_noted() {
        let mut bench = Bench::new();
        bench.poll();
        let kept = bench.script.borrow().kept.clone().unwrap();
        kept.wake_by_ref();
        assert_eq!(bench.shared.woken_from_outside(), None);
        std::thread::spawn(move || kept.wake()).join().unwrap();
        assert_eq!(bench.shared.woken_from_outside(), Some(bench.gate));
    }

    #[test]
    fn what_is_dropped_is_off_the_menu() {
        let mut bench = Bench::new();
        bench.script.borrow_mut().wakes_itself = true;
        bench.poll();
        bench.work = Box::pin(std::future::pending());
        assert_eq!(bench.stands(), (1, 0, false));
    }

    #[test]
    fn work_that_ends_does_not_pause() {
        let shared = SharedState::new(true, true);
        let gate = shared.new_asked(1, 2);
        let work = std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Ready(())
        });
        let mut work = Pausing::new(&shared, gate, work);
        assert!(Pin::new(&mut work).poll(&mut Context::from_waker(noop_waker_ref())).is_ready());
        assert!(shared.ready_sets(|ready_sets| ready_sets.resumable.is_empty()));
    }
}
