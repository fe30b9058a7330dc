//! A chain of guests, each link started by the one before.
//!
//! ```text
//! chain N [root]      N links are still to be started; the root's peer is a Host, every other's an Executor
//! ```
//!
//! A link reads its own component from stdin, so it needs the connection transport. It starts the next link,
//! hands it the same bytes through its stdin, and waits for it. The last link makes one echo call instead.
//! Each says `link N ok` on stdout when all beyond it are.

use std::{env, process::ExitCode};

use capnp::capability::{Client, FromClientHook};
use futures::{AsyncReadExt, join};
use wavetank_guest::{
    Error, Io, Result, peer,
    peer_capnp::{byte_stream, executor},
    run,
};

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
    // Both to their end: of a link that ends before it has read everything, the exit code says more than the
    // broken stream. A child that cannot be fed would wait for its stdin for ever.
    let feeding = async {
        let fed = feed(&stdin, wasm).await;
        if fed.is_err() {
            // It may have ended by itself, and its process may be what failed.
            let _ = peer::kill(&process).await;
        }
        fed
    };
    let (ended, fed) = join!(peer::wait_for_success(&process), feeding);
    join!(stdin.settled(), process.settled());
    ended.and(fed)
}

/// Writes all and closes, one chunk in flight: the next goes out when the child has room for it.
async fn feed(stdin: &byte_stream::Client, bytes: &[u8]) -> Result<()> {
    for chunk in bytes.chunks(CHUNK_BYTES) {
        peer::write(stdin, chunk).await?;
    }
    peer::close(stdin).await
}
