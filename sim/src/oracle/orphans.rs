//! No cell outlives its parent unless it was told to.
//!
//! `Executor.runBytes` of `capnp/peer.capnp`: "A detached child outlives its parent"; all others end with it. A host
//! whose error paths return without ending the cells that they started leaves orphans (H04 of the catalogue of bugs).
//! If a child lives on, it is the tank's fault. If a capability of the host started a cell for nobody, it is that
//! capability's fault. Such a cell is looked for once all cells of the scenario's own have ended.

use super::{Blame, Evidence, Finding, Oracle};
use std::collections::{BTreeMap, BTreeSet};
use wavetank::{ActorId, Event};

/// Judges every end in its order, then the cells that are left.
pub fn judge(evidence: &Evidence<'_>) -> Option<Finding> {
    outlived(evidence).or_else(|| left_alone(evidence))
}

fn outlived(evidence: &Evidence<'_>) -> Option<Finding> {
    let mut living: BTreeMap<ActorId, Option<ActorId>> = BTreeMap::new();
    let mut ended = BTreeSet::new();
    let name = |id: ActorId| evidence.cell(id).map_or_else(|| id.to_string(), |cell| cell.name.to_string());
    let is_judged =
        |id: &ActorId| evidence.cell(*id).is_none_or(|cell| evidence.is_judged(Oracle::Orphans, cell));
    let orphan = |child: ActorId, parent: ActorId, how: &str| {
        let what = format!("{} {how} its parent {}", name(child), name(parent));
        Finding { oracle: Oracle::Orphans, who: name(child), blame: Blame::Tank, what, detail: Vec::new() }
    };
    evidence.events.iter().find_map(|event| match event {
        Event::CellBorn { cell, parent, detached, .. } => {
            let parent = parent.filter(|_| !detached);
            living.insert(*cell, parent);
            let late = parent.filter(|parent| ended.contains(parent) && is_judged(cell));
            late.map(|parent| orphan(*cell, parent, "was born after the end of"))
        }
        Event::CellEnded { cell, .. } => {
            living.remove(cell);
            ended.insert(*cell);
            let orphaned = living.iter().find(|(child, parent)| **parent == Some(*cell) && is_judged(child));
            orphaned.map(|(child, _)| orphan(*child, *cell, "outlives"))
        }
        _ => None,
    })
}

fn left_alone(evidence: &Evidence<'_>) -> Option<Finding> {
    if evidence.cells.iter().any(|cell| cell.is_scenarios && cell.exit.is_none()) {
        return None;
    }
    let alone = |cell: &&super::CellFacts| cell.parent.is_none() && !cell.is_scenarios && cell.exit.is_none();
    let mut judged = evidence.cells.iter().filter(|cell| evidence.is_judged(Oracle::Orphans, cell));
    judged.find(alone).map(|cell| Finding {
        oracle: Oracle::Orphans,
        who: cell.name.to_string(),
        blame: Blame::Capability { vat: None, call: format!("that started {}", cell.name) },
        what: format!("{} lives on, and all cells that the scenario started have ended", cell.name),
        detail: Vec::new(),
    })
}
