//! Gates: a finished call's answer waits at its gate until it is released.
//!
//! A gate wraps any capability. Each call that comes in over RPC gets a gate, whatever server is behind it, and the
//! capabilities in its results are wrapped in turn. Calls that are pipelined on an answer do not wait: the pipeline
//! sees the results as soon as the server is done. Nothing that is already on the wire is held back or reordered.
//!
//! Calls that the host makes on its own capabilities have no gate, because they never cross a link.
//!
//! **Streaming calls keep their place.** A capnp-rpc server cannot answer a call before an earlier streaming call on
//! the same object: it begins such a call only when the streaming call is done. So the gate of a call can be opened
//! only when the gates of all earlier streaming calls on the same object, over the same link, were opened or cancelled.
//! Nobody waits for ever because of this, since all of these calls are done. Two calls are on the same object if they
//! have the same server, whichever capability was called; [`streaming`] finds out which calls stream.
//!
//! **A pause is a move.** A server that wakes itself goes on by a move: see [`pausing`].

mod pausing;
mod streaming;

use crate::ids::GateId;
use crate::shared::{ServedAt, SharedState};
use capnp::capability::{Client, Promise, Request};
use capnp::private::capability::{ClientHook, ParamsHook, PipelineHook, RequestHook, ResultsHook};
use capnp::traits::{Imbue, ImbueMut};
use capnp::{Error, MessageSize, any_pointer, message};
use futures::channel::oneshot;
use futures::future;
use pausing::Pausing;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use streaming::{Watch, Watched, WatchedParams, settled};
use wavetank_trace::fingerprint;

/// The brand of a wrapped capability. Other brands are 0, or the address of a connection.
const GATED: usize = 1;

type CapTable = Vec<Option<Box<dyn ClientHook>>>;

/// Wraps a served capability, so that its answers wait at gates of `shared`. If the tank is not held, returns the
/// capability unchanged.
pub(crate) fn gate(shared: &SharedState, served: ServedAt, client: Client) -> Client {
    if !shared.is_held() {
        return client;
    }
    let site = ServingEnd { shared: shared.clone(), served, streams: RefCell::default() };
    Client::new(wrap(&Rc::new(site), client.hook))
}

/// One end of a link, which serves capabilities.
struct ServingEnd {
    shared: SharedState,
    served: ServedAt,
    /// Streaming calls that are done and whose gates are still closed, by the address of their server. Each call keeps
    /// its server alive, so no other server can have that address meanwhile. Addresses are only compared.
    streams: RefCell<BTreeMap<usize, BTreeSet<GateId>>>,
}

impl ServingEnd {
    /// The last streaming call on a server before `gate` whose gate is still closed.
    fn streamed_before(&self, server: &dyn ClientHook, gate: GateId) -> Option<GateId> {
        self.streams.borrow().get(&server.get_ptr())?.range(..gate).next_back().copied()
    }
}

/// The place of a streaming call among those of its server, until its gate is opened.
struct StreamPlace {
    site: Rc<ServingEnd>,
    server: Box<dyn ClientHook>,
    gate: GateId,
}

impl StreamPlace {
    fn take(site: &Rc<ServingEnd>, server: Box<dyn ClientHook>, gate: GateId) -> Self {
        site.streams.borrow_mut().entry(server.get_ptr()).or_default().insert(gate);
        StreamPlace { site: site.clone(), server, gate }
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let at = self.server.get_ptr();
        let mut streams = self.site.streams.borrow_mut();
        if let Some(gates) = streams.get_mut(&at) {
            gates.remove(&self.gate);
            if gates.is_empty() {
                streams.remove(&at);
            }
        }
    }
}

/// Wraps a capability. Leaves it unchanged if it is wrapped already or lives beyond a link, where it is served
/// elsewhere.
fn wrap(site: &Rc<ServingEnd>, inner: Box<dyn ClientHook>) -> Box<dyn ClientHook> {
    if inner.get_brand() != 0 {
        return inner;
    }
    Box::new(Gated { site: site.clone(), inner })
}

struct Gated {
    site: Rc<ServingEnd>,
    inner: Box<dyn ClientHook>,
}

impl ClientHook for Gated {
    fn add_ref(&self) -> Box<dyn ClientHook> {
        Box::new(Gated { site: self.site.clone(), inner: self.inner.add_ref() })
    }

    fn new_call(
        &self,
        interface: u64,
        method: u16,
        size_hint: Option<MessageSize>,
    ) -> Request<any_pointer::Owned, any_pointer::Owned> {
        self.inner.new_call(interface, method, size_hint)
    }

    fn call(
        &self,
        interface: u64,
        method: u16,
        params: Box<dyn ParamsHook>,
        results: Box<dyn ResultsHook>,
    ) -> Promise<(), Error> {
        let site = self.site.clone();
        let shared = site.shared.clone();
        let looked_at = if shared.is_recording() { params.get().map_or(0, fingerprint) } else { 0 };
        let gate = shared.new_gate(site.served, (interface, method), looked_at);
        let waiting = OpenAnswer { shared: shared.clone(), gate, answered: false };
        let server = self.inner.add_ref();
        let watch = Watch::of(&shared, (interface, method), server.add_ref());
        let params: Box<dyn ParamsHook> = match &watch {
            Some(watch) => Box::new(WatchedParams { inner: params, watch: watch.clone() }),
            None => params,
        };
        let (given_back, results_back) = oneshot::channel();
        let gated = GatedResults {
            inner: Some(results),
            answer: Answer::default(),
            give_back: Some(given_back),
            watch: watch.clone(),
        };
        let work = self.inner.call(interface, method, params, Box::new(gated));
        let served = Pausing::new(&shared, gate, Watched { work, watch });
        Promise::from_future(async move {
            let work = async {
                let outcome = served.await;
                // The answer goes out when the results are dropped, so keep them until the gate opens.
                let held = match results_back.await {
                    Ok((mut results, answer)) => {
                        if outcome.is_ok() {
                            answer.put_into(results.as_mut(), &site)?;
                        }
                        Some(results)
                    }
                    Err(oneshot::Canceled) => None,
                };
                let server = settled(server);
                let after = site.streamed_before(&*server, gate);
                let streams = shared.streams((interface, method)) == Some(true);
                let place = streams.then(|| StreamPlace::take(&site, server, gate));
                shared.done(gate, after);
                std::future::poll_fn(|cx| shared.poll_answered(gate, cx)).await;
                drop(place);
                Ok::<_, Error>((held, outcome))
            };
            let cut = std::future::poll_fn(|cx| shared.poll_cut(gate, cx));
            futures::pin_mut!(work);
            let (held, outcome) = match future::select(work, cut).await {
                future::Either::Left((done, _)) => done?,
                // The server's unfinished work is dropped before the caller hears of it.
                future::Either::Right(_) => {
                    return Err(Error::disconnected("the call was cancelled".into()));
                }
            };
            waiting.end();
            drop(held);
            outcome
        })
    }

    fn get_brand(&self) -> usize {
        GATED
    }

    fn get_ptr(&self) -> usize {
        self.inner.get_ptr()
    }

    fn get_resolved(&self) -> Option<Box<dyn ClientHook>> {
        self.inner.get_resolved().map(|hook| wrap(&self.site, hook))
    }

    fn when_more_resolved(&self) -> Option<Promise<Box<dyn ClientHook>, Error>> {
        let site = self.site.clone();
        let resolving = self.inner.when_more_resolved()?;
        Some(Promise::from_future(async move { Ok(wrap(&site, resolving.await?)) }))
    }

    fn when_resolved(&self) -> Promise<(), Error> {
        self.inner.when_resolved()
    }
}

/// Takes its gate off the menu if the caller cancels before the answer went out.
struct OpenAnswer {
    shared: SharedState,
    gate: GateId,
    answered: bool,
}

impl OpenAnswer {
    fn end(mut self) {
        self.answered = true;
        self.shared.answered(self.gate);
    }
}

impl Drop for OpenAnswer {
    fn drop(&mut self) {
        if !self.answered {
            self.shared.cancel_answer(self.gate);
        }
    }
}

/// The results that a server fills in: a separate message, handed back when this is dropped.
///
/// The message is separate because its capabilities must be wrapped, and capnp can neither list the capabilities of the
/// outgoing message nor overwrite them.
struct GatedResults {
    inner: Option<Box<dyn ResultsHook>>,
    answer: Answer,
    give_back: Option<oneshot::Sender<(Box<dyn ResultsHook>, Answer)>>,
    watch: Option<Rc<Watch>>,
}

#[derive(Default)]
struct Answer {
    message: Option<message::Builder<message::HeapAllocator>>,
    caps: CapTable,
}

impl Answer {
    /// Copies the answer into the outgoing message, with its capabilities wrapped, and lets pipelined calls through to
    /// them.
    fn put_into(self, results: &mut dyn ResultsHook, site: &Rc<ServingEnd>) -> capnp::Result<()> {
        let Some(message) = &self.message else { return Ok(()) };
        let wrapped = |cap: Option<_>| cap.map(|hook| wrap(site, hook));
        let gated: CapTable = self.caps.into_iter().map(wrapped).collect();
        let mut content: any_pointer::Reader<'_> = message.get_root_as_reader()?;
        content.imbue(&gated);
        results.get()?.set_as(content)?;
        if gated.is_empty() { Ok(()) } else { results.set_pipeline() }
    }
}

impl GatedResults {
    fn pass_on(&mut self) -> Box<dyn ResultsHook> {
        self.note_use();
        self.inner.take().expect("results are passed on once")
    }

    fn note_use(&self) {
        if let Some(watch) = &self.watch {
            watch.results_used();
        }
    }
}

impl Drop for GatedResults {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.results_given_up();
        }
        if let (Some(results), Some(give_back)) = (self.inner.take(), self.give_back.take()) {
            // Sending fails if the call was cancelled. Then nobody waits for an answer.
            let _ = give_back.send((results, std::mem::take(&mut self.answer)));
        }
    }
}

impl ResultsHook for GatedResults {
    fn get(&mut self) -> capnp::Result<any_pointer::Builder<'_>> {
        self.note_use();
        let Answer { message, caps } = &mut self.answer;
        let mut content: any_pointer::Builder<'_> =
            message.get_or_insert_with(message::Builder::new_default).get_root()?;
        content.imbue_mut(caps);
        Ok(content)
    }

    fn set_pipeline(&mut self) -> capnp::Result<()> {
        self.note_use();
        // The gate does this for the server once it has finished. Doing it twice would be an error in the inner
        // results.
        Ok(())
    }

    fn allow_cancellation(&self) {
        if let Some(inner) = &self.inner {
            inner.allow_cancellation();
        }
    }

    fn tail_call(mut self: Box<Self>, request: Box<dyn RequestHook>) -> Promise<(), Error> {
        self.pass_on().tail_call(request)
    }

    fn direct_tail_call(
        mut self: Box<Self>,
        request: Box<dyn RequestHook>,
    ) -> (Promise<(), Error>, Box<dyn PipelineHook>) {
        self.pass_on().direct_tail_call(request)
    }
}
