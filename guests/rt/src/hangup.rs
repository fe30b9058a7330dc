//! If a link breaks in one direction, the whole link counts as broken.
//!
//! capnp-rpc notices only on the reading side that its peer is gone: a failed write rejects no call. If the peer stops
//! reading but keeps its own direction open, the calls in flight would wait for ever. So the writer tells the reader.
//! The reader first reads everything that has arrived, and then reports the break instead of waiting.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    task::{Context, Waker},
};

/// The signal from the writer of a link to its reader. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Hangup(Rc<State>);

#[derive(Default)]
struct State {
    broken: Cell<bool>,
    reader: RefCell<Option<Waker>>,
}

impl Hangup {
    /// Reports that the writer failed.
    pub(crate) fn report(&self) {
        self.0.broken.set(true);
        if let Some(reader) = self.0.reader.take() {
            reader.wake();
        }
    }

    /// Fails if the writer has failed. Otherwise arranges that the reader's task is woken when the writer fails.
    pub(crate) fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        if self.0.broken.get() {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the peer reads no more"));
        }
        *self.0.reader.borrow_mut() = Some(cx.waker().clone());
        Ok(())
    }
}
