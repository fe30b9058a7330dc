//! The loop. It polls each of two tasks if that task was woken, and blocks if neither was.
//!
//! Two tasks are enough. One is the RPC system. The other is the application, which joins the futures that it wants to
//! run side by side. If the application has just queued a call, the call leaves before the guest blocks: queueing wakes
//! the RPC system, and the loop blocks only when no task is woken.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

use crate::{Result, reactor::Reactor};

/// A future, a flag that says whether it was woken, and its output once it has finished.
pub struct Task<F: Future + Unpin> {
    future: Option<F>,
    output: Option<F::Output>,
    woken: Arc<Woken>,
    waker: Waker,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

impl<F: Future + Unpin> Task<F> {
    /// Makes a task. It counts as woken, so its first turn polls it.
    pub fn new(future: F) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        Self { future: Some(future), output: None, woken, waker }
    }

    /// Polls the future once if it was woken and has not finished. Returns whether it polled.
    ///
    /// If the future finishes, it is dropped here with everything that it holds. A finished task never counts as
    /// progress again.
    pub fn turn(&mut self) -> bool {
        // Clear the flag before the poll: a wake from inside the poll asks for another turn.
        if !self.woken.0.swap(false, Relaxed) {
            return false;
        }
        let Some(future) = &mut self.future else { return false };
        if let Poll::Ready(output) = Pin::new(future).poll(&mut Context::from_waker(&self.waker)) {
            self.future = None;
            self.output = Some(output);
        }
        true
    }

    /// Takes the output if there is one.
    pub fn take_output(&mut self) -> Option<F::Output> {
        self.output.take()
    }
}

/// Runs `main` to its end, and `beside` along with it until then.
///
/// # Errors
///
/// [`Error::Deadlock`](crate::Error::Deadlock) if neither of them can ever continue.
pub fn run<M, B>(reactor: &Reactor, main: M, beside: &mut Task<B>) -> Result<M::Output>
where
    M: Future + Unpin,
    B: Future + Unpin,
{
    run_task(reactor, Task::new(main), beside)
}

/// Does the same as [`run`] for a task that may have had turns already.
///
/// # Errors
///
/// [`Error::Deadlock`](crate::Error::Deadlock) if neither of them can ever continue.
pub fn run_task<M, B>(reactor: &Reactor, mut main: Task<M>, beside: &mut Task<B>) -> Result<M::Output>
where
    M: Future + Unpin,
    B: Future + Unpin,
{
    loop {
        // `|` and not `||`, so that both get their turn.
        let ran = beside.turn() | main.turn();
        if let Some(output) = main.take_output() {
            return Ok(output);
        }
        if !ran {
            reactor.block()?;
        }
    }
}
