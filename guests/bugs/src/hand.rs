//! A session put together by hand, for the cases with a fault in the loop or in an adapter.
//!
//! The rest is as in the runtime: reactor, tasks, order of the end. But `close` does not wait for the last flush.

use std::pin::Pin;

use capnp::{capability::FromClientHook, message::ReaderOptions};
use capnp_rpc::{Disconnector, RpcSystem, rpc_twoparty_capnp::Side, twoparty::VatNetwork};
use futures::{AsyncRead, AsyncWrite, io::BufWriter};
use wavetank_guest::{
    Result,
    link::Link,
    reactor::Reactor,
    streams,
    task::{self, Task},
};

/// The application. It is boxed, so that its capabilities are dropped with it.
pub type App = Task<Pin<Box<dyn Future<Output = Result<()>>>>>;

/// An RPC system, and all that it needs to run and to end.
pub struct Session {
    /// The one place to block.
    pub reactor: Reactor,
    /// The RPC system as a task.
    pub system: Task<RpcSystem<Side>>,
    disconnector: Disconnector<Side>,
}

impl Session {
    /// A session over the guest's link with the runtime's own adapters, and the peer's bootstrap capability.
    pub fn open<C: FromClientHook>(exported: Option<capnp::capability::Client>) -> (Self, C) {
        let reactor = Reactor::default();
        let link = Link::over_connection();
        let (reader, writer) = streams::pair(&reactor, link.input, link.output);
        Self::over(reactor, reader, writer, exported)
    }

    /// A session over any reader and writer.
    pub fn over<C: FromClientHook>(
        reactor: Reactor,
        reader: impl AsyncRead + Unpin + 'static,
        writer: impl AsyncWrite + Unpin + 'static,
        exported: Option<capnp::capability::Client>,
    ) -> (Self, C) {
        let network = VatNetwork::new(reader, BufWriter::new(writer), Side::Client, ReaderOptions::new());
        let mut system = RpcSystem::new(Box::new(network), exported);
        let peer = system.bootstrap(Side::Server);
        let disconnector = system.get_disconnector();
        (Self { reactor, system: Task::new(system), disconnector }, peer)
    }

    /// Ends the session in order. The application must be dropped before.
    pub fn close(mut self) -> Result<()> {
        while self.system.turn() {}
        task::run(&self.reactor, self.disconnector, &mut self.system)??;
        Ok(())
    }
}

/// Makes a task of an application.
pub fn app(app: impl Future<Output = Result<()>> + 'static) -> App {
    Task::new(Box::pin(app))
}
