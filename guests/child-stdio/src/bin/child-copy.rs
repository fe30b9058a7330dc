//! A child that copies stdin to stdout as the bytes come. It has no RPC, because it needs both for itself.
//!
//! It flushes each piece: a parent may wait for it before it sends the next, and a host may keep unflushed bytes.

use futures::{AsyncReadExt, AsyncWriteExt};
use wavetank_guest::{Io, Result, block_on};

/// The most bytes that one read takes.
const PIECE_BYTES: usize = 8 * 1024;

fn main() -> Result<()> {
    block_on(|io: Io| async move {
        let mut stdout = io.stdout()?;
        let mut stdin = io.stdin()?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read_bytes = stdin.read(&mut piece).await?;
            if read_bytes == 0 {
                break;
            }
            stdout.write_all(&piece[..read_bytes]).await?;
            stdout.flush().await?;
        }
        stdout.close().await?;
        Ok(())
    })
}
