//! Decodes the bytes of a link into its frames.
//!
//! Frames are read with the generated readers of capnp-rpc. This module remembers the questions of both sides, which
//! those readers cannot know. So an answer is named by the call that was asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use capnp::struct_list;
use capnp_rpc::rpc_capnp::{
    call, cap_descriptor, disembargo, exception, message, message_target, payload, promised_answer, resolve,
    return_,
};

use super::reader::{limits, read_content, shorten};
use super::{
    Call, Cap, Context, Direction, Exception, ExceptionKind, Frame, Message, Outcome, Payload, Piece,
    Pipelined, Resolution, ResultsTo, Return, Splitter, Target,
};
use crate::schema::Schema;

/// Steps into an answer by which a pipelined capability is named, at most.
const MAX_PATH: usize = 16;

/// Decodes the bytes of one link.
///
/// ```
/// use std::sync::Arc;
/// use wavetank_trace::frames::{Decoder, Direction};
/// use wavetank_trace::schema::Schema;
///
/// let mut decoder = Decoder::new(Arc::new(Schema::default()));
/// // One segment of five words: a Message with tag 8, and in it a Bootstrap that asks question 3.
/// let mut bytes = vec![0, 0, 0, 0, 5, 0, 0, 0];
/// for word in [0x0001_0001_0000_0000_u64, 8, 0x0001_0001_0000_0000, 3, 0] {
///     bytes.extend(word.to_le_bytes());
/// }
/// assert_eq!(decoder.push(Direction::Up, &bytes[..40]), []);
/// assert_eq!(decoder.pending_bytes(Direction::Up), 40);
/// let frames = decoder.push(Direction::Up, &bytes[40..]);
/// assert_eq!(frames[0].to_string(), "→ bootstrap  q3");
/// assert_eq!(decoder.close(Direction::Up).to_string(), "→ closed");
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    up: Splitter,
    down: Splitter,
    names: CallNames,
}

impl Decoder {
    /// A decoder for a new link.
    #[must_use]
    pub fn new(schema: Arc<Schema>) -> Self {
        Self {
            up: Splitter::default(),
            down: Splitter::default(),
            names: CallNames { schema, asked: BTreeMap::new() },
        }
    }

    /// Takes the next bytes of a direction and returns the frames that they complete. Bytes must come in the order in
    /// which they were written, over both directions, because an answer is named by a call that came before it. After a
    /// frame that no reader could skip, the direction returns no more frames.
    pub fn push(&mut self, direction: Direction, bytes: &[u8]) -> Vec<Frame> {
        let splitter = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        splitter.push(bytes);
        let mut frames = Vec::new();
        while let Some(piece) = splitter.next_piece() {
            frames.push(match piece {
                Piece::Whole(bytes) => {
                    let message = self.names.read_frame(direction, bytes);
                    Frame { direction, bytes: bytes.len(), message }
                }
                Piece::Garbled { bytes, reason } => {
                    Frame { direction, bytes, message: Message::Garbled(reason) }
                }
            });
        }
        frames
    }

    /// The bytes of a direction that belong to no frame yet.
    #[must_use]
    pub fn pending_bytes(&self, direction: Direction) -> usize {
        match direction {
            Direction::Up => self.up.pending_bytes(),
            Direction::Down => self.down.pending_bytes(),
        }
    }

    /// The frame that marks the end of a direction.
    #[must_use]
    pub fn close(&self, direction: Direction) -> Frame {
        let pending_bytes = self.pending_bytes(direction);
        Frame { direction, bytes: 0, message: Message::Closed { pending_bytes } }
    }
}

#[derive(Clone, Debug)]
struct CallNames {
    schema: Arc<Schema>,
    /// The latest question of each number, by asker. An entry is never removed, only replaced, because an answer stays
    /// a target after its Return. There are few ids, because the lowest free one is taken.
    asked: BTreeMap<(Direction, u32), Asked>,
}

#[derive(Clone, Debug)]
struct Asked {
    /// Whether it asked for the bootstrap capability.
    is_bootstrap: bool,
    /// `bootstrap` or the method.
    name: String,
    results: Option<u64>,
}

impl CallNames {
    fn read_frame(&mut self, direction: Direction, bytes: &[u8]) -> Message {
        let message = self.read_message(direction, bytes);
        let message = message.unwrap_or_else(|error| Message::Garbled(error.to_string()));
        self.note(direction, &message);
        message
    }

    fn read_message(&self, direction: Direction, mut bytes: &[u8]) -> capnp::Result<Message> {
        let limits = limits(bytes.len());
        let message = capnp::serialize::read_message(&mut bytes, limits)?;
        self.message(direction, message.get_root()?, true)
    }

    fn note(&mut self, direction: Direction, message: &Message) {
        let (question, asked) = match message {
            Message::Bootstrap { question } => {
                (*question, Asked { is_bootstrap: true, name: "bootstrap".to_owned(), results: None })
            }
            Message::Call(call) => {
                let method = self.schema.method(call.interface_id, call.method_id);
                let results = method.map(|method| method.results);
                (call.question, Asked { is_bootstrap: false, name: call.method.clone(), results })
            }
            _ => return,
        };
        self.asked.insert((direction, question), asked);
    }

    /// Reads a message. A message that this one sends back is read too, but not one inside that.
    fn message(&self, direction: Direction, reader: message::Reader, outer: bool) -> capnp::Result<Message> {
        use capnp_rpc::rpc_capnp::message as m;
        let Ok(which) = reader.which() else {
            return Ok(Message::Other("message of an unknown kind".to_owned()));
        };
        Ok(match which {
            m::Unimplemented(inner) if outer => {
                let inner = self.message(direction.reversed(), inner?, false)?;
                Message::Unimplemented(Box::new(inner))
            }
            m::Unimplemented(_) => Message::Other("unimplemented".to_owned()),
            m::Abort(reader) => Message::Abort(read_exception(reader?)),
            m::Bootstrap(reader) => Message::Bootstrap { question: reader?.get_question_id() },
            m::Call(reader) => Message::Call(self.call(direction, reader?)?),
            m::Return(reader) => Message::Return(self.answer(direction, reader?)?),
            m::Finish(reader) => {
                let reader = reader?;
                let release_result_caps = reader.get_release_result_caps();
                Message::Finish { question: reader.get_question_id(), release_result_caps }
            }
            m::Resolve(reader) => {
                let reader = reader?;
                let resolution = match reader.which()? {
                    resolve::Cap(cap) => Resolution::Cap(self.cap(direction, cap?)?),
                    resolve::Exception(reader) => Resolution::Exception(read_exception(reader?)),
                };
                Message::Resolve { promise: reader.get_promise_id(), resolution }
            }
            m::Release(reader) => {
                let reader = reader?;
                Message::Release { id: reader.get_id(), references: reader.get_reference_count() }
            }
            m::Disembargo(reader) => {
                let reader = reader?;
                let context = match reader.get_context().which()? {
                    disembargo::context::SenderLoopback(id) => Context::SenderLoopback(id),
                    disembargo::context::ReceiverLoopback(id) => Context::ReceiverLoopback(id),
                    disembargo::context::Accept(()) | disembargo::context::Provide(_) => Context::ThirdParty,
                };
                Message::Disembargo { target: self.target(direction, reader.get_target()?)?, context }
            }
            m::Provide(_) => Message::Other("provide".to_owned()),
            m::Accept(_) => Message::Other("accept".to_owned()),
            m::Join(_) => Message::Other("join".to_owned()),
            m::ObsoleteSave(_) => Message::Other("obsoleteSave".to_owned()),
            m::ObsoleteDelete(_) => Message::Other("obsoleteDelete".to_owned()),
        })
    }

    fn call(&self, direction: Direction, reader: call::Reader) -> capnp::Result<Call> {
        let (interface_id, method_id) = (reader.get_interface_id(), reader.get_method_id());
        let interface = self.schema.interfaces.get(&interface_id);
        let interface_name =
            interface.map_or_else(|| format!("@0x{interface_id:016x}"), |found| found.name.clone());
        let method = self.schema.method(interface_id, method_id);
        let method_name = method.map_or_else(|| format!("method{method_id}"), |found| found.name.clone());
        let params = reader.get_params()?;
        Ok(Call {
            fingerprint: crate::fingerprint(params.get_content()),
            question: reader.get_question_id(),
            target: self.target(direction, reader.get_target()?)?,
            interface_id,
            method_id,
            method: format!("{interface_name}.{method_name}"),
            params: self.payload(direction, params, method.map(|method| method.params))?,
            results_to: match reader.get_send_results_to().which()? {
                call::send_results_to::Caller(()) => ResultsTo::Caller,
                call::send_results_to::Yourself(()) => ResultsTo::Yourself,
                call::send_results_to::ThirdParty(_) => ResultsTo::ThirdParty,
            },
        })
    }

    fn answer(&self, direction: Direction, reader: return_::Reader) -> capnp::Result<Return> {
        let question = reader.get_answer_id();
        let asked = self.asked.get(&(direction.reversed(), question));
        let outcome = match reader.which()? {
            return_::Results(payload) => {
                Outcome::Results(self.payload(direction, payload?, asked.and_then(|asked| asked.results))?)
            }
            return_::Exception(reader) => Outcome::Exception(read_exception(reader?)),
            return_::Canceled(()) => Outcome::Canceled,
            return_::ResultsSentElsewhere(()) => Outcome::SentElsewhere,
            return_::TakeFromOtherQuestion(question) => Outcome::TakeFromOtherQuestion(question),
            return_::AcceptFromThirdParty(_) => Outcome::AcceptFromThirdParty,
        };
        Ok(Return {
            question,
            call: asked.map(|asked| asked.name.clone()),
            outcome,
            // A bootstrap has no parameters to release, yet the flag is true by default.
            release_param_caps: reader.get_release_param_caps()
                && !asked.is_some_and(|asked| asked.is_bootstrap),
            no_finish_needed: reader.get_no_finish_needed(),
        })
    }

    fn payload(
        &self,
        direction: Direction,
        reader: payload::Reader,
        ty: Option<u64>,
    ) -> capnp::Result<Payload> {
        let caps = reader.get_cap_table()?.iter().map(|cap| self.cap(direction, cap));
        let caps = caps.collect::<capnp::Result<Vec<_>>>()?;
        Ok(Payload { value: read_content(&self.schema, reader, &caps, ty), caps })
    }

    fn cap(&self, direction: Direction, reader: cap_descriptor::Reader) -> capnp::Result<Cap> {
        Ok(match reader.which()? {
            cap_descriptor::None(()) => Cap::None,
            cap_descriptor::SenderHosted(id) => Cap::SenderHosted(id),
            cap_descriptor::SenderPromise(id) => Cap::SenderPromise(id),
            cap_descriptor::ReceiverHosted(id) => Cap::ReceiverHosted(id),
            cap_descriptor::ReceiverAnswer(answer) => {
                Cap::ReceiverAnswer(self.pipelined(direction, answer?)?)
            }
            cap_descriptor::ThirdPartyHosted(third) => Cap::ThirdPartyHosted(third?.get_vine_id()),
        })
    }

    fn target(&self, direction: Direction, reader: message_target::Reader) -> capnp::Result<Target> {
        Ok(match reader.which()? {
            message_target::ImportedCap(id) => Target::Import(id),
            message_target::PromisedAnswer(answer) => Target::Answer(self.pipelined(direction, answer?)?),
        })
    }

    /// Names a capability in an answer to a question that the sender of this direction asked.
    fn pipelined(&self, direction: Direction, reader: promised_answer::Reader) -> capnp::Result<Pipelined> {
        let question = reader.get_question_id();
        let results = self.asked.get(&(direction, question)).and_then(|asked| asked.results);
        Ok(Pipelined { question, path: self.path(results, reader.get_transform()?)? })
    }

    fn path(
        &self,
        results: Option<u64>,
        ops: struct_list::Reader<promised_answer::op::Owned>,
    ) -> capnp::Result<Vec<String>> {
        let mut path = Vec::new();
        let mut ty = results;
        for op in ops {
            let promised_answer::op::GetPointerField(index) = op.which()? else { continue };
            if path.len() == MAX_PATH {
                path.push("…".to_owned());
                break;
            }
            let field = ty.and_then(|id| self.schema.pointer_field(id, index));
            let (name, next) = field.unwrap_or_else(|| (format!("ptr{index}"), None));
            path.push(name);
            ty = next;
        }
        Ok(path)
    }
}

fn read_exception(reader: exception::Reader) -> Exception {
    let kind = match reader.get_type() {
        Ok(exception::Type::Failed) => ExceptionKind::Failed,
        Ok(exception::Type::Overloaded) => ExceptionKind::Overloaded,
        Ok(exception::Type::Disconnected) => ExceptionKind::Disconnected,
        Ok(exception::Type::Unimplemented) => ExceptionKind::Unimplemented,
        Err(capnp::NotInSchema(kind)) => ExceptionKind::Unknown(kind),
    };
    let reason = match reader.get_reason() {
        Ok(reason) => {
            let reason = String::from_utf8_lossy(reason.as_bytes());
            let start = shorten(&reason);
            format!("{start}{}", if start.len() < reason.len() { "…" } else { "" })
        }
        Err(error) => format!("<malformed: {error}>"),
    };
    Exception { kind, reason }
}
