//! The virtual clock, and the tasks that wait for it.

use super::{Blocked, SharedState, State};
use crate::ids::{GateId, PipeId};
use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

/// A deadline that never comes. A duration that ends beyond the clock's range of 584 years has this deadline.
pub(crate) const NEVER_NS: u64 = u64::MAX;

/// The virtual clock and those who wait for it.
#[derive(Default)]
pub(super) struct Time {
    pub(super) now_ns: u64,
    /// Time that the running cell has spent by looking at the clock. The next move adds it to the clock.
    pub(super) booked_ns: u64,
    pub(super) next_timer: u32,
    pub(super) timers: BTreeMap<(u64, u32), Timer>,
}

/// Somebody who waits for a time.
pub(super) struct Timer {
    pub(super) waker: Waker,
    /// It is a background task.
    pub(super) is_of_background: bool,
}

impl SharedState {
    /// Virtual time in nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        self.state().time.now_ns
    }

    /// The time as the running cell sees it: the clock, plus the time that its looks at the clock have taken.
    pub(crate) fn seen_ns(&self) -> u64 {
        self.state().seen_ns()
    }

    /// Adds the time that the last cell has spent by looking at the clock. It wakes nobody: tasks that wait for a time
    /// are woken when the clock is [advanced](Self::advance).
    pub fn pass_time(&self) {
        let mut state = self.state();
        state.time.now_ns = state.seen_ns();
        state.time.booked_ns = 0;
    }

    /// Whether a time has come that somebody waits for.
    pub fn is_timer_due(&self) -> bool {
        self.next_timer_ns().is_some_and(|at_ns| at_ns <= self.now_ns())
    }

    pub(crate) fn new_timer(&self) -> u32 {
        let mut state = self.state();
        state.time.next_timer += 1;
        state.time.next_timer - 1
    }

    pub(crate) fn poll_timer(&self, deadline_ns: u64, timer: u32, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if deadline_ns != NEVER_NS && state.seen_ns() >= deadline_ns {
            return Poll::Ready(());
        }
        let waits = Timer { waker: cx.waker().clone(), is_of_background: state.background.is_polled };
        state.time.timers.insert((deadline_ns, timer), waits);
        Poll::Pending
    }

    pub(crate) fn drop_timer(&self, deadline_ns: u64, timer: u32) {
        self.state().time.timers.remove(&(deadline_ns, timer));
    }

    /// The earliest time that somebody waits for, in nanoseconds since the start. A deadline of `u64::MAX` never comes.
    /// Background tasks do not count while they [rest](Self::rest_background).
    pub fn next_timer_ns(&self) -> Option<u64> {
        let state = self.state();
        let rests = state.background.rests;
        let first = state.time.timers.iter().find(|(_, timer)| !(rests && timer.is_of_background));
        let timer = first.map(|((deadline, _), _)| *deadline).filter(|&at_ns| at_ns != NEVER_NS);
        let late = state.calls.late.first().map(|(until, _)| *until);
        let mut slow = state.pauses.slow_operations.iter().filter(|(_, id)| !state.is_aside(*id));
        let slow = slow.next().map(|(until, _)| *until);
        timer.into_iter().chain(late).chain(slow).min()
    }

    /// The times that somebody waits for, the earliest first.
    pub fn timers_ns(&self) -> Vec<u64> {
        let state = self.state();
        let timers = state.time.timers.keys().map(|(deadline, _)| *deadline);
        let mut all: Vec<u64> =
            timers.chain(state.pauses.slow_operations.iter().map(|(until, _)| *until)).collect();
        all.sort_unstable();
        all
    }

    /// The times that background tasks wait for, the earliest first.
    pub fn background_timers_ns(&self) -> Vec<u64> {
        let state = self.state();
        let timers = state.time.timers.iter().filter(|(_, timer)| timer.is_of_background);
        let slow = state.pauses.slow_operations.iter().filter(|(_, id)| state.background.begun.contains(*id));
        let mut all: Vec<u64> = timers.map(|((deadline, _), _)| *deadline).collect();
        all.extend(slow.map(|(until, _)| *until));
        all.sort_unstable();
        all
    }

    /// The times until which answers are delayed, each with its gate.
    pub fn late_answers(&self) -> Vec<(u64, GateId)> {
        self.state().calls.late.iter().map(|&(until, gate)| (until, GateId(gate))).collect()
    }

    /// The things that would wake a task, found by its waker. Parts of the task that have wakers of their own are not
    /// included.
    pub fn waited_for_by(&self, waker: &Waker) -> Vec<Blocked> {
        let state = self.state();
        let mut on = Vec::new();
        for (id, pipe) in (0..).zip(&state.pipes.all) {
            let (reads, writes) = pipe.is_waited_for_by(waker);
            on.extend(reads.then_some(Blocked::Reading(PipeId(id))));
            on.extend(writes.then_some(Blocked::Writing(PipeId(id))));
        }
        let its = state.time.timers.iter().filter(|(_, timer)| timer.waker.will_wake(waker));
        on.extend(its.map(|((at, _), _)| Blocked::Until(*at)));
        on
    }

    /// Moves the clock to `to_ns`, but never back. Wakes all tasks that waited for a time up to then.
    pub fn advance(&self, to_ns: u64) {
        let mut state = self.state();
        state.time.now_ns = state.time.now_ns.max(to_ns);
        let now = state.time.now_ns;
        while let Some(entry) = state.time.timers.first_entry() {
            if entry.key().0 > now || entry.key().0 == NEVER_NS {
                break;
            }
            entry.remove().waker.wake();
        }
        while let Some(&(until, operation)) =
            state.pauses.slow_operations.first().filter(|(until, _)| *until <= now)
        {
            state.pauses.slow_operations.remove(&(until, operation));
            state.operation_is_over(GateId(operation));
        }
        while let Some(&(until, gate)) = state.calls.late.first().filter(|(until, _)| *until <= now) {
            state.calls.late.remove(&(until, gate));
            state.calls.answerable.insert(gate);
        }
    }
}

impl State {
    fn seen_ns(&self) -> u64 {
        self.time.now_ns.saturating_add(self.time.booked_ns)
    }

    /// Adds time that a cell takes. In a held tank it passes with the next move, otherwise at once.
    pub(super) fn spend_time(&mut self, ns: u64) {
        if self.held {
            self.time.booked_ns = self.time.booked_ns.saturating_add(ns);
        } else {
            self.time.now_ns = self.time.now_ns.saturating_add(ns);
        }
    }
}
