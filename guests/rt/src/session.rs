//! One RPC session from its first byte to its last, and the exit code that it becomes.
//!
//! However its application ended, a session ends in these steps. The application's capabilities are dropped.
//! The RPC system is polled until it is idle, which queues the Finish and Release messages for them. The
//! system disconnects, which writes everything that is queued and an Abort as the last message. The session
//! waits for the last flush. Then the RPC system is dropped, and with it each pollable before its stream. If
//! the link is dead, no step waits.
//!
//! About stdout: if stdout is the link, one stray line breaks it, and capnp-rpc has a `println!("ERROR: ..")`
//! for failed tasks of the system. In version 0.27.3 there are four such tasks, according to its source. The
//! write driver and the accept loop never fail. The connection's task set handles its errors itself and
//! disconnects. The disconnect task fails only if the shutdown fails otherwise than by `Disconnected`, which
//! the write queue never does, or if the connection is dropped before it has disconnected, which the system's
//! own reference to it prevents. So capnp-rpc prints nothing, whether the link is healthy or broken.
//!
//! Not here: reconnecting, and more than one link.

use std::{error::Error as _, fmt::Write as _, future::Future, process::ExitCode};

use capnp::{capability::FromClientHook, message::ReaderOptions};
use capnp_rpc::{Disconnector, RpcSystem, rpc_twoparty_capnp::Side, twoparty::VatNetwork};
use futures::{future, io::BufWriter};

use crate::{
    Error, Io, Result,
    link::Link,
    reactor::Reactor,
    streams::{self, Writer},
    task::{self, Task},
};

/// Runs an application over a link, with the peer's bootstrap capability, and returns the exit code of `main`.
/// If the application or its link failed, the code is a failure and the reason is on stderr.
pub fn run<C, A, F>(link: Link, app: A) -> ExitCode
where
    C: FromClientHook,
    A: FnOnce(C, Io) -> F,
    F: Future<Output = Result<()>>,
{
    let mut session = Session::open(link, None);
    let peer = session.system.bootstrap(Side::Server);
    let app = app(peer, session.io.clone());
    exit_code(session.run(app))
}

/// Exports `bootstrap` over a link and serves it until the peer ends the link, which is a normal end. Returns
/// the exit code of `main`.
pub fn serve(link: Link, bootstrap: capnp::capability::Client) -> ExitCode {
    exit_code(Session::open(link, Some(bootstrap)).serve())
}

/// Serves like [`serve`], but hands over the peer's bootstrap capability first, for a guest that answers calls
/// by calling back.
pub fn serve_beside<C: FromClientHook>(
    link: Link,
    bootstrap: capnp::capability::Client,
    take_peer: impl FnOnce(C),
) -> ExitCode {
    let mut session = Session::open(link, Some(bootstrap));
    take_peer(session.system.bootstrap(Side::Server));
    exit_code(session.serve())
}

/// Runs an application without a link, so that it owns its stdio.
///
/// # Errors
///
/// The application's own error, or [`Error::Deadlock`].
pub fn block_on<T, F>(app: impl FnOnce(Io) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let reactor = Reactor::default();
    let app = Box::pin(app(Io::new(&reactor, true)));
    task::run(&reactor, app, &mut Task::new(future::pending::<()>()))?
}

struct Session {
    reactor: Reactor,
    io: Io,
    system: RpcSystem<Side>,
    disconnector: Disconnector<Side>,
    /// A second writer of the link's output, used to wait for the last flush.
    output: Writer,
}

impl Session {
    fn open(link: Link, bootstrap: Option<capnp::capability::Client>) -> Self {
        let reactor = Reactor::default();
        let io = Io::new(&reactor, link.leaves_stdio);
        let (reader, writer) = streams::pair(&reactor, link.input, link.output);
        let output = writer.twin();
        // Buffered, so that a message of a few segments is one write.
        let writer = BufWriter::new(writer);
        let network = VatNetwork::new(reader, writer, Side::Client, ReaderOptions::new());
        let system = RpcSystem::new(Box::new(network), bootstrap);
        let disconnector = system.get_disconnector();
        Self { reactor, io, system, disconnector, output }
    }

    fn run(self, app: impl Future<Output = Result<()>>) -> Result<()> {
        let mut system = Task::new(self.system);
        // When this returns, the boxed application and its capabilities are dropped, whether it has finished or not.
        let ended = task::run(&self.reactor, Box::pin(app), &mut system).flatten();
        while system.turn() {}
        let closed = match task::run(&self.reactor, self.disconnector, &mut system) {
            Ok(disconnected) => {
                flushed(&self.reactor, self.output, &mut system).and(disconnected.map_err(Error::from))
            }
            Err(deadlock) => Err(deadlock),
        };
        let link = system.take_output().unwrap_or(Ok(())).map_err(Error::from);
        // The first error explains the others.
        ended.and(link).and(closed)
    }

    fn serve(self) -> Result<()> {
        let nothing = &mut Task::new(future::pending::<()>());
        let ended = task::run(&self.reactor, self.system, nothing)?;
        flushed(&self.reactor, self.output, nothing)?;
        Ok(ended?)
    }
}

/// Waits until the stream has taken all written bytes. If the peer is gone by now, that is no longer an error.
fn flushed<B>(reactor: &Reactor, mut output: Writer, beside: &mut Task<B>) -> Result<()>
where
    B: Future + Unpin,
{
    let permit = future::poll_fn(|cx| output.poll_permit(cx));
    task::run(reactor, permit, beside).map(drop)
}

fn exit_code(result: Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let mut line = format!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    eprintln!("{line}");
    ExitCode::FAILURE
}
