//! A weighted random walk.

use super::{Request, Strategy, Weather};
use crate::menu::Menu;
use crate::moves::Kind;
use crate::profile::Profile;
use crate::seed::{Purpose, Seed, below};
use rand_chacha::ChaCha8Rng;

/// A weighted random walk: first the kind of move, by its weight, then one of that kind.
pub struct Random {
    rng: ChaCha8Rng,
    weights: [u32; Kind::ALL.len()],
    weather: Weather,
}

impl Random {
    /// The walk of one seed. Weights are drawn first, so that seeds differ in more than order (swarm testing:
    /// Groce, Zhang, Eide, Chen, Regehr, ISSTA 2012).
    pub fn new(seed: Seed, profile: &Profile) -> Self {
        let mut rng = seed.stream(Purpose::Choices);
        let mut weights = Kind::ALL.map(|kind| profile.weight(kind));
        if profile.swarm {
            weights = weights.map(|weight| weight << below(&mut rng, 4));
        }
        // A clock that runs ahead of everything else is legal, but rare. So the weight of `advance` is not raised.
        weights[Kind::Advance as usize] = profile.weight(Kind::Advance);
        Random { rng, weights, weather: Weather::new(seed, profile) }
    }
}

impl Strategy for Random {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        let weigh = |(kind, count): (Kind, usize)| if count == 0 { 0 } else { self.weights[kind as usize] };
        let total: u32 = menu.counts().iter().copied().map(weigh).sum();
        if total == 0 {
            // A profile may give a kind the weight 0. If nothing else is possible, it happens all the same.
            return 0;
        }
        let mut left = below(&mut self.rng, total);
        let mut before = 0;
        for &(kind, count) in menu.counts() {
            let weight = if count == 0 { 0 } else { self.weights[kind as usize] };
            if left < weight {
                return before + below(&mut self.rng, count as u32) as usize;
            }
            left -= weight;
            before += count;
        }
        unreachable!("the draw is below the sum of the weights")
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        self.weather.draw(ask)
    }
}
