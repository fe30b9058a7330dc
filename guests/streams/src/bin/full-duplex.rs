//! Bytes in both directions at once, more of them than all pipes on the way can hold.
//!
//! The child copies its stdin to its stdout as the bytes come. If a parent wrote everything first and read
//! only then, it would wait for ever. Needs the connection transport.

use std::process::ExitCode;

use futures::{join, try_join};
use peer::{
    pattern,
    peer_capnp::{byte_stream, host},
};
use wavetank_guest::{Io, Result, run};

const CHILD: &[u8] = include_bytes!("../../../built/child-copy.wasm");

const TOTAL_BYTES: usize = 512 * 1024;
/// The bytes of one call. The capacity of a pipe is never a multiple of it.
const PIECE_BYTES: usize = 10_000;
const READ_BYTES: u32 = 32 * 1024;

fn main() -> ExitCode {
    run(|host: host::Client, _: Io| async move {
        let executor = peer::executor(&host);
        let child = peer::start(&executor, CHILD, &["child-copy"], &[]);
        let (stdout, stdin) = (peer::stdout(&child), peer::stdin(&child));
        let ended = peer::wait_for_success(&child);
        try_join!(write_all(&stdin), read_all(&stdout), ended)?;
        join!(stdin.settled(), stdout.settled(), child.settled(), executor.settled());
        Ok(())
    })
}

async fn write_all(stdin: &byte_stream::Client) -> Result<()> {
    for piece in pattern::bytes(0, TOTAL_BYTES).chunks(PIECE_BYTES) {
        peer::write(stdin, piece).await?;
    }
    peer::close(stdin).await
}

async fn read_all(stdout: &byte_stream::Client) -> Result<()> {
    let mut check = pattern::Check::default();
    loop {
        let piece = peer::read(stdout, READ_BYTES).await?;
        if piece.is_empty() {
            return check.end(TOTAL_BYTES);
        }
        check.next(&piece)?;
    }
}
