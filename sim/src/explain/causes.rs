//! Facts of the run that the verdict does not state but that are often its cause, a sentence each: text among RPC,
//! calls that their caller cancelled, methods that a server does not have, and output that was thrown away.

use super::links::{HOST, names_of_ends};
use crate::run::Run;
use crate::transcript::LinkTrace;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wavetank::{Event, PipeId};
use wavetank_trace::frames::{Direction, ExceptionKind, Frame, Message, Outcome as Answer, Question};

/// Sentences of one kind, at most.
const SHOWN: usize = 3;

/// Bytes of misplaced text that are shown, at most.
const SHOWN_TEXT_BYTES: usize = 40;

/// Bytes that are shown if they are not text, at most.
const SHOWN_BYTES: usize = 8;

/// The causes that concern these links and cells.
pub(super) fn causes(run: &Run, links: &[&LinkTrace], concerned: &BTreeSet<&str>) -> Vec<String> {
    let mut lines = Vec::new();
    for link in links {
        lines.extend(text_among_rpc(run, link));
        lines.extend(first(unimplemented(run, link)));
        lines.extend(first(cancelled(run, link)));
    }
    lines.extend(first(discarded(run, concerned)));
    lines
}

fn first(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if more > 0 {
        lines.push(format!("… {more} more like this"));
    }
    lines
}

/// Text that a cell printed on the stdout that carries its RPC.
fn text_among_rpc(run: &Run, link: &LinkTrace) -> Option<String> {
    let cell = run.facts.cells.iter().find(|cell| cell.pipes.get(1) == Some(&link.up))?;
    let upward =
        || link.frames.iter().map(|(_, frame)| frame).filter(|frame| frame.direction == Direction::Up);
    let is_garbled = |frame: &&Frame| matches!(frame.message, Message::Garbled(_));
    let whole_bytes: usize = upward().take_while(|frame| !is_garbled(frame)).map(|frame| frame.bytes).sum();
    let written = written(run, link.up);
    let rest = written.get(whole_bytes..).unwrap_or_default();
    let starts_as_text = rest.len() >= 4 && rest[..4].iter().all(|byte| is_text(*byte));
    let is_wrong = upward().any(|frame| is_garbled(&frame)) || (link.pending_up_bytes > 0 && starts_as_text);
    if !is_wrong || rest.is_empty() {
        return None;
    }
    let text_bytes = rest.iter().take_while(|byte| is_text(**byte)).count();
    // If it is not text at all, the first few bytes are shown.
    let shown_bytes =
        if text_bytes > 0 { text_bytes.min(SHOWN_TEXT_BYTES) } else { rest.len().min(SHOWN_BYTES) };
    let start = String::from_utf8_lossy(&rest[..shown_bytes]).into_owned();
    let dots = if rest.len() > shown_bytes { "…" } else { "" };
    Some(format!(
        "the stdout of {} carries RPC, but what was written there after {whole_bytes} bytes is no RPC message: it begins with {start:?}{dots}",
        cell.name
    ))
}

fn is_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

fn written(run: &Run, of: PipeId) -> Vec<u8> {
    let mut written = Vec::new();
    for event in &run.transcript.events {
        if let Event::Wrote { pipe, bytes } = event
            && *pipe == of
        {
            written.extend_from_slice(bytes);
        }
    }
    written
}

/// Calls that were answered with "there is no such method".
fn unimplemented(run: &Run, link: &LinkTrace) -> Vec<String> {
    let mut asked = BTreeMap::new();
    let mut lines = Vec::new();
    for (step, frame) in &link.frames {
        match &frame.message {
            Message::Call(call) => {
                asked.insert((frame.direction, call.question), call);
            }
            Message::Return(answer) => {
                let call = asked.get(&(frame.direction.reversed(), answer.question));
                if let (Some(call), Answer::Exception(exception)) = (call, &answer.outcome)
                    && exception.kind == ExceptionKind::Unimplemented
                {
                    lines.push(format!(
                        "{} does not implement {}: {} was answered so at step {step}",
                        party(run, link, frame.direction),
                        call.method,
                        call.question
                    ));
                }
            }
            _ => {}
        }
    }
    lines
}

/// Calls that their caller cancelled, that is, finished before they were answered.
fn cancelled(run: &Run, link: &LinkTrace) -> Vec<String> {
    let mut open: BTreeMap<(Direction, Question), Arc<str>> = BTreeMap::new();
    let mut lines = Vec::new();
    for (step, frame) in &link.frames {
        match &frame.message {
            Message::Call(call) => {
                open.insert((frame.direction, call.question), call.method.clone());
            }
            Message::Return(answer) => {
                open.remove(&(frame.direction.reversed(), answer.question));
            }
            Message::Finish { question, .. } => {
                let Some(method) = open.remove(&(frame.direction, *question)) else { continue };
                // A cell that ends also finishes all of its open calls. Then its end is the cause.
                let caller = party(run, link, frame.direction);
                if !ends_at(run, link, frame.direction, *step) {
                    lines.push(format!(
                        "{caller} cancelled {question} {method} at step {step}, before its answer"
                    ));
                }
            }
            _ => {}
        }
    }
    lines
}

/// Whether the cell of a link ended in the step in which it finished a question.
fn ends_at(run: &Run, link: &LinkTrace, direction: Direction, step: u64) -> bool {
    let Some(at) = (step as usize).checked_sub(1).and_then(|at| run.transcript.steps.get(at)) else {
        return false;
    };
    let cell = run.facts.cells.iter().find(|cell| cell.link.is_some_and(|(_, up, _)| up == link.up));
    let Some(cell) = cell.filter(|_| direction == Direction::Up) else { return false };
    let ended = |event: &Event| matches!(event, Event::CellEnded { cell: ended, code, .. } if *ended == cell.id && *code != 0);
    run.transcript.events[at.caused.clone()].iter().any(ended)
}

/// The party that sends in a direction.
fn party(run: &Run, link: &LinkTrace, direction: Direction) -> String {
    let (far, near) = names_of_ends(run, link);
    let name = if direction == Direction::Up { far } else { near };
    if link.is_of_cell || name == HOST { name } else { format!("vat {name}") }
}

/// Output that the host threw away because nobody had asked for it.
fn discarded(run: &Run, concerned: &BTreeSet<&str>) -> Vec<String> {
    let mut lines = Vec::new();
    for (pipe, bytes) in &run.facts.discarded_bytes {
        let owner = run.facts.cells.iter().find(|cell| cell.pipes.contains(pipe));
        let parent = owner.and_then(|cell| cell.parent);
        let is_concerned = |name: &str| concerned.contains(name);
        let of_parent =
            run.facts.cells.iter().any(|cell| Some(cell.id) == parent && is_concerned(&cell.name));
        if owner.is_some_and(|cell| is_concerned(&cell.name)) || of_parent {
            let name = run
                .facts
                .pipes
                .get(pipe.index())
                .map_or_else(|| pipe.to_string(), |pipe| pipe.name.to_string());
            lines.push(format!(
                "the host threw away {bytes} bytes of {name}: nobody had asked for them, and it keeps the last {} only",
                wavetank::stdio::KEPT_BYTES
            ));
        }
    }
    lines
}
