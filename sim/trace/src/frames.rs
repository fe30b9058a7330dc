//! The frames of one link, decoded: each RPC message as plain data, with the names of the schema.
//!
//! A [`Decoder`](crate::Decoder) makes them. A frame's `Display` is one line of a transcript:
//!
//! ```text
//! → call       q2 on q1 Host.executor ()
//! → call       q3 on q2.executor Executor.echo (message = "hi")
//! ← return     q2 Host.executor (executor = host's Executor)
//! ← return     q3 Executor.echo (response = "Echo: hi"), needs no finish
//! → finish     q2
//! ```
//!
//! `q3` is the third question of the link, whoever asked it. The wire's own ids are not shown, because a side uses an
//! id again as soon as it is free. `q2.executor` is the capability that the answer will hold. `host's Executor` is a
//! capability by its owner and its type; see [`CapName`]. The lines do not show how the bytes were delivered, so they
//! are the same under every schedule that writes the same frames.
//!
//! Not here: the questions and capabilities that are open at some point; see [`crate::ledger`]. Nothing here fails:
//! bytes that make no sense become [`Message::Garbled`] or [`Value::Malformed`].

mod line;
mod value;

use std::sync::Arc;

pub use value::{Digest, Value};

/// The direction of a frame, which also tells who sent it.
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
    /// Its direction.
    pub direction: Direction,
    /// Its length on the wire, segment table included.
    pub bytes: usize,
    /// Its content.
    pub message: Message,
}

/// A question: a bootstrap or a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// The id on the wire, which its asker gave it. It is used again once the question is finished.
    pub id: u32,
    /// Its number among all questions of the link, from 1 on; 0 if no question with this id was seen.
    pub number: u64,
}

/// A capability in the export table of its owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Export {
    /// The id on the wire, which its owner gave it. It is used again once nobody holds a reference.
    pub id: u32,
    /// Its name.
    pub name: Arc<CapName>,
}

/// The name of a capability: `shop's Cart`, or `shop's Cart 2` for the second of its kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CapName {
    /// The name of the party that owns it.
    pub owner: Arc<str>,
    /// The interface; `bootstrap` for what a party offers first, `capability` if the schema does not tell.
    pub interface: Arc<str>,
    /// Its place among those of the same owner and interface, from 1 on; 0 for a capability that was never described.
    pub ordinal: u32,
    /// Whether it is a promise, which stands for another capability.
    pub is_promise: bool,
}

/// The content of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Asks for the other side's bootstrap capability.
    Bootstrap {
        /// The new question.
        question: Question,
    },
    /// Asks a capability to do something.
    Call(Call),
    /// Answers a question.
    Return(Return),
    /// The asker no longer needs the answer. If it comes before the Return, it cancels the call.
    Finish {
        /// The question.
        question: Question,
        /// Whether it also gives back the capabilities in the answer.
        release_result_caps: bool,
    },
    /// Resolves an exported promise.
    Resolve {
        /// The promise.
        promise: Export,
        /// The result.
        resolution: Resolution,
    },
    /// Gives references to an import back.
    Release {
        /// The import, as its owner exports it.
        import: Export,
        /// The number of references.
        references: u32,
    },
    /// Marks a point in a sequence of calls. Calls before it still take the old way.
    Disembargo {
        /// The capability that resolved.
        target: Target,
        /// The kind of mark.
        context: Context,
    },
    /// Ends the link.
    Abort(Exception),
    /// Sends back a message that the sender does not know.
    Unimplemented(Box<Message>),
    /// Offers a capability to a third vat.
    Provide {
        /// The new question.
        question: Question,
        /// The capability.
        target: Target,
        /// The third vat, as the network names it.
        recipient: Value,
    },
    /// Takes a capability that another vat offered.
    Accept {
        /// The new question.
        question: Question,
        /// The offer, as the network names it.
        provision: Value,
        /// Whether calls wait until the vat that offered it lifts an embargo.
        embargo: bool,
    },
    /// Asks whether capabilities are the same.
    Join {
        /// The new question.
        question: Question,
        /// The capability.
        target: Target,
        /// The part of the key that this message carries.
        key_part: Value,
    },
    /// An obsolete message, or one that a newer protocol knows, by its name.
    Other(String),
    /// Bytes that are not an RPC message, with the reason.
    Garbled(String),
    /// The direction ended here. This is not a message: the owner of the link adds it.
    Closed {
        /// Bytes of a frame that never became whole.
        pending_bytes: usize,
    },
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The new question.
    pub question: Question,
    /// The capability that is called.
    pub target: Target,
    /// The interface that declares the method.
    pub interface_id: u64,
    /// The method's index there.
    pub method_id: u16,
    /// Both by name, `Executor.echo`, or `@0xa0b1….method2` if the schema lacks them.
    pub method: Arc<str>,
    /// The parameters.
    pub params: Payload,
    /// The [`fingerprint`](crate::fingerprint()) of all parameters.
    pub fingerprint: u64,
    /// The destination of the answer.
    pub results_to: ResultsTo,
}

/// The destination of a call's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultsTo {
    /// To the caller.
    Caller,
    /// Nowhere for now. It is a tail call, and a later Return takes the answer.
    Yourself,
    /// To a third vat.
    ThirdParty,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// The question.
    pub question: Question,
    /// The call that was asked, `Executor.echo` or `bootstrap`; `None` if no such question was seen.
    pub call: Option<Arc<str>>,
    /// The answer.
    pub outcome: Outcome,
    /// Whether it also gives back the capabilities in the call's parameters.
    pub release_param_caps: bool,
    /// Whether this Return ends the question, so that no Finish need come.
    pub no_finish_needed: bool,
}

/// The content of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The results.
    Results(Payload),
    /// The call failed.
    Exception(Exception),
    /// The call was given up after its Finish.
    Canceled,
    /// The results went to the destination that the call named.
    SentElsewhere,
    /// The results are those of a question that the answerer asked.
    TakeFromOtherQuestion(Question),
    /// The results come from a third vat.
    AcceptFromThirdParty,
}

/// Parameters or results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The content, cut to fit a line.
    pub value: Value,
    /// The whole capability table, whether the content points to an entry or not.
    pub caps: Vec<Cap>,
}

/// The result of a promise.
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
    /// The sender's own; counts one reference.
    SenderHosted(Export),
    /// A promise of the sender; counts one reference, and a Resolve follows.
    SenderPromise(Export),
    /// The receiver's own.
    ReceiverHosted(Export),
    /// A capability in an answer that the receiver owes.
    ReceiverAnswer(Pipelined),
    /// In a third vat. Meanwhile it is reachable through this export of the sender, which counts one reference.
    ThirdPartyHosted(Export),
}

/// The capability that a call is made on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A capability of the receiver.
    Import(Export),
    /// A capability in an answer that the receiver owes.
    Answer(Pipelined),
}

/// A capability in an answer, before or after the answer came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pipelined {
    /// The question.
    pub question: Question,
    /// The fields that lead to the capability; `ptr0` for a pointer that the schema does not name.
    pub path: Vec<String>,
}

/// The kind of mark that a Disembargo is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// It was sent out, and the receiver sends it back along the resolved capability. Holds the sender's embargo id.
    SenderLoopback(u32),
    /// It came back. Holds the receiver's embargo id.
    ReceiverLoopback(u32),
    /// It is of the three-vat kind.
    ThirdParty,
}

/// The reason why a call or a link failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The kind of failure.
    pub kind: ExceptionKind,
    /// The text that came with it, or its start.
    pub reason: String,
    /// The stack trace that came with it, or its start; empty if none came.
    pub trace: String,
}

/// The kinds of failure that the protocol knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionKind {
    /// Any other failure.
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

    /// The side that sends in this direction: `cell` or `host`.
    #[must_use]
    pub fn sender(self) -> &'static str {
        match self {
            Self::Up => "cell",
            Self::Down => "host",
        }
    }
}
