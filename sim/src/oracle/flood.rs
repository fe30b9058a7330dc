//! Flood: a run whose record grows without end.
//!
//! All bytes and events are kept until a run is over. So a guest that logs for ever, or passes calls to and fro for
//! ever, would fill the machine's memory long before its fuel or the steps are used up. Like a livelock, such a run
//! never comes to rest and is looked for after each step.

use super::{Blame, CellFacts, Evidence, Finding, Oracle};
use std::collections::BTreeMap;
use wavetank::{ActorId, Event, PipeId};

/// Bytes that one event takes, about, apart from the bytes that it holds.
const EVENT_BYTES: u64 = 64;

/// Bytes that an event takes in the record, about.
pub fn bytes_of(event: &Event) -> u64 {
    match event {
        Event::Wrote { bytes, .. } => EVENT_BYTES + bytes.len() as u64,
        _ => EVENT_BYTES,
    }
}

/// Says who fills the record most.
pub fn judge(evidence: &Evidence<'_>, limit_bytes: u64) -> Finding {
    let owner =
        |pipe: PipeId| evidence.cells.iter().find(|cell| cell.pipes.contains(&pipe)).map(|cell| cell.id);
    let mut of_cells: BTreeMap<ActorId, u64> = BTreeMap::new();
    let mut of_pipes: BTreeMap<PipeId, u64> = BTreeMap::new();
    for event in evidence.events {
        let cell = match event {
            Event::Wrote { pipe, .. } | Event::Read { pipe, .. } => {
                *of_pipes.entry(*pipe).or_default() += bytes_of(event);
                continue;
            }
            Event::HandleBorn { cell, .. } | Event::HandleDropped { cell, .. } => *cell,
            Event::CellBorn { parent: Some(parent), .. } => *parent,
            _ => continue,
        };
        *of_cells.entry(cell).or_default() += bytes_of(event);
    }
    for (&pipe, bytes) in &of_pipes {
        if let Some(cell) = owner(pipe) {
            *of_cells.entry(cell).or_default() += bytes;
        }
    }
    let most = |counts: &BTreeMap<PipeId, u64>| {
        counts.iter().max_by_key(|&(_, bytes)| bytes).map(|(pipe, _)| evidence.pipe_name(*pipe))
    };
    let cell: Option<&CellFacts> =
        of_cells.iter().max_by_key(|&(_, bytes)| bytes).and_then(|(cell, _)| evidence.cell(*cell));
    let pipe = most(&of_pipes).unwrap_or_else(|| "no pipe".into());
    let (who, blame) = match cell {
        Some(cell) => (cell.name.to_string(), cell.blame()),
        None => (pipe.clone(), Blame::Scenario("it goes on without end".into())),
    };
    let what = format!(
        "{who} filled the record of the run, which may take {limit_bytes} bytes; most went through {pipe}"
    );
    Finding { oracle: Oracle::Flood, who, blame, what, detail: Vec::new() }
}
