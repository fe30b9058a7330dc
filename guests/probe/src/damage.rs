//! Excesses that a host must survive: recursion and memory growth without end.

use std::{arch::wasm32::memory_grow, hint::black_box};

use wavetank_guest::Result;

const PAGES: usize = 16;

/// Calls itself until the stack overflows.
pub fn recurse() -> Result<()> {
    println!("came back with {}", descend(black_box(0)));
    Ok(())
}

/// This is not a tail call, and a compiler cannot turn it into a loop, because the operation after the call is
/// not associative.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == u64::MAX { depth } else { descend(depth + 1).rotate_left(3) ^ depth }
}

/// Grows its memory, a mebibyte at a time, until the host refuses. The refusal is no error.
pub fn grow() -> Result<()> {
    // The first line also allocates stdout's buffer, while there is memory.
    println!("growing");
    let mut grown = 0;
    while memory_grow::<0>(PAGES) != usize::MAX {
        grown += PAGES;
    }
    println!("refused after {grown} pages");
    Ok(())
}
