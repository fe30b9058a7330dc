//! Stdin and stdout of a cell whose transport was not set and which imports no connection.
//!
//! Such a guest may speak RPC over its stdio, or it may be any other program: its imports are the same. So its host
//! listens before it decides:
//!
//! - They are its link if the first bytes on stdout begin an RPC message, or if the host itself is the first to send
//!   something on the link.
//! - They are the cell's own if the first bytes on stdout cannot begin a message, if stdout ends without one, or if
//!   somebody asks for the cell's stdin or stdout as a stream. Then there is no link: [`Event::StdioOwned`].
//!
//! A program that only reads would wait for its stdin for ever, because the host cannot know that it will have nothing
//! to send. The driver of the tank [hangs up](crate::Tank::hang_up) for the host when nothing else can happen.
//!
//! The beginning of an RPC message is recognised by its framing
//! (<https://capnproto.org/encoding.html#serialization-over-a-stream>): a plausible segment table, and a root that
//! points to something. No text begins like this, and no run of zeros.

use crate::event::Event;
use crate::ids::{ActorId, PipeId};
use crate::link::Link;
use crate::shared::SharedState;
use crate::spawn::{Role, Spawn};
use crate::stdio::{Input, Output};
use crate::stream::{PipeReader, PipeWriter};
use futures::{AsyncRead, AsyncWrite, FutureExt};
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The place of a cell's link to its host; empty if it has none.
pub(crate) type LinkSlot = Rc<RefCell<Option<Link>>>;

/// A cell's stdin and stdout, while it is not known whether they carry RPC. Clones are the same.
#[derive(Clone)]
pub(crate) struct UndecidedStdio(Rc<Inner>);

struct Inner {
    cell: ActorId,
    name: Arc<str>,
    /// The actor whose task takes in the cell's output.
    vat: ActorId,
    shared: SharedState,
    spawner: Rc<dyn Spawn>,
    up: PipeId,
    down: PipeId,
    /// When the cell was born, in nanoseconds.
    since_ns: u64,
    stdin: Weak<Input>,
    stdout: Rc<Output>,
    state: RefCell<State>,
}

struct State {
    carries: Contents,
    /// The host's ends. They are moved out when it turns out that there is no link.
    up: Option<PipeReader>,
    down: Option<PipeWriter>,
    /// The bytes that were read from stdout before that was known.
    head: Vec<u8>,
    /// The RPC system, which waits for bytes of the cell.
    listener: Option<Waker>,
    link: Weak<RefCell<Option<Link>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Contents {
    Unknown,
    Link,
    Own,
}

/// The parts of an [`UndecidedStdio`].
pub(crate) struct Parts<'a> {
    pub(crate) cell: ActorId,
    pub(crate) name: &'a Arc<str>,
    pub(crate) vat: ActorId,
    pub(crate) shared: &'a SharedState,
    pub(crate) spawner: &'a Rc<dyn Spawn>,
    pub(crate) stdin: &'a Rc<Input>,
    pub(crate) stdout: &'a Rc<Output>,
    pub(crate) ends: (PipeReader, PipeWriter),
}

impl UndecidedStdio {
    pub(crate) fn new(parts: Parts<'_>) -> Self {
        let (up, down) = parts.ends;
        UndecidedStdio(Rc::new(Inner {
            cell: parts.cell,
            name: parts.name.clone(),
            vat: parts.vat,
            shared: parts.shared.clone(),
            spawner: parts.spawner.clone(),
            up: up.pipe(),
            down: down.pipe(),
            since_ns: parts.shared.now_ns(),
            stdin: Rc::downgrade(parts.stdin),
            stdout: parts.stdout.clone(),
            state: RefCell::new(State {
                carries: Contents::Unknown,
                up: Some(up),
                down: Some(down),
                head: Vec::new(),
                listener: None,
                link: Weak::new(),
            }),
        }))
    }

    /// The pipe from the cell, and the pipe to it.
    pub(crate) fn pipes(&self) -> (PipeId, PipeId) {
        (self.0.up, self.0.down)
    }

    /// Sets where the cell keeps its link, once it has one. The place is emptied if it turns out that there is no link.
    pub(crate) fn may_take_link(&self, slot: &LinkSlot) {
        self.0.state.borrow_mut().link = Rc::downgrade(slot);
    }

    /// The streams from which an RPC system reads and to which it writes.
    pub(crate) fn streams(&self) -> (UndecidedReader, UndecidedWriter) {
        (UndecidedReader(self.clone()), UndecidedWriter(self.clone()))
    }

    /// Claims stdin and stdout as the cell's own. Returns whether they are: they are not if they carry RPC already.
    pub(crate) fn claim(&self) -> bool {
        let mut state = self.0.state.borrow_mut();
        if state.carries == Contents::Unknown {
            self.own(&mut state);
        }
        state.carries == Contents::Own
    }

    /// Whether the cell has begun no message since its birth, at least `for_ns` before `at_ns`, and nobody can write to
    /// its stdin any more, except a host that was not asked anything.
    pub(crate) fn is_silent(&self, at_ns: u64, for_ns: u64) -> bool {
        let state = self.0.state.borrow();
        let is_open = state.carries == Contents::Unknown && state.down.is_some();
        is_open && self.0.stdin.strong_count() == 0 && at_ns.saturating_sub(self.0.since_ns) >= for_ns
    }

    /// Ends the cell's stdin. Its later output still decides whether stdout carries RPC.
    pub(crate) fn hang_up(&self) {
        let mut state = self.0.state.borrow_mut();
        if state.carries == Contents::Unknown {
            state.down = None;
        }
    }

    /// Hands the pipes over to the cell's stdin and stdout as plain streams of bytes.
    fn own(&self, state: &mut State) {
        let inner = &self.0;
        state.carries = Contents::Own;
        if let Some(link) = state.link.upgrade().and_then(|slot| slot.take()) {
            inner.shared.record(Event::StdioOwned { cell: inner.cell, link: link.id() });
        }
        inner.shared.has_no_link(inner.cell);
        if let (Some(down), Some(stdin)) = (state.down.take(), inner.stdin.upgrade()) {
            stdin.open(down);
        }
        if let Some(up) = state.up.take() {
            let head = std::mem::take(&mut state.head);
            let pump = inner.stdout.clone().pump_after(head, up, inner.name.clone(), "stdout");
            let role = Role::StdioOf(inner.cell);
            inner.spawner.spawn(&format!("stdout of {}", inner.name), inner.vat, role, pump.boxed_local());
        }
        if let Some(listener) = state.listener.take() {
            listener.wake();
        }
    }
}

/// The input of an RPC system for such a cell. It brings nothing until it is known that there is a link. If there is
/// none, it ends.
pub(crate) struct UndecidedReader(UndecidedStdio);

/// The output of an RPC system for such a cell.
pub(crate) struct UndecidedWriter(UndecidedStdio);

impl AsyncRead for UndecidedReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut borrowed = self.0.0.state.borrow_mut();
        let state = &mut *borrowed;
        while state.carries == Contents::Unknown {
            let Some(up) = &mut state.up else { return Poll::Ready(Ok(0)) };
            let wanted_bytes = match FirstBytes::of(&state.head) {
                FirstBytes::Message => {
                    state.carries = Contents::Link;
                    break;
                }
                FirstBytes::Other => {
                    self.0.own(state);
                    break;
                }
                FirstBytes::Unclear { known_with_bytes } => known_with_bytes - state.head.len(),
            };
            let mut piece = vec![0; wanted_bytes];
            match Pin::new(up).poll_read(cx, &mut piece) {
                Poll::Ready(Ok(0)) => self.0.own(state),
                Poll::Ready(Ok(bytes)) => state.head.extend_from_slice(&piece[..bytes]),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    state.listener = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
        if state.carries == Contents::Own {
            return Poll::Ready(Ok(0));
        }
        if !state.head.is_empty() {
            let bytes = into.len().min(state.head.len());
            into[..bytes].copy_from_slice(&state.head[..bytes]);
            state.head.drain(..bytes);
            return Poll::Ready(Ok(bytes));
        }
        match &mut state.up {
            Some(up) => Pin::new(up).poll_read(cx, into),
            None => Poll::Ready(Ok(0)),
        }
    }
}

impl AsyncWrite for UndecidedWriter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.0.state.borrow_mut();
        if state.carries == Contents::Own {
            // The RPC system closes a link that never existed, so drop its bytes.
            return Poll::Ready(Ok(from.len()));
        }
        if !from.is_empty() {
            state.carries = Contents::Link;
        }
        match &mut state.down {
            Some(down) => Pin::new(down).poll_write(cx, from),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// There is nothing to wait for: bytes are on their way once they are written to a pipe.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The pipe closes when this end is dropped.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for UndecidedReader {
    fn drop(&mut self) {
        let up = self.0.0.state.borrow_mut().up.take();
        drop(up);
    }
}

impl Drop for UndecidedWriter {
    fn drop(&mut self) {
        let down = self.0.0.state.borrow_mut().down.take();
        drop(down);
    }
}

/// The verdict on the first bytes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FirstBytes {
    /// They begin an RPC message.
    Message,
    /// They do not begin an RPC message.
    Other,
    /// It is known only when there are this many bytes.
    Unclear { known_with_bytes: usize },
}

/// The most segments that a message may have, as in capnp's own reader.
const MAX_SEGMENTS: u32 = 512;

impl FirstBytes {
    fn of(head: &[u8]) -> Self {
        let word32 = |index: usize| {
            let four = head.get(4 * index..4 * index + 4)?;
            Some(u32::from_le_bytes(four.try_into().ok()?))
        };
        // The count of segments less one. It is below 512, so its third and fourth bytes are 0.
        let is_count = |(place, byte): (usize, &u8)| *byte <= [u8::MAX, 1, 0, 0][place];
        if !head.iter().take(4).enumerate().all(is_count) {
            return FirstBytes::Other;
        }
        let Some(segments) = word32(0).map(|last| last + 1) else {
            return FirstBytes::Unclear { known_with_bytes: 4 };
        };
        debug_assert!(segments <= MAX_SEGMENTS, "only a count below it passed");
        // The count and the sizes, 4 bytes each, padded to a word; then the root.
        let table_bytes = (1 + segments as usize).next_multiple_of(2) * 4;
        let sizes: u64 = (1..=segments as usize).filter_map(word32).map(u64::from).sum();
        // The root is in the first segment, and its target is there or in another one.
        let is_whole = head.len() >= table_bytes;
        let too_small = word32(1) == Some(0) || (is_whole && sizes < 2);
        if too_small || sizes > crate::guard::MAX_FRAME_BYTES as u64 / 8 {
            return FirstBytes::Other;
        }
        let Some(root) = head.get(table_bytes..table_bytes + 8) else {
            return FirstBytes::Unclear { known_with_bytes: table_bytes + 8 };
        };
        let root = u64::from_le_bytes(root.try_into().expect("eight bytes"));
        // A struct, or a pointer to one in another segment.
        if root != 0 && root & 1 == 0 { FirstBytes::Message } else { FirstBytes::Other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds bytes one at a time, as the slowest stream would, until there is a verdict.
    fn slowly(bytes: &[u8]) -> FirstBytes {
        let mut known = FirstBytes::of(&[]);
        for len in 1..=bytes.len() {
            let FirstBytes::Unclear { known_with_bytes } = known else { return known };
            assert!(known_with_bytes >= len, "it asked for {known_with_bytes} and has as many");
            known = FirstBytes::of(&bytes[..len]);
        }
        known
    }

    #[test]
    fn what_begins_a_message_and_what_does_not() {
        let mut message = capnp::message::Builder::new_default();
        message.init_root::<capnp_rpc::rpc_capnp::message::Builder<'_>>().init_bootstrap().set_question_id(0);
        let message = capnp::serialize::write_message_to_words(&message);
        assert_eq!(slowly(&message), FirstBytes::Message);

        let allocator = capnp::message::HeapAllocator::new().first_segment_words(1);
        let mut parted = capnp::message::Builder::new(allocator);
        parted.init_root::<capnp_rpc::rpc_capnp::message::Builder<'_>>().init_bootstrap().set_question_id(0);
        let parted = capnp::serialize::write_message_to_words(&parted);
        assert_ne!(parted[0], 0, "it has more than one segment");
        assert_eq!(slowly(&parted), FirstBytes::Message, "its root points into another segment");

        let others: [(&str, &[u8]); 5] = [
            ("text", b"hello\n"),
            ("zeros", &[0; 64]),
            ("a root that is null", &[0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("a root that is a list", &[0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]),
            ("a segment of 2 GiB", &[0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 1, 0, 1, 0]),
        ];
        for (what, bytes) in others {
            assert_eq!(slowly(bytes), FirstBytes::Other, "{what}");
        }
        for cut in 0..16 {
            assert!(matches!(slowly(&message[..cut]), FirstBytes::Unclear { .. }), "{cut} bytes say nothing");
        }
    }
}
