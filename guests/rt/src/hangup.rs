//! A link that broke in one direction is a broken link.
//!
//! capnp-rpc learns that its peer is gone from the reading side alone: a failed write rejects no call. If the
//! peer stops reading but its own direction stays open, the calls in flight would wait for ever. So the writer
//! tells the reader, and the reader, when all that had arrived is read, reports the break instead of waiting.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    task::{Context, Waker},
};

/// The word that passes from the writer of a link to its reader. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Hangup(Rc<State>);

#[derive(Default)]
struct State {
    broken: Cell<bool>,
    reader: RefCell<Option<Waker>>,
}

impl Hangup {
    /// The writer failed.
    pub(crate) fn report(&self) {
        self.0.broken.set(true);
        if let Some(reader) = self.0.reader.take() {
            reader.wake();
        }
    }

    /// Fails once the writer has; until then has the reader's task woken when it does.
    pub(crate) fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        if self.0.broken.get() {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the peer reads no more"));
        }
        *self.0.reader.borrow_mut() = Some(cx.waker().clone());
        Ok(())
    }
}
