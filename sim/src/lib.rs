//! The simulator: it drives a [tank](wavetank) from a seed and writes down what happened.
//!
//! Everything that can happen next is an item on one [menu](wavetank_choice::menu), and one recorded
//! [choice](wavetank_choice::choice) picks the item:
//!
//! ```text
//! seed ─▶ choices ─▶ strategy ─▶ Move ──apply──▶ [ the tank: start | poll | deliver | grant | answer | … | faults ]
//!                       ▲ menu                         │ woken tasks, events
//!  report ◀── outcome ◀── oracles ◀── transcript ◀─────┘
//! ```
//!
//! Test a guest with [`check`](check()). A scenario is a function over a [`World`]:
//!
//! ```
//! use wavetank::schema::peer_capnp::executor;
//! use wavetank_sim::{Transport, World, check, guests, peer};
//!
//! fn answers(world: &mut World) {
//!     let server = world.cell("server", guests::SERVER).transport(Transport::Connection);
//!     let server = server.serve(peer::executor(world)).spawn();
//!     server.expect_exit(137);
//!     // What the guest exports, called from a task of the host.
//!     let (exported, cell) = (server.exported::<executor::Client>(), server.cell().clone());
//!     world.task("caller", async move {
//!         let mut request = exported.echo_request();
//!         request.get().set_message("hello");
//!         let answer = request.send().promise.await.expect("an answer");
//!         assert_eq!(answer.get().unwrap().get_response().unwrap(), "Echo: hello");
//!         cell.kill();
//!     });
//! }
//!
//! check("answers", answers).seeds(0..20).run();
//! ```
//!
//! Choices are drawn only between polls, never inside one. Everything about choices that needs no tank is in
//! [`wavetank_choice`].

#![deny(unsafe_code)]

/// The path of this file, by which panics in this crate are recognised.
#[doc(hidden)]
pub const THIS_FILE: &str = file!();

#[doc(hidden)]
pub mod attribute;
pub mod calls;
pub mod canary;
pub mod check;
pub mod compare_fix;
pub mod diff;
pub mod executor;
pub mod explain;
pub mod explore;
pub mod film;
pub mod fuzz;
mod fuzz_check;
pub mod guest_panic;
pub mod guests;
pub mod harness;
pub mod hashkeys;
pub mod known;
pub mod moves;
pub mod oracle;
pub mod outcome;
pub mod page;
mod panics;
pub mod prelude;
pub mod record;
pub mod replay_line;
pub mod run;
pub mod saved;
pub mod scenario;
pub mod schema;
pub mod shell;
pub mod signature;
pub mod snapshot;
mod source_path;
mod switch;
pub mod transcript;
pub mod view;
#[doc(hidden)]
pub mod worker;
pub mod world;

pub use check::check;
pub use explore::explore;
pub use outcome::Outcome;
pub use run::{Choices, Run, Setup, run, run_under, survey};
pub use wavetank::cell::{Limits, Transport};
pub use wavetank_choice::{Profile, Seed, StrategyName, Token};
/// ```
/// use wavetank_sim::World;
///
/// #[wavetank_sim::test(seeds = 20)]
/// fn counts(world: &mut World) {
///     world.task("count", async { assert_eq!(1 + 1, 2) });
/// }
/// ```
///
/// An option that does not exist is an error of the compiler, with the names of those that do:
///
/// ```compile_fail
/// #[wavetank_sim::test(seed = 20)]
/// fn counts(world: &mut wavetank_sim::World) {}
/// ```
pub use wavetank_macros::test;
pub use wavetank_trace::Schema;
pub use world::{World, peer};
