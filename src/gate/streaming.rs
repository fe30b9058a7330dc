//! Finds out which calls stream, without a schema.
//!
//! capnp-rpc learns this from the server's generated code and tells nobody. But while a streaming call runs, later
//! calls on the same object wait (`local.rs` of capnp-rpc 0.27.3). So a trial call, which names no existing method, is
//! made on the object while the call runs. It is polled once and dropped. If it waits, the call streams. The trial then
//! waits in the object's own queue, which skips dropped calls, so the server never sees it. If it does not wait,
//! generated code answers `unimplemented` to it without asking the server.
//!
//! A trial is made only if the server gave up its results unused before it began to work, as generated code does for
//! streaming methods. It is made at the end of the first poll after that. If the call ends in that very poll, the trial
//! is made when the call gives up its parameters. Some code takes the parameters before it gives up the results, and
//! ends at once: that order alone shows a streaming method written as a plain function.
//!
//! The result holds for all calls of a method, because streaming is a property of the schema.

use crate::shared::SharedState;
use capnp::capability::Promise;
use capnp::private::capability::{
    ClientHook, ParamsHook, PipelineHook, PipelineOp, RequestHook, ResultsHook,
};
use capnp::{Error, any_pointer, message};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Observes one call while it is not known whether its method streams.
pub(super) struct Watch {
    shared: SharedState,
    /// Its interface and method.
    method: (u64, u16),
    /// The server of the call. It is dropped once the answer is known or the call has ended, because the code that
    /// keeps the results must not keep their server alive.
    server: RefCell<Option<Box<dyn ClientHook>>>,
    turn: Cell<Turn>,
    /// Whether the server was still a promise when the call was last polled.
    is_promise: Cell<bool>,
    results: Cell<Results>,
    has_params: Cell<bool>,
}

/// The time of an event in the life of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Before its first poll.
    Before,
    /// In its first poll, or in a poll in which it may be handed to a server that was only promised until then.
    First,
    /// Between two polls.
    Between,
    /// In a later poll.
    Later,
}

/// The state of the results that a server was given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Results {
    Held,
    Used,
    /// Given up unused when the call was handed to its server. `after_params`: the parameters were given up before.
    GivenUp {
        after_params: bool,
    },
}

impl Watch {
    /// Watches a call on a server; `None` if it is known already whether its method streams.
    pub(super) fn of(
        shared: &SharedState,
        method: (u64, u16),
        server: Box<dyn ClientHook>,
    ) -> Option<Rc<Self>> {
        shared.streams(method).is_none().then(|| {
            Rc::new(Watch {
                shared: shared.clone(),
                method,
                server: RefCell::new(Some(server)),
                turn: Cell::new(Turn::Before),
                is_promise: Cell::new(true),
                results: Cell::new(Results::Held),
                has_params: Cell::new(true),
            })
        })
    }

    pub(super) fn results_used(&self) {
        self.results.set(Results::Used);
        if self.stop() {
            self.shared.learn_streams(self.method, false);
        }
    }

    pub(super) fn results_given_up(&self) {
        if self.results.get() != Results::Held {
            return;
        }
        self.results.set(Results::GivenUp { after_params: !self.has_params.get() });
        if self.turn.get() == Turn::Later {
            // The server is at work or at its end, so the method has results and does not use them.
            self.stop();
        }
    }

    fn params_given_up(&self) {
        self.has_params.set(false);
        let is_polled = matches!(self.turn.get(), Turn::First | Turn::Later);
        if is_polled && self.results.get() != Results::Held {
            self.try_it();
        }
    }

    fn before_poll(&self) {
        self.turn.set(if self.is_promise.get() { Turn::First } else { Turn::Later });
        if self.is_promise.get() {
            let server = self.server.borrow().as_ref().map(|server| settled(server.add_ref()));
            self.is_promise.set(server.is_some_and(|server| server.when_more_resolved().is_some()));
        }
    }

    fn after_poll(&self, has_ended: bool) {
        self.turn.set(Turn::Between);
        match self.results.get() {
            Results::GivenUp { .. } if !has_ended => self.try_it(),
            Results::GivenUp { after_params: true } if self.stop() => {
                self.shared.learn_streams(self.method, true);
            }
            _ if has_ended => {
                self.stop();
            }
            _ => {}
        }
    }

    /// Makes the trial call, unless the watch has stopped.
    fn try_it(&self) {
        let Some(server) = self.server.take().map(settled) else { return };
        if server.get_brand() != 0 {
            return;
        }
        let mut trial = server.call(0, 0, Box::<Trial>::default(), Box::<Trial>::default());
        if Pin::new(&mut trial).poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            self.shared.learn_streams(self.method, true);
        }
    }

    /// Stops watching. Returns whether it was still watching.
    fn stop(&self) -> bool {
        self.server.take().is_some()
    }
}

/// The capability that a promise has resolved to, as far as it has.
pub(super) fn settled(mut hook: Box<dyn ClientHook>) -> Box<dyn ClientHook> {
    while let Some(resolved) = hook.get_resolved() {
        hook = resolved;
    }
    hook
}

/// A call that is watched while it is polled.
pub(super) struct Watched<F> {
    pub(super) work: F,
    pub(super) watch: Option<Rc<Watch>>,
}

impl<F> Drop for Watched<F> {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.stop();
        }
    }
}

impl<F: Future + Unpin> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(watch) = &this.watch else { return Pin::new(&mut this.work).poll(cx) };
        watch.before_poll();
        let polled = Pin::new(&mut this.work).poll(cx);
        watch.after_poll(polled.is_ready());
        polled
    }
}

/// Parameters that report when they are given up.
pub(super) struct WatchedParams {
    pub(super) inner: Box<dyn ParamsHook>,
    pub(super) watch: Rc<Watch>,
}

impl ParamsHook for WatchedParams {
    fn get(&self) -> capnp::Result<any_pointer::Reader<'_>> {
        self.inner.get()
    }
}

impl Drop for WatchedParams {
    fn drop(&mut self) {
        self.watch.params_given_up();
    }
}

/// Parameters, results and pipeline of a trial call. They are empty, and nobody waits for them.
#[derive(Default)]
struct Trial(message::Builder<message::HeapAllocator>);

fn nobody_waits() -> Error {
    Error::unimplemented("nobody waits for this call".into())
}

impl ParamsHook for Trial {
    fn get(&self) -> capnp::Result<any_pointer::Reader<'_>> {
        self.0.get_root_as_reader()
    }
}

impl ResultsHook for Trial {
    fn get(&mut self) -> capnp::Result<any_pointer::Builder<'_>> {
        self.0.get_root()
    }

    fn set_pipeline(&mut self) -> capnp::Result<()> {
        Ok(())
    }

    fn allow_cancellation(&self) {}

    fn tail_call(self: Box<Self>, _: Box<dyn RequestHook>) -> Promise<(), Error> {
        Promise::err(nobody_waits())
    }

    fn direct_tail_call(
        self: Box<Self>,
        _: Box<dyn RequestHook>,
    ) -> (Promise<(), Error>, Box<dyn PipelineHook>) {
        (Promise::err(nobody_waits()), self)
    }
}

impl PipelineHook for Trial {
    fn add_ref(&self) -> Box<dyn PipelineHook> {
        Box::<Trial>::default()
    }

    fn get_pipelined_cap(&self, _: &[PipelineOp]) -> Box<dyn ClientHook> {
        capnp_rpc::new_broken_cap(nobody_waits()).hook
    }
}
