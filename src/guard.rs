//! Limits the share of this host's memory that the far end of a link can use.
//!
//! capnp-rpc reads everything that comes and queues everything that is to go out, without a bound. So a far end that
//! asks and never reads fills its host, and a frame of a hundred bytes may announce a table of sixteen million
//! capabilities. Therefore each frame is checked before the RPC system sees it. A frame that exceeds a limit ends the
//! link with an exception that names the limit; the far end gets it as an Abort.
//!
//! docs/src/reference/hostile.md says what a hostile far end can try, which limit it meets, and which test shows that.
//!
//! Not here: limits that a correct far end could ever meet. These are the host's own, and far beyond the needs of a
//! correct far end.

use capnp::capability::Promise;
use capnp::message::{Builder, HeapAllocator};
use capnp::{Error, any_pointer};
use capnp_rpc::rpc_capnp::{cap_descriptor, disembargo, message, message_target, payload, promised_answer};
use capnp_rpc::rpc_capnp::{resolve, return_};
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{Connection, FlowController, IncomingMessage, OutgoingMessage, VatNetwork, twoparty};
use futures::future::Shared;
use futures::{AsyncRead, FutureExt, TryFutureExt};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The most frames that may wait to be written to the far end. As many frames of the far end may be in use: calls in
/// flight, and answers that somebody holds.
pub const MAX_FRAMES: usize = 10_000;

/// The most bytes of frames that may wait to be written to the far end.
pub const MAX_UNSENT_BYTES: usize = 64 * 1024 * 1024;

/// The most bytes of frames from the far end that may be in use.
pub const MAX_HELD_BYTES: usize = 256 * 1024 * 1024;

/// The most bytes of one frame.
pub const MAX_FRAME_BYTES: usize = 128 * 1024 * 1024;

/// The most capabilities in one frame.
pub const MAX_CAPS: u32 = 1_000;

/// The most steps from an answer to a capability in it.
pub const MAX_TRANSFORM: u32 = 64;

/// A network of two whose far end is not trusted.
pub(crate) struct GuardedNetwork {
    inner: twoparty::VatNetwork<CountedReader>,
    load: Rc<FarEndUsage>,
}

impl GuardedNetwork {
    /// Wraps a network; `make` gets the stream from which the network is to read.
    pub(crate) fn new(
        input: Box<dyn AsyncRead + Unpin>,
        make: impl FnOnce(CountedReader) -> twoparty::VatNetwork<CountedReader>,
    ) -> Self {
        let load = Rc::new(FarEndUsage::default());
        GuardedNetwork { inner: make(CountedReader { input, load: load.clone() }), load }
    }

    /// Returns an observer of the link's state.
    pub(crate) fn look_on(&self) -> UsageWatch {
        UsageWatch(self.load.clone())
    }
}

impl VatNetwork<Side> for GuardedNetwork {
    fn connect(&mut self, side: Side) -> Option<Box<dyn Connection<Side>>> {
        let load = self.load.clone();
        self.inner
            .connect(side)
            .map(|inner| Box::new(CountedIncoming { inner, load }) as Box<dyn Connection<Side>>)
    }

    fn accept(&mut self) -> Promise<Box<dyn Connection<Side>>, Error> {
        let load = self.load.clone();
        let watched = |inner| Box::new(CountedIncoming { inner, load }) as Box<dyn Connection<Side>>;
        Promise::from_future(self.inner.accept().map_ok(watched))
    }

    fn drive_until_shutdown(&mut self) -> Promise<(), Error> {
        self.inner.drive_until_shutdown()
    }
}

/// Tells whether a link must be cut off.
pub(crate) struct UsageWatch(Rc<FarEndUsage>);

impl UsageWatch {
    /// The reason if the link must be cut off now: a limit was exceeded, and the far end does not read the messages
    /// about it. The RPC system would wait for that for ever.
    pub(crate) fn cut_off(&self) -> Option<Error> {
        let mut unsent = self.0.unsent.borrow_mut();
        unsent.prune();
        if unsent.frames.is_empty() { None } else { self.0.refused.borrow().clone() }
    }
}

/// The memory that the far end makes this host use.
#[derive(Default)]
struct FarEndUsage {
    /// Bytes read since the last whole frame.
    read_bytes: Cell<usize>,
    held_frames: Cell<usize>,
    held_bytes: Cell<usize>,
    unsent: RefCell<UnsentFrames>,
    /// The error of the limit that it exceeded.
    refused: RefCell<Option<Error>>,
}

/// Frames in the queue of the RPC system, each with the promise that it was sent. They are counted here because the RPC
/// system does not tell how long its queue is.
#[derive(Default)]
struct UnsentFrames {
    frames: VecDeque<(Shared<Promise<(), Error>>, usize)>,
    bytes: usize,
}

impl UnsentFrames {
    fn push(&mut self, sent: Shared<Promise<(), Error>>, bytes: usize) {
        self.prune();
        self.frames.push_back((sent, bytes));
        self.bytes += bytes;
    }

    /// Forgets frames that were sent. Frames are sent in order.
    fn prune(&mut self) {
        while let Some((sent, bytes)) = self.frames.front() {
            if sent.clone().now_or_never().is_none() {
                return;
            }
            self.bytes -= bytes;
            self.frames.pop_front();
        }
    }
}

impl FarEndUsage {
    /// Admits a frame, if it is within the limits.
    fn admit(self: &Rc<Self>, message: Box<dyn IncomingMessage>) -> Result<FrameInUse, Error> {
        let bytes = self.read_bytes.take();
        self.held_frames.set(self.held_frames.get() + 1);
        self.held_bytes.set(self.held_bytes.get() + bytes);
        let held = FrameInUse { message, load: self.clone(), bytes };
        let admitted = self.limit(&held);
        if let Err(error) = &admitted {
            *self.refused.borrow_mut() = Some(error.clone());
        }
        admitted.map(|()| held)
    }

    fn limit(&self, held: &FrameInUse) -> Result<(), Error> {
        let mut unsent = self.unsent.borrow_mut();
        unsent.prune();
        within("frames that wait to be read by the far end", unsent.frames.len(), MAX_FRAMES)?;
        within("bytes that wait to be read by the far end", unsent.bytes, MAX_UNSENT_BYTES)?;
        within("frames of the far end that are in use", self.held_frames.get(), MAX_FRAMES)?;
        within("bytes of frames of the far end that are in use", self.held_bytes.get(), MAX_HELD_BYTES)?;
        within("bytes in one frame", held.bytes, MAX_FRAME_BYTES)?;
        look(held.message.get_body()?.get_as()?)
    }
}

/// Counts the bytes that come from the far end.
pub(crate) struct CountedReader {
    input: Box<dyn AsyncRead + Unpin>,
    load: Rc<FarEndUsage>,
}

impl AsyncRead for CountedReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.input).poll_read(cx, into);
        if let Poll::Ready(Ok(bytes)) = read {
            self.load.read_bytes.set(self.load.read_bytes.get() + bytes);
        }
        read
    }
}

struct CountedIncoming {
    inner: Box<dyn Connection<Side>>,
    load: Rc<FarEndUsage>,
}

impl Connection<Side> for CountedIncoming {
    fn get_peer_vat_id(&self) -> Side {
        self.inner.get_peer_vat_id()
    }

    fn new_outgoing_message(&mut self, first_segment_words: u32) -> Box<dyn OutgoingMessage> {
        let inner = self.inner.new_outgoing_message(first_segment_words);
        Box::new(CountedOutgoing { inner, load: self.load.clone() })
    }

    fn receive_incoming_message(&mut self) -> Promise<Option<Box<dyn IncomingMessage>>, Error> {
        let (receiving, load) = (self.inner.receive_incoming_message(), self.load.clone());
        Promise::from_future(async move {
            let Some(message) = receiving.await? else { return Ok(None) };
            Ok(Some(Box::new(load.admit(message)?) as Box<dyn IncomingMessage>))
        })
    }

    fn new_stream(&mut self) -> (Box<dyn FlowController>, Promise<(), Error>) {
        self.inner.new_stream()
    }

    fn shutdown(&mut self, result: capnp::Result<()>) -> Promise<(), Error> {
        self.inner.shutdown(result)
    }
}

struct CountedOutgoing {
    inner: Box<dyn OutgoingMessage>,
    load: Rc<FarEndUsage>,
}

impl OutgoingMessage for CountedOutgoing {
    fn get_body(&mut self) -> capnp::Result<any_pointer::Builder<'_>> {
        self.inner.get_body()
    }

    fn get_body_as_reader(&self) -> capnp::Result<any_pointer::Reader<'_>> {
        self.inner.get_body_as_reader()
    }

    fn send(self: Box<Self>) -> (Promise<(), Error>, Rc<Builder<HeapAllocator>>) {
        let bytes = self.inner.size_in_words() * 8;
        let (sent, message) = self.inner.send();
        let sent = sent.shared();
        self.load.unsent.borrow_mut().push(sent.clone(), bytes);
        (Promise::from_future(sent), message)
    }

    fn take(self: Box<Self>) -> Builder<HeapAllocator> {
        self.inner.take()
    }

    fn size_in_words(&self) -> usize {
        self.inner.size_in_words()
    }
}

/// A frame that came in and is still in use.
struct FrameInUse {
    message: Box<dyn IncomingMessage>,
    load: Rc<FarEndUsage>,
    bytes: usize,
}

impl IncomingMessage for FrameInUse {
    fn get_body(&self) -> capnp::Result<any_pointer::Reader<'_>> {
        self.message.get_body()
    }
}

impl Drop for FrameInUse {
    fn drop(&mut self) {
        self.load.held_frames.set(self.load.held_frames.get() - 1);
        self.load.held_bytes.set(self.load.held_bytes.get() - self.bytes);
    }
}

fn within(what: &str, amount: usize, limit: usize) -> Result<(), Error> {
    if amount <= limit {
        return Ok(());
    }
    Err(Error::overloaded(format!("over the limit: {amount} {what} (the limit is {limit})")))
}

/// Checks the lists that the RPC system would walk without a bound.
fn look(message: message::Reader<'_>) -> Result<(), Error> {
    match message.which() {
        Ok(message::Call(call)) => {
            let call = call?;
            look_at_target(call.get_target()?)?;
            look_at_caps(call.get_params()?)
        }
        Ok(message::Return(answer)) => match answer?.which()? {
            return_::Results(results) => look_at_caps(results?),
            _ => Ok(()),
        },
        Ok(message::Resolve(resolve)) => match resolve?.which()? {
            resolve::Cap(cap) => look_at_cap(cap?),
            resolve::Exception(_) => Ok(()),
        },
        Ok(message::Disembargo(disembargo)) => {
            let disembargo: disembargo::Reader<'_> = disembargo?;
            look_at_target(disembargo.get_target()?)
        }
        _ => Ok(()),
    }
}

fn look_at_target(target: message_target::Reader<'_>) -> Result<(), Error> {
    match target.which()? {
        message_target::PromisedAnswer(answer) => look_at_transform(answer?),
        message_target::ImportedCap(_) => Ok(()),
    }
}

fn look_at_caps(payload: payload::Reader<'_>) -> Result<(), Error> {
    let caps = payload.get_cap_table()?;
    within("capabilities in one frame", caps.len() as usize, MAX_CAPS as usize)?;
    caps.iter().try_for_each(look_at_cap)
}

fn look_at_cap(cap: cap_descriptor::Reader<'_>) -> Result<(), Error> {
    match cap.which()? {
        cap_descriptor::ReceiverAnswer(answer) => look_at_transform(answer?),
        _ => Ok(()),
    }
}

fn look_at_transform(answer: promised_answer::Reader<'_>) -> Result<(), Error> {
    let steps = answer.get_transform()?.len();
    within("steps from an answer to a capability in it", steps as usize, MAX_TRANSFORM as usize)
}
