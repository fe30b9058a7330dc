//! The guest runtime: one Cap'n Proto RPC link over WASI streams, and an async application beside it.
//!
//! ```no_run
//! use wavetank_guest::{Io, peer, peer_capnp::executor};
//!
//! fn main() -> std::process::ExitCode {
//!     wavetank_guest::connection::run(|executor: executor::Client, _io: Io| async move {
//!         peer::echo(&executor, "hello").await
//!     })
//! }
//! ```
//!
//! A guest chooses the transport of its RPC by the entry point that it calls. The entry points of [`connection`] open a
//! `wetware:streams` connection and leave stdin and stdout to the guest. Those of [`stdio`] take stdin and stdout. The
//! host sees the choice in the imports of the component. `run`, `serve` and `serve_beside` of this module are those of
//! [`connection`].
//!
//! The modules, from the outside in: [`session`] sets up and tears down; [`link`] opens the transport; [`task`] is the
//! loop; [`reactor`] is the one place that blocks; [`streams`], [`clock`] and [`io`] are the things to wait for.
//! [`peer`] holds the calls that guests make, and [`pattern`] the bytes that they send if any bytes will do.
//!
//! Not here: threads, a spawner (join futures instead), time-outs, retries, and any wake-up that nothing outside asked
//! for. The loop sleeps until a stream or timer is ready that a task waits on.

#![forbid(unsafe_code)]

pub mod clock;
pub mod connection;
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
pub mod stdio;
pub mod streams;
pub mod task;

/// Generated from `capnp/peer.capnp`: the calls that a guest can make on its host.
#[allow(missing_docs, clippy::all)]
pub mod peer_capnp {
    include!(concat!(env!("OUT_DIR"), "/peer_capnp.rs"));
}

pub use connection::{run, serve, serve_beside};
pub use error::{Error, Result};
#[cfg(feature = "exit-code")]
pub use exit::exit;
pub use io::Io;
pub use session::block_on;
