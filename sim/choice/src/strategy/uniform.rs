//! Uniform random walks: all interleavings are about equally likely.

use super::time::Time;
use super::{Request, Strategy, Survey, Weather};
use crate::menu::{Item, Menu};
use crate::moves::Lane;
use crate::profile::Profile;
use crate::seed::{Purpose, Seed, below};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// URW (Zhao, Wolff, Mathur, Roychoudhury, ASPLOS 2025).
///
/// A lane goes with a probability proportional to the moves that it has left, according to the survey. If the survey is
/// right and no lane waits for another, all interleavings are equally likely.
///
/// Moves that must wait for another lane count for that lane, which is the one that made them possible in the survey.
/// So all interleavings are equally likely too if a lane gives birth to others, as in the paper. If lanes wait for each
/// other on the way, this holds approximately.
pub struct Urw {
    rng: ChaCha8Rng,
    left: Remaining,
    time: Time,
    weather: Weather,
}

/// SURW, the selective kind (ibid.).
///
/// The interleavings of a subset of all moves, drawn from the seed, are equally likely. The other moves go by the
/// weights of [`Urw`]. The lane that makes the next move of the subset is drawn by the moves of the subset that each
/// lane has left. The other lanes hold back their moves of the subset until it has gone, unless nothing else can go.
///
/// The subset is all moves of some lanes: of all actors, of all pipes, of all calls, or of a random half, quarter or
/// eighth of the lanes.
pub struct Surw {
    rng: ChaCha8Rng,
    left: Remaining,
    /// The moves that are left of the subset alone.
    selected: Remaining,
    intended: Option<Lane>,
    /// For how many more picks the intended lane may keep others waiting.
    patience: u32,
    max_patience: u32,
    time: Time,
    weather: Weather,
}

/// How many picks beyond the survey's moves are allowed before an intended lane is assumed to wait for a lane that
/// waits for it.
const SPARE: u32 = 64;

/// The moves that each lane has left, according to a survey.
struct Remaining {
    /// Lanes without any moves left are not in it.
    own: BTreeMap<Lane, u64>,
    made: BTreeMap<Lane, u32>,
    wakes: BTreeMap<Lane, Vec<(u32, Lane)>>,
    /// The weights of the last calculation, and for how many more picks they are used.
    reckoned: BTreeMap<Lane, u64>,
    does_for: u32,
}

/// Up to this many lanes, weights are calculated for every pick.
const FEW_LANES: usize = 48;

/// For how many picks weights are reused if there are many lanes. One move of hundreds changes them little.
const PICKS: u32 = 24;

/// How many steps a chain of waiting lanes is followed to find a lane that can go.
const MAX_HOPS: u32 = 16;

impl Remaining {
    fn new(survey: &Survey, counts: impl Fn(Lane) -> bool) -> Self {
        let counted = survey.moves.iter().filter(|(lane, _)| counts(**lane));
        let own = counted.map(|(lane, moves)| (*lane, u64::from(*moves))).collect();
        let (made, reckoned) = (BTreeMap::new(), BTreeMap::new());
        Remaining { own, made, wakes: survey.wakes.clone(), reckoned, does_for: 0 }
    }

    fn went(&mut self, lane: Lane) {
        *self.made.entry(lane).or_default() += 1;
        if let Some(left) = self.own.get_mut(&lane) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.own.remove(&lane);
            }
        }
    }

    fn own(&self, lane: Lane) -> u64 {
        self.own.get(&lane).copied().unwrap_or(0)
    }

    /// The lane for which a lane that cannot move now waits: the one that let it move again at this point of the
    /// survey.
    fn waits_for(&self, lane: Lane) -> Option<Lane> {
        let made = self.made.get(&lane).copied().unwrap_or(0);
        let wakes = self.wakes.get(&lane)?;
        first_from(wakes, made).or(wakes.last()).map(|(_, by)| *by)
    }

    /// How likely each lane of a menu is to go. The weight is the moves that it has left before it waits for another,
    /// plus those of the lanes that wait for it. It is at least 1, because an estimate may be wrong.
    fn weights(&mut self, items: &[(usize, Lane)]) -> BTreeMap<Lane, u64> {
        if self.does_for > 0 {
            self.does_for -= 1;
            let weight = |lane| self.reckoned.get(&lane).copied().unwrap_or_else(|| self.own(lane)).max(1);
            return items.iter().map(|&(_, lane)| (lane, weight(lane))).collect();
        }
        let weights = self.reckon(items);
        if self.own.len() > FEW_LANES {
            self.reckoned.clone_from(&weights);
            self.does_for = PICKS;
        }
        weights
    }

    fn reckon(&self, items: &[(usize, Lane)]) -> BTreeMap<Lane, u64> {
        let mut weights: BTreeMap<Lane, u64> = items.iter().map(|&(_, lane)| (lane, 0)).collect();
        for (&lane, &left) in &self.own {
            let (mut at, mut left) = (Some(lane), left);
            if let Some(weight) = weights.get_mut(&lane) {
                let made = self.made.get(&lane).copied().unwrap_or(0);
                let wakes = self.wakes.get(&lane).and_then(|wakes| first_from(wakes, made + 1));
                let Some(&(after, by)) = wakes else {
                    *weight += left;
                    continue;
                };
                let now = left.min(u64::from(after - made));
                *weight += now;
                (at, left) = (Some(by), left - now);
            } else {
                at = at.and_then(|lane| self.waits_for(lane));
            }
            for _ in 0..MAX_HOPS {
                if let Some(weight) = at.and_then(|lane| weights.get_mut(&lane)) {
                    *weight += left;
                    break;
                }
                at = at.and_then(|lane| self.waits_for(lane));
            }
        }
        weights.values_mut().for_each(|weight| *weight = (*weight).max(1));
        weights
    }
}

/// A lane's first wait that comes after this many of its moves, or later. The waits are in order.
fn first_from(wakes: &[(u32, Lane)], moves: u32) -> Option<&(u32, Lane)> {
    wakes.get(wakes.partition_point(|(after, _)| *after < moves))
}

/// Draws one of some things by their weights, at least one of which is above 0.
fn weighted<T: Copy>(rng: &mut ChaCha8Rng, things: &[(T, u64)]) -> Option<T> {
    let total: u64 = things.iter().map(|(_, weight)| weight).sum();
    let mut left = u64::from(below(rng, u32::try_from(total).unwrap_or(u32::MAX)));
    for &(thing, weight) in things {
        if left < weight {
            return Some(thing);
        }
        left -= weight;
    }
    None
}

/// Draws one of a menu's items by the weights of their lanes. Two items of one lane share its weight evenly.
fn by_lane(rng: &mut ChaCha8Rng, weights: &BTreeMap<Lane, u64>, items: &[(usize, Lane)]) -> usize {
    let lanes: BTreeSet<Lane> = items.iter().map(|(_, lane)| *lane).collect();
    let lanes: Vec<(Lane, u64)> = lanes.into_iter().map(|lane| (lane, weights[&lane])).collect();
    let lane = weighted(rng, &lanes);
    let those: Vec<usize> = items.iter().filter(|item| Some(item.1) == lane).map(|item| item.0).collect();
    match those.len() {
        0 => items.first().map_or(0, |item| item.0),
        1 => those[0],
        several => those[below(rng, several as u32) as usize],
    }
}

impl Urw {
    /// The walk of one seed.
    pub fn new(seed: Seed, profile: &Profile, survey: &Survey) -> Self {
        let mut rng = seed.stream(Purpose::Choices);
        let time = Time::new(&mut rng);
        Urw { rng, left: Remaining::new(survey, |_| true), time, weather: Weather::new(seed, profile) }
    }
}

impl Strategy for Urw {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        let Some(others) = self.time.others(menu, &mut self.rng) else { return menu.len() - 1 };
        let items: Vec<_> = menu.items().take(others).map(Item::lane).enumerate().collect();
        by_lane(&mut self.rng, &self.left.weights(&items), &items)
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        self.weather.draw(ask)
    }

    fn went(&mut self, item: Item) {
        self.left.went(item.lane());
    }
}

impl Surw {
    /// The walk of one seed, with a subset drawn from it.
    pub fn new(seed: Seed, profile: &Profile, survey: &Survey) -> Self {
        let mut rng = seed.stream(Purpose::Subset);
        let sort = below(&mut rng, 6);
        let subset: BTreeSet<Lane> = survey
            .moves
            .keys()
            .copied()
            .filter(|lane| match (sort, lane) {
                (0, Lane::Actor(_)) | (1, Lane::Pipe(_)) | (2, Lane::Call(_)) => true,
                (0..3, _) => false,
                _ => below(&mut rng, 1 << (sort - 2)) == 0,
            })
            .collect();
        Self::of(seed, profile, survey, &subset)
    }

    /// The walk of one seed that is even over the moves of these lanes. If there are no such moves, it is even over all
    /// moves.
    pub fn of(seed: Seed, profile: &Profile, survey: &Survey, subset: &BTreeSet<Lane>) -> Self {
        let mut rng = seed.stream(Purpose::Choices);
        let time = Time::new(&mut rng);
        let is_none = subset.iter().all(|lane| !survey.moves.contains_key(lane));
        let max_patience = survey.len().saturating_add(SPARE);
        Surw {
            rng,
            left: Remaining::new(survey, |_| true),
            selected: Remaining::new(survey, |lane| is_none || subset.contains(&lane)),
            intended: None,
            patience: max_patience,
            max_patience,
            time,
            weather: Weather::new(seed, profile),
        }
    }

    /// Draws the lane that makes the next move of the subset. If that lane cannot move now, it is replaced by the
    /// nearest lane that it waits for and that has such moves left, because those moves come first in any case.
    fn intend(&mut self, items: &[(usize, Lane)]) {
        self.patience = self.max_patience;
        let lanes: Vec<(Lane, u64)> = self.selected.own.iter().map(|(lane, left)| (*lane, *left)).collect();
        if lanes.iter().all(|(_, left)| *left == 0) {
            return;
        }
        self.intended = weighted(&mut self.rng, &lanes);
        let can_move = |lane: Lane| items.iter().any(|item| item.1 == lane);
        let mut at = self.intended;
        for _ in 0..MAX_HOPS {
            let Some(waiting) = at.filter(|lane| !can_move(*lane)) else { break };
            at = self.selected.waits_for(waiting);
            if at.is_some_and(|lane| self.selected.own(lane) > 0) {
                self.intended = at;
            }
        }
    }
}

impl Strategy for Surw {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        let Some(others) = self.time.others(menu, &mut self.rng) else { return menu.len() - 1 };
        let items: Vec<_> = menu.items().take(others).map(Item::lane).enumerate().collect();
        if self.intended.is_none() {
            self.intend(&items);
        }
        let waits = |lane: Lane| self.intended != Some(lane) && self.selected.own(lane) > 0;
        let free: Vec<_> = items.iter().copied().filter(|&(_, lane)| !waits(lane)).collect();
        if free.is_empty() || self.patience == 0 {
            // The intended lane cannot go, or not before another.
            self.intended = None;
            return by_lane(&mut self.rng, &self.selected.weights(&items), &items);
        }
        self.patience -= 1;
        by_lane(&mut self.rng, &self.left.weights(&items), &free)
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        self.weather.draw(ask)
    }

    fn went(&mut self, item: Item) {
        let lane = item.lane();
        if self.intended == Some(lane) {
            self.intended = None;
        }
        self.left.went(lane);
        self.selected.went(lane);
    }
}
