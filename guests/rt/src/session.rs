//! One RPC session from its first byte to its last, and the exit code that it becomes.
//!
//! A session ends in these steps, however its application ended:
//!
//! 1. The application is dropped, with its capabilities.
//! 2. The RPC system is polled until it is idle. This queues the Finish and Release messages for those capabilities.
//! 3. The system disconnects. This writes all queued messages, and an Abort as the last one.
//! 4. The session waits for the last flush.
//! 5. The RPC system is dropped. With it go the streams, each after its pollable.
//!
//! If the link is dead, no step waits.
//!
//! About stdout: if stdout is the link, one stray line breaks it, and capnp-rpc has a `println!("ERROR: ..")` for
//! failed tasks of its system. According to the source of version 0.27.3, there are four such tasks, and none of them
//! prints here, whether the link is healthy or broken:
//!
//! - The write driver and the accept loop never fail.
//! - The connection's task set handles its errors itself and disconnects.
//! - The disconnect task fails in two cases only. In the first, the shutdown fails with another error than
//!   `Disconnected`, which the write queue never returns. In the second, the connection is dropped before it has
//!   disconnected, but the system itself holds a reference to it.
//!
//! Not here: reconnecting, and more than one link.

use std::{error::Error as _, fmt::Write as _, future::Future, pin::Pin, process::ExitCode};

use capnp::{
    capability::{Client, FromClientHook},
    message::ReaderOptions,
};
use capnp_rpc::{Disconnector, RpcSystem, rpc_twoparty_capnp::Side, twoparty::VatNetwork};
use futures::{future, io::BufWriter};

use crate::{
    Error, Io, Result,
    link::Link,
    reactor::Reactor,
    streams::{self, Writer},
    task::{self, Task},
};

/// Runs an application over a link, with the host's bootstrap capability, and returns the exit code of `main`.
///
/// If the application or its link failed, the exit code is a failure and the reason is on stderr.
pub fn run<C, A, F>(link: Link, app: A) -> ExitCode
where
    C: FromClientHook,
    A: FnOnce(C, Io) -> F,
    F: Future<Output = Result<()>>,
{
    let mut session = Session::open(link, None);
    let host = session.system.bootstrap(Side::Server);
    let app = app(host, session.io.clone());
    exit_code(session.run(Task::new(Box::pin(app))))
}

/// Runs an application like [`run`], and offers `bootstrap` to the host as long as the application runs.
///
/// The application runs up to its first wait before the first message is read. So it can hand the host's capability to
/// the object behind `bootstrap`, and no call finds that object without it. Before it ends, the application must take
/// the capability back. The object stays with the link until the end, and the link can release only what nobody holds.
pub fn run_serving<C, A, F>(link: Link, bootstrap: impl FromClientHook, app: A) -> ExitCode
where
    C: FromClientHook,
    A: FnOnce(C, Io) -> F,
    F: Future<Output = Result<()>>,
{
    let mut session = Session::open(link, Some(untyped(bootstrap)));
    let host = session.system.bootstrap(Side::Server);
    let mut app = Task::new(Box::pin(app(host, session.io.clone())));
    app.turn();
    exit_code(session.run(app))
}

/// Offers `bootstrap` over a link until the host ends the link, which is a normal end. Returns the exit code of
/// `main`.
pub fn serve(link: Link, bootstrap: impl FromClientHook) -> ExitCode {
    exit_code(Session::open(link, Some(untyped(bootstrap))).serve())
}

/// Serves like [`serve`], for a guest that answers calls by calling its host. `take_host` gets the host's bootstrap
/// capability before the first call arrives.
pub fn serve_beside<C: FromClientHook>(
    link: Link,
    bootstrap: impl FromClientHook,
    take_host: impl FnOnce(C),
) -> ExitCode {
    let mut session = Session::open(link, Some(untyped(bootstrap)));
    take_host(session.system.bootstrap(Side::Server));
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
    /// A second writer of the link's output, to wait for the last flush: capnp-rpc never closes its own writer.
    output: Writer,
}

impl Session {
    fn open(link: Link, bootstrap: Option<Client>) -> Self {
        let reactor = Reactor::default();
        let io = Io::new(&reactor, link.leaves_stdio);
        let (reader, writer) = streams::pair(&reactor, link.input, link.output);
        let output = writer.twin();
        // Buffered, so that a message of a few segments becomes one write.
        let writer = BufWriter::new(writer);
        let network = VatNetwork::new(reader, writer, Side::Client, ReaderOptions::new());
        let system = RpcSystem::new(Box::new(network), bootstrap);
        let disconnector = system.get_disconnector();
        Self { reactor, io, system, disconnector, output }
    }

    fn run<F: Future<Output = Result<()>>>(self, app: Task<Pin<Box<F>>>) -> Result<()> {
        let mut system = Task::new(self.system);
        // When this returns, the application and its capabilities have been dropped, whether it has finished or not.
        let ended = task::run_task(&self.reactor, app, &mut system).flatten();
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

/// Waits until the stream has taken all written bytes. It is no error if the host is gone by now.
fn flushed<B>(reactor: &Reactor, mut output: Writer, beside: &mut Task<B>) -> Result<()>
where
    B: Future + Unpin,
{
    let permit = future::poll_fn(|cx| output.poll_permit(cx));
    task::run(reactor, permit, beside).map(drop)
}

fn untyped(client: impl FromClientHook) -> Client {
    Client::new(client.into_client_hook())
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
