//! A cell's stdin, stdout and stderr as its host and its parent see them.
//!
//! What a cell writes goes to `tracing`, line by line, and is kept for a later reader up to
//! [`KEPT_BYTES`]. While nobody asked for it the oldest bytes go, so that no cell ever hangs on a log that
//! nobody reads. Once somebody asked, nothing is lost and the cell waits for its reader.

use crate::stream::{PipeReader, PipeWriter};
use crate::unsaid::Unsaid;
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

/// Longest line that is given to `tracing` in one piece, in bytes.
const LINE_BYTES: usize = 4096;

/// A cell's stdio, without what carries its RPC.
#[derive(Clone)]
pub struct Stdio {
    /// What it reads; `None` where stdin is the transport. If nobody said where its RPC runs it takes bytes only
    /// after a [claim](Self::claim).
    pub stdin: Option<Rc<Input>>,
    /// What it writes; `None` where stdout is the transport. If nobody said where its RPC runs it holds bytes only
    /// if they turned out to be no RPC.
    pub stdout: Option<Rc<Output>>,
    /// What it logs.
    pub stderr: Rc<Output>,
    pub(crate) unsaid: Option<Unsaid>,
}

impl Stdio {
    /// Says that stdin and stdout are the cell's own, as whoever writes or reads them believes. Gives whether that is
    /// so: not if they carry its RPC. If nobody said where that runs, the first to ask decides.
    pub fn claim(&self) -> bool {
        match &self.unsaid {
            Some(unsaid) => unsaid.claim(),
            None => self.stdout.is_some(),
        }
    }
}

/// A cell's stdin. It ends when this is closed, or dropped by all who hold it.
pub struct Input {
    /// Shared with writes that are under way: the end comes after them.
    pipe: RefCell<Option<Rc<PipeWriter>>>,
    turns: Turns,
}

impl Input {
    pub(crate) fn new(pipe: PipeWriter) -> Rc<Self> {
        let input = Input::unopened();
        input.open(pipe);
        input
    }

    /// A stdin whose pipe comes later.
    pub(crate) fn unopened() -> Rc<Self> {
        Rc::new(Input { pipe: RefCell::default(), turns: Turns::default() })
    }

    pub(crate) fn open(&self, pipe: PipeWriter) {
        *self.pipe.borrow_mut() = Some(Rc::new(pipe));
    }

    /// Writes all of `bytes`, after whatever was written before.
    ///
    /// # Errors
    /// `BrokenPipe` where it was closed or the cell reads no more, `ConnectionReset` where the pipe was reset.
    pub async fn write(&self, bytes: Bytes) -> io::Result<()> {
        let pipe = self.pipe.borrow().clone().ok_or(io::ErrorKind::BrokenPipe)?;
        let _turn = self.turns.next().await;
        pipe.give(bytes).await
    }

    /// Ends it after what was written. Waits for nothing.
    pub fn close(&self) {
        self.pipe.borrow_mut().take();
    }
}

/// A cell's stdout or stderr.
pub struct Output {
    state: RefCell<State>,
    turns: Turns,
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
        Rc::new(Output { state: RefCell::default(), turns: Turns::default() })
    }

    /// All that is kept, without taking it.
    pub fn kept(&self) -> Vec<u8> {
        self.state.borrow().kept.iter().copied().collect()
    }

    /// Whether the cell has closed it and all was taken in.
    pub fn ended(&self) -> bool {
        self.state.borrow().ended
    }

    /// Says that somebody reads it from now on, as long as the claim lives.
    pub(crate) fn claim(self: &Rc<Self>) -> Claim {
        self.state.borrow_mut().claims += 1;
        Claim(self.clone())
    }

    /// Takes at least one byte and at most `max_bytes`; empty at the end.
    ///
    /// # Errors
    /// `BrokenPipe` where it was closed for reading, `ConnectionReset` where the pipe was reset.
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

    /// Takes in what the cell writes until it ends. `name` and `stream` say whose it is.
    pub(crate) async fn pump(self: Rc<Self>, pipe: PipeReader, name: Arc<str>, stream: &'static str) {
        self.pump_after(Vec::new(), pipe, name, stream).await;
    }

    /// The same, after the bytes that were read of it before.
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

    /// There is room while nobody claims it: the oldest bytes make way.
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

/// Somebody reads an output.
pub(crate) struct Claim(pub(crate) Rc<Output>);

impl Drop for Claim {
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

/// A queue of those who use something one after the other, first come, first served.
#[derive(Default)]
struct Turns(RefCell<Queue>);

#[derive(Default)]
struct Queue {
    tickets: u64,
    /// Tickets in use, each with whom to wake when it is first.
    waiting: BTreeMap<u64, Option<Waker>>,
}

impl Turns {
    /// Waits for the turns taken before to end; this one ends when what is given back is dropped. One that is
    /// given up while it waits leaves the queue, and those before and after it as they were.
    async fn next(&self) -> Turn<'_> {
        let turn = self.take();
        std::future::poll_fn(|cx| turn.poll_first(cx)).await;
        turn
    }

    fn take(&self) -> Turn<'_> {
        let mut queue = self.0.borrow_mut();
        let ticket = queue.tickets;
        queue.tickets += 1;
        queue.waiting.insert(ticket, None);
        Turn { turns: self, ticket }
    }
}

/// A place in the queue.
struct Turn<'a> {
    turns: &'a Turns,
    ticket: u64,
}

impl Turn<'_> {
    fn poll_first(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.turns.0.borrow_mut();
        if queue.waiting.keys().next() == Some(&self.ticket) {
            return Poll::Ready(());
        }
        queue.waiting.insert(self.ticket, Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Turn<'_> {
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
