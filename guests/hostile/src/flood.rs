//! Cases that write without end and read nothing.

use std::process::ExitCode;

use wasip2::{cli::stderr::get_stderr, io::streams::OutputStream};
use wavetank_guest::{Error, Result, link::Link};

use crate::exit_code;

const PIECE_BYTES: usize = 4096;

/// A log that never ends.
pub fn stderr() -> ExitCode {
    let stderr = get_stderr();
    exit_code(loop {
        if let Err(error) = stderr.blocking_write_and_flush(&[b'.'; PIECE_BYTES]) {
            break Err(Error::guest(error.to_string()));
        }
    })
}

/// Asks for the host's bootstrap capability under one id after another, and reads no answer.
pub fn link() -> ExitCode {
    exit_code(ask())
}

fn ask() -> Result<()> {
    let link = Link::over_connection();
    for question in 0_u32.. {
        // A segment table for one segment of 5 words; the root, a struct of one word and one pointer; message
        // kind 8, which is bootstrap; the pointer to its struct; the question's id; a null pointer.
        let words: [u64; 6] = [5 << 32, 1 << 32 | 1 << 48, 8, 1 << 32 | 1 << 48, u64::from(question), 0];
        let frame: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        write_all(&link.output, &frame)?;
    }
    Ok(())
}

fn write_all(output: &OutputStream, mut bytes: &[u8]) -> Result<()> {
    let failed = |error: wasip2::io::streams::StreamError| Error::guest(error.to_string());
    while !bytes.is_empty() {
        let permit = usize::try_from(output.check_write().map_err(failed)?).unwrap_or(usize::MAX);
        if permit == 0 {
            output.subscribe().block();
            continue;
        }
        let (now, later) = bytes.split_at(permit.min(bytes.len()));
        output.write(now).map_err(failed)?;
        bytes = later;
    }
    Ok(())
}
