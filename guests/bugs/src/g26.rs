//! G26: readiness taken for bytes, and G27: a short read taken for the last.
//!
//! A pollable of an input stream may be ready and the read after it bring nothing; and a read may bring fewer bytes
//! than were asked for although there are more. The guest of G26 stops at the first read that brings nothing, and
//! says that it was promised something. The guest of G27 stops at the first that brings less than its buffer holds.
//!
//! Mended: only `closed` is the end.

use std::process::ExitCode;

use wasip2::{cli::stdin::get_stdin, io::streams::StreamError};
use wavetank_guest::{Error, Result};

use crate::{Way, exit_code};

const BUFFER_BYTES: u64 = 1000;

/// Readiness taken for bytes.
pub fn main_ready(way: Way) -> ExitCode {
    exit_code(count(way == Way::Buggy, false))
}

/// A short read taken for the last.
pub fn main_short(way: Way) -> ExitCode {
    exit_code(count(false, way == Way::Buggy))
}

fn count(ready_is_bytes: bool, short_is_last: bool) -> Result<()> {
    let stdin = get_stdin();
    let ready = stdin.subscribe();
    let mut total_bytes = 0;
    loop {
        ready.block();
        match stdin.read(BUFFER_BYTES) {
            Ok(bytes) if bytes.is_empty() => {
                if ready_is_bytes {
                    return Err(Error::guest("ready, and nothing to read"));
                }
            }
            Ok(bytes) => {
                total_bytes += bytes.len();
                if short_is_last && bytes.len() < BUFFER_BYTES as usize {
                    break;
                }
            }
            Err(StreamError::Closed) => break,
            Err(error) => return Err(Error::guest(error.to_string())),
        }
    }
    println!("{total_bytes} bytes");
    Ok(())
}
