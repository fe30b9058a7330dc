//! The guest runtime: one Cap'n Proto RPC link over WASI streams, and an async application beside it.
//!
//! ```no_run
//! use wavetank_guest::{Io, peer, peer_capnp::executor};
//!
//! fn main() -> std::process::ExitCode {
//!     wavetank_guest::run(|executor: executor::Client, _io: Io| async move {
//!         peer::echo(&executor, "hello").await
//!     })
//! }
//! ```
//!
//! Chapters, from the outside in: [`session`] sets up and tears down; [`link`] finds the transport; [`task`] is
//! the loop; [`reactor`] is the one place that blocks; [`streams`], [`clock`] and [`io`] are what can be waited
//! for. [`peer`] is what guests say, and [`pattern`] what they send when any bytes will do.
//!
//! What is not here: threads, a spawner (join futures instead), time-outs, retries, and any wake-up that
//! nothing outside asked for. The loop sleeps until a stream or timer that somebody waits on is ready.

#![forbid(unsafe_code)]

pub mod clock;
mod error;
#[cfg(feature = "exit-code")]
mod exit;
mod hangup;
pub mod io;
pub mod link;
pub mod pattern;
pub mod peer;
pub mod reactor;
pub mod session;
pub mod streams;
pub mod task;

/// Generated from `capnp/peer.capnp`: what a guest can ask of its host.
#[allow(missing_docs, clippy::all)]
pub mod peer_capnp {
    include!(concat!(env!("OUT_DIR"), "/peer_capnp.rs"));
}

pub use error::{Error, Result};
#[cfg(feature = "exit-code")]
pub use exit::exit;
pub use io::Io;
pub use session::{block_on, run, serve, serve_beside};
