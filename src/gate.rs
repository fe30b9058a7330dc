//! Gates: where a finished call's answer waits until it is let go.
//!
//! A gate wraps any capability: each call that comes in over RPC gets one, whatever server is behind it, and
//! capabilities in its results are wrapped in turn. What is pipelined on an answer does not wait: the results
//! are shown to the pipeline as soon as the server is done. Nothing that is already on the wire is held back
//! or reordered.
//!
//! Calls that the host makes on its own capabilities have no gate: they never cross a link.
//!
//! **Streaming calls keep their place.** A capnp-rpc server cannot answer a call before an earlier streaming call on
//! the same object: it begins such a call only when the streaming call is done. So the gate of a call can be opened
//! only when the gates of all earlier streaming calls on the same object, over the same link, were opened or
//! cancelled. Nobody waits for ever by this, because all of these calls are done. The same object means the same
//! server, by whatever capability it was called; [`streaming`] finds out which calls stream.
//!
//! **A pause is a move.** A server that wakes itself goes on by a move: see [`pausing`].

mod pausing;
mod streaming;

use crate::fabric::Fabric;
use crate::ids::{GateId, LinkId, PipeId};
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
use twox_hash::XxHash3_64;

/// The brand of a wrapped capability. Others are 0, or the address of a connection.
const GATED: usize = 1;

type CapTable = Vec<Option<Box<dyn ClientHook>>>;

/// Where a capability is served: on a link, whose pipe `over` brings the calls.
#[derive(Clone, Copy)]
pub(crate) struct Served {
    pub(crate) link: LinkId,
    pub(crate) over: PipeId,
}

/// Wraps a capability that is served so that its answers wait at gates of `fabric`, where the tank is
/// held; otherwise gives it back as it is.
pub(crate) fn gate(fabric: &Fabric, served: Served, client: Client) -> Client {
    if !fabric.is_held() {
        return client;
    }
    let site = Site { fabric: fabric.clone(), served, streams: RefCell::default() };
    Client::new(wrap(&Rc::new(site), client.hook))
}

/// One end of a link, where capabilities are served.
struct Site {
    fabric: Fabric,
    served: Served,
    /// Streaming calls that are done and whose gates were not opened, by the address of their server, which they
    /// hold. Addresses are only compared.
    streams: RefCell<BTreeMap<usize, BTreeSet<GateId>>>,
}

impl Site {
    /// The last streaming call on a server, of those before `gate`, whose gate was not opened.
    fn streamed_before(&self, server: &dyn ClientHook, gate: GateId) -> Option<GateId> {
        self.streams.borrow().get(&server.get_ptr())?.range(..gate).next_back().copied()
    }
}

/// The place of a streaming call among those of its server, until its gate is opened.
struct Place {
    site: Rc<Site>,
    server: Box<dyn ClientHook>,
    gate: GateId,
}

impl Place {
    fn take(site: &Rc<Site>, server: Box<dyn ClientHook>, gate: GateId) -> Self {
        site.streams.borrow_mut().entry(server.get_ptr()).or_default().insert(gate);
        Place { site: site.clone(), server, gate }
    }
}

impl Drop for Place {
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

/// Longest parameters whose content is looked at, in words.
const LOOKED_AT_WORDS: u64 = 512;

/// A number that tells parameters apart: the XXH3 of their canonical form, or, where they are longer than 512
/// words or hold capabilities, of their size alone. 0 where they cannot be read.
///
/// Equal for equal parameters, whatever segments they came in.
/// <https://capnproto.org/encoding.html#canonicalization>
pub fn fingerprint(params: any_pointer::Reader<'_>) -> u64 {
    let Ok(MessageSize { word_count, cap_count }) = params.target_size() else { return 0 };
    if word_count > LOOKED_AT_WORDS || cap_count > 0 {
        return XxHash3_64::oneshot(format!("{word_count} words, {cap_count} capabilities").as_bytes());
    }
    let mut canonical = message::Builder::new(message::HeapAllocator::new());
    if canonical.set_root_canonical(params).is_err() {
        return 0;
    }
    XxHash3_64::oneshot(canonical.get_segments_for_output()[0])
}

/// Leaves alone what is wrapped already, and what lives beyond a link: that is served elsewhere.
fn wrap(site: &Rc<Site>, inner: Box<dyn ClientHook>) -> Box<dyn ClientHook> {
    if inner.get_brand() != 0 {
        return inner;
    }
    Box::new(Gated { site: site.clone(), inner })
}

struct Gated {
    site: Rc<Site>,
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
        let fabric = site.fabric.clone();
        let looked_at = if fabric.is_recording() { params.get().map_or(0, fingerprint) } else { 0 };
        let gate = fabric.new_gate(site.served, (interface, method), looked_at);
        let waiting = Waiting { fabric: fabric.clone(), gate, answered: false };
        let server = self.inner.add_ref();
        let watch = Watch::of(&fabric, (interface, method), server.add_ref());
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
        let served = Pausing::new(&fabric, gate, Watched { work, watch });
        Promise::from_future(async move {
            let work = async {
                let outcome = served.await;
                // The answer goes out when the results are dropped: hold them here.
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
                let streams = fabric.streams((interface, method)) == Some(true);
                let place = streams.then(|| Place::take(&site, server, gate));
                fabric.done(gate, after);
                std::future::poll_fn(|cx| fabric.poll_answered(gate, cx)).await;
                drop(place);
                Ok::<_, Error>((held, outcome))
            };
            let cut = std::future::poll_fn(|cx| fabric.poll_cut(gate, cx));
            futures::pin_mut!(work);
            let (held, outcome) = match future::select(work, cut).await {
                future::Either::Left((done, _)) => done?,
                // What the server did so far is dropped before its caller hears of it.
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

/// Takes its gate off the menu where the caller cancels before the answer went out.
struct Waiting {
    fabric: Fabric,
    gate: GateId,
    answered: bool,
}

impl Waiting {
    fn end(mut self) {
        self.answered = true;
        self.fabric.answered(self.gate);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.answered {
            self.fabric.cancel_answer(self.gate);
        }
    }
}

/// What a server fills in: a message of its own, given back when dropped.
///
/// Its own, because the capabilities in it are to be wrapped, and capnp can neither list those of the message
/// that goes out nor overwrite them.
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
    /// Copies the answer to where it goes out from, with its capabilities wrapped, and lets pipelined calls
    /// through to them.
    fn put_into(self, results: &mut dyn ResultsHook, site: &Rc<Site>) -> capnp::Result<()> {
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
            // Refused where the call was cancelled: then nobody waits for an answer.
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
        // Done for the server once it is finished; doing it twice is an error below.
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
