//! One direction of bytes.
//!
//! ```text
//! writer ─▶ │ staged │ visible │ ─▶ reader        capacity ≥ staged + visible + budget
//!               deliver ▲
//! ```
//!
//! Staged and visible bytes are one queue with a watermark. A *free* pipe moves its watermark with every write, and its
//! writer may use all the room in it. So its bytes need no moves, and it costs a driver nothing. A *held* pipe waits
//! for `deliver` and `grant`. A pipe never decides anything itself.
//!
//! A permit belongs to the handle that asked with `check-write`. Permits of several handles are *overcommitted*: each
//! handle may use its whole permit, and then the pipe holds more than its capacity. Nothing is reserved, because a
//! handle that asks and never writes would starve the others for ever.
//!
//! Not here: wasi-io and `AsyncRead`, which are in `stream`, and the table of all pipes by id, which is in `shared`.

mod handles;
mod outside;
mod queue;
#[cfg(test)]
mod tests;

use crate::freedoms::Freedoms;
use bytes::Bytes;
use handles::Handles;
use queue::ByteQueue;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

pub use handles::PermitError;
pub(crate) use handles::WriterId;

/// A pipe's default capacity: 64 KiB, as on Linux.
pub const DEFAULT_CAPACITY_BYTES: usize = 64 * 1024;

/// One direction of bytes, with the state of its two ends.
pub struct Pipe {
    name: Arc<str>,
    capacity_bytes: usize,
    /// The freedoms of WASI that the host takes.
    freedoms: Freedoms,
    bytes: ByteQueue,
    budget: Budget,
    condition: Condition,
    writer: WritingEnd,
    reader: ReadingEnd,
}

/// How much a writer may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Budget {
    /// All the room in the pipe. Bytes are visible once they are written.
    Free,
    /// The bytes that were granted and not yet written. The pipe waits for deliveries and grants.
    Held { granted_bytes: usize },
}

/// The faults that were injected into a pipe. At most one is in force: a pipe that has one is not
/// [live](Pipe::is_live). Only a reset can follow another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Condition {
    /// No fault.
    #[default]
    Whole,
    /// It ends at this offset, counted from the first byte ever written.
    EndsAt { offset: u64, ending: Ending },
    /// Nothing is delivered any more.
    Muted,
    /// One end was told that the pipe has ended. The other end has not heard of it yet.
    HalfBroken(HalfBreak),
    /// The writer is told that nobody reads, and the reader that nobody writes.
    Closed,
    /// Both ends get an error.
    Broken,
}

/// The writing end.
struct WritingEnd {
    is_open: bool,
    /// Its handles with their permits.
    handles: Handles,
    /// It was told 0 because there was no budget, so more may be granted.
    starved: bool,
    /// It was told 0 when it last asked, for any reason.
    refused: bool,
    wakers: Vec<Waker>,
}

/// The reading end.
struct ReadingEnd {
    is_open: bool,
    /// Whether it sees the end once it has read all bytes.
    end_visible: bool,
    /// It was told that the pipe is readable, although it may be empty. Reset when it looks.
    spurred: bool,
    wakers: Vec<Waker>,
}

/// One end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The end from which bytes are read.
    Reader,
    /// The end into which bytes are written.
    Writer,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Reader => "reader",
            End::Writer => "writer",
        })
    }
}

/// How a pipe is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// The reader reads the bytes that were written before, then the end.
    Close,
    /// Both ends get an error, and unread bytes are lost.
    Reset,
}

/// A pipe that has ended at one end only. The other end notices nothing until the pipe is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HalfBreak {
    /// The end that was told.
    pub end: End,
    /// The news for that end: an error, or that there is nobody at the other end.
    pub ending: Ending,
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteOutcome {
    /// Bytes that were taken. The rest fell behind the pipe's end.
    pub(crate) taken_bytes: usize,
    /// If this write ended the pipe: how, and how many of the taken bytes are lost.
    pub(crate) ended: Option<(Ending, usize)>,
}

/// The answer of `check_write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// This many bytes may be written now; 0 means "wait".
    Bytes(usize),
    /// Nobody will read any more.
    Closed,
    /// The pipe was reset.
    Broken,
}

/// The result of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// At least one byte.
    Bytes(Bytes),
    /// Nothing yet.
    Nothing,
    /// All bytes were read and the writer is gone.
    End,
    /// The pipe was reset.
    Broken,
}

/// Why a write was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// It was longer than the handle's permit.
    #[error("{}", why.says(*asked_bytes, *granted_bytes))]
    Overrun {
        /// Bytes that the handle tried to write.
        asked_bytes: usize,
        /// Bytes that were left of the handle's permit.
        granted_bytes: usize,
        /// Why the permit was no larger.
        why: PermitError,
    },
    /// Nobody will read any more.
    #[error("nobody reads this pipe any more")]
    Closed,
    /// The pipe was reset.
    #[error("the pipe was reset")]
    Broken,
}

/// A snapshot of a pipe's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeView {
    /// The name of its stream, such as `cell stdin`.
    pub name: Arc<str>,
    /// The most bytes that it holds.
    pub capacity_bytes: usize,
    /// Whether it waits for deliveries and grants.
    pub held: bool,
    /// Bytes that were written and not yet delivered.
    pub staged_bytes: usize,
    /// How many of the staged bytes stay with the host because nobody flushed them.
    pub unflushed_bytes: usize,
    /// Bytes that were delivered and not yet read.
    pub visible_bytes: usize,
    /// Bytes that a writer may write.
    pub budget_bytes: usize,
    /// The most handles that ever had a permit at the same time. Each may use its own.
    pub permits: usize,
    /// Whether a reader waits for bytes.
    pub reader_waits: bool,
    /// Whether a writer waits for budget.
    pub writer_waits: bool,
    /// Whether the writer was told 0 when it last asked how much it may write.
    pub writer_refused: bool,
    /// Whether the pipe was muted: it delivers nothing any more.
    pub muted: bool,
    /// Whether the reading end is open.
    pub reader_open: bool,
    /// Whether the writing end is open.
    pub writer_open: bool,
}

impl Pipe {
    pub(crate) fn new(name: Arc<str>, capacity_bytes: usize, held: bool) -> Self {
        Pipe {
            name,
            capacity_bytes,
            freedoms: Freedoms::default(),
            bytes: ByteQueue::default(),
            budget: if held { Budget::Held { granted_bytes: 0 } } else { Budget::Free },
            condition: Condition::Whole,
            writer: WritingEnd {
                is_open: true,
                handles: Handles::default(),
                starved: false,
                refused: false,
                wakers: Vec::new(),
            },
            reader: ReadingEnd { is_open: true, end_visible: false, spurred: false, wakers: Vec::new() },
        }
    }

    pub(crate) fn view(&self) -> PipeView {
        PipeView {
            name: self.name.clone(),
            capacity_bytes: self.capacity_bytes,
            held: self.is_held(),
            staged_bytes: self.bytes.undelivered(),
            unflushed_bytes: self.bytes.unreleased(),
            visible_bytes: self.bytes.visible(),
            budget_bytes: self.budget(),
            permits: self.writer.handles.most(),
            reader_waits: !self.reader.wakers.is_empty(),
            writer_waits: !self.writer.wakers.is_empty(),
            writer_refused: self.writer.refused,
            muted: self.is_muted(),
            reader_open: self.reader.is_open,
            writer_open: self.writer.is_open,
        }
    }

    /// Whether a waker waits for bytes, and whether it waits for budget.
    pub(crate) fn is_waited_for_by(&self, waker: &Waker) -> (bool, bool) {
        let holds = |wakers: &[Waker]| wakers.iter().any(|held| held.will_wake(waker));
        (holds(&self.reader.wakers), holds(&self.writer.wakers))
    }

    fn is_held(&self) -> bool {
        self.budget != Budget::Free
    }

    fn room(&self) -> usize {
        self.capacity_bytes.saturating_sub(self.bytes.queued())
    }

    fn budget(&self) -> usize {
        match self.budget {
            Budget::Free => self.room(),
            Budget::Held { granted_bytes } => granted_bytes,
        }
    }

    /// Changes the capacity and whether the pipe is held. Permits that were given stay valid.
    pub(crate) fn shape(&mut self, capacity_bytes: usize, held: bool) {
        self.capacity_bytes = capacity_bytes;
        if held {
            self.budget = Budget::Held { granted_bytes: self.writer.handles.largest_permit() };
        } else {
            self.budget = Budget::Free;
            self.flow();
        }
        // A writer that was told 0 before may find room now.
        wake(&mut self.writer.wakers);
    }

    // ---- the writer's side

    /// Makes a handle on the writing end.
    pub(crate) fn add_handle(&mut self) -> WriterId {
        self.writer.handles.add()
    }

    /// How many bytes a handle may write now. A writer that is told 0 may be granted more.
    pub(crate) fn check_write(&mut self, writer: WriterId) -> Permit {
        let permit = self.permit(writer);
        self.writer.refused = permit == Permit::Bytes(0);
        if let Permit::Bytes(bytes) = permit {
            self.writer.handles.permit(writer, bytes);
        }
        self.release_if_full();
        permit
    }

    fn permit(&mut self, writer: WriterId) -> Permit {
        match self.no_writer() {
            None => {}
            Some(WriteError::Broken) => return Permit::Broken,
            Some(_) => return Permit::Closed,
        }
        self.writer.starved = self.budget() == 0;
        let flushing = self.writer.handles.is_flushing(writer, self.bytes.delivered());
        Permit::Bytes(if flushing { 0 } else { self.budget() })
    }

    /// Whether a handle may write this many bytes, that is, whether [`write`](Self::write) would take them.
    pub(crate) fn check_permit(&self, writer: WriterId, bytes: usize) -> Result<(), WriteError> {
        self.check_open()?;
        self.writer.handles.check(writer, bytes, self.bytes.delivered())
    }

    /// Takes bytes that a handle was permitted before. An empty write needs no permit and uses none up.
    ///
    /// # Errors
    /// [`WriteError`] if the pipe has ended, or if the bytes exceed the handle's permit.
    pub(crate) fn write(&mut self, writer: WriterId, mut bytes: Bytes) -> Result<WriteOutcome, WriteError> {
        self.check_open()?;
        if bytes.is_empty() {
            return Ok(WriteOutcome { taken_bytes: 0, ended: None });
        }
        let ends_permit = self.freedoms.one_write_a_permit;
        self.writer.handles.spend(writer, bytes.len(), self.bytes.delivered(), ends_permit)?;
        if let Budget::Held { granted_bytes } = self.budget {
            // Less may be left than was promised, because the budget can shrink between `check_write` and `write`.
            let granted_bytes = granted_bytes.saturating_sub(bytes.len()).min(self.room());
            self.budget = Budget::Held { granted_bytes };
        }
        let mut ending_now = None;
        if let Condition::EndsAt { offset, ending } = self.condition {
            let left_bytes = offset - self.bytes.written();
            if left_bytes <= bytes.len() as u64 {
                bytes.truncate(left_bytes as usize);
                ending_now = Some(ending);
            }
        }
        let taken_bytes = bytes.len();
        if !bytes.is_empty() {
            self.bytes.push(bytes);
            if !self.freedoms.keeps_unflushed {
                self.bytes.release();
            }
            if !self.is_held() {
                self.flow();
            }
            self.release_if_full();
        }
        let ended = ending_now.map(|ending| (ending, self.end(ending)));
        Ok(WriteOutcome { taken_bytes, ended })
    }

    /// Asks for a flush: this handle may write more only after all bytes written so far are delivered.
    ///
    /// # Errors
    /// [`WriteError::Closed`] and [`WriteError::Broken`] if the pipe has ended.
    pub(crate) fn flush(&mut self, writer: WriterId) -> Result<(), WriteError> {
        self.check_open()?;
        self.writer.handles.flush(writer, self.bytes.written(), self.freedoms.one_write_a_permit);
        self.release();
        Ok(())
    }

    fn check_open(&self) -> Result<(), WriteError> {
        match self.no_writer() {
            Some(refused) => Err(refused),
            None => Ok(()),
        }
    }

    /// Drops a handle and its permit. Bytes that it wrote and did not flush are released.
    pub(crate) fn drop_handle(&mut self, writer: WriterId) {
        self.writer.handles.remove(writer);
        self.release();
    }

    /// Ends the stream after the bytes that were written.
    pub(crate) fn close_writer(&mut self) {
        self.writer.is_open = false;
        self.release_end();
    }

    /// Whether a writer has something to learn: that there is budget, or that the pipe has ended.
    pub(crate) fn writable(&mut self, writer: WriterId) -> bool {
        let writable = !matches!(self.permit(writer), Permit::Bytes(0));
        self.release_if_full();
        writable
    }

    /// Lets all written bytes be delivered, flushed or not.
    pub(super) fn release(&mut self) {
        if self.bytes.unreleased() > 0 {
            self.release_end();
        }
    }

    /// Like [`release`](Self::release), and also lets the end be delivered if nothing more will be written.
    pub(super) fn release_end(&mut self) {
        self.bytes.release();
        if !self.is_held() {
            self.flow();
        }
    }

    /// Releases unflushed bytes if there is no budget. The host may keep them back only while there is budget: a writer
    /// that is told 0 waits for the stream to become ready, so it must become ready.
    pub(super) fn release_if_full(&mut self) {
        if self.budget() == 0 {
            self.release();
        }
    }

    pub(crate) fn wait_writable(&mut self, waker: &Waker) {
        remember(&mut self.writer.wakers, waker);
    }

    // ---- the reader's side

    /// Takes at most `max_bytes` of the visible bytes.
    pub(crate) fn read(&mut self, max_bytes: usize) -> ReadOutcome {
        match self.half_broken_at(End::Reader) {
            _ if self.is_broken() => return ReadOutcome::Broken,
            Some(Ending::Reset) => return ReadOutcome::Broken,
            Some(Ending::Close) => return ReadOutcome::End,
            None => {}
        }
        let mut take = max_bytes.min(self.bytes.visible());
        if self.freedoms.short_reads {
            take = take.div_ceil(2);
        }
        if take == 0 {
            self.reader.spurred = false;
            let ended = self.reader.end_visible && self.bytes.queued() == 0;
            return if ended { ReadOutcome::End } else { ReadOutcome::Nothing };
        }
        self.reader.spurred = false;
        let bytes = self.bytes.take(take);
        if !self.is_held() {
            wake(&mut self.writer.wakers);
        }
        ReadOutcome::Bytes(bytes)
    }

    /// Tells the writer that nobody reads any more. Returns how many bytes are lost.
    pub(crate) fn close_reader(&mut self) -> usize {
        self.reader.is_open = false;
        wake(&mut self.writer.wakers);
        self.bytes.discard()
    }

    /// Whether a reader has something to learn: that there are bytes, or that the pipe has ended.
    pub(crate) fn readable(&self) -> bool {
        self.reader.spurred
            || self.is_broken()
            || self.half_broken_at(End::Reader).is_some()
            || self.bytes.visible() > 0
            || (self.reader.end_visible && self.bytes.queued() == 0)
    }

    /// Whether the writer was told 0 when it last asked how much it may write.
    pub(crate) fn was_refused(&self) -> bool {
        self.writer.refused
    }

    /// Whether there are bytes to read.
    pub(crate) fn has_visible(&self) -> bool {
        self.bytes.visible() > 0
    }

    /// Whether the pipe has nothing for a reader, neither bytes nor an end, so that only a spur can make it readable.
    pub(crate) fn has_nothing_to_read(&self) -> bool {
        let has_end = self.is_broken() || self.half_broken_at(End::Reader).is_some();
        !has_end && !self.reader.end_visible && self.bytes.visible() == 0
    }

    pub(crate) fn wait_readable(&mut self, waker: &Waker) {
        remember(&mut self.reader.wakers, waker);
    }
}

/// Keeps a waker, unless it is there already.
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
