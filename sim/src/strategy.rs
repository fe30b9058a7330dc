//! Strategies: the policies that pick from a menu.
//!
//! A strategy that searches orders differs from others in [`Strategy::pick`] alone: what weather it makes
//! (amounts, pipes, gusts) it leaves to a [`Weather`], which a profile steers.

mod random;
mod replay;
mod weather;

use crate::choice::{Choice, Of};
use crate::menu::{Gusts, Item, Menu};
use crate::moves::Lane;
use crate::profile::Profile;
use crate::seed::Seed;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

pub use random::Random;
pub use replay::Replay;
pub use weather::Weather;

/// A policy that picks from a menu.
pub trait Strategy {
    /// Picks an item: an index below `menu.len()`, which is at least 2.
    fn pick(&mut self, menu: &Menu<'_>) -> usize;

    /// Draws everything else: a number below `ask.bound()`, which is at least 2. 0 is the dullest.
    fn draw(&mut self, ask: &Ask<'_>) -> u32;

    /// Learns what a draw turned out to mean.
    fn drew(&mut self, _choice: Choice) {}

    /// Learns which move is made next, picked or the only one.
    fn went(&mut self, _item: Item) {}

    /// What there is to say at the end.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// What a strategy is asked for, beside the next move.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
    /// A number.
    Number {
        /// What it is for.
        of: Of,
        /// It must be below this.
        bound: u32,
    },
    /// Which gust comes; 0 for none.
    Gust(&'a Gusts),
}

impl Ask<'_> {
    /// What the answer must be below.
    pub fn bound(&self) -> u32 {
        match self {
            Ask::Number { bound, .. } => *bound,
            Ask::Gust(gusts) => gusts.len() as u32,
        }
    }
}

/// What is known of a scenario before a strategy sets out: how many moves of each lane its dullest run takes.
/// Some strategies need an estimate of it. It is a fact of the scenario, so a seed still names one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// By lane, its moves.
    pub moves: BTreeMap<Lane, u32>,
}

/// A strategy by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StrategyName {
    /// Weighted random moves, small amounts now and then, most pipes free.
    #[default]
    Random,
    /// Always item 0: the calm policy from the first step on. Draws nothing.
    RoundRobin,
}

impl Survey {
    /// All its moves.
    pub fn len(&self) -> u32 {
        self.moves.values().sum()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }
}

impl StrategyName {
    /// All of them, each with what it does.
    pub const ALL: [(&str, &str); 2] = [
        ("random", "weighted random moves, amounts and pipes, all drawn from the seed"),
        ("round-robin", "every task, pipe and answer in turn; the same for every seed"),
    ];

    /// Whether [`make`](Self::make) makes use of a survey.
    pub fn needs_survey(&self) -> bool {
        false
    }

    /// The strategy itself, for one seed, steered by a profile.
    pub fn make(&self, seed: Seed, profile: &Profile, _survey: &Survey) -> Box<dyn Strategy> {
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
        match text {
            "random" => Ok(StrategyName::Random),
            "round-robin" => Ok(StrategyName::RoundRobin),
            _ => Err(UnknownStrategy(text.into())),
        }
    }
}

/// A text that names no strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown strategy {0:?}: there are random and round-robin")]
pub struct UnknownStrategy(String);

/// Always item 0.
pub struct RoundRobin;

impl Strategy for RoundRobin {
    fn pick(&mut self, _: &Menu<'_>) -> usize {
        0
    }

    fn draw(&mut self, _: &Ask<'_>) -> u32 {
        0
    }
}
