//! If a link breaks in one direction, the whole link counts as broken.
//!
//! capnp-rpc notices only by reading that its peer is gone: a failed write rejects no call. If the peer stops reading
//! but keeps its own direction open, the calls in flight would wait for ever. So a writer that fails tells its reader.
//! The reader first returns everything that has arrived. Then it fails too, instead of waiting for more.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    task::{Context, Waker},
};

/// The signal from the writer of a link to its reader. Clones are the same signal.
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

    /// Fails if the writer has failed. Otherwise the reader's task will be woken when the writer fails.
    pub(crate) fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        if self.0.broken.get() {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the peer reads no more"));
        }
        *self.0.reader.borrow_mut() = Some(cx.waker().clone());
        Ok(())
    }
}
