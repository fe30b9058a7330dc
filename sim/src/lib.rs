//! The wave maker: drives a [tank](wavetank) from a seed, and writes down what happened.
//!
//! Everything that can happen next is an item on one [`menu`], and one recorded [`choice`] picks it:
//!
//! ```text
//! seed ─▶ choices ─▶ strategy ─▶ Move ──apply──▶ [ the tank: poll | deliver | grant | answer | advance ]
//!                       ▲ menu                         │ woken tasks, events
//!  report ◀──────── outcome ◀──── transcript ◀─────────┘
//! ```
//!
//! Choices are drawn only between polls, never inside one. `seed`, `choice`, `menu`, `moves`, `strategy` and
//! `executor` know nothing of the tank.

#![deny(unsafe_code)]

pub mod calls;
pub mod check;
pub mod choice;
pub mod executor;
pub mod frames;
pub mod guests;
pub mod hashkeys;
pub mod ledger;
pub mod menu;
pub mod moves;
pub mod outcome;
pub mod profile;
pub mod record;
mod rest;
pub mod run;
pub mod scenario;
pub mod schema;
pub mod seed;
pub mod snapshot;
pub mod strategy;
pub mod token;
pub mod transcript;
pub mod world;

pub use check::check;
pub use outcome::Outcome;
pub use profile::ProfileName;
pub use run::{Choices, Run, Setup, run};
pub use seed::Seed;
pub use strategy::StrategyName;
pub use token::Token;
pub use wavetank::cell::{Limits, Transport};
pub use world::{World, peer};
