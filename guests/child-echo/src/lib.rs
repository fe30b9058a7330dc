//! A child that calls its parent back: several echoes at once, all sent before any answer is awaited.
//!
//! ```text
//! child-echo [WORD]...                  echoes each word; without words, "one" and "two"
//! child-echo --messages N --bytes B     echoes N messages of B bytes: fills both directions at once
//! ```
//!
//! Prints `CHILD_OK` on stdout if it owns its stdout, otherwise on stderr.

use std::{env, process::ExitCode};

use futures::future::try_join_all;
use peer::peer_capnp::executor;
use wavetank_guest::{Error, Io, Result, link::Link, session::run};

/// Sends over this link the echoes that the arguments ask for.
pub fn echo(link: Link) -> ExitCode {
    run(link, |executor: executor::Client, io: Io| async move {
        let words: Vec<String> = env::args().skip(1).collect();
        let messages = messages(&words)?;
        // Collected first: this sends all the calls, and only then are the answers awaited.
        let answers: Vec<_> = messages.iter().map(|text| peer::echo(&executor, text)).collect();
        try_join_all(answers).await?;
        if io.owns_stdio() {
            println!("CHILD_OK");
        } else {
            eprintln!("CHILD_OK");
        }
        Ok(())
    })
}

fn messages(words: &[String]) -> Result<Vec<String>> {
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(vec!["one".into(), "two".into()]),
        ["--messages", count, "--bytes", size] => {
            let size_bytes: usize = number(size)?;
            // Each text begins with its number, so that no answer is mistaken for another.
            Ok((0..number(count)?).map(|n| filled(&n.to_string(), size_bytes)).collect())
        }
        _ => Ok(words.to_vec()),
    }
}

fn filled(front: &str, size_bytes: usize) -> String {
    let mut text = format!("{front:.<size_bytes$}");
    text.truncate(size_bytes);
    text
}

fn number(word: &str) -> Result<usize> {
    word.parse().map_err(|_| Error::guest(format!("not a number: {word}")))
}
