//! Guests' bugs, one a case, each beside its mended twin.
//!
//! ```text
//! bugs CASE buggy|mended [WORD]...
//! ```
//!
//! Each case is a file that says what the fault is, how it looks from outside and what mends it. Both ways do
//! the same job; only the mended one does it under every lawful schedule. All need the connection transport, for
//! stdin and stdout are theirs.

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
mod hand;
mod hot;

use std::{env, process::ExitCode};

use wavetank_guest::Result;

/// Whether the fault is there.
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
    ("g04", g04::main),
    ("g05", g05::main),
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

/// The exit code of a case that has no session, or one put together by hand.
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
