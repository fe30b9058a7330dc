//! The RPC ledger: each call has one return, each question is finished, references balance, no id is used after its
//! release, and no frame is cut short.
//!
//! rpc.capnp: "The caller must send Finish" for each question whose Return asks for one, and a Release for each
//! reference that it was given. Only then may it use its ids again. A guest that never drops its capabilities does
//! neither (G03 of the catalogue of bugs). The tables are those of [`wavetank_trace::ledger`].
//!
//! **Who owes.** If a cell exited with a question that it had not finished, or with a reference that it had not
//! released, that is its own fault. The entries of its host end with it: a callee may exit, and the caller then meets a
//! broken link. So open entries of the host's side are not looked at. If a cell that lives owes an answer, that is a
//! stall.
//!
//! **Streaming calls owe nothing.** A client cannot wait for a streaming call's Return: it can only await flow control.
//! So if such a question is still open when its cell exits, that is no leak, whether its Return was on its way or its
//! server had not begun. The schema of the host's own capabilities says which of their methods stream. For other
//! methods, their gates find it out ([`Event::Streams`]). If no server began a call of a method of an unknown schema,
//! the method counts as one that does not stream.
//!
//! **Exceptions.** A cell that trapped or was killed had no time, and one whose link broke had no way. A link between
//! two vats has no end, so only violations of the protocol count there.

use super::streams::Streams;
use super::{Blame, CellFacts, Evidence, Finding, Oracle};
use crate::transcript::LinkFrames;
use wavetank::cell::Transport;
use wavetank::{End, Event};
use wavetank_trace::frames::{Direction, Frame, Message};
use wavetank_trace::ledger::{Entry, Ledger, QuestionState, Violation};

/// Judges all links.
pub fn judge(evidence: &Evidence<'_>) -> Option<Finding> {
    let streams = Streams::of(evidence);
    evidence.links.iter().find_map(|link| {
        let Some(cell) = evidence.cell_of(link.link) else {
            return violation(link, &book(link), None);
        };
        if cell.exited().is_none() || evidence.damage.is_done || !evidence.is_judged(Oracle::Ledger, cell) {
            return None;
        }
        let ledger = book(link);
        let kept = || open(link, &ledger, &streams).or_else(|| cut_short(evidence, link, cell));
        violation(link, &ledger, Some(cell)).or_else(|| if is_broken(evidence, cell) { None } else { kept() })
    })
}

/// Whether a pipe of a cell's link was ended from outside.
fn is_broken(evidence: &Evidence<'_>, cell: &CellFacts) -> bool {
    let Some((_, up, down)) = cell.link else { return false };
    evidence.events.iter().any(|event| match event {
        Event::Reset { pipe, .. } | Event::Ended { pipe, .. } | Event::HalfBroken { pipe, .. } => {
            [up, down].contains(pipe)
        }
        _ => false,
    })
}

fn book(link: &LinkFrames) -> Ledger {
    let mut ledger = Ledger::default();
    link.frames.iter().for_each(|frame| ledger.apply(frame));
    ledger
}

fn violation(link: &LinkFrames, ledger: &Ledger, cell: Option<&CellFacts>) -> Option<Finding> {
    let first = ledger.violations().first()?;
    let by = match first {
        Violation::QuestionInUse { asker, .. } => *asker,
        Violation::Unasked { answerer, .. } => *answerer,
        Violation::OverRelease { owner, .. } | Violation::NotHeld { owner, .. } => owner.reversed(),
        Violation::UnknownEmbargo { sender, .. } => sender.reversed(),
        Violation::AfterAbort(frame) | Violation::Garbled(frame) => frame.direction,
    };
    let mut detail: Vec<String> = ledger.violations().iter().map(Violation::to_string).collect();
    if matches!(first, Violation::Garbled(_)) && cell.is_some_and(|cell| cell.transport == Transport::Stdio) {
        let stdio = "its stdout carries its RPC: it was said so, or it began with RPC; a guest that prints takes a connection";
        detail.insert(0, stdio.into());
    }
    Some(finding(link, by, format!("on the link of {}: {first}", link.cell), detail))
}

fn open(link: &LinkFrames, ledger: &Ledger, streams: &Streams<'_>) -> Option<Finding> {
    let is_cells = |entry: &Entry| match entry {
        Entry::Question { asker, state, method, .. } => {
            *asker == Direction::Up
                && *state != QuestionState::Cancelled
                && !method.is_some_and(|of| streams.has(of))
        }
        Entry::Export { owner, .. } => *owner == Direction::Down,
        Entry::Embargo { .. } => false,
    };
    let left: Vec<String> =
        ledger.open().iter().filter(|entry| is_cells(entry)).map(Entry::to_string).collect();
    let first = left.first()?;
    let what = format!("{} exited and left open on its link: {first}", link.cell);
    Some(finding(link, Direction::Up, what, left))
}

/// A frame that its writer did not finish although its reader was still there.
fn cut_short(evidence: &Evidence<'_>, link: &LinkFrames, cell: &CellFacts) -> Option<Finding> {
    let (_, up, down) = cell.link?;
    let closed = |pipe, end| {
        let closed =
            |event: &Event| matches!(event, Event::Closed { pipe: p, end: e, .. } if (*p, *e) == (pipe, end));
        evidence.events.iter().position(closed).unwrap_or(usize::MAX)
    };
    link.frames.iter().find_map(|Frame { direction, message, .. }| {
        let Message::Closed { pending_bytes } = message else { return None };
        let pipe = if *direction == Direction::Up { up } else { down };
        let what = || {
            let (by, link) = (direction.sender(), &link.cell);
            format!("the {by} closed the link of {link} after {pending_bytes} bytes of a frame")
        };
        let is_cut = *pending_bytes > 0 && closed(pipe, End::Writer) < closed(pipe, End::Reader);
        is_cut.then(|| finding(link, *direction, what(), Vec::new()))
    })
}

fn finding(link: &LinkFrames, by: Direction, what: String, detail: Vec<String>) -> Finding {
    let blame = match by {
        Direction::Up => Blame::Guest(link.cell.to_string()),
        Direction::Down => Blame::Library("capnp-rpc"),
    };
    Finding { oracle: Oracle::Ledger, who: link.cell.to_string(), blame, what, detail }
}
