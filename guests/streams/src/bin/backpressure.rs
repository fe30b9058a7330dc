//! A writer that is faster than its reader, in both directions, for sizes around every relevant border.
//!
//! The guest starts a child for each size. It writes all of the child's stdin in one call, and the child reads
//! it in small pieces, with naps between. Then the child writes as many bytes to stdout at once, and the guest
//! reads them in the same way. Needs the connection transport.

use std::{process::ExitCode, time::Duration};

use futures::{join, try_join};
use peer::{
    pattern,
    peer_capnp::{byte_stream, executor, host},
};
use wavetank_guest::{Io, Result, run};

const CHILD: &[u8] = include_bytes!("../../../built/child-slow.wasm");

const SIZES_BYTES: [usize; 12] = [1, 2, 63, 64, 65, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1_000_000];

const NAP: Duration = Duration::from_millis(1);
const MOST_BYTES: u32 = 64 * 1024;

fn main() -> ExitCode {
    run(|host: host::Client, io: Io| async move {
        let executor = peer::executor(&host);
        for size_bytes in SIZES_BYTES {
            there_and_back(&executor, &io, size_bytes).await?;
        }
        executor.settled().await;
        Ok(())
    })
}

async fn there_and_back(executor: &executor::Client, io: &Io, size_bytes: usize) -> Result<()> {
    let child = peer::start(executor, CHILD, &["child-slow", &size_bytes.to_string()], &[]);
    // Asked for before the child has written anything: from then on the host keeps all of its output.
    let stdout = peer::stdout(&child);
    let stdin = peer::stdin(&child);
    // Closed without waiting for the write: the end comes after the written bytes.
    let (written, closed) = (peer::write(&stdin, &pattern::bytes(0, size_bytes)), peer::close(&stdin));
    let ended = peer::wait_for_success(&child);
    try_join!(written, closed, read_slowly(io, &stdout, size_bytes), ended)?;
    join!(stdin.settled(), stdout.settled(), child.settled());
    Ok(())
}

async fn read_slowly(io: &Io, stdout: &byte_stream::Client, size_bytes: usize) -> Result<()> {
    let mut check = pattern::Check::default();
    let mut wanted_bytes = 1;
    loop {
        let piece = peer::read(stdout, wanted_bytes).await?;
        if piece.is_empty() {
            return check.end(size_bytes);
        }
        check.next(&piece)?;
        wanted_bytes = MOST_BYTES.min(wanted_bytes * 2);
        io.sleep(NAP).await;
    }
}
