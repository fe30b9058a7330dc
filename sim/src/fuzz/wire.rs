//! A hostile peer: frames made from the state of the protocol, of which one or two in a hundred are wrong.
//!
//! Random bytes, and frames with random ids, die at the first Abort: a vat answers the first frame that makes no
//! sense with one, and listens no more. So what is made here is mostly what a peer could lawfully say just now: it
//! answers questions that were asked, calls what it was given, resolves what it promised. Only then does a frame
//! that is wrong meet a vat with something to lose.
//!
//! Not here: who listens. That is [`targets`](super::targets).

use crate::frames::{Cap, Context, Decoder, Direction, Frame, Message, Outcome, Resolution};
use capnp::capability::{Client, FromClientHook};
use capnp::message::{Allocator, Builder};
use capnp::traits::{HasTypeId, ImbueMut};
use capnp_rpc::rpc_capnp::{cap_descriptor, exception, message, message_target, payload, promised_answer};
use capnp_rpc::new_broken_cap;
use std::collections::{BTreeMap, BTreeSet};
use wavetank::schema::peer_capnp::{executor, host};

/// Bytes of an input, from the front. Past their end they are 0.
#[derive(Clone, Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl Input<'_> {
    /// Whether none is left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }
}

/// What a peer knows of its link: what it said and what it was told.
pub struct Peer {
    /// Which way it sends.
    sends: Direction,
    decoder: Decoder,
    /// Its own questions: whether the answer came.
    asked: BTreeMap<u32, bool>,
    /// What it was asked and has not answered.
    owes: BTreeSet<u32>,
    /// What it answered and is still to be finished.
    answered: BTreeSet<u32>,
    /// What it was given, by export id of the other side.
    holds: BTreeSet<u32>,
    /// What it exports: whether it is a promise.
    exports: BTreeMap<u32, bool>,
    /// Marks that are to be sent back.
    embargoes: Vec<u32>,
}

/// Wrong frames, in 256.
const WRONG: u8 = 4;

impl Peer {
    /// A peer that sends this way on a new link.
    pub fn new(sends: Direction) -> Self {
        Peer {
            sends,
            decoder: Decoder::new(crate::calls::PEER_SCHEMA.clone()),
            asked: BTreeMap::new(),
            owes: BTreeSet::new(),
            answered: BTreeSet::new(),
            holds: BTreeSet::new(),
            exports: BTreeMap::new(),
            embargoes: Vec::new(),
        }
    }

    /// Takes in what came from the other side.
    pub fn hear(&mut self, bytes: &[u8]) {
        for frame in self.decoder.push(self.sends.reversed(), bytes) {
            self.note(&frame);
        }
    }

    fn note(&mut self, frame: &Frame) {
        match &frame.message {
            Message::Bootstrap { question } => {
                self.owes.insert(*question);
            }
            Message::Call(call) => {
                self.owes.insert(call.question);
                self.given(&call.params.caps);
            }
            Message::Return(answer) => {
                self.asked.insert(answer.question, true);
                if let Outcome::Results(results) = &answer.outcome {
                    self.given(&results.caps);
                }
            }
            Message::Finish { question, .. } => {
                self.owes.remove(question);
                self.answered.remove(question);
            }
            Message::Resolve { resolution: Resolution::Cap(cap), .. } => {
                self.given(std::slice::from_ref(cap));
            }
            Message::Release { id, .. } => {
                self.exports.remove(id);
            }
            Message::Disembargo { context: Context::SenderLoopback(id), .. } => self.embargoes.push(*id),
            _ => {}
        }
    }

    fn given(&mut self, caps: &[Cap]) {
        for cap in caps {
            if let Cap::SenderHosted(id) | Cap::SenderPromise(id) = cap {
                self.holds.insert(*id);
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
            // One byte of the frame is another.
            1 => {
                let at = says.input.number() as usize % bytes.len();
                bytes[at] ^= says.input.byte().max(1);
            }
            // Its end does not come, or something else instead.
            2 => bytes.truncate(says.input.number() as usize % bytes.len()),
            3 => bytes = (0..says.input.byte()).map(|_| says.input.byte()).collect(),
            _ => {}
        }
        // A side decodes what it says too: answers are named by what was asked.
        self.decoder.push(self.sends, &bytes);
        bytes
    }

    fn say(&mut self, says: &mut Says<'_, '_>, root: message::Builder<'_>) {
        match says.input.byte() % 20 {
            0 | 1 => {
                let question = self.ask(says);
                root.init_bootstrap().set_question_id(question);
            }
            2..7 => self.call(says, root),
            7..12 => self.answer(says, root),
            12 | 13 => {
                let question = says.one_of(self.asked.keys());
                self.asked.remove(&question);
                let mut finish = root.init_finish();
                finish.set_question_id(question);
                let flags = says.input.byte();
                finish.set_release_result_caps(flags & 1 == 0);
                finish.set_require_early_cancellation_workaround(flags & 2 == 0);
            }
            14 => {
                let mut resolve = root.init_resolve();
                let promises = self.exports.iter().filter(|(_, promise)| **promise).map(|(id, _)| id);
                let promise = says.one_of(promises);
                self.exports.insert(promise, false);
                resolve.set_promise_id(promise);
                match says.input.byte() % 4 {
                    0 => exception(says, resolve.init_exception()),
                    _ => self.cap(says, resolve.init_cap()),
                }
            }
            15 | 16 => {
                let mut release = root.init_release();
                let id = says.one_of(self.holds.iter());
                self.holds.remove(&id);
                release.set_id(id);
                release.set_reference_count(if says.wrong { says.input.number() } else { 1 });
            }
            17 => {
                let mut disembargo = root.init_disembargo();
                let back = self.embargoes.pop();
                self.target(says, disembargo.reborrow().init_target());
                let mut context = disembargo.init_context();
                match back {
                    Some(id) if !says.wrong => context.set_receiver_loopback(id),
                    _ if says.wrong && says.input.byte() & 1 == 0 => context.set_accept(()),
                    _ if says.wrong => context.set_receiver_loopback(says.input.number()),
                    _ => context.set_sender_loopback(u32::from(says.input.byte() % 4)),
                }
            }
            18 => match says.input.byte() % 8 {
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
            _ => {
                let question = self.ask(says);
                root.init_bootstrap().set_question_id(question);
            }
        }
    }

    /// A new question's id: the lowest free one.
    fn ask(&mut self, says: &mut Says<'_, '_>) -> u32 {
        let free = (0..).find(|id| !self.asked.contains_key(id)).expect("few are taken");
        let id = if says.wrong { says.one_of(self.asked.keys()) } else { free };
        self.asked.insert(id, false);
        id
    }

    fn call(&mut self, says: &mut Says<'_, '_>, root: message::Builder<'_>) {
        let mut call = root.init_call();
        self.target(says, call.reborrow().init_target());
        call.set_question_id(self.ask(says));
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
        }
        self.payload(says, call.init_params());
    }

    fn answer(&mut self, says: &mut Says<'_, '_>, root: message::Builder<'_>) {
        let mut answer = root.init_return();
        let question = says.one_of(self.owes.iter());
        self.owes.remove(&question);
        self.answered.insert(question);
        answer.set_answer_id(question);
        let flags = says.input.byte();
        answer.set_release_param_caps(flags & 1 == 0);
        answer.set_no_finish_needed(flags & 6 == 6);
        match says.input.byte() % 16 {
            0 => exception(says, answer.init_exception()),
            1 => answer.set_canceled(()),
            2 => answer.set_results_sent_elsewhere(()),
            3 => answer.set_take_from_other_question(says.one_of(self.asked.keys())),
            4 if says.wrong => {
                answer.init_accept_from_third_party();
            }
            _ => self.payload(says, answer.init_results()),
        }
    }

    /// A capability that it was given, or one in an answer that it waits for.
    fn target(&mut self, says: &mut Says<'_, '_>, mut target: message_target::Builder<'_>) {
        if says.input.byte() & 1 == 0 && !self.holds.is_empty() {
            target.set_imported_cap(says.one_of(self.holds.iter()));
        } else {
            self.pipelined(says, target.init_promised_answer());
        }
    }

    fn pipelined(&mut self, says: &mut Says<'_, '_>, mut answer: promised_answer::Builder<'_>) {
        answer.set_question_id(says.one_of(self.asked.keys()));
        let len = u32::from(says.input.byte() % 3);
        let mut transform = answer.init_transform(len);
        for at in 0..len {
            let field = u16::from(says.input.byte() % 4);
            transform.reborrow().get(at).set_get_pointer_field(if says.wrong { 0xffff } else { field });
        }
    }

    fn cap(&mut self, says: &mut Says<'_, '_>, mut cap: cap_descriptor::Builder<'_>) {
        let new = u32::from(says.input.byte() % 8);
        match says.input.byte() % 8 {
            0 => cap.set_none(()),
            1 | 2 => {
                self.exports.entry(new).or_insert(false);
                cap.set_sender_hosted(new);
            }
            3 | 4 => {
                self.exports.insert(new, true);
                cap.set_sender_promise(new);
            }
            5 => cap.set_receiver_hosted(says.one_of(self.holds.iter())),
            6 => self.pipelined(says, cap.init_receiver_answer()),
            _ => {
                let mut third = cap.init_third_party_hosted();
                self.exports.entry(new).or_insert(false);
                third.set_vine_id(new);
            }
        }
    }

    fn payload(&mut self, says: &mut Says<'_, '_>, mut payload: payload::Builder<'_>) {
        let len = u32::from(says.input.byte() % 3);
        let mut caps = payload.reborrow().init_cap_table(len);
        for at in 0..len {
            self.cap(says, caps.reborrow().get(at));
        }
        let mut table = Vec::new();
        let mut content = payload.reborrow().get_content();
        content.imbue_mut(&mut table);
        match says.input.byte() % 4 {
            // As many capabilities before it as make its index.
            0 | 1 => {
                content.init_as::<host::executor_results::Builder<'_>>().set_executor(nothing().cast_to());
            }
            2 => content.init_as::<executor::echo_params::Builder<'_>>().set_message("hello"),
            _ => {}
        }
    }
}

/// What a frame is made from.
struct Says<'i, 'b> {
    input: &'i mut Input<'b>,
    wrong: bool,
}

impl Says<'_, '_> {
    /// One of some ids; where there is none, or a wrong one is wanted, another.
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

/// Frames as a hostile peer would make them from these bytes where nobody answers: for the decoder.
pub fn frames(bytes: &[u8]) -> Vec<u8> {
    let mut peer = Peer::new(Direction::Up);
    let mut input = Input(bytes);
    let mut spoken = Vec::new();
    while !input.is_over() {
        spoken.extend(peer.speak(&mut input));
    }
    spoken
}

