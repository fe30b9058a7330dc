//! G13: a log line of more than 4096 bytes in one `blocking-write-and-flush`.
//!
//! That call takes at most 4096 bytes and traps if there are more. A logger that passes whole lines to it
//! works until somebody logs a long line, and then logging kills the guest.
//!
//! Mended: the line is written in pieces.

use std::process::ExitCode;

use wasip2::cli::stderr::get_stderr;
use wavetank_guest::{Error, Result};

use crate::{Way, exit_code, number};

/// The most bytes that one call takes.
const MAX_BYTES: usize = 4096;

pub fn main(way: Way) -> ExitCode {
    exit_code(log(way))
}

/// Logs one line. Its length in bytes is an argument of the guest.
fn log(way: Way) -> Result<()> {
    let line_bytes = number().ok_or_else(|| Error::guest("usage: bugs g13 WAY LINE_BYTES"))?;
    let line = format!("{:.<line_bytes$}", "log ");
    let stderr = get_stderr();
    let at_once = if way == Way::Buggy { usize::MAX } else { MAX_BYTES };
    for piece in line.as_bytes().chunks(at_once) {
        stderr.blocking_write_and_flush(piece).map_err(|error| Error::guest(error.to_string()))?;
    }
    Ok(())
}
