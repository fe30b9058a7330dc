//! Strategies by their names.

use super::{Bound, Bytes, Frontier, Pct, Pos, Random, RoundRobin, Strategy, Survey, Surw, Urw, portfolio};
use crate::nearest::did_you_mean;
use crate::profile::Profile;
use crate::seed::{Purpose, Seed, below};
use std::fmt;
use std::str::FromStr;

/// A strategy by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StrategyName {
    /// The other strategies that search by seed, divided among seeds.
    #[default]
    Portfolio,
    /// Weighted random moves.
    Random,
    /// Always item 0: the calm policy from the first step on. Draws nothing.
    RoundRobin,
    /// Probabilistic concurrency testing with this depth. If no depth is given, it is drawn from the seed.
    Pct(Option<u32>),
    /// Partial order sampling.
    Pos,
    /// A uniform random walk.
    Urw,
    /// A selectively uniform random walk.
    Surw,
    /// Every schedule within a bound, one after the other: the search is a [`Frontier`]. For a single seed, the first
    /// of these schedules.
    Exhaustive(Bound),
    /// Choices from bytes.
    Bytes(Vec<u8>),
}

/// The largest depth that is drawn if no depth is given. Few bugs are deeper (Burckhardt et al., section 4).
const DRAWN_DEPTHS: u32 = 4;

/// The largest depth that a user can ask for.
const MAX_DEPTH: u32 = 100;

impl StrategyName {
    /// All strategies, each with its parameters and a description.
    pub const ALL: [(&str, &str); 9] = [
        ("portfolio", "random, pct, pos, urw and surw, divided among seeds: the default"),
        ("random", "weighted random moves, amounts and pipes, all drawn from the seed"),
        ("round-robin", "every task, pipe and answer in turn; the same for every seed"),
        ("pct[:DEPTH]", "random priorities that fall DEPTH - 1 times; a depth from 1 to 4 without one"),
        ("pos", "partial order sampling: a random priority for each move, a new one after a race"),
        ("urw", "a uniform random walk: every interleaving about as likely as every other"),
        ("surw", "the same for a subset of the moves that is drawn from the seed"),
        (
            "exhaustive[:B]",
            "every schedule: with at most 2 preemptions; :N for N; :delays=N; :N,delays=M; :all without a bound",
        ),
        ("bytes:HEX", "choices from bytes, as bytes:0a1b2c: for fuzzing"),
    ];

    /// The strategies that search by seed, for comparisons.
    pub fn searching() -> Vec<StrategyName> {
        use StrategyName::{Pct, Portfolio, Pos, Random, Surw, Urw};
        vec![Random, Pct(Some(3)), Pos, Urw, Surw, Portfolio]
    }

    /// The strategy that is used for one seed: a portfolio becomes one of its parts, and a missing depth is drawn.
    pub fn for_seed(&self, seed: Seed) -> StrategyName {
        match self {
            StrategyName::Portfolio => portfolio::part(seed).for_seed(seed),
            StrategyName::Pct(None) => {
                let depth = 1 + below(&mut seed.stream(Purpose::Subset), DRAWN_DEPTHS);
                StrategyName::Pct(Some(depth))
            }
            fixed => fixed.clone(),
        }
    }

    /// Whether [`make`](Self::make) uses a survey for this seed.
    pub fn needs_survey(&self, seed: Seed) -> bool {
        matches!(self.for_seed(seed), StrategyName::Pct(_) | StrategyName::Urw | StrategyName::Surw)
    }

    /// The strategy itself, for one seed, steered by a profile.
    pub fn make(&self, seed: Seed, profile: &Profile, survey: &Survey) -> Box<dyn Strategy> {
        match self.for_seed(seed) {
            StrategyName::Portfolio | StrategyName::Random => Box::new(Random::new(seed, profile)),
            StrategyName::RoundRobin => Box::new(RoundRobin),
            StrategyName::Pct(depth) => Box::new(Pct::new(seed, depth.unwrap_or(1), profile, survey)),
            StrategyName::Pos => Box::new(Pos::new(seed, profile)),
            StrategyName::Urw => Box::new(Urw::new(seed, profile, survey)),
            StrategyName::Surw => Box::new(Surw::new(seed, profile, survey)),
            StrategyName::Exhaustive(bound) => Box::new(Frontier::new(bound).strategy()),
            StrategyName::Bytes(bytes) => Box::new(Bytes::new(bytes).up_to(profile.level)),
        }
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StrategyName::Portfolio => f.write_str("portfolio"),
            StrategyName::Random => f.write_str("random"),
            StrategyName::RoundRobin => f.write_str("round-robin"),
            StrategyName::Pct(None) => f.write_str("pct"),
            StrategyName::Pct(Some(depth)) => write!(f, "pct:{depth}"),
            StrategyName::Pos => f.write_str("pos"),
            StrategyName::Urw => f.write_str("urw"),
            StrategyName::Surw => f.write_str("surw"),
            StrategyName::Exhaustive(bound) => match (bound.preemptions, bound.delays) {
                (None, None) => f.write_str("exhaustive:all"),
                (Some(preemptions), None) => write!(f, "exhaustive:{preemptions}"),
                (None, Some(delays)) => write!(f, "exhaustive:delays={delays}"),
                (Some(preemptions), Some(delays)) => write!(f, "exhaustive:{preemptions},delays={delays}"),
            },
            StrategyName::Bytes(bytes) => {
                f.write_str("bytes:")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl FromStr for StrategyName {
    type Err = StrategyError;

    fn from_str(text: &str) -> Result<Self, StrategyError> {
        let (name, parameter) = match text.split_once(':') {
            Some((name, parameter)) => (name, Some(parameter)),
            None => (text, None),
        };
        let wrong = |hint: &'static str| StrategyError::Parameter { text: text.into(), hint };
        match (name, parameter) {
            ("portfolio", None) => Ok(StrategyName::Portfolio),
            ("random", None) => Ok(StrategyName::Random),
            ("round-robin", None) => Ok(StrategyName::RoundRobin),
            ("pos", None) => Ok(StrategyName::Pos),
            ("urw", None) => Ok(StrategyName::Urw),
            ("surw", None) => Ok(StrategyName::Surw),
            ("portfolio" | "random" | "round-robin" | "pos" | "urw" | "surw", Some(_)) => {
                Err(wrong("it takes no parameter"))
            }
            ("pct", None) => Ok(StrategyName::Pct(None)),
            ("pct", Some(depth)) => match depth.parse() {
                Ok(depth) if (1..=MAX_DEPTH).contains(&depth) => Ok(StrategyName::Pct(Some(depth))),
                _ => Err(wrong("its depth is a number from 1 to 100, as pct:3")),
            },
            ("exhaustive", None) => Ok(StrategyName::Exhaustive(Bound::default())),
            ("exhaustive", Some(bound)) => {
                let hint = "its bound is a number of preemptions, of delays or both, or all, as exhaustive:2, \
                            exhaustive:delays=3, exhaustive:2,delays=3, exhaustive:all";
                self::bound(bound).map(StrategyName::Exhaustive).ok_or_else(|| wrong(hint))
            }
            ("bytes", hex) => hex
                .and_then(unhex)
                .map(StrategyName::Bytes)
                .ok_or_else(|| wrong("its bytes are pairs of hexadecimal digits, as bytes:0a1b2c")),
            _ => Err(StrategyError::Unknown(text.into())),
        }
    }
}

fn bound(text: &str) -> Option<Bound> {
    if text == "all" {
        return Some(Bound { preemptions: None, delays: None });
    }
    let number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?;
    let (preemptions, delays) = match text.split_once(',') {
        Some((preemptions, delays)) => (Some(preemptions), Some(delays)),
        None if text.starts_with("delays=") => (None, Some(text)),
        None => (Some(text), None),
    };
    let preemptions = preemptions.map(number);
    let delays = delays.map(|text| text.strip_prefix("delays=").and_then(number));
    // A bound that is given and is not a number is an error; a bound that is not given is no bound.
    let given = |bound: Option<Option<u32>>| bound.map_or(Some(None), |number| number.map(Some));
    Some(Bound { preemptions: given(preemptions)?, delays: given(delays)? })
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// The names without their parameters.
const NAMES: [&str; 9] =
    ["portfolio", "random", "round-robin", "pct", "pos", "urw", "surw", "exhaustive", "bytes"];

/// Why a text names no strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StrategyError {
    /// There is no strategy of this name.
    #[error(
        "unknown strategy {0:?}: there are portfolio, random, round-robin, pct, pos, urw, surw, exhaustive and bytes (`wavetank list` shows their parameters){hint}",
        hint = did_you_mean(.0, NAMES)
    )]
    Unknown(String),
    /// There is such a strategy, but its parameter is wrong.
    #[error("strategy {text:?}: {hint}")]
    Parameter {
        /// The text that was given.
        text: String,
        /// A hint at a correct parameter.
        hint: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for text in [
            "portfolio",
            "random",
            "round-robin",
            "pct",
            "pct:3",
            "pos",
            "urw",
            "surw",
            "exhaustive:0",
            "exhaustive:all",
            "exhaustive:delays=2",
            "exhaustive:1,delays=3",
            "bytes:",
            "bytes:0a1b2c",
        ] {
            assert_eq!(text.parse::<StrategyName>().unwrap().to_string(), text);
        }
        assert_eq!("exhaustive".parse::<StrategyName>().unwrap().to_string(), "exhaustive:2");
    }

    #[test]
    fn what_is_wrong_is_told_with_what_would_be_right() {
        for (text, tells) in [
            ("best", "there are portfolio, random, "),
            ("", "there are portfolio, random, "),
            ("urw:3", "it takes no parameter"),
            ("pct:0", "from 1 to 100, as pct:3"),
            ("pct:", "from 1 to 100, as pct:3"),
            ("pct:-1", "from 1 to 100, as pct:3"),
            ("exhaustive:", "as exhaustive:2, exhaustive:delays=3"),
            ("exhaustive:+2", "as exhaustive:2, exhaustive:delays=3"),
            ("exhaustive:2,3", "as exhaustive:2, exhaustive:delays=3"),
            ("exhaustive:delays=", "as exhaustive:2, exhaustive:delays=3"),
            ("bytes", "as bytes:0a1b2c"),
            ("bytes:0a1", "as bytes:0a1b2c"),
            ("bytes:0g", "as bytes:0a1b2c"),
        ] {
            let error = text.parse::<StrategyName>().unwrap_err().to_string();
            assert!(error.contains(tells), "{text}: {error}");
        }
    }
}
