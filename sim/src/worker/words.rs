//! Numbers in words.

/// A count with the name of the thing, which gets an s unless the count is one.
pub fn counted(count: u64, name: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {name}{s}")
}

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000 * MICROSECOND;
const SECOND: u64 = 1_000 * MILLISECOND;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// A time in nanoseconds, in short words: one decimal, and the rest is cut off.
pub fn span(ns: u64) -> String {
    let tenths = |unit: u64, name: &str| match (ns / unit, ns % unit * 10 / unit) {
        (whole, 0) => format!("{whole} {name}"),
        (whole, tenths) => format!("{whole}.{tenths} {name}"),
    };
    match ns {
        0..MICROSECOND => format!("{ns} ns"),
        MICROSECOND..MILLISECOND => tenths(MICROSECOND, "µs"),
        MILLISECOND..SECOND => tenths(MILLISECOND, "ms"),
        SECOND..MINUTE => tenths(SECOND, "s"),
        MINUTE..HOUR => format!("{} min {} s", ns / MINUTE, ns % MINUTE / SECOND),
        HOUR.. => format!("{} h {} min", ns / HOUR, ns % HOUR / MINUTE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_say_them() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "seed")), ["0 seeds", "1 seed", "2 seeds"]);
        for (ns, said) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1 µs"),
            (1_590_000, "1.5 ms"),
            (59_999_999_999, "59.9 s"),
            (60_000_000_000, "1 min 0 s"),
            (1_087_690_591_109_120, "302 h 8 min"),
            (u64::MAX, "5124095 h 34 min"),
        ] {
            assert_eq!(span(ns), said);
        }
    }
}
