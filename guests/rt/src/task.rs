//! The loop: it polls each of two tasks only if that task was woken, and blocks if neither was.
//!
//! Two are enough: one is the RPC system, the other is the application, which joins the things that it does at
//! once. If the application has just queued a call, the call leaves before the guest blocks. That needs no
//! rule of its own, because queueing wakes the RPC system, and the loop goes on until no task is woken.

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

/// A future, whether it was woken, and its output once it has finished.
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
    /// Makes a task that counts as woken, so that its first turn polls it.
    pub fn new(future: F) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        Self { future: Some(future), output: None, woken, waker }
    }

    /// Polls the future once if it was woken and has not finished. Tells whether it polled.
    ///
    /// When the future finishes, it is dropped here with everything that it held, and never counts as progress again.
    pub fn turn(&mut self) -> bool {
        // Cleared before the poll, because a wake from inside the poll asks for another turn.
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

/// Runs `main` to its end, and runs `beside` along with it until then.
///
/// # Errors
///
/// [`Error::Deadlock`](crate::Error::Deadlock) if neither can ever go on.
pub fn run<M, B>(reactor: &Reactor, main: M, beside: &mut Task<B>) -> Result<M::Output>
where
    M: Future + Unpin,
    B: Future + Unpin,
{
    let mut main = Task::new(main);
    loop {
        // No short circuit, so that both get their turn.
        let ran = beside.turn() | main.turn();
        if let Some(output) = main.take_output() {
            return Ok(output);
        }
        if !ran {
            reactor.block()?;
        }
    }
}
