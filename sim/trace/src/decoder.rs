//! Decodes the bytes of a link into its frames.
//!
//! Frames are read with the generated readers of capnp-rpc. `Names` remembers the questions and capabilities of both
//! sides, which those readers cannot know. So an answer is named by the call that was asked.

mod digest;
mod names;
mod raw;
mod reader;
mod splitter;
mod whole;

use std::sync::Arc;

use capnp::struct_list;
use capnp_rpc::rpc_capnp::{
    call, cap_descriptor, disembargo, exception, message, message_target, payload, promised_answer, resolve,
    return_,
};

use crate::frames::{
    Call, Cap, Context, Direction, Exception, ExceptionKind, Frame, Message, Outcome, Payload, Pipelined,
    Question, Resolution, ResultsTo, Return, Target,
};
use crate::schema::{Instance, Schema, Type};
use names::{Described, Names};
use reader::{CapNames, Cuts, read_content, read_untyped, shorten};

pub(crate) use reader::limits;
pub use reader::read_literal;
pub use splitter::{Piece, Splitter};
pub use whole::read_message;

/// Steps into an answer by which a pipelined capability is named, at most.
const MAX_PATH: usize = 16;

/// Decodes the bytes of one link.
///
/// ```
/// use std::sync::Arc;
/// use wavetank_trace::Decoder;
/// use wavetank_trace::frames::Direction;
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
/// assert_eq!(frames[0].to_string(), "→ bootstrap  q1");
/// assert_eq!(decoder.close(Direction::Up).to_string(), "→ closed");
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    up: Splitter,
    down: Splitter,
    names: Names,
    cuts: Cuts,
}

impl Decoder {
    /// A decoder for a new link, between parties called `cell` and `host`.
    #[must_use]
    pub fn new(schema: Arc<Schema>) -> Self {
        Self::between("cell", "host", schema)
    }

    /// A decoder for a new link. `cell` sends [upwards](Direction::Up), `host` downwards. Capabilities are named by
    /// them.
    #[must_use]
    pub fn between(cell: &str, host: &str, schema: Arc<Schema>) -> Self {
        let names = Names::new(schema, cell, host);
        Self { up: Splitter::default(), down: Splitter::default(), names, cuts: Cuts::LINE }
    }

    /// The same decoder, which keeps values whole: long texts and lists, and the content of Data. Of one payload it
    /// reads a million values at most.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.cuts = Cuts::WHOLE;
        self
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
                Piece::Whole(bytes) => read_frame(&mut self.names, self.cuts, direction, bytes),
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

fn read_frame(names: &mut Names, cuts: Cuts, direction: Direction, bytes: &[u8]) -> Frame {
    let mut reader = MessageReader { names, cuts, direction, is_echo: false, results: None };
    let message = reader.frame(bytes).unwrap_or_else(|error| Message::Garbled(error.to_string()));
    let results = reader.results;
    let frame = Frame { direction, bytes: bytes.len(), message };
    names.enter(&frame, results);
    frame
}

/// Reads one message of a direction.
struct MessageReader<'n> {
    names: &'n mut Names,
    cuts: Cuts,
    direction: Direction,
    /// Whether the message is sent back by a side that does not know it. It then asks and exports nothing.
    is_echo: bool,
    /// The type of the results of the call that was read.
    results: Option<Instance>,
}

impl MessageReader<'_> {
    fn frame(&mut self, mut bytes: &[u8]) -> capnp::Result<Message> {
        let limits = limits(bytes.len());
        let message = capnp::serialize::read_message(&mut bytes, limits)?;
        self.message(message.get_root()?)
    }

    /// Reads a message. A message that this one sends back is read too, but not one inside that.
    fn message(&mut self, reader: message::Reader) -> capnp::Result<Message> {
        use capnp_rpc::rpc_capnp::message as m;
        let Ok(which) = reader.which() else {
            return Ok(Message::Other("message of an unknown kind".to_owned()));
        };
        Ok(match which {
            m::Unimplemented(inner) if !self.is_echo => {
                let direction = self.direction.reversed();
                let names = &mut *self.names;
                let mut echo =
                    MessageReader { names, cuts: self.cuts, direction, is_echo: true, results: None };
                Message::Unimplemented(Box::new(echo.message(inner?)?))
            }
            m::Unimplemented(_) => Message::Other("unimplemented".to_owned()),
            m::Abort(reader) => Message::Abort(read_exception(reader?)),
            m::Bootstrap(reader) => Message::Bootstrap { question: self.asks(reader?.get_question_id()) },
            m::Call(reader) => Message::Call(self.call(reader?)?),
            m::Return(reader) => Message::Return(self.answer(reader?)?),
            m::Finish(reader) => {
                let reader = reader?;
                let question = self.names.question(self.direction, reader.get_question_id());
                Message::Finish { question, release_result_caps: reader.get_release_result_caps() }
            }
            m::Resolve(reader) => {
                let reader = reader?;
                let id = reader.get_promise_id();
                let resolution = match reader.which()? {
                    resolve::Cap(cap) => Resolution::Cap(self.resolved(id, cap?)?),
                    resolve::Exception(reader) => Resolution::Exception(read_exception(reader?)),
                };
                Message::Resolve { promise: self.names.export(self.direction, id), resolution }
            }
            m::Release(reader) => {
                let reader = reader?;
                let import = self.names.export(self.direction.reversed(), reader.get_id());
                Message::Release { import, references: reader.get_reference_count() }
            }
            m::Disembargo(reader) => {
                let reader = reader?;
                let context = match reader.get_context().which()? {
                    disembargo::context::SenderLoopback(id) => Context::SenderLoopback(id),
                    disembargo::context::ReceiverLoopback(id) => Context::ReceiverLoopback(id),
                    disembargo::context::Accept(()) | disembargo::context::Provide(_) => Context::ThirdParty,
                };
                Message::Disembargo { target: self.target(reader.get_target()?)?.0, context }
            }
            m::Provide(reader) => {
                let reader = reader?;
                Message::Provide {
                    target: self.target(reader.get_target()?)?.0,
                    question: self.asks(reader.get_question_id()),
                    recipient: read_untyped(reader.get_recipient(), self.cuts),
                }
            }
            m::Accept(reader) => {
                let reader = reader?;
                Message::Accept {
                    question: self.asks(reader.get_question_id()),
                    provision: read_untyped(reader.get_provision(), self.cuts),
                    embargo: reader.get_embargo(),
                }
            }
            m::Join(reader) => {
                let reader = reader?;
                Message::Join {
                    target: self.target(reader.get_target()?)?.0,
                    question: self.asks(reader.get_question_id()),
                    key_part: read_untyped(reader.get_key_part(), self.cuts),
                }
            }
            m::ObsoleteSave(_) => Message::Other("obsoleteSave".to_owned()),
            m::ObsoleteDelete(_) => Message::Other("obsoleteDelete".to_owned()),
        })
    }

    /// The question that this message asks.
    fn asks(&self, id: u32) -> Question {
        if self.is_echo { self.names.question(self.direction, id) } else { self.names.new_question(id) }
    }

    fn call(&mut self, reader: call::Reader) -> capnp::Result<Call> {
        let interface_id = reader.get_interface_id();
        let method_id = reader.get_method_id();
        let (target, ty) = self.target(reader.get_target()?)?;
        let brand = match &target {
            Target::Import(export) => {
                self.names.brand_of_import(self.direction.reversed(), export.id, interface_id)
            }
            Target::Answer(answer) => {
                self.names.brand_of_answer(self.direction, answer.question.id, ty, interface_id)
            }
        };
        let schema = self.names.schema.clone();
        let method = schema.method(interface_id, method_id);
        let params = reader.get_params()?;
        self.results = method.map(|method| method.results.close(&brand));
        Ok(Call {
            fingerprint: crate::fingerprint(params.get_content()),
            question: self.asks(reader.get_question_id()),
            target,
            interface_id,
            method_id,
            method: schema.method_name(interface_id, method_id).into(),
            params: self.payload(params, method.map(|method| method.params.close(&brand)).as_ref(), false)?,
            results_to: match reader.get_send_results_to().which()? {
                call::send_results_to::Caller(()) => ResultsTo::Caller,
                call::send_results_to::Yourself(()) => ResultsTo::Yourself,
                call::send_results_to::ThirdParty(_) => ResultsTo::ThirdParty,
            },
        })
    }

    fn answer(&mut self, reader: return_::Reader) -> capnp::Result<Return> {
        let asker = self.direction.reversed();
        let id = reader.get_answer_id();
        let asked = self.names.asked(asker, id).cloned();
        let is_bootstrap = asked.as_ref().is_some_and(|asked| asked.is_bootstrap);
        let outcome = match reader.which()? {
            return_::Results(payload) => {
                let results = asked.as_ref().and_then(|asked| asked.results.as_ref());
                Outcome::Results(self.payload(payload?, results, is_bootstrap)?)
            }
            return_::Exception(reader) => Outcome::Exception(read_exception(reader?)),
            return_::Canceled(()) => Outcome::Canceled,
            return_::ResultsSentElsewhere(()) => Outcome::SentElsewhere,
            return_::TakeFromOtherQuestion(id) => {
                Outcome::TakeFromOtherQuestion(self.names.question(self.direction, id))
            }
            return_::AcceptFromThirdParty(_) => Outcome::AcceptFromThirdParty,
        };
        Ok(Return {
            question: self.names.question(asker, id),
            call: asked.map(|asked| asked.name),
            outcome,
            // A bootstrap has no parameters to release, yet the flag is true by default.
            release_param_caps: reader.get_release_param_caps() && !is_bootstrap,
            no_finish_needed: reader.get_no_finish_needed(),
        })
    }

    fn payload(
        &mut self,
        reader: payload::Reader,
        ty: Option<&Instance>,
        is_bootstrap: bool,
    ) -> capnp::Result<Payload> {
        let table = reader.get_cap_table()?;
        let schema = self.names.schema.clone();
        let named = vec![None; table.len() as usize];
        let cuts = self.cuts;
        let mut caps = PayloadCaps { reader: self, table, is_bootstrap, named };
        let value = read_content(&schema, reader, &mut caps, ty, cuts);
        // Entries that the content does not point to, or not in the part that was read.
        for index in 0..caps.len() {
            caps.cap(index, None);
        }
        let mut all = Vec::new();
        for cap in caps.named.into_iter().flatten() {
            all.push(cap?);
        }
        Ok(Payload { value, caps: all })
    }

    /// A capability that this message describes, in a field of type `ty`.
    fn cap(
        &mut self,
        reader: cap_descriptor::Reader,
        ty: Option<&Instance>,
        is_bootstrap: bool,
    ) -> capnp::Result<Cap> {
        let owner = self.direction;
        let mut own = |id, described| {
            if self.is_echo {
                self.names.export(owner, id)
            } else if is_bootstrap {
                self.names.describe_bootstrap(owner, id, described)
            } else {
                self.names.describe(owner, id, described, ty)
            }
        };
        Ok(match reader.which()? {
            cap_descriptor::None(()) => Cap::None,
            cap_descriptor::SenderHosted(id) => Cap::SenderHosted(own(id, Described::Hosted)),
            cap_descriptor::SenderPromise(id) => Cap::SenderPromise(own(id, Described::Promised)),
            cap_descriptor::ThirdPartyHosted(third) => {
                Cap::ThirdPartyHosted(own(third?.get_vine_id(), Described::Hosted))
            }
            cap_descriptor::ReceiverHosted(id) => {
                let owner = self.direction.reversed();
                self.names.learn_type(owner, id, ty);
                Cap::ReceiverHosted(self.names.export(owner, id))
            }
            cap_descriptor::ReceiverAnswer(answer) => Cap::ReceiverAnswer(self.pipelined(answer?)?.0),
        })
    }

    /// The capability that a promise of the sender resolves to.
    fn resolved(&mut self, promise: u32, reader: cap_descriptor::Reader) -> capnp::Result<Cap> {
        let mut own = |id, described| {
            if self.is_echo {
                self.names.export(self.direction, id)
            } else {
                self.names.describe_resolved(self.direction, promise, id, described)
            }
        };
        Ok(match reader.which()? {
            cap_descriptor::SenderHosted(id) => Cap::SenderHosted(own(id, Described::Hosted)),
            cap_descriptor::SenderPromise(id) => Cap::SenderPromise(own(id, Described::Promised)),
            _ => self.cap(reader, None, false)?,
        })
    }

    /// The capability that a message is for, with its type if that is an answer of which the schema tells it.
    fn target(&mut self, reader: message_target::Reader) -> capnp::Result<(Target, Option<Type>)> {
        Ok(match reader.which()? {
            message_target::ImportedCap(id) => {
                (Target::Import(self.names.export(self.direction.reversed(), id)), None)
            }
            message_target::PromisedAnswer(answer) => {
                let (pipelined, ty) = self.pipelined(answer?)?;
                (Target::Answer(pipelined), ty)
            }
        })
    }

    /// A capability in an answer to a question that the sender of this direction asked, with its type if the schema
    /// tells it.
    fn pipelined(&mut self, reader: promised_answer::Reader) -> capnp::Result<(Pipelined, Option<Type>)> {
        let id = reader.get_question_id();
        let results = self.names.asked(self.direction, id).and_then(|asked| asked.results.clone());
        let (path, ty) = self.path(results, reader.get_transform()?)?;
        Ok((Pipelined { question: self.names.question(self.direction, id), path }, ty))
    }

    fn path(
        &self,
        results: Option<Instance>,
        ops: struct_list::Reader<promised_answer::op::Owned>,
    ) -> capnp::Result<(Vec<String>, Option<Type>)> {
        let mut path = Vec::new();
        let mut ty = results.map(Type::Struct);
        for op in ops {
            let promised_answer::op::GetPointerField(index) = op.which()? else { continue };
            if path.len() == MAX_PATH {
                path.push("…".to_owned());
                return Ok((path, None));
            }
            let field = match &ty {
                Some(Type::Struct(instance)) => self.names.schema.pointer_field(instance, index),
                _ => None,
            };
            let (name, next) = field.unwrap_or_else(|| (format!("ptr{index}"), Type::AnyPointer));
            path.push(name);
            ty = Some(next);
        }
        Ok((path, ty))
    }
}

/// The capability table of a payload. Each entry is named when the content points to it, so that the name tells the
/// field's type.
struct PayloadCaps<'r, 'n, 't> {
    reader: &'r mut MessageReader<'n>,
    table: struct_list::Reader<'t, cap_descriptor::Owned>,
    is_bootstrap: bool,
    named: Vec<Option<capnp::Result<Cap>>>,
}

impl CapNames for PayloadCaps<'_, '_, '_> {
    fn len(&self) -> usize {
        self.named.len()
    }

    fn cap(&mut self, index: usize, ty: Option<&Instance>) -> Option<Cap> {
        let slot = self.named.get_mut(index)?;
        let cap =
            slot.get_or_insert_with(|| self.reader.cap(self.table.get(index as u32), ty, self.is_bootstrap));
        cap.as_ref().ok().cloned()
    }

    fn interface(&self, ty: Option<&Instance>) -> Arc<str> {
        self.reader.names.interface(ty)
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
    Exception { kind, reason: start_of(reader.get_reason()), trace: start_of(reader.get_trace()) }
}

fn start_of(text: capnp::Result<capnp::text::Reader>) -> String {
    match text {
        Ok(text) => {
            let text = String::from_utf8_lossy(text.as_bytes());
            let start = shorten(&text);
            if start.len() == text.len() {
                return start.to_owned();
            }
            format!("{start}… ({} bytes, {}…)", text.len(), digest::of_bytes(text.as_bytes()))
        }
        Err(error) => format!("<malformed: {error}>"),
    }
}
