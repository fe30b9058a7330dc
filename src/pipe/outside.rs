//! A pipe from outside: the operations of a driver on it, and which of them are possible now.

use super::{End, Ending, HalfBreak, Pipe, WriteError, wake};
use crate::freedoms::Freedoms;

impl Pipe {
    /// Whether there is something to deliver: staged bytes, or the end after them.
    pub(crate) fn deliverable(&self) -> bool {
        let end = self.is_over() && !self.end_visible && self.half_broken.is_none();
        !self.broken && !self.muted && self.seems_read() && (self.staged() > 0 || end)
    }

    /// Whether nothing more will be written.
    pub(super) fn is_over(&self) -> bool {
        !self.writer_open || self.ended
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
        self.staged()
    }

    /// Makes up to `bytes` staged bytes visible, or the end if no staged bytes are left.
    pub(crate) fn deliver(&mut self, bytes: usize) {
        if self.staged() == 0 {
            self.end_visible |= self.is_over() && self.half_broken.is_none();
        } else {
            let moved = bytes.min(self.staged());
            self.delivered += moved as u64;
        }
        wake(&mut self.readers);
        if self.handles.somebody_hears(self.delivered) && self.budget() > 0 {
            wake(&mut self.writers);
        }
    }

    /// Whether a grant would be news for the writer: it was told 0, and there is room.
    pub(crate) fn grantable(&self) -> bool {
        self.held
            && self.starved
            && self.granted_bytes == 0
            && self.room() > 0
            && self.seems_read()
            && !self.is_over()
            && !self.broken
    }

    /// Bytes that a grant could give.
    pub(crate) fn grantable_bytes(&self) -> usize {
        self.room()
    }

    /// Gives the writer up to `bytes` of the room in the pipe. With 0 the writer is woken for nothing, which is legal
    /// because WASI leaves the amount to the host.
    pub(crate) fn grant(&mut self, bytes: usize) {
        self.granted_bytes = bytes.min(self.room());
        // A writer that waits for a flush does not hear of the grant yet. If it was granted nothing, it stays starved.
        let hears = self.handles.somebody_hears(self.delivered);
        self.starved = !hears && self.granted_bytes == 0;
        if hears {
            wake(&mut self.writers);
        }
    }

    /// Whether a spurious wake is possible: a task waits to read and there is nothing to read.
    pub(crate) fn spurrable(&self) -> bool {
        !self.readers.is_empty() && !self.readable()
    }

    /// Wakes the tasks that wait to read, and tells them that the pipe is readable. This is legal because "readiness"
    /// is only a hint, and a read may bring nothing (WASI 0.2, `input-stream.read`).
    pub(crate) fn spur(&mut self) {
        self.spurred = true;
        wake(&mut self.readers);
    }

    /// Bytes of budget that could be taken back. The last answer of `check_write` stays valid until it is asked again.
    pub(crate) fn shrinkable_bytes(&self) -> usize {
        if self.held && !self.is_over() && self.reader_open && !self.broken { self.granted_bytes } else { 0 }
    }

    /// Cuts the budget down to at most `bytes`.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        self.granted_bytes = self.granted_bytes.min(bytes);
        // A writer that waits for a flush was told of budget. It is not told again before it has some.
        self.starved |= self.granted_bytes == 0 && !self.writers.is_empty();
        self.release_if_full();
    }

    /// Whether the pipe could still be ended, or muted.
    pub(crate) fn is_live(&self) -> bool {
        self.reader_open
            && !self.is_over()
            && !self.broken
            && !self.muted
            && self.cut.is_none()
            && self.half_broken.is_none()
    }

    /// How a half-broken pipe has ended for one of its ends; `None` if that end notices nothing.
    pub(super) fn half_broken_at(&self, end: End) -> Option<Ending> {
        self.half_broken.filter(|half| half.end == end).map(|half| half.ending)
    }

    /// Whether a reader is there, as far as the writer knows.
    fn seems_read(&self) -> bool {
        self.reader_open || self.half_broken.is_some_and(|half| half.end == End::Reader)
    }

    /// Why nothing can be written any more; `None` if writing is possible.
    pub(super) fn no_writer(&self) -> Option<WriteError> {
        let half = self.half_broken_at(End::Writer);
        if self.broken || half == Some(Ending::Reset) {
            return Some(WriteError::Broken);
        }
        (half.is_some() || self.ended || !self.seems_read()).then_some(WriteError::Closed)
    }

    /// Ends the pipe at one end only, at once. Returns how many bytes are lost.
    ///
    /// If the writer is told, it can write no more. The reader reads the bytes that were written before, and then
    /// waits. If the reader is told, it loses its unread bytes. The writer goes on until the pipe is full. Only
    /// [`reset`](Self::reset) tells the other end.
    pub(crate) fn half_break(&mut self, half: HalfBreak) -> usize {
        self.half_broken = Some(half);
        match half.end {
            End::Writer => {
                wake(&mut self.writers);
                0
            }
            End::Reader => {
                wake(&mut self.readers);
                self.drain()
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
        self.cut = Some((self.written + bytes as u64, ending));
        None
    }

    /// Ends the pipe. Returns how many bytes are lost.
    pub(super) fn end(&mut self, ending: Ending) -> usize {
        self.cut = None;
        match ending {
            Ending::Reset => self.reset(),
            Ending::Close => {
                self.ended = true;
                self.release_end();
                wake(&mut self.writers);
                0
            }
        }
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.muted
    }

    /// Stops all delivery from now on.
    pub(crate) fn mute(&mut self) {
        self.muted = true;
    }

    /// Breaks the pipe at both ends. Returns how many bytes are lost.
    pub(crate) fn reset(&mut self) -> usize {
        self.broken = true;
        wake(&mut self.readers);
        wake(&mut self.writers);
        self.drain()
    }

    /// Makes all released bytes visible, as a free pipe does.
    pub(super) fn flow(&mut self) {
        if self.muted {
            return;
        }
        self.delivered = self.released;
        self.end_visible |= self.is_over() && self.half_broken.is_none();
        wake(&mut self.readers);
    }

    pub(super) fn drain(&mut self) -> usize {
        let lost = self.queued();
        self.queue.clear();
        self.released = self.written;
        self.delivered = self.written;
        self.consumed = self.written;
        lost
    }
}
