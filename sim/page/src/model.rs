//! A page's data: runs as plain data, as the script of the page reads them.
//!
//! A run may have 100,000 steps, so what there is one of for each step stands in columns, and texts stand once and are
//! referred to by their place. Steps are numbered from 1; 0 is the set-up before the first.

use serde::{Serialize, Serializer};

/// The version of this format. A page holds its own script, so only other readers need it.
pub const FORMAT: u32 = 1;

/// The place of a text in [`Run::texts`].
pub type TextId = u32;

/// Everything that a page shows.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Page {
    /// The [version](FORMAT) of the format.
    pub format: u32,
    /// The name of the scenario or capture.
    pub title: String,
    /// The outcome in one word, as `stalled`.
    pub outcome: String,
    /// Whether it is a failure.
    pub failed: bool,
    /// The outcome in one sentence.
    pub sentence: String,
    /// Whose fault it is, if that is known.
    pub blame: Option<String>,
    /// The report in words.
    pub report: Vec<Section>,
    /// Facts about the run: a name and a value each.
    pub facts: Vec<[String; 2]>,
    /// The command that replays it.
    pub replay: Option<String>,
    /// The change that makes it pass.
    pub deciding: Option<Deciding>,
    /// The run and, if there is one, the run beside it that passes.
    pub runs: Vec<Run>,
    /// The steps at which the two runs do the same: blocks of the first step in the one, in the other, and a length.
    pub same: Vec<[u64; 3]>,
    /// The first steps at which the two runs differ, one of each.
    pub differs_at: Option<[u64; 2]>,
}

/// A part of the report.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Section {
    /// Its heading.
    pub heading: String,
    /// Its lines.
    pub lines: Vec<String>,
}

/// The change that makes a failing run pass.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Deciding {
    /// The change in words.
    pub says: String,
    /// The steps of the failing run that it is about.
    pub steps: Vec<u64>,
}

/// One run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Run {
    /// Its name on the page.
    pub name: String,
    /// The outcome in one sentence.
    pub sentence: String,
    /// Whether it is a failure.
    pub failed: bool,
    /// The texts that others refer to, each once.
    pub texts: Vec<String>,
    /// Cells, vats and the host, in order of birth.
    pub lanes: Vec<Lane>,
    /// The pipes, by their ids.
    pub pipes: Vec<Pipe>,
    /// The tasks, in order of birth.
    pub tasks: Vec<Task>,
    /// What happened at each step.
    pub steps: Steps,
    /// The messages, in the order in which their last bytes were written.
    pub messages: Vec<Message>,
    /// Everything else that is worth a line, in order.
    pub notes: Vec<Note>,
    /// The state after each step.
    pub shots: Shots,
    /// The cycle of a deadlock, if there is one: who waits for whom, by lane.
    pub cycle: Vec<[u32; 2]>,
}

/// Everything that the page of a sweep shows.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sweep {
    /// The name of the scenario.
    pub title: String,
    /// One sentence: how many seeds ran, and how they ended.
    pub sentence: String,
    /// Whether any failed.
    pub failed: bool,
    /// Facts about the sweep: a name and a value each.
    pub facts: Vec<[String; 2]>,
    /// Seeds by outcome.
    pub outcomes: Vec<(String, u64)>,
    /// Each distinct failure.
    pub failures: Vec<Failure>,
    /// Seeds by behaviour, the most frequent first: its name, their number, and one of them.
    pub behaviours: Vec<(String, u64, String)>,
    /// Faults that struck: the kind, and how often.
    pub faults: Vec<(String, u64)>,
    /// Faults that never struck.
    pub never: Vec<String>,
    /// Seeds that ended in each second of the sweep.
    pub rates: Vec<u64>,
}

/// A distinct failure of a sweep.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Failure {
    /// Its signature.
    pub name: String,
    /// The outcome of the run that stands for it, in one sentence.
    pub says: String,
    /// The seed of that run.
    pub seed: String,
    /// How many seeds fail so.
    pub count: u64,
    /// The file of its page, beside the page of the sweep.
    pub page: Option<String>,
    /// The command that replays it.
    pub replay: Option<String>,
}

/// The kind of a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LaneKind {
    /// The host.
    #[default]
    Host,
    /// A vat of the scenario.
    Vat,
    /// A cell.
    Cell,
}

/// A party of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: LaneKind,
    /// The lane of the cell that asked for it.
    pub parent: Option<u32>,
    /// The step at which it was born.
    pub born: u64,
    /// The step at which it ended.
    pub ended: Option<u64>,
    /// How it ended.
    pub exit: Option<String>,
    /// Fuel that it burned in all, once it has ended.
    pub fuel: Option<u64>,
}

/// A pipe.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pipe {
    /// Its name.
    pub name: String,
    /// The lane of its writer, if that is known.
    pub writer: Option<u32>,
    /// The lane of its reader, if that is known.
    pub reader: Option<u32>,
    /// Whether it carries RPC.
    pub rpc: bool,
}

/// A task.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// The lane in whose queue it stands.
    pub lane: u32,
}

/// All steps, in columns of the same length.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Steps {
    /// What was done, in words.
    pub text: Vec<TextId>,
    /// The kind of move: an index into [`kinds`](Self::kinds).
    pub kind: Vec<u8>,
    /// The lane that it concerns; -1 for none.
    pub lane: Vec<i32>,
    /// Virtual time after it, in nanoseconds.
    pub now_ns: Vec<u64>,
    /// The names of the kinds.
    pub kinds: Vec<String>,
    /// The kinds that inject a fault.
    pub faults: Vec<u8>,
    /// The choices that were not the calm one: the step, and the choice in words.
    pub chosen: Vec<(u64, String)>,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// Asks for the bootstrap capability.
    Bootstrap,
    /// A call.
    Call,
    /// An answer.
    Return,
    /// The end of a question.
    Finish,
    /// A promise is resolved.
    Resolve,
    /// References are given back.
    Release,
    /// A mark in a sequence of calls.
    Disembargo,
    /// The end of a link, by an error.
    Abort,
    /// A message that its receiver did not know.
    Unimplemented,
    /// Bytes that are no message.
    Garbled,
    /// The end of a direction.
    Closed,
    /// Another message.
    #[default]
    Other,
}

/// One message on a link.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Message {
    /// Its kind.
    pub kind: MessageKind,
    /// The step at which its last byte was written.
    pub sent: u64,
    /// The step at which its last byte was read; `None` if that never happened.
    pub received: Option<u64>,
    /// The lane of its sender.
    pub from: u32,
    /// The lane of its receiver.
    pub to: u32,
    /// The place of its link in order of birth.
    pub link: u32,
    /// The number of its question on the link, from 1 on; 0 for none.
    pub question: u64,
    /// The place of its counterpart among the messages: the return of a call, and the call of a return or finish.
    pub pair: Option<u32>,
    /// The interface and the method, as `Executor.echo`.
    pub method: Option<TextId>,
    /// A short text for a diagram.
    pub short: TextId,
    /// The whole message on one line.
    pub line: TextId,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its capabilities in words: what it transfers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<String>,
    /// Its parameters or results, by the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Field>,
    /// Whether it reports an error.
    #[serde(skip_serializing_if = "is_false")]
    pub error: bool,
}

fn is_false(bit: &bool) -> bool {
    !bit
}

/// A value out of a message.
#[derive(Clone, Debug)]
pub enum Field {
    /// A value in words.
    Leaf(String),
    /// Named values. Elements of a list are named by their places.
    Node(Vec<(String, Field)>),
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Field::Leaf(text) => serializer.serialize_str(text),
            Field::Node(fields) => fields.serialize(serializer),
        }
    }
}

/// The kind of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoteKind {
    /// A party was born.
    Born,
    /// A party ended.
    Ended,
    /// A fault struck.
    Fault,
    /// A call was cancelled, or a capability or resource dropped.
    Dropped,
    /// A line of stdout.
    Stdout,
    /// A line of stderr.
    Stderr,
    /// An end of a pipe was closed, or a link ended.
    Closed,
    /// A call came to its server, or is done there.
    Call,
}

/// Something that is no message.
#[derive(Clone, Debug, Serialize)]
pub struct Note {
    /// Its kind.
    pub kind: NoteKind,
    /// The step.
    pub step: u64,
    /// The lane; -1 for none.
    pub lane: i32,
    /// It in words.
    pub text: TextId,
}

/// The state of the world after each step, as differences to the step before it. Each list is flat, groups of numbers one
/// after the other, because a browser reads that several times faster than a list of lists.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Shots {
    /// The number of states: one more than there are steps, because the first is before the first step. 0 if none was
    /// recorded.
    pub count: u64,
    /// Groups of 7: step, pipe, staged bytes, visible bytes, budget, capacity, and flags (1 held, 2 mute, 4 the reader
    /// waits, 8 the writer waits, 16 the reader is gone, 32 the writer is gone).
    pub pipes: Vec<u64>,
    /// Groups of 4: step, task, state (0 ready, 1 waits for something unseen, 2 for bytes, 3 for budget, 4 for a time, 5
    /// for its start, -1 ended), and the text.
    pub tasks: Vec<i64>,
    /// Groups of 3: step, open call, and the text; -1 if it is open no more.
    pub calls: Vec<i64>,
    /// Groups of 3: step, lane, and the text of the blocking import that it is in; -1 for none.
    pub blocked: Vec<i64>,
    /// The moves that could follow, step after step: texts.
    pub menu: Vec<TextId>,
    /// The length of the menu of each step.
    pub menu_lengths: Vec<u32>,
    /// Groups of 2: step, and how many moves of its menu are not listed.
    pub more: Vec<u64>,
    /// For each step the place in the menu of the move that was made; -1 if it was not on it.
    pub chosen: Vec<i32>,
}
