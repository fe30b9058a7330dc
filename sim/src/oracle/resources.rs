//! The resource tree: children go before their parents, and a cell that exits has leaked nothing.
//!
//! The first half is a trap: a stream that is dropped before its pollable ends the guest with "resource has children"
//! (`wasi:io/poll`: a pollable is a child of the resource that it was made from). Some guests avoid this by never
//! dropping anything. That is a leak, and no trap reports it: no Finish, no Release, bytes that were queued and never
//! sent (G03 of the catalogue of bugs). This oracle judges the second half: the handles that a cell's table still holds
//! at a clean exit.
//!
//! A program may keep things for life: libc keeps its streams of stdin, stdout and stderr, an executor keeps a timer in
//! a static, and `process::exit` drops nothing that was in use. So these, and only these, are leaks:
//!
//! - **Handles of the link.** Of a `wetware:streams` connection, these are the connection, its two streams and all
//!   pollables of them. If stdin and stdout carry the RPC, each may keep one stream and one pollable, as libc keeps
//!   them; more is a leak. The [ledger](super::ledger) checks whether the RPC itself ended in order.
//! - **Handles that grow with use.** These are handles of one sort (streams of one pipe, pollables of one pipe,
//!   pollables of timers), each of which took the place of the one before: it was born after the other's [last
//!   use](wavetank::cell::HandleLifetime). Three in a row are a leak. Ten timers that wait side by side are one
//!   generation, and so are ten that were made at the start. If each of ten timers was waited for before the next was
//!   made, they are ten generations.
//!
//! A trap or a kill may leave anything: the host takes it back with the store. A cell that was refused memory or
//! trapped on purpose is excused; in a damaged world all others are judged as usual.

use super::{CellFacts, Evidence, Finding, Oracle};
use std::collections::{BTreeMap, BTreeSet};
use wavetank::cell::{LeftoverHandle, Transport};
use wavetank::{HandleKind, PipeId};

/// Generations of handles, each left behind by the next, that make a leak. Two generations can come from a program that
/// changed its mind once.
pub const GENERATIONS: usize = 3;

/// Judges all cells that exited.
pub fn judge(evidence: &Evidence<'_>) -> Option<Finding> {
    let judged = |cell: &&CellFacts| !evidence.is_struck(cell) && evidence.is_judged(Oracle::Resources, cell);
    evidence.cells.iter().filter(judged).find_map(|cell| {
        let exit = cell.exited()?;
        of_link(evidence, cell, &exit.left).or_else(|| grown(evidence, cell, &exit.left))
    })
}

/// The handles that are left of the cell's link.
fn of_link(evidence: &Evidence<'_>, cell: &CellFacts, left: &[LeftoverHandle]) -> Option<Finding> {
    let (_, up, down) = cell.link?;
    let mut kept_by_libc = BTreeSet::new();
    let mut leaked = Vec::new();
    for left in left {
        let is_links =
            left.kind == HandleKind::Connection || left.pipe == Some(up) || left.pipe == Some(down);
        if !is_links {
            continue;
        }
        let is_libcs = cell.transport == Transport::Stdio && kept_by_libc.insert((left.kind, left.pipe));
        if !is_libcs {
            leaked.push(left);
        }
    }
    let first = named(evidence, leaked.first()?);
    let more = match leaked.len() - 1 {
        0 => String::new(),
        1 => " and one more resource of its link".into(),
        more => format!(" and {more} more resources of its link"),
    };
    let what = format!("{} exited and had not dropped {first}{more}", cell.name);
    Some(finding(evidence, cell, what, &leaked))
}

/// The handles that were left behind again and again.
fn grown(evidence: &Evidence<'_>, cell: &CellFacts, left: &[LeftoverHandle]) -> Option<Finding> {
    let mut by_sort: BTreeMap<(HandleKind, Option<PipeId>), Vec<&LeftoverHandle>> = BTreeMap::new();
    for left in left {
        by_sort.entry((left.kind, left.pipe)).or_default().push(left);
    }
    by_sort.into_values().find_map(|left| {
        let generations = generations(&left);
        if generations.len() < GENERATIONS {
            return None;
        }
        let what = format!(
            "{} exited and had not dropped {}: {} in a row were left behind, each made after the last use of the one \
             before",
            cell.name,
            named(evidence, generations[0]),
            generations.len(),
        );
        Some(finding(evidence, cell, what, &generations))
    })
}

/// The longest row of handles in which each was born after the last use of the one before. The next handle is always
/// the one whose last use comes first.
fn generations<'a>(left: &[&'a LeftoverHandle]) -> Vec<&'a LeftoverHandle> {
    let mut by_end = left.to_vec();
    by_end.sort_by_key(|left| (left.lived.last_used, left.handle));
    let mut row: Vec<&LeftoverHandle> = Vec::new();
    for left in by_end {
        if row.last().is_none_or(|last| left.lived.born > last.lived.last_used) {
            row.push(left);
        }
    }
    row
}

fn named(evidence: &Evidence<'_>, left: &LeftoverHandle) -> String {
    match left.pipe {
        Some(pipe) => format!("{} {} of {}", left.kind, left.handle, evidence.pipe_name(pipe)),
        None if left.kind == HandleKind::Pollable => format!("pollable {} of a timer", left.handle),
        None => format!("{} {}", left.kind, left.handle),
    }
}

fn finding(evidence: &Evidence<'_>, cell: &CellFacts, what: String, leaked: &[&LeftoverHandle]) -> Finding {
    Finding {
        oracle: Oracle::Resources,
        who: cell.name.to_string(),
        blame: cell.blame(),
        what,
        detail: leaked.iter().map(|left| named(evidence, left)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wavetank::cell::HandleLifetime;

    fn row(lived: &[(u64, u64)]) -> usize {
        let left: Vec<LeftoverHandle> = (0..)
            .zip(lived)
            .map(|(handle, &(born, last_used))| LeftoverHandle {
                handle,
                kind: HandleKind::Pollable,
                pipe: None,
                lived: HandleLifetime { born, last_used },
            })
            .collect();
        generations(&left.iter().collect::<Vec<_>>()).len()
    }

    #[test]
    fn only_what_follows_one_another_grows() {
        assert_eq!(row(&[]), 0);
        // One after the other; side by side; made at the start and never used; one for life beside a row.
        assert_eq!(row(&[(0, 0), (1, 1), (2, 2), (3, 3)]), 4);
        assert_eq!(row(&[(0, 9), (1, 9), (2, 9), (3, 9)]), 1);
        assert_eq!(row(&[(0, 0), (0, 0), (0, 0), (0, 0)]), 1);
        assert_eq!(row(&[(0, 9), (1, 1), (2, 2), (4, 5)]), 3);
    }
}
