//! A writer that is faster than its reader, both ways, for sizes around every border there is.
//!
//! For each size a child of its own: all its stdin is written in one call, and the child takes it in small
//! pieces, with naps between. Then the child writes as much to stdout at once, and is read the same way. Needs
//! the connection transport.

use std::{process::ExitCode, time::Duration};

use futures::{join, try_join};
use wavetank_guest::{
    Io, Result, pattern, peer,
    peer_capnp::{byte_stream, executor, host},
    run,
};

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
    // Asked for before the child has anything to say: from then on the host keeps all of it.
    let stdout = peer::stdout(&child);
    let stdin = peer::stdin(&child);
    // Closed in the same breath: the end comes after what was written.
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
