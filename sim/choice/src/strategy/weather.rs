//! Weather: amounts, pipes, fault injection and damage, drawn from the seed as steered by a profile. The order of moves
//! is decided elsewhere.

use super::Request;
use crate::choice::Meaning;
use crate::menu::PossibleFaults;
use crate::moves::Kind;
use crate::profile::{Level, Profile};
use crate::seed::{Purpose, Seed, below};
use rand_chacha::ChaCha8Rng;

/// One operation of fake I/O in this many takes time.
const SLOW_OPERATIONS: u32 = 4;

/// Draws everything but the next move.
pub struct Weather {
    rng: ChaCha8Rng,
    profile: Profile,
    small_pieces: u32,
    faults: u32,
    fault_weights: [u32; Kind::FAULTS.len()],
}

impl Weather {
    /// The weather of one seed.
    pub fn new(seed: Seed, profile: &Profile) -> Self {
        let mut rng = seed.stream(Purpose::Weather);
        // Seeds differ in how much happens. Many have no injected fault at all.
        let faults = if profile.faults == 0 { 0 } else { below(&mut rng, profile.faults + 1) };
        let mut fault_weights = Kind::FAULTS.map(|kind| profile.weight(kind));
        if profile.swarm {
            // Each kind is left out of about half of the seeds, so that the remaining kinds do not drown each other.
            for weight in &mut fault_weights {
                *weight *= below(&mut rng, 2);
            }
        }
        Weather { rng, small_pieces: profile.small_pieces, faults, fault_weights, profile: profile.clone() }
    }

    /// Draws the number that is asked for, below `ask.bound()`, which is at least 2.
    pub fn draw(&mut self, ask: &Request<'_>) -> u32 {
        let (of, bound) = match ask {
            Request::Fault(faults) => return self.fault(faults),
            // In a still world nothing fails: only the order of moves and the scenario's numbers vary.
            Request::Chance { .. } if self.profile.level == Level::Still => return 0,
            Request::Chance { times, among, .. } => return u32::from(below(&mut self.rng, *among) < *times),
            Request::Number { of, bound } => (*of, *bound),
        };
        let drawn = match of {
            Meaning::Level => self.level(),
            Meaning::Amount(_) => self.amount(bound),
            Meaning::Pipe(_) => self.one_in(self.profile.held_pipes, bound),
            Meaning::Slice(_) => self.one_in(self.profile.small_slices, bound),
            Meaning::Host(_) => self.one_in(self.profile.free_hosts, bound),
            Meaning::Trap(_) => self.one_in(self.profile.trapped_cells, bound),
            Meaning::Refuse(_) => self.one_in(self.profile.refused_cells, bound),
            Meaning::Gap => self.gap(bound),
            Meaning::Bytes(_) => self.magnitude(bound),
            // Mostly in order, so that a run departs from the order of the queue only now and then.
            Meaning::Task(_) => self.one_in(3, bound),
            // In a still world only the order of moves varies.
            Meaning::Latency(_) if self.profile.level == Level::Still => 0,
            Meaning::Latency(_) => self.one_in(SLOW_OPERATIONS, bound),
            Meaning::Value
            | Meaning::Act(_)
            | Meaning::Draw(_)
            | Meaning::Failure(_)
            | Meaning::Half(_)
            | Meaning::Span
            | Meaning::Item(..)
            | Meaning::NoFault => below(&mut self.rng, bound),
        };
        drawn.min(bound - 1)
    }

    fn level(&mut self) -> u32 {
        let level = self.profile.level;
        if level == Level::Weather && self.faults == 0 { Level::Still as u32 } else { level as u32 }
    }

    /// 0, except once in `often` times; always 0 if `often` is 0.
    fn one_in(&mut self, often: u32, bound: u32) -> u32 {
        if often == 0 || below(&mut self.rng, often) > 0 {
            return 0;
        }
        1 + below(&mut self.rng, bound - 1)
    }

    fn amount(&mut self, bound: u32) -> u32 {
        if self.small_pieces == 0 || below(&mut self.rng, 3) > 0 {
            return 0;
        }
        self.small_pieces -= 1;
        // A power of two, or a neighbour of one, because readers often fail at these sizes.
        let power = 1 << below(&mut self.rng, bound.ilog2() + 1);
        [power, power - 1, power + 1][below(&mut self.rng, 3) as usize]
    }

    /// A number whose length in bits is drawn evenly, so small numbers are as likely as large ones.
    fn magnitude(&mut self, bound: u32) -> u32 {
        let bits = below(&mut self.rng, bound.ilog2() + 2);
        below(&mut self.rng, 1 << bits.min(31))
    }

    fn gap(&mut self, bound: u32) -> u32 {
        if self.faults == 0 {
            return 0;
        }
        self.faults -= 1;
        1 + self.magnitude(bound - 1)
    }

    fn fault(&mut self, faults: &PossibleFaults) -> u32 {
        let weigh = |(kind, ids): &(Kind, Vec<u32>)| {
            if ids.is_empty() { 0 } else { self.fault_weights[*kind as usize - Kind::ALL.len()] }
        };
        let total: u32 = faults.0.iter().map(weigh).sum();
        if total == 0 {
            return 0;
        }
        let mut left = below(&mut self.rng, total);
        for entry in &faults.0 {
            let weight = weigh(entry);
            if left < weight {
                let (kind, ids) = entry;
                return faults.first_of(*kind) as u32 + below(&mut self.rng, ids.len() as u32);
            }
            left -= weight;
        }
        unreachable!("the draw is below the sum of the weights")
    }
}
