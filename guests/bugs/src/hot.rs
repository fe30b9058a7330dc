//! Hot: a computation without an end.
//!
//! The guest computes and never calls out: no read, no write, no poll. It does not ask again and again for
//! news, so it is not spinning in that sense. Only its fuel shows that it runs.
//!
//! Mended: the computation is bounded.

use std::{hint::black_box, process::ExitCode};

use crate::Way;

const ROUNDS: u64 = 100_000;

pub fn main(way: Way) -> ExitCode {
    let mut number: u64 = 1;
    let mut round = 0;
    while way == Way::Buggy || round < ROUNDS {
        number = black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        round += 1;
    }
    println!("{number}");
    ExitCode::SUCCESS
}
