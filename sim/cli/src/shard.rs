//! Shards of a sweep.

use std::fmt;
use std::str::FromStr;

/// One of `of` shards: every `of`th seed, from the `index`th on, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shard {
    pub(crate) index: u64,
    pub(crate) of: u64,
}

impl Shard {
    /// How many of the first `places` places belong to this shard.
    pub(crate) fn count(self, places: u64) -> u64 {
        places / self.of + u64::from(places % self.of >= self.index)
    }

    /// The `nth` place of this shard, among the places of all shards.
    pub(crate) fn place(self, nth: u64) -> u64 {
        nth * self.of + self.index - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("not a shard: {text:?} (write I/N with I from 1 to N, as 2/3)");
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let (index, of) = (index.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
        if (1..=of).contains(&index) && of <= MAX_SHARDS { Ok(Shard { index, of }) } else { Err(wrong()) }
    }
}

/// More shards than anybody has machines.
pub(crate) const MAX_SHARDS: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_deal_every_place_once() {
        for (places, of) in [(0, 3), (1, 3), (10, 3), (12, 4), (5, 1), (2, 7)] {
            let shards = (1..=of).map(|index| Shard { index, of });
            let mut dealt: Vec<u64> =
                shards.flat_map(|s| (0..s.count(places)).map(move |nth| s.place(nth))).collect();
            dealt.sort_unstable();
            assert_eq!(dealt, (0..places).collect::<Vec<_>>(), "{places} in {of}");
        }
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, of: 3 }));
        for text in ["", "0/3", "4/3", "1", "a/b", "1/0", "1/99999999999"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
