//! Ranges of seeds.

use sha2::{Digest, Sha256};
use std::str::FromStr;
use wavetank_sim::Seed;

/// A range of `count` seeds from `start` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seeds {
    pub(crate) start: u64,
    pub(crate) count: u64,
}

impl Seeds {
    /// The seed of a place. Seeds wrap around at the largest number.
    pub(crate) fn at(self, place: u64) -> Seed {
        Seed(self.start.wrapping_add(place))
    }

    /// The same range, shifted by a number made of `text`. The number is below 2^52, so that seeds are exact even if a
    /// reader of the JSON uses 64-bit floats.
    pub(crate) fn counted_from(self, text: &str) -> Self {
        let digest = Sha256::digest(text);
        let base = u64::from_le_bytes(*digest.first_chunk().expect("32 bytes begin with 8")) >> 12;
        Seeds { start: self.start.wrapping_add(base), ..self }
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("not a range of seeds: {text:?} (write A..B with A below B, as 0..100)");
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let (from, to): (Seed, Seed) = (from.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?);
        if from < to { Ok(Seeds { start: from.0, count: to.0 - from.0 }) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!("5..8".parse(), Ok(Seeds { start: 5, count: 3 }));
        for text in ["", "5", "8..5", "5..5", "a..b", "1..2..3"] {
            assert!(text.parse::<Seeds>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_names_the_same_seeds_again() {
        let seeds = Seeds { start: 0, count: 10 };
        assert_eq!(seeds.counted_from("a1b2c3"), seeds.counted_from("a1b2c3"));
        assert_ne!(seeds.counted_from("a1b2c3"), seeds.counted_from("a1b2c4"));
        let bases = (0..1_000).map(|text: u32| seeds.counted_from(&text.to_string()).start);
        assert!(bases.max().is_some_and(|base| (1 << 51..1 << 52).contains(&base)));
    }
}
