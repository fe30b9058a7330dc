//! A hostile peer: it makes frames from the state of the protocol, and one or two in a hundred are wrong.
//!
//! Random bytes, and frames with random ids, end at the first Abort: a vat answers the first senseless frame with one,
//! and then stops listening. So most frames made here are frames that a peer may lawfully send at that moment: it
//! answers questions that were asked, calls capabilities it was given, resolves promises it made. Only then does a
//! wrong frame meet a vat with state at risk.
//!
//! Not here: the opponent, which is in [`targets`](super::targets).

use capnp::capability::{Client, FromClientHook};
use capnp::message::{Allocator, Builder};
use capnp::traits::{HasTypeId, ImbueMut};
use capnp_rpc::new_broken_cap;
use capnp_rpc::rpc_capnp::{cap_descriptor, exception, message, message_target, payload, promised_answer};
use std::collections::{BTreeMap, BTreeSet};
use wavetank::schema::peer_capnp::{executor, host};
use wavetank_trace::Decoder;
use wavetank_trace::frames::{Cap, Context, Direction, Frame, Message, Outcome, Resolution};

/// The bytes of an input, from the front. Past the end, bytes are 0.
#[derive(Clone, Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl Input<'_> {
    /// Whether no byte is left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }
}

/// The knowledge of a peer about its link: the frames it sent and the frames it received.
pub struct Peer {
    /// The direction in which it sends.
    sends: Direction,
    decoder: Decoder,
    /// Its own open questions, each with whether the answer came.
    asked: BTreeMap<u32, bool>,
    /// The open questions whose answers stay with the other side until the peer takes them.
    kept: BTreeSet<u32>,
    /// Questions that it gave up. Their ids are not free until an answer comes.
    given_up: BTreeSet<u32>,
    /// The open questions whose answers brought capabilities.
    brought: BTreeSet<u32>,
    /// Questions that it has not answered yet, each with whether it asks for the bootstrap capability.
    owes: BTreeMap<u32, bool>,
    /// Questions that it answered and that await their Finish.
    answered: BTreeSet<u32>,
    /// Capabilities that it was given, by export id of the other side.
    holds: BTreeSet<u32>,
    /// Its exports, each with whether it is a promise.
    exports: BTreeMap<u32, bool>,
    /// Embargoes that it must send back.
    embargoes: Vec<u32>,
}

/// Number of wrong frames in 256.
const WRONG: u8 = 4;

impl Peer {
    /// A peer on a new link that sends in this direction.
    pub fn new(sends: Direction) -> Self {
        Peer {
            sends,
            decoder: Decoder::new(wavetank_sim::schema::PEER_SCHEMA.clone()),
            asked: BTreeMap::new(),
            kept: BTreeSet::new(),
            given_up: BTreeSet::new(),
            brought: BTreeSet::new(),
            owes: BTreeMap::new(),
            answered: BTreeSet::new(),
            holds: BTreeSet::new(),
            exports: BTreeMap::new(),
            embargoes: Vec::new(),
        }
    }

    /// Takes in bytes from the other side.
    pub fn hear(&mut self, bytes: &[u8]) {
        for frame in self.decoder.push(self.sends.reversed(), bytes) {
            self.note(&frame);
        }
    }

    fn note(&mut self, frame: &Frame) {
        match &frame.message {
            Message::Bootstrap { question } => {
                self.owes.insert(question.id, true);
            }
            Message::Call(call) => {
                self.owes.insert(call.question.id, false);
                self.given(&call.params.caps);
            }
            Message::Return(answer) => {
                self.given_up.remove(&answer.question.id);
                if answer.no_finish_needed {
                    self.asked.remove(&answer.question.id);
                } else if let Some(came) = self.asked.get_mut(&answer.question.id) {
                    *came = true;
                }
                if let Outcome::Results(results) = &answer.outcome {
                    self.given(&results.caps);
                    if !results.caps.is_empty() {
                        self.brought.insert(answer.question.id);
                    }
                }
            }
            Message::Finish { question, .. } => {
                self.owes.remove(&question.id);
                self.answered.remove(&question.id);
            }
            Message::Resolve { resolution: Resolution::Cap(cap), .. } => {
                self.given(std::slice::from_ref(cap));
            }
            Message::Release { import, .. } => {
                self.exports.remove(&import.id);
            }
            Message::Disembargo { context: Context::SenderLoopback(id), .. } => self.embargoes.push(*id),
            _ => {}
        }
    }

    fn given(&mut self, caps: &[Cap]) {
        for cap in caps {
            if let Cap::SenderHosted(export) | Cap::SenderPromise(export) = cap {
                self.holds.insert(export.id);
            }
        }
    }

    /// The next bytes that it sends.
    pub fn speak(&mut self, input: &mut Input<'_>) -> Vec<u8> {
        let wrong = input.byte() < WRONG;
        let how = if wrong { input.byte() % 4 } else { 0 };
        let mut says = Says { input, wrong: wrong && how == 0 };
        let mut builder = Builder::new_default();
        self.say(&mut says, builder.init_root());
        let mut bytes = written(&builder);
        match how {
            // Change one byte of the frame.
            1 => {
                let at = says.input.number() as usize % bytes.len();
                bytes[at] ^= says.input.byte().max(1);
            }
            // Cut off the end of the frame, or send random bytes instead.
            2 => bytes.truncate(says.input.number() as usize % bytes.len()),
            3 => bytes = (0..says.input.byte()).map(|_| says.input.byte()).collect(),
            _ => {}
        }
        // A peer decodes its own frames too, because answers are named by their questions.
        self.decoder.push(self.sends, &bytes);
        bytes
    }

    fn say(&mut self, says: &mut Says<'_, '_>, root: message::Builder<'_>) {
        let has_promise = self.exports.values().any(|is_promise| *is_promise);
        let kind = says.input.byte() % 32;
        // A frame that has no subject at the moment is replaced by another kind, unless it is to be wrong.
        let can = says.wrong
            || match kind {
                10..20 => !self.owes.is_empty(),
                20..23 => !self.asked.is_empty(),
                23 | 24 => has_promise,
                25..28 => !self.holds.is_empty(),
                28 => !self.embargoes.is_empty(),
                _ => true,
            };
        match if can { kind } else { kind % 10 } {
            // Nothing can be called before a question was asked.
            0 => self.bootstrap(says, root),
            _ if !says.wrong
                && !self.owes.is_empty()
                && self.asked.is_empty()
                && self.holds.is_empty()
                && kind & 1 == 0 =>
            {
                self.answer(says, root);
            }
            1..10 if !says.wrong && self.asked.is_empty() && self.holds.is_empty() => {
                self.bootstrap(says, root);
            }
            1..10 => self.call(says, root),
            10..20 => self.answer(says, root),
            20..23 => {
                let question = says.one_of(self.asked.keys());
                if self.asked.remove(&question) == Some(false) {
                    self.given_up.insert(question);
                }
                self.kept.remove(&question);
                let mut finish = root.init_finish();
                finish.set_question_id(question);
                let flags = says.input.byte();
                // Keep the capabilities of an answer, because the peer is going to use them.
                let brought = self.brought.remove(&question);
                finish.set_release_result_caps(flags & 1 == 0 && (says.wrong || !brought));
                finish.set_require_early_cancellation_workaround(flags & 2 == 0);
            }
            23 | 24 => {
                let mut resolve = root.init_resolve();
                let promises = self.exports.iter().filter(|(_, promise)| **promise).map(|(id, _)| id);
                let promise = says.one_of(promises);
                self.exports.insert(promise, false);
                resolve.set_promise_id(promise);
                match says.input.byte() % 4 {
                    0 => exception(says, resolve.init_exception()),
                    _ => self.cap(says, resolve.init_cap(), false),
                }
            }
            25..28 => {
                let mut release = root.init_release();
                let id = says.one_of(self.holds.iter());
                self.holds.remove(&id);
                release.set_id(id);
                release.set_reference_count(if says.wrong { says.input.number() } else { 1 });
            }
            28 | 29 if kind == 28 || says.input.byte() < 8 => {
                let mut disembargo = root.init_disembargo();
                let back = self.embargoes.pop();
                self.target(says, disembargo.reborrow().init_target());
                let mut context = disembargo.init_context();
                match back {
                    Some(id) if !says.wrong => context.set_receiver_loopback(id),
                    _ if says.wrong && says.input.byte() & 1 == 0 => context.set_accept(()),
                    _ if says.wrong => context.set_receiver_loopback(says.input.number()),
                    // Only a capability that points back to the sender may be marked so: most often this ends the link.
                    _ => context.set_sender_loopback(u32::from(says.input.byte() % 4)),
                }
            }
            _ => match says.input.byte() % 32 {
                0 => self.say(says, root.init_unimplemented()),
                1 => {
                    root.init_provide().set_question_id(says.input.number());
                }
                2 => {
                    root.init_accept().set_question_id(says.input.number());
                }
                3 => {
                    root.init_join().set_question_id(says.input.number());
                }
                4 => exception(says, root.init_abort()),
                _ => self.call(says, root),
            },
        }
    }

    fn bootstrap(&mut self, says: &mut Says<'_, '_>, root: message::Builder<'_>) {
        let question = self.ask(says);
        root.init_bootstrap().set_question_id(question);
    }

    /// The id of a new question: the lowest free one.
    fn ask(&mut self, says: &mut Says<'_, '_>) -> u32 {
        let free = (0..)
            .find(|id| !self.asked.contains_key(id) && !self.given_up.contains(id))
            .expect("few are taken");
        let id = if says.wrong { says.one_of(self.asked.keys()) } else { free };
        self.asked.insert(id, false);
        id
    }

    fn call(&mut self, says: &mut Says<'_, '_>, root: message::Builder<'_>) {
        let mut call = root.init_call();
        self.target(says, call.reborrow().init_target());
        let question = self.ask(says);
        call.set_question_id(question);
        let is_host = says.input.byte() & 1 == 0;
        call.set_interface_id(match (says.wrong, is_host) {
            (true, _) => u64::from(says.input.number()),
            (false, true) => <host::Client as HasTypeId>::TYPE_ID,
            (false, false) => <executor::Client as HasTypeId>::TYPE_ID,
        });
        call.set_method_id(u16::from(says.input.byte() % if says.wrong { 255 } else { 5 }));
        call.set_allow_third_party_tail_call(says.input.byte() & 1 == 0);
        if says.input.byte().is_multiple_of(8) {
            call.reborrow().init_send_results_to().set_yourself(());
            self.kept.insert(question);
        }
        self.payload(says, call.init_params(), false);
    }

    fn answer(&mut self, says: &mut Says<'_, '_>, root: message::Builder<'_>) {
        let mut answer = root.init_return();
        let question = says.one_of(self.owes.keys());
        let is_bootstrap = self.owes.remove(&question) == Some(true);
        self.answered.insert(question);
        answer.set_answer_id(question);
        let flags = says.input.byte();
        answer.set_release_param_caps(flags & 1 == 0);
        answer.set_no_finish_needed(flags & 6 == 6);
        match says.input.byte() % 16 {
            0 => exception(says, answer.init_exception()),
            1 => answer.set_canceled(()),
            2 if says.wrong => answer.set_results_sent_elsewhere(()),
            2 | 3 if says.wrong || !self.kept.is_empty() => {
                answer.set_take_from_other_question(says.one_of(self.kept.iter()));
            }
            4 if says.wrong => {
                answer.init_accept_from_third_party();
            }
            _ => self.payload(says, answer.init_results(), is_bootstrap),
        }
    }

    /// A call target: a capability that the peer was given, or one in an answer that it waits for.
    fn target(&mut self, says: &mut Says<'_, '_>, mut target: message_target::Builder<'_>) {
        if !self.holds.is_empty() && (self.asked.is_empty() || says.input.byte() & 1 == 0) {
            target.set_imported_cap(says.one_of(self.holds.iter()));
        } else {
            self.pipelined(says, target.init_promised_answer());
        }
    }

    fn pipelined(&mut self, says: &mut Says<'_, '_>, mut answer: promised_answer::Builder<'_>) {
        answer.set_question_id(says.one_of(self.asked.keys()));
        let len = [0, 0, 0, 1, 1, 1, 1, 2][usize::from(says.input.byte() % 8)];
        let mut transform = answer.init_transform(len);
        for at in 0..len {
            let field = u16::from(says.input.byte() / 200);
            transform.reborrow().get(at).set_get_pointer_field(if says.wrong { 0xffff } else { field });
        }
    }

    /// A capability; perhaps none, if that is allowed.
    fn cap(&mut self, says: &mut Says<'_, '_>, mut cap: cap_descriptor::Builder<'_>, or_none: bool) {
        let new = u32::from(says.input.byte() % 8);
        match says.input.byte() % 8 {
            0 if says.wrong || or_none => cap.set_none(()),
            1 | 2 => {
                self.exports.entry(new).or_insert(false);
                cap.set_sender_hosted(new);
            }
            3 | 4 => {
                self.exports.insert(new, true);
                cap.set_sender_promise(new);
            }
            5 if says.wrong || !self.holds.is_empty() => {
                cap.set_receiver_hosted(says.one_of(self.holds.iter()));
            }
            6 if says.wrong || !self.asked.is_empty() => self.pipelined(says, cap.init_receiver_answer()),
            7 if says.wrong => {
                let mut third = cap.init_third_party_hosted();
                self.exports.entry(new).or_insert(false);
                third.set_vine_id(new);
            }
            _ => {
                self.exports.entry(new).or_insert(false);
                cap.set_sender_hosted(new);
            }
        }
    }

    fn payload(&mut self, says: &mut Says<'_, '_>, mut payload: payload::Builder<'_>, is_bootstrap: bool) {
        let len = [0, 1, 1, 1, 1, 1, 2, 3][usize::from(says.input.byte() % 8)];
        let mut caps = payload.reborrow().init_cap_table(len);
        for at in 0..len {
            self.cap(says, caps.reborrow().get(at), true);
        }
        let mut table = Vec::new();
        let mut content = payload.reborrow().get_content();
        content.imbue_mut(&mut table);
        match says.input.byte() % 8 {
            0..6 if is_bootstrap => content.set_as_capability(nothing().hook),
            // The first capability in the table.
            0..5 => {
                content.init_as::<host::executor_results::Builder<'_>>().set_executor(nothing().cast_to());
            }
            5 | 6 => content.init_as::<executor::echo_params::Builder<'_>>().set_message("hello"),
            _ => {}
        }
    }
}

/// The source of a frame.
struct Says<'i, 'b> {
    input: &'i mut Input<'b>,
    wrong: bool,
}

impl Says<'_, '_> {
    /// One of some ids; if there is none, or if a wrong id is wanted, another number.
    fn one_of<'a>(&mut self, ids: impl Iterator<Item = &'a u32>) -> u32 {
        let ids: Vec<u32> = ids.copied().collect();
        let drawn = self.input.byte();
        if self.wrong {
            let last = ids.last().map_or(0, |last| last.wrapping_add(1));
            return [last, u32::MAX, 1 << 30, u32::from(drawn)][usize::from(drawn % 4)];
        }
        if ids.is_empty() { 0 } else { ids[usize::from(drawn) % ids.len()] }
    }
}

fn exception(says: &mut Says<'_, '_>, mut exception: exception::Builder<'_>) {
    use exception::Type::{Disconnected, Failed, Overloaded, Unimplemented};
    exception.set_reason("so");
    let kinds = [Failed, Overloaded, Disconnected, Unimplemented];
    exception.set_type(kinds[usize::from(says.input.byte() % 4)]);
}

fn nothing() -> Client {
    new_broken_cap(capnp::Error::failed("stands for a place in a table".into()))
}

fn written<A: Allocator>(builder: &Builder<A>) -> Vec<u8> {
    capnp::serialize::write_message_to_words(builder)
}

/// The frames that a hostile peer would make from these bytes if nobody answered: input for the decoder.
pub fn frames(bytes: &[u8]) -> Vec<u8> {
    let mut peer = Peer::new(Direction::Up);
    let mut input = Input(bytes);
    let mut spoken = Vec::new();
    while !input.is_over() {
        spoken.extend(peer.speak(&mut input));
    }
    spoken
}
