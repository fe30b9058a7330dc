//! Seeds: the single number from which a run starts.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::fmt;
use std::str::FromStr;

/// The number from which choices, hash keys and guests' random bytes are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seed(pub u64);

/// The use of a stream of random numbers. The streams of one seed are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The picks of a strategy.
    Choices,
    /// The keys of std's hash maps.
    HashKeys,
    /// The random bytes of one cell, given by its actor id.
    Guest(u32),
    /// Amounts, pipes and fault injection.
    Weather,
    /// The parameters that a strategy varies from seed to seed: a depth, or a subset.
    Subset,
    /// The next inputs of a fuzzer.
    Fuzz,
}

impl Seed {
    /// The stream of random numbers for one purpose.
    ///
    /// ChaCha8 (Bernstein 2008; Aumasson 2019, "Too Much Crypto"), keyed by seed and purpose: its output is
    /// fixed for all time, unlike that of an RNG named "default".
    pub fn stream(self, purpose: Purpose) -> ChaCha8Rng {
        let (kind, index) = match purpose {
            Purpose::Choices => (1, 0),
            Purpose::HashKeys => (2, 0),
            Purpose::Guest(cell) => (3, cell),
            Purpose::Weather => (4, 0),
            Purpose::Subset => (5, 0),
            Purpose::Fuzz => (6, 0),
        };
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.0.to_le_bytes());
        key[8] = kind;
        key[16..20].copy_from_slice(&u32::to_le_bytes(index));
        ChaCha8Rng::from_seed(key)
    }
}

/// A number from 0 to `bound` - 1; `bound` is at least 1. The bias is below 2^-32. There is no rejection loop, so it
/// always ends.
pub fn below(rng: &mut ChaCha8Rng, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1_000_000 { write!(f, "{}", self.0) } else { write!(f, "{:#x}", self.0) }
    }
}

impl FromStr for Seed {
    type Err = NotASeed;

    /// Reads a decimal number, or a hexadecimal one after `0x`.
    fn from_str(text: &str) -> Result<Self, NotASeed> {
        let number = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => text.parse(),
        };
        number.map(Seed).map_err(|_| NotASeed(text.into()))
    }
}

/// A text that is not a seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a seed: {0:?} (a seed is a number from 0 to 18446744073709551615, as 7 or 0x9f3a)")]
pub struct NotASeed(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back() {
        for seed in [0, 7, 999_999, 1_000_000, u64::MAX] {
            assert_eq!(Seed(seed).to_string().parse(), Ok(Seed(seed)));
        }
        for text in ["", "-1", "0x", "7 ", "18446744073709551616"] {
            assert!(text.parse::<Seed>().is_err(), "{text:?}");
        }
    }
}
