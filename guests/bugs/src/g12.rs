//! G12: a blocking read in a cooperative loop.
//!
//! The guest exports an Executor that echoes, and meanwhile counts the bytes of stdin. Before each read, RPC
//! gets all the turns it wants, which is enough as long as stdin is never quiet. When stdin is quiet, the
//! whole guest sleeps in `blocking-read`, and nobody reads the bytes that arrive for RPC. Suppose that a host
//! closes stdin only after its call was answered. Unless that call arrived before the guest had read
//! everything on stdin, the host waits for ever, or drops the link.
//!
//! Mended: stdin is read by the runtime's reader, which waits in the same poll as RPC.

use std::{process::ExitCode, rc::Rc};

use futures::AsyncReadExt;
use peer::peer_capnp::executor;
use wasip2::{cli::stdin::get_stdin, io::streams::StreamError};
use wavetank_guest::{Error, Result, reactor::Reactor, streams::Reader, task};

use crate::{Way, exit_code, hand::Session};

pub fn main(way: Way) -> ExitCode {
    exit_code(serve_and_count(way))
}

fn serve_and_count(way: Way) -> Result<()> {
    let exported: executor::Client = capnp_rpc::new_client(Echo);
    let (mut session, peer) = Session::open::<executor::Client>(Some(exported.client));
    drop(peer);
    let ended = match way {
        Way::Buggy => count_blocking(&mut session),
        Way::Mended => {
            let count = Box::pin(count(session.reactor.clone()));
            task::run(&session.reactor, count, &mut session.system).flatten()
        }
    };
    let total_bytes = ended?;
    println!("{total_bytes} bytes");
    session.close()
}

fn count_blocking(session: &mut Session) -> Result<usize> {
    let stdin = get_stdin();
    let mut total_bytes = 0;
    loop {
        while session.system.turn() {}
        match stdin.blocking_read(4096) {
            Ok(piece) => total_bytes += piece.len(),
            Err(StreamError::Closed) => return Ok(total_bytes),
            Err(error) => return Err(Error::guest(error.to_string())),
        }
    }
}

async fn count(reactor: Reactor) -> Result<usize> {
    let mut bytes = Vec::new();
    Ok(Reader::new(&reactor, get_stdin()).read_to_end(&mut bytes).await?)
}

struct Echo;

impl executor::Server for Echo {
    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> capnp::Result<()> {
        let message = params.get()?.get_message()?.to_str()?;
        results.get().set_response(format!("Echo: {message}"));
        Ok(())
    }
}
