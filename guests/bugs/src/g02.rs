//! G02: a permit kept across turns.
//!
//! The guest asks `check-write` once, keeps the answer, and writes one piece after another by it. Between
//! pieces it waits in `poll` and asks again, as it must, but it only checks whether the answer is 0. As long
//! as all its output fits the pipe, which was empty at the start, nobody notices. If the budget is small, or
//! shrinks between two turns, the next write exceeds its permit, and that traps.
//!
//! Mended: each write is cut to the permit that was given just before it.

use std::process::ExitCode;

use peer::pattern;
use wasip2::{cli::stdout::get_stdout, io::streams::OutputStream};
use wavetank_guest::{Error, Result};

use crate::{Way, exit_code};

const PIECES: usize = 16;
const PIECE_BYTES: usize = 2000;

pub fn main(way: Way) -> ExitCode {
    exit_code(write_all(way))
}

fn write_all(way: Way) -> Result<()> {
    let stdout = get_stdout();
    let cached_bytes = permit(&stdout)?;
    for piece in 0..PIECES {
        let mut bytes = &pattern::bytes(piece * PIECE_BYTES, PIECE_BYTES)[..];
        while !bytes.is_empty() {
            let now_bytes = permit(&stdout)?;
            let permit_bytes = if way == Way::Buggy { cached_bytes } else { now_bytes };
            let (part, rest) = bytes.split_at(bytes.len().min(permit_bytes));
            stdout.write(part).map_err(|error| Error::guest(error.to_string()))?;
            bytes = rest;
        }
    }
    Ok(())
}

/// Waits until the stream takes bytes, and returns how many.
fn permit(stdout: &OutputStream) -> Result<usize> {
    loop {
        match stdout.check_write() {
            Ok(0) => stdout.subscribe().block(),
            Ok(bytes) => return Ok(bytes as usize),
            Err(error) => return Err(Error::guest(error.to_string())),
        }
    }
}
