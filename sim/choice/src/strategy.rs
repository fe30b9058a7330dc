//! Strategies: the policies that pick from a menu.
//!
//! Strategies that search orders differ only in [`Strategy::pick`]. They leave the weather (amounts, pipes, fault
//! injection) to a [`Weather`], which is steered by a profile. A thread of the papers is a [`Lane`] here, and an event
//! of the papers is a move.
//!
//! - [`Random`]: a random walk; its weights are drawn from the seed as in swarm testing.
//! - [`RoundRobin`]: the calm policy.
//! - [`Pct`]: Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of
//!   Finding Bugs", ASPLOS 2010.
//! - [`Pos`]: Yuan, Yang, Gu, "Partial Order Aware Concurrency Sampling", CAV 2018.
//! - [`Urw`], [`Surw`]: Zhao, Wolff, Mathur, Roychoudhury, "Selectively Uniform Concurrency Testing", ASPLOS 2025.
//! - [`Frontier`]: Musuvathi, Qadeer, "Iterative Context Bounding", PLDI 2007; Emmi, Qadeer, Rakamarić, "Delay-Bounded
//!   Scheduling", POPL 2011.
//! - [`Follow`]: the moves of an earlier run, with two of them exchanged.
//! - [`portfolio`]: all strategies that search by seed, divided among seeds.

mod begun;
mod bytes;
mod exhaustive;
mod follow;
mod name;
mod pct;
#[cfg(test)]
mod plain;
pub mod portfolio;
mod pos;
mod possible;
mod random;
mod remaining;
mod replay;
#[cfg(test)]
mod shapes;
mod survey;
#[cfg(test)]
mod tests;
mod time;
mod uniform;
mod weather;

use crate::choice::{Choice, Meaning};
use crate::menu::{Item, Menu, PossibleFaults};

#[cfg(doc)]
use crate::moves::Lane;

pub use begun::GivenThenDrawn;
pub use bytes::Bytes;
pub use exhaustive::{Bound, Explored, Frontier, Walk};
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
    /// Shows the strategy the next menu, before anything is picked from it. A menu of one item is shown too, although
    /// it is no choice.
    fn look(&mut self, _menu: &Menu<'_>) {}

    /// Picks an item: an index below `menu.len()`, which is at least 2.
    fn pick(&mut self, menu: &Menu<'_>) -> usize;

    /// Draws any other number. It must be below `ask.bound()`, which is at least 2. 0 is the dullest value.
    fn draw(&mut self, ask: &Request<'_>) -> u32;

    /// Tells the strategy the meaning of a draw.
    fn drew(&mut self, _choice: Choice) {}

    /// Tells the strategy the next move, whether it was picked or was the only one.
    fn went(&mut self, _item: Item) {}

    /// Tells the strategy that the move just made took bytes out of a pipe, put some in, or closed it.
    fn touched(&mut self, _pipe: u32) {}

    /// A remark for the report at the end of the run, if there is one.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// A request to a strategy for anything but the next move.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// For a number.
    Number {
        /// The meaning of the number.
        of: Meaning,
        /// The number must be below this.
        bound: u32,
    },
    /// For whether something happens: 1 if it does.
    Chance {
        /// The meaning of the answer.
        of: Meaning,
        /// How often it should happen; more than 0 and less than `among`.
        times: u32,
        /// In how many cases.
        among: u32,
    },
    /// For the injected fault that comes next; 0 means none.
    Fault(&'a PossibleFaults),
}

impl Request<'_> {
    /// The answer must be below this.
    pub fn bound(&self) -> u32 {
        match self {
            Request::Number { bound, .. } => *bound,
            Request::Chance { .. } => 2,
            Request::Fault(faults) => faults.len() as u32,
        }
    }
}

/// Always picks item 0.
pub struct RoundRobin;

impl Strategy for RoundRobin {
    fn pick(&mut self, _: &Menu<'_>) -> usize {
        0
    }

    fn draw(&mut self, _: &Request<'_>) -> u32 {
        0
    }
}
