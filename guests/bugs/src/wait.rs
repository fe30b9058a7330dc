//! Busy waiting: a guest that never blocks, and checks again and again whether its event has come.
//!
//! That burns a processor, but it is lawful as long as the event comes: while the guest checks, time passes
//! and others run. If the event never comes, it is a livelock.
//!
//! Buggy: the wait has no end. Mended: it ends after five milliseconds, or when bytes come.

use std::{
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use wasip2::{
    cli::stdin::get_stdin,
    clocks::monotonic_clock::{subscribe_duration, subscribe_instant},
    io::poll::poll,
};
use wavetank_guest::{Error, Result};

use crate::{Way, exit_code};

const WAIT: Duration = Duration::from_millis(5);

/// Reads the clock again and again.
pub fn main_now(way: Way) -> ExitCode {
    let begun = Instant::now(); // On purpose: this is the busy wait itself, on the simulator's virtual clock.
    while begun.elapsed() < WAIT || way == Way::Buggy {
        thread::yield_now();
    }
    came()
}

/// Asks a timer again and again whether its time has come.
pub fn main_ready(way: Way) -> ExitCode {
    let time = subscribe_duration(WAIT.as_nanos() as u64);
    while !time.ready() || way == Way::Buggy {}
    drop(time);
    came()
}

/// Polls a timer beside something that is always ready.
pub fn main_poll(way: Way) -> ExitCode {
    let always = subscribe_instant(0);
    let time = subscribe_duration(WAIT.as_nanos() as u64);
    while !poll(&[&always, &time]).contains(&1) || way == Way::Buggy {}
    drop((always, time));
    came()
}

/// Polls stdin with a time-out of 0. Both ways are the same guest: the world decides whether bytes come.
pub fn main_bytes(_: Way) -> ExitCode {
    match bytes() {
        Ok(()) => came(),
        failed => exit_code(failed),
    }
}

fn bytes() -> Result<()> {
    let stdin = get_stdin();
    let ready = stdin.subscribe();
    loop {
        let timeout = subscribe_duration(0);
        if poll(&[&ready, &timeout]).contains(&0) {
            let bytes = stdin.read(64).map_err(|error| Error::guest(error.to_string()))?;
            if !bytes.is_empty() {
                return Ok(());
            }
        }
    }
}

fn came() -> ExitCode {
    println!("it came");
    ExitCode::SUCCESS
}
