//! The tank: the host runtime that Wavetank tests.
//!
//! Guests are WebAssembly components; a running one is a [`cell`]. Cells and their host talk Cap'n Proto
//! RPC over links ([`link`]), which are pairs of pipes ([`pipe`]). The host serves [`Host`, `Executor`, `Process`
//! and `ByteStream`](peer) to them. Everything that could happen by itself elsewhere happens here only when
//! somebody says so: the [`Fabric`] offers bytes to deliver, budget to grant, cells to start, answers to let
//! go and a clock to advance, and does what it is told.
//!
//! Not here: seeds, choices, strategies, transcripts. Nothing in this crate names them; they are in
//! `wavetank-sim`. Nor a runtime: tasks go to whatever implements [`Spawn`], for example a
//! `futures_executor::LocalPool`.

#![forbid(unsafe_code)]

/// Where this file is, as the compiler was told: what a panic's location is held against.
#[doc(hidden)]
pub const THIS_FILE: &str = file!();

mod caller;
pub mod cell;
mod clock;
mod engine;
mod error;
mod event;
mod fabric;
mod freedoms;
mod gate;
pub mod guard;
mod ids;
mod io;
pub mod link;
pub mod peer;
pub mod pipe;
pub mod schema;
mod spawn;
pub mod stdio;
mod stream;
mod tank;
mod text;
mod trap;
mod unsaid;
mod wasi;

pub use caller::caller;
pub use clock::{Clock, Sleep};
pub use engine::{Allocator, Compiler, Engine, EngineConfig, Guest};
pub use error::Error;
pub use event::{End, Event, HandleKind};
pub use fabric::{Blocked, Fabric, Habits, IDLE_CALLS_PER_TURN, Import, LOOK_NS, LinkEnds, Offers, Orders};
pub use freedoms::Freedoms;
pub use gate::fingerprint;
pub use ids::{ActorId, GateId, LinkId, PipeId};
pub use io::{Fate, Io, IoError, Op};
pub use link::Wire;
pub use spawn::{Role, Spawn};
pub use stream::{PipeReader, PipeWriter};
pub use tank::{Entropy, Flow, Tank, TankConfig};
pub use text::harmless;
pub use trap::{Trap, TrapClass};
