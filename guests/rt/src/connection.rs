//! Entry points of guests whose RPC runs over a `wetware:streams` connection, so that stdin and stdout stay free.
//!
//! A component that calls one of these imports `wetware:streams`. A host without that interface refuses it or traps it.

use std::{future::Future, process::ExitCode};

use capnp::capability::FromClientHook;

use crate::{Io, Result, link::Link, session};

/// Runs an application with the host's bootstrap capability and returns the exit code of `main`. See
/// [`session::run`].
pub fn run<C, A, F>(app: A) -> ExitCode
where
    C: FromClientHook,
    A: FnOnce(C, Io) -> F,
    F: Future<Output = Result<()>>,
{
    session::run(Link::over_connection(), app)
}

/// Runs an application like [`run`], and offers `bootstrap` to the host as long as it runs. See
/// [`session::run_serving`].
pub fn run_serving<C, A, F>(bootstrap: impl FromClientHook, app: A) -> ExitCode
where
    C: FromClientHook,
    A: FnOnce(C, Io) -> F,
    F: Future<Output = Result<()>>,
{
    session::run_serving(Link::over_connection(), bootstrap, app)
}

/// Offers `bootstrap` to the host until the host ends the link, which is a normal end. Returns the exit code of
/// `main`.
pub fn serve(bootstrap: impl FromClientHook) -> ExitCode {
    session::serve(Link::over_connection(), bootstrap)
}

/// Serves like [`serve`], for a guest that answers calls by calling its host. `take_host` gets the host's bootstrap
/// capability before the first call arrives.
pub fn serve_beside<C: FromClientHook>(
    bootstrap: impl FromClientHook,
    take_host: impl FnOnce(C),
) -> ExitCode {
    session::serve_beside(Link::over_connection(), bootstrap, take_host)
}
