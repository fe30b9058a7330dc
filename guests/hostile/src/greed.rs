//! Cases that take more than there is: fuel, stack, memory, handles, bytes.

use std::{arch::wasm32::memory_grow, hint::black_box, mem::forget, process::ExitCode};

use wasip2::{
    cli::{stdin::get_stdin, stdout::get_stdout},
    clocks::monotonic_clock::subscribe_duration,
    io::{poll::poll, streams::OutputStream},
    random::random::get_random_bytes,
};
use wavetank_guest::Error;

use crate::exit_code;

const MILLION: u32 = 1_000_000;
const GIB: u64 = 1024 * 1024 * 1024;
const PAGES: usize = 16;

pub fn endless_loop() -> ExitCode {
    let mut number: u64 = 1;
    loop {
        number = black_box(number.wrapping_mul(3));
    }
}

pub fn recurse() -> ExitCode {
    println!("came back with {}", descend(black_box(0)));
    ExitCode::SUCCESS
}

#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == u64::MAX { depth } else { descend(depth + 1).rotate_left(3) ^ depth }
}

/// Grows its memory until the host refuses, which is no error.
pub fn grow() -> ExitCode {
    println!("growing");
    let mut grown = 0;
    while memory_grow::<0>(PAGES) != usize::MAX {
        grown += PAGES;
    }
    println!("refused after {grown} pages");
    ExitCode::SUCCESS
}

/// Asks without end for more memory than it can get.
pub fn regrow() -> ExitCode {
    loop {
        black_box(memory_grow::<0>(usize::MAX / 2));
    }
}

pub fn pollables() -> ExitCode {
    for _ in 0..MILLION {
        forget(subscribe_duration(u64::MAX));
    }
    println!("a million pollables");
    ExitCode::SUCCESS
}

pub fn resources() -> ExitCode {
    for _ in 0..MILLION {
        forget(get_stdin());
    }
    println!("a million handles");
    ExitCode::SUCCESS
}

/// Takes a handle and drops it, without end.
pub fn churn() -> ExitCode {
    loop {
        drop(get_stdin());
    }
}

pub fn poll_list() -> ExitCode {
    poll_one(100_000)
}

pub fn poll_list_huge() -> ExitCode {
    poll_one(16_000_000)
}

/// Polls a list that holds the same pollable many times.
fn poll_one(times: usize) -> ExitCode {
    let ready = subscribe_duration(0);
    let list = vec![&ready; times];
    println!("{} of {times} ready", poll(&list).len());
    ExitCode::SUCCESS
}

mod raw {
    #[link(wasm_import_module = "wasi:io/streams@0.2.9")]
    unsafe extern "C" {
        #[link_name = "[method]output-stream.write"]
        pub fn write(stream: u32, bytes: *const u8, len: usize, result: *mut u8);
    }
}

/// Asks for a write of one byte less than 4 GiB, more than any memory holds.
pub fn write_4g() -> ExitCode {
    let stdout: OutputStream = get_stdout();
    let mut result = [0_u64; 2];
    // SAFETY: the host reads the bytes that lie in this memory, or refuses; `result` is large enough for any result.
    unsafe { raw::write(stdout.handle(), std::ptr::null(), usize::MAX, result.as_mut_ptr().cast()) };
    println!("written");
    ExitCode::SUCCESS
}

/// Asks the host to make 4 GiB of zeros itself.
pub fn zeroes_4g() -> ExitCode {
    let written = get_stdout().write_zeroes(4 * GIB);
    println!("{written:?}");
    ExitCode::SUCCESS
}

/// Asks for 4 GiB, and gets the bytes that are there.
pub fn read_4g() -> ExitCode {
    let read = get_stdin().blocking_read(4 * GIB).map_err(|error| Error::guest(error.to_string()));
    exit_code(read.map(|bytes| println!("{} bytes", bytes.len())))
}

pub fn random_4g() -> ExitCode {
    println!("{} bytes", get_random_bytes(4 * GIB).len());
    ExitCode::SUCCESS
}
