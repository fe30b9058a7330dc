//! Ends that a host must survive.

use std::{arch::wasm32::memory_grow, hint::black_box};

use wavetank_guest::Result;

const PAGES: usize = 16;

/// Calls itself until the stack is used up.
pub fn recurse() -> Result<()> {
    println!("came back with {}", descend(black_box(0)));
    Ok(())
}

/// Not a tail call, nor one that a compiler can turn into a loop: what is done after the call does not
/// associate.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == u64::MAX { depth } else { descend(depth + 1).rotate_left(3) ^ depth }
}

/// Takes memory, a mebibyte at a time, until the host refuses. That is no error.
pub fn grow() -> Result<()> {
    // The first line also makes stdout's buffer, while there is memory.
    println!("growing");
    let mut grown = 0;
    while memory_grow::<0>(PAGES) != usize::MAX {
        grown += PAGES;
    }
    println!("refused after {grown} pages");
    Ok(())
}
