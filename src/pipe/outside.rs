//! A pipe from outside: the operations of a driver on it, and which of them are possible now.

use super::{Budget, Condition, End, Ending, HalfBreak, Pipe, WriteError, wake};
use crate::freedoms::Freedoms;

impl Pipe {
    /// Whether there is something to deliver: staged bytes, or the end after them.
    pub(crate) fn deliverable(&self) -> bool {
        let end = self.is_over() && !self.reader.end_visible && !self.is_half_broken();
        !self.is_broken() && !self.is_muted() && self.seems_read() && (self.bytes.staged() > 0 || end)
    }

    /// Whether nothing more will be written.
    pub(super) fn is_over(&self) -> bool {
        !self.writer.is_open || self.condition == Condition::Closed
    }

    /// Sets which of WASI's freedoms the host takes.
    pub(crate) fn take_freedoms(&mut self, freedoms: Freedoms) {
        self.freedoms = freedoms;
        if !freedoms.keeps_unflushed {
            self.release();
        }
    }

    /// Bytes that a delivery could move; 0 if only the end is left to deliver.
    pub(crate) fn deliverable_bytes(&self) -> usize {
        self.bytes.staged()
    }

    /// Makes up to `bytes` staged bytes visible, or the end if no staged bytes are left.
    pub(crate) fn deliver(&mut self, bytes: usize) {
        if self.bytes.staged() == 0 {
            self.show_end();
        } else {
            self.bytes.deliver(bytes);
        }
        wake(&mut self.reader.wakers);
        if self.writer.handles.somebody_hears(self.bytes.delivered()) && self.budget() > 0 {
            wake(&mut self.writer.wakers);
        }
    }

    /// Whether a grant would be news for the writer: it was told 0, and there is room.
    pub(crate) fn grantable(&self) -> bool {
        self.budget == Budget::Held { granted_bytes: 0 }
            && self.writer.starved
            && self.room() > 0
            && self.seems_read()
            && !self.is_over()
            && !self.is_broken()
    }

    /// Bytes that a grant could give.
    pub(crate) fn grantable_bytes(&self) -> usize {
        self.room()
    }

    /// Gives the writer up to `bytes` of the room in the pipe. With 0 the writer is woken for nothing, which is legal
    /// because WASI leaves the amount to the host.
    pub(crate) fn grant(&mut self, bytes: usize) {
        let granted_bytes = bytes.min(self.room());
        if self.is_held() {
            self.budget = Budget::Held { granted_bytes };
        }
        // A writer that waits for a flush does not hear of the grant yet. If it was granted nothing, it stays starved.
        let hears = self.writer.handles.somebody_hears(self.bytes.delivered());
        self.writer.starved = !hears && granted_bytes == 0;
        if hears {
            wake(&mut self.writer.wakers);
        }
    }

    /// Whether a spurious wake is possible: a task waits to read and there is nothing to read.
    pub(crate) fn spurrable(&self) -> bool {
        !self.reader.wakers.is_empty() && !self.readable()
    }

    /// Wakes the tasks that wait to read, and tells them that the pipe is readable. This is legal because "readiness"
    /// is only a hint, and a read may bring nothing (WASI 0.2, `input-stream.read`).
    pub(crate) fn spur(&mut self) {
        self.reader.spurred = true;
        wake(&mut self.reader.wakers);
    }

    /// Bytes of budget that could be taken back. The last answer of `check_write` stays valid until it is asked again.
    pub(crate) fn shrinkable_bytes(&self) -> usize {
        match self.budget {
            Budget::Held { granted_bytes } if self.reader.is_open && !self.is_over() && !self.is_broken() => {
                granted_bytes
            }
            _ => 0,
        }
    }

    /// Cuts the budget down to at most `bytes`.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let Budget::Held { granted_bytes } = self.budget else { return };
        let granted_bytes = granted_bytes.min(bytes);
        self.budget = Budget::Held { granted_bytes };
        // A writer that waits for a flush was told of budget. It is not told again before it has some.
        self.writer.starved |= granted_bytes == 0 && !self.writer.wakers.is_empty();
        self.release_if_full();
    }

    /// Whether the pipe could still be ended, or muted.
    pub(crate) fn is_live(&self) -> bool {
        self.reader.is_open && self.writer.is_open && self.condition == Condition::Whole
    }

    /// How a half-broken pipe has ended for one of its ends; `None` if that end notices nothing.
    pub(super) fn half_broken_at(&self, end: End) -> Option<Ending> {
        match self.condition {
            Condition::HalfBroken(half) if half.end == end => Some(half.ending),
            _ => None,
        }
    }

    /// Whether a reader is there, as far as the writer knows.
    fn seems_read(&self) -> bool {
        self.reader.is_open || self.half_broken_at(End::Reader).is_some()
    }

    /// Why nothing can be written any more; `None` if writing is possible.
    pub(super) fn no_writer(&self) -> Option<WriteError> {
        let half = self.half_broken_at(End::Writer);
        if self.is_broken() || half == Some(Ending::Reset) {
            return Some(WriteError::Broken);
        }
        let is_closed = self.condition == Condition::Closed;
        (half.is_some() || is_closed || !self.seems_read()).then_some(WriteError::Closed)
    }

    /// Ends the pipe at one end only, at once. Returns how many bytes are lost.
    ///
    /// If the writer is told, it can write no more. The reader reads the bytes that were written before, and then
    /// waits. If the reader is told, it loses its unread bytes. The writer goes on until the pipe is full. Only
    /// [`reset`](Self::reset) tells the other end.
    pub(crate) fn half_break(&mut self, half: HalfBreak) -> usize {
        self.condition = Condition::HalfBroken(half);
        match half.end {
            End::Writer => {
                wake(&mut self.writer.wakers);
                0
            }
            End::Reader => {
                wake(&mut self.reader.wakers);
                self.bytes.discard()
            }
        }
    }

    /// Ends the pipe once `bytes` more were written. If that is now, returns how many bytes are lost.
    ///
    /// The pipe takes the order in advance, because a driver acts only between two writes and a pipe must be able to
    /// end at any byte, even in the middle of a write. Bytes behind the end were never in the pipe.
    pub(crate) fn cut(&mut self, bytes: usize, ending: Ending) -> Option<usize> {
        if bytes == 0 {
            return Some(self.end(ending));
        }
        self.condition = Condition::EndsAt { offset: self.bytes.written() + bytes as u64, ending };
        None
    }

    /// Ends the pipe. Returns how many bytes are lost.
    pub(super) fn end(&mut self, ending: Ending) -> usize {
        match ending {
            Ending::Reset => self.reset(),
            Ending::Close => {
                self.condition = Condition::Closed;
                self.release_end();
                wake(&mut self.writer.wakers);
                0
            }
        }
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.condition == Condition::Muted
    }

    pub(super) fn is_broken(&self) -> bool {
        self.condition == Condition::Broken
    }

    fn is_half_broken(&self) -> bool {
        matches!(self.condition, Condition::HalfBroken(_))
    }

    /// Stops all delivery from now on.
    pub(crate) fn mute(&mut self) {
        self.condition = Condition::Muted;
    }

    /// Breaks the pipe at both ends. Returns how many bytes are lost.
    pub(crate) fn reset(&mut self) -> usize {
        self.condition = Condition::Broken;
        wake(&mut self.reader.wakers);
        wake(&mut self.writer.wakers);
        self.bytes.discard()
    }

    /// Makes all released bytes visible, as a free pipe does.
    pub(super) fn flow(&mut self) {
        if self.is_muted() {
            return;
        }
        self.bytes.deliver(usize::MAX);
        self.show_end();
        wake(&mut self.reader.wakers);
    }

    /// Lets the reader see the end after all bytes, if nothing more will be written.
    fn show_end(&mut self) {
        self.reader.end_visible |= self.is_over() && !self.is_half_broken();
    }
}
