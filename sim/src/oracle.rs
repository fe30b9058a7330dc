//! Oracles: what judges a run from outside.
//!
//! An oracle is a function of plain [`Evidence`] that gives a [`Finding`] or nothing. All are on by default, and
//! a finding says whose fault it is. What they hold true:
//!
//! | oracle | holds true | looked at | left out with |
//! |---|---|---|---|
//! | `rest` | nobody still waits when nothing can happen any more; else a stall with its [wait-for graph](crate::outcome::WaitGraph) | at rest | |
//! | [`livelock`] | who is woken consumes something, who burns fuel gets somewhere, and progress needs no timer | after each step | [`keeps_time`], [`quiet_fuel`] |
//! | [`blocking`] | nobody blocks elsewhere while its link has bytes to read | where only time could pass, and at rest | |
//! | [`bytes`] | what was written into a pipe is read, lost with its reader, or still there | at rest | |
//! | [`budget`] | no pipe holds more than it may, and no write was longer than what was granted | at rest | |
//! | [`flood`] | the record of a run stays below what one may take | after each step | [`max_record_bytes`] |
//! | [`fuel`] | no cell burns more than its limit, and one that ran out burned all of it | at rest | |
//! | [`orphans`] | no cell outlives its parent unless it was told to | at rest | `detached` |
//! | [`order`] | calls on one capability reach their server in the order in which they were sent | at rest | |
//! | [`resources`] | a cell that exits has given its resources back | once it rests | |
//! | [`ledger`] | each call has one return, each question is finished, no id is used after its release, no frame is cut short | once it rests | |
//! | [`exit`] | expectations hold, and who exits with 0 had no failed link and no unhandled exception | once it rests | [`may_fail`] |
//! | `invariant` | what the scenario says with [`World::invariant`] | after each step | |
//!
//! A guest's trap is an outcome of its own and comes first: what else is wrong then follows from it. Where a run
//! was damaged on purpose, the cells that were struck and their whole families are not held to `resources`,
//! `ledger`, `exit` and what was expected of them.
//!
//! [`keeps_time`]: crate::world::CellBuilder::keeps_time
//! [`may_fail`]: crate::world::CellBuilder::may_fail
//! [`max_record_bytes`]: crate::Setup::max_record_bytes
//! [`quiet_fuel`]: crate::Limits::quiet_fuel
//! [`World::invariant`]: crate::World::invariant

pub mod blocking;
pub mod budget;
pub mod bytes;
pub mod exit;
pub mod flood;
pub mod fuel;
pub mod ledger;
pub mod livelock;
pub mod order;
pub mod orphans;
pub mod resources;
pub(crate) mod rest;
#[cfg(test)]
mod tests;

use crate::executor::Whose;
use crate::run::Run;
use crate::transcript::{LinkFrames, Step};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use wavetank::cell::{Cause, ExitRecord, Limits, Transport};
use wavetank::pipe::PipeView;
use wavetank::{ActorId, Blocked, Event, LinkId, PipeId};

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which oracle saw it.
    pub oracle: &'static str,
    /// The cell, pipe or link that it was seen at.
    pub who: String,
    /// Whose fault it is.
    pub blame: Blame,
    /// What was seen, in one sentence.
    pub what: String,
    /// More of it, a line each.
    pub detail: Vec<String>,
}

/// Whose fault something is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// A guest's, by the name of its cell.
    Guest(String),
    /// A capability's that the host serves, as `Executor.runBytes`.
    Capability(String),
    /// The scenario's: what it says of it.
    Scenario(String),
    /// The tank's, or the wave maker's.
    Tank,
    /// A library's below.
    Library(&'static str),
    /// Nobody's: it follows from a fault that was injected.
    Fault(String),
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Blame::Guest(cell) => write!(f, "the guest {cell}"),
            Blame::Capability(call) => write!(f, "the host's own capability {call}"),
            Blame::Scenario(what) => write!(f, "the scenario: {what}"),
            Blame::Tank => f.write_str("the tank"),
            Blame::Library(name) => f.write_str(name),
            Blame::Fault(fault) => write!(f, "the fault that was injected: {fault}"),
        }
    }
}

/// What oracles judge from. All of it is public, so that a test can show them something else than what happened.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The moves.
    pub steps: &'a [Step],
    /// What happened, in order.
    pub events: &'a [Event],
    /// The frames of each link, in order of the links' birth.
    pub links: &'a [LinkFrames],
    /// Every cell, in order of birth.
    pub cells: &'a [CellFacts],
    /// Every pipe, by its id.
    pub pipes: &'a [PipeView],
    /// Tasks that have not ended.
    pub tasks: &'a [TaskFacts],
    /// Cells that damage was done to on purpose.
    pub struck: &'a BTreeSet<ActorId>,
}

/// How a world stood at its end, beside its transcript.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Every cell, in order of birth.
    pub cells: Vec<CellFacts>,
    /// Every pipe, by its id.
    pub pipes: Vec<PipeView>,
    /// Tasks that have not ended.
    pub tasks: Vec<TaskFacts>,
    /// Cells that damage was done to on purpose.
    pub struck: BTreeSet<ActorId>,
}

/// A cell at the end.
#[derive(Clone, Debug)]
pub struct CellFacts {
    /// Its id.
    pub id: ActorId,
    /// Its name.
    pub name: Arc<str>,
    /// The cell that asked for it.
    pub parent: Option<ActorId>,
    /// Whether the scenario itself started it.
    pub is_scenarios: bool,
    /// Where its RPC runs.
    pub transport: Transport,
    /// How much it may use.
    pub limits: Limits,
    /// Its pipes: stdin, stdout and stderr, then the connection's.
    pub pipes: Vec<PipeId>,
    /// Its link: the link's id, the pipe to the host and the pipe to the cell.
    pub link: Option<(LinkId, PipeId, PipeId)>,
    /// How it ended.
    pub exit: Option<ExitRecord>,
    /// The blocking import that it is inside.
    pub blocked_in: Option<&'static str>,
    /// What it waits for there.
    pub blocked: Vec<Blocked>,
    /// Whether it may exit with 0 though something failed.
    pub may_fail: bool,
}

/// A task that has not ended.
#[derive(Clone, Debug)]
pub struct TaskFacts {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub whose: Whose,
}

impl<'a> Evidence<'a> {
    /// What a run left. `links` are its [frames](Run::frames).
    pub fn of(run: &'a Run, links: &'a [LinkFrames]) -> Self {
        Evidence {
            steps: &run.transcript.steps,
            events: &run.transcript.events,
            ..Self::from_facts(&run.facts, links)
        }
    }

    pub(crate) fn from_facts(facts: &'a Facts, links: &'a [LinkFrames]) -> Self {
        let Facts { cells, pipes, tasks, struck } = facts;
        Evidence { steps: &[], events: &[], links, cells, pipes, tasks, struck }
    }

    /// A cell by its id.
    pub fn cell(&self, id: ActorId) -> Option<&'a CellFacts> {
        self.cells.binary_search_by_key(&id, |cell| cell.id).ok().map(|index| &self.cells[index])
    }

    /// The cell at the far end of a link; `None` between two vats.
    pub fn cell_of(&self, link: LinkId) -> Option<&'a CellFacts> {
        self.cells.iter().find(|cell| cell.link.is_some_and(|(id, ..)| id == link))
    }

    /// A pipe's name.
    pub fn pipe_name(&self, pipe: PipeId) -> String {
        self.pipes.get(pipe.index()).map_or_else(|| pipe.to_string(), |pipe| pipe.name.to_string())
    }

    /// Bytes of a pipe that could be read now.
    pub fn visible_bytes(&self, pipe: PipeId) -> usize {
        self.pipes.get(pipe.index()).map_or(0, |pipe| pipe.visible_bytes)
    }

    /// Whether damage was done to a cell, or to one of its family: the tree of parents and children.
    pub fn is_struck(&self, cell: &CellFacts) -> bool {
        let family = |cell| self.root(cell);
        !self.struck.is_empty() && {
            let of = family(cell.id);
            self.struck.iter().any(|&struck| family(struck) == of)
        }
    }

    fn root(&self, mut cell: ActorId) -> ActorId {
        // Parents are born first: this comes to an end.
        while let Some(parent) = self.cell(cell).and_then(|cell| cell.parent).filter(|&parent| parent < cell)
        {
            cell = parent;
        }
        cell
    }

    /// The first finding of those oracles that hold at any rest, a stall included.
    pub(crate) fn wrong(&self) -> Option<Finding> {
        let judges =
            [bytes::judge, budget::judge, fuel::judge, orphans::judge, order::judge, blocking::judge];
        judges.iter().find_map(|judge| judge(self))
    }

    /// The first finding of those oracles that look at what is left when all have ended.
    pub(crate) fn left(&self) -> Option<Finding> {
        [resources::judge, ledger::judge, exit::judge].iter().find_map(|judge| judge(self))
    }
}

impl CellFacts {
    /// Whether it ended by itself: neither trapped nor killed.
    pub fn exited(&self) -> Option<&ExitRecord> {
        self.exit.as_ref().filter(|exit| exit.cause == Cause::Exited)
    }

    fn blame(&self) -> Blame {
        Blame::Guest(self.name.to_string())
    }
}
