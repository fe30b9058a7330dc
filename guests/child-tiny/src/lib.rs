//! The smallest child: no std, no RPC. Prints `CHILD_OK` on stderr if it got its arguments and environment.
//!
//! In a world that starts thousands of cells, each guest's size has a cost. With this guest, little more than
//! the host's own work is left to measure.

#![no_std]

extern crate alloc;

mod bare;

use wasip2::{
    cli::{
        environment::{get_arguments, get_environment},
        stderr::get_stderr,
    },
    io::streams::{OutputStream, StreamError},
};

struct Child;

wasip2::cli::command::export!(Child);

impl wasip2::exports::cli::run::Guest for Child {
    fn run() -> Result<(), ()> {
        let stderr = get_stderr();
        let told = !get_arguments().is_empty() && !get_environment().is_empty();
        let word: &[u8] = if told { b"CHILD_OK\n" } else { b"no arguments or no environment\n" };
        write_all(&stderr, word).map_err(drop)?;
        if told { Ok(()) } else { Err(()) }
    }
}

/// Writes as many bytes as are permitted at a time, and blocks while none are.
fn write_all(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let permit = stream.check_write()?;
        if permit == 0 {
            // The pollable is dropped at the end of this statement, before its stream.
            stream.subscribe().block();
            continue;
        }
        let (now, later) = bytes.split_at(bytes.len().min(permit as usize));
        stream.write(now)?;
        bytes = later;
    }
    stream.flush()
}
