//! A child that copies stdin to stdout as it comes. No RPC: it needs both for itself.

use futures::{AsyncWriteExt, io::copy};
use wavetank_guest::{Io, Result, block_on};

fn main() -> Result<()> {
    block_on(|io: Io| async move {
        let mut stdout = io.stdout()?;
        copy(io.stdin()?, &mut stdout).await?;
        stdout.close().await?;
        Ok(())
    })
}
