//! The tank: the host runtime that Wavetank tests.
//!
//! Guests are WebAssembly components; a running guest is a [`cell`]. Cells and their host talk Cap'n Proto RPC over
//! links ([`link`]), which are pairs of pipes ([`pipe`]). The host serves [`Host`, `Executor`, `Process` and
//! `ByteStream`](peer) to them. In another host many things happen by themselves. Here they happen only on request: the
//! [`SharedState`] offers bytes to deliver, budget to grant, cells to start, answers to release and a clock to advance,
//! and its driver picks one.
//!
//! Not here: seeds, choices and strategies, which are in `wavetank-choice`, and transcripts, which are in
//! `wavetank-sim`. This crate depends on neither. There is no runtime here either: tasks go to any implementation of
//! [`Spawn`], for example a `futures_executor::LocalPool`.

#![forbid(unsafe_code)]

/// The path of this file as the compiler knows it. The locations of panics are compared with it.
#[doc(hidden)]
pub const THIS_FILE: &str = file!();

mod caller;
pub mod cell;
mod clock;
mod connection;
mod draw;
mod engine;
mod error;
mod escape;
mod event;
mod freedoms;
mod gate;
pub mod guard;
mod id_set;
mod ids;
mod io;
pub mod link;
pub mod peer;
pub mod pipe;
pub mod schema;
mod shared;
mod spawn;
mod spec;
pub mod stdio;
mod store;
mod stream;
mod tank;
mod trap;
mod undecided;
mod wasi;

pub use caller::caller;
pub use clock::{Clock, Elapsed, IntoNanos, Sleep};
pub use draw::DrawRange;
pub use engine::{Allocator, Compiler, Engine, EngineConfig, Guest};
pub use error::Error;
pub use escape::escape_control;
pub use event::{Event, HandleKind};
pub use freedoms::Freedoms;
pub use id_set::IdSet;
pub use ids::{ActorId, GateId, LinkId, PipeId};
pub use io::{Completion, Io, IoError, IoOperation};
pub use link::RawLink;
pub use pipe::End;
pub use shared::{
    Blocked, IDLE_CALLS_PER_TURN, Import, InBackground, LOOK_NS, LinkEnds, Orders, Ready, ReadySets,
    SharedState, WaitStats,
};
pub use spawn::{Role, Spawn};
pub use store::Entropy;
pub use stream::{PipeReader, PipeWriter};
pub use tank::{Flow, Tank, TankConfig};
pub use trap::{Trap, TrapClass};
