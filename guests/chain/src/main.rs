//! A chain of guests: each link starts the next one.
//!
//! ```text
//! chain N [root]      N links are still to be started; the root's peer is a Host, every other's an Executor
//! ```
//!
//! A link reads its own component from stdin, so it needs the connection transport. It starts the next link,
//! passes it the same bytes through its stdin, and waits for it. The last link makes one echo call instead.
//! Each link prints `link N ok` on stdout when all links after it have done so.

use std::{env, process::ExitCode};

use capnp::capability::{Client, FromClientHook};
use futures::{AsyncReadExt, join};
use peer::peer_capnp::{byte_stream, executor};
use wavetank_guest::{Error, Io, Result, run};

const CHUNK_BYTES: usize = 64 * 1024;

fn main() -> ExitCode {
    run(|bootstrap: Client, io: Io| async move {
        let left = env::args().nth(1).and_then(|word| word.parse::<u32>().ok());
        let left = left.ok_or_else(|| Error::guest("usage: chain N [root]"))?;
        let executor: executor::Client = match env::args().nth(2).as_deref() {
            Some("root") => peer::executor(&bootstrap.cast_to()).settled().await,
            _ => bootstrap.cast_to(),
        };
        let mut wasm = Vec::new();
        io.stdin()?.read_to_end(&mut wasm).await?;
        match left.checked_sub(1) {
            Some(left) => next_link(&executor, &wasm, left).await?,
            None => peer::echo(&executor, "the end of the chain").await?,
        }
        println!("link {left} ok");
        Ok(())
    })
}

async fn next_link(executor: &executor::Client, wasm: &[u8], left: u32) -> Result<()> {
    let process = peer::start(executor, wasm, &["chain", &left.to_string()], &[]);
    let stdin = peer::stdin(&process);
    // Both run to their end: if a link ends before it has read everything, its exit code says more than the
    // broken stream. A child that cannot be fed would wait for its stdin for ever, so it is killed.
    let feeding = async {
        let fed = feed(&stdin, wasm).await;
        if fed.is_err() {
            // The kill may fail too: the child may have ended by itself, or its process may be the thing that failed.
            let _ = peer::kill(&process).await;
        }
        fed
    };
    let (ended, fed) = join!(peer::wait_for_success(&process), feeding);
    join!(stdin.settled(), process.settled());
    ended.and(fed)
}

/// Writes all bytes and closes. Only one chunk is in flight: the next is sent when the child has room for it.
async fn feed(stdin: &byte_stream::Client, bytes: &[u8]) -> Result<()> {
    for chunk in bytes.chunks(CHUNK_BYTES) {
        peer::write(stdin, chunk).await?;
    }
    peer::close(stdin).await
}
