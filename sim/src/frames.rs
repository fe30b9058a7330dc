//! The frames of one link, decoded: what each RPC message says, with the names of the schema.
//!
//! A [`Decoder`] takes the bytes of both directions in the order they were written and gives [`Frame`]s, whose
//! `Display` is one line of a transcript:
//!
//! ```text
//! → call       q1 on q0 Host.executor ()
//! → call       q2 on q1.executor Executor.echo (message = "hi")
//! ← return     q2 Executor.echo (response = "Echo: hi"), needs no finish
//! → finish     q1 releasing
//! ```
//!
//! `q1` is a question by its number, `q1.executor` the capability that its answer will hold, `#3` a capability
//! by its number in the table of who exports it. The lines hold nothing of how the bytes were delivered, so
//! they are the same under every schedule that writes the same frames.
//!
//! Not here: which questions and capabilities are open at some point; that is [`crate::ledger`]. Nothing here
//! fails: bytes that make no sense become [`Message::Garbled`] or [`Value::Malformed`].

mod decoder;
mod line;
mod reader;
mod splitter;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod traffic;
mod value;

pub use decoder::Decoder;
pub use splitter::{Piece, Splitter};
pub use value::Value;

/// Which way a frame goes, and thereby who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the cell to its host.
    Up,
    /// From the host to the cell.
    Down,
}

/// One RPC message on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which way it goes.
    pub direction: Direction,
    /// Its length on the wire, segment table included.
    pub bytes: usize,
    /// What it says.
    pub message: Message,
}

/// What a frame says. The ids are those of the wire: a question's id is its asker's, an export's its owner's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Asks for the other side's bootstrap capability.
    Bootstrap {
        /// The new question.
        question: u32,
    },
    /// Asks a capability to do something.
    Call(Call),
    /// Answers a question.
    Return(Return),
    /// Says that the asker needs the answer no longer, or never needs it: a cancelled call.
    Finish {
        /// The question.
        question: u32,
        /// Whether the capabilities in the answer are given back with it.
        release_result_caps: bool,
    },
    /// Says what became of an exported promise.
    Resolve {
        /// The promise's export id.
        promise: u32,
        /// What became of it.
        resolution: Resolution,
    },
    /// Gives references to an import back.
    Release {
        /// The import, by the export id of its owner.
        id: u32,
        /// How many references.
        references: u32,
    },
    /// Marks the point in a line of calls up to which they take the old way.
    Disembargo {
        /// The capability that resolved.
        target: Target,
        /// Which mark.
        context: Context,
    },
    /// Ends the link.
    Abort(Exception),
    /// Sends back a message that the sender does not know.
    Unimplemented(Box<Message>),
    /// A message of level 3 or 4, or an obsolete one, by its name.
    Other(String),
    /// Bytes that are no RPC message, and why.
    Garbled(String),
    /// The direction ended here. Not a message: added by who owns the link.
    Closed {
        /// Bytes of a frame that never became whole.
        pending_bytes: usize,
    },
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The new question.
    pub question: u32,
    /// Who is asked.
    pub target: Target,
    /// The interface that declares the method.
    pub interface_id: u64,
    /// The method's index there.
    pub method_id: u16,
    /// Both by name, `Executor.echo`; `@0xa0b1….method2` where the schema lacks them.
    pub method: String,
    /// The parameters.
    pub params: Payload,
    /// What [`wavetank::fingerprint`] says of all of them.
    pub fingerprint: u64,
    /// Where the answer goes.
    pub results_to: ResultsTo,
}

/// Where the answer of a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultsTo {
    /// To who asks.
    Caller,
    /// Nowhere for now: a tail call, whose answer a later Return takes.
    Yourself,
    /// To a third vat.
    ThirdParty,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// The question, by the id that its asker gave it.
    pub question: u32,
    /// What was asked, `Executor.echo` or `bootstrap`; `None` where no such question was seen.
    pub call: Option<String>,
    /// The answer.
    pub outcome: Outcome,
    /// Whether the capabilities in the call's parameters are given back with it.
    pub release_param_caps: bool,
    /// Whether this Return ends the question, so that no Finish need come.
    pub no_finish_needed: bool,
}

/// What an answer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The results.
    Results(Payload),
    /// The call failed.
    Exception(Exception),
    /// The call was given up after its Finish.
    Canceled,
    /// The results went where the call said.
    SentElsewhere,
    /// The results are those of a question that the answerer asked.
    TakeFromOtherQuestion(u32),
    /// The results come from a third vat.
    AcceptFromThirdParty,
}

/// Parameters or results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The content, cut to what a line can hold.
    pub value: Value,
    /// The whole capability table, whether the content points to an entry or not.
    pub caps: Vec<Cap>,
}

/// What became of a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It is this capability from now on.
    Cap(Cap),
    /// It broke.
    Exception(Exception),
}

/// A capability as its sender describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cap {
    /// A null capability.
    None,
    /// The sender's own, by export id; counts one reference.
    SenderHosted(u32),
    /// A promise of the sender's, by export id; counts one reference, and a Resolve follows.
    SenderPromise(u32),
    /// The receiver's own, by export id.
    ReceiverHosted(u32),
    /// What the receiver will answer.
    ReceiverAnswer(Pipelined),
    /// In a third vat, reachable meanwhile through this export of the sender, which counts one reference.
    ThirdPartyHosted(u32),
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A capability of the receiver, by its export id.
    Import(u32),
    /// A capability in an answer that the receiver owes.
    Answer(Pipelined),
}

/// A capability in an answer, before or after it came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pipelined {
    /// The question.
    pub question: u32,
    /// The fields that lead to the capability; `ptr0` for a pointer that the schema does not name.
    pub path: Vec<String>,
}

/// Which mark a Disembargo is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Sent out; the receiver sends it back along the resolved capability. The sender's embargo id.
    SenderLoopback(u32),
    /// Came back. The receiver's embargo id.
    ReceiverLoopback(u32),
    /// Of the three-vat kind.
    ThirdParty,
}

/// Why a call or a link failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// What kind of failure.
    pub kind: ExceptionKind,
    /// The text that came with it, or its start.
    pub reason: String,
}

/// The kinds of failure that the protocol knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionKind {
    /// Any other.
    Failed,
    /// The callee has too much to do.
    Overloaded,
    /// A link broke.
    Disconnected,
    /// The callee has no such method.
    Unimplemented,
    /// A kind that the protocol does not know.
    Unknown(u16),
}

impl Direction {
    /// The other direction.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    /// The side that sends this way: `cell` or `host`.
    #[must_use]
    pub fn sender(self) -> &'static str {
        match self {
            Self::Up => "cell",
            Self::Down => "host",
        }
    }
}
