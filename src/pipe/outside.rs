//! A pipe from outside: what can be done to it, and doing it.

use super::{Ending, Pipe, wake};

impl Pipe {
    /// Whether there is something to deliver: staged bytes, or the end after them.
    pub(crate) fn deliverable(&self) -> bool {
        let end = self.is_over() && !self.end_visible;
        !self.broken && !self.muted && self.reader_open && (self.staged() > 0 || end)
    }

    /// Whether nothing more will be written.
    pub(super) fn is_over(&self) -> bool {
        !self.writer_open || self.ended
    }

    /// Bytes that a delivery could move: 0 where only the end is left to deliver.
    pub(crate) fn deliverable_bytes(&self) -> usize {
        self.staged()
    }

    /// Makes up to `bytes` staged bytes visible, or the end where none are left.
    pub(crate) fn deliver(&mut self, bytes: usize) {
        if self.staged() == 0 {
            self.end_visible |= self.is_over();
        } else {
            let moved = bytes.min(self.staged());
            self.delivered += moved as u64;
        }
        wake(&mut self.readers);
        if self.delivered >= self.flush_to && self.budget() > 0 {
            wake(&mut self.writers);
        }
    }

    /// Whether a grant would tell the writer something: it was told 0, and there is room.
    pub(crate) fn grantable(&self) -> bool {
        self.held
            && self.starved
            && self.granted_bytes == 0
            && self.room() > 0
            && self.reader_open
            && !self.is_over()
            && !self.broken
    }

    /// Bytes that a grant could give.
    pub(crate) fn grantable_bytes(&self) -> usize {
        self.room()
    }

    /// Gives the writer up to `bytes` of the room there is.
    pub(crate) fn grant(&mut self, bytes: usize) {
        self.granted_bytes = bytes.min(self.room());
        // A writer that waits for a flush does not hear of it yet: one that was granted nothing stays in need.
        let hears = self.delivered >= self.flush_to;
        self.starved = !hears && self.granted_bytes == 0;
        if hears {
            wake(&mut self.writers);
        }
    }

    /// Whether whoever waits to read could be woken for nothing.
    pub(crate) fn spurrable(&self) -> bool {
        !self.readers.is_empty() && !self.readable()
    }

    /// Wakes whoever waits to read, and tells them that there is something: "readiness" is a hint, and a read
    /// may bring nothing (WASI 0.2, `input-stream.read`).
    pub(crate) fn spur(&mut self) {
        self.spurred = true;
        wake(&mut self.readers);
    }

    /// Bytes of budget that could be taken back. What `check_write` has said stays true until it is asked again.
    pub(crate) fn shrinkable_bytes(&self) -> usize {
        if self.held && !self.is_over() && self.reader_open && !self.broken { self.granted_bytes } else { 0 }
    }

    /// Leaves at most `bytes` of the budget.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        self.granted_bytes = self.granted_bytes.min(bytes);
        // One that waits for a flush was told of budget, and is not told again before it has some.
        self.starved |= self.granted_bytes == 0 && !self.writers.is_empty();
    }

    /// Whether the pipe could still be ended, or muted.
    pub(crate) fn is_live(&self) -> bool {
        self.reader_open && !self.is_over() && !self.broken && !self.muted && self.cut.is_none()
    }

    /// Ends the pipe once `bytes` more were written; gives the bytes that are lost where that is now.
    pub(crate) fn cut(&mut self, bytes: usize, ending: Ending) -> Option<usize> {
        if bytes == 0 {
            return Some(self.end(ending));
        }
        self.cut = Some((self.written + bytes as u64, ending));
        None
    }

    /// Ends the pipe; gives the bytes that are lost by it.
    pub(super) fn end(&mut self, ending: Ending) -> usize {
        self.cut = None;
        match ending {
            Ending::Reset => self.reset(),
            Ending::Close => {
                self.ended = true;
                if !self.held {
                    self.flow();
                }
                wake(&mut self.writers);
                0
            }
        }
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.muted
    }

    /// Delivers nothing any more.
    pub(crate) fn mute(&mut self) {
        self.muted = true;
    }

    /// Breaks the pipe at both ends; gives the bytes that are lost by it.
    pub(crate) fn reset(&mut self) -> usize {
        self.broken = true;
        wake(&mut self.readers);
        wake(&mut self.writers);
        self.drain()
    }

    /// Makes all visible, as a free pipe does.
    pub(super) fn flow(&mut self) {
        if self.muted {
            return;
        }
        self.delivered = self.written;
        self.end_visible |= self.is_over();
        wake(&mut self.readers);
    }

    pub(super) fn drain(&mut self) -> usize {
        let lost = self.queued();
        self.queue.clear();
        self.delivered = self.written;
        self.consumed = self.written;
        lost
    }
}
