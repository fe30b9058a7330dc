//! The oracles by name, and how one is switched off.
//!
//! To add an oracle, add a variant and its line in the table, then call its judge in `oracle.rs`. Panics, traps, stalls
//! and spinning are outcomes of their own and not oracles: they cannot be switched off.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One way of judging a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Oracle {
    /// Progress needs no timer.
    Livelock,
    /// Nobody blocks elsewhere while its link has bytes to read.
    Blocking,
    /// Pipes neither make nor lose bytes.
    Bytes,
    /// Budget is a promise.
    Budget,
    /// The record of a run stays below its limit.
    Flood,
    /// No cell burns more fuel than its limit.
    Fuel,
    /// No cell outlives its parent.
    Orphans,
    /// Calls on one capability keep their order.
    Order,
    /// A cell that exits has leaked no resource.
    Resources,
    /// RPC calls and references balance.
    Ledger,
    /// A guest speaks RPC on its link and not elsewhere.
    Transport,
    /// Exit codes tell the truth.
    Exit,
    /// A cell that exits with 0 has cared for its children.
    Children,
    /// Nothing outside the world decides.
    Outside,
    /// Output holds the text that the scenario expects.
    Output,
    /// Each [`World::invariant`](crate::World::invariant) holds after every step.
    Invariant,
    /// Each assertion of [`Check::each`](crate::check::Check::each) about a run holds.
    Each,
    /// One of the scenario's own, by its name: see [`World::expect_at_rest`](crate::World::expect_at_rest).
    Own(&'static str),
}

/// The scope in which an oracle can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One cell, or a whole world.
    Cell,
    /// A whole world only.
    World,
}

use Oracle as O;
use Scope::{Cell, World};

/// All oracles except the scenario's own, with name and scope.
const TABLE: [(Oracle, &str, Scope); 17] = [
    (O::Livelock, "livelock", Cell),
    (O::Blocking, "blocking", Cell),
    (O::Bytes, "bytes", Cell),
    (O::Budget, "budget", Cell),
    (O::Flood, "flood", World),
    (O::Fuel, "fuel", Cell),
    (O::Orphans, "orphans", Cell),
    (O::Order, "order", Cell),
    (O::Resources, "resources", Cell),
    (O::Ledger, "ledger", Cell),
    (O::Transport, "transport", Cell),
    (O::Exit, "exit", Cell),
    (O::Children, "children", Cell),
    (O::Outside, "outside", World),
    (O::Output, "output", Cell),
    (O::Invariant, "invariant", World),
    (O::Each, "each", World),
];

impl Oracle {
    /// All oracles except the scenario's own.
    pub fn all() -> impl Iterator<Item = Oracle> {
        TABLE.iter().map(|(oracle, ..)| *oracle)
    }

    /// Its name in reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Oracle::Own(name) => name,
            _ => self.line().map_or("", |(_, name, _)| name),
        }
    }

    /// The scope in which it can be switched off.
    pub fn scope(self) -> Scope {
        self.line().map_or(World, |(.., scope)| *scope)
    }

    fn line(self) -> Option<&'static (Oracle, &'static str, Scope)> {
        TABLE.iter().find(|(oracle, ..)| *oracle == self)
    }
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Oracle {
    type Err = UnknownOracle;

    fn from_str(text: &str) -> Result<Self, UnknownOracle> {
        let line = TABLE.iter().find(|(_, name, _)| *name == text);
        line.map(|(oracle, ..)| *oracle).ok_or_else(|| UnknownOracle { name: text.into() })
    }
}

/// A name that no oracle has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown oracle {name:?}: there are {}", Oracle::all().map(Oracle::name).collect::<Vec<_>>().join(", "))]
pub struct UnknownOracle {
    /// The name.
    pub name: String,
}

/// Oracles that are switched off, each with the reason.
pub type SwitchedOff = BTreeMap<Oracle, Arc<str>>;

/// An oracle that was switched off, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotJudged {
    /// The oracle.
    pub oracle: Oracle,
    /// The cell that it did not look at; `None` if it was off for the whole world.
    pub cell: Option<Arc<str>>,
    /// The reason that was given.
    pub reason: Arc<str>,
}

impl fmt::Display for NotJudged {
    /// The text of reports: `resources of pid0 (std keeps its handles)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotJudged { oracle, cell, reason } = self;
        match cell {
            Some(cell) => write!(f, "{oracle} of {cell} ({reason})"),
            None => write!(f, "{oracle} ({reason})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oracle_is_found_by_its_name() {
        for oracle in Oracle::all() {
            assert_eq!(oracle.name().parse(), Ok(oracle));
        }
        let unknown = "resource".parse::<Oracle>().expect_err("it has an s at its end").to_string();
        assert!(unknown.starts_with("unknown oracle \"resource\": there are livelock, "), "{unknown}");
        assert!(unknown.contains("resources"), "{unknown}");
    }
}
