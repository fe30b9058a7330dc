//! Freedoms that WASI's text leaves to a host and that most hosts never take. A guest that depends on a host not taking
//! them is wrong.
//!
//! docs/src/explanation/wasi-freedoms.md goes through the text sentence by sentence. Not here: the choice of the
//! freedoms that a cell's host takes.

/// The freedoms of `wasi:io` that a cell's host takes. None by default. A correct guest does the same under all of
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freedoms {
    /// A permit is good for one write. A second write without a new `check-write` traps, and so does a write after a
    /// `flush` (`check-write`: "the number of bytes permitted for the next call to `write`").
    pub one_write_a_permit: bool,
    /// Bytes that were written and not flushed stay with the host, as long as `check-write` would permit more. They go
    /// on their way with the next flush, when the budget is used up, and when their handle or their cell ends.
    pub keeps_unflushed: bool,
    /// A read returns half of the bytes that are there, rounded up (`read`: "may return fewer than requested").
    pub short_reads: bool,
    /// A `poll` names only one of the pollables that are ready, each in turn (`poll`: "one or more indices").
    pub one_ready_at_a_time: bool,
}

impl Freedoms {
    /// How many sets of freedoms there are.
    pub const SETS: u32 = 16;

    /// The set with this number; 0 has none of them. Numbers from [`SETS`](Self::SETS) on repeat the same sets.
    pub fn of(number: u32) -> Self {
        Freedoms {
            one_write_a_permit: number & 1 != 0,
            keeps_unflushed: number & 2 != 0,
            short_reads: number & 4 != 0,
            one_ready_at_a_time: number & 8 != 0,
        }
    }

    /// Describes the host's behaviour for people: one entry for each freedom that it takes.
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
