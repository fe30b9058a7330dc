//! Rest: whether a world in which nothing can happen any more has finished, or somebody still waits.

use crate::calls::PEER_SCHEMA;
use crate::executor::{Executor, Whose};
use crate::frames::Direction;
use crate::ledger::{Entry, Ledger, QuestionState};
use crate::outcome::{Wait, WaitGraph};
use crate::transcript::Transcript;
use wavetank::cell::Cell;
use wavetank::link::BETWEEN_VATS;
use wavetank::pipe::PipeView;
use wavetank::{Blocked, Tank};

/// The wait-for graph of a world at rest; `None` where all cells and tasks have ended.
pub(crate) fn stalled(tank: &Tank, executor: &Executor, transcript: &Transcript) -> Option<WaitGraph> {
    let cells = tank.cells();
    let living: Vec<&Cell> = cells.iter().filter(|cell| cell.exit().is_none()).collect();
    // A link between two vats has no end of its own.
    let must_end = |name: &str, whose| whose == Whose::Scenario || !name.starts_with(BETWEEN_VATS);
    if living.is_empty() && !executor.waiting().any(|(name, whose)| must_end(name, whose)) {
        return None;
    }
    let fabric = tank.fabric();
    let pipe = |id| fabric.pipe(id);
    let on = |blocked: Blocked| match blocked {
        Blocked::Reading(id) => format!("bytes from {}", pipe(id).name),
        Blocked::Writing(id) => format!("budget for {}", pipe(id).name),
        Blocked::Until(at_ns) => format!("the time {at_ns} ns"),
    };
    let waits = living.iter().map(|cell| Wait {
        who: cell.name().to_string(),
        on: fabric.blocked(cell.id()).into_iter().map(on).collect(),
    });
    let pipes = living.iter().flat_map(|cell| cell.pipes()).filter_map(|&id| holding(&pipe(id)));
    // A living cell's own task, its link's and its streams' say nothing that the cell does not say.
    let of_living = |name: &str| living.iter().any(|cell| name.ends_with(&**cell.name()));
    let said = |name: &str, whose| whose == Whose::Host && of_living(name);
    let tasks = executor.waiting().filter(|&(name, whose)| must_end(name, whose) && !said(name, whose));
    Some(WaitGraph {
        steps: transcript.steps.len() as u64,
        cells: waits.collect(),
        calls: owed(transcript),
        pipes: pipes.collect(),
        tasks: tasks.map(|(name, _)| format!("task {name:?} has not ended")).collect(),
    })
}

fn holding(pipe: &PipeView) -> Option<String> {
    let PipeView { name, staged_bytes, visible_bytes, budget_bytes, .. } = pipe;
    let held = staged_bytes + visible_bytes;
    if held == 0 && !pipe.writer_waits {
        return None;
    }
    let reader = match (pipe.reader_open, pipe.reader_waits) {
        (false, _) => ", its reader is gone",
        (true, false) => ", nobody reads it",
        (true, true) => "",
    };
    Some(format!("{name} holds {held} bytes, budget {budget_bytes}{reader}"))
}

/// Calls that were asked and not answered, by link.
fn owed(transcript: &Transcript) -> Vec<String> {
    let mut lines = Vec::new();
    for link in transcript.frames(&PEER_SCHEMA) {
        let mut ledger = Ledger::default();
        for frame in &link.frames {
            ledger.apply(frame);
        }
        for entry in ledger.open() {
            if let Entry::Question { asker, id, call, state: QuestionState::Asked } = entry {
                let (debtor, creditor) = match asker {
                    Direction::Up => ("the host", &*link.cell),
                    Direction::Down => (&*link.cell, "the host"),
                };
                lines.push(format!("{debtor} owes {creditor} the answer to q{id} {call}"));
            }
        }
    }
    lines
}
