//! Fake I/O: waits of an application other than calls, pipes and timers, such as reading a row from a database.
//!
//! An operation begins when it is first awaited and ends by a move, which also decides how long it takes and whether it
//! fails. So it separates two steps wherever it is awaited: in a scenario's task, in a server's method, or in a future
//! inside another.
//!
//! Not here: the data that is read or written. The application handles that itself, before or after the wait.

use crate::ids::GateId;
use crate::shared::SharedState;
pub use crate::shared::{Completion, IoError};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Makes operations of fake I/O. Clones are equivalent and cheap.
#[derive(Clone)]
pub struct Io {
    shared: SharedState,
    fails_one_in: u32,
}

impl Io {
    /// Fake I/O of a tank. Its operations never fail.
    pub(crate) fn new(shared: &SharedState) -> Self {
        Io { shared: shared.clone(), fails_one_in: 0 }
    }

    /// Returns a copy whose operations may fail: about one in `one_in`, or none if that is 0.
    #[must_use = "gives another handle and leaves this one as it is"]
    pub fn fails(&self, one_in: u32) -> Self {
        Io { fails_one_in: one_in, ..self.clone() }
    }

    /// Makes an operation. `what` names it in transcripts and errors.
    ///
    /// In a tank that is not held it ends at once, without an error.
    ///
    /// # Errors
    /// [`IoError`] if the simulation chose so, which it may only after [`fails`](Self::fails).
    pub fn op(&self, what: &str) -> IoOperation {
        IoOperation { io: self.clone(), what: what.into(), id: None }
    }
}

/// An operation of fake I/O. If it is dropped before its end, it never ends.
#[must_use = "an operation begins when it is awaited"]
pub struct IoOperation {
    io: Io,
    what: Arc<str>,
    id: Option<GateId>,
}

impl Future for IoOperation {
    type Output = Result<(), IoError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let shared = &this.io.shared;
        match this.id {
            Some(id) => shared.poll_operation(id, cx),
            None if !shared.is_held() => Poll::Ready(Ok(())),
            None => {
                this.id = Some(shared.begin_operation(&this.what, this.io.fails_one_in, cx.waker()));
                Poll::Pending
            }
        }
    }
}

impl Drop for IoOperation {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.io.shared.drop_operation(id);
        }
    }
}
