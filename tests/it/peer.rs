//! Every sentence of `capnp/peer.capnp`, tested on the tank directly: no simulator, and pipes that flow freely.
//!
//! The parent is `server`, which lives until its link ends or it is killed. A child that must stay alive is a `server`
//! too, or a `probe` that sleeps.

mod bootstraps;
mod ends;
mod executors;
mod hosts;
mod stdio;

use crate::bare::{Bare, HOUR_NS, code, ended, host};
use capnp::ErrorKind;
use capnp::capability::FromClientHook;
use futures::future::{RemoteHandle, join_all};
use std::task::Poll;
use wavetank::cell::{Cause, Cell, CellSpec, Limits, Transport};
use wavetank::peer::MAX_READ_BYTES;
use wavetank::schema::peer_capnp::{byte_stream, executor, host, process};
use wavetank::stdio::KEPT_BYTES;
use wavetank::{Blocked, Event, TrapClass};
use wavetank_lab::guests;

type Answer<T> = Result<T, capnp::Error>;

/// More bytes than a pipe and a reader's share hold together.
const MUCH_BYTES: usize = 300_000;

/// A parent and its executor.
struct Family {
    bare: Bare,
    parent: Cell,
    executor: executor::Client,
}

/// The arguments of `runBytes` besides the component.
#[derive(Default)]
struct With<'a> {
    args: &'a [&'a str],
    env: &'a [&'a str],
    detached: bool,
}

impl Family {
    fn new() -> Self {
        Self::of(|spec| spec)
    }

    fn of(change: impl FnOnce(CellSpec) -> CellSpec) -> Self {
        let mut bare = Bare::new();
        let (parent, _stdio) = bare.start(change(bare.spec("parent", guests::SERVER)));
        bare.rest();
        let executor = executor_of(&bare, &parent);
        Family { bare, parent, executor }
    }

    #[track_caller]
    fn child(&mut self, wasm: &[u8], args: &[&str]) -> Child {
        self.child_with(wasm, &With { args, ..With::default() })
    }

    #[track_caller]
    fn child_with(&mut self, wasm: &[u8], with: &With<'_>) -> Child {
        self.child_of(&self.executor.clone(), wasm, with)
    }

    #[track_caller]
    fn child_of(&mut self, executor: &executor::Client, wasm: &[u8], with: &With<'_>) -> Child {
        let born = self.bare.tank.cells().len();
        let started = run_bytes(executor, wasm, with);
        let process = self.bare.run(started).expect("it starts");
        let cell = self.bare.tank.cells()[born].clone();
        Child { process, cell }
    }

    /// The exception for an attempt to start a child.
    #[track_caller]
    fn refused(&mut self, wasm: &[u8], with: &With<'_>) -> String {
        let born = self.bare.tank.cells().len();
        let started = run_bytes(&self.executor, wasm, with);
        let refused = self.bare.run(started).err().expect("it is refused");
        assert_eq!(self.bare.tank.cells().len(), born, "nothing was started");
        refused.to_string()
    }

    /// The exit code of a child that ends by itself.
    #[track_caller]
    fn code(&mut self, child: &Child) -> i32 {
        let wait = child.wait();
        self.bare.run(wait).expect("an exit code")
    }

    #[track_caller]
    fn stdin(&mut self, child: &Child) -> byte_stream::Client {
        self.bare.run(child.stdin()).expect("a stdin of its own")
    }

    /// Claims a child's stdout.
    #[track_caller]
    fn stdout(&mut self, child: &Child) -> byte_stream::Client {
        self.bare.run(child.stdout()).expect("a stdout of its own")
    }

    /// Claims a child's stderr.
    #[track_caller]
    fn stderr(&mut self, child: &Child) -> byte_stream::Client {
        self.bare.run(child.stderr()).expect("a stderr")
    }

    /// All remaining bytes of a stream, to its end.
    #[track_caller]
    fn all(&mut self, stream: &byte_stream::Client) -> Vec<u8> {
        let stream = stream.clone();
        let all = async move {
            let mut all = Vec::new();
            loop {
                let piece = read(&stream, u32::MAX).await?;
                if piece.is_empty() {
                    return Ok::<_, capnp::Error>(all);
                }
                all.extend(piece);
            }
        };
        self.bare.run(all).expect("a stream that ends")
    }
}

/// A child, with the views of its parent and of the tank.
struct Child {
    process: process::Client,
    cell: Cell,
}

impl Child {
    fn wait(&self) -> impl Future<Output = Answer<i32>> + use<> {
        let answer = self.process.wait_request().send().promise;
        async move { Ok(answer.await?.get()?.get_exit_code()) }
    }

    fn kill(&self) -> impl Future<Output = Answer<()>> + use<> {
        let answer = self.process.kill_request().send().promise;
        async move { answer.await.map(drop) }
    }

    fn stdin(&self) -> impl Future<Output = Answer<byte_stream::Client>> + use<> {
        let answer = self.process.stdin_request().send().promise;
        async move { answer.await?.get()?.get_stream() }
    }

    fn stdout(&self) -> impl Future<Output = Answer<byte_stream::Client>> + use<> {
        let answer = self.process.stdout_request().send().promise;
        async move { answer.await?.get()?.get_stream() }
    }

    fn stderr(&self) -> impl Future<Output = Answer<byte_stream::Client>> + use<> {
        let answer = self.process.stderr_request().send().promise;
        async move { answer.await?.get()?.get_stream() }
    }

    fn bootstrap(&self) -> impl Future<Output = Answer<executor::Client>> + use<> {
        let answer = self.process.bootstrap_request().send().promise;
        async move { answer.await?.get()?.get_cap().get_as_capability() }
    }
}

fn executor_of(bare: &Bare, cell: &Cell) -> executor::Client {
    wavetank::peer::executor(&bare.tank, cell).cast_to()
}

fn run_bytes(
    executor: &executor::Client,
    wasm: &[u8],
    with: &With<'_>,
) -> impl Future<Output = Answer<process::Client>> + use<> {
    let mut request = executor.run_bytes_request();
    let mut params = request.get();
    params.set_wasm(wasm);
    params.set_args(with.args).expect("texts");
    params.set_env(with.env).expect("texts");
    params.set_detached(with.detached);
    let answer = request.send().promise;
    async move { answer.await?.get()?.get_process() }
}

fn echo(executor: &executor::Client, message: &str) -> impl Future<Output = Answer<String>> + use<> {
    let mut request = executor.echo_request();
    request.get().set_message(message);
    let answer = request.send().promise;
    async move { Ok(answer.await?.get()?.get_response()?.to_string()?) }
}

fn read(stream: &byte_stream::Client, max_bytes: u32) -> impl Future<Output = Answer<Vec<u8>>> + use<> {
    let mut request = stream.read_request();
    request.get().set_max_bytes(max_bytes);
    let answer = request.send().promise;
    async move { Ok(answer.await?.get()?.get_data()?.to_vec()) }
}

fn write(stream: &byte_stream::Client, bytes: &[u8]) -> impl Future<Output = Answer<()>> + use<> {
    let mut request = stream.write_request();
    request.get().set_data(bytes);
    let answer = request.send().promise;
    async move { answer.await.map(drop) }
}

fn close(stream: &byte_stream::Client) -> impl Future<Output = Answer<()>> + use<> {
    let answer = stream.close_request().send().promise;
    async move { answer.await.map(drop) }
}

#[track_caller]
fn says(error: impl ToString, reason: &str) {
    let error = error.to_string();
    assert!(error.contains(reason), "{error:?} does not say {reason:?}");
}

#[track_caller]
fn fails<T>(answer: Answer<T>, reason: &str) {
    says(answer.err().expect("an exception"), reason);
}

/// A built guest in which one name is changed to another of the same length.
fn renamed(wasm: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut wasm = wasm.to_vec();
    let places: Vec<usize> = wasm
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from.as_bytes())
        .map(|(place, _)| place)
        .collect();
    assert!(!places.is_empty(), "the guest does not know {from}");
    for place in places {
        wasm[place..place + to.len()].copy_from_slice(to.as_bytes());
    }
    wasm
}
