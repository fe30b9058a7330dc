//! Livelock: somebody keeps running and gets nowhere.
//!
//! Nothing ever comes to rest then, so it is looked for after each step, at a cost of a few additions. Four ways:
//!
//! - **Asking without waiting** (G07 and G08 of the catalogue of bugs, a pollable that is always ready, a link's
//!   end that counts as progress): 10,000 times in a row a cell asks for news (`ready`, an immediately ready
//!   `poll`, an empty `read`, a `check-write` of 0, a clock reading) and neither waits nor moves a byte.
//! - **Burning without asking**: a cell burns [`quiet_fuel`](wavetank::cell::Limits::quiet_fuel) in whole slices,
//!   one after the other, and asks its host for nothing meanwhile.
//! - **A task of the host that wakes itself**: a million polls in a row that cause nothing.
//! - **Progress only because a timer fired** (G05, a loop that forgets to send what the application queued, and a
//!   safety timer that hides it): ten times in a row a cell that nothing but a timer woke in `wasi:io/poll` then
//!   writes to its link, never because of anything else in between, and never waits without a timer in its list:
//!   who sleeps between two calls waits for the answers without one. A guest that has a clock tick beside its
//!   calls does all that too and is told apart by its scenario, with
//!   [`keeps_time`](crate::world::CellBuilder::keeps_time).

use super::{Blame, Finding};
use crate::outcome::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use wavetank::Habits;
use wavetank::cell::Limits;

/// Calls in a row by which a cell asks for news, gets none and does not wait, until it counts as spinning.
/// A guest that blocks in `wasi:io/poll` makes a handful.
pub const IDLE_CALLS: u64 = 10_000;

/// Polls in a row that cause nothing, until the task of the host that is polled counts as spinning.
pub const IDLE_POLLS: u64 = 1_000_000;

/// Writes to its link in a row that a cell makes because a timer woke it, until that counts as its only reason.
pub const TIMED_WRITES: u64 = 10;

/// What became of a poll.
#[derive(Clone, Copy, Debug)]
pub struct Polled {
    /// Who was polled.
    pub actor: u32,
    /// Whether anything was recorded.
    pub caused: bool,
    /// Whether it could be polled again at once.
    pub is_ready: bool,
    /// How it asks for news.
    pub habits: Habits,
}

/// What is known of the one who was polled, asked for only where it counts.
pub struct Who {
    /// Its name.
    pub name: String,
    /// How much it may use, where it is a cell.
    pub limits: Option<Limits>,
    /// Whether it paces itself by the clock.
    pub keeps_time: bool,
    /// Whose fault it is.
    pub blame: Blame,
}

/// Looks on at a run.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    idle_polls: u64,
    /// By cell: whole slices in a row that it burned in silence, and the calls it had made before.
    quiet: BTreeMap<u32, (u64, u64)>,
    /// Cells that keep time.
    excused: BTreeSet<u32>,
}

impl Watch {
    /// Notes a move that is no poll.
    pub fn moved(&mut self) {
        self.idle_polls = 0;
    }

    /// Notes a poll, and says whether that was one too many.
    pub fn polled(&mut self, polled: Polled, who: impl FnOnce() -> Who) -> Option<Outcome> {
        let Polled { actor, caused, habits, .. } = polled;
        self.idle_polls = if caused { 0 } else { self.idle_polls + 1 };
        let slices = self.silent_slices(polled);
        let timed = habits.timed_writes >= TIMED_WRITES && !self.excused.contains(&actor);
        let asks = habits.idle_calls >= IDLE_CALLS;
        // Limits are asked for only now and then: a slice is a million where nothing else was said.
        let burns = slices > 0 && (slices.is_power_of_two() || slices.is_multiple_of(16));
        let idles = self.idle_polls >= IDLE_POLLS;
        if !(timed || asks || burns || idles) {
            return None;
        }
        let Who { name, limits, keeps_time, blame } = who();
        let spinning =
            |evidence| Some(Outcome::Spinning { who: name.clone(), evidence, blame: blame.clone() });
        if asks {
            let calls = habits.idle_calls;
            return spinning(format!(
                "asked {calls} times in a row for news that were not there, without blocking"
            ));
        }
        if timed && !keeps_time {
            let what = format!(
                "{name} makes progress only because a timer fired: the last {} times that it wrote to its link, a \
                 timer alone had woken it",
                habits.timed_writes
            );
            let finding = Finding { oracle: "livelock", who: name, blame, what, detail: Vec::new() };
            return Some(Outcome::Violated(finding));
        }
        if timed {
            self.excused.insert(actor);
        }
        match limits {
            Some(limits) => {
                let fuel = slices.saturating_mul(limits.fuel_slice.max(1));
                let evidence = || format!("burned {fuel} fuel and asked its host for nothing");
                if burns && fuel >= limits.quiet_fuel { spinning(evidence()) } else { None }
            }
            None if idles => {
                let idle_polls = self.idle_polls;
                spinning(format!("was polled {idle_polls} times in a row and did nothing"))
            }
            None => None,
        }
    }

    /// Whole slices in a row that the one polled has burned without a word. Its host sees a slice's end as a poll
    /// that leaves it ready.
    fn silent_slices(&mut self, Polled { actor, caused, is_ready, habits }: Polled) -> u64 {
        if caused || !is_ready {
            self.quiet.remove(&actor);
            return 0;
        }
        let (slices, calls) = self.quiet.entry(actor).or_insert((0, habits.calls));
        *slices = if *calls == habits.calls { *slices + 1 } else { 1 };
        *calls = habits.calls;
        *slices
    }
}
