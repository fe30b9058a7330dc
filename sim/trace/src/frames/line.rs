//! How a frame prints: one line, the same for people and for snapshots.

use std::fmt;

use super::{
    Call, Cap, CapName, Context, Direction, Exception, ExceptionKind, Export, Frame, Message, Outcome,
    Payload, Pipelined, Question, Resolution, ResultsTo, Return, Target, Value,
};

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "→",
            Self::Down => "←",
        })
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.direction, self.message)
    }
}

impl fmt::Display for Message {
    // The verbs are padded to the longest common one, so that the ids of a transcript stand in a column.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bootstrap { question } => write!(f, "bootstrap  {question}"),
            Self::Call(call) => write!(f, "call       {call}"),
            Self::Return(answer) => write!(f, "return     {answer}"),
            Self::Finish { question, release_result_caps } => {
                write!(f, "finish     {question}{}", if *release_result_caps { " releasing" } else { "" })
            }
            Self::Resolve { promise, resolution } => write!(f, "resolve    {promise} {resolution}"),
            Self::Release { import, references } => write!(f, "release    {import} ×{references}"),
            Self::Disembargo { target, context } => write!(f, "disembargo {target} {context}"),
            Self::Abort(exception) => write!(f, "abort      {exception}"),
            Self::Unimplemented(message) => write!(f, "unimplemented: {message}"),
            Self::Provide { question, target, recipient } => {
                write!(f, "provide    {question} of {target} to {recipient}")
            }
            Self::Accept { question, provision, embargo } => {
                let embargo = if *embargo { ", after an embargo" } else { "" };
                write!(f, "accept     {question} of {provision}{embargo}")
            }
            Self::Join { question, target, key_part } => {
                write!(f, "join       {question} on {target} with {key_part}")
            }
            Self::Other(name) => write!(f, "other      {name}"),
            Self::Garbled(reason) => write!(f, "garbled    {reason}"),
            Self::Closed { pending_bytes: 0 } => f.write_str("closed"),
            Self::Closed { pending_bytes } => write!(f, "closed     with {pending_bytes} bytes of a frame"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} {} {}", self.question, self.target, self.method, self.params)?;
        match self.results_to {
            ResultsTo::Caller => Ok(()),
            ResultsTo::Yourself => f.write_str(", results to yourself"),
            ResultsTo::ThirdParty => f.write_str(", results to a third party"),
        }
    }
}

impl fmt::Display for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.call.as_deref().unwrap_or("unknown");
        write!(f, "{} {call} {}", self.question, self.outcome)?;
        if self.release_param_caps {
            f.write_str(", releasing params")?;
        }
        f.write_str(if self.no_finish_needed { ", needs no finish" } else { "" })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Results(payload) => write!(f, "{payload}"),
            Self::Exception(exception) => write!(f, "{exception}"),
            Self::Canceled => f.write_str("canceled"),
            Self::SentElsewhere => f.write_str("sent elsewhere"),
            Self::TakeFromOtherQuestion(question) => write!(f, "taken from {question}"),
            Self::AcceptFromThirdParty => f.write_str("accepted from a third party"),
        }
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Struct(_) => write!(f, "{}", self.value),
            value => write!(f, "({value})"),
        }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cap(cap) => write!(f, "to {cap}"),
            Self::Exception(exception) => write!(f, "{exception}"),
        }
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("null"),
            Self::SenderHosted(export) | Self::SenderPromise(export) | Self::ReceiverHosted(export) => {
                write!(f, "{export}")
            }
            Self::ReceiverAnswer(pipelined) => write!(f, "{pipelined}"),
            Self::ThirdPartyHosted(vine) => write!(f, "{vine}, in a third vat"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Import(export) => write!(f, "{export}"),
            Self::Answer(pipelined) => write!(f, "{pipelined}"),
        }
    }
}

impl fmt::Display for Pipelined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.question)?;
        self.path.iter().try_for_each(|field| write!(f, ".{field}"))
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SenderLoopback(id) => write!(f, "senderLoopback {id}"),
            Self::ReceiverLoopback(id) => write!(f, "receiverLoopback {id}"),
            Self::ThirdParty => f.write_str("of a third party"),
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind, self.reason)?;
        if self.trace.is_empty() { Ok(()) } else { write!(f, ", trace {:?}", self.trace) }
    }
}

impl fmt::Display for ExceptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed => f.write_str("failed"),
            Self::Overloaded => f.write_str("overloaded"),
            Self::Disconnected => f.write_str("disconnected"),
            Self::Unimplemented => f.write_str("unimplemented"),
            Self::Unknown(kind) => write!(f, "exception of kind {kind}"),
        }
    }
}

impl fmt::Display for CapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let promise = if self.is_promise { "promise of " } else { "" };
        write!(f, "{promise}{}'s {}", self.owner, self.interface)?;
        match self.ordinal {
            0 | 1 => Ok(()),
            ordinal => write!(f, " {ordinal}"),
        }
    }
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.ordinal {
            // Nothing named it, so only its id tells which one it is.
            0 => write!(f, "{} (export {})", self.name, self.id),
            _ => write!(f, "{}", self.name),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => write!(f, "q? (id {})", self.id),
            number => write!(f, "q{number}"),
        }
    }
}
