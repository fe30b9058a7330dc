//! The direct object graph: the correct target of every reference and the end of every call, without any RPC.
//!
//! A call belongs to a *line*: the calls made on one client object, which must arrive in the order they were made
//! (E-order). Two client objects of one vat may lead to the same node by different ways, and nothing is promised about
//! the order between them.

use capnp::{Error, ErrorKind};
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};

/// The target of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// An object.
    Node(usize),
    /// The target to which a promise resolves.
    Promise(usize),
    /// The capability in the answer of a call.
    Answer(usize),
    /// Nothing, because its promise has failed.
    Broken,
}

/// A target that is not known yet.
#[derive(Debug, Default)]
struct Knot {
    becomes: Option<Target>,
    /// The target that it will have if nothing fails.
    planned: Option<Target>,
}

#[derive(Debug)]
struct Line {
    target: Target,
    made: u32,
    last_arrived: Option<u32>,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    /// The vat that made it.
    vat: usize,
    pub(super) line: usize,
    pub(super) number: u32,
    /// A description for people.
    pub(super) what: String,
    /// Whether the node at which it arrives throws.
    pub(super) throws: bool,
    /// Whether it is a streaming call, whose promise only says that it was sent.
    pub(super) streams: bool,
    /// The capability in its parameters.
    pub(super) argument: Option<Target>,
    arrived: bool,
    cancelled: bool,
    ended: Option<Result<(), Error>>,
    answer: Knot,
}

/// The oracle that judges how calls end.
pub(super) const RESULT: &str = "result";

/// The oracle, and the fault that it found.
pub(super) type Fault = (&'static str, String);

#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Weak<()>>,
    promises: Vec<Knot>,
    lines: Vec<Line>,
    calls: Vec<Call>,
    faults: Vec<Fault>,
    disturbed: bool,
    roots: BTreeSet<usize>,
}

impl Graph {
    /// A new object: its id, and a token that it must hold for as long as it lives.
    pub(super) fn node(&mut self) -> (usize, Rc<()>) {
        let life = Rc::new(());
        self.nodes.push(Rc::downgrade(&life));
        (self.nodes.len() - 1, life)
    }

    /// A new object that its vat keeps.
    pub(super) fn root(&mut self) -> (usize, Rc<()>) {
        let (node, life) = self.node();
        self.roots.insert(node);
        (node, life)
    }

    pub(super) fn promise(&mut self) -> usize {
        self.promises.push(Knot::default());
        self.promises.len() - 1
    }

    pub(super) fn line(&mut self, target: Target) -> usize {
        self.lines.push(Line { target, made: 0, last_arrived: None });
        self.lines.len() - 1
    }

    pub(super) fn target(&self, line: usize) -> Target {
        self.lines[line].target
    }

    /// A new call of a vat on a line. `planned` is the target in its answer if nothing fails.
    pub(super) fn call(
        &mut self,
        vat: usize,
        line: usize,
        what: String,
        planned: Option<Target>,
    ) -> &mut Call {
        self.lines[line].made += 1;
        let number = self.lines[line].made;
        let answer = Knot { becomes: None, planned };
        self.calls.push(Call {
            vat,
            line,
            number,
            what,
            throws: false,
            streams: false,
            argument: None,
            arrived: false,
            cancelled: false,
            ended: None,
            answer,
        });
        self.calls.last_mut().expect("it was just pushed")
    }

    pub(super) fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Resolves a promise to a target.
    pub(super) fn resolve(&mut self, promise: usize, target: Target) {
        self.promises[promise].becomes = Some(target);
    }

    /// Sets the target in the answer of a call.
    pub(super) fn answer(&mut self, call: usize, target: Target) {
        self.calls[call].answer.becomes = Some(target);
    }

    /// Records that a connection was ended: from now on calls may fail, but must report it.
    pub(super) fn disturb(&mut self) {
        self.disturbed = true;
    }

    /// The present end of the way from a target.
    pub(super) fn end(&self, mut target: Target) -> Target {
        // No operation makes a promise wait for itself; if a failed call does, its target stays unknown.
        for _ in 0..=self.calls.len() + self.promises.len() {
            let becomes = match target {
                Target::Node(_) | Target::Broken => return target,
                Target::Promise(promise) => self.promises[promise].becomes,
                Target::Answer(call) => self.calls[call].answer.becomes,
            };
            let Some(further) = becomes else { return target };
            target = further;
        }
        target
    }

    /// Whether a target is broken, or will be as soon as the vats that wait for it have heard.
    fn is_broken(&self, mut target: Target) -> bool {
        for _ in 0..=self.calls.len() {
            match self.end(target) {
                Target::Broken => return true,
                Target::Answer(call) => target = self.lines[self.calls[call].line].target,
                Target::Node(_) | Target::Promise(_) => return false,
            }
        }
        false
    }

    /// Whether a target stays unknown until another is known. It would be unlawful to make a promise wait for itself.
    pub(super) fn waits_for(&self, target: Target, other: Target) -> bool {
        self.waits(target, other, 2 * (self.calls.len() + self.promises.len()))
    }

    fn waits(&self, target: Target, other: Target, deep: usize) -> bool {
        if target == other || deep == 0 {
            return true;
        }
        let deep = deep - 1;
        let (knot, line) = match target {
            Target::Node(_) | Target::Broken => return false,
            Target::Promise(promise) => (&self.promises[promise], None),
            Target::Answer(call) => {
                let Call { answer, line, .. } = &self.calls[call];
                (answer, Some(self.lines[*line].target))
            }
        };
        if let Some(becomes) = knot.becomes {
            return self.waits(becomes, other, deep);
        }
        // A call arrives only when its target is known.
        knot.planned.is_some_and(|planned| self.waits(planned, other, deep))
            || line.is_some_and(|target| self.waits(target, other, deep))
    }

    /// Records that a call arrived at a node of a vat.
    pub(super) fn arrive(&mut self, call: usize, (line, number): (usize, u32), (node, vat): (usize, usize)) {
        let Some(known) =
            self.calls.get_mut(call).filter(|known| (known.line, known.number) == (line, number))
        else {
            self.faults.push(("lost", "a call arrived that nobody made".into()));
            return;
        };
        let what = known.what.clone();
        if std::mem::replace(&mut known.arrived, true) {
            self.faults.push(("order", format!("{what} arrived twice")));
        }
        let known = &mut self.lines[line];
        if let Some(last) = known.last_arrived.filter(|last| *last > number) {
            let overtaken = self.calls.iter().find(|call| call.line == line && call.number == last);
            let by = overtaken.map_or("", |call| &call.what);
            let at_home = self.calls[call].vat == vat;
            let oracle = if at_home { "order at home" } else { "order" };
            self.faults.push((oracle, format!("{what} arrived after {by}, which was made later")));
        }
        known.last_arrived = known.last_arrived.max(Some(number));
        let end = self.end(self.lines[line].target);
        if end != Target::Node(node) {
            self.faults.push(("target", format!("{what} arrived at node {node}, and leads to {end:?}")));
        }
    }

    /// Records that the caller dropped a call before it was answered.
    pub(super) fn cancel(&mut self, call: usize) {
        self.calls[call].cancelled = true;
    }

    /// Records the answer that the caller received.
    pub(super) fn ended(&mut self, call: usize, result: Result<(), Error>) {
        let target = self.end(self.lines[self.calls[call].line].target);
        let known = &mut self.calls[call];
        match &result {
            Ok(()) if known.throws => {
                self.faults.push((RESULT, format!("{} did not throw", known.what)));
            }
            Ok(()) if !known.arrived && !known.streams => {
                let after = if self.disturbed { ", after a connection was ended" } else { "" };
                self.faults.push(("lost", format!("{} was answered and never arrived{after}", known.what)));
            }
            Ok(()) => {}
            Err(error) => {
                if known.answer.becomes.is_none() {
                    known.answer.becomes = Some(Target::Broken);
                }
                let thrown = known.throws && error.kind == ErrorKind::Failed && error.extra.contains(THROWN);
                if !thrown && !self.disturbed && !self.is_broken(target) {
                    let what = &self.calls[call].what;
                    let (kind, text) = (error.kind, &error.extra);
                    self.faults
                        .push((RESULT, format!("{what} failed: {kind:?}: {text} (it leads to {target:?})")));
                }
            }
        }
        self.calls[call].ended = Some(result);
    }

    /// The first fault found, if any.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.faults.first().cloned()
    }

    /// A call that nobody gave up, that did not fail, and that never arrived. Judged at rest.
    pub(super) fn lost(&self) -> Option<String> {
        let lost = |call: &&Call| {
            // A failure in a stream is reported by a later call.
            let excused = self.disturbed || call.streams && self.is_broken(self.lines[call.line].target);
            !call.arrived && !call.cancelled && !excused && call.ended.as_ref().is_none_or(Result::is_ok)
        };
        self.calls.iter().find(lost).map(|call| format!("{} never arrived", call.what))
    }

    /// Objects that live on though nobody may hold them any more. Judged at rest, with all references dropped.
    pub(super) fn kept(&self) -> Vec<usize> {
        let lives = |node: &usize| self.nodes[*node].strong_count() > 0 && !self.roots.contains(node);
        (0..self.nodes.len()).filter(lives).collect()
    }
}

/// The message of a node that throws.
pub(super) const THROWN: &str = "thrown on purpose";
