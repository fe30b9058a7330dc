//! Freedoms that WASI's text leaves to a host, and that most hosts never take: a guest that depends on it is wrong.
//!
//! docs/wasi-freedoms.md goes through the text sentence by sentence. Not here: who decides which of them a cell's
//! host takes.

/// Which freedoms of `wasi:io` a cell's host takes. None by default. A correct guest does the same under all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freedoms {
    /// A permit is good for one write. A second one without a new `check-write` traps, and so does one after a
    /// `flush` (`check-write`: "the number of bytes permitted for the next call to `write`").
    pub one_write_a_permit: bool,
    /// What was written and not flushed stays with the host, as long as `check-write` would permit more. It goes on
    /// its way with the next flush, when there is no more budget, and when its handle or its cell ends.
    pub keeps_unflushed: bool,
    /// A read gives half of the bytes that are there, rounded up (`read`: "may return fewer than requested").
    pub short_reads: bool,
    /// A `poll` names one of the pollables that are ready, each in turn (`poll`: "one or more indices").
    pub one_ready_at_a_time: bool,
}

impl Freedoms {
    /// How many sets of freedoms there are.
    pub const SETS: u32 = 16;

    /// A set by its number: 0 has none of them. What is beyond [`SETS`](Self::SETS) goes round.
    pub fn of(number: u32) -> Self {
        Freedoms {
            one_write_a_permit: number & 1 != 0,
            keeps_unflushed: number & 2 != 0,
            short_reads: number & 4 != 0,
            one_ready_at_a_time: number & 8 != 0,
        }
    }

    /// What its host does, for people: one entry for each freedom that it takes.
    pub fn words(self) -> Vec<&'static str> {
        let all = [
            (self.one_write_a_permit, "a permit is good for one write"),
            (self.keeps_unflushed, "bytes stay with the host until they are flushed"),
            (self.short_reads, "a read gives half of what is there"),
            (self.one_ready_at_a_time, "poll names one ready pollable at a time"),
        ];
        all.into_iter().filter(|(taken, _)| *taken).map(|(_, words)| words).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_another_set_and_0_is_none() {
        let sets: Vec<Freedoms> = (0..Freedoms::SETS).map(Freedoms::of).collect();
        assert_eq!(sets[0], Freedoms::default());
        for (at, set) in sets.iter().enumerate() {
            assert!(!sets[..at].contains(set), "{set:?}");
            assert_eq!(set.words().len() as u32, (at as u32).count_ones());
        }
    }
}
