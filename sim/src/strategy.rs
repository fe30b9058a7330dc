//! Strategies: the policies that pick from a menu.
//!
//! A strategy that searches orders differs from others in [`Strategy::pick`] alone: what weather it makes
//! (amounts, pipes, gusts) it leaves to a [`Weather`], which a profile steers. What the papers call a thread is a
//! [`Lane`] here, and what they call an event is a move.
//!
//! | strategy | from |
//! | --- | --- |
//! | [`Random`] | a random walk; weights drawn by seed as in swarm testing |
//! | [`RoundRobin`] | the calm policy |
//! | [`Pct`] | Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010 |
//! | [`Pos`] | Yuan, Yang, Gu, "Partial Order Aware Concurrency Sampling", CAV 2018 |
//! | [`Urw`], [`Surw`] | Zhao, Wolff, Mathur, Roychoudhury, "Selectively Uniform Concurrency Testing", ASPLOS 2025 |
//! | [`Frontier`] | Musuvathi, Qadeer, "Iterative Context Bounding", PLDI 2007; Emmi, Qadeer, Rakamarić, "Delay-Bounded Scheduling", POPL 2011 |
//! | [`Follow`] | the moves of an earlier run, two of them exchanged |
//! | [`portfolio`] | all of the searching ones, divided among seeds |

mod begun;
mod bytes;
mod exhaustive;
mod follow;
mod name;
mod pct;
pub mod portfolio;
mod pos;
mod random;
mod replay;
#[cfg(test)]
mod shapes;
mod survey;
#[cfg(test)]
mod tests;
mod time;
mod uniform;
mod weather;

use crate::choice::{Choice, Of};
use crate::menu::{Gusts, Item, Menu};

#[cfg(doc)]
use crate::moves::Lane;

pub use begun::Begun;
pub use bytes::Bytes;
pub use exhaustive::{Bound, Explored, Frontier, explore};
pub use follow::Follow;
pub use name::{StrategyError, StrategyName};
pub use pct::Pct;
pub use pos::Pos;
pub use random::Random;
pub use replay::Replay;
pub use survey::{Survey, Surveyor};
pub use uniform::{Surw, Urw};
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

    /// Learns that the move just made took bytes out of a pipe, put some in, or closed it.
    fn touched(&mut self, _pipe: u32) {}

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
