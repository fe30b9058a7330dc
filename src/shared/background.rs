//! Background work: tasks that need not end. Their waits are marked, so that a driver can leave them aside once nothing
//! else is left to do.
//!
//! A wait is marked by the task that is being polled when the wait begins. So it does not matter how deep inside the
//! task it is.

use super::SharedState;
use crate::ids::GateId;
use roaring::RoaringBitmap;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The waits of background tasks.
#[derive(Default)]
pub(super) struct Background {
    /// A background task is being polled.
    pub(super) is_polled: bool,
    /// The waits of background tasks are left aside.
    pub(super) rests: bool,
    /// Operations and draws of background tasks, those that are over included.
    pub(super) begun: RoaringBitmap,
}

impl SharedState {
    /// Marks all waits that begin inside a future as those of a background task: timers, operations and draws.
    pub fn in_background<F: Future>(&self, future: F) -> InBackground<F> {
        InBackground { shared: self.clone(), future: Box::pin(future) }
    }

    /// Leaves the waits of background tasks aside, or takes them up again. While they are aside, their operations and
    /// draws are on no menu, and no time passes for their timers.
    pub fn rest_background(&self, rests: bool) {
        let mut state = self.state();
        if std::mem::replace(&mut state.background.rests, rests) == rests {
            return;
        }
        let state = &mut *state;
        let (begun, pauses) = (&state.background.begun, &mut state.pauses);
        for id in begun {
            if rests {
                pauses.resumable.remove(id);
            } else if pauses.is_open(id) {
                pauses.resumable.insert(id);
            }
        }
    }

    /// Whether this operation or draw was begun by a background task.
    pub fn is_of_background(&self, id: GateId) -> bool {
        self.state().background.begun.contains(id.0)
    }

    fn set_polls_background(&self, is_polled: bool) -> bool {
        std::mem::replace(&mut self.state().background.is_polled, is_polled)
    }
}

impl super::State {
    /// Puts an operation or a draw on the menu.
    pub(super) fn offer(&mut self, id: GateId) {
        if self.background.is_polled {
            self.background.begun.insert(id.0);
            if self.background.rests {
                return;
            }
        }
        self.pauses.resumable.insert(id.0);
    }

    /// Whether this operation or draw is left aside.
    pub(super) fn is_aside(&self, id: u32) -> bool {
        self.background.rests && self.background.begun.contains(id)
    }
}

/// A future whose waits are those of a background task. See [`SharedState::in_background`].
pub struct InBackground<F> {
    shared: SharedState,
    future: Pin<Box<F>>,
}

/// Takes the mark back, also if the poll panics.
struct Marked<'a> {
    shared: &'a SharedState,
    before: bool,
}

impl Drop for Marked<'_> {
    fn drop(&mut self) {
        self.shared.set_polls_background(self.before);
    }
}

impl<F: Future> Future for InBackground<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _marked = Marked { shared: &this.shared, before: this.shared.set_polls_background(true) };
        this.future.as_mut().poll(cx)
    }
}
