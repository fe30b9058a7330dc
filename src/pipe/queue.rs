//! The bytes of a pipe, as one queue with watermarks.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Bytes that were written and not yet read. Offsets count from the first byte ever written:
/// consumed ≤ delivered ≤ released ≤ written.
#[derive(Default)]
pub(super) struct ByteQueue {
    chunks: VecDeque<Bytes>,
    written: u64,
    /// The number of written bytes that may be delivered: all of them, unless unflushed bytes are kept back.
    released: u64,
    delivered: u64,
    consumed: u64,
}

impl ByteQueue {
    /// Bytes ever written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes ever delivered.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Bytes that were written and not delivered.
    pub(super) fn undelivered(&self) -> usize {
        (self.written - self.delivered) as usize
    }

    /// Bytes that may not be delivered yet.
    pub(super) fn unreleased(&self) -> usize {
        (self.written - self.released) as usize
    }

    /// Bytes that could be delivered.
    pub(super) fn staged(&self) -> usize {
        (self.released - self.delivered) as usize
    }

    /// Bytes that could be read.
    pub(super) fn visible(&self) -> usize {
        (self.delivered - self.consumed) as usize
    }

    /// Bytes that take room: all that were written and not read.
    pub(super) fn queued(&self) -> usize {
        (self.written - self.consumed) as usize
    }

    /// Adds bytes, which are not released.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.written += bytes.len() as u64;
        self.chunks.push_back(bytes);
    }

    /// Lets all written bytes be delivered.
    pub(super) fn release(&mut self) {
        self.released = self.written;
    }

    /// Delivers up to `bytes` of the staged bytes.
    pub(super) fn deliver(&mut self, bytes: usize) {
        self.delivered += bytes.min(self.staged()) as u64;
    }

    /// Takes bytes off the queue, without a copy if they are in one piece.
    ///
    /// # Panics
    /// If `bytes` is 0 or more than [`visible`](Self::visible).
    pub(super) fn take(&mut self, bytes: usize) -> Bytes {
        assert!((1..=self.visible()).contains(&bytes), "{bytes} bytes of {} visible ones", self.visible());
        self.consumed += bytes as u64;
        let first = self.chunks.front_mut().expect("visible bytes are queued");
        if first.len() > bytes {
            return first.split_to(bytes);
        }
        if first.len() == bytes {
            return self.chunks.pop_front().expect("it was there");
        }
        let mut joined = BytesMut::with_capacity(bytes);
        while joined.len() < bytes {
            let left = bytes - joined.len();
            let first = self.chunks.front_mut().expect("visible bytes are queued");
            if first.len() > left {
                joined.extend_from_slice(&first.split_to(left));
            } else {
                joined.extend_from_slice(first);
                self.chunks.pop_front();
            }
        }
        joined.freeze()
    }

    /// Throws all bytes away, and says how many they were.
    pub(super) fn discard(&mut self) -> usize {
        let lost = self.queued();
        self.chunks.clear();
        self.released = self.written;
        self.delivered = self.written;
        self.consumed = self.written;
        lost
    }
}
