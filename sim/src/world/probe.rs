//! A question to guests that wait for a time: would you have gone on anyway?
//!
//! A runtime that forgets to send what its application queued, and has a timer to hide it, looks from outside like
//! an application that sleeps between its calls: both write when their timer fires. What tells them apart is a
//! wake-up that brings nothing. WASI allows one at any time ("readiness" is a hint, `wasi:io/streams`), and who sleeps
//! goes on sleeping, while the message that was left behind goes out. The oracle [`livelock`](crate::oracle::livelock)
//! counts such writes; here the wake-ups are made.
//!
//! They come where a cell waits in `poll` for a timer and for its link, and nothing but time could pass: so neither
//! time nor any byte comes between the cell's wait and its answer. They come at the first such wait of a cell, and
//! at its 2nd, 4th, 8th and so on. They are no choice, and come in every world, calm ones too.

use super::World;
use crate::moves::Move;
use std::collections::BTreeMap;
use wavetank::{ActorId, Blocked};

/// What was asked so far.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// By cell: its waits that could be asked about, and the time of the last one, in nanoseconds.
    waits: BTreeMap<ActorId, (u64, u64)>,
}

impl World {
    /// The question that is asked before the clock moves, if one is.
    pub(super) fn probe(&mut self) -> Option<Move> {
        let now_ns = self.fabric.now_ns();
        if !self.could_only_time_pass() {
            return None;
        }
        for cell in self.tank.cells() {
            let Some(link) = cell.link().filter(|_| cell.exit().is_none()) else { continue };
            let id = cell.id();
            let on = self.fabric.blocked(id);
            let waits_for_time = on.iter().any(|on| matches!(on, Blocked::Until(_)));
            let waits_for_link = on.contains(&Blocked::Reading(link.down()));
            if !waits_for_time || !waits_for_link || !self.fabric.is_spurrable(link.down()) {
                continue;
            }
            let (waits, last_ns) = self.probes.waits.entry(id).or_insert((0, u64::MAX));
            if *last_ns == now_ns {
                continue;
            }
            *last_ns = now_ns;
            *waits += 1;
            if waits.is_power_of_two() {
                return Some(Move::Spur(link.down().0));
            }
        }
        None
    }
}
