//! The guest runtime: one Cap'n Proto RPC link over WASI streams, and an async application beside it.
//!
//! The runtime knows no schema. The host's bootstrap capability may have any type, and so may the one that the guest
//! offers to its host.
//!
//! ```no_run
//! use std::{process::ExitCode, time::Duration};
//!
//! use capnp::capability::Client;
//! use wavetank_guest::Io;
//!
//! fn main() -> ExitCode {
//!     // In place of `Client`, name the client type that capnpc generated from your schema, and call it.
//!     wavetank_guest::run(|host: Client, io: Io| async move {
//!         io.sleep(Duration::from_millis(1)).await;
//!         drop(host);
//!         Ok(())
//!     })
//! }
//! ```
//!
//! | entry point | the guest offers | it ends when |
//! | --- | --- | --- |
//! | [`run`] | nothing | its application has finished |
//! | [`run_serving`] | a capability | its application has finished |
//! | [`serve`] | a capability | its host ends the link |
//! | [`serve_beside`] | a capability, which may call the host | its host ends the link |
//! | [`block_on`] | nothing; it has no link | its application has finished |
//!
//! A guest chooses the transport of its RPC by the module of the entry point. Those of [`connection`] open a
//! `wetware:streams` connection and leave stdin and stdout to the guest. Those of [`stdio`] use stdin and stdout. A
//! host sees the choice in the imports of the component. The table names the entry points of [`connection`].
//!
//! The modules, from the outside in: [`session`] sets up and tears down; [`link`] opens the transport; [`task`] is the
//! loop; [`reactor`] is the only place that blocks; [`streams`], [`clock`] and [`io`] are the things to wait for.
//!
//! Not here: threads, a spawner (join futures instead), time-outs, retries, and timers of the runtime's own. The loop
//! sleeps until a stream or timer is ready that a task waits for.

#![forbid(unsafe_code)]

pub mod clock;
pub mod connection;
mod error;
#[cfg(feature = "exit-code")]
mod exit;
mod hangup;
pub mod io;
pub mod link;
mod promised;
pub mod reactor;
pub mod session;
pub mod stdio;
pub mod streams;
pub mod task;

pub use connection::{run, run_serving, serve, serve_beside};
pub use error::{Error, Result};
#[cfg(feature = "exit-code")]
pub use exit::exit;
pub use io::Io;
pub use promised::Promised;
pub use session::block_on;
