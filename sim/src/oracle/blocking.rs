//! Nobody blocks elsewhere while its own link has bytes to read.
//!
//! A guest has one thread. While it is inside `blocking-read`, `blocking-write-and-flush` or `pollable.block` of some
//! stream, its RPC stands still: calls to it are not answered, answers are not seen, and in the end the peer gives up
//! (G12 of the catalogue of bugs, a blocking read of stdin in a cooperative loop). A guest avoids this with a
//! `wasi:io/poll` over all things that it waits for.
//!
//! The oracle looks only when nothing but time could pass; before that, the thing that the guest waits for may be on
//! its way. At that point, if a cell is blocked on another pipe while bytes are visible on its link, it is the cell's
//! fault. It does not put this off until the world is at rest, because a block that time ends is over by then. Waiting
//! for a time is not a fault, because it ends. At rest nothing ends any more, so then a `poll` whose list leaves the
//! link out is found too.

use super::{CellFacts, Evidence, Finding, Oracle};
use wavetank::{Blocked, Import, PipeId};

/// Judges a world at rest, in which not even time can pass.
pub fn judge(evidence: &Evidence<'_>) -> Option<Finding> {
    judged(evidence).find_map(|cell| blocked(evidence, cell, true))
}

/// Judges a world in which time could still pass.
pub(crate) fn judge_before_time(evidence: &Evidence<'_>) -> Option<Finding> {
    judged(evidence).find_map(|cell| blocked(evidence, cell, false))
}

fn judged<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = &'a CellFacts> {
    evidence.cells.iter().filter(|cell| evidence.is_judged(Oracle::Blocking, cell))
}

fn blocked(evidence: &Evidence<'_>, cell: &CellFacts, at_rest: bool) -> Option<Finding> {
    let (_, _, down) = cell.link.filter(|_| cell.exit.is_none())?;
    let import = cell.blocked_in?;
    let waiting = evidence.visible_bytes(down);
    let on: Vec<PipeId> = cell.blocked.iter().filter_map(|blocked| blocked.pipe()).collect();
    let counts = if import == Import::Poll { at_rest } else { !on.is_empty() };
    if waiting == 0 || !counts || cell.blocked.contains(&Blocked::Reading(down)) {
        return None;
    }
    let on: Vec<String> = on.into_iter().map(|pipe| evidence.pipe_name(pipe)).collect();
    let on = if on.is_empty() { "nothing".into() } else { on.join(", ") };
    let name = &cell.name;
    Some(Finding {
        oracle: Oracle::Blocking,
        who: name.to_string(),
        blame: cell.blame(),
        what: format!("{name} is inside {import} on {on} while {waiting} bytes wait on its link"),
        detail: vec![format!("{} holds {waiting} bytes that it could read", evidence.pipe_name(down))],
    })
}
