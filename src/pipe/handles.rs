//! The handles on a pipe's writing end, and the permit of each.
//!
//! `wasi:io/streams`: `check-write` "returns the number of bytes permitted for the next call to `write`". So a permit
//! belongs to the handle that asked. It holds until that handle's next write, however late that comes.

use super::WriteError;
use std::collections::BTreeMap;

/// A handle on a pipe's writing end, unique in its pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WriterId(u32);

/// Why a handle may not write as much as it tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermitError {
    /// Its last `check-write` permitted less.
    TooLong,
    /// It never asked with `check-write`.
    NeverAsked,
    /// It has used its permit for a write, and has not asked again.
    Spent,
    /// It has flushed, and has not been given a permit since.
    Flushing,
}

impl PermitError {
    /// Describes the guest's mistake, in WASI's words.
    pub(super) fn says(self, asked_bytes: usize, granted_bytes: usize) -> String {
        let rule = match self {
            PermitError::TooLong => {
                return format!(
                    "wrote {asked_bytes} bytes where this stream's last check-write permitted {granted_bytes}"
                );
            }
            PermitError::NeverAsked => {
                "without a permit: a write needs a check-write on the same output-stream before it"
            }
            PermitError::Spent => {
                "on a permit that was used: check-write permits the next write only, and another write needs \
                 another check-write"
            }
            PermitError::Flushing => {
                "during a flush: after flush an output-stream accepts no write until check-write permits one"
            }
        };
        format!("wrote {asked_bytes} bytes {rule}")
    }
}

/// The living handles that have asked for a permit or flushed.
#[derive(Default)]
pub(super) struct Handles {
    next: u32,
    living: BTreeMap<WriterId, Handle>,
    most: usize,
}

#[derive(Clone, Copy)]
struct Handle {
    /// Bytes that it may still write.
    permit_bytes: usize,
    /// Why it may not write more.
    why: PermitError,
    /// It gets no permit until this many bytes of the pipe were delivered.
    flush_to: u64,
}

impl Default for Handle {
    fn default() -> Self {
        Handle { permit_bytes: 0, why: PermitError::NeverAsked, flush_to: 0 }
    }
}

impl Handles {
    pub(super) fn add(&mut self) -> WriterId {
        self.next += 1;
        WriterId(self.next - 1)
    }

    pub(super) fn remove(&mut self, writer: WriterId) {
        self.living.remove(&writer);
    }

    /// The most handles that ever had asked at the same time.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn largest_permit(&self) -> usize {
        self.living.values().map(|handle| handle.permit_bytes).max().unwrap_or(0)
    }

    fn of(&mut self, writer: WriterId) -> &mut Handle {
        if !self.living.contains_key(&writer) {
            self.most = self.most.max(self.living.len() + 1);
        }
        self.living.entry(writer).or_default()
    }

    pub(super) fn permit(&mut self, writer: WriterId, bytes: usize) {
        let handle = self.of(writer);
        handle.permit_bytes = bytes;
        // A handle that is told 0 during a flush is still flushing.
        if bytes > 0 || handle.why != PermitError::Flushing {
            handle.why = PermitError::TooLong;
        }
    }

    pub(super) fn is_flushing(&self, writer: WriterId, delivered: u64) -> bool {
        self.living.get(&writer).is_some_and(|handle| delivered < handle.flush_to)
    }

    /// Whether any handle would hear of new budget. A handle that flushes hears of none before its flush is done.
    pub(super) fn somebody_hears(&self, delivered: u64) -> bool {
        self.living.is_empty() || self.living.values().any(|handle| handle.flush_to <= delivered)
    }

    /// Starts a flush of all written bytes. It ends the handle's permit if `ends_permit` is set.
    pub(super) fn flush(&mut self, writer: WriterId, written: u64, ends_permit: bool) {
        let handle = self.of(writer);
        handle.flush_to = written;
        if ends_permit {
            (handle.permit_bytes, handle.why) = (0, PermitError::Flushing);
        }
    }

    /// Whether a handle may write this many bytes.
    ///
    /// # Errors
    /// [`WriteError::Overrun`] if its permit is too small, or if a flush of it is under way.
    pub(super) fn check(&self, writer: WriterId, bytes: usize, delivered: u64) -> Result<(), WriteError> {
        let Handle { permit_bytes, why, flush_to } = self.living.get(&writer).copied().unwrap_or_default();
        let refused =
            |granted_bytes, why| Err(WriteError::Overrun { asked_bytes: bytes, granted_bytes, why });
        if bytes > 0 && delivered < flush_to {
            return refused(0, PermitError::Flushing);
        }
        if bytes > permit_bytes {
            return refused(permit_bytes, why);
        }
        Ok(())
    }

    /// Uses a permit. The write ends the permit if `ends_permit` is set; otherwise later writes may use the rest of it.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(super) fn spend(
        &mut self,
        writer: WriterId,
        bytes: usize,
        delivered: u64,
        ends_permit: bool,
    ) -> Result<(), WriteError> {
        self.check(writer, bytes, delivered)?;
        let handle = self.of(writer);
        handle.permit_bytes = if ends_permit { 0 } else { handle.permit_bytes - bytes };
        handle.why = PermitError::Spent;
        Ok(())
    }
}
