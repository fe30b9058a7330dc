//! Uniform random walks: all interleavings are about equally likely.

use super::remaining::{Able, MAX_HOPS, Remaining};
use super::time::Time;
use super::{Request, Strategy, Survey, Weather};
use crate::lanes::LaneWeights;
use crate::menu::{Item, Menu};
use crate::moves::Lane;
use crate::profile::Profile;
use crate::seed::{Purpose, Seed, below};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

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
    able: Able,
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
    able: Able,
    left: Remaining,
    /// The moves that are left of the subset alone.
    selected: Remaining,
    /// For each lane, whether it can move or not, the moves of the subset that it has left.
    selected_moves: LaneWeights,
    /// The weights of the lanes that can move and have no moves of the subset left.
    free: LaneWeights,
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

/// Draws one of a menu's items by the weights of their lanes. Two items of one lane share its weight evenly.
fn by_lane(rng: &mut ChaCha8Rng, weights: &LaneWeights, able: &Able, menu: &Menu<'_>) -> usize {
    let Some(lane) = draw_lane(rng, weights) else { return 0 };
    let mut places: Vec<usize> = able.items(lane).filter_map(|item| menu.place_of(item)).collect();
    match places.len() {
        0 => 0,
        1 => places[0],
        several => {
            places.sort_unstable();
            places[below(rng, several as u32) as usize]
        }
    }
}

fn draw_lane(rng: &mut ChaCha8Rng, weights: &LaneWeights) -> Option<Lane> {
    weights.find(u64::from(below(rng, u32::try_from(weights.total()).unwrap_or(u32::MAX))))
}

impl Urw {
    /// The walk of one seed.
    pub fn new(seed: Seed, profile: &Profile, survey: &Survey) -> Self {
        let mut rng = seed.stream(Purpose::Choices);
        let time = Time::new(&mut rng);
        let left = Remaining::new(survey, |_| true);
        Urw { rng, able: Able::default(), left, time, weather: Weather::new(seed, profile) }
    }
}

impl Strategy for Urw {
    fn look(&mut self, menu: &Menu<'_>) {
        self.able.look(menu, |lane| self.left.toggled(lane));
    }

    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        if self.time.others(menu, &mut self.rng).is_none() {
            return menu.len() - 1;
        }
        self.able.look_at_clock(menu, |lane| self.left.toggled(lane));
        self.left.weigh(&self.able, |_, _| {});
        by_lane(&mut self.rng, self.left.weights(), &self.able, menu)
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        self.weather.draw(ask)
    }

    fn went(&mut self, item: Item) {
        self.left.went(item.lane(), &self.able);
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
        let selected = Remaining::new(survey, |lane| is_none || subset.contains(&lane));
        let mut selected_moves = LaneWeights::default();
        for lane in survey.moves.keys() {
            selected_moves.set(*lane, selected.own(*lane));
        }
        Surw {
            rng,
            able: Able::default(),
            left: Remaining::new(survey, |_| true),
            selected,
            selected_moves,
            free: LaneWeights::default(),
            intended: None,
            patience: max_patience,
            max_patience,
            time,
            weather: Weather::new(seed, profile),
        }
    }

    /// Draws the lane that makes the next move of the subset. If that lane cannot move now, it is replaced by the
    /// nearest lane that it waits for and that has such moves left, because those moves come first in any case.
    fn intend(&mut self) {
        self.patience = self.max_patience;
        if self.selected_moves.total() == 0 {
            return;
        }
        self.intended = draw_lane(&mut self.rng, &self.selected_moves);
        let mut at = self.intended;
        for _ in 0..MAX_HOPS {
            let Some(waiting) = at.filter(|lane| !self.able.can_move(*lane)) else { break };
            at = self.selected.waits_for(waiting);
            if at.is_some_and(|lane| self.selected.own(lane) > 0) {
                self.intended = at;
            }
        }
    }

    /// Sets the weight that a lane has among those that need not hold back.
    fn set_free(&mut self, lane: Lane) {
        let holds_back = self.intended != Some(lane) && self.selected.own(lane) > 0;
        self.free.set(lane, if holds_back { 0 } else { self.left.weight(lane, &self.able) });
    }

    fn weigh(&mut self) {
        let (selected, free) = (&self.selected, &mut self.free);
        self.left.weigh(&self.able, |lane, weight| {
            free.set(lane, if selected.own(lane) > 0 { 0 } else { weight });
        });
    }

    /// Takes back the intention; the lane holds back again if it has moves of the subset left.
    fn give_up(&mut self) {
        if let Some(lane) = self.intended.take() {
            self.set_free(lane);
        }
    }
}

impl Strategy for Surw {
    fn look(&mut self, menu: &Menu<'_>) {
        self.able.look(menu, |lane| {
            self.left.toggled(lane);
            self.selected.toggled(lane);
        });
    }

    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        if self.time.others(menu, &mut self.rng).is_none() {
            return menu.len() - 1;
        }
        self.able.look_at_clock(menu, |lane| {
            self.left.toggled(lane);
            self.selected.toggled(lane);
        });
        if self.intended.is_none() {
            self.intend();
        }
        self.weigh();
        if let Some(lane) = self.intended {
            self.set_free(lane);
        }
        if self.free.total() == 0 || self.patience == 0 {
            // The intended lane cannot go, or not before another.
            self.give_up();
            self.selected.weigh(&self.able, |_, _| {});
            return by_lane(&mut self.rng, self.selected.weights(), &self.able, menu);
        }
        self.patience -= 1;
        by_lane(&mut self.rng, &self.free, &self.able, menu)
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        self.weather.draw(ask)
    }

    fn went(&mut self, item: Item) {
        let lane = item.lane();
        self.left.went(lane, &self.able);
        self.selected.went(lane, &self.able);
        self.selected_moves.set(lane, self.selected.own(lane));
        if self.intended == Some(lane) {
            self.give_up();
        } else {
            self.set_free(lane);
        }
    }
}
