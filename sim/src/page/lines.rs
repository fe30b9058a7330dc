//! Everything of a run that is no message and worth a line: births and ends, faults, calls at their servers, output.

use super::{Index, Texts};
use crate::run::Run;
use crate::transcript::Names;
use std::collections::{BTreeMap, BTreeSet};
use wavetank::{Event, PipeId};
use wavetank_page::model::{Note, NoteKind};

pub(super) fn notes(run: &Run, index: &Index, names: &Names, texts: &mut Texts) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut output = Output::of(run);
    for (at, event) in run.transcript.events.iter().enumerate() {
        let step = index.step_of(at);
        if let Event::Wrote { pipe, bytes } = event {
            let lane = index.ends.get(pipe).map_or(-1, |ends| ends.0 as i32);
            for (kind, line) in output.push(*pipe, bytes) {
                notes.push(Note { kind, step, lane, text: texts.place(&line) });
            }
            continue;
        }
        if let Some((kind, lane)) = kind_of(event, index) {
            notes.push(Note { kind, step, lane, text: texts.place(&names.event(event)) });
        }
    }
    for (place, step) in run.transcript.steps.iter().enumerate() {
        if step.moved.kind().is_fault() {
            let text = texts.place(&format!("injected: {}", names.moved(step.moved)));
            let lane = index.lane_of(step.moved);
            notes.push(Note { kind: NoteKind::Fault, step: place as u64 + 1, lane, text });
        }
    }
    let last = run.transcript.steps.len() as u64;
    for (pipe, kind, line) in output.rest() {
        let lane = index.ends.get(&pipe).map_or(-1, |ends| ends.0 as i32);
        notes.push(Note { kind, step: last, lane, text: texts.place(&line) });
    }
    if let Some(moved) = run.broke_off {
        let text = texts.place(&format!("a panic in the next step: {}", names.moved(moved)));
        notes.push(Note { kind: NoteKind::Fault, step: last, lane: index.lane_of(moved), text });
    }
    notes.sort_by_key(|note| note.step);
    notes
}

/// The kind of an event's note and its lane; `None` if the event gets no note.
fn kind_of(event: &Event, index: &Index) -> Option<(NoteKind, i32)> {
    let server = |gate| index.servers.get(gate).map_or(index.host as i32, |lane| *lane as i32);
    Some(match event {
        Event::VatBorn { vat: actor, .. } | Event::CellBorn { cell: actor, .. } => {
            (NoteKind::Born, index.lane(*actor))
        }
        Event::CellEnded { cell, .. } => (NoteKind::Ended, index.lane(*cell)),
        Event::TrappedByOrder { cell } | Event::MemoryRefused { cell } => {
            (NoteKind::Fault, index.lane(*cell))
        }
        Event::SpawnFailed { parent } | Event::SpawnSlowed { parent, .. } => {
            (NoteKind::Fault, index.lane(*parent))
        }
        Event::CallCut { gate } => (NoteKind::Fault, server(gate)),
        Event::Ended { pipe, .. } | Event::HalfBroken { pipe, .. } | Event::Withheld { pipe, .. } => {
            (NoteKind::Fault, index.ends.get(pipe).map_or(-1, |ends| ends.1 as i32))
        }
        Event::Cancelled { gate } => (NoteKind::Dropped, server(gate)),
        Event::IoDropped { .. } => (NoteKind::Dropped, -1),
        Event::Closed { pipe, .. } | Event::Reset { pipe, .. } => {
            (NoteKind::Closed, index.ends.get(pipe).map_or(-1, |ends| ends.0 as i32))
        }
        Event::LinkEnded { .. } => (NoteKind::Closed, -1),
        Event::Called { gate, .. } | Event::Done { gate } => (NoteKind::Call, server(gate)),
        Event::Asked { .. } => (NoteKind::Call, index.host as i32),
        Event::IoBegun { .. } | Event::IoEnded { .. } => (NoteKind::Call, -1),
        _ => return None,
    })
}

/// The stdout and stderr of the cells, line by line.
struct Output {
    stdout: BTreeSet<PipeId>,
    stderr: BTreeSet<PipeId>,
    partial: BTreeMap<PipeId, Vec<u8>>,
}

impl Output {
    fn of(run: &Run) -> Self {
        let cells = &run.facts.cells;
        Output {
            stdout: cells.iter().filter_map(|cell| cell.stdout()).collect(),
            stderr: cells.iter().filter_map(|cell| cell.stderr()).collect(),
            partial: BTreeMap::new(),
        }
    }

    fn kind(&self, pipe: PipeId) -> Option<NoteKind> {
        if self.stdout.contains(&pipe) {
            Some(NoteKind::Stdout)
        } else {
            self.stderr.contains(&pipe).then_some(NoteKind::Stderr)
        }
    }

    /// The lines that these bytes complete.
    fn push(&mut self, pipe: PipeId, bytes: &[u8]) -> Vec<(NoteKind, String)> {
        let Some(kind) = self.kind(pipe) else { return Vec::new() };
        let held = self.partial.entry(pipe).or_default();
        let mut lines = Vec::new();
        for &byte in bytes {
            if byte == b'\n' {
                lines.push((kind, String::from_utf8_lossy(held).into_owned()));
                held.clear();
            } else {
                held.push(byte);
            }
        }
        lines
    }

    /// What stands behind the last line ends.
    fn rest(&self) -> Vec<(PipeId, NoteKind, String)> {
        let mut rest = Vec::new();
        for (pipe, held) in self.partial.iter().filter(|(_, held)| !held.is_empty()) {
            if let Some(kind) = self.kind(*pipe) {
                rest.push((*pipe, kind, String::from_utf8_lossy(held).into_owned()));
            }
        }
        rest
    }
}
