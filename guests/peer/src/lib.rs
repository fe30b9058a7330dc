//! The calls that the guests of this repository make on their host, and in [`pattern`] the bytes that they send.
//!
//! Each function sends its call at once, before the returned future is polled, and awaits nothing first. So calls that
//! are made together leave together. The guest runtime itself knows no schema.

pub mod pattern;

/// Generated from `capnp/peer.capnp`: the calls that a guest can make on its host.
#[allow(missing_docs, clippy::all)]
pub mod peer_capnp {
    include!(concat!(env!("OUT_DIR"), "/peer_capnp.rs"));
}

use std::future::Future;

use capnp::capability::FromClientHook;
use wavetank_guest::{Error, Promised, Result};

use peer_capnp::{byte_stream, executor, host, process};

/// Sends one `echo` and returns a future that checks the answer.
pub fn echo(executor: &executor::Client, message: &str) -> impl Future<Output = Result<()>> + use<> {
    let mut request = executor.echo_request();
    request.get().set_message(message);
    let answer = request.send().promise;
    let expected = format!("Echo: {message}");
    async move {
        let answer = answer.await?;
        let response = answer.get()?.get_response()?.to_str()?;
        if response == expected {
            return Ok(());
        }
        Err(Error::guest(format!(
            "echo answered {} bytes, not the {} expected",
            response.len(),
            expected.len()
        )))
    }
}

/// Asks a host for its executor.
pub fn executor(host: &host::Client) -> Promised<executor::Client> {
    Promised::new(host.executor_request().send(), |answer| answer.get_executor())
}

/// Starts a child. If it cannot be started, calls on the process fail with the reason.
pub fn start(
    executor: &executor::Client,
    wasm: &[u8],
    args: &[&str],
    env: &[&str],
) -> Promised<process::Client> {
    let mut request = executor.run_bytes_request();
    let mut params = request.get();
    params.set_wasm(wasm);
    set_list(params.reborrow().init_args(args.len() as u32), args);
    set_list(params.init_env(env.len() as u32), env);
    Promised::new(request.send(), |answer| answer.get_process())
}

/// Waits for the end of a child. The future fails if the exit code is not 0.
pub fn wait_for_success(process: &process::Client) -> impl Future<Output = Result<()>> + use<> {
    let code = wait(process);
    async move {
        match code.await? {
            0 => Ok(()),
            code => Err(Error::guest(format!("the child exited with {code}"))),
        }
    }
}

/// Waits for the end of a child and returns its exit code.
pub fn wait(process: &process::Client) -> impl Future<Output = Result<i32>> + use<> {
    let answer = process.wait_request().send().promise;
    async move { Ok(answer.await?.get()?.get_exit_code()) }
}

/// Kills a child. The future is ready when the child has ended.
pub fn kill(process: &process::Client) -> impl Future<Output = Result<()>> + use<> {
    let answer = process.kill_request().send().promise;
    async move {
        answer.await?;
        Ok(())
    }
}

/// Asks for the bootstrap capability of a child.
pub fn bootstrap<C: FromClientHook>(process: &process::Client) -> Promised<C> {
    Promised::new(process.bootstrap_request().send(), |answer| FromClientHook::new(answer.get_cap().as_cap()))
}

/// Asks for the stream that writes to a child's stdin.
pub fn stdin(process: &process::Client) -> Promised<byte_stream::Client> {
    Promised::new(process.stdin_request().send(), |answer| answer.get_stream())
}

/// Asks for the stream that reads from a child's stdout.
pub fn stdout(process: &process::Client) -> Promised<byte_stream::Client> {
    Promised::new(process.stdout_request().send(), |answer| answer.get_stream())
}

/// Writes `data` and returns a future that is ready when all of it was accepted.
pub fn write(stream: &byte_stream::Client, data: &[u8]) -> impl Future<Output = Result<()>> + use<> {
    let mut request = stream.write_request();
    request.get().set_data(data);
    let answer = request.send().promise;
    async move {
        answer.await?;
        Ok(())
    }
}

/// Reads, and returns a future of at least one byte and at most `max_bytes`, or of no bytes at the end of the stream.
pub fn read(stream: &byte_stream::Client, max_bytes: u32) -> impl Future<Output = Result<Vec<u8>>> + use<> {
    let mut request = stream.read_request();
    request.get().set_max_bytes(max_bytes);
    let answer = request.send().promise;
    async move { Ok(answer.await?.get()?.get_data()?.to_vec()) }
}

/// Ends a stream and returns a future that is ready when the host has answered.
pub fn close(stream: &byte_stream::Client) -> impl Future<Output = Result<()>> + use<> {
    let answer = stream.close_request().send().promise;
    async move {
        answer.await?;
        Ok(())
    }
}

fn set_list(mut list: capnp::text_list::Builder<'_>, texts: &[&str]) {
    for (index, text) in (0..).zip(texts) {
        list.set(index, text);
    }
}
