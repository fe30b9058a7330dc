//! The calls of one link: which calls were made, on which capabilities, and their results.
//!
//! The view is the same for every schedule in which the application behaved the same. A call stands under the call on
//! whose answer it was made, no matter whether it was pipelined or waited for the answer first. Calls on one capability
//! stand in the order in which they were sent. A capability is named by its owner and by the type of the field that it
//! was sent in, no matter whether it was a promise at the time. The view leaves out numbers, frames and time. Any two
//! different values print differently.

use crate::frames::{
    Call, Cap, Direction, Frame, Message, Outcome, Payload, Resolution, Return, Target, Value,
};
use crate::redact::Redactions;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The parties of a link, as their capabilities are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parties<'n> {
    /// The one that sends upwards.
    pub cell: &'n str,
    /// The one that sends downwards.
    pub host: &'n str,
}

/// The view of one link.
pub fn of_link(parties: Parties<'_>, frames: &[Frame], redactions: &Redactions) -> String {
    let mut tree = Tree::default();
    for frame in frames {
        tree.apply(frame);
    }
    let mut text = format!("link of {}\n", parties.cell);
    tree.print(&Printer { parties, redactions, owners: tree.owners() }, &mut text);
    text
}

/// The origin of a capability: a call, and the fields of its answer (or parameters) that lead to the capability.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    node: usize,
    path: String,
}

/// A bootstrap or a call.
struct Node<'f> {
    question: Asked<'f>,
    answer: Option<&'f Outcome>,
    on: Option<Origin>,
    /// The origins of the capabilities in the parameters and results, with their descriptions there.
    caps: Vec<(&'f Cap, Origin)>,
}

/// What was asked.
enum Asked<'f> {
    Bootstrap(Direction),
    Call(&'f Call),
}

#[derive(Default)]
struct Tree<'f> {
    nodes: Vec<Node<'f>>,
    /// By asker and question id, the node.
    questions: BTreeMap<(Direction, u32), usize>,
    /// By owner and export id, its first origin and the number of references that are out.
    exports: BTreeMap<(Direction, u32), (Origin, u32)>,
    /// Capabilities that turned out to be the same as others.
    same: BTreeMap<Origin, Origin>,
    /// The side that described a capability as its own.
    hosted: Vec<(Origin, Direction)>,
}

/// Everything that the lines depend on besides the tree.
struct Printer<'p> {
    parties: Parties<'p>,
    redactions: &'p Redactions,
    /// The side that owns a capability, by the capability's first name.
    owners: BTreeMap<Origin, Direction>,
}

impl<'f> Tree<'f> {
    fn apply(&mut self, frame: &'f Frame) {
        let sender = frame.direction;
        match &frame.message {
            Message::Bootstrap { question } => {
                self.ask(sender, question.id, Asked::Bootstrap(sender), None);
            }
            Message::Call(call) => self.call(sender, call),
            Message::Return(answer) => self.answer(sender, answer),
            Message::Resolve { promise, resolution: Resolution::Cap(cap) } => {
                if let Some((origin, _)) = self.exports.get(&(sender, promise.id)) {
                    let origin = origin.clone();
                    self.export(sender, cap, origin);
                }
            }
            Message::Release { import, references } => {
                let key = (sender.reversed(), import.id);
                if let Some((_, held)) = self.exports.get_mut(&key) {
                    *held = held.saturating_sub(*references);
                    if *held == 0 {
                        self.exports.remove(&key);
                    }
                }
            }
            _ => {}
        }
    }

    fn ask(&mut self, asker: Direction, question: u32, asked: Asked<'f>, on: Option<Origin>) {
        self.questions.insert((asker, question), self.nodes.len());
        self.nodes.push(Node { question: asked, answer: None, on, caps: Vec::new() });
    }

    fn call(&mut self, sender: Direction, call: &'f Call) {
        let on = match &call.target {
            Target::Import(export) => self.origin_of_export(sender.reversed(), export.id),
            Target::Answer(pipelined) => {
                self.origin_in_answer(sender, pipelined.question.id, &pipelined.path)
            }
        };
        let node = self.nodes.len();
        self.ask(sender, call.question.id, Asked::Call(call), on);
        self.export_all(sender, &call.params, node, "params.");
    }

    fn answer(&mut self, sender: Direction, answer: &'f Return) {
        let asked = self.questions.get(&(sender.reversed(), answer.question.id));
        let Some(&node) = asked else { return };
        if let Outcome::Results(payload) = &answer.outcome {
            self.export_all(sender, payload, node, "");
        }
        self.nodes[node].answer = Some(&answer.outcome);
    }

    fn origin_of_export(&self, owner: Direction, id: u32) -> Option<Origin> {
        self.exports.get(&(owner, id)).map(|(origin, _)| origin.clone())
    }

    fn origin_in_answer(&self, asker: Direction, question: u32, path: &[String]) -> Option<Origin> {
        let node = *self.questions.get(&(asker, question))?;
        Some(Origin { node, path: path.join(".") })
    }

    fn export_all(&mut self, sender: Direction, payload: &'f Payload, node: usize, prefix: &str) {
        for cap in &payload.caps {
            let path = path_to(&payload.value, cap).unwrap_or_default();
            let origin = Origin { node, path: format!("{prefix}{path}") };
            self.export(sender, cap, origin.clone());
            self.nodes[node].caps.push((cap, origin));
        }
    }

    /// Enters a capability that a side describes, and which is found at `origin`.
    fn export(&mut self, sender: Direction, cap: &Cap, origin: Origin) {
        let earlier = match cap {
            Cap::None => None,
            Cap::SenderHosted(export) | Cap::SenderPromise(export) | Cap::ThirdPartyHosted(export) => {
                let begun = || (origin.clone(), 0);
                let (first, held) = self.exports.entry((sender, export.id)).or_insert_with(begun);
                *held += 1;
                Some(first.clone())
            }
            Cap::ReceiverHosted(export) => self.origin_of_export(sender.reversed(), export.id),
            Cap::ReceiverAnswer(pipelined) => {
                self.origin_in_answer(sender, pipelined.question.id, &pipelined.path)
            }
        };
        if let Some(earlier) = earlier {
            self.alias(&earlier, &origin);
        }
        if let Cap::SenderHosted(_) = cap {
            self.hosted.push((origin, sender));
        }
    }

    fn print(&self, printer: &Printer<'_>, text: &mut String) {
        let mut children: BTreeMap<Option<usize>, Vec<(usize, String)>> = BTreeMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let on = node.on.as_ref().map(|on| self.first(on));
            let (parent, path) = on.map_or((None, String::new()), |on| (Some(on.node), on.path.clone()));
            children.entry(parent).or_default().push((index, path));
        }
        // The capabilities of one call come one after the other, and calls on one capability as they were sent. The
        // order is reversed, because they go onto a stack.
        for of_one in children.values_mut() {
            of_one.sort_by(|(i, a), (j, b)| (b, j).cmp(&(a, i)));
        }
        // It means nothing which side asked first for the other's bootstrap.
        if let Some(roots) = children.get_mut(&None) {
            let line = |index: usize| self.question_text(index, printer);
            roots.sort_by(|(i, _), (j, _)| (line(*j), j).cmp(&(line(*i), i)));
        }
        let mut left: Vec<(usize, String, usize)> = Vec::new();
        let mut push = |parent: Option<usize>, depth: usize, left: &mut Vec<(usize, String, usize)>| {
            let of_parent = children.remove(&parent).unwrap_or_default();
            left.extend(of_parent.into_iter().map(|(index, path)| (index, path, depth)));
        };
        push(None, 1, &mut left);
        while let Some((index, path, depth)) = left.pop() {
            self.print_node(index, &path, depth, printer, text);
            push(Some(index), depth + 1, &mut left);
        }
    }

    fn print_node(&self, index: usize, path: &str, depth: usize, printer: &Printer<'_>, text: &mut String) {
        let node = &self.nodes[index];
        let on = if path.is_empty() { String::new() } else { format!("{path}: ") };
        let answer = match (node.answer, &node.question) {
            (Some(answer), Asked::Call(call)) => {
                format!(" → {}", self.answer_text(node, &call.method, answer, printer))
            }
            (Some(_), Asked::Bootstrap(_)) => String::new(),
            (None, _) => " → no answer".into(),
        };
        let line = self.question_text(index, printer);
        let _ = writeln!(text, "{:indent$}{on}{line}{answer}", "", indent = 2 * depth.min(MAX_INDENT));
    }

    fn question_text(&self, index: usize, printer: &Printer<'_>) -> String {
        let node = &self.nodes[index];
        match node.question {
            Asked::Bootstrap(Direction::Up) => "the cell asks its host for its bootstrap".into(),
            Asked::Bootstrap(Direction::Down) => "the host asks the cell for its bootstrap".into(),
            Asked::Call(call) => {
                format!(
                    "{} {}",
                    call.method,
                    self.value_text(node, &call.method, &call.params.value, printer)
                )
            }
        }
    }

    fn answer_text(&self, node: &Node<'_>, method: &str, answer: &Outcome, printer: &Printer<'_>) -> String {
        match answer {
            Outcome::Results(payload) => self.value_text(node, method, &payload.value, printer),
            Outcome::Exception(exception) => exception.to_string(),
            Outcome::Canceled => "cancelled".into(),
            Outcome::SentElsewhere => "sent elsewhere".into(),
            Outcome::TakeFromOtherQuestion(_) => "taken from another call".into(),
            Outcome::AcceptFromThirdParty => "accepted from a third party".into(),
        }
    }

    fn value_text(&self, node: &Node<'_>, method: &str, value: &Value, printer: &Printer<'_>) -> String {
        let named = self.named(node, &printer.redactions.apply(method, value), printer);
        named.to_string()
    }

    /// The value, with each capability as its owner and type, because everything else about it depends on the schedule.
    fn named(&self, node: &Node<'_>, value: &Value, printer: &Printer<'_>) -> Value {
        match value {
            Value::Cap { cap: Cap::None, .. } => Value::Null,
            Value::Cap { cap, interface } => {
                let origin = node.caps.iter().find(|(described, _)| *described == cap);
                let owner = origin.and_then(|(_, origin)| printer.owners.get(self.first(origin)));
                Value::Redacted(match owner {
                    Some(Direction::Up) => format!("{}'s {interface}", printer.parties.cell),
                    Some(Direction::Down) => format!("{}'s {interface}", printer.parties.host),
                    // A promise that was never resolved.
                    None => format!("promised {interface}"),
                })
            }
            Value::Struct(fields) => {
                let named =
                    |(name, value): &(String, Value)| (name.clone(), self.named(node, value, printer));
                Value::Struct(fields.iter().map(named).collect())
            }
            Value::List { elements, more, digest } => {
                let elements = elements.iter().map(|value| self.named(node, value, printer)).collect();
                Value::List { elements, more: *more, digest: *digest }
            }
            Value::Raw { words, pointers } => {
                let pointers = pointers.iter().map(|value| self.named(node, value, printer)).collect();
                Value::Raw { words: words.clone(), pointers }
            }
            other => other.clone(),
        }
    }

    fn owners(&self) -> BTreeMap<Origin, Direction> {
        self.hosted.iter().map(|(origin, owner)| (self.first(origin).clone(), *owner)).collect()
    }

    /// The first name of a capability that has several.
    fn first<'t>(&'t self, mut origin: &'t Origin) -> &'t Origin {
        // A name only ever leads to an earlier one, so this loop ends.
        while let Some(earlier) = self.same.get(origin) {
            origin = earlier;
        }
        origin
    }

    /// Notes that two names are of one capability.
    fn alias(&mut self, a: &Origin, b: &Origin) {
        let (a, b) = (self.first(a).clone(), self.first(b).clone());
        if a != b {
            let (earlier, later) = if a < b { (a, b) } else { (b, a) };
            self.same.insert(later, earlier);
        }
    }
}

/// Depth from which on lines are indented no further.
const MAX_INDENT: usize = 40;

/// The fields that lead to a capability.
fn path_to(value: &Value, wanted: &Cap) -> Option<String> {
    let joined = |name: &str, value: &Value| {
        let rest = path_to(value, wanted)?;
        Some(if rest.is_empty() { name.to_owned() } else { format!("{name}.{rest}") })
    };
    match value {
        Value::Cap { cap, .. } if cap == wanted => Some(String::new()),
        Value::Struct(fields) => fields.iter().find_map(|(name, value)| joined(name, value)),
        Value::List { elements, .. } => {
            elements.iter().enumerate().find_map(|(at, value)| joined(&at.to_string(), value))
        }
        Value::Raw { pointers, .. } => {
            pointers.iter().enumerate().find_map(|(at, value)| joined(&format!("ptr{at}"), value))
        }
        _ => None,
    }
}
