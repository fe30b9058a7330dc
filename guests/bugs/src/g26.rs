//! G26: readiness taken for bytes, and G27: a short read taken for the last.
//!
//! A pollable of an input stream may be ready although the next read returns nothing. A read may also return fewer
//! bytes than were asked for although there are more. The guest of G26 fails at the first read that returns nothing,
//! because the stream was ready. The guest of G27 stops at the first read that does not fill its buffer.
//!
//! Mended: only `closed` is the end.

use std::process::ExitCode;

use wasip2::{cli::stdin::get_stdin, io::streams::StreamError};
use wavetank_guest::{Error, Result};

use crate::{Way, exit_code};

const BUFFER_BYTES: u64 = 1000;

/// G26: readiness taken for bytes.
pub fn main_ready(way: Way) -> ExitCode {
    exit_code(count(way == Way::Buggy, false))
}

/// G27: a short read taken for the last.
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
