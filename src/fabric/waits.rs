//! Who waits on what, how each cell asks for news, and what makes it go on.

use super::{Blocked, Fabric, Habits, Import, Woken};
use crate::ids::{ActorId, PipeId};

/// Virtual time between two moments that count as one, in nanoseconds: a guest that looks at its clock makes a
/// little time pass.
const SAME_MOMENT_NS: u64 = 100_000;

/// A cell that goes into a wait: what it knows then, to be compared with what wakes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitBegun {
    at_ns: u64,
    /// It waits for its link's bytes.
    hears_link: bool,
    /// It waits for a time, and could write to its link now: it neither waits for budget nor was told that there is
    /// none.
    could_write: bool,
}

/// What a look at the time costs, in nanoseconds of virtual time: from a cell's second look in a row on. Of other
/// calls that ask in vain the first [`IDLE_CALLS_PER_TURN`] in a row are free, and each after them costs as much.
pub const LOOK_NS: u64 = 50_000;

/// Calls in a row that ask in vain, until a cell lets others run: each time that it has made so many, its turn ends
/// inside the call.
pub const IDLE_CALLS_PER_TURN: u64 = 16;

/// What came of a call by which a cell could have learnt something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It moved bytes, or it waited.
    News,
    /// There was nothing new, and it did not wait.
    Nothing,
    /// The same, and what it asked for was the time.
    TheTime,
    /// It gave a handle back. That is no question, but no news either.
    GaveBack,
}

impl Fabric {
    pub(crate) fn block(&self, cell: ActorId, import: Import, on: Vec<Blocked>) {
        self.state().blocked.insert(cell, (import, on));
    }

    pub(crate) fn unblock(&self, cell: ActorId) {
        self.state().blocked.remove(&cell);
    }

    /// Counts a call by which a cell asked for news, and books the time that it took; says whether the cell has
    /// asked in vain so often that others must run before the call returns. News start the count anew.
    pub(crate) fn count_call(&self, cell: ActorId, asked: Asked) -> bool {
        let mut state = self.state();
        let habits = state.habits.entry(cell).or_default();
        habits.calls += 1;
        if asked == Asked::News {
            (habits.idle_calls, habits.looks, habits.questions) = (0, 0, 0);
            return false;
        }
        habits.idle_calls += 1;
        if asked == Asked::GaveBack {
            return false;
        }
        habits.questions += 1;
        habits.looks += u64::from(asked == Asked::TheTime);
        let is_second_look = asked == Asked::TheTime && habits.looks > 1;
        let costs = is_second_look || habits.questions > IDLE_CALLS_PER_TURN;
        let ends_turn = habits.questions.is_multiple_of(IDLE_CALLS_PER_TURN);
        if costs {
            state.spend_time(LOOK_NS);
        }
        ends_turn
    }

    /// Notes that a cell goes into a wait, and what for. `up` and `down` are its link's pipes.
    pub(crate) fn begin_wait(&self, cell: ActorId, on: &[Blocked], up: PipeId, down: PipeId) -> WaitBegun {
        let mut state = self.state();
        let hears_link = on.contains(&Blocked::Reading(down));
        let refused = state.pipes[up.index()].was_refused();
        let has_timer = on.iter().any(|on| matches!(on, Blocked::Until(_)));
        let could_write = has_timer && !refused && !on.contains(&Blocked::Writing(up));
        if hears_link {
            state.habits.entry(cell).or_default().waited_for_link = true;
        }
        WaitBegun { at_ns: state.now_ns, hears_link, could_write }
    }

    /// Notes that a cell has no link: what it writes to stdout is its own.
    pub(crate) fn has_no_link(&self, cell: ActorId) {
        let mut state = self.state();
        state.without_link.insert(cell);
        state.habits.entry(cell).or_default().timed_writes = 0;
    }

    /// Notes why a cell's wait has ended: what was ready.
    pub(crate) fn end_wait(&self, cell: ActorId, begun: WaitBegun, ready: &[Option<Blocked>], down: PipeId) {
        let mut state = self.state();
        let is_timer = |on: &Option<Blocked>| matches!(on, Some(Blocked::Until(_)));
        let is_empty = |on: &Option<Blocked>| match *on {
            Some(Blocked::Reading(pipe)) => state.pipes[pipe.index()].is_spurred_only(),
            _ => false,
        };
        let is_same_moment = state.now_ns <= begun.at_ns.saturating_add(SAME_MOMENT_NS);
        let link_waits = !begun.hears_link && state.pipes[down.index()].has_visible();
        let woken = if ready.iter().all(is_timer) {
            if link_waits { Woken::ByTimeBesideBytes } else { Woken::ByTime }
        } else if ready.iter().all(is_empty) && begun.could_write && is_same_moment {
            Woken::ForNothing
        } else {
            Woken::ByNews
        };
        let habits = state.habits.entry(cell).or_default();
        (habits.woken, habits.has_written) = (woken, false);
    }

    /// Notes that a cell read something, or learnt of an end.
    pub(crate) fn heard(&self, cell: ActorId, of_link: bool) {
        let mut state = self.state();
        let habits = state.habits.entry(cell).or_default();
        if of_link && habits.woken == Woken::ByTimeBesideBytes {
            habits.timed_reads += 1;
        }
        habits.woken = Woken::ByNews;
    }

    /// Notes that a cell wrote to its link. All that it writes in one turn counts once.
    pub(crate) fn wrote_to_link(&self, cell: ActorId) {
        let mut state = self.state();
        if state.without_link.contains(&cell) {
            return;
        }
        let habits = state.habits.entry(cell).or_default();
        if std::mem::replace(&mut habits.has_written, true) {
            return;
        }
        match habits.woken {
            Woken::ByTime | Woken::ByTimeBesideBytes => habits.timed_writes += 1,
            Woken::ForNothing => habits.late_writes += 1,
            Woken::ByNews => {}
        }
    }

    /// How a cell asks for news, and what wakes it.
    pub fn habits(&self, cell: ActorId) -> Habits {
        self.state().habits.get(&cell).copied().unwrap_or_default()
    }

    /// The [`idle_calls`](Habits::idle_calls) of a cell.
    pub fn idle_calls(&self, cell: ActorId) -> u64 {
        self.habits(cell).idle_calls
    }

    /// What a cell waits for inside a blocking import; empty while it runs or waits to be polled.
    pub fn blocked(&self, cell: ActorId) -> Vec<Blocked> {
        self.state().blocked.get(&cell).map(|(_, on)| on.clone()).unwrap_or_default()
    }

    /// Whether a cell waits for a pipe inside another import than `poll`.
    pub fn somebody_blocks_outside_poll(&self) -> bool {
        let state = self.state();
        state
            .blocked
            .values()
            .any(|(import, on)| *import != Import::Poll && on.iter().any(|on| on.pipe().is_some()))
    }

    /// The blocking import that a cell is inside.
    pub fn blocked_in(&self, cell: ActorId) -> Option<Import> {
        self.state().blocked.get(&cell).map(|(import, _)| *import)
    }
}
