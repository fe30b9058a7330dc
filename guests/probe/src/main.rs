//! Asks every WASI question that a host must answer, and prints each answer as one line on stdout.
//!
//! ```text
//! probe [NANOS]         all of it, with a sleep of NANOS (an hour if not given) between two looks at the clock
//! probe sleep NANOS     sleeps and exits
//! probe exit CODE       exits with CODE
//! probe trap            panics
//! probe recurse         overflows its stack
//! probe grow            takes memory until it is refused, then exits with 0
//! probe pollables       polls two pollables of each of two handles on stdin
//! probe instants        waits for times that have passed, and for one that has not
//! probe timeouts        polls stdin with time-outs of nothing until it is ready
//! probe writes          writes and flushes several times
//! probe twice WHAT      takes its connection, or the connection's input or output, twice: the host traps
//! probe handles         writes by two handles on stdout, all that each was permitted
//! probe zeroes          writes zeroes without a permit
//! probe broken          reads stdin until it breaks, and goes on reading
//! probe looks           looks at the clock three times in a row
//! probe seeds           asks twice for the seed of hash maps
//! probe close           writes to stdout and closes the runtime's writer; prints on stderr whether all is flushed
//! ```
//!
//! It has no RPC: stdin and stdout are its own, and the peer of its connection gets no bytes.

mod damage;
mod polls;
mod questions;
mod rules;

use std::{env, process::ExitCode, task::Poll, time::Duration};

use futures::{AsyncWriteExt, future::poll_fn};
use wavetank_guest::{Error, Io, Result, block_on, exit};

const HOUR: Duration = Duration::from_secs(3600);

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match probe(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "usage: probe [NANOS | sleep NANOS | exit CODE | trap | recurse | grow | pollables | instants | \
    timeouts | writes | twice WHAT | handles | zeroes | broken | looks | seeds | close]";

fn probe(args: &[&str]) -> Result<()> {
    match *args {
        [] => questions::ask_all(HOUR),
        ["sleep", nanos] => sleep(Duration::from_nanos(number(nanos)?)),
        ["exit", code] => exit(number(code)?),
        ["trap"] => panic!("asked to"),
        ["recurse"] => damage::recurse(),
        ["grow"] => damage::grow(),
        ["pollables"] => polls::pollables(),
        ["instants"] => polls::instants(),
        ["timeouts"] => polls::timeouts(),
        ["writes"] => polls::writes(),
        ["twice", what] => questions::twice(what),
        ["handles"] => rules::handles(),
        ["zeroes"] => rules::zeroes(),
        ["broken"] => rules::broken(),
        ["looks"] => rules::looks(),
        ["seeds"] => rules::seeds(),
        ["close"] => close(),
        [nanos] => questions::ask_all(Duration::from_nanos(number(nanos)?)),
        _ => Err(Error::guest(USAGE)),
    }
}

fn sleep(duration: Duration) -> Result<()> {
    block_on(|io| async move {
        io.sleep(duration).await;
        Ok(())
    })
}

/// Closes the runtime's writer of stdout, and prints whether the stream grants a permit right after that. Until the
/// last flush is done, it grants none.
fn close() -> Result<()> {
    block_on(|io: Io| async move {
        let mut stdout = io.stdout()?;
        stdout.write_all(&[b'.'; 10_000]).await?;
        stdout.close().await?;
        let flushed = poll_fn(|cx| Poll::Ready(stdout.poll_permit(cx).is_ready())).await;
        eprintln!("flushed: {flushed}");
        Ok(())
    })
}

fn number<N: std::str::FromStr>(word: &str) -> Result<N> {
    word.parse().map_err(|_| Error::guest(format!("not a number that fits: {word}")))
}
