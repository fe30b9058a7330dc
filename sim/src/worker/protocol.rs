//! The protocol between a command and its workers.
//!
//! A message is one line: a mark, because libraries below us print to stdout too, and JSON. The parent sends orders: a
//! [`Request`] with a number, and a nonce that it made for this worker. The worker answers with the number and the nonce
//! of the order, so that nothing else that arrives is taken for an answer. It says [`Message::Hello`] first, and
//! [`Message::Begin`] before each world, so that the parent knows which world killed the process.
//!
//! To add a request, add a variant here, an arm in [`answer`](super::answer), and the caller.

use super::replaced::GuestFile;
use super::report::Text;
use super::single::{Ending, Minimised, Told};
use crate::fuzz::search::{Observed, Proposal};
use crate::guest_panic::SourceLine;
use crate::record::Record;
use crate::saved::Retry;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use wavetank_choice::profile::ProfileError;

/// The version of the protocol. Both ends must have the same.
pub const VERSION: u32 = 2;

/// Comes before each message.
const MARK: &str = "\u{1e}wavetank ";

/// A request with its number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The parent's name for this worker, which nobody else knows.
    pub nonce: String,
    /// Counted from 0.
    pub number: u64,
    /// What is to be done.
    pub request: Request,
}

/// A message about an order.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The nonce of the order.
    pub nonce: String,
    /// The number of the order.
    pub order: u64,
    /// The message.
    pub message: Message,
}

/// A request to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Begin: the answer is [`Message::Hello`].
    Open {
        /// The version of the protocol.
        version: u32,
        /// What the user set, if the worker does not know it from its command line.
        settings: Option<Box<Settings>>,
    },
    /// Run seeds: the answer is a [`Message::Ran`] for each.
    Seeds {
        /// The first seed.
        first: u64,
        /// The number of seeds.
        count: u64,
        /// The distance from one seed to the next.
        step: u64,
    },
    /// Find the smallest run that fails as a seed does: [`Message::Ran`].
    Shrink {
        /// The seed.
        seed: u64,
    },
    /// Retry a saved failure: [`Message::Retried`].
    Retry {
        /// Its file.
        file: PathBuf,
    },
    /// Make a run of a fuzzer: [`Message::Fuzzed`]. Hash keys and guests' random bytes follow the seed.
    Fuzz {
        /// The seed.
        seed: u64,
        /// The run.
        proposal: Proposal,
    },
    /// Find the smallest run that fails as a run of a fuzzer does: [`Message::Shrunk`].
    ShrinkFuzzed {
        /// The seed.
        seed: u64,
        /// The run.
        proposal: Proposal,
    },
    /// Run one seed for a report: [`Message::Told`].
    RunSeed {
        /// The seed.
        seed: u64,
        /// Whether to make a failure smaller.
        shrinks: bool,
    },
    /// Replay a run: [`Message::Replayed`].
    Replay {
        /// The run.
        of: Replayable,
        /// The parts to show.
        shown: Shown,
    },
    /// Replay a run until a step: [`Message::View`].
    Until {
        /// The run.
        of: Replayable,
        /// The step; 0 is before the first.
        step: u64,
    },
    /// Replay a run as it is and with other guests: [`Message::Replayed`]. The guests stay replaced.
    CompareFix {
        /// The run.
        of: Replayable,
        /// The guests, each with the other component.
        guests: Vec<GuestFile>,
    },
    /// Make a failing run as small as possible: [`Message::Smaller`] after each run, then [`Message::Minimised`].
    Minimise {
        /// The run.
        of: Replayable,
        /// The most runs.
        runs: u64,
        /// The most time.
        time: Duration,
        /// The folder in which the smaller run is saved.
        failures: Option<PathBuf>,
    },
    /// Go on with an exhaustive search: [`Message::Explored`].
    Explore {
        /// The most preemptions in one schedule.
        preemptions: Option<u32>,
        /// The most delays in one schedule.
        delays: Option<u32>,
        /// The seed of hash keys and guests' random bytes.
        seed: u64,
        /// Stop after so many schedules in total.
        most_runs: u64,
        /// Stop for now after this time.
        time: Duration,
        /// Whether to make a failure smaller.
        shrinks: bool,
    },
}

/// A run that can be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replayable {
    /// The run of a token.
    Token(String),
    /// The run of a saved failure.
    Saved {
        /// The file.
        file: PathBuf,
        /// The file as the user named it.
        named: String,
    },
    /// The run of a saved failure that came in a pack.
    Packed {
        /// The text of the failure.
        failure: String,
        /// The pack as the user named it.
        named: String,
    },
}

impl Replayable {
    /// The file that it is read from, as the user named it; empty for a token.
    pub fn named(&self) -> &str {
        match self {
            Replayable::Token(_) => "",
            Replayable::Saved { named, .. } | Replayable::Packed { named, .. } => named,
        }
    }
}

/// The parts of a replayed run to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The calls and their results.
    pub calls: bool,
    /// The frames of each link. They are shown too if nothing else is.
    pub frames: bool,
    /// Each move and its effects.
    pub steps: bool,
    /// Whether to repeat the run and compare.
    pub canary: bool,
}

/// What a user set for the runs of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The strategy, instead of the check's own.
    pub strategy: Option<String>,
    /// The profile, instead of the check's own: its name, or the absolute path of its file.
    pub profile: Option<String>,
    /// Whether each run is repeated and compared, even if the check does not ask for it.
    pub canary: bool,
    /// Oracles to switch off, each with the reason.
    pub without: Vec<(String, String)>,
    /// Files of CodeGeneratorRequests.
    pub schemas: Vec<PathBuf>,
    /// The same files as the user named them.
    pub schema_names: Vec<String>,
    /// Guests that are replaced.
    pub guests: Vec<GuestFile>,
    /// The folder in which failures are saved.
    pub failures: Option<PathBuf>,
    /// The command, for lines that replay a run.
    pub command: String,
    /// The arguments that follow the token in such a line.
    pub replay_args: String,
}

/// A message of a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// The worker is ready.
    Hello {
        /// The version of the protocol.
        version: u32,
        /// The check that it serves, if it was found by its test.
        check: Option<Box<Described>>,
    },
    /// It is compiling guests.
    Compiling,
    /// It begins a world under this seed.
    Begin {
        /// The seed.
        seed: u64,
    },
    /// A world ended.
    Ran(Box<Record>),
    /// A saved failure was retried.
    Retried(RetryReport),
    /// A run of a fuzzer ended.
    Fuzzed(Box<FuzzAnswer>),
    /// A run of a fuzzer was made smaller.
    Shrunk(Box<Smaller>),
    /// The report of one run.
    Told(Box<Told>),
    /// A replayed run, and how it ended.
    Replayed(Text, Ending),
    /// The world after a step.
    View(String),
    /// The search for a smaller run has made a run. The number of choices of the smallest so far.
    Smaller(usize),
    /// A failing run was made smaller.
    Minimised(Minimised),
    /// An exhaustive search has come so far.
    Explored(Box<Explored>),
    /// The request cannot be answered, for this reason.
    Refused(String),
}

impl Order {
    /// The order as a line.
    pub fn line(&self) -> String {
        line(self)
    }

    /// Reads a line.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text.strip_prefix(MARK)?).ok()
    }
}

impl Answer {
    /// The answer as a line.
    pub fn line(&self) -> String {
        line(self)
    }

    /// Reads a line; `None` if it holds no answer. Text that a library printed may come before the mark.
    pub fn read(text: &[u8]) -> Option<Self> {
        let (_, answer) = std::str::from_utf8(text).ok()?.split_once(MARK)?;
        serde_json::from_str(answer).ok()
    }
}

fn line(message: &impl Serialize) -> String {
    let json = serde_json::to_string(message).expect("messages are plain data");
    format!("{MARK}{json}\n")
}

/// A check, as its worker describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// Its name in tokens.
    pub name: String,
    /// The place where it was made.
    pub at: SourceLine,
    /// The strategy of its runs.
    pub strategy: String,
    /// The name or file of the profile of its runs.
    pub profile: String,
    /// Whether each run is repeated and compared.
    pub canary: bool,
    /// The engine: see [`Setting::engine`](crate::saved::Setting::engine).
    pub engine: String,
    /// The bounds of its runs: see [`Setting::config`](crate::saved::Setting::config).
    pub config: String,
}

/// The answer to [`Request::Fuzz`].
#[derive(Debug, Serialize, Deserialize)]
pub struct FuzzAnswer {
    /// What the run covers.
    pub observed: Observed,
    /// The record of the run, if it failed.
    pub record: Option<Record>,
}

/// The answer to [`Request::ShrinkFuzzed`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Smaller {
    /// The record of the smaller run.
    pub record: Record,
    /// The file in which it was saved, if it was.
    pub saved: Option<String>,
}

/// The answer to [`Request::Explore`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Explored {
    /// How far the search is, in words.
    pub says: String,
    /// Whether it is over: nothing is left to search, the schedules are used up, or one failed.
    pub is_over: bool,
    /// The report of the schedule that failed.
    pub found: Option<Told>,
}

/// The report of a worker about a saved failure that it retried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RetryReport {
    /// The result, in a sentence.
    pub says: String,
    /// The changes since it was saved.
    pub changed: Vec<String>,
    /// Whether it still fails.
    pub fails: bool,
    /// Whether the saved failure may be removed.
    pub is_over: bool,
}

impl RetryReport {
    /// The report of a retry.
    pub fn of(again: Result<Retry, ProfileError>) -> Self {
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

    /// The report of a saved failure that could not be retried.
    pub fn untried(says: String) -> Self {
        RetryReport { says, changed: Vec::new(), fails: true, is_over: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_back_and_other_lines_are_none() {
        let request = Request::Seeds { first: 3, count: 2, step: 1 };
        let line = Order { nonce: "n".into(), number: 4, request }.line();
        let read = Order::read(&line).expect("an order");
        assert!(matches!(read.request, Request::Seeds { first: 3, count: 2, step: 1 }));
        assert_eq!((&*read.nonce, read.number), ("n", 4));
        let answer = Answer { nonce: "n".into(), order: 4, message: Message::Begin { seed: 7 } };
        let line = format!("printed by a library{}", answer.line());
        let read = Answer::read(line.as_bytes()).expect("an answer");
        assert!(matches!(read.message, Message::Begin { seed: 7 }));
        for text in ["", "printed by a library\n", "\u{1e}wavetank {\"no\":1}\n"] {
            assert!(Answer::read(text.as_bytes()).is_none() && Order::read(text).is_none(), "{text:?}");
        }
    }
}
