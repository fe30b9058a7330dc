//! G24: two writes on one permit, and G25: a write during a flush.
//!
//! `check-write` gives "the number of bytes permitted for the next call to `write`". The guest asks once and writes a
//! head and a body that together fit the permit. Most hosts take both, but a host may trap at the second. In G25 the
//! guest flushes after the head. Then the stream accepts no write until `check-write` has given a permit again.
//!
//! Mended: a `check-write` before each write.

use std::process::ExitCode;

use wasip2::{
    cli::stdout::get_stdout,
    io::streams::{OutputStream, StreamError},
};
use wavetank_guest::{Error, Result};

use crate::{Way, exit_code};

const HEAD: &[u8] = b"head ";
const BODY: &[u8] = b"body\n";

/// G24: a second write on the permit of the first.
pub fn main_twice(way: Way) -> ExitCode {
    exit_code(said(head_and_body(way, false)))
}

/// G25: a write on a permit from before a flush.
pub fn main_flush(way: Way) -> ExitCode {
    exit_code(said(head_and_body(way, true)))
}

fn head_and_body(way: Way, flushes: bool) -> std::result::Result<(), StreamError> {
    let stdout = get_stdout();
    let mut permit_bytes = permit(&stdout, HEAD.len() + BODY.len())?;
    for part in [HEAD, BODY] {
        if way == Way::Mended {
            permit_bytes = permit(&stdout, part.len())?;
        }
        assert!(permit_bytes >= part.len());
        stdout.write(part)?;
        permit_bytes -= part.len();
        if flushes {
            stdout.flush()?;
        }
    }
    stdout.blocking_flush()
}

/// Waits until at least this many bytes are permitted, and returns the permit.
fn permit(stdout: &OutputStream, wanted_bytes: usize) -> std::result::Result<usize, StreamError> {
    loop {
        match stdout.check_write()? as usize {
            0 => stdout.subscribe().block(),
            enough if enough >= wanted_bytes => return Ok(enough),
            // A permit that is too small is used up on blanks, because otherwise a larger one would never come.
            little => stdout.write(&vec![b' '; little])?,
        }
    }
}

fn said(result: std::result::Result<(), StreamError>) -> Result<()> {
    result.map_err(|error| Error::guest(error.to_string()))
}
