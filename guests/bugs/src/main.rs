//! Bugs of guests, one in each case, each beside its mended twin.
//!
//! ```text
//! bugs CASE buggy|mended [WORD]...
//! ```
//!
//! Each case is a file. Its head describes the fault, how it looks from outside, and how it is mended. Both
//! ways do the same job, but only the mended one does it under every lawful schedule. All cases need the
//! connection transport, because they use stdin and stdout themselves.

mod g02;
mod g03;
mod g04;
mod g05;
mod g06;
mod g07;
mod g08;
mod g09;
mod g11;
mod g12;
mod g13;
mod g14;
mod g15;
mod g16;
mod g17;
mod g20;
mod g21;
mod g22;
mod g23;
mod g24;
mod g26;
mod g28;
mod hand;
mod hot;
mod wait;

use std::{env, process::ExitCode};

use wavetank_guest::Result;

/// Whether the guest has the fault.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Buggy,
    Mended,
}

type Main = fn(Way) -> ExitCode;

/// The cases by name.
const CASES: &[(&str, Main)] = &[
    ("g02", g02::main),
    ("g03-leak", g03::main),
    ("g03-timers", g03::main_timers),
    ("g04", g04::main),
    ("g05", g05::main),
    ("g05-quiet", g05::main_quiet),
    ("g05-late", g05::main_late),
    ("g06", g06::main),
    ("g07", g07::main),
    ("g08", g08::main),
    ("g09", g09::main),
    ("g11", g11::main),
    ("g11-eof", g11::main_eof),
    ("g12", g12::main),
    ("g13", g13::main),
    ("g14", g14::main),
    ("g15", g15::main),
    ("g16", g16::main),
    ("g17", g17::main),
    ("g20", g20::main),
    ("g21", g21::main),
    ("g22", g22::main),
    ("g23", g23::main),
    ("g24", g24::main_twice),
    ("g25", g24::main_flush),
    ("g26", g26::main_ready),
    ("g27", g26::main_short),
    ("g28", g28::main),
    ("wait-now", wait::main_now),
    ("wait-ready", wait::main_ready),
    ("wait-poll", wait::main_poll),
    ("wait-bytes", wait::main_bytes),
    ("hot", hot::main),
];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).take(2).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (name, way) = match words[..] {
        [name, "buggy"] => (name, Way::Buggy),
        [name, "mended"] => (name, Way::Mended),
        _ => return usage(),
    };
    match CASES.iter().find(|(case, _)| *case == name) {
        Some((_, case)) => case(way),
        None => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: bugs CASE buggy|mended [WORD]...");
    ExitCode::from(2)
}

/// The exit code of a case that has no session, or a session put together by hand.
fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}: {error:?}");
            ExitCode::FAILURE
        }
    }
}

/// The word after the way, as a number.
fn number() -> Option<usize> {
    env::args().nth(3)?.parse().ok()
}
