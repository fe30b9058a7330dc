//! Entry points of guests whose RPC runs over a `wetware:streams` connection, so that stdin and stdout stay free.
//!
//! If a component calls one of these, it imports `wetware:streams`. A host without that interface refuses or traps it.

use std::{future::Future, process::ExitCode};

use capnp::capability::{Client, FromClientHook};

use crate::{Io, Result, link::Link, session};

/// Runs an application with the peer's bootstrap capability and returns the exit code of `main`. If the
/// application or its link failed, the code is a failure and the reason is on stderr.
pub fn run<C, A, F>(app: A) -> ExitCode
where
    C: FromClientHook,
    A: FnOnce(C, Io) -> F,
    F: Future<Output = Result<()>>,
{
    session::run(Link::over_connection(), app)
}

/// Exports `bootstrap` and serves it until the peer ends the link, which is a normal end. Returns the exit
/// code of `main`.
pub fn serve(bootstrap: Client) -> ExitCode {
    session::serve(Link::over_connection(), bootstrap)
}

/// Serves like [`serve`], but hands over the peer's bootstrap capability first, for a guest that answers calls
/// by calling back.
pub fn serve_beside<C: FromClientHook>(bootstrap: Client, take_peer: impl FnOnce(C)) -> ExitCode {
    session::serve_beside(Link::over_connection(), bootstrap, take_peer)
}
