//! A child that reads slowly and then writes fast.
//!
//! ```text
//! child-slow N      reads N bytes of the running pattern and the end of stdin, then writes the same to stdout
//! ```
//!
//! It reads one byte, then sleeps, then two, then four, and so on. It reads from the WASI stream directly,
//! because the runtime's reader reads ahead.

use std::{env, time::Duration};

use futures::AsyncWriteExt;
use peer::pattern;
use wasip2::{
    cli::stdin::get_stdin,
    io::streams::{InputStream, StreamError},
};
use wavetank_guest::{Error, Io, Result, block_on};

const NAP: Duration = Duration::from_millis(1);
const MOST_BYTES: u64 = 64 * 1024;

fn main() -> Result<()> {
    let size = env::args().nth(1).and_then(|word| word.parse::<usize>().ok());
    let size_bytes = size.ok_or_else(|| Error::guest("usage: child-slow N"))?;
    block_on(|io: Io| async move {
        read_slowly(&io, &get_stdin()).await?.end(size_bytes)?;
        let mut stdout = io.stdout()?;
        stdout.write_all(&pattern::bytes(0, size_bytes)).await?;
        stdout.close().await?;
        Ok(())
    })
}

/// Each read blocks the whole guest. That is fine, because it has nothing else to do meanwhile.
async fn read_slowly(io: &Io, stdin: &InputStream) -> Result<pattern::Check> {
    let mut check = pattern::Check::default();
    let mut wanted_bytes = 1;
    loop {
        match stdin.blocking_read(wanted_bytes) {
            Ok(piece) => check.next(&piece)?,
            Err(StreamError::Closed) => return Ok(check),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(Error::guest(error.to_debug_string()));
            }
        }
        wanted_bytes = MOST_BYTES.min(wanted_bytes * 2);
        io.sleep(NAP).await;
    }
}
