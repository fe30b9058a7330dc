//! G11: a read of 0 bytes taken for the end, and the reverse.
//!
//! `read` may return nothing although more will come; only `closed` is the end. If a guest stops at the first
//! empty read, it counts the bytes that had arrived by then and exits with 0, and the rest is silently
//! dropped. It looks right whenever all of stdin arrives before the guest starts.
//!
//! The reverse: an error is read as "nothing yet". At the end the guest waits for a stream that is always
//! ready, and asks it again, for ever.
//!
//! Mended: empty means "wait", `closed` is the end.

use std::process::ExitCode;

use wasip2::{cli::stdin::get_stdin, io::streams::StreamError};
use wavetank_guest::{Error, Result};

use crate::{Way, exit_code};

pub fn main(way: Way) -> ExitCode {
    exit_code(count(way == Way::Buggy, false))
}

pub fn main_eof(way: Way) -> ExitCode {
    exit_code(count(false, way == Way::Buggy))
}

fn count(empty_is_the_end: bool, end_is_empty: bool) -> Result<()> {
    let stdin = get_stdin();
    let mut total_bytes = 0;
    loop {
        match stdin.read(4096) {
            Ok(bytes) if bytes.is_empty() => {
                if empty_is_the_end {
                    break;
                }
                stdin.subscribe().block();
            }
            Ok(bytes) => total_bytes += bytes.len(),
            Err(_) if end_is_empty => stdin.subscribe().block(),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(Error::guest(error.to_string())),
        }
    }
    println!("{total_bytes} bytes");
    Ok(())
}
