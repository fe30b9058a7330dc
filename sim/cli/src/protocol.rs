//! The protocol between a sweep and its workers.
//!
//! A message is one line: a mark, because libraries below us print to stdout too, and JSON. A worker says
//! [`Message::Hello`] first. It answers each [`Request`], and says [`Message::Begin`] before each world, so that the
//! parent knows which world killed the process.
//!
//! To add a request, add a variant here, an arm in `worker.rs`, and the caller.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use wavetank_choice::profile::ProfileError;
use wavetank_sim::fuzz::search::{Observed, Proposal};
use wavetank_sim::record::Record;
use wavetank_sim::saved::Retry;

/// The version of the protocol. Both ends must have the same.
pub(crate) const VERSION: u32 = 1;

/// Comes before each message.
const MARK: &str = "\u{1e}wavetank ";

/// A request to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    /// Run seeds: the answer is a [`Message::Ran`] for each.
    Seeds {
        first: u64,
        count: u64,
        /// The distance from one seed to the next.
        step: u64,
    },
    /// Find the smallest run that fails as a seed does: [`Message::Ran`].
    Shrink { seed: u64 },
    /// Retry a saved failure: [`Message::Retried`].
    Retry { file: PathBuf },
    /// Make a run of a fuzzer: [`Message::Fuzzed`]. Hash keys and guests' random bytes follow the seed.
    Fuzz { seed: u64, proposal: Proposal },
    /// Find the smallest run that fails as a run of a fuzzer does: [`Message::Shrunk`].
    ShrinkFuzzed { seed: u64, proposal: Proposal },
}

/// A message of a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Message {
    /// The worker is ready.
    Hello { version: u32 },
    /// It is compiling guests.
    Compiling,
    /// It begins a world under this seed.
    Begin { seed: u64 },
    /// A world ended.
    Ran(Box<Record>),
    /// A saved failure was retried.
    Retried(RetryReport),
    /// A run of a fuzzer ended.
    Fuzzed(Box<FuzzAnswer>),
    /// A run of a fuzzer was made smaller.
    Shrunk(Box<Smaller>),
}

impl Request {
    /// The request as a line.
    pub(crate) fn line(&self) -> String {
        line(self)
    }

    /// Reads a line.
    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text.strip_prefix(MARK)?).ok()
    }
}

impl Message {
    /// The message as a line.
    pub(crate) fn line(&self) -> String {
        line(self)
    }

    /// Reads a line; `None` if it holds no message. Text that a library printed may come before the mark.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let (_, message) = std::str::from_utf8(text).ok()?.split_once(MARK)?;
        serde_json::from_str(message).ok()
    }
}

fn line(message: &impl Serialize) -> String {
    let json = serde_json::to_string(message).expect("messages are plain data");
    format!("{MARK}{json}\n")
}

/// The answer to [`Request::Fuzz`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FuzzAnswer {
    pub(crate) observed: Observed,
    /// The record of the run, if it failed.
    pub(crate) record: Option<Record>,
}

/// The answer to [`Request::ShrinkFuzzed`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Smaller {
    pub(crate) record: Record,
    /// The file in which it was saved, if it was.
    pub(crate) saved: Option<String>,
}

/// The report of a worker about a saved failure that it retried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RetryReport {
    pub(crate) says: String,
    pub(crate) changed: Vec<String>,
    pub(crate) fails: bool,
    /// Whether the saved failure may be removed.
    pub(crate) is_over: bool,
}

impl RetryReport {
    pub(crate) fn of(again: Result<Retry, ProfileError>) -> Self {
        match again {
            Ok(again) => RetryReport {
                says: again.to_string(),
                changed: again.changed,
                fails: again.verdict.fails(),
                is_over: !again.verdict.fails(),
            },
            Err(e) => RetryReport::untried(format!("not tried: {e}")),
        }
    }

    pub(crate) fn untried(says: String) -> Self {
        RetryReport { says, changed: Vec::new(), fails: true, is_over: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_back_and_other_lines_are_none() {
        let line = Request::Seeds { first: 3, count: 2, step: 1 }.line();
        assert!(matches!(Request::read(&line), Some(Request::Seeds { first: 3, count: 2, step: 1 })));
        let line = format!("printed by a library{}", Message::Begin { seed: 7 }.line());
        assert!(matches!(Message::read(line.as_bytes()), Some(Message::Begin { seed: 7 })));
        for text in ["", "printed by a library\n", "\u{1e}wavetank {\"no\":1}\n"] {
            assert!(Message::read(text.as_bytes()).is_none() && Request::read(text).is_none(), "{text:?}");
        }
    }
}
