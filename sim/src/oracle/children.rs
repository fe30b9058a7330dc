//! A cell that exits with 0 has cared for its children.
//!
//! A parent that starts children and reports that all went well (exit code 0) vouches for them. It can be wrong in
//! three ways:
//!
//! - **A failure kept to itself.** `Process.wait` told it that a child exited with another code than 0, or trapped
//!   (134), and it exits with 0. A child that was killed (137) does not count, because somebody wanted that. A cell
//!   that serves `Process.wait` to others hands the code on and is excused.
//! - **A failure that nobody asked for.** A child failed while its parent ran, and nobody called `Process.wait` or
//!   `Process.kill` on it.
//! - **A child that nobody waited for.** It still ran when its parent exited, it was killed for that, and nobody had
//!   called `Process.wait` or `Process.kill`. Whether it still runs is a race, so one more sign counts: of several
//!   children that run the same component, some were waited for and this one was not. A wait that was given up does not
//!   count.
//!
//! A child that was started detached is on its own: only a failure that its parent was told counts. If a parent leaves
//! children or lets them fail on purpose, its scenario says so with
//! [`may_leave_children`](crate::world::CellBuilder::may_leave_children) and
//! [`children_may_fail`](crate::world::CellBuilder::children_may_fail). A child that fails because its parent closed its
//! output early is excused by [`may_close_early`](crate::world::CellBuilder::may_close_early), and one that ends as the
//! scenario [expects of it](crate::world::World::children) needs no excuse.
//!
//! In a damaged world a parent may have had to leave early, so only the first way counts there.

use super::{CellFacts, Evidence, Finding, Oracle};
use std::collections::BTreeSet;
use wavetank::cell::{Cause, EndHandling, KILLED};
use wavetank::peer::WAIT;
use wavetank_trace::frames::{Direction, Frame, Message, Outcome, Value};

/// Judges all parents that exited with 0.
pub fn judge(evidence: &Evidence<'_>) -> Option<Finding> {
    let is_judged = |parent: &&CellFacts| {
        parent.exited().is_some_and(|exit| exit.code == 0)
            && !evidence.is_struck(parent)
            && evidence.is_judged(Oracle::Children, parent)
    };
    evidence.cells.iter().filter(is_judged).find_map(|parent| {
        let what = kept_to_itself(evidence, parent).or_else(|| left_alone(evidence, parent))?;
        Some(Finding {
            oracle: Oracle::Children,
            who: parent.name.to_string(),
            blame: parent.blame(),
            what: format!("{} exited with 0 although {what}", parent.name),
            detail: Vec::new(),
        })
    })
}

/// A failure that the parent was told of.
fn kept_to_itself(evidence: &Evidence<'_>, parent: &CellFacts) -> Option<String> {
    let (link, ..) = parent.link.filter(|_| !parent.leave.children_may_fail)?;
    let frames = &evidence.links.iter().find(|of| of.link == link)?.frames;
    let wanted = evidence.cells.iter().filter(|cell| cell.parent == Some(parent.id) && cell.is_end_wanted);
    let wanted: BTreeSet<i64> = wanted.flat_map(|cell| &cell.exit).map(|exit| exit.code.into()).collect();
    let code = told(frames, &wanted)?;
    Some(format!("the answer to its Process.wait was that a child exited with {code}"))
}

/// The first exit code of a failure that a cell was told by `Process.wait` and that nobody wanted; `None` for a cell that
/// serves that method.
fn told(frames: &[Frame], wanted: &BTreeSet<i64>) -> Option<i64> {
    let mut waits = BTreeSet::new();
    let mut failed = None;
    for Frame { direction, message, .. } in frames {
        match (message, direction) {
            (Message::Call(call), direction) if (call.interface_id, call.method_id) == WAIT => {
                match direction {
                    Direction::Up => drop(waits.insert(call.question)),
                    Direction::Down => return None,
                }
            }
            (Message::Return(answer), Direction::Down) if waits.remove(&answer.question) => {
                let code = exit_code(&answer.outcome);
                let is_failure =
                    |code: &i64| *code != 0 && *code != i64::from(KILLED) && !wanted.contains(code);
                failed = failed.or(code.filter(is_failure));
            }
            _ => {}
        }
    }
    failed
}

/// The one field of `Process.wait`'s results.
fn exit_code(outcome: &Outcome) -> Option<i64> {
    match outcome {
        Outcome::Results(payload) => match &payload.value {
            Value::Struct(fields) => match fields.first() {
                Some((_, Value::Int(code))) => Some(*code),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// A child that nobody asked for.
fn left_alone(evidence: &Evidence<'_>, parent: &CellFacts) -> Option<String> {
    if evidence.damage.is_done || parent.leave.may_leave_children {
        return None;
    }
    let of_parent = |cell: &&CellFacts| cell.parent == Some(parent.id) && !cell.is_detached;
    let children: Vec<&CellFacts> = evidence.cells.iter().filter(of_parent).collect();
    children.iter().find_map(|child| {
        let exit = child.exit.as_ref()?;
        let EndHandling { awaited, killed, ended_with_parent } = child.care;
        if awaited || killed {
            return None;
        }
        let name = &child.name;
        match &exit.cause {
            Cause::Killed if ended_with_parent => {
                return Some(format!(
                    "its child {name} still ran: nobody had waited for it or killed it, and it was killed with its parent"
                ));
            }
            // Somebody other than its parent killed it.
            Cause::Killed => return None,
            Cause::Exited if exit.code == 0 => {}
            Cause::Exited | Cause::Trapped(_) if parent.leave.children_may_fail || child.is_end_wanted => {}
            Cause::Exited => {
                return Some(format!(
                    "its child {name} exited with {}, and nobody asked for that",
                    exit.code
                ));
            }
            Cause::Trapped(trap) => {
                return Some(format!("its child {name} trapped ({}), and nobody asked for that", trap.class));
            }
        }
        let alike = children.iter().filter(|other| other.component == child.component);
        let (asked, all) = (alike.clone().filter(|other| other.care.awaited).count(), alike.count());
        (asked > 0).then(|| {
            format!("nobody waited for its child {name}: {asked} of its {all} children of that component were waited for")
        })
    })
}
