//! The findings of a ledger: entries that are open, and violations of the protocol.

use std::fmt;
use std::sync::Arc;

use crate::frames::{Direction, Export, Frame, Question};

/// An entry that is still open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A question.
    Question {
        /// The side that asked.
        asker: Direction,
        /// The question.
        question: Question,
        /// `Executor.echo` or `bootstrap`.
        call: Arc<str>,
        /// The interface's id and the method's ordinal; none for a bootstrap.
        method: Option<(u64, u16)>,
        /// Its state.
        state: QuestionState,
    },
    /// An export to which the other side holds references.
    Export {
        /// The side that exports it.
        owner: Direction,
        /// The export.
        export: Export,
        /// The number of references.
        references: u32,
        /// Whether it is a promise for which no Resolve came.
        promise: bool,
    },
    /// A Disembargo that did not come back.
    Embargo {
        /// The side that sent it.
        sender: Direction,
        /// Its id.
        id: u32,
    },
}

/// How far an open question has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionState {
    /// It was asked and nothing has happened since: the answer is owed.
    Asked,
    /// It was answered with a Return, but the asker has not sent Finish.
    Returned,
    /// It was cancelled by Finish, and no Return came.
    Cancelled,
}

/// Something that no correct side does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A question was asked under an id that is in use.
    QuestionInUse {
        /// The side that asked.
        asker: Direction,
        /// The new question.
        question: Question,
        /// `Executor.echo` or `bootstrap`.
        call: Arc<str>,
        /// The question that was open.
        open: Question,
    },
    /// An answer came to a question that was not asked, or that was answered before.
    Unasked {
        /// The side that answered.
        answerer: Direction,
        /// The latest question with this id.
        question: Question,
    },
    /// More references were given back than held.
    OverRelease {
        /// The side that exports it.
        owner: Direction,
        /// The export.
        export: Export,
        /// The number of references that were held.
        held: u32,
        /// The number of references that were given back.
        released: u32,
    },
    /// A side used an export to which it holds no reference.
    NotHeld {
        /// The side that would have exported it.
        owner: Direction,
        /// The latest export with this id.
        export: Export,
    },
    /// A Disembargo came back that was not sent.
    UnknownEmbargo {
        /// The side that would have sent it.
        sender: Direction,
        /// Its id.
        id: u32,
    },
    /// A side sent a frame after its own Abort.
    AfterAbort(Frame),
    /// The bytes do not form a frame.
    Garbled(Frame),
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Question { asker, question, call, state, .. } => {
                write!(f, "question {question} ({call}) asked by the {}: ", asker.sender())?;
                match state {
                    QuestionState::Asked => f.write_str("never returned"),
                    QuestionState::Returned => f.write_str("returned, never finished"),
                    QuestionState::Cancelled => f.write_str("cancelled, never returned"),
                }
            }
            Self::Export { export, references, promise, .. } => {
                let plural = if *references == 1 { "" } else { "s" };
                let promise = if *promise { ", a promise never resolved" } else { "" };
                write!(f, "{export}: {references} reference{plural}{promise}")
            }
            Self::Embargo { sender, id } => {
                write!(f, "embargo {id} of the {}: never lifted", sender.sender())
            }
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QuestionInUse { asker, question, call, open } => {
                let (asker, id) = (asker.sender(), question.id);
                write!(f, "the {asker} asked {question} ({call}) with id {id} while {open} had that id")
            }
            Self::Unasked { answerer, question } => {
                let (answerer, asker) = (answerer.sender(), answerer.reversed().sender());
                write!(f, "the {answerer} answered {question}, for which the {asker} does not wait")
            }
            Self::OverRelease { owner, export, held, released } => {
                let holder = owner.reversed().sender();
                write!(f, "the {holder} gave back {released} references to {export} and held {held}")
            }
            Self::NotHeld { owner, export } => {
                let user = owner.reversed().sender();
                write!(f, "the {user} used {export} and holds no reference to it")
            }
            Self::UnknownEmbargo { sender, id } => {
                let (sender, other) = (sender.sender(), sender.reversed().sender());
                write!(f, "the {other} lifted embargo {id}, which the {sender} never sent")
            }
            Self::AfterAbort(frame) => {
                write!(f, "the {} wrote after its abort: {frame}", frame.direction.sender())
            }
            Self::Garbled(frame) => write!(f, "the {} wrote no frame: {frame}", frame.direction.sender()),
        }
    }
}
