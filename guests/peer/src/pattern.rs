//! A running pattern of bytes, which shows lost, doubled and swapped bytes in a stream.
//!
//! The first byte that is out of place shows the fault. The period is a prime, and sizes of buffers are powers of two.
//! So no buffer holds a whole number of periods, and a lost buffer shows too.

use wavetank_guest::{Error, Result};

const PERIOD: u8 = 251;

/// Makes `count` bytes of the pattern, starting `from` bytes after its beginning.
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
    /// Fails at the first byte that is out of place, and names it.
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

    /// Checks that the stream ended at the expected length.
    ///
    /// # Errors
    ///
    /// Fails if the stream had another length, and names that length.
    pub fn end(&self, expected_bytes: usize) -> Result<()> {
        if self.seen_bytes == expected_bytes {
            return Ok(());
        }
        Err(Error::guest(format!("{} bytes came, not the {expected_bytes} expected", self.seen_bytes)))
    }
}
