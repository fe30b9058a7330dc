//! A cell's stdin, stdout and stderr as its host and its parent see them.
//!
//! The output of a cell goes to `tracing`, line by line. Up to [`KEPT_BYTES`] of it are kept for a later reader. While
//! nobody reads a stream its oldest bytes are dropped, so that no cell ever hangs on a log that nobody reads. While
//! somebody holds the stream as its reader, nothing is lost and the cell waits for the reader.

use crate::stream::{PipeReader, PipeWriter};
use bytes::Bytes;
use futures::Future;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Bytes of output that are kept for a later reader.
pub const KEPT_BYTES: usize = 64 * 1024;

/// The longest line that is given to `tracing` in one piece, in bytes.
const LINE_BYTES: usize = 4096;

/// A cell's stdin. It ends when this is closed, or when all its holders have dropped it.
pub struct Input {
    /// Shared with writes that are under way, so that the end comes after them.
    pipe: RefCell<Option<Rc<PipeWriter>>>,
    turns: FairLock,
}

impl Input {
    pub(crate) fn new(pipe: PipeWriter) -> Rc<Self> {
        let input = Input::unopened();
        input.open(pipe);
        input
    }

    /// Makes a stdin whose pipe comes later.
    pub(crate) fn unopened() -> Rc<Self> {
        Rc::new(Input { pipe: RefCell::default(), turns: FairLock::default() })
    }

    pub(crate) fn open(&self, pipe: PipeWriter) {
        *self.pipe.borrow_mut() = Some(Rc::new(pipe));
    }

    /// Writes all of `bytes`, after all bytes of earlier writes.
    ///
    /// # Errors
    /// `BrokenPipe` if it was closed or the cell no longer reads, `ConnectionReset` if the pipe was reset.
    pub async fn write(&self, bytes: Bytes) -> io::Result<()> {
        let pipe = self.pipe.borrow().clone().ok_or(io::ErrorKind::BrokenPipe)?;
        let _turn = self.turns.next().await;
        pipe.give(bytes).await
    }

    /// Ends it after the bytes that were written. Waits for nothing.
    pub fn close(&self) {
        self.pipe.borrow_mut().take();
    }
}

/// A cell's stdout or stderr.
pub struct Output {
    state: RefCell<State>,
    turns: FairLock,
}

#[derive(Default)]
struct State {
    kept: VecDeque<u8>,
    claims: u32,
    ended: bool,
    broken: bool,
    closed: bool,
    reader: Option<Waker>,
    pump: Option<Waker>,
}

impl Output {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Output { state: RefCell::default(), turns: FairLock::default() })
    }

    /// All kept bytes. They stay kept.
    pub fn kept(&self) -> Vec<u8> {
        self.state.borrow().kept.iter().copied().collect()
    }

    /// Whether the cell has closed it and all its bytes were taken in.
    pub fn ended(&self) -> bool {
        self.state.borrow().ended
    }

    /// Claims it for a reader. The claim holds until it is dropped.
    pub(crate) fn claim(self: &Rc<Self>) -> OutputReader {
        self.state.borrow_mut().claims += 1;
        OutputReader(self.clone())
    }

    /// Takes at least one byte and at most `max_bytes`; empty at the end.
    ///
    /// # Errors
    /// `BrokenPipe` if it was closed for reading, `ConnectionReset` if the pipe was reset.
    pub(crate) async fn read(&self, max_bytes: usize) -> io::Result<Vec<u8>> {
        let _turn = self.turns.next().await;
        std::future::poll_fn(|cx| self.state.borrow_mut().poll_read(max_bytes, cx)).await
    }

    /// Tells the cell that nobody reads any more.
    pub(crate) fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.closed = true;
        state.kept.clear();
        state.wake_pump();
        state.wake_reader();
    }

    /// Takes in the cell's output until it ends. `name` and `stream` tell `tracing` where it comes from.
    pub(crate) async fn pump(self: Rc<Self>, pipe: PipeReader, name: Arc<str>, stream: &'static str) {
        self.pump_after(Vec::new(), pipe, name, stream).await;
    }

    /// Like [`pump`](Self::pump), after the bytes in `head`, which were read from the pipe before.
    pub(crate) async fn pump_after(
        self: Rc<Self>,
        head: Vec<u8>,
        pipe: PipeReader,
        name: Arc<str>,
        stream: &'static str,
    ) {
        let mut lines = Lines { name, stream, partial: Vec::new() };
        lines.push(&head);
        self.state.borrow_mut().kept.extend(head);
        self.state.borrow_mut().wake_reader();
        loop {
            let taking = async {
                std::future::poll_fn(|cx| self.state.borrow_mut().poll_room(cx)).await;
                pipe.take(KEPT_BYTES).await
            };
            futures::pin_mut!(taking);
            let taken = std::future::poll_fn(|cx| {
                self.state.borrow_mut().pump = Some(cx.waker().clone());
                if self.state.borrow().closed {
                    return Poll::Ready(None);
                }
                taking.as_mut().poll(cx).map(Some)
            });
            let mut state = match taken.await {
                None => break,
                Some(Ok(Some(bytes))) => {
                    lines.push(&bytes);
                    let mut state = self.state.borrow_mut();
                    state.kept.extend(bytes.iter());
                    state
                }
                Some(ended) => {
                    let mut state = self.state.borrow_mut();
                    state.ended = true;
                    state.broken = ended.is_err();
                    state.wake_reader();
                    break;
                }
            };
            if state.claims == 0 {
                let over = state.kept.len().saturating_sub(KEPT_BYTES);
                state.kept.drain(..over);
                pipe.note_discarded(over);
            }
            state.wake_reader();
        }
        lines.end();
    }
}

impl State {
    fn poll_read(&mut self, max_bytes: usize, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        if self.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if !self.kept.is_empty() {
            let take = max_bytes.min(self.kept.len());
            self.wake_pump();
            return Poll::Ready(Ok(self.kept.drain(..take).collect()));
        }
        if self.broken {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.ended {
            return Poll::Ready(Ok(Vec::new()));
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// While nobody claims it there is always room, because the oldest bytes are dropped.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.claims == 0 || self.kept.len() < KEPT_BYTES {
            return Poll::Ready(());
        }
        self.pump = Some(cx.waker().clone());
        Poll::Pending
    }

    fn wake_pump(&mut self) {
        if let Some(pump) = self.pump.take() {
            pump.wake();
        }
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// A reader's claim on an output.
pub(crate) struct OutputReader(pub(crate) Rc<Output>);

impl Drop for OutputReader {
    fn drop(&mut self) {
        let mut state = self.0.state.borrow_mut();
        state.claims -= 1;
        state.wake_pump();
    }
}

/// Cuts bytes into lines for `tracing`.
struct Lines {
    name: Arc<str>,
    stream: &'static str,
    partial: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' || self.partial.len() >= LINE_BYTES {
                self.emit();
            }
            if byte != b'\n' {
                self.partial.push(byte);
            }
        }
    }

    fn end(&mut self) {
        if !self.partial.is_empty() {
            self.emit();
        }
    }

    fn emit(&mut self) {
        let line = String::from_utf8_lossy(&self.partial);
        tracing::info!(target: "guest", cell = &*self.name, stream = self.stream, "{line}");
        self.partial.clear();
    }
}

/// A queue for the users of something that only one may use at a time: first come, first served.
#[derive(Default)]
struct FairLock(RefCell<Queue>);

#[derive(Default)]
struct Queue {
    tickets: u64,
    /// Tickets in use, each with the waker to call when it becomes the first.
    waiting: BTreeMap<u64, Option<Waker>>,
}

impl FairLock {
    /// Waits until all earlier turns have ended. This turn ends when the returned value is dropped. A turn that is
    /// given up while it waits leaves the queue, and the order of the others stays the same.
    async fn next(&self) -> LockTurn<'_> {
        let turn = self.take();
        std::future::poll_fn(|cx| turn.poll_first(cx)).await;
        turn
    }

    fn take(&self) -> LockTurn<'_> {
        let mut queue = self.0.borrow_mut();
        let ticket = queue.tickets;
        queue.tickets += 1;
        queue.waiting.insert(ticket, None);
        LockTurn { turns: self, ticket }
    }
}

/// A place in the queue.
struct LockTurn<'a> {
    turns: &'a FairLock,
    ticket: u64,
}

impl LockTurn<'_> {
    fn poll_first(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.turns.0.borrow_mut();
        if queue.waiting.keys().next() == Some(&self.ticket) {
            return Poll::Ready(());
        }
        queue.waiting.insert(self.ticket, Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for LockTurn<'_> {
    fn drop(&mut self) {
        let mut queue = self.turns.0.borrow_mut();
        queue.waiting.remove(&self.ticket);
        if let Some(mut first) = queue.waiting.first_entry()
            && let Some(waker) = first.get_mut().take()
        {
            waker.wake();
        }
    }
}
