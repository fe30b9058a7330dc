//! Callers: calls that the host makes on a guest's exports, and that can be cancelled from outside.
//!
//! A cancelled call is treated as in capnp-rpc. The answer's promise is dropped, which sends a Finish, and the code
//! that awaited it gets an exception. Calls on promised capabilities of an answer are not covered.

use crate::ids::GateId;
use crate::shared::SharedState;
use capnp::capability::{Client, Promise, RemotePromise, Request};
use capnp::private::capability::{ClientHook, ParamsHook, PipelineHook, RequestHook, ResultsHook};
use capnp::{Error, MessageSize, any_pointer};
use futures::future::{self, Either};

/// Wraps a capability so that `shared` can cancel calls on it. If the tank is not held, returns the capability
/// unchanged.
pub fn caller(shared: &SharedState, client: Client) -> Client {
    if shared.is_held() {
        Client::new(Box::new(Caller { shared: shared.clone(), inner: client.hook }))
    } else {
        client
    }
}

struct Caller {
    shared: SharedState,
    inner: Box<dyn ClientHook>,
}

impl ClientHook for Caller {
    fn add_ref(&self) -> Box<dyn ClientHook> {
        Box::new(Caller { shared: self.shared.clone(), inner: self.inner.add_ref() })
    }

    fn new_call(
        &self,
        interface: u64,
        method: u16,
        size_hint: Option<MessageSize>,
    ) -> Request<any_pointer::Owned, any_pointer::Owned> {
        let inner = self.inner.new_call(interface, method, size_hint).hook;
        Request::new(Box::new(Call { shared: self.shared.clone(), interface, method, inner }))
    }

    fn call(
        &self,
        interface: u64,
        method: u16,
        params: Box<dyn ParamsHook>,
        results: Box<dyn ResultsHook>,
    ) -> Promise<(), Error> {
        self.inner.call(interface, method, params, results)
    }

    fn get_brand(&self) -> usize {
        self.inner.get_brand()
    }

    fn get_ptr(&self) -> usize {
        self.inner.get_ptr()
    }

    fn get_resolved(&self) -> Option<Box<dyn ClientHook>> {
        self.inner.get_resolved()
    }

    fn when_more_resolved(&self) -> Option<Promise<Box<dyn ClientHook>, Error>> {
        self.inner.when_more_resolved()
    }

    fn when_resolved(&self) -> Promise<(), Error> {
        self.inner.when_resolved()
    }
}

/// A call that was not sent yet.
struct Call {
    shared: SharedState,
    interface: u64,
    method: u16,
    inner: Box<dyn RequestHook>,
}

impl RequestHook for Call {
    fn get(&mut self) -> any_pointer::Builder<'_> {
        self.inner.get()
    }

    fn get_brand(&self) -> usize {
        self.inner.get_brand()
    }

    fn send(self: Box<Self>) -> RemotePromise<any_pointer::Owned> {
        let Call { shared, interface, method, inner } = *self;
        let RemotePromise { promise, pipeline } = inner.send();
        let asked = Asked { call: shared.new_asked(interface, method), shared };
        let promise = Promise::from_future(async move { asked.answer(promise).await });
        RemotePromise { promise, pipeline }
    }

    fn send_streaming(self: Box<Self>) -> Promise<(), Error> {
        self.inner.send_streaming()
    }

    fn tail_send(self: Box<Self>) -> Option<(u32, Promise<(), Error>, Box<dyn PipelineHook>)> {
        self.inner.tail_send()
    }
}

/// A call that was sent. It can be cancelled until this is dropped.
struct Asked {
    shared: SharedState,
    call: GateId,
}

impl Asked {
    async fn answer<T>(&self, promise: Promise<T, Error>) -> Result<T, Error> {
        let cut = std::future::poll_fn(|cx| self.shared.poll_cut(self.call, cx));
        match future::select(promise, cut).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), promise)) => {
                drop(promise);
                Err(Error::disconnected("the call was cancelled by its caller".into()))
            }
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.shared.answered(self.call);
    }
}
