//! Strategies: the policies that pick from a menu.

use crate::choice::Choice;
use crate::menu::Menu;
use crate::moves::Kind;
use crate::profile::Profile;
use crate::seed::{Purpose, Seed};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use std::fmt;
use std::str::FromStr;

/// A policy that picks from a menu.
pub trait Strategy {
    /// Picks an item: an index below `menu.len()`, which is at least 2.
    fn pick(&mut self, menu: &Menu) -> usize;

    /// Draws how much of something: below `bound`, which is at least 2; 0 is all of it.
    fn amount(&mut self, bound: u32) -> u32;

    /// Draws how a pipe flows: below `bound`, which is at least 2; 0 is freely.
    fn pipe(&mut self, bound: u32) -> u32;

    /// Draws a value for a scenario: below `bound`, which is at least 2; 0 is the dullest.
    fn value(&mut self, bound: u32) -> u32;

    /// Learns what a draw turned out to mean.
    fn drew(&mut self, _choice: Choice) {}

    /// What there is to say at the end.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// A strategy by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StrategyName {
    /// Weighted random moves, small amounts now and then, most pipes free.
    #[default]
    Random,
    /// Always item 0: the calm policy from the first step on. Draws nothing.
    RoundRobin,
}

impl StrategyName {
    /// All of them, each with what it does.
    pub const ALL: [(StrategyName, &str); 2] = [
        (StrategyName::Random, "weighted random moves, amounts and pipes, all drawn from the seed"),
        (StrategyName::RoundRobin, "every task, pipe and answer in turn; the same for every seed"),
    ];

    /// The strategy itself, for one seed, steered by a profile.
    pub fn make(self, seed: Seed, profile: &Profile) -> Box<dyn Strategy> {
        match self {
            StrategyName::Random => Box::new(Random::new(seed, profile)),
            StrategyName::RoundRobin => Box::new(RoundRobin),
        }
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StrategyName::Random => "random",
            StrategyName::RoundRobin => "round-robin",
        })
    }
}

impl FromStr for StrategyName {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        let named = StrategyName::ALL.into_iter().find(|(name, _)| name.to_string() == text);
        named.map(|(name, _)| name).ok_or_else(|| UnknownStrategy(text.into()))
    }
}

/// A text that names no strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown strategy {0:?}: there are random and round-robin")]
pub struct UnknownStrategy(String);

/// Always item 0.
pub struct RoundRobin;

impl Strategy for RoundRobin {
    fn pick(&mut self, _: &Menu) -> usize {
        0
    }

    fn amount(&mut self, _: u32) -> u32 {
        0
    }

    fn pipe(&mut self, _: u32) -> u32 {
        0
    }

    fn value(&mut self, _: u32) -> u32 {
        0
    }
}

/// A weighted random walk.
pub struct Random {
    rng: ChaCha8Rng,
    weights: [u32; Kind::ALL.len()],
    held_pipes: u32,
    small_pieces: u32,
}

impl Random {
    /// The walk of one seed. Weights are drawn first, so that seeds differ in more than order (swarm testing:
    /// Groce, Zhang, Eide, Chen, Regehr, ISSTA 2012).
    pub fn new(seed: Seed, profile: &Profile) -> Self {
        let mut rng = seed.stream(Purpose::Choices);
        let mut weights = [8; Kind::ALL.len()];
        if profile.swarm_weights {
            weights = weights.map(|weight| weight << below(&mut rng, 4));
        }
        // A clock that runs ahead of everything else is lawful, but rare.
        weights[Kind::Advance as usize] = 1;
        Random { rng, weights, held_pipes: profile.held_pipes, small_pieces: profile.small_pieces }
    }
}

impl Strategy for Random {
    fn pick(&mut self, menu: &Menu) -> usize {
        let weigh = |(kind, count): (Kind, usize)| if count == 0 { 0 } else { self.weights[kind as usize] };
        let total: u32 = menu.counts().iter().copied().map(weigh).sum();
        let mut left = below(&mut self.rng, total);
        let mut before = 0;
        for &(kind, count) in menu.counts() {
            let weight = if count == 0 { 0 } else { self.weights[kind as usize] };
            if left < weight {
                return before + below(&mut self.rng, count as u32) as usize;
            }
            left -= weight;
            before += count;
        }
        unreachable!("the draw is below the sum of the weights")
    }

    fn amount(&mut self, bound: u32) -> u32 {
        if self.small_pieces == 0 || below(&mut self.rng, 3) > 0 {
            return 0;
        }
        self.small_pieces -= 1;
        // A power of two, or one beside it: that is where readers err.
        let power = 1 << below(&mut self.rng, bound.ilog2() + 1);
        let beside = [power, power - 1, power + 1][below(&mut self.rng, 3) as usize];
        beside.min(bound - 1)
    }

    fn pipe(&mut self, bound: u32) -> u32 {
        if self.held_pipes == 0 || below(&mut self.rng, self.held_pipes) > 0 {
            return 0;
        }
        1 + below(&mut self.rng, bound - 1)
    }

    fn value(&mut self, bound: u32) -> u32 {
        below(&mut self.rng, bound)
    }
}

/// A number from 0 to `bound` - 1; `bound` is at least 1. The bias is below 2^-32, and no loop can hang on it.
fn below(rng: &mut ChaCha8Rng, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}

/// The choices of an earlier run, again. Past their end it is calm.
pub struct Replay {
    choices: std::vec::IntoIter<(u32, Option<u8>)>,
    expected: Option<u8>,
    drawn: usize,
    left_track: Option<String>,
}

impl Replay {
    /// Replays values, each with the fingerprint of what it meant then, where that is known.
    pub fn new(choices: Vec<(u32, Option<u8>)>) -> Self {
        Replay { choices: choices.into_iter(), expected: None, drawn: 0, left_track: None }
    }

    /// The next value; beyond what there is to choose from now, the last.
    fn next(&mut self, bound: usize) -> u32 {
        let Some((value, expected)) = self.choices.next() else {
            self.expected = None;
            return 0;
        };
        self.expected = expected;
        let last = (bound - 1) as u32;
        if value > last && self.left_track.is_none() {
            self.left_track = Some(format!("choice {} was {value}, of {bound} now", self.drawn + 1));
        }
        value.min(last)
    }
}

impl Strategy for Replay {
    fn pick(&mut self, menu: &Menu) -> usize {
        self.next(menu.len()) as usize
    }

    fn amount(&mut self, bound: u32) -> u32 {
        self.next(bound as usize)
    }

    fn pipe(&mut self, bound: u32) -> u32 {
        self.next(bound as usize)
    }

    fn value(&mut self, bound: u32) -> u32 {
        self.next(bound as usize)
    }

    fn drew(&mut self, choice: Choice) {
        self.drawn += 1;
        let differs = self.expected.is_some_and(|expected| expected != choice.of.check());
        if differs && self.left_track.is_none() {
            self.left_track =
                Some(format!("choice {} means {:?} now, and another thing then", self.drawn, choice.of));
        }
    }

    fn remark(&self) -> Option<String> {
        self.left_track.clone()
    }
}
