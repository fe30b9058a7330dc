//! One direction of bytes.
//!
//! ```text
//! writer ─▶ │ staged │ visible │ ─▶ reader        capacity ≥ staged + visible + budget
//!               deliver ▲
//! ```
//!
//! Staged and visible bytes are one queue with a watermark. A *free* pipe moves its watermark with every
//! write and lets its writer use all the room there is; a *held* one waits for `deliver` and
//! `grant`. A pipe never decides anything itself.
//!
//! Not here: wasi-io and `AsyncRead`, which are in `stream`, and the ids, which are in `fabric`.

mod outside;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

/// A pipe's capacity where nothing else was asked for: 64 KiB, as on Linux.
pub const DEFAULT_CAPACITY_BYTES: usize = 64 * 1024;

/// One direction of bytes, with its two ends' state.
pub struct Pipe {
    name: Arc<str>,
    capacity_bytes: usize,
    held: bool,
    queue: VecDeque<Bytes>,
    written: u64,
    delivered: u64,
    consumed: u64,
    /// Granted and not yet written. Only a held pipe counts it.
    granted_bytes: usize,
    /// What the writer was told by `check_write` and has not used: what it may write without a trap.
    promised_bytes: usize,
    /// The writer was told 0 while there was no budget: more may be granted.
    starved: bool,
    /// The writer was told 0 when it last asked, for whatever reason.
    refused: bool,
    /// `check_write` gives 0 until this much was delivered.
    flush_to: u64,
    writer_open: bool,
    reader_open: bool,
    end_visible: bool,
    broken: bool,
    /// A reader was told that there is something, though there may be nothing. Until it has looked.
    spurred: bool,
    /// Nothing is delivered any more.
    muted: bool,
    /// Where in all that is ever written the pipe ends, and how.
    cut: Option<(u64, Ending)>,
    /// It was ended from outside: its writer is told that nobody reads, its reader that nobody writes.
    ended: bool,
    readers: Vec<Waker>,
    writers: Vec<Waker>,
}

/// How a pipe is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// The reader reads what was written before, then the end.
    Close,
    /// Both ends get an error, and what was not read is lost.
    Reset,
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Bytes that were taken; the others fell behind the pipe's end.
    pub(crate) taken_bytes: usize,
    /// How the pipe ended by it, if it did, and the bytes taken that are lost.
    pub(crate) ended: Option<(Ending, usize)>,
}

/// What `check_write` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// So many bytes may be written now; 0 is "wait".
    Bytes(usize),
    /// Nobody will read any more.
    Closed,
    /// The pipe was reset.
    Broken,
}

/// What a read brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// At least one byte.
    Bytes(Bytes),
    /// Nothing yet.
    Nothing,
    /// All was read and the writer is gone.
    End,
    /// The pipe was reset.
    Broken,
}

/// Why a write was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was longer than `check_write` had granted.
    #[error("wrote {asked_bytes} bytes where check-write had granted {granted_bytes}")]
    Overrun {
        /// Bytes that were to be written.
        asked_bytes: usize,
        /// Bytes that were granted and not yet used.
        granted_bytes: usize,
    },
    /// Nobody will read any more.
    #[error("nobody reads this pipe any more")]
    Closed,
    /// The pipe was reset.
    #[error("the pipe was reset")]
    Broken,
}

/// A pipe's numbers, for a reader of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeView {
    /// What it carries.
    pub name: Arc<str>,
    /// Most bytes it holds.
    pub capacity_bytes: usize,
    /// Whether it waits for deliveries and grants.
    pub held: bool,
    /// Written and not yet delivered.
    pub staged_bytes: usize,
    /// Delivered and not yet read.
    pub visible_bytes: usize,
    /// What a writer may write.
    pub budget_bytes: usize,
    /// Whether a reader waits for bytes.
    pub reader_waits: bool,
    /// Whether a writer waits for budget.
    pub writer_waits: bool,
    /// Whether the writer was told 0 when it last asked what it may write.
    pub writer_refused: bool,
    /// Whether nothing is delivered any more.
    pub muted: bool,
    /// Whether the reading end is there.
    pub reader_open: bool,
    /// Whether the writing end is there.
    pub writer_open: bool,
}

impl Pipe {
    pub(crate) fn new(name: Arc<str>, capacity_bytes: usize, held: bool) -> Self {
        Pipe {
            name,
            capacity_bytes,
            held,
            queue: VecDeque::new(),
            written: 0,
            delivered: 0,
            consumed: 0,
            granted_bytes: 0,
            promised_bytes: 0,
            starved: false,
            refused: false,
            flush_to: 0,
            writer_open: true,
            reader_open: true,
            end_visible: false,
            broken: false,
            spurred: false,
            muted: false,
            cut: None,
            ended: false,
            readers: Vec::new(),
            writers: Vec::new(),
        }
    }

    pub(crate) fn view(&self) -> PipeView {
        PipeView {
            name: self.name.clone(),
            capacity_bytes: self.capacity_bytes,
            held: self.held,
            staged_bytes: self.staged(),
            visible_bytes: self.visible(),
            budget_bytes: self.budget(),
            reader_waits: !self.readers.is_empty(),
            writer_waits: !self.writers.is_empty(),
            writer_refused: self.refused,
            muted: self.muted,
            reader_open: self.reader_open,
            writer_open: self.writer_open,
        }
    }

    /// Whether a waker waits for bytes, and whether for budget.
    pub(crate) fn is_waited_for_by(&self, waker: &Waker) -> (bool, bool) {
        let holds = |wakers: &[Waker]| wakers.iter().any(|held| held.will_wake(waker));
        (holds(&self.readers), holds(&self.writers))
    }

    fn staged(&self) -> usize {
        (self.written - self.delivered) as usize
    }

    fn visible(&self) -> usize {
        (self.delivered - self.consumed) as usize
    }

    fn queued(&self) -> usize {
        (self.written - self.consumed) as usize
    }

    fn room(&self) -> usize {
        self.capacity_bytes.saturating_sub(self.queued())
    }

    fn budget(&self) -> usize {
        if self.held { self.granted_bytes } else { self.room() }
    }

    /// Changes how the pipe flows. What was granted stays granted.
    pub(crate) fn shape(&mut self, capacity_bytes: usize, held: bool) {
        self.granted_bytes = self.promised_bytes;
        self.capacity_bytes = capacity_bytes;
        self.held = held;
        if !held {
            self.flow();
        }
        // A writer that was told 0 before may find room now.
        wake(&mut self.writers);
    }

    // ---- the writer's side

    /// What may be written now. A writer that is told 0 may be granted more.
    pub(crate) fn check_write(&mut self) -> Permit {
        let permit = self.permit();
        self.refused = permit == Permit::Bytes(0);
        if let Permit::Bytes(bytes) = permit {
            self.promised_bytes = bytes;
        }
        permit
    }

    fn permit(&mut self) -> Permit {
        if self.broken {
            return Permit::Broken;
        }
        if !self.reader_open || self.ended {
            return Permit::Closed;
        }
        self.starved = self.budget() == 0;
        let flushing = self.delivered < self.flush_to;
        Permit::Bytes(if flushing { 0 } else { self.budget() })
    }

    /// Takes bytes that were granted before.
    ///
    /// # Errors
    /// [`Refused`] where the pipe has ended, and where they are more than `check_write` said.
    pub(crate) fn write(&mut self, mut bytes: Bytes) -> Result<Written, Refused> {
        if self.broken {
            return Err(Refused::Broken);
        }
        if !self.reader_open || self.ended {
            return Err(Refused::Closed);
        }
        if bytes.len() > self.promised_bytes {
            return Err(Refused::Overrun { asked_bytes: bytes.len(), granted_bytes: self.promised_bytes });
        }
        self.promised_bytes -= bytes.len();
        if self.held {
            // Less may be left than was promised: budget can shrink between two looks at it.
            self.granted_bytes = self.granted_bytes.saturating_sub(bytes.len()).min(self.room());
        }
        let reaches = self.written + bytes.len() as u64;
        let cut = self.cut.filter(|(at, _)| *at <= reaches && !bytes.is_empty());
        if let Some((at, _)) = cut {
            bytes.truncate((at - self.written) as usize);
        }
        let taken_bytes = bytes.len();
        if !bytes.is_empty() {
            self.written += bytes.len() as u64;
            self.queue.push_back(bytes);
            if !self.held {
                self.flow();
            }
        }
        let ended = cut.map(|(_, ending)| (ending, self.end(ending)));
        Ok(Written { taken_bytes, ended })
    }

    /// Asks that all that was written be delivered before more is accepted.
    pub(crate) fn flush(&mut self) {
        self.flush_to = self.written;
    }

    /// Ends the stream after what was written.
    pub(crate) fn close_writer(&mut self) {
        self.writer_open = false;
        if !self.held {
            self.flow();
        }
    }

    /// Whether a writer has something to learn: budget, or that the pipe has ended.
    pub(crate) fn writable(&mut self) -> bool {
        !matches!(self.permit(), Permit::Bytes(0))
    }

    pub(crate) fn wait_writable(&mut self, waker: &Waker) {
        remember(&mut self.writers, waker);
    }

    // ---- the reader's side

    /// Takes at most `max_bytes` of what is visible.
    pub(crate) fn read(&mut self, max_bytes: usize) -> Taken {
        if self.broken {
            return Taken::Broken;
        }
        let take = max_bytes.min(self.visible());
        if take == 0 {
            self.spurred = false;
            let ended = self.end_visible && self.queued() == 0;
            return if ended { Taken::End } else { Taken::Nothing };
        }
        self.consumed += take as u64;
        self.spurred = false;
        let bytes = self.pop(take);
        if !self.held {
            wake(&mut self.writers);
        }
        Taken::Bytes(bytes)
    }

    /// Takes `take` bytes off the queue: without a copy where they lie in one piece.
    fn pop(&mut self, take: usize) -> Bytes {
        let first = self.queue.front_mut().expect("visible bytes are queued");
        if first.len() > take {
            return first.split_to(take);
        }
        if first.len() == take {
            return self.queue.pop_front().expect("it was there");
        }
        let mut joined = BytesMut::with_capacity(take);
        while joined.len() < take {
            let left = take - joined.len();
            let first = self.queue.front_mut().expect("visible bytes are queued");
            if first.len() > left {
                joined.extend_from_slice(&first.split_to(left));
            } else {
                joined.extend_from_slice(first);
                self.queue.pop_front();
            }
        }
        joined.freeze()
    }

    /// Tells the writer that nobody reads any more; gives the bytes that are lost by it.
    pub(crate) fn close_reader(&mut self) -> usize {
        self.reader_open = false;
        wake(&mut self.writers);
        self.drain()
    }

    /// Whether a reader has something to learn: bytes, or that the pipe has ended.
    pub(crate) fn readable(&self) -> bool {
        self.spurred || self.broken || self.visible() > 0 || (self.end_visible && self.queued() == 0)
    }

    pub(crate) fn wait_readable(&mut self, waker: &Waker) {
        remember(&mut self.readers, waker);
    }
}

/// Keeps a waker once.
fn remember(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}

fn wake(wakers: &mut Vec<Waker>) {
    for waker in wakers.drain(..) {
        waker.wake();
    }
}
