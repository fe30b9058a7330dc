//! The virtual clock, and who waits for it.

use super::{Blocked, Fabric};
use crate::ids::{GateId, PipeId};
use std::task::{Context, Poll, Waker};

impl Fabric {
    /// Virtual time in nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        self.state().now_ns
    }

    pub(crate) fn new_timer(&self) -> u32 {
        let mut state = self.state();
        state.timer_ids += 1;
        state.timer_ids - 1
    }

    pub(crate) fn poll_timer(&self, deadline_ns: u64, timer: u32, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.now_ns >= deadline_ns {
            return Poll::Ready(());
        }
        state.timers.insert((deadline_ns, timer), Some(cx.waker().clone()));
        Poll::Pending
    }

    pub(crate) fn drop_timer(&self, deadline_ns: u64, timer: u32) {
        self.state().timers.remove(&(deadline_ns, timer));
    }

    /// The earliest time that somebody waits for, in nanoseconds since the start.
    pub fn next_timer_ns(&self) -> Option<u64> {
        let state = self.state();
        let timer = state.timers.keys().next().map(|(deadline, _)| *deadline);
        let late = state.late.first().map(|(until, _)| *until);
        timer.into_iter().chain(late).min()
    }

    /// The times that somebody waits for, the next first.
    pub fn timers_ns(&self) -> Vec<u64> {
        self.state().timers.keys().map(|(deadline, _)| *deadline).collect()
    }

    /// The times until which answers are held, each with its gate.
    pub fn late_answers(&self) -> Vec<(u64, GateId)> {
        self.state().late.iter().map(|&(until, gate)| (until, GateId(gate))).collect()
    }

    /// What would wake a task, by its waker: what it waits for itself, not what a part of it with a waker of its
    /// own does.
    pub fn waited_for_by(&self, waker: &Waker) -> Vec<Blocked> {
        let state = self.state();
        let mut on = Vec::new();
        for (id, pipe) in (0..).zip(&state.pipes) {
            let (reads, writes) = pipe.is_waited_for_by(waker);
            on.extend(reads.then_some(Blocked::Reading(PipeId(id))));
            on.extend(writes.then_some(Blocked::Writing(PipeId(id))));
        }
        let is_its = |held: &Option<Waker>| held.as_ref().is_some_and(|held| held.will_wake(waker));
        on.extend(
            state.timers.iter().filter(|(_, held)| is_its(held)).map(|((at, _), _)| Blocked::Until(*at)),
        );
        on
    }

    /// Moves the clock to `to_ns`, never back, and wakes whoever waited for a time up to then.
    pub fn advance(&self, to_ns: u64) {
        let mut state = self.state();
        state.now_ns = state.now_ns.max(to_ns);
        let now = state.now_ns;
        while let Some(entry) = state.timers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            if let Some(waker) = entry.remove() {
                waker.wake();
            }
        }
        while let Some(&(until, gate)) = state.late.first().filter(|(until, _)| *until <= now) {
            state.late.remove(&(until, gate));
            state.answerable.insert(gate);
        }
    }
}
