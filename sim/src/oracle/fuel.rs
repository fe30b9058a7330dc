//! The fuel ledger: no cell burns more than its limit, a cell that ran out of fuel burned all of it, and the fuel in
//! the event of its end equals the fuel in its exit record.
//!
//! Fuel bounds a guest that computes for ever. A budget that is refilled on the way bounds nothing (H09 of the
//! catalogue of bugs, one of 25,000 units that ran 19 million), and one that ends early kills the innocent (H08). Both
//! are the tank's fault.

use super::{Blame, CellFacts, Evidence, Finding, Oracle};
use wavetank::cell::Cause;
use wavetank::{Event, TrapClass};

/// Judges all cells that have ended.
pub fn judge(evidence: &Evidence<'_>) -> Option<Finding> {
    let told = evidence.events.iter().find_map(|event| match event {
        Event::CellEnded { cell, fuel, .. } => {
            let cell = evidence.cell(*cell).filter(|cell| evidence.is_judged(Oracle::Fuel, cell))?;
            let exit = cell.exit.as_ref()?;
            let what =
                || format!("{} burned {fuel} fuel by its end and {} by its record", cell.name, exit.fuel);
            (exit.fuel != *fuel).then(|| finding(cell, what()))
        }
        _ => None,
    });
    let mut judged = evidence.cells.iter().filter(|cell| evidence.is_judged(Oracle::Fuel, cell));
    told.or_else(|| judged.find_map(within_limits))
}

fn within_limits(cell: &CellFacts) -> Option<Finding> {
    let exit = cell.exit.as_ref()?;
    let (burned, limit) = (exit.fuel, cell.limits.fuel);
    if burned > limit {
        return Some(finding(cell, format!("{} burned {burned} fuel, and its limit is {limit}", cell.name)));
    }
    let ran_out = matches!(&exit.cause, Cause::Trapped(trap) if trap.class == TrapClass::OutOfFuel);
    let what = || format!("{} ran out of fuel after {burned} of {limit}", cell.name);
    (ran_out && burned < limit).then(|| finding(cell, what()))
}

fn finding(cell: &CellFacts, what: String) -> Finding {
    Finding { oracle: Oracle::Fuel, who: cell.name.to_string(), blame: Blame::Tank, what, detail: Vec::new() }
}
