//! Waits of cells: the things that each cell waits for, how it asks for news, and why it goes on.
//!
//! If a cell asks in vain again and again, its calls take virtual time and end its turn. Otherwise the time or the
//! bytes that it asks for could never come.

use super::{Blocked, Import, SharedState, WaitStats, Woken};
use crate::ids::{ActorId, PipeId};
use std::collections::{BTreeMap, BTreeSet};

/// Two moments count as one if no more virtual time than this is between them, in nanoseconds. The tolerance is needed
/// because a guest that looks at its clock makes a little time pass.
const SAME_MOMENT_NS: u64 = 100_000;

/// The knowledge of a cell at the start of a wait, to be compared with the cause of its wake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitBegun {
    at_ns: u64,
    /// It waits for bytes of its link.
    hears_link: bool,
    /// It waits for a time and could write to its link now: it does not wait for budget, and was not told that there is
    /// none.
    could_write: bool,
}

/// The cost of a look at the time, in nanoseconds of virtual time. A cell's first look in a row is free. Of other calls
/// that ask in vain the first [`IDLE_CALLS_PER_TURN`] in a row are free, and each later one costs the same.
pub const LOOK_NS: u64 = 50_000;

/// How many calls in a row may ask in vain before a cell lets others run. Each time it has made this many such calls,
/// its turn ends inside the call.
pub const IDLE_CALLS_PER_TURN: u64 = 16;

/// The result of a call by which a cell could have learnt something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It moved bytes, or it waited.
    News,
    /// There was nothing new, and it did not wait.
    Nothing,
    /// The same as `Nothing`, and it had asked for the time.
    TheTime,
    /// It gave a handle back. That is not a question, but it brings no news either.
    GaveBack,
}

/// The waits of cells.
#[derive(Default)]
pub(super) struct Waits {
    pub(super) blocked: BTreeMap<ActorId, (Import, Vec<Blocked>)>,
    /// How each cell asks for news and is woken.
    pub(super) stats: BTreeMap<ActorId, WaitStats>,
    /// Cells without any link, because their stdin and stdout turned out to be their own.
    pub(super) without_link: BTreeSet<ActorId>,
}

impl SharedState {
    pub(crate) fn block(&self, cell: ActorId, import: Import, on: Vec<Blocked>) {
        self.state().waits.blocked.insert(cell, (import, on));
    }

    pub(crate) fn unblock(&self, cell: ActorId) {
        self.state().waits.blocked.remove(&cell);
    }

    /// Counts a call by which a cell asked for news, and adds the time that it took. Returns whether the cell has asked
    /// in vain so often that others must run before the call returns. News resets the count.
    pub(crate) fn count_call(&self, cell: ActorId, asked: Asked) -> bool {
        let mut state = self.state();
        let wait_stats = state.waits.stats.entry(cell).or_default();
        wait_stats.calls += 1;
        if asked == Asked::News {
            (wait_stats.idle_calls, wait_stats.looks, wait_stats.questions) = (0, 0, 0);
            return false;
        }
        wait_stats.idle_calls += 1;
        if asked == Asked::GaveBack {
            return false;
        }
        wait_stats.questions += 1;
        wait_stats.looks += u64::from(asked == Asked::TheTime);
        let is_second_look = asked == Asked::TheTime && wait_stats.looks > 1;
        let costs = is_second_look || wait_stats.questions > IDLE_CALLS_PER_TURN;
        let ends_turn = wait_stats.questions.is_multiple_of(IDLE_CALLS_PER_TURN);
        if costs {
            state.spend_time(LOOK_NS);
        }
        ends_turn
    }

    /// Notes that a cell begins to wait, and for which things. `up` and `down` are its link's pipes.
    pub(crate) fn begin_wait(&self, cell: ActorId, on: &[Blocked], up: PipeId, down: PipeId) -> WaitBegun {
        let mut state = self.state();
        let hears_link = on.contains(&Blocked::Reading(down));
        let refused = state.pipes.all[up.index()].was_refused();
        let has_timer = on.iter().any(|on| matches!(on, Blocked::Until(_)));
        let could_write = has_timer && !refused && !on.contains(&Blocked::Writing(up));
        if hears_link {
            state.waits.stats.entry(cell).or_default().waited_for_link = true;
        }
        WaitBegun { at_ns: state.time.now_ns, hears_link, could_write }
    }

    /// Notes that a cell has no link, so that its writes to stdout are its own business.
    pub(crate) fn has_no_link(&self, cell: ActorId) {
        let mut state = self.state();
        state.waits.without_link.insert(cell);
        state.waits.stats.entry(cell).or_default().timed_writes = 0;
    }

    /// Notes the end of a cell's wait, and which things were ready.
    pub(crate) fn end_wait(&self, cell: ActorId, begun: WaitBegun, ready: &[Option<Blocked>], down: PipeId) {
        let mut state = self.state();
        let is_timer = |on: &Option<Blocked>| matches!(on, Some(Blocked::Until(_)));
        let is_empty = |on: &Option<Blocked>| match *on {
            Some(Blocked::Reading(pipe)) => state.pipes.all[pipe.index()].has_nothing_to_read(),
            _ => false,
        };
        let is_same_moment = state.time.now_ns <= begun.at_ns.saturating_add(SAME_MOMENT_NS);
        let link_waits = !begun.hears_link && state.pipes.all[down.index()].has_visible();
        let woken = if ready.iter().all(is_timer) {
            if link_waits { Woken::ByTimeBesideBytes } else { Woken::ByTime }
        } else if ready.iter().all(is_empty) && begun.could_write && is_same_moment {
            Woken::ForNothing
        } else {
            Woken::ByNews
        };
        let wait_stats = state.waits.stats.entry(cell).or_default();
        (wait_stats.woken, wait_stats.has_written) = (woken, false);
    }

    /// Notes that a cell read something, or learnt of an end.
    pub(crate) fn heard(&self, cell: ActorId, of_link: bool) {
        let mut state = self.state();
        let wait_stats = state.waits.stats.entry(cell).or_default();
        if of_link && wait_stats.woken == Woken::ByTimeBesideBytes {
            wait_stats.timed_reads += 1;
        }
        wait_stats.woken = Woken::ByNews;
    }

    /// Notes that a cell wrote to its link. All writes in one turn count once.
    pub(crate) fn wrote_to_link(&self, cell: ActorId) {
        let mut state = self.state();
        if state.waits.without_link.contains(&cell) {
            return;
        }
        let wait_stats = state.waits.stats.entry(cell).or_default();
        if std::mem::replace(&mut wait_stats.has_written, true) {
            return;
        }
        match wait_stats.woken {
            Woken::ByTime | Woken::ByTimeBesideBytes => wait_stats.timed_writes += 1,
            Woken::ForNothing => wait_stats.late_writes += 1,
            Woken::ByNews => {}
        }
    }

    /// How a cell asks for news, and how it is woken.
    pub fn wait_stats(&self, cell: ActorId) -> WaitStats {
        self.state().waits.stats.get(&cell).copied().unwrap_or_default()
    }

    /// The [`idle_calls`](WaitStats::idle_calls) of a cell.
    pub fn idle_calls(&self, cell: ActorId) -> u64 {
        self.wait_stats(cell).idle_calls
    }

    /// The things that a cell waits for inside a blocking import; empty while it runs or waits to be polled.
    pub fn blocked(&self, cell: ActorId) -> Vec<Blocked> {
        self.state().waits.blocked.get(&cell).map(|(_, on)| on.clone()).unwrap_or_default()
    }

    /// Whether any cell waits for a pipe inside an import other than `poll`.
    pub fn somebody_blocks_outside_poll(&self) -> bool {
        let state = self.state();
        state
            .waits
            .blocked
            .values()
            .any(|(import, on)| *import != Import::Poll && on.iter().any(|on| on.pipe().is_some()))
    }

    /// The blocking import inside which a cell waits.
    pub fn blocked_in(&self, cell: ActorId) -> Option<Import> {
        self.state().waits.blocked.get(&cell).map(|(import, _)| *import)
    }
}
