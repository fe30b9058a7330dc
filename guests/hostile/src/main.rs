//! The attempts of a hostile guest, one in each case: docs/src/reference/hostile.md lists the result of each.
//!
//! ```text
//! hostile CASE
//! ```
//!
//! Needs the connection transport, because stdin and stdout are the guest's own. `fork` and `fork-detached`
//! read this same component from stdin.

mod calls;
mod flood;
mod greed;

use std::{env, process::ExitCode};

use wavetank_guest::Result;

type Main = fn() -> ExitCode;

/// The cases by name.
const CASES: &[(&str, Main)] = &[
    ("loop", greed::endless_loop),
    ("recurse", greed::recurse),
    ("grow", greed::grow),
    ("regrow", greed::regrow),
    ("pollables", greed::pollables),
    ("resources", greed::resources),
    ("churn", greed::churn),
    ("poll-list", greed::poll_list),
    ("poll-list-huge", greed::poll_list_huge),
    ("write-4g", greed::write_4g),
    ("zeroes-4g", greed::zeroes_4g),
    ("read-4g", greed::read_4g),
    ("random-4g", greed::random_4g),
    ("flood-stderr", flood::stderr),
    ("flood-link", flood::link),
    ("run-junk", calls::junk),
    ("run-100mb", calls::hundred_megabytes),
    ("fork", || calls::fork(false)),
    ("fork-detached", || calls::fork(true)),
];

fn main() -> ExitCode {
    let name = env::args().nth(1).unwrap_or_default();
    match CASES.iter().find(|(case, _)| *case == name) {
        Some((_, case)) => case(),
        None => {
            eprintln!("usage: hostile CASE");
            ExitCode::from(2)
        }
    }
}

fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
