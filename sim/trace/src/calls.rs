//! The calls of one link: which calls were made, on which capabilities, and their results.
//!
//! The view is the same for every schedule in which the application behaved the same. A call stands under the call on
//! whose answer it was made, no matter whether it was pipelined or waited for the answer first. Calls on one capability
//! stand in the order in which they were sent. The view leaves out ids, frames and time.

use crate::frames::{
    Call, Cap, Direction, Frame, Message, Outcome, Payload, Resolution, Return, Target, Value,
};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The view of one link.
pub fn of_link(cell: &str, frames: &[Frame]) -> String {
    let mut tree = Tree::default();
    for frame in frames {
        tree.apply(frame);
    }
    let mut text = format!("link of {cell}\n");
    tree.print(&mut text);
    text
}

/// The origin of a capability: a call, and the fields of its answer (or parameters) that lead to the capability.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    node: usize,
    path: String,
}

/// The kind of a question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum QuestionKind {
    Bootstrap,
    Call,
}

/// A bootstrap or a call.
struct Node {
    kind: QuestionKind,
    line: String,
    answer: Option<String>,
    on: Option<Origin>,
}

#[derive(Default)]
struct Tree {
    nodes: Vec<Node>,
    /// By asker and question id, the node.
    questions: BTreeMap<(Direction, u32), usize>,
    /// By owner and export id, its first origin and the number of references that are out.
    exports: BTreeMap<(Direction, u32), (Origin, u32)>,
    /// Capabilities that turned out to be the same as others.
    same: BTreeMap<Origin, Origin>,
}

impl Tree {
    fn apply(&mut self, frame: &Frame) {
        let sender = frame.direction;
        match &frame.message {
            Message::Bootstrap { question } => {
                let line = match sender {
                    Direction::Up => "the cell asks its host for its bootstrap",
                    Direction::Down => "the host asks the cell for its bootstrap",
                };
                self.ask(
                    sender,
                    *question,
                    Node { kind: QuestionKind::Bootstrap, line: line.into(), answer: None, on: None },
                );
            }
            Message::Call(call) => self.call(sender, call),
            Message::Return(answer) => self.answer(sender, answer),
            Message::Resolve { promise, resolution: Resolution::Cap(cap) } => {
                if let Some((origin, _)) = self.exports.get(&(sender, *promise)) {
                    let origin = origin.clone();
                    self.export(sender, cap, origin);
                }
            }
            Message::Release { id, references } => {
                let key = (sender.reversed(), *id);
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

    fn ask(&mut self, asker: Direction, question: u32, node: Node) {
        self.questions.insert((asker, question), self.nodes.len());
        self.nodes.push(node);
    }

    fn call(&mut self, sender: Direction, call: &Call) {
        let on = match &call.target {
            Target::Import(id) => {
                self.exports.get(&(sender.reversed(), *id)).map(|(origin, _)| origin.clone())
            }
            Target::Answer(pipelined) => self
                .questions
                .get(&(sender, pipelined.question))
                .map(|&node| Origin { node, path: pipelined.path.join(".") }),
        };
        let node = self.nodes.len();
        let line = format!("{} {}", call.method, named(&call.params.value));
        self.ask(sender, call.question, Node { kind: QuestionKind::Call, line, answer: None, on });
        self.export_all(sender, &call.params, node, "params.");
    }

    fn answer(&mut self, sender: Direction, answer: &Return) {
        let Some(&node) = self.questions.get(&(sender.reversed(), answer.question)) else { return };
        let text = match &answer.outcome {
            Outcome::Results(payload) => {
                self.export_all(sender, payload, node, "");
                named(&payload.value).to_string()
            }
            Outcome::Exception(exception) => exception.to_string(),
            Outcome::Canceled => "cancelled".into(),
            other => format!("{other:?}"),
        };
        self.nodes[node].answer = Some(text);
    }

    fn export_all(&mut self, owner: Direction, payload: &Payload, node: usize, prefix: &str) {
        for cap in &payload.caps {
            let path = path_to(&payload.value, cap).unwrap_or_default();
            self.export(owner, cap, Origin { node, path: format!("{prefix}{path}") });
        }
    }

    fn export(&mut self, owner: Direction, cap: &Cap, origin: Origin) {
        let (Cap::SenderHosted(id) | Cap::SenderPromise(id) | Cap::ThirdPartyHosted(id)) = cap else {
            return;
        };
        let (first, held) = self.exports.entry((owner, *id)).or_insert_with(|| (origin.clone(), 0));
        *held += 1;
        let first = first.clone();
        self.alias(&first, &origin);
    }

    fn print(&self, text: &mut String) {
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
            roots.sort_by(|(i, _), (j, _)| (&self.nodes[*j].line, j).cmp(&(&self.nodes[*i].line, i)));
        }
        let mut left: Vec<(usize, String, usize)> = Vec::new();
        let mut push = |parent: Option<usize>, depth: usize, left: &mut Vec<(usize, String, usize)>| {
            let of_parent = children.remove(&parent).unwrap_or_default();
            left.extend(of_parent.into_iter().map(|(index, path)| (index, path, depth)));
        };
        push(None, 1, &mut left);
        while let Some((index, path, depth)) = left.pop() {
            self.print_node(index, &path, depth, text);
            push(Some(index), depth + 1, &mut left);
        }
    }

    fn print_node(&self, index: usize, path: &str, depth: usize, text: &mut String) {
        let Node { kind, line, answer, .. } = &self.nodes[index];
        let on = if path.is_empty() { String::new() } else { format!("{path}: ") };
        let answer = match (answer, kind) {
            (Some(answer), QuestionKind::Call) => format!(" → {answer}"),
            (Some(_), QuestionKind::Bootstrap) => String::new(),
            (None, _) => " → no answer".into(),
        };
        let _ = writeln!(text, "{:indent$}{on}{line}{answer}", "", indent = 2 * depth.min(MAX_INDENT));
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

/// The value with its capabilities as the word "capability", because their ids depend on the schedule.
fn named(value: &Value) -> Value {
    match value {
        Value::Cap(Cap::None) => Value::Null,
        Value::Cap(_) => Value::Enum("capability".into()),
        Value::Struct(fields) => {
            Value::Struct(fields.iter().map(|(name, value)| (name.clone(), named(value))).collect())
        }
        Value::List { elements, more } => {
            Value::List { elements: elements.iter().map(named).collect(), more: *more }
        }
        other => other.clone(),
    }
}

/// The fields that lead to a capability.
fn path_to(value: &Value, wanted: &Cap) -> Option<String> {
    match value {
        Value::Cap(cap) if cap == wanted => Some(String::new()),
        Value::Struct(fields) => fields.iter().find_map(|(name, value)| {
            let rest = path_to(value, wanted)?;
            Some(if rest.is_empty() { name.clone() } else { format!("{name}.{rest}") })
        }),
        Value::List { elements, .. } => elements
            .iter()
            .enumerate()
            .find_map(|(i, value)| Some(format!("{i}.{}", path_to(value, wanted)?))),
        _ => None,
    }
}
