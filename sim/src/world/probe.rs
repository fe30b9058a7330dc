//! Probes: they ask guests that wait for a time whether they would have gone on anyway.
//!
//! Suppose that a runtime forgets to send a message that its application queued, and that a timer hides this. From
//! outside it looks like an application that sleeps between its calls: both write when their timer fires. A wake-up
//! that brings nothing tells them apart. WASI allows one at any time ("readiness" is a hint, `wasi:io/streams`). An
//! application that sleeps goes on sleeping, while the forgotten message goes out. The oracle
//! [`livelock`](crate::oracle::livelock) counts such writes. This module makes the wake-ups.
//!
//! A probe comes when a cell waits in `poll` for a timer and for its link, and nothing but time could pass. So neither
//! time nor any byte comes between the cell's wait and its answer. Probes come at the first such wait of a cell, and at
//! its 2nd, 4th, 8th and so on. If they were a choice, only the runs that chose one could show the fault. So they are
//! no choice, and come in every world, calm ones too.

use super::World;
use crate::moves::Move;
use std::collections::BTreeMap;
use wavetank::{ActorId, Blocked};

/// The probes so far.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// By cell: its waits that could be probed, and the time of the last one, in nanoseconds.
    waits: BTreeMap<ActorId, (u64, u64)>,
}

impl World {
    /// The probe to make before the clock moves, if there is one.
    pub(super) fn probe(&mut self) -> Option<Move> {
        let now_ns = self.shared.now_ns();
        if !self.could_only_time_pass() {
            return None;
        }
        for cell in self.tank.cells() {
            let Some(link) = cell.link().filter(|_| cell.exit().is_none()) else { continue };
            let id = cell.id();
            let on = self.shared.blocked(id);
            let waits_for_time = on.iter().any(|on| matches!(on, Blocked::Until(_)));
            let waits_for_link = on.contains(&Blocked::Reading(link.down()));
            if !waits_for_time || !waits_for_link || !self.shared.is_spurrable(link.down()) {
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
