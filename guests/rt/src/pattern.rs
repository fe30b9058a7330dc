//! A running pattern: bytes that tell their place in a stream.
//!
//! What was lost, doubled, swapped or cut short on the way shows at the first byte that is out of place. The
//! period is a prime, so that no power of two, the size of every buffer, falls on its multiples.

use crate::{Error, Result};

const PERIOD: u8 = 251;

/// Makes `count` bytes of the pattern, as they stand `from` bytes after its beginning.
pub fn bytes(from: usize, count: usize) -> Vec<u8> {
    running(from).take(count).collect()
}

fn running(from: usize) -> impl Iterator<Item = u8> {
    (0..PERIOD).cycle().skip(from % usize::from(PERIOD))
}

/// Follows a stream from its beginning and checks that it is the pattern.
#[derive(Default)]
pub struct Check {
    seen_bytes: usize,
}

impl Check {
    /// Checks the next piece of the stream.
    ///
    /// # Errors
    ///
    /// Names the first byte that is out of place.
    pub fn next(&mut self, piece: &[u8]) -> Result<()> {
        for (index, (expected, found)) in running(self.seen_bytes).zip(piece).enumerate() {
            if expected != *found {
                let place = self.seen_bytes + index;
                return Err(Error::guest(format!("byte {place} is {found}, not the {expected} expected")));
            }
        }
        self.seen_bytes += piece.len();
        Ok(())
    }

    /// Checks that the stream ended where it should.
    ///
    /// # Errors
    ///
    /// Says how long it was.
    pub fn end(&self, expected_bytes: usize) -> Result<()> {
        if self.seen_bytes == expected_bytes {
            return Ok(());
        }
        Err(Error::guest(format!("{} bytes came, not the {expected_bytes} expected", self.seen_bytes)))
    }
}
