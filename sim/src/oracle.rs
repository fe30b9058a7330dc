//! Oracles: they judge a run from outside.
//!
//! An oracle is a function of plain [`Evidence`] that returns a [`Finding`] or nothing. All oracles are on by default.
//! A finding says whose fault it is. [`Oracle`] names the oracles. Each of them checks one rule:
//!
//! | oracle | rule | when it looks | exceptions |
//! |---|---|---|---|
//! | (rest) | nobody still waits when nothing can happen any more; else it is a stall with its [wait-for graph](crate::outcome::WaitGraph) | at rest | |
//! | [`livelock`] | a task that is woken consumes something, a cell that burns fuel gets somewhere, and progress needs no timer | after each step | [`keeps_time`], [`quiet_fuel`] |
//! | [`blocking`] | nobody blocks elsewhere while its link has bytes to read | when only time could pass, and at rest | |
//! | [`bytes`] | bytes written into a pipe are read, lost with its reader, or still there | at rest | |
//! | [`budget`] | no pipe holds more than it may, and no write was longer than its grant | at rest | |
//! | [`flood`] | the record of a run stays below its limit | after each step | [`max_record_bytes`] |
//! | [`fuel`] | no cell burns more than its limit, and one that ran out burned all of it | at rest | |
//! | [`orphans`] | no cell outlives its parent unless it was told to | at rest | `detached` |
//! | [`order`] | calls on one capability reach their server in the order in which they were sent | at rest | |
//! | [`resources`] | a cell that exits has kept nothing of its link, and nothing that grows with use | once it rests | |
//! | [`ledger`] | each call has one return, each question is finished, no id is used after its release, no frame is cut short | once it rests | |
//! | [`transport`] | a guest speaks RPC on its link and not elsewhere; if the scenario expects RPC, a call was answered | at rest | |
//! | [`exit`] | expectations hold, and a cell that exits with 0 had no failed link and no unhandled exception | once it rests | [`may_fail`] |
//! | [`children`] | a cell that exits with 0 had no failed child and left none alone | once it rests | [`children_may_fail`], [`may_leave_children`] |
//! | [`outside`] | nothing outside the world decides: no other thread, and no random order of a runtime beside it | after each step, and at rest | |
//! | `output` | stdout and stderr hold the text that the scenario expects | once it rests | |
//! | `invariant` | each [`World::invariant`] of the scenario holds | after each step | |
//! | `each` | each assertion of [`Check::each`] holds | after a run that finished | |
//!
//! A guest's trap is an outcome of its own. At rest it comes before every finding except `transport`, because other
//! findings then follow from it.
//!
//! **Damage** excuses its possible effects. The dependencies between parties cannot be seen from outside. So in a
//! damaged world nobody is held to `ledger`, `transport`, `exit`, the children that it left, and the expectations of
//! the scenario: it may have passed an error on or ended early. A Rust guest that panics on an error (`unwrap`, and so
//! any `unreachable`) also counts as an early end. Some things are never excused: orphans; a leak; a child's failure
//! that its parent was told and kept to itself; and a trap of the guest's own making. Such a trap is one that [breaks a
//! rule](wavetank::TrapClass::is_misuse) of WASI or of the component model, or any other but `unreachable`. The cells
//! that were [struck](Damage::struck) themselves are held to those rules only.
//!
//! **Switching off.** Each oracle can be switched off, with a reason that reports print: for a cell and its children
//! ([`CellBuilder::without`]), a world ([`World::without`]) or a check ([`Check::without`]), and on the command line
//! with `--without NAME=REASON`. This hides the findings of that oracle, and nothing else.
//!
//! [`CellBuilder::without`]: crate::world::CellBuilder::without
//! [`World::without`]: crate::World::without
//! [`Check::without`]: crate::check::Check::without
//! [`children_may_fail`]: crate::world::CellBuilder::children_may_fail
//! [`may_leave_children`]: crate::world::CellBuilder::may_leave_children
//! [`keeps_time`]: crate::world::CellBuilder::keeps_time
//! [`may_fail`]: crate::world::CellBuilder::may_fail
//! [`max_record_bytes`]: crate::Setup::max_record_bytes
//! [`quiet_fuel`]: crate::Limits::quiet_fuel
//! [`World::invariant`]: crate::World::invariant
//! [`Check::each`]: crate::check::Check::each

pub mod blocking;
pub mod budget;
pub mod bytes;
pub mod children;
pub mod exit;
pub mod flood;
pub mod fuel;
pub mod ledger;
pub mod livelock;
pub mod order;
pub mod orphans;
pub mod output;
pub mod outside;
pub mod resources;
pub(crate) mod rest;
mod streams;
#[cfg(test)]
mod tests;
pub mod transport;

use crate::executor::TaskOwner;
use crate::transcript::{LinkFrames, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wavetank::cell::{Cause, EndHandling, ExitRecord, Limits, Transport};
use wavetank::pipe::PipeView;
use wavetank::{ActorId, Blocked, Event, Import, LinkId, PipeId, TrapClass};
use wavetank_trace::Schema;

pub use crate::outcome::{Blame, Finding, Party};
pub use crate::switch::{NotJudged, Oracle, Scope, SwitchedOff, UnknownOracle};

/// The evidence that oracles judge from. All of it is public, so that a test can make up evidence of its own.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The moves.
    pub steps: &'a [Step],
    /// The events, in order.
    pub events: &'a [Event],
    /// The frames of each link, in order of the links' birth.
    pub links: &'a [LinkFrames],
    /// Every cell, in order of birth.
    pub cells: &'a [CellFacts],
    /// Every pipe, by its id.
    pub pipes: &'a [PipeView],
    /// Tasks that have not ended.
    pub tasks: &'a [TaskFacts],
    /// The parties at the ends of each link, by the link's id.
    pub ends: &'a [Ends],
    /// The things that were broken on purpose.
    pub damage: &'a Damage,
    /// Oracles that are switched off for the whole world.
    pub without: &'a SwitchedOff,
    /// The schema by which calls are named.
    pub schema: &'a Schema,
}

/// The state of a world at its end, apart from its transcript.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Every cell, in order of birth.
    pub cells: Vec<CellFacts>,
    /// Every pipe, by its id.
    pub pipes: Vec<PipeView>,
    /// Tasks that have not ended.
    pub tasks: Vec<TaskFacts>,
    /// The parties at the ends of each link, by the link's id.
    pub ends: Vec<Ends>,
    /// Bytes of output that the host threw away because nobody had asked for them, by pipe.
    pub discarded_bytes: BTreeMap<PipeId, usize>,
    /// The things that were broken on purpose.
    pub damage: Damage,
    /// Oracles that are switched off for the whole world.
    pub without: SwitchedOff,
    /// The schema by which calls are named.
    pub schema: Arc<Schema>,
}

/// The things that were broken in a world on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Whether anything was.
    pub is_done: bool,
    /// Cells that were trapped or refused memory by order.
    pub struck: BTreeSet<ActorId>,
}

impl Damage {
    /// Whether a cell's trap may follow from the damage: the guest panicked on an error, or the cell was itself struck.
    /// A trap that breaks a rule never follows from damage.
    pub fn excuses(&self, cell: ActorId, trap: TrapClass) -> bool {
        let is_own_making = trap.is_misuse();
        let is_panic = matches!(trap, TrapClass::Unreachable | TrapClass::Ordered);
        self.is_done && !is_own_making && (is_panic || self.struck.contains(&cell))
    }
}

/// The things that a scenario allows a cell to do. Its children inherit them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowances {
    /// It paces itself by the clock.
    pub keeps_time: bool,
    /// It may exit with 0 although something failed.
    pub may_fail: bool,
    /// It may exit with 0 although one of its children failed.
    pub children_may_fail: bool,
    /// It may close the output of a child before the child has ended, and the child may fail for that.
    pub may_close_early: bool,
    /// It may exit with 0 and leave children whose end nobody asked for.
    pub may_leave_children: bool,
    /// Oracles that do not look at it.
    pub without: SwitchedOff,
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
    /// Whether it may outlive its parent.
    pub is_detached: bool,
    /// The SHA-256 of the component that it runs.
    pub component: [u8; 32],
    /// The transport of its RPC.
    pub transport: Transport,
    /// The transport of its RPC according to its component's imports.
    pub imports: Transport,
    /// Its resource limits.
    pub limits: Limits,
    /// Its pipes: stdin, stdout and stderr, then the connection's.
    pub pipes: Vec<PipeId>,
    /// Its link: the link's id, the pipe to the host and the pipe to the cell. `None` if its stdin and stdout turned
    /// out to be its own.
    pub link: Option<(LinkId, PipeId, PipeId)>,
    /// How it ended.
    pub exit: Option<ExitRecord>,
    /// Whether it is a child that the scenario expects to end like this, or whose output was closed early as the scenario
    /// allows.
    pub is_end_wanted: bool,
    /// The blocking import that it is inside.
    pub blocked_in: Option<Import>,
    /// The things that it waits for there.
    pub blocked: Vec<Blocked>,
    /// Whether anybody waited for its end or caused it.
    pub care: EndHandling,
    /// The things that the scenario allows it to do.
    pub leave: Allowances,
}

/// A task that has not ended.
#[derive(Clone, Debug)]
pub struct TaskFacts {
    /// Its name.
    pub name: String,
    /// The vat in whose queue it stands; `None` is the host.
    pub vat: Option<String>,
    /// Who asked for it.
    pub whose: TaskOwner,
}

/// The parties at the ends of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The party at the far end, which asks upward.
    pub far: Party,
    /// The party at the near end.
    pub near: Party,
    /// The pipe that brings calls to the near end.
    pub up: PipeId,
}

impl Ends {
    /// The party that serves a call that came over a pipe of the link.
    pub fn server(&self, over: PipeId) -> &Party {
        if over == self.up { &self.near } else { &self.far }
    }
}

impl Party {
    /// The name of a vat; `None` for the host and for cells.
    pub fn vat(&self) -> Option<String> {
        match self {
            Party::Vat(name) => Some(name.to_string()),
            Party::Host | Party::Cell(_) => None,
        }
    }
}

impl<'a> Evidence<'a> {
    pub(crate) fn from_facts(facts: &'a Facts, links: &'a [LinkFrames]) -> Self {
        let Facts { cells, pipes, tasks, ends, damage, without, schema, discarded_bytes: _ } = facts;
        Evidence { steps: &[], events: &[], links, cells, pipes, tasks, ends, damage, without, schema }
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

    /// Whether a cell was trapped or refused memory by order.
    pub fn is_struck(&self, cell: &CellFacts) -> bool {
        self.damage.struck.contains(&cell.id)
    }

    /// Whether an oracle is to look at a cell.
    pub fn is_judged(&self, oracle: Oracle, cell: &CellFacts) -> bool {
        !cell.leave.without.contains_key(&oracle) && self.is_on(oracle)
    }

    /// Whether an oracle is to look at a pipe. The pipe of a cell is left out with the cell.
    pub fn is_pipe_judged(&self, oracle: Oracle, pipe: PipeId) -> bool {
        let owner = self.cells.iter().find(|cell| cell.pipes.contains(&pipe));
        owner.map_or_else(|| self.is_on(oracle), |owner| self.is_judged(oracle, owner))
    }

    /// Whether an oracle looks at this world at all.
    pub(crate) fn is_on(&self, oracle: Oracle) -> bool {
        !self.without.contains_key(&oracle)
    }

    /// The first finding of the oracles that hold at any rest, including a stall.
    pub(crate) fn wrong(&self) -> Option<Finding> {
        let judges: [(Oracle, OracleFn); 6] = [
            (Oracle::Bytes, bytes::judge),
            (Oracle::Budget, budget::judge),
            (Oracle::Fuel, fuel::judge),
            (Oracle::Orphans, orphans::judge),
            (Oracle::Order, order::judge),
            (Oracle::Blocking, blocking::judge),
        ];
        self.first(&judges)
    }

    /// The first finding of the oracles that look at the state after all have ended.
    pub(crate) fn left(&self) -> Option<Finding> {
        let judges: [(Oracle, OracleFn); 4] = [
            (Oracle::Resources, resources::judge),
            (Oracle::Ledger, ledger::judge),
            (Oracle::Exit, exit::judge),
            (Oracle::Children, children::judge),
        ];
        self.first(&judges)
    }

    fn first(&self, judges: &[(Oracle, OracleFn)]) -> Option<Finding> {
        let on = judges.iter().filter(|(oracle, _)| self.is_on(*oracle));
        on.map(|(_, judge)| judge).find_map(|judge| judge(self))
    }
}

/// The function of an oracle.
type OracleFn = fn(&Evidence<'_>) -> Option<Finding>;

impl Facts {
    /// The oracles that were switched off, those of the whole world first. A cell that inherited this from its parent
    /// is not listed again.
    pub fn not_judged(&self) -> Vec<NotJudged> {
        let told = |cell: Option<&CellFacts>, (&oracle, reason): (&Oracle, &Arc<str>)| NotJudged {
            oracle,
            cell: cell.map(|cell| cell.name.clone()),
            reason: reason.clone(),
        };
        let of_world = self.without.iter().map(|off| told(None, off));
        let roots = self.cells.iter().filter(|cell| cell.is_scenarios);
        let of_cells = roots.flat_map(|cell| cell.leave.without.iter().map(move |off| told(Some(cell), off)));
        of_world.chain(of_cells).collect()
    }
}

impl CellFacts {
    /// The pipe of its stdout, unless that carries its RPC.
    pub fn stdout(&self) -> Option<PipeId> {
        let carries_rpc = |pipe: &PipeId| self.link.is_some_and(|(_, up, _)| up == *pipe);
        self.pipes.get(1).copied().filter(|pipe| !carries_rpc(pipe))
    }

    /// The pipe of its stderr.
    pub fn stderr(&self) -> Option<PipeId> {
        self.pipes.get(2).copied()
    }

    /// Its exit record, if it ended by itself and was neither trapped nor killed.
    pub fn exited(&self) -> Option<&ExitRecord> {
        self.exit.as_ref().filter(|exit| exit.cause == Cause::Exited)
    }

    fn blame(&self) -> Blame {
        Blame::Guest(self.name.to_string())
    }
}
