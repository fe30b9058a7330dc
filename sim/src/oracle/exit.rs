//! The exit record: a cell's exit code and the result of its RPC must tell one story.
//!
//! A guest that swallows an error exits with 0 after a failure (G14 of the catalogue of bugs: `run` returns ok whatever
//! its application said), and its parent goes on as if all were well. So a cell that exited with 0 must have none of
//! these: a link that ended in an error; a link that was broken off by an Abort that names a failure; or an exception
//! as the last answer it got, with no call after it. (The answer to a streaming call does not count, because nobody can
//! wait for it.) If a guest does this on purpose, its scenario says so with
//! [`may_fail`](crate::world::CellBuilder::may_fail).
//!
//! The expectations of a scenario for a cell's code, trap and output are judged earlier, in `world/judge.rs`.

use super::streams::Streams;
use super::{CellFacts, Evidence, Finding, Oracle};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wavetank::{Event, LinkId};
use wavetank_trace::frames::{Direction, ExceptionKind, Frame, Message, Outcome};

/// Judges all cells that exited with 0.
pub fn judge(evidence: &Evidence<'_>) -> Option<Finding> {
    let judged = |cell: &&CellFacts| {
        cell.exited().is_some_and(|exit| exit.code == 0)
            && !cell.leave.may_fail
            && evidence.is_judged(Oracle::Exit, cell)
    };
    if evidence.damage.is_done {
        return None;
    }
    let streams = Streams::of(evidence);
    let failed = evidence.events.iter().filter_map(|event| match event {
        Event::LinkEnded { link, error: Some(error) } => Some((*link, error)),
        _ => None,
    });
    let failed: BTreeMap<LinkId, &Arc<str>> = failed.collect();
    evidence.cells.iter().filter(judged).find_map(|cell| {
        let (link, ..) = cell.link?;
        let frames = evidence.links.iter().find(|frames| frames.link == link).map_or(&[][..], |l| &l.frames);
        let what = failed.get(&link).map(|error| format!("its link failed: {error}"));
        let what = what.or_else(|| aborted(frames)).or_else(|| swallowed(frames, &streams))?;
        Some(Finding {
            oracle: Oracle::Exit,
            who: cell.name.to_string(),
            blame: cell.blame(),
            what: format!("{} exited with 0 although {what}", cell.name),
            detail: Vec::new(),
        })
    })
}

/// An Abort that names more than the end: the cell's own, or its host's before the cell had closed its side.
fn aborted(frames: &[Frame]) -> Option<String> {
    let is_over =
        |frame: &&Frame| frame.direction == Direction::Up && matches!(frame.message, Message::Closed { .. });
    frames.iter().take_while(|frame| !is_over(frame)).find_map(|frame| {
        match (&frame.message, frame.direction) {
            (Message::Abort(exception), _) if exception.kind == ExceptionKind::Disconnected => None,
            (Message::Abort(exception), Direction::Up) => Some(format!("it broke its link off: {exception}")),
            (Message::Abort(exception), Direction::Down) => {
                Some(format!("its host broke the link off: {exception}"))
            }
            _ => None,
        }
    })
}

/// The last answer that the cell got, if it is an exception and the cell made no call after it.
fn swallowed(frames: &[Frame], streams: &Streams<'_>) -> Option<String> {
    let mut given_up = BTreeSet::new();
    let mut last = None;
    for Frame { direction, message, .. } in frames {
        match (message, direction) {
            (Message::Call(call), Direction::Up) => {
                if streams.has((call.interface_id, call.method_id)) {
                    given_up.insert(call.question);
                } else {
                    given_up.remove(&call.question);
                }
                last = None;
            }
            (Message::Finish { question, .. }, Direction::Up) => {
                given_up.insert(*question);
            }
            (Message::Return(answer), Direction::Down) if !given_up.contains(&answer.question) => {
                last = match &answer.outcome {
                    Outcome::Exception(exception) => {
                        let call = answer.call.as_deref().unwrap_or("a call");
                        Some(format!("the last answer it got was an exception, to {call}: {exception}"))
                    }
                    _ => None,
                };
            }
            _ => {}
        }
    }
    last
}
