//! Seeded choices for simulators that can do anything next, and must do it again exactly.
//!
//! A simulator lists the moves that could happen next on a [`menu`]. A [`strategy`](strategy::Strategy) picks one, and a
//! [`Chooser`] records the pick as a small number. The sequence of these numbers is the run: [`shrink`] makes it
//! shorter, and a [`Token`] holds it in one printable word.
//!
//! ```
//! use roaring::RoaringBitmap;
//! use wavetank_choice::chooser::Chooser;
//! use wavetank_choice::menu::{Calm, Candidates};
//! use wavetank_choice::strategy::Survey;
//! use wavetank_choice::{Profile, Seed, StrategyName};
//!
//! // Two actors are ready, and nothing else could happen.
//! let ready = RoaringBitmap::from([0, 1]);
//! let none = RoaringBitmap::new();
//! let sets = Candidates { poll: &ready, ..Candidates::empty(&none) };
//!
//! let strategy = StrategyName::Random.make(Seed(7), &Profile::calm(), &Survey::default());
//! let mut chooser = Chooser::new(strategy, 100);
//! let mut calm = Calm::default();
//! for _ in 0..10 {
//!     let item = chooser.pick(&calm.menu(&sets, false));
//!     calm.took(item.kind, item.id);
//! }
//! let (choices, ..) = chooser.finish();
//! assert!(choices.len() <= 10);
//! ```
//!
//! Not here: what a move does. This crate knows kinds of move and ids, and neither guests nor RPC.

#![forbid(unsafe_code)]

/// The path of this file, by which panics in this crate are recognised.
#[doc(hidden)]
pub const THIS_FILE: &str = file!();

pub mod choice;
pub mod chooser;
mod lanes;
pub mod menu;
pub mod moves;
pub mod nearest;
pub mod profile;
pub mod seed;
pub mod shrink;
pub mod strategy;
pub mod token;

pub use choice::Choice;
pub use chooser::Chooser;
pub use profile::Profile;
pub use seed::Seed;
pub use strategy::StrategyName;
pub use token::Token;
