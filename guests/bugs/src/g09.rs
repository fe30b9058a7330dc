//! G09: nobody reads the pipe of a child's stderr.
//!
//! The parent asks for its child's stderr, and then waits for the child to end before it reads. The child
//! writes more than the host keeps and the pipe holds. It blocks in the middle of a line, and the parent's
//! wait never returns. If the child writes little, all is well.
//!
//! Mended: the parent reads while it waits.
//!
//! The child is this component again. The parent reads its bytes from stdin.

use std::{env, process::ExitCode};

use futures::{AsyncReadExt, try_join};
use peer::peer_capnp::{byte_stream, executor};
use wavetank_guest::{Error, Io, Result, run};

use crate::Way;

const LINES: usize = 200;
const LINE_BYTES: usize = 1024;

pub fn main(way: Way) -> ExitCode {
    if env::args().nth(3).as_deref() == Some("child") {
        for line in 0..LINES {
            // Formatted first, for one write per line: `eprint` alone would write each fill character by itself.
            let line = format!("{line:.<0$}\n", LINE_BYTES - 1);
            eprint!("{line}");
        }
        return ExitCode::SUCCESS;
    }
    run(move |executor: executor::Client, io: Io| async move {
        let mut wasm = Vec::new();
        io.stdin()?.read_to_end(&mut wasm).await?;
        let child = peer::start(&executor, &wasm, &["child", "g09", "mended", "child"], &[]);
        let answer = child.stderr_request().send().promise.await?;
        let stderr = answer.get()?.get_stream()?;
        let ended = peer::wait_for_success(&child);
        match way {
            Way::Buggy => {
                ended.await?;
                read_all(&stderr).await?;
            }
            Way::Mended => {
                try_join!(ended, read_all(&stderr))?;
            }
        }
        child.settled().await;
        Ok(())
    })
}

/// The beginning of the child's output may be lost: until its stderr was asked for, the host kept only the end.
async fn read_all(stderr: &byte_stream::Client) -> Result<()> {
    let mut last = 0;
    loop {
        let piece = peer::read(stderr, 64 * 1024).await?;
        match piece.last() {
            Some(byte) => last = *byte,
            None if last == b'\n' => return Ok(()),
            None => return Err(Error::guest("the log ends within a line")),
        }
    }
}
