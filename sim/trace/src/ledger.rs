//! The RPC tables of a link, derived from its frames alone.
//!
//! Each side of a link keeps questions and answers, exports and imports. All of them follow from the traffic on the
//! wire. So a [`Ledger`] that is given every frame knows what both sides hold: the open questions, and the number of
//! references to each export. After a session that ended well nothing is [open](Ledger::open). If something still is,
//! one side forgot it.
//!
//! The ledger takes the sender's view: a Release counts from the moment when it is written. Frames must come in the
//! order in which they were written, over both directions. Then a reference is never counted down before it was counted
//! up, because a side gives back only references that it has read.
//!
//! **When a question is gone.** By the protocol, a question is gone after its Return and its Finish, in whichever
//! order, or after a Return with `noFinishNeeded` alone. capnp-rpc 0.27.3 sets that flag on every result without
//! capabilities. A late Finish for such a question is allowed, because it may cross the Return.
//!
//! **Cancelled calls.** A Finish before the Return cancels a call. capnp-rpc 0.27.3 then drops the call's future
//! (`handle_finish`), and with it the only code that would send a Return. So neither `canceled` nor any other Return
//! comes, the asker never uses the id again, and both sides keep their entry as long as the link lasts. Only a call
//! that something still waits for, such as one pipelined on it, goes on and ends in Return `canceled`. A guest can do
//! nothing about this, so such questions are not open: [`Ledger::cancelled`] lists them separately. A Return that
//! crossed the Finish closes the question like any other.
//!
//! **Entries stay after an Abort.** The tables are not cleared when a link ends, because the ledger exists to show the
//! entries that were open then.
//!
//! Not here: answers, imports and embargoes received. Each is the other side's question, export or embargo.

mod findings;

use std::collections::{BTreeMap, BTreeSet};

pub use findings::{Entry, QuestionState, Violation};

use std::sync::Arc;

use crate::frames::{
    Call, Cap, CapName, Context, Direction, Export, Frame, Message, Outcome, Question, Resolution, Return,
    Target,
};

/// The tables of both sides of one link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    cell: Side,
    host: Side,
    violations: Vec<Violation>,
}

/// The questions, exports and embargoes of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Side {
    questions: BTreeMap<u32, OpenQuestion>,
    exports: BTreeMap<u32, Held>,
    embargoes: BTreeSet<u32>,
    aborted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct OpenQuestion {
    number: u64,
    call: Arc<str>,
    /// The interface's id and the method's ordinal; none for a bootstrap.
    method: Option<(u64, u16)>,
    state: QuestionState,
    /// The exports of the asker in the parameters.
    param_caps: Vec<Export>,
    /// The exports of the answerer in the results, once they came.
    result_caps: Vec<Export>,
    /// Whether the Finish that cancelled the question also releases the capabilities of its results.
    releases_results: bool,
}

/// An export to which the other side holds references.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    name: Arc<CapName>,
    references: u32,
    promise: bool,
}

impl Ledger {
    /// Enters a frame into the tables.
    pub fn apply(&mut self, frame: &Frame) {
        let sender = frame.direction;
        if self.side(sender).aborted {
            if !matches!(frame.message, Message::Closed { .. }) {
                self.violations.push(Violation::AfterAbort(frame.clone()));
            }
            return;
        }
        match &frame.message {
            Message::Bootstrap { question } => {
                self.ask(sender, *question, ("bootstrap".into(), None), Vec::new());
            }
            Message::Call(call) => self.call(sender, call),
            Message::Return(answer) => self.answer(sender, answer),
            Message::Finish { question, release_result_caps } => {
                self.finish(sender, question.id, *release_result_caps);
            }
            Message::Resolve { promise, resolution } => {
                // A promise that was released meanwhile is no longer here, because its Resolve crossed the Release.
                if let Some(export) = self.side(sender).exports.get_mut(&promise.id) {
                    export.promise = false;
                }
                if let Resolution::Cap(cap) = resolution {
                    self.export(sender, std::slice::from_ref(cap));
                }
            }
            Message::Release { import, references } => self.release(sender.reversed(), import, *references),
            Message::Disembargo { target, context } => self.disembargo(sender, target, *context),
            Message::Abort(_) => self.side(sender).aborted = true,
            Message::Unimplemented(message) => {
                // A side that does not know Resolve cannot take the capability in it, so the reference comes back.
                if let Message::Resolve { resolution: Resolution::Cap(cap), .. } = &**message {
                    for export in exported(std::slice::from_ref(cap)) {
                        self.release(sender.reversed(), export, 1);
                    }
                }
            }
            Message::Garbled(_) => self.violations.push(Violation::Garbled(frame.clone())),
            // Nobody answers them but with Unimplemented.
            Message::Provide { .. } | Message::Accept { .. } | Message::Join { .. } => {}
            Message::Other(_) | Message::Closed { .. } => {}
        }
    }

    /// The open entries: the cell's questions, exports and embargoes by id, then the host's.
    #[must_use]
    pub fn open(&self) -> Vec<Entry> {
        let mut entries = self.entries();
        entries.retain(|entry| !matches!(entry, Entry::Question { state: QuestionState::Cancelled, .. }));
        entries
    }

    /// The cancelled questions for which no Return came. The module's documentation says why these are not open.
    #[must_use]
    pub fn cancelled(&self) -> Vec<Entry> {
        let mut entries = self.entries();
        entries.retain(|entry| matches!(entry, Entry::Question { state: QuestionState::Cancelled, .. }));
        entries
    }

    /// Whether a side aborted the connection. If so, nobody waits for an answer any more.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.cell.aborted || self.host.aborted
    }

    /// The violations, in the order of the frames.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How far a question has come; `None` if no question has this id.
    #[must_use]
    pub fn question(&self, asker: Direction, id: u32) -> Option<QuestionState> {
        let side = if asker == Direction::Up { &self.cell } else { &self.host };
        side.questions.get(&id).map(|question| question.state)
    }

    /// The numbers of questions and exports of a side.
    #[must_use]
    pub fn counts(&self, owner: Direction) -> (usize, usize) {
        let side = if owner == Direction::Up { &self.cell } else { &self.host };
        (side.questions.len(), side.exports.len())
    }

    /// Whether the other side holds references to an export.
    #[must_use]
    pub fn exports(&self, owner: Direction, id: u32) -> bool {
        let side = if owner == Direction::Up { &self.cell } else { &self.host };
        side.exports.contains_key(&id)
    }

    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (owner, side) in [(Direction::Up, &self.cell), (Direction::Down, &self.host)] {
            entries.extend(side.questions.iter().map(|(id, question)| Entry::Question {
                asker: owner,
                question: Question { id: *id, number: question.number },
                call: question.call.clone(),
                method: question.method,
                state: question.state,
            }));
            entries.extend(side.exports.iter().map(|(id, export)| Entry::Export {
                owner,
                export: Export { id: *id, name: export.name.clone() },
                references: export.references,
                promise: export.promise,
            }));
            entries.extend(side.embargoes.iter().map(|id| Entry::Embargo { sender: owner, id: *id }));
        }
        entries
    }

    fn side(&mut self, sender: Direction) -> &mut Side {
        match sender {
            Direction::Up => &mut self.cell,
            Direction::Down => &mut self.host,
        }
    }

    fn ask(
        &mut self,
        asker: Direction,
        question: Question,
        (call, method): (Arc<str>, Option<(u64, u16)>),
        param_caps: Vec<Export>,
    ) {
        let asked = OpenQuestion {
            number: question.number,
            call: call.clone(),
            method,
            state: QuestionState::Asked,
            param_caps,
            result_caps: Vec::new(),
            releases_results: false,
        };
        if let Some(open) = self.side(asker).questions.insert(question.id, asked) {
            let open = Question { id: question.id, number: open.number };
            self.violations.push(Violation::QuestionInUse { asker, question, call, open });
        }
    }

    fn call(&mut self, asker: Direction, call: &Call) {
        if let Target::Import(export) = &call.target {
            self.hold(asker.reversed(), export);
        }
        let param_caps = self.export(asker, &call.params.caps);
        let method = Some((call.interface_id, call.method_id));
        self.ask(asker, call.question, (call.method.clone(), method), param_caps);
    }

    fn answer(&mut self, answerer: Direction, answer: &Return) {
        let asker = answerer.reversed();
        let result_caps = match &answer.outcome {
            Outcome::Results(payload) => self.export(answerer, &payload.caps),
            _ => Vec::new(),
        };
        let Some(mut question) = self.side(asker).questions.remove(&answer.question.id) else {
            self.violations.push(Violation::Unasked { answerer, question: answer.question });
            return;
        };
        if answer.release_param_caps {
            self.release_all(asker, &std::mem::take(&mut question.param_caps));
        }
        match question.state {
            QuestionState::Cancelled if question.releases_results => self.release_all(answerer, &result_caps),
            QuestionState::Cancelled => {}
            QuestionState::Asked | QuestionState::Returned => {
                if question.state == QuestionState::Returned {
                    self.violations.push(Violation::Unasked { answerer, question: answer.question });
                }
                if !answer.no_finish_needed {
                    question.state = QuestionState::Returned;
                    question.result_caps.extend(result_caps);
                    self.side(asker).questions.insert(answer.question.id, question);
                }
            }
        }
    }

    fn finish(&mut self, asker: Direction, id: u32, releases_results: bool) {
        let questions = &mut self.side(asker).questions;
        match questions.get_mut(&id) {
            Some(question) if question.state == QuestionState::Returned => {
                let result_caps = std::mem::take(&mut question.result_caps);
                questions.remove(&id);
                if releases_results {
                    self.release_all(asker.reversed(), &result_caps);
                }
            }
            Some(question) => {
                question.state = QuestionState::Cancelled;
                question.releases_results |= releases_results;
            }
            // It crossed a Return that needed no Finish.
            None => {}
        }
    }

    fn disembargo(&mut self, sender: Direction, target: &Target, context: Context) {
        match context {
            Context::SenderLoopback(id) => {
                if let Target::Import(import) = target {
                    self.hold(sender.reversed(), import);
                }
                self.side(sender).embargoes.insert(id);
            }
            Context::ReceiverLoopback(id) => {
                let sender = sender.reversed();
                if !self.side(sender).embargoes.remove(&id) {
                    self.violations.push(Violation::UnknownEmbargo { sender, id });
                }
            }
            Context::ThirdParty => {}
        }
    }

    /// Enters the capabilities that a side sends. Each of its own gets a reference. Each that it claims to hold is
    /// checked. Returns its own.
    fn export(&mut self, owner: Direction, caps: &[Cap]) -> Vec<Export> {
        for cap in caps {
            match cap {
                Cap::SenderHosted(export) | Cap::ThirdPartyHosted(export) => self.refer(owner, export, false),
                Cap::SenderPromise(export) => self.refer(owner, export, true),
                Cap::ReceiverHosted(export) => self.hold(owner.reversed(), export),
                Cap::ReceiverAnswer(_) | Cap::None => {}
            }
        }
        exported(caps).cloned().collect()
    }

    /// Adds a reference. From the second time on, capnp-rpc describes a promise as hosted. So an export that began as a
    /// promise stays one.
    fn refer(&mut self, owner: Direction, export: &Export, promise: bool) {
        let begun = || Held { name: export.name.clone(), references: 0, promise };
        let held = self.side(owner).exports.entry(export.id).or_insert_with(begun);
        held.references = held.references.saturating_add(1);
    }

    fn hold(&mut self, owner: Direction, export: &Export) {
        if !self.side(owner).exports.contains_key(&export.id) {
            self.violations.push(Violation::NotHeld { owner, export: export.clone() });
        }
    }

    fn release_all(&mut self, owner: Direction, exports: &[Export]) {
        for export in exports {
            self.release(owner, export, 1);
        }
    }

    fn release(&mut self, owner: Direction, export: &Export, released: u32) {
        let exports = &mut self.side(owner).exports;
        let held = exports.get(&export.id).map_or(0, |known| known.references);
        if let Some(known) = exports.get_mut(&export.id) {
            known.references = held.saturating_sub(released);
            if known.references == 0 {
                exports.remove(&export.id);
            }
        }
        if released > held {
            self.violations.push(Violation::OverRelease { owner, export: export.clone(), held, released });
        }
    }
}

/// The sender's own among capabilities, once per reference.
fn exported(caps: &[Cap]) -> impl Iterator<Item = &Export> {
    caps.iter().filter_map(|cap| match cap {
        Cap::SenderHosted(export) | Cap::SenderPromise(export) | Cap::ThirdPartyHosted(export) => {
            Some(export)
        }
        Cap::None | Cap::ReceiverHosted(_) | Cap::ReceiverAnswer(_) => None,
    })
}
