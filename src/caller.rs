//! Callers: calls that the host makes on a guest's exports, and that can be cancelled from outside.
//!
//! A cancelled call is treated as in capnp-rpc. The answer's promise is dropped, which sends a Finish, and the code
//! that awaited it gets an exception. Calls on promised capabilities of an answer are not covered.

use crate::fabric::Fabric;
use crate::ids::GateId;
use capnp::capability::{Client, Promise, RemotePromise, Request};
use capnp::private::capability::{ClientHook, ParamsHook, PipelineHook, RequestHook, ResultsHook};
use capnp::{Error, MessageSize, any_pointer};
use futures::future::{self, Either};

/// Wraps a capability so that `fabric` can cancel calls on it. If the tank is not held, returns the capability
/// unchanged.
pub fn caller(fabric: &Fabric, client: Client) -> Client {
    if fabric.is_held() {
        Client::new(Box::new(Caller { fabric: fabric.clone(), inner: client.hook }))
    } else {
        client
    }
}

struct Caller {
    fabric: Fabric,
    inner: Box<dyn ClientHook>,
}

impl ClientHook for Caller {
    fn add_ref(&self) -> Box<dyn ClientHook> {
        Box::new(Caller { fabric: self.fabric.clone(), inner: self.inner.add_ref() })
    }

    fn new_call(
        &self,
        interface: u64,
        method: u16,
        size_hint: Option<MessageSize>,
    ) -> Request<any_pointer::Owned, any_pointer::Owned> {
        let inner = self.inner.new_call(interface, method, size_hint).hook;
        Request::new(Box::new(Call { fabric: self.fabric.clone(), interface, method, inner }))
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
    fabric: Fabric,
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
        let Call { fabric, interface, method, inner } = *self;
        let RemotePromise { promise, pipeline } = inner.send();
        let asked = Asked { call: fabric.new_asked(interface, method), fabric };
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
    fabric: Fabric,
    call: GateId,
}

impl Asked {
    async fn answer<T>(&self, promise: Promise<T, Error>) -> Result<T, Error> {
        let cut = std::future::poll_fn(|cx| self.fabric.poll_cut(self.call, cx));
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
        self.fabric.answered(self.call);
    }
}
