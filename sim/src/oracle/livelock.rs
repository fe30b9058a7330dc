//! Livelock: somebody keeps running and gets nowhere.
//!
//! Such a world never comes to rest, so this oracle looks after each step, at a cost of a few additions. There are five
//! ways:
//!
//! - **Asking without waiting** (G07 and G08 of the catalogue of bugs, a pollable that is always ready, a link's end
//!   that counts as progress): 10,000 times in a row a cell asks for news (`ready`, an immediately ready `poll`, an
//!   empty `read`, a `check-write` of 0) and neither waits nor moves a byte, while nothing else could happen that would
//!   bring it news. Time passes meanwhile, by [`LOOK_NS`](wavetank::LOOK_NS) a call, and others run. So a cell counts
//!   only if it is stuck all the same. A cell that looks at the time may do so 50,000 times in a row, for 2.5 seconds,
//!   because it may wait for a time that it alone knows.
//! - **Burning without asking**: a cell burns [`quiet_fuel`](wavetank::cell::Limits::quiet_fuel) in whole slices, one
//!   after the other, and asks its host for nothing meanwhile.
//! - **A task of the host that wakes itself**: a million polls in a row that cause nothing. If it is a call whose
//!   server pauses again and again, its resumes between the polls are no progress either, and the call is named.
//! - **Waiting only for the next time**: the clock moves again and again, and the cell that it wakes sets a new timer
//!   and does nothing else. The limit is [a million](TICKS) moves of the clock in a row, or 10,000 that took a
//!   [day](PATIENCE_NS) of virtual time. After that, if no task of the host but those in the background waits for a time, the world counts as one
//!   at rest: it is a stall, with its wait-for graph, or spinning if the guest waits for nothing but times.
//! - **Progress only because a timer fired** (G05), in either of two ways:
//!   - *Left unsent*: a cell had something to write to its link and waited, and only a timer would have let it go on.
//!     The proof is a wake-up for nothing: no time has passed since the cell went to wait, nothing came, it was not out
//!     of budget, and yet it writes. [`probe`](crate::world) makes such wake-ups for cells that wait for a timer and
//!     for their link. One such turn is enough. A cell that sleeps between calls, has a clock tick beside them, or
//!     tries again after a time-out does not go on when it is woken for nothing, and is not blamed.
//!   - *Left unread*: [three times](TIMED_READS) a cell reads its link because a timer had woken it, although the bytes
//!     were there before, and it has never waited for its link at all.
//!
//!   If this is right for a guest, its scenario says so with
//!   [`keeps_time`](crate::world::CellBuilder::keeps_time).
//!
//! One case cannot be seen: a runtime that leaves a message unsent and waits for a timer *alone*. From outside it looks
//! like an application that sleeps.

use super::{Blame, Finding, Oracle};
use crate::moves::Move;
use crate::outcome::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use wavetank::cell::Limits;
use wavetank::{Event, GateId, IDLE_CALLS_PER_TURN, WaitStats};

/// Calls in a row that make a cell count as spinning: it asks for news, gets none and does not wait, while nothing else
/// could happen. A guest that blocks in `wasi:io/poll` makes a handful.
pub const IDLE_CALLS: u64 = 10_000;

/// The same limit for a cell that looks at the time in at least one of four calls.
pub const LOOKS: u64 = 50_000;

/// Polls in a row that cause nothing, after which the polled task of the host counts as spinning.
pub const IDLE_POLLS: u64 = 1_000_000;

/// Turns in which a cell that never waits for its link reads it because a timer woke it. After this many, the timer
/// counts as its only reason.
pub const TIMED_READS: u64 = 3;

/// Moves of the clock in a row, with nothing else done in between, after which nothing else is expected.
pub const TICKS: u64 = 1_000_000;

/// Fewer moves of the clock are enough if they took [`PATIENCE_NS`].
pub const FEW_TICKS: u64 = 10_000;

/// A day of virtual time, in nanoseconds.
pub const PATIENCE_NS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// The result of a poll.
#[derive(Clone, Copy, Debug)]
pub struct Polled {
    /// The actor that was polled.
    pub actor: u32,
    /// Whether anything was recorded.
    pub caused: bool,
    /// Whether it could be polled again at once.
    pub is_ready: bool,
    /// Whether nothing else could happen, except that others also ask in vain and that time passes.
    pub is_alone: bool,
    /// How it asks for news.
    pub wait_stats: WaitStats,
}

/// A cell that asks and asks.
#[derive(Clone, Copy, Debug, Default)]
struct Asking {
    /// Its idle calls in a row at its last poll.
    seen: u64,
    /// The idle calls that it made while nothing else could happen.
    alone: u64,
}

/// Facts about the polled actor, asked for only when they count.
pub struct PolledActor {
    /// Its name.
    pub name: String,
    /// Its resource limits, if it is a cell.
    pub limits: Option<Limits>,
    /// Whether it paces itself by the clock.
    pub keeps_time: bool,
    /// Whose fault it is.
    pub blame: Blame,
}

/// Watches a run for livelocks.
#[derive(Clone, Debug, Default)]
pub struct LivelockWatch {
    idle_polls: u64,
    /// By paused call, how often it was resumed since something last happened.
    resumes: BTreeMap<u32, u64>,
    /// By cell: whole slices in a row that it burned in silence, and the calls it had made before.
    quiet: BTreeMap<u32, (u64, u64)>,
    ticks: Ticks,
    /// Cells whose last poll ended while they asked in vain.
    asking: BTreeMap<u32, Asking>,
    /// Cells that keep time.
    excused: BTreeSet<u32>,
}

/// Moves of the clock in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Ticks {
    count: u64,
    since_ns: u64,
}

impl LivelockWatch {
    /// Notes a move, its events and the time after it. Now and then it returns true: nothing but time has passed for
    /// very long. Draws and operations that are `of_background` count as if time passed.
    pub fn only_time_passes(
        &mut self,
        moved: Move,
        caused: &[Event],
        now_ns: u64,
        of_background: impl Fn(GateId) -> bool,
    ) -> bool {
        let is_poll = matches!(moved, Move::Poll(_) | Move::PollAt(..));
        let is_tick = match moved {
            Move::Advance(_) => true,
            Move::Complete(id, _) | Move::Refuse(id, _) | Move::Draw(id, _) => of_background(GateId(id)),
            _ => false,
        };
        let says_nothing = |event: &Event| match event {
            Event::HandleBorn { .. } | Event::HandleDropped { .. } => true,
            Event::IoBegun { operation: id, .. }
            | Event::IoEnded { operation: id, .. }
            | Event::IoDropped { operation: id }
            | Event::DrawBegun { draw: id, .. }
            | Event::Drawn { draw: id, .. }
            | Event::DrawDropped { draw: id } => of_background(*id),
            _ => false,
        };
        if !(is_poll || is_tick) || !caused.iter().all(says_nothing) {
            self.ticks = Ticks { count: 0, since_ns: now_ns };
            return false;
        }
        let Ticks { count, since_ns } = &mut self.ticks;
        *count += u64::from(is_tick);
        let for_ns = now_ns.saturating_sub(*since_ns);
        is_tick && count.is_multiple_of(FEW_TICKS) && (*count >= TICKS || for_ns >= PATIENCE_NS)
    }

    /// Notes a move that is no poll and no resume.
    pub fn moved(&mut self) {
        self.idle_polls = 0;
        self.resumes.clear();
    }

    /// Notes that a paused call was resumed.
    pub fn resumed(&mut self, call: u32) {
        *self.resumes.entry(call).or_default() += 1;
    }

    /// The paused call that was resumed most often since something last happened.
    pub fn most_resumed(&self) -> Option<u32> {
        self.resumes.iter().max_by_key(|(_, resumes)| **resumes).map(|(call, _)| *call)
    }

    /// Notes a poll, and returns an outcome if it was one too many.
    pub fn polled(&mut self, polled: Polled, who: impl FnOnce() -> PolledActor) -> Option<Outcome> {
        let Polled { actor, caused, wait_stats, .. } = polled;
        self.idle_polls = if caused { 0 } else { self.idle_polls + 1 };
        if caused {
            self.resumes.clear();
        }
        let slices = self.silent_slices(polled);
        let timed = only_by_time(wait_stats).filter(|_| !self.excused.contains(&actor));
        let asks = self.asks_in_vain(polled);
        // Limits are asked for only now and then. By default, a slice is a million.
        let burns = slices > 0 && (slices.is_power_of_two() || slices.is_multiple_of(16));
        let idles = self.idle_polls >= IDLE_POLLS;
        if !(timed.is_some() || asks || burns || idles) {
            return None;
        }
        let PolledActor { name, limits, keeps_time, blame } = who();
        let spinning =
            |evidence| Some(Outcome::Spinning { who: name.clone(), evidence, blame: blame.clone() });
        if asks {
            let calls = wait_stats.idle_calls;
            return spinning(format!(
                "asked {calls} times in a row whether it could go on, and neither waited nor moved a byte"
            ));
        }
        if let Some(why) = timed {
            if !keeps_time {
                let what = format!("{name} makes progress only because a timer fires: {why}");
                let finding =
                    Finding { oracle: Oracle::Livelock, who: name, blame, what, detail: Vec::new() };
                return Some(Outcome::Violated(finding));
            }
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

    /// Whether an actor that could be polled only asks in vain.
    pub fn is_asking(&self, actor: u32) -> bool {
        self.asking.contains_key(&actor)
    }

    /// Whether the polled cell has asked in vain too often. A cell that others keep waiting is not to blame, and every
    /// strategy lets the others run in the end: choices are bounded, and the calm policy goes round.
    fn asks_in_vain(&mut self, Polled { actor, is_alone, wait_stats, .. }: Polled) -> bool {
        if wait_stats.idle_calls < IDLE_CALLS_PER_TURN {
            self.asking.remove(&actor);
            return false;
        }
        let asking = self.asking.entry(actor).or_default();
        if wait_stats.idle_calls < asking.seen {
            *asking = Asking::default();
        }
        if is_alone {
            asking.alone += wait_stats.idle_calls - asking.seen;
        }
        asking.seen = wait_stats.idle_calls;
        let most = if wait_stats.looks >= wait_stats.idle_calls / 4 { LOOKS } else { IDLE_CALLS };
        asking.alone >= most
    }

    /// Whole slices in a row that the polled cell has burned in silence. Its host sees the end of a slice as a poll
    /// that leaves the cell ready.
    fn silent_slices(&mut self, Polled { actor, caused, is_ready, wait_stats, .. }: Polled) -> u64 {
        if caused || !is_ready {
            self.quiet.remove(&actor);
            return 0;
        }
        let (slices, calls) = self.quiet.entry(actor).or_insert((0, wait_stats.calls));
        *slices = if *calls == wait_stats.calls { *slices + 1 } else { 1 };
        *calls = wait_stats.calls;
        *slices
    }
}

/// The reason why a cell's progress depends on a timer, if it does.
fn only_by_time(wait_stats: WaitStats) -> Option<String> {
    let WaitStats { timed_writes, late_writes, timed_reads, waited_for_link, .. } = wait_stats;
    if late_writes > 0 {
        let before = match timed_writes {
            0 => String::new(),
            1 => ", as it had done once before".into(),
            times => format!(", as it had done {times} times before"),
        };
        return Some(format!(
            "it left a message unsent and waited, and when it was woken for nothing it wrote it; else its timer \
             would have let it go on{before}"
        ));
    }
    (timed_reads >= TIMED_READS && !waited_for_link).then(|| {
        format!("{timed_reads} times bytes were there on its link, which it does not wait for, and a timer let it read them")
    })
}
