//! The loop: two tasks, each polled only when woken, and a block when neither was.
//!
//! Two are enough: the RPC system is one future and the application is the other, which joins whatever it does
//! at once. That a call just queued by the application leaves before the guest blocks needs no rule of its own.
//! Queueing woke the RPC system, and the loop goes on until nobody is woken.

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

/// A future, whether it was woken, and in the end its output.
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
    /// Makes a task that is woken: its first turn polls it.
    pub fn new(future: F) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        Self { future: Some(future), output: None, woken, waker }
    }

    /// Polls the future once if it was woken and has not finished, and tells whether it did.
    ///
    /// A finished future is dropped here, with all it held, and never counts as progress again.
    pub fn turn(&mut self) -> bool {
        // Cleared before the poll: a wake from inside the poll asks for another turn.
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

    /// Takes the output, once there is one.
    pub fn take_output(&mut self) -> Option<F::Output> {
        self.output.take()
    }
}

/// Runs `main` to its end, and `beside` along with it for as long as it lasts.
///
/// # Errors
///
/// [`Error::Deadlock`](crate::Error::Deadlock) when neither can ever go on.
pub fn run<M, B>(reactor: &Reactor, main: M, beside: &mut Task<B>) -> Result<M::Output>
where
    M: Future + Unpin,
    B: Future + Unpin,
{
    let mut main = Task::new(main);
    loop {
        // No short circuit: both get their turn.
        let ran = beside.turn() | main.turn();
        if let Some(output) = main.take_output() {
            return Ok(output);
        }
        if !ran {
            reactor.block()?;
        }
    }
}
