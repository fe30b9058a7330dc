//! Tables and weights by lane. Ids follow births, so they are small and a table is a list.

use crate::moves::Lane;

/// A value for every lane, the default one unless it was set.
#[derive(Clone, Default)]
pub(crate) struct PerLane<T> {
    actors: Vec<T>,
    pipes: Vec<T>,
    calls: Vec<T>,
    scripts: Vec<T>,
    clock: T,
}

impl<T: Default> PerLane<T> {
    /// The value of a lane; `None` if it was never asked for with [`at`](Self::at).
    pub(crate) fn get(&self, lane: Lane) -> Option<&T> {
        match lane {
            Lane::Actor(id) => self.actors.get(id as usize),
            Lane::Pipe(id) => self.pipes.get(id as usize),
            Lane::Call(id) => self.calls.get(id as usize),
            Lane::Script(id) => self.scripts.get(id as usize),
            Lane::Clock => Some(&self.clock),
        }
    }

    /// The value of a lane, to be changed.
    pub(crate) fn at(&mut self, lane: Lane) -> &mut T {
        let (list, id) = match lane {
            Lane::Actor(id) => (&mut self.actors, id),
            Lane::Pipe(id) => (&mut self.pipes, id),
            Lane::Call(id) => (&mut self.calls, id),
            Lane::Script(id) => (&mut self.scripts, id),
            Lane::Clock => return &mut self.clock,
        };
        let place = id as usize;
        if place >= list.len() {
            list.resize_with(place + 1, T::default);
        }
        &mut list[place]
    }

    /// All lanes with their values, in the order of lanes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Lane, &T)> {
        fn of<T>(list: &[T], lane: fn(u32) -> Lane) -> impl Iterator<Item = (Lane, &T)> {
            (0..).map(lane).zip(list)
        }
        of(&self.actors, Lane::Actor)
            .chain(of(&self.pipes, Lane::Pipe))
            .chain(of(&self.calls, Lane::Call))
            .chain(of(&self.scripts, Lane::Script))
            .chain([(Lane::Clock, &self.clock)])
    }
}

/// A weight for every lane. A lane is drawn by its weight in a time that grows with the logarithm of their number.
#[derive(Clone, Default)]
pub(crate) struct LaneWeights {
    actors: Weights,
    pipes: Weights,
    calls: Weights,
    scripts: Weights,
    clock: u64,
}

impl LaneWeights {
    /// Sets the weight of a lane.
    pub(crate) fn set(&mut self, lane: Lane, weight: u64) {
        match lane {
            Lane::Actor(id) => self.actors.set(id, weight),
            Lane::Pipe(id) => self.pipes.set(id, weight),
            Lane::Call(id) => self.calls.set(id, weight),
            Lane::Script(id) => self.scripts.set(id, weight),
            Lane::Clock => self.clock = weight,
        }
    }

    /// The sum of all weights.
    pub(crate) fn total(&self) -> u64 {
        [&self.actors, &self.pipes, &self.calls, &self.scripts]
            .iter()
            .fold(self.clock, |sum, weights| sum + weights.total)
    }

    /// The lane in which a number below [`total`](Self::total) falls, if the weights are laid out in the order of lanes.
    pub(crate) fn find(&self, mut left: u64) -> Option<Lane> {
        let all = [
            (&self.actors, Lane::Actor as fn(u32) -> Lane),
            (&self.pipes, Lane::Pipe),
            (&self.calls, Lane::Call),
            (&self.scripts, Lane::Script),
        ];
        for (weights, lane) in all {
            if left < weights.total {
                return Some(lane(weights.find(left)));
            }
            left -= weights.total;
        }
        (left < self.clock).then_some(Lane::Clock)
    }
}

/// Weights by id, with their sums in a binary indexed tree (Fenwick, "A New Data Structure for Cumulative Frequency
/// Tables", 1994).
#[derive(Clone, Default)]
struct Weights {
    weights: Vec<u64>,
    /// Entry i holds the sum of the weights of the ids from i + 1 minus the lowest set bit of i + 1 up to i.
    sums: Vec<u64>,
    total: u64,
}

impl Weights {
    fn set(&mut self, id: u32, weight: u64) {
        let id = id as usize;
        while self.weights.len() <= id {
            self.push();
        }
        let before = std::mem::replace(&mut self.weights[id], weight);
        self.total = self.total - before + weight;
        let mut place = id + 1;
        while let Some(sum) = self.sums.get_mut(place - 1) {
            *sum = *sum - before + weight;
            place += lowest_bit(place);
        }
    }

    /// Adds the next id with the weight 0.
    fn push(&mut self) {
        self.weights.push(0);
        let place = self.weights.len();
        let (mut sum, mut below) = (0, place - 1);
        while below > place - lowest_bit(place) {
            sum += self.sums[below - 1];
            below -= lowest_bit(below);
        }
        self.sums.push(sum);
    }

    /// The id in which a number below the total falls.
    fn find(&self, mut left: u64) -> u32 {
        let (mut place, mut step) = (0, self.sums.len().next_power_of_two());
        while step > 0 {
            if let Some(&sum) = self.sums.get(place + step - 1)
                && sum <= left
            {
                left -= sum;
                place += step;
            }
            step /= 2;
        }
        place as u32
    }
}

fn lowest_bit(number: usize) -> usize {
    number & number.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_falls_into_the_lane_that_the_layout_says() {
        let mut weights = LaneWeights::default();
        let set = [
            (Lane::Actor(3), 2),
            (Lane::Actor(0), 1),
            (Lane::Pipe(17), 3),
            (Lane::Call(1), 1),
            (Lane::Clock, 2),
            (Lane::Script(0), 1),
        ];
        for (lane, weight) in set {
            weights.set(lane, 9);
            weights.set(lane, weight);
        }
        let found: Vec<_> = (0..=weights.total()).map(|left| weights.find(left)).collect();
        let [actor, other, pipe] = [Lane::Actor(0), Lane::Actor(3), Lane::Pipe(17)].map(Some);
        let [call, script, clock] = [Lane::Call(1), Lane::Script(0), Lane::Clock].map(Some);
        assert_eq!(found, [actor, other, other, pipe, pipe, pipe, call, script, clock, clock, None]);
    }

    #[test]
    fn sums_agree_with_an_addition_whatever_was_set_in_whatever_order() {
        let mut weights = Weights::default();
        let mut plain = vec![0; 200];
        for turn in 0..1_000_u32 {
            let (id, weight) = (turn * 37 % 200, u64::from(turn * 31 % 5));
            weights.set(id, weight);
            plain[id as usize] = weight;
            let expected: Vec<u32> = (0..).zip(&plain).flat_map(|(id, &n)| vec![id; n as usize]).collect();
            assert_eq!(weights.total, expected.len() as u64);
            if turn % 50 == 0 {
                let found: Vec<u32> = (0..weights.total).map(|left| weights.find(left)).collect();
                assert_eq!(found, expected);
            }
        }
    }
}
