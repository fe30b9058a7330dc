//! Real traffic for tests: two vats of capnp-rpc, joined by pipes in memory that record their bytes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use capnp::Error;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{Disconnector, RpcSystem, new_client, new_future_client, twoparty};
use futures::channel::oneshot;
use futures::future::{FutureExt, Shared};
use futures::io::{AsyncRead, AsyncWrite};
use futures::task::LocalSpawnExt;
use futures_executor::LocalPool;

pub(crate) use wavetank::schema::peer_capnp::executor;
use wavetank::schema::peer_capnp::{host, process};
use wavetank_trace::Decoder;
use wavetank_trace::frames::{Direction, Frame};
use wavetank_trace::ledger::Ledger;
use wavetank_trace::schema::Schema;

/// The request that the peer schema's code was made from.
pub(crate) const PEER_REQUEST: &[u8] = wavetank::schema::REQUEST;

/// How the host behaves.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manner {
    /// How it hands out its executor.
    pub(crate) executor: Handout,
    /// It asks the cell for its bootstrap capability, and hands that one out as the bootstrap capability of a process.
    pub(crate) asks_back: bool,
}

/// How the host hands out its executor.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Handout {
    /// At once.
    #[default]
    Now,
    /// At once, as a promise that resolves at the exit.
    Promise,
    /// At the exit.
    Late,
}

/// A cell and its host, both played here. The cell's own bootstrap capability is an executor.
pub(crate) struct Session {
    /// The capability that the cell holds; `None` once dropped.
    pub(crate) host: Option<host::Client>,
    /// Ends the processes: each `wait` answers with this code.
    exit: Option<oneshot::Sender<i32>>,
    tape: Tape,
    pool: LocalPool,
    disconnector: Disconnector<Side>,
}

type Tape = Rc<RefCell<Vec<(Direction, Vec<u8>)>>>;

impl Session {
    pub(crate) fn new(manner: Manner) -> Self {
        let tape = Tape::default();
        let (up, down) = (Pipe::new(Direction::Up, &tape), Pipe::new(Direction::Down, &tape));
        let (exit, exited) = oneshot::channel();
        let server = Host { manner, exited: exited.shared(), cell: Rc::default() };

        let own: executor::Client = new_client(server.clone());
        let served: host::Client = new_client(server.clone());
        let mut cell = vat(&down, &up, Side::Client, own.client);
        let mut serving = vat(&up, &down, Side::Server, served.client);
        let host = cell.bootstrap(Side::Server);
        let disconnector = cell.get_disconnector();
        if manner.asks_back {
            *server.cell.borrow_mut() = Some(serving.bootstrap(Side::Client));
        }
        let pool = LocalPool::new();
        for vat in [cell, serving] {
            pool.spawner().spawn_local(vat.map(drop)).expect("the pool lives");
        }
        Self { host: Some(host), exit: Some(exit), tape, pool, disconnector }
    }

    pub(crate) fn host(&self) -> &host::Client {
        self.host.as_ref().expect("not dropped yet")
    }

    /// Asks for an executor and waits for the answer. Only the executor is kept.
    pub(crate) fn take_executor(&mut self) -> executor::Client {
        let answer = self.host().executor_request().send().promise;
        let (give, mut take) = oneshot::channel();
        self.spawn(async move {
            let answer = answer.await.expect("an answer");
            give.send(answer.get().and_then(|results| results.get_executor())).ok().expect("the test waits");
        });
        self.settle();
        take.try_recv().expect("not dropped").expect("the host answers at once").expect("an executor")
    }

    /// Starts a part of the cell's program.
    pub(crate) fn spawn(&self, part: impl Future<Output = ()> + 'static) {
        self.pool.spawner().spawn_local(part).expect("the pool lives");
    }

    /// Runs both vats until neither can go on.
    pub(crate) fn settle(&mut self) {
        self.pool.run_until_stalled();
    }

    pub(crate) fn exit(&mut self, code: i32) {
        self.exit.take().expect("one exit").send(code).expect("the host waits");
        self.settle();
    }

    /// Drops the cell's capability and lets it disconnect in order.
    pub(crate) fn leave(&mut self) {
        self.host = None;
        self.settle();
        self.pool.run_until(&mut self.disconnector).expect("the pipes do not fail");
        self.settle();
    }

    /// The bytes that were written so far.
    pub(crate) fn written(&self) -> Vec<(Direction, Vec<u8>)> {
        self.tape.borrow().clone()
    }

    pub(crate) fn frames(&self) -> Vec<Frame> {
        let mut decoder = Decoder::new(peer_schema());
        self.tape.borrow().iter().flat_map(|(direction, bytes)| decoder.push(*direction, bytes)).collect()
    }

    /// The transcript from frame `first` on.
    pub(crate) fn lines(&self, first: usize) -> Vec<String> {
        self.frames().iter().skip(first).map(Frame::to_string).collect()
    }

    pub(crate) fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        self.frames().iter().for_each(|frame| ledger.apply(frame));
        ledger
    }
}

pub(crate) fn peer_schema() -> Arc<Schema> {
    Arc::new(Schema::from_request(PEER_REQUEST).expect("capnp/peer.cgr is a request"))
}

fn vat(reads: &Pipe, writes: &Pipe, side: Side, bootstrap: capnp::capability::Client) -> RpcSystem<Side> {
    let network = twoparty::VatNetwork::new(reads.clone(), writes.clone(), side, Default::default());
    RpcSystem::new(Box::new(network), Some(bootstrap))
}

/// All of the host's servers in one.
#[derive(Clone)]
struct Host {
    manner: Manner,
    exited: Shared<oneshot::Receiver<i32>>,
    cell: Rc<RefCell<Option<capnp::capability::Client>>>,
}

impl host::Server for Host {
    async fn executor(
        self: Rc<Self>,
        _: host::ExecutorParams,
        mut results: host::ExecutorResults,
    ) -> Result<(), Error> {
        let settled: executor::Client = new_client((*self).clone());
        let exited = self.exited.clone();
        results.get().set_executor(match self.manner.executor {
            Handout::Now => settled,
            Handout::Promise => {
                new_future_client(async { exited.await.map(|_| settled).map_err(|_| never_exited()) })
            }
            Handout::Late => exited.await.map(|_| settled).map_err(|_| never_exited())?,
        });
        Ok(())
    }

    async fn connect(self: Rc<Self>, _: host::ConnectParams, _: host::ConnectResults) -> Result<(), Error> {
        Err(Error::failed("no such peer".to_owned()))
    }

    async fn peers(
        self: Rc<Self>,
        _: host::PeersParams,
        mut results: host::PeersResults,
    ) -> Result<(), Error> {
        let mut peer = results.get().init_peers(1).get(0);
        peer.set_peer_id("b");
        peer.init_addrs(1).set(0, "/b");
        Ok(())
    }
}

impl executor::Server for Host {
    async fn run_bytes(
        self: Rc<Self>,
        _: executor::RunBytesParams,
        mut results: executor::RunBytesResults,
    ) -> Result<(), Error> {
        results.get().set_process(new_client((*self).clone()));
        Ok(())
    }

    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> Result<(), Error> {
        let message = params.get()?.get_message()?.to_string()?;
        results.get().set_response(format!("Echo: {message}"));
        Ok(())
    }
}

impl process::Server for Host {
    async fn wait(
        self: Rc<Self>,
        _: process::WaitParams,
        mut results: process::WaitResults,
    ) -> Result<(), Error> {
        results.get().set_exit_code(self.exited.clone().await.map_err(|_| never_exited())?);
        Ok(())
    }

    async fn bootstrap(
        self: Rc<Self>,
        _: process::BootstrapParams,
        mut results: process::BootstrapResults,
    ) -> Result<(), Error> {
        if let Some(cell) = &*self.cell.borrow() {
            results.get().init_cap().set_as_capability(cell.hook.clone());
        }
        Ok(())
    }
}

fn never_exited() -> Error {
    Error::failed("never exited".to_owned())
}

/// One direction of bytes. This type is both of its ends.
#[derive(Clone)]
struct Pipe {
    direction: Direction,
    tape: Tape,
    inner: Rc<RefCell<PipeInner>>,
}

#[derive(Default)]
struct PipeInner {
    bytes: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
}

impl Pipe {
    fn new(direction: Direction, tape: &Tape) -> Self {
        Self { direction, tape: tape.clone(), inner: Rc::default() }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.inner.borrow_mut();
        if inner.bytes.is_empty() && !inner.closed {
            inner.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(io::Read::read(&mut inner.bytes, into))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.inner.borrow_mut();
        inner.bytes.extend(bytes);
        self.tape.borrow_mut().push((self.direction, bytes.to_vec()));
        inner.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner.borrow_mut();
        inner.closed = true;
        inner.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}
