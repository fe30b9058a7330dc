//! How a frame prints: one line, the same for people and for snapshots.

use std::fmt;

use super::{
    Call, Cap, Context, Direction, Exception, ExceptionKind, Frame, Message, Outcome, Payload, Pipelined,
    Resolution, ResultsTo, Return, Target, Value,
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
            Self::Bootstrap { question } => write!(f, "bootstrap  q{question}"),
            Self::Call(call) => write!(f, "call       {call}"),
            Self::Return(answer) => write!(f, "return     {answer}"),
            Self::Finish { question, release_result_caps } => {
                write!(f, "finish     q{question}{}", if *release_result_caps { " releasing" } else { "" })
            }
            Self::Resolve { promise, resolution } => write!(f, "resolve    #{promise} {resolution}"),
            Self::Release { id, references } => write!(f, "release    #{id} ×{references}"),
            Self::Disembargo { target, context } => write!(f, "disembargo {target} {context}"),
            Self::Abort(exception) => write!(f, "abort      {exception}"),
            Self::Unimplemented(message) => write!(f, "unimplemented: {message}"),
            Self::Other(name) => write!(f, "other      {name}"),
            Self::Garbled(reason) => write!(f, "garbled    {reason}"),
            Self::Closed { pending_bytes: 0 } => f.write_str("closed"),
            Self::Closed { pending_bytes } => write!(f, "closed     with {pending_bytes} bytes of a frame"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "q{} on {} {} {}", self.question, self.target, self.method, self.params)?;
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
        write!(f, "q{} {call} {}", self.question, self.outcome)?;
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
            Self::TakeFromOtherQuestion(question) => write!(f, "taken from q{question}"),
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
            Self::None => f.write_str("none"),
            Self::SenderHosted(id) => write!(f, "senderHosted {id}"),
            Self::SenderPromise(id) => write!(f, "senderPromise {id}"),
            Self::ReceiverHosted(id) => write!(f, "receiverHosted {id}"),
            Self::ReceiverAnswer(pipelined) => write!(f, "receiverAnswer {pipelined}"),
            Self::ThirdPartyHosted(vine) => write!(f, "thirdPartyHosted {vine}"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Import(id) => write!(f, "#{id}"),
            Self::Answer(pipelined) => write!(f, "{pipelined}"),
        }
    }
}

impl fmt::Display for Pipelined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "q{}", self.question)?;
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
        write!(f, "{} {:?}", self.kind, self.reason)
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
