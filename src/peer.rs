//! The host's own capabilities: `Host`, `Executor`, `Process` and `ByteStream` of `capnp/peer.capnp`.
//!
//! A child's transport is decided by its own imports, whatever its parent's is. If a child imports no connection, its
//! stdin and stdout become its own as soon as its parent asks for either; they are its link if it speaks RPC there
//! first.
//!
//! Nesting has no bound: a child's bootstrap is its own `Executor`, and so are its children's.

use crate::cell::{Cell, CellSpec, Stdio};
use crate::error::{Error, exception};
use crate::escape::escape_control;
use crate::link;
use crate::schema::peer_capnp::{byte_stream, executor, host, process};
use crate::stdio::{Input, Output, OutputReader};
use crate::tank::Tank;
use bytes::Bytes;
use capnp::capability::Client;
use capnp::traits::HasTypeId;
use capnp_rpc::new_client;
use std::rc::Rc;

type Served = Result<(), capnp::Error>;

/// A method of an interface: the interface's id in the schema, and the method's ordinal there.
pub type Method = (u64, u16);

/// The interface `Process`.
pub const PROCESS: u64 = <process::Client as HasTypeId>::TYPE_ID;

/// The interface `ByteStream`.
pub const BYTE_STREAM: u64 = <byte_stream::Client as HasTypeId>::TYPE_ID;

/// `Process.wait`: asks for a cell's exit code.
pub const WAIT: Method = (PROCESS, 3);

/// The most bytes in one answer of `ByteStream.read`, however many are asked for.
pub const MAX_READ_BYTES: usize = 64 * 1024;

/// A host of the world, as other hosts know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInfo {
    /// Its name.
    pub id: String,
    /// The addresses at which others reach it.
    pub addrs: Vec<String>,
}

/// Makes a `Host` for `cell`, in a world with `peers` as the other hosts.
pub fn host(tank: &Tank, cell: &Cell, me: HostInfo, peers: Vec<HostInfo>) -> Client {
    let executor = executor_client(tank, cell);
    new_client::<host::Client, _>(Host { me, peers, executor }).client
}

/// Makes an `Executor` whose children are children of `cell`.
pub fn executor(tank: &Tank, cell: &Cell) -> Client {
    executor_client(tank, cell).client
}

fn executor_client(tank: &Tank, cell: &Cell) -> executor::Client {
    new_client(Executor { tank: tank.clone(), parent: cell.clone() })
}

struct Host {
    me: HostInfo,
    peers: Vec<HostInfo>,
    executor: executor::Client,
}

impl host::Server for Host {
    async fn id(self: Rc<Self>, _: host::IdParams, mut results: host::IdResults) -> Served {
        results.get().set_peer_id(&self.me.id);
        Ok(())
    }

    async fn addrs(self: Rc<Self>, _: host::AddrsParams, mut results: host::AddrsResults) -> Served {
        set_texts(results.get().init_addrs(self.me.addrs.len() as u32), &self.me.addrs);
        Ok(())
    }

    async fn peers(self: Rc<Self>, _: host::PeersParams, mut results: host::PeersResults) -> Served {
        let mut peers = results.get().init_peers(self.peers.len() as u32);
        for (i, known) in (0..).zip(&self.peers) {
            let mut peer = peers.reborrow().get(i);
            peer.set_peer_id(&known.id);
            set_texts(peer.init_addrs(known.addrs.len() as u32), &known.addrs);
        }
        Ok(())
    }

    async fn connect(self: Rc<Self>, params: host::ConnectParams, _: host::ConnectResults) -> Served {
        let params = params.get()?;
        let id = params.get_peer_id()?.to_str()?;
        let addrs = texts(params.get_addrs()?)?;
        let Some(peer) = self.peers.iter().find(|peer| peer.id == id) else {
            return Err(capnp::Error::failed(format!("no such peer: {id}")));
        };
        if addrs.iter().any(|addr| peer.addrs.contains(addr)) {
            return Ok(());
        }
        let listed = peer.addrs.join(", ");
        Err(capnp::Error::failed(format!("{id} is not at any of these addresses; it is at: {listed}")))
    }

    async fn executor(self: Rc<Self>, _: host::ExecutorParams, mut results: host::ExecutorResults) -> Served {
        results.get().set_executor(self.executor.clone());
        Ok(())
    }
}

struct Executor {
    tank: Tank,
    parent: Cell,
}

impl executor::Server for Executor {
    async fn run_bytes(
        self: Rc<Self>,
        params: executor::RunBytesParams,
        mut results: executor::RunBytesResults,
    ) -> Served {
        if let Some(by_ns) = self.tank.shared().take_slow_spawn(self.parent.id()) {
            self.tank.clock().sleep(by_ns).await;
        }
        if self.tank.shared().take_failed_spawn(self.parent.id()) {
            return Err(capnp::Error::failed("runBytes failed by order".into()));
        }
        let params = params.get()?;
        let args = texts(params.get_args()?)?;
        let env = environment(texts(params.get_env()?)?)?;
        let process =
            self.start(params.get_wasm()?, args, env, params.get_detached()).map_err(|e| exception(&e))?;
        results.get().set_process(new_client(process));
        Ok(())
    }

    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> Served {
        let message = params.get()?.get_message()?.to_str()?;
        results.get().set_response(format!("Echo: {message}"));
        Ok(())
    }
}

impl Executor {
    fn start(
        &self,
        wasm: &[u8],
        args: Vec<String>,
        env: Vec<(String, String)>,
        detached: bool,
    ) -> Result<Process, Error> {
        let of = &self.parent.0.spec;
        if self.parent.0.ending.get() {
            return Err(Error::Ended { name: self.parent.name().to_string() });
        }
        within("bytes of a component", wasm.len(), of.limits.wasm_bytes)?;
        let children = self.parent.0.children.borrow().len() + self.parent.0.let_go.get();
        within("children that live at once", children + 1, of.limits.children)?;
        let spec = CellSpec {
            guest: self.tank.engine().guest(wasm)?,
            name: escape_control(args.first().filter(|arg| !arg.is_empty()).map_or("child", |arg| arg))
                .into_owned(),
            args,
            env,
            detached,
            // The parent's setting applies to its own component, and this is another one.
            transport: None,
            ..of.clone()
        };
        let tank = self.tank.clone();
        let (cell, stdio) = self.tank.start(spec, Some(&self.parent), |cell| executor(&tank, cell))?;
        Ok(Process { cell, stdio })
    }
}

fn within(what: &str, amount: usize, limit: usize) -> Result<(), Error> {
    if amount <= limit {
        return Ok(());
    }
    Err(Error::Limit { what: format!("{amount} {what}"), limit: limit as u64 })
}

fn environment(entries: Vec<String>) -> Result<Vec<(String, String)>, capnp::Error> {
    let split = |entry: String| match entry.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
        _ => Err(capnp::Error::failed(format!("env: expected NAME=value, found {entry:?}"))),
    };
    entries.into_iter().map(split).collect()
}

struct Process {
    cell: Cell,
    stdio: Stdio,
}

impl Process {
    fn is_transport(&self, stream: &str) -> capnp::Error {
        capnp::Error::failed(format!("{stream} of {} is its RPC transport", self.cell.name()))
    }
}

impl process::Server for Process {
    async fn stdin(self: Rc<Self>, _: process::StdinParams, mut results: process::StdinResults) -> Served {
        let stdin = self.stdio.stdin.clone().filter(|_| self.stdio.claim());
        let stdin = stdin.ok_or_else(|| self.is_transport("stdin"))?;
        results.get().set_stream(new_client(StdinServer(stdin)));
        Ok(())
    }

    async fn stdout(self: Rc<Self>, _: process::StdoutParams, mut results: process::StdoutResults) -> Served {
        let stdout = self.stdio.stdout.as_ref().filter(|_| self.stdio.claim());
        let stdout = stdout.ok_or_else(|| self.is_transport("stdout"))?;
        results.get().set_stream(new_client(OutputStreamServer(stdout.claim())));
        Ok(())
    }

    async fn stderr(self: Rc<Self>, _: process::StderrParams, mut results: process::StderrResults) -> Served {
        results.get().set_stream(new_client(OutputStreamServer(self.stdio.stderr.claim())));
        Ok(())
    }

    async fn wait(self: Rc<Self>, _: process::WaitParams, mut results: process::WaitResults) -> Served {
        // A call that waits must not hold the cell's stdin open.
        let cell = self.cell.clone();
        drop(self);
        let ended = cell.awaited().await;
        let ended = ended.ok_or_else(|| capnp::Error::disconnected("the host has ended".into()))?;
        results.get().set_exit_code(ended.code);
        Ok(())
    }

    async fn bootstrap(
        self: Rc<Self>,
        _: process::BootstrapParams,
        mut results: process::BootstrapResults,
    ) -> Served {
        if self.cell.exit().is_some() {
            // The host's end of the link may not have seen the end of the stream yet.
            return Err(link::ended());
        }
        let name = self.cell.name();
        let link = self.cell.link().ok_or_else(|| {
            capnp::Error::failed(format!("{name} has no link: its stdin and stdout are its own"))
        })?;
        let exported = link.bootstrap().await?;
        results.get().get_cap().set_as_capability(exported.hook);
        Ok(())
    }

    async fn kill(self: Rc<Self>, _: process::KillParams, _: process::KillResults) -> Served {
        let cell = self.cell.clone();
        drop(self);
        cell.kill_by_order();
        cell.wait().await;
        Ok(())
    }
}

/// A `ByteStream` that writes a cell's stdin.
struct StdinServer(Rc<Input>);

impl byte_stream::Server for StdinServer {
    async fn read(self: Rc<Self>, _: byte_stream::ReadParams, _: byte_stream::ReadResults) -> Served {
        Err(capnp::Error::failed("this stream is for writing: it is the cell's stdin".into()))
    }

    async fn write(self: Rc<Self>, params: byte_stream::WriteParams, _: byte_stream::WriteResults) -> Served {
        let data = Bytes::copy_from_slice(params.get()?.get_data()?);
        self.0.write(data).await.map_err(stream_error)
    }

    async fn close(self: Rc<Self>, _: byte_stream::CloseParams, _: byte_stream::CloseResults) -> Served {
        self.0.close();
        Ok(())
    }
}

/// A `ByteStream` that reads a cell's stdout or stderr.
struct OutputStreamServer(OutputReader);

impl OutputStreamServer {
    fn output(&self) -> &Output {
        &self.0.0
    }
}

impl byte_stream::Server for OutputStreamServer {
    async fn read(
        self: Rc<Self>,
        params: byte_stream::ReadParams,
        mut results: byte_stream::ReadResults,
    ) -> Served {
        let max_bytes = params.get()?.get_max_bytes();
        if max_bytes == 0 {
            return Err(capnp::Error::failed("read of 0 bytes: ask for at least 1".into()));
        }
        let max_bytes = MAX_READ_BYTES.min(max_bytes as usize);
        let data = self.output().read(max_bytes).await.map_err(stream_error)?;
        results.get().set_data(&data);
        Ok(())
    }

    async fn write(self: Rc<Self>, _: byte_stream::WriteParams, _: byte_stream::WriteResults) -> Served {
        Err(capnp::Error::failed("this stream is for reading: it is the cell's output".into()))
    }

    async fn close(self: Rc<Self>, _: byte_stream::CloseParams, _: byte_stream::CloseResults) -> Served {
        self.output().close();
        Ok(())
    }
}

fn stream_error(error: std::io::Error) -> capnp::Error {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => capnp::Error::disconnected("the stream is closed".into()),
        std::io::ErrorKind::ConnectionReset => capnp::Error::disconnected("the stream was reset".into()),
        _ => capnp::Error::failed(error.to_string()),
    }
}

fn set_texts(mut list: capnp::text_list::Builder<'_>, texts: &[String]) {
    for (i, text) in (0..).zip(texts) {
        list.set(i, text);
    }
}

fn texts(list: capnp::text_list::Reader<'_>) -> Result<Vec<String>, capnp::Error> {
    list.iter().map(|text| Ok(text?.to_str()?.to_string())).collect()
}
