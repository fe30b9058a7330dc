//! Questions about the readiness of streams and clocks, in which hosts have failed. Each is the substance of
//! an issue of wasmtime.

use wasip2::{
    cli::{
        stdin::get_stdin,
        stdout::{OutputStream, get_stdout},
    },
    clocks::monotonic_clock::{now, subscribe_duration, subscribe_instant},
    io::{poll::poll, streams::StreamError},
};
use wavetank_guest::{Error, Result};

const SECOND_NS: u64 = 1_000_000_000;

/// Polls two pollables of each of two handles on stdin in one list (wasmtime#7767), then prints which are ready.
pub fn pollables() -> Result<()> {
    let handles = [get_stdin(), get_stdin()];
    let pollables = handles.each_ref().map(|stdin| [stdin.subscribe(), stdin.subscribe()]);
    let pollables: Vec<_> = pollables.iter().flatten().collect();
    poll(&pollables);
    println!("ready: {:?}", pollables.iter().map(|pollable| pollable.ready()).collect::<Vec<_>>());
    Ok(())
}

/// Waits a second, then for instants that have passed or are just now (wasmtime#6993), then for one still to
/// come. Prints which of the first are ready, and the time after each of the last two waits.
pub fn instants() -> Result<()> {
    subscribe_duration(SECOND_NS).block();
    let pollables = [0, 1, SECOND_NS - 1, SECOND_NS].map(subscribe_instant);
    println!("ready: {:?}", pollables.each_ref().map(|pollable| pollable.ready()));
    pollables.iter().for_each(|pollable| pollable.block());
    println!("now: {} ns", now());
    subscribe_instant(2 * SECOND_NS).block();
    println!("then: {} ns", now());
    Ok(())
}

/// Polls stdin beside a time-out of 0 until stdin is ready (wasmtime#13040), then prints the bytes that it read.
pub fn timeouts() -> Result<()> {
    let stdin = get_stdin();
    loop {
        let (bytes, timeout) = (stdin.subscribe(), subscribe_duration(0));
        if poll(&[&bytes, &timeout]).contains(&0) {
            let read = stdin.read(64).map_err(|error| Error::guest(format!("stdin: {error}")))?;
            if !read.is_empty() {
                println!("read: {}", String::from_utf8_lossy(&read));
                return Ok(());
            }
        }
    }
}

/// Writes and flushes piece after piece, and before each blocks on a pollable made for it (wasmtime#8781).
pub fn writes() -> Result<()> {
    let stdout = get_stdout();
    for piece in ["one ", "two ", "three ", "four\n"] {
        write(&stdout, piece.as_bytes()).map_err(|error| Error::guest(format!("stdout: {error}")))?;
    }
    Ok(())
}

fn write(stdout: &OutputStream, mut bytes: &[u8]) -> std::result::Result<(), StreamError> {
    while !bytes.is_empty() {
        stdout.subscribe().block();
        let permit = stdout.check_write()?;
        let (piece, rest) = bytes.split_at(bytes.len().min(permit as usize));
        stdout.write(piece)?;
        stdout.flush()?;
        bytes = rest;
    }
    Ok(())
}
