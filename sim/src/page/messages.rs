//! The messages of a run: when each was written and read, and which belong together.

use super::{Index, Texts, said};
use crate::run::Run;
use std::collections::BTreeMap;
use wavetank::{Event, PipeId};
use wavetank_page::model::{self, Field, MessageKind};
use wavetank_trace::frames::{Direction, Frame, Message, Outcome, Payload, Resolution, Value};

/// Characters of a text in a diagram, at most.
const SHORT: usize = 48;

pub(super) fn messages(run: &Run, index: &Index, texts: &mut Texts) -> Vec<model::Message> {
    let reads = Reads::of(run, index);
    let mut messages = Vec::new();
    for (link, trace) in run.transcript.links(&run.schema).into_iter().enumerate() {
        let mut written_bytes = BTreeMap::from([(trace.up, 0), (trace.down, 0)]);
        for (sent, frame) in &trace.frames {
            let pipe = if frame.direction == Direction::Up { trace.up } else { trace.down };
            let (from, to) = index.ends.get(&pipe).copied().unwrap_or_default();
            let end = written_bytes.entry(pipe).or_default();
            *end += frame.bytes;
            let received = if frame.bytes == 0 { None } else { reads.step(pipe, *end) };
            messages.push(model::Message {
                received: received.map(|step| step.max(*sent)),
                sent: *sent,
                from,
                to,
                link: link as u32,
                ..message(frame, texts)
            });
        }
    }
    messages.sort_by_key(|message| message.sent);
    pair(&mut messages);
    messages
}

/// Joins calls with their returns.
fn pair(messages: &mut [model::Message]) {
    let mut calls = BTreeMap::new();
    for place in 0..messages.len() {
        let model::Message { kind, link, question, .. } = messages[place];
        if question == 0 {
            continue;
        }
        match kind {
            MessageKind::Call | MessageKind::Bootstrap => {
                calls.insert((link, question), place);
            }
            MessageKind::Return | MessageKind::Finish => {
                if let Some(call) = calls.get(&(link, question)) {
                    messages[place].pair = Some(*call as u32);
                    if kind == MessageKind::Return {
                        messages[*call].pair = Some(place as u32);
                    }
                }
            }
            _ => {}
        }
    }
}

/// How far each pipe was read, step by step.
struct Reads(BTreeMap<PipeId, Vec<(usize, u64)>>);

impl Reads {
    fn of(run: &Run, index: &Index) -> Self {
        let mut reads: BTreeMap<PipeId, Vec<(usize, u64)>> = BTreeMap::new();
        for (at, event) in run.transcript.events.iter().enumerate() {
            if let Event::Read { pipe, bytes } = event {
                let read = reads.entry(*pipe).or_default();
                let before = read.last().map_or(0, |(bytes, _)| *bytes);
                read.push((before + bytes, index.step_of(at)));
            }
        }
        Reads(reads)
    }

    /// The step at which so many bytes of a pipe had been read.
    fn step(&self, pipe: PipeId, bytes: usize) -> Option<u64> {
        let read = self.0.get(&pipe)?;
        let place = read.partition_point(|(so_far, _)| *so_far < bytes);
        read.get(place).map(|(_, step)| *step)
    }
}

/// A message without its steps and lanes.
fn message(frame: &Frame, texts: &mut Texts) -> model::Message {
    let mut shown = model::Message {
        line: texts.place(&one_line(&frame.message.to_string())),
        bytes: frame.bytes as u64,
        ..model::Message::default()
    };
    let short = match &frame.message {
        Message::Bootstrap { question } => {
            shown.kind = MessageKind::Bootstrap;
            shown.question = question.number;
            format!("{question} bootstrap")
        }
        Message::Call(call) => {
            shown.kind = MessageKind::Call;
            shown.question = call.question.number;
            shown.method = Some(texts.place(&call.method));
            shown.caps = caps(&call.params);
            let params = named("params", &call.params.value);
            shown.fields = Some(Field::Node(vec![leaf("on", &call.target), params]));
            format!("{} {}", call.question, call.method)
        }
        Message::Return(answer) => {
            shown.kind = MessageKind::Return;
            shown.question = answer.question.number;
            shown.method = answer.call.as_deref().map(|call| texts.place(call));
            shown.error = matches!(answer.outcome, Outcome::Exception(_) | Outcome::Canceled);
            let field = match &answer.outcome {
                Outcome::Results(payload) => {
                    shown.caps = caps(payload);
                    named("results", &payload.value)
                }
                other => leaf("outcome", other),
            };
            shown.fields = Some(Field::Node(vec![field]));
            match &answer.outcome {
                Outcome::Results(_) => format!("{} returns", answer.question),
                Outcome::Exception(exception) => format!("{} fails: {}", answer.question, exception.reason),
                other => format!("{} {other}", answer.question),
            }
        }
        Message::Finish { question, .. } => {
            shown.kind = MessageKind::Finish;
            shown.question = question.number;
            format!("finish {question}")
        }
        Message::Resolve { promise, resolution } => {
            shown.kind = MessageKind::Resolve;
            shown.error = matches!(resolution, Resolution::Exception(_));
            shown.caps = vec![said(&promise.to_string())];
            format!("resolve {promise}")
        }
        Message::Release { import, references } => {
            shown.kind = MessageKind::Release;
            shown.caps = vec![said(&import.to_string())];
            format!("release {import} ×{references}")
        }
        Message::Disembargo { target, .. } => {
            shown.kind = MessageKind::Disembargo;
            format!("disembargo {target}")
        }
        Message::Abort(exception) => {
            shown.kind = MessageKind::Abort;
            shown.error = true;
            format!("abort: {}", exception.reason)
        }
        Message::Unimplemented(message) => {
            shown.kind = MessageKind::Unimplemented;
            shown.error = true;
            format!("unimplemented: {message}")
        }
        Message::Garbled(reason) => {
            shown.kind = MessageKind::Garbled;
            shown.error = true;
            format!("garbled: {reason}")
        }
        Message::Closed { .. } => {
            shown.kind = MessageKind::Closed;
            frame.message.to_string()
        }
        Message::Provide { question, .. }
        | Message::Accept { question, .. }
        | Message::Join { question, .. } => {
            shown.question = question.number;
            frame.message.to_string()
        }
        Message::Other(name) => name.clone(),
    };
    shown.short = texts.place(&cut(&one_line(&short)));
    shown
}

/// The capabilities that a payload transfers, in words.
fn caps(payload: &Payload) -> Vec<String> {
    payload.caps.iter().map(|cap| said(&cap.to_string())).collect()
}

fn leaf(name: &str, value: &impl std::fmt::Display) -> (String, Field) {
    (name.into(), Field::Leaf(said(&value.to_string())))
}

fn named(name: &str, value: &Value) -> (String, Field) {
    (name.into(), field(value))
}

fn field(value: &Value) -> Field {
    match value {
        Value::Struct(fields) => {
            Field::Node(fields.iter().map(|(name, value)| (said(name), field(value))).collect())
        }
        Value::List { elements, more, .. } if !elements.is_empty() => {
            let mut fields: Vec<(String, Field)> = Vec::new();
            for (place, element) in elements.iter().enumerate() {
                fields.push((place.to_string(), field(element)));
            }
            if *more > 0 {
                fields.push(("…".into(), Field::Leaf(format!("{more} more"))));
            }
            Field::Node(fields)
        }
        other => Field::Leaf(said(&other.to_string())),
    }
}

/// Words of a line, without the spaces that put lines under each other.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHORT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into(),
    }
}
