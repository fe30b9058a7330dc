//! Asks its host one question about WASI 0.2 and prints the answer as one line on stderr.
//!
//! ```text
//! conformance QUESTION [ANYTHING]...
//! ```
//!
//! `tests/it/conformance.rs` lists the questions, the sentence of WASI's text behind each, and the right
//! answers. The answers go to stderr because many questions are about stdin and stdout. If a question should
//! trap or exit, it prints nothing, or else a value that it should never have reached.
//!
//! If the far end has to act in the middle of a question, it acts while the guest waits for stdin. If it acted
//! on stdout, it then sends a byte to stdin (see [`input::signal`]).

mod cli;
mod clocks;
mod exit;
mod input;
mod output;
mod poll;
mod random;
mod splice;

use std::{env, process::ExitCode};

use wasip2::io::streams::StreamError;

/// A question's name, and the function that asks it.
type Question = (&'static str, fn() -> String);

const CHAPTERS: [&[Question]; 7] = [
    poll::QUESTIONS,
    input::QUESTIONS,
    output::QUESTIONS,
    splice::QUESTIONS,
    clocks::QUESTIONS,
    random::QUESTIONS,
    cli::QUESTIONS,
];

fn main() -> ExitCode {
    let name = env::args().nth(1).unwrap_or_default();
    if name == "run-err" {
        return ExitCode::FAILURE;
    }
    let Some((_, ask)) = CHAPTERS.into_iter().flatten().find(|(question, _)| *question == name) else {
        eprintln!("unknown question {name:?}");
        return ExitCode::FAILURE;
    };
    eprintln!("{}", ask());
    ExitCode::SUCCESS
}

/// The result of a stream's operation in words: its value, `closed`, or `failed`.
fn said<T: std::fmt::Debug>(result: Result<T, StreamError>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(StreamError::Closed) => "closed".into(),
        Err(StreamError::LastOperationFailed(_)) => "failed".into(),
    }
}

/// The words of several results, given only once if all are the same.
fn all_say(words: &[String]) -> String {
    match words.split_first() {
        Some((first, rest)) if rest.iter().all(|word| word == first) => first.clone(),
        _ => words.join(", "),
    }
}

/// `yes`, or the wrong value.
fn yes_or(holds: bool, wrong: impl FnOnce() -> String) -> String {
    if holds { "yes".into() } else { wrong() }
}
