//! Capabilities whose promise has not been answered yet.

use std::{future::Future, ops::Deref, pin::Pin};

use capnp::{
    capability::RemotePromise,
    traits::{Owned, Pipelined},
};

/// A capability from an answer that has not arrived yet. Calls on it can be sent at once.
///
/// Answers can overtake one another. A call on a promised capability may be answered before the call that promised it.
/// If the guest then drops the promise, or ends, it cancels a call that it meant to make. So keep the promise, and call
/// [`settled`](Self::settled) in the end.
///
/// This type also keeps the answer's pipeline. capnp-rpc 0.27.3 tells a promised capability that its promise was
/// resolved only while somebody holds the pipeline. Without the pipeline, a wait for the capability itself (with
/// `get_resolved_cap`) would never end.
pub struct Promised<C> {
    capability: C,
    answer: Pin<Box<dyn Future<Output = ()>>>,
}

impl<C> Promised<C> {
    /// Takes a call that was sent, and picks the capability from its pipeline.
    pub fn new<R>(sent: RemotePromise<R>, capability: impl FnOnce(&R::Pipeline) -> C) -> Self
    where
        R: Pipelined + Owned + 'static,
    {
        let RemotePromise { promise, pipeline } = sent;
        let capability = capability(&pipeline);
        let answer = Box::pin(async move {
            // If the promise is broken, every call on the capability reports that.
            let _ = promise.await;
            drop(pipeline);
        });
        Self { capability, answer }
    }

    /// Waits until the promise is resolved or broken, and returns the capability.
    pub async fn settled(self) -> C {
        self.answer.await;
        self.capability
    }
}

impl<C> Deref for Promised<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.capability
    }
}
