//! The sentences that guests say to their host, over the generated clients.
//!
//! Each sends its call at once, before the first poll of what it returns, and awaits nothing on the way: what
//! is asked for in one breath goes out in one breath.

use std::future::Future;

use crate::{
    Error, Result,
    peer_capnp::{executor, process},
};

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

/// Asks for a child and returns its process, before the host has answered. If it cannot be started, calls on
/// the process say why.
pub fn start(executor: &executor::Client, wasm: &[u8], args: &[&str], env: &[&str]) -> process::Client {
    let mut request = executor.run_bytes_request();
    let mut params = request.get();
    params.set_wasm(wasm);
    set_list(params.reborrow().init_args(args.len() as u32), args);
    set_list(params.init_env(env.len() as u32), env);
    request.send().pipeline.get_process()
}

/// Asks for the end of a child and returns a future that checks that it exited with 0.
pub fn wait_for_success(process: &process::Client) -> impl Future<Output = Result<()>> + use<> {
    let answer = process.wait_request().send().promise;
    async move {
        match answer.await?.get()?.get_exit_code() {
            0 => Ok(()),
            code => Err(Error::guest(format!("the child exited with {code}"))),
        }
    }
}

fn set_list(mut list: capnp::text_list::Builder<'_>, texts: &[&str]) {
    for (index, text) in (0..).zip(texts) {
        list.set(index, text);
    }
}
