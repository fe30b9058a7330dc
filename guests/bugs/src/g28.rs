//! G28: the guest assumes that `poll` names everything that is ready.
//!
//! `poll` gives "one or more indices" of the ready pollables. The guest waits for three times that have
//! passed. If `poll` does not name one of them, the guest concludes that this time is still to come.
//!
//! Mended: the pollables that were not named are polled again.

use std::process::ExitCode;

use wasip2::{
    clocks::monotonic_clock::subscribe_instant,
    io::poll::{Pollable, poll},
};
use wavetank_guest::{Error, Result};

use crate::{Way, exit_code};

const TIMES: usize = 3;

pub fn main(way: Way) -> ExitCode {
    exit_code(await_all(way))
}

fn await_all(way: Way) -> Result<()> {
    let mut waiting: Vec<Pollable> = (0..TIMES).map(|_| subscribe_instant(0)).collect();
    while !waiting.is_empty() {
        let mut ready = poll(&waiting.iter().collect::<Vec<_>>());
        if way == Way::Buggy && ready.len() < waiting.len() {
            return Err(Error::guest("a time has passed and has not come"));
        }
        ready.sort_unstable();
        for index in ready.into_iter().rev() {
            drop(waiting.remove(index as usize));
        }
    }
    Ok(())
}
