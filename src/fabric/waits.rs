//! Who waits on what, and how each cell asks for news.

use super::{Blocked, Fabric, Habits};
use crate::ids::ActorId;

impl Fabric {
    pub(crate) fn block(&self, cell: ActorId, import: &'static str, on: Vec<Blocked>) {
        self.state().blocked.insert(cell, (import, on));
    }

    pub(crate) fn unblock(&self, cell: ActorId) {
        self.state().blocked.remove(&cell);
    }

    /// Counts a call by which a cell asked for news and got none; `productive` ones start the count anew.
    pub(crate) fn count_call(&self, cell: ActorId, productive: bool) {
        let mut state = self.state();
        let habits = state.habits.entry(cell).or_default();
        habits.calls += 1;
        habits.idle_calls = if productive { 0 } else { habits.idle_calls + 1 };
    }

    /// Notes why a cell's `poll` ended, and whether a timer was in its list at all.
    pub(crate) fn woke(&self, cell: ActorId, by_time: bool, had_timer: bool) {
        let mut state = self.state();
        let habits = state.habits.entry(cell).or_default();
        (habits.woken_by_time, habits.turn_counted) = (by_time, false);
        if !had_timer {
            habits.timed_writes = 0;
        }
    }

    /// Notes that a cell wrote to its link.
    pub(crate) fn wrote_to_link(&self, cell: ActorId) {
        let mut state = self.state();
        let habits = state.habits.entry(cell).or_default();
        // All that it writes in one turn counts once, and not against itself.
        match (habits.woken_by_time, habits.turn_counted) {
            (true, false) => habits.timed_writes += 1,
            (true, true) => {}
            (false, _) => habits.timed_writes = 0,
        }
        habits.turn_counted = true;
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
            .any(|(import, on)| *import != "poll" && on.iter().any(|on| on.pipe().is_some()))
    }

    /// The blocking import that a cell is inside, by its name in WIT.
    pub fn blocked_in(&self, cell: ActorId) -> Option<&'static str> {
        self.state().blocked.get(&cell).map(|(import, _)| *import)
    }
}
