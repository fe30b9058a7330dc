//! The transport: a guest speaks RPC on its link and not elsewhere, and if RPC is expected, it takes place.
//!
//! If a guest's RPC runs over stdio and its host listens on a connection, or the reverse, nothing happens at all: the
//! host hears no call, and if the guest gives up quietly the world finishes. So a cell whose link stayed silent must
//! not have written RPC to its stdout. This holds if its stdout is not its link, and if it printed a line first, so
//! that its host took its stdout for text.
//!
//! A silent link is no fault by itself, because not every program speaks RPC. A scenario that wants RPC says so with
//! [`expect_rpc`](crate::world::CellHandle::expect_rpc). The counts for the summary of a sweep are here too:
//! [`messages`] and [`unopened`].

use super::{Blame, CellFacts, Evidence, Finding, Oracle};
use crate::transcript::LinkFrames;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wavetank::cell::Transport;
use wavetank::{ActorId, Event, HandleKind, PipeId};
use wavetank_trace::Decoder;
use wavetank_trace::frames::{Direction, Frame, Message, Outcome};

/// Bytes of a stdout that are searched, at most.
const SEARCHED_BYTES: usize = 64 * 1024;

/// Bytes before the RPC on a stdout that are quoted, at most.
const QUOTED_BYTES: usize = 40;

/// Judges all cells whose link stayed silent.
pub fn judge(evidence: &Evidence<'_>) -> Option<Finding> {
    let suspects: Vec<&CellFacts> = evidence
        .cells
        .iter()
        .filter(|cell| !evidence.is_struck(cell) && stdout_beside_link(cell).is_some())
        .filter(|cell| frames_of(evidence, cell).iter().all(|frame| !is_message(frame)))
        .collect();
    if suspects.is_empty() {
        return None;
    }
    let mut written: BTreeMap<PipeId, Vec<u8>> = BTreeMap::new();
    for stdout in suspects.iter().filter_map(|cell| stdout_beside_link(cell)) {
        written.insert(stdout, Vec::new());
    }
    for event in evidence.events {
        if let Event::Wrote { pipe, bytes } = event
            && let Some(of) = written.get_mut(pipe)
        {
            of.extend(&bytes[..bytes.len().min(SEARCHED_BYTES - of.len())]);
        }
    }
    suspects.into_iter().find_map(|cell| {
        let bytes = &written[&stdout_beside_link(cell)?];
        Some(misplaced(cell, bytes, rpc_starts_at(bytes)?))
    })
}

/// The finding about a cell that failed, perhaps before it wrote anything, and whose link is a connection that its
/// component cannot open; `None` if its component can.
pub(crate) fn without_import(cell: &CellFacts) -> Option<Finding> {
    let is_mistold = cell.transport == Transport::Connection && cell.imports == Transport::Stdio;
    let name = &cell.name;
    is_mistold.then(|| Finding {
        oracle: Oracle::Transport,
        who: name.to_string(),
        blame: Blame::Scenario(format!("it says that the RPC of {name} runs over a connection")),
        what: format!("{name} failed, and its link is a connection, which its component cannot open"),
        detail: vec!["leave the transport out: the component's imports say stdio".into()],
    })
}

/// The pipe of a cell's stdout, if that is not its link.
fn stdout_beside_link(cell: &CellFacts) -> Option<PipeId> {
    let stdout = *cell.pipes.get(1)?;
    cell.link.is_none_or(|(_, up, _)| up != stdout).then_some(stdout)
}

/// The place in a guest's output where its RPC begins: at the start, or after a line.
fn rpc_starts_at(bytes: &[u8]) -> Option<usize> {
    let after_lines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(after_lines).find(|&at| begins_rpc(&bytes[at..]))
}

/// Whether a client's first message stands at the start of these bytes, whole.
fn begins_rpc(bytes: &[u8]) -> bool {
    // The count of segments must be below 512. Most bytes fail this test and are not looked at any further.
    let may_begin = bytes.get(1..4).is_some_and(|count| count[0] <= 1 && count[1..] == [0, 0]);
    let first = || Decoder::new(Arc::default()).push(Direction::Up, bytes).into_iter().next();
    may_begin
        && first().is_some_and(|frame| matches!(frame.message, Message::Bootstrap { .. } | Message::Call(_)))
}

fn misplaced(cell: &CellFacts, bytes: &[u8], at: usize) -> Finding {
    let name = &cell.name;
    let finding = |blame, what, advice: &str| Finding {
        oracle: Oracle::Transport,
        who: name.to_string(),
        blame,
        what,
        detail: vec![advice.into()],
    };
    if at > 0 {
        let quoted = String::from_utf8_lossy(&bytes[..at.min(QUOTED_BYTES)]).into_owned();
        let what =
            format!("{name} speaks RPC on its stdout, but not from the start: it begins with {quoted:?}");
        let advice =
            "nothing else may be printed where stdout carries RPC: print to stderr, or take a connection";
        return finding(cell.blame(), what, advice);
    }
    let what = format!("{name} speaks RPC on its stdout, but its link is the connection");
    match cell.imports {
        Transport::Connection => {
            let advice = "its component imports wetware:streams: call create-connection and speak RPC there";
            finding(cell.blame(), what, advice)
        }
        Transport::Stdio => {
            let blame = Blame::Scenario(format!("it says that the RPC of {name} runs over a connection"));
            finding(blame, what, "leave the transport out: the component's imports say stdio")
        }
    }
}

/// The finding about a cell that had to make or take a call; `None` if one was answered.
pub(crate) fn without_rpc(evidence: &Evidence<'_>, cell: &CellFacts) -> Option<Finding> {
    let frames = frames_of(evidence, cell);
    if has_answered_call(frames) {
        return None;
    }
    let name = &cell.name;
    let mut detail = Vec::new();
    if !frames.iter().any(is_message) {
        detail.push(format!("not one message was sent over the link of {name}"));
    }
    if cell.link.is_none() {
        detail.push("its stdin and stdout carried no RPC, and it imports no connection".into());
    }
    if has_unopened_connection(cell, &opened(evidence.events)) {
        detail.push("its connection was never opened: it did not call create-connection".into());
    }
    Some(Finding {
        oracle: Oracle::Transport,
        who: name.to_string(),
        blame: cell.blame(),
        what: format!("no call was answered over the link of {name}, and RPC was expected"),
        detail,
    })
}

fn frames_of<'a>(evidence: &Evidence<'a>, cell: &CellFacts) -> &'a [Frame] {
    let Some((link, ..)) = cell.link else { return &[] };
    evidence.links.iter().find(|of| of.link == link).map_or(&[], |of| &of.frames)
}

/// Whether a call was answered, in either direction, by results or by an exception.
fn has_answered_call(frames: &[Frame]) -> bool {
    let mut asked = BTreeSet::new();
    frames.iter().any(|frame| match &frame.message {
        Message::Call(call) => {
            asked.insert((frame.direction == Direction::Up, call.question));
            false
        }
        Message::Return(answer) => {
            let is_answer = matches!(answer.outcome, Outcome::Results(_) | Outcome::Exception(_));
            is_answer && asked.contains(&(frame.direction == Direction::Down, answer.question))
        }
        _ => false,
    })
}

/// Whether a frame asks, answers or gives back something. An Abort does not count: the link may have been silent
/// before.
fn is_message(frame: &Frame) -> bool {
    !matches!(frame.message, Message::Closed { .. } | Message::Garbled(_) | Message::Abort(_))
}

/// The number of RPC messages on these links, in both directions, without the Abort at a link's end.
pub fn messages(links: &[LinkFrames]) -> u64 {
    links.iter().flat_map(|link| &link.frames).filter(|frame| is_message(frame)).count() as u64
}

/// The cells that ended by themselves and never opened the connection that they were offered.
pub fn unopened<'a>(evidence: &Evidence<'a>) -> Vec<&'a CellFacts> {
    let opened = opened(evidence.events);
    evidence.cells.iter().filter(|cell| has_unopened_connection(cell, &opened)).collect()
}

/// The cells that opened their connection.
fn opened(events: &[Event]) -> BTreeSet<ActorId> {
    let opened = events.iter().filter_map(|event| match event {
        Event::HandleBorn { cell, kind: HandleKind::Connection, .. } => Some(*cell),
        _ => None,
    });
    opened.collect()
}

fn has_unopened_connection(cell: &CellFacts, opened: &BTreeSet<ActorId>) -> bool {
    cell.transport == Transport::Connection && cell.exited().is_some() && !opened.contains(&cell.id)
}
