//! Rest: whether a world in which nothing can happen any more has finished, or somebody still waits; and then who
//! waits for what, and whose fault that is.
//!
//! The graph is told whole, since a stall has many sides (G04, G06, G09 and H01 of the catalogue of bugs: a call
//! that never leaves, a writer left out of the poll set, a log that nobody reads, a peer that never speaks).
//! Whose fault it is follows from what could have gone on and did not, the surest sign first: a cell that did not flush
//! what it wrote, one that was not
//! woken, one that leaves bytes or budget unused, a call that its server holds, one that its guest does not
//! answer; then whoever the last to wait waits for.

use super::{Blame, CellFacts, Evidence, TaskFacts};
use crate::calls::PEER_SCHEMA;
use crate::executor::Whose;
use crate::frames::{Direction, Message};
use crate::ledger::{Entry, Ledger, QuestionState};
use crate::outcome::{Wait, WaitGraph};
use crate::transcript::LinkFrames;
use std::collections::BTreeMap;
use wavetank::peer::{BYTE_STREAM, Method, PROCESS};
use wavetank::pipe::PipeView;
use wavetank::{ActorId, Blocked, Event, GateId, Role};

/// The wait-for graph of a world at rest; `None` where all cells and tasks have ended.
pub(crate) fn stalled(evidence: &Evidence<'_>) -> Option<WaitGraph> {
    let living: Vec<&CellFacts> = evidence.cells.iter().filter(|cell| cell.exit.is_none()).collect();
    // A link between two vats has no end of its own.
    let must_end = |task: &&TaskFacts| task.whose != Whose::Host(Role::BetweenVats);
    if living.is_empty() && !evidence.tasks.iter().any(|task| must_end(&task)) {
        return None;
    }
    let on = |blocked: &Blocked| match *blocked {
        Blocked::Reading(id) => format!("bytes from {}", evidence.pipe_name(id)),
        Blocked::Writing(id) => format!("budget for {}", evidence.pipe_name(id)),
        Blocked::Until(at_ns) => format!("the time {at_ns} ns"),
    };
    let waits = living
        .iter()
        .map(|cell| Wait { who: cell.name.to_string(), on: cell.blocked.iter().map(on).collect() });
    let pipes =
        living.iter().flat_map(|cell| &cell.pipes).filter_map(|id| holding(&evidence.pipes[id.index()]));
    // A living cell's own task, its link's and its streams' say nothing that the cell does not say.
    let is_said =
        |task: &TaskFacts| served_by(task).is_some_and(|served| living.iter().any(|cell| cell.id == served));
    let tasks = evidence.tasks.iter().filter(must_end).filter(|task| !is_said(task));
    let owed: Vec<Owed<'_>> = owed(evidence.links);
    Some(WaitGraph {
        steps: evidence.steps.len() as u64,
        blame: blame(evidence, &living, &owed),
        cells: waits.collect(),
        calls: owed.iter().map(Owed::line).collect(),
        pipes: pipes.collect(),
        tasks: tasks.map(|task| format!("task {:?} has not ended", task.name)).collect(),
    })
}

/// The cell, or the vat at the far end of a link, for which a task of the host works.
fn served_by(task: &TaskFacts) -> Option<ActorId> {
    match task.whose {
        Whose::Host(Role::Cell(actor) | Role::LinkOf(actor) | Role::StdioOf(actor)) => Some(actor),
        _ => None,
    }
}

fn holding(pipe: &PipeView) -> Option<String> {
    let PipeView { name, staged_bytes, unflushed_bytes, visible_bytes, budget_bytes, .. } = pipe;
    let held = staged_bytes + visible_bytes;
    if held == 0 && !pipe.writer_waits {
        return None;
    }
    let reader = match (pipe.reader_open, pipe.reader_waits) {
        (false, _) => ", its reader is gone",
        (true, false) => ", nobody reads it",
        (true, true) => "",
    };
    let unflushed = match unflushed_bytes {
        0 => String::new(),
        bytes => format!(", {bytes} of them were never flushed"),
    };
    Some(format!("{name} holds {held} bytes{unflushed}, budget {budget_bytes}{reader}"))
}

/// A call that was asked and not answered, on a connection that is up.
struct Owed<'a> {
    link: &'a LinkFrames,
    asker: Direction,
    id: u32,
    call: String,
}

impl Owed<'_> {
    fn line(&self) -> String {
        let (debtor, creditor) = match self.asker {
            Direction::Up => ("the host", &*self.link.cell),
            Direction::Down => (&*self.link.cell, "the host"),
        };
        format!("{debtor} owes {creditor} the answer to q{} {}", self.id, self.call)
    }
}

fn owed(links: &[LinkFrames]) -> Vec<Owed<'_>> {
    let mut owed = Vec::new();
    for link in links {
        let mut ledger = Ledger::default();
        link.frames.iter().for_each(|frame| ledger.apply(frame));
        if ledger.is_aborted() {
            continue;
        }
        for entry in ledger.open() {
            if let Entry::Question { asker, id, call, state: QuestionState::Asked, .. } = entry {
                owed.push(Owed { link, asker, id, call });
            }
        }
    }
    owed
}

fn blame(evidence: &Evidence<'_>, living: &[&CellFacts], owed: &[Owed<'_>]) -> Blame {
    unflushed(evidence, living)
        .or_else(|| asleep(evidence, living))
        .or_else(|| idle(evidence, living))
        .or_else(|| held_call(evidence))
        .or_else(|| unanswered(evidence, living, owed))
        .or_else(|| last_to_wait(evidence, living))
        .or_else(|| scenarios_task(evidence))
        .unwrap_or(Blame::Tank)
}

/// A cell that waits, and has written what it did not flush: its host may keep that for ever.
fn unflushed(evidence: &Evidence<'_>, living: &[&CellFacts]) -> Option<Blame> {
    let keeps =
        |cell: &&&CellFacts| cell.pipes.iter().any(|pipe| evidence.pipes[pipe.index()].unflushed_bytes > 0);
    living.iter().find(keeps).map(|cell| cell.blame())
}

/// Who waits for what is there was not woken.
fn asleep(evidence: &Evidence<'_>, living: &[&CellFacts]) -> Option<Blame> {
    let came = |blocked: &Blocked| match *blocked {
        Blocked::Reading(pipe) => evidence.visible_bytes(pipe) > 0,
        Blocked::Writing(pipe) => {
            let pipe = &evidence.pipes[pipe.index()];
            pipe.budget_bytes > 0 && pipe.staged_bytes == 0
        }
        Blocked::Until(_) => false,
    };
    living.iter().any(|cell| cell.blocked.iter().any(came)).then_some(Blame::Tank)
}

/// A cell that does not wait for its link though bytes are visible there, or that has budget for the rest of a
/// frame that it began, or for what it was once refused to write, and does not write it.
fn idle(evidence: &Evidence<'_>, living: &[&CellFacts]) -> Option<Blame> {
    let idles = |cell: &&&CellFacts| {
        let Some((link, up, down)) = cell.link else { return false };
        let begun =
            evidence.links.iter().find(|of| of.link == link).is_some_and(|of| of.pending_up_bytes > 0);
        let leaves_bytes =
            evidence.visible_bytes(down) > 0 && !cell.blocked.contains(&Blocked::Reading(down));
        let up_view = &evidence.pipes[up.index()];
        let leaves_budget = (begun || up_view.writer_refused)
            && up_view.budget_bytes > 0
            && !cell.blocked.contains(&Blocked::Writing(up));
        leaves_bytes || leaves_budget
    };
    living.iter().find(idles).map(|cell| cell.blame())
}

/// A call that came in at a server of the host and is not done. What waits for a cell by its nature is left to
/// that cell.
fn held_call(evidence: &Evidence<'_>) -> Option<Blame> {
    let (interface, method) = open_calls(evidence)
        .into_values()
        .find(|(interface, _)| ![PROCESS, BYTE_STREAM].contains(interface))?;
    Some(Blame::Capability(PEER_SCHEMA.method_name(interface, method)))
}

/// Calls at their servers, by gate.
fn open_calls(evidence: &Evidence<'_>) -> BTreeMap<GateId, Method> {
    let mut open = BTreeMap::new();
    for event in evidence.events {
        match event {
            Event::Called { gate, interface, method, .. } => {
                open.insert(*gate, (*interface, *method));
            }
            Event::Done { gate } | Event::Cancelled { gate } => {
                open.remove(gate);
            }
            _ => {}
        }
    }
    open
}

/// A cell that was asked, has read all there was, and waits for more instead of answering.
fn unanswered(evidence: &Evidence<'_>, living: &[&CellFacts], owed: &[Owed<'_>]) -> Option<Blame> {
    let owes = |cell: &&&CellFacts| {
        let Some((link, _, down)) = cell.link else { return false };
        let down = &evidence.pipes[down.index()];
        let asked = |owed: &Owed<'_>| owed.link.link == link && owed.asker == Direction::Down;
        down.visible_bytes + down.staged_bytes == 0 && owed.iter().any(asked)
    };
    // The youngest first: an elder may owe its answer because of it.
    living.iter().rev().find(owes).map(|cell| cell.blame())
}

/// The youngest cell that lives waits for somebody: nobody younger is left to wait for.
fn last_to_wait(evidence: &Evidence<'_>, living: &[&CellFacts]) -> Option<Blame> {
    let cell = living.last()?;
    let Some((link, up, down)) = cell.link else { return Some(starter_of(evidence, cell)) };
    let frames = evidence.links.iter().find(|of| of.link == link).map_or(&[][..], |of| &of.frames);
    let asked = frames.iter().any(|frame| {
        frame.direction == Direction::Up
            && matches!(frame.message, Message::Bootstrap { .. } | Message::Call(_))
    });
    let waits_for = |of: &dyn Fn(Blocked) -> bool| cell.blocked.iter().any(|&blocked| of(blocked));
    if waits_for(&|blocked| blocked == Blocked::Reading(down)) && asked {
        // It has the answers to all it asked, and neither asks nor ends.
        return Some(cell.blame());
    }
    if waits_for(&|blocked| blocked == Blocked::Writing(up)) {
        return None;
    }
    Some(starter_of(evidence, cell))
}

/// Who must end a cell that serves, or that waits for bytes or a reader of its stdio: whoever started it.
fn starter_of(evidence: &Evidence<'_>, cell: &CellFacts) -> Blame {
    match cell.parent.and_then(|parent| evidence.cell(parent)).filter(|parent| parent.exit.is_none()) {
        Some(parent) => parent.blame(),
        None => Blame::Scenario(format!("nobody ends {} or gives it what it waits for", cell.name)),
    }
}

fn scenarios_task(evidence: &Evidence<'_>) -> Option<Blame> {
    let task = evidence.tasks.iter().find(|task| task.whose == Whose::Scenario)?;
    Some(Blame::Scenario(format!("its task {:?} has not ended", task.name)))
}
