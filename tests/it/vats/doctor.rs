//! Vats that are wrong on purpose: a layer between an RPC system and its streams that changes frames.

use capnp::message::ReaderOptions;
use capnp::serialize;
use capnp_rpc::rpc_capnp::{disembargo, message};
use futures::{AsyncRead, AsyncWrite, ready};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use wavetank::link::Streams;

/// The fault of an RPC system.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Doctor {
    /// Its embargoes hold nobody up: each Disembargo that it sends is answered at once, without the other side.
    NoEmbargo,
    /// Its first Release is never sent.
    OneRelease,
}

impl Doctor {
    /// The streams for a doctored RPC system.
    pub(super) fn over(self, (input, output): Streams) -> Streams {
        let desk = Rc::new(RefCell::new(Desk::default()));
        let reader = Reader { input, desk: desk.clone(), cut: Cut::default(), current: VecDeque::new() };
        let writer = Writer { output, desk, doctor: self, cut: Cut::default(), out: VecDeque::new() };
        (Box::new(reader), Box::new(writer))
    }
}

/// The state that both directions share.
#[derive(Default)]
struct Desk {
    /// Frames for the RPC system to read although nobody sent them.
    forged: VecDeque<Vec<u8>>,
    reader: Option<Waker>,
    has_dropped: bool,
}

/// Bytes, cut into whole frames.
#[derive(Default)]
struct Cut {
    part: Vec<u8>,
    whole: VecDeque<Vec<u8>>,
}

impl Cut {
    fn push(&mut self, bytes: &[u8]) {
        self.part.extend(bytes);
        loop {
            let mut rest = &self.part[..];
            if serialize::read_message(&mut rest, ReaderOptions::new()).is_err() {
                return;
            }
            let length = self.part.len() - rest.len();
            self.whole.push_back(self.part.drain(..length).collect());
        }
    }
}

struct Writer {
    output: Box<dyn AsyncWrite + Unpin>,
    desk: Rc<RefCell<Desk>>,
    doctor: Doctor,
    cut: Cut,
    out: VecDeque<u8>,
}

impl Writer {
    /// Whether a frame is sent.
    fn passes(&self, frame: &[u8]) -> bool {
        let parsed = serialize::read_message(&mut &frame[..], ReaderOptions::new()).expect("a whole frame");
        let message = parsed.get_root::<message::Reader<'_>>().expect("a root").which();
        let desk = &mut *self.desk.borrow_mut();
        match (self.doctor, message) {
            (Doctor::OneRelease, Ok(message::Release(_))) => std::mem::replace(&mut desk.has_dropped, true),
            (Doctor::NoEmbargo, Ok(message::Disembargo(disembargo))) => {
                let context = disembargo.expect("a disembargo").get_context().which().expect("a context");
                let disembargo::context::SenderLoopback(id) = context else { return true };
                let mut answer = capnp::message::Builder::new_default();
                let root = answer.init_root::<message::Builder<'_>>().init_disembargo();
                root.init_context().set_receiver_loopback(id);
                desk.forged.push_back(serialize::write_message_to_words(&answer));
                if let Some(reader) = desk.reader.take() {
                    reader.wake();
                }
                false
            }
            _ => true,
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.cut.push(bytes);
        while let Some(frame) = self.cut.whole.pop_front() {
            if self.passes(&frame) {
                self.out.extend(frame);
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.out.is_empty() {
            let (bytes, _) = this.out.as_slices();
            let written = ready!(Pin::new(&mut this.output).poll_write(cx, bytes))?;
            this.out.drain(..written);
        }
        Pin::new(&mut this.output).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.output).poll_close(cx)
    }
}

struct Reader {
    input: Box<dyn AsyncRead + Unpin>,
    desk: Rc<RefCell<Desk>>,
    cut: Cut,
    /// The rest of the frame that is being read. A forged frame goes before the next one.
    current: VecDeque<u8>,
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        while this.current.is_empty() {
            let mut desk = this.desk.borrow_mut();
            if let Some(frame) = desk.forged.pop_front().or_else(|| this.cut.whole.pop_front()) {
                this.current.extend(frame);
                break;
            }
            desk.reader = Some(cx.waker().clone());
            drop(desk);
            let mut bytes = [0; 4096];
            let read = ready!(Pin::new(&mut this.input).poll_read(cx, &mut bytes))?;
            if read == 0 {
                return Poll::Ready(Ok(0));
            }
            this.cut.push(&bytes[..read]);
        }
        let (bytes, _) = this.current.as_slices();
        let length = bytes.len().min(into.len());
        into[..length].copy_from_slice(&bytes[..length]);
        this.current.drain(..length);
        Poll::Ready(Ok(length))
    }
}
