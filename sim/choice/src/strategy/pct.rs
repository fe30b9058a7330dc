//! Probabilistic concurrency testing: random priorities, and a few moments at which one of them falls.

use super::possible::Possible;
use super::time::Time;
use super::{Request, Strategy, Survey, Weather};
use crate::lanes::PerLane;
use crate::menu::{Item, Menu};
use crate::moves::Lane;
use crate::profile::Profile;
use crate::seed::{Purpose, Seed, below};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// PCT(d) (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010).
///
/// The lane of the highest priority goes. The priority of a lane is drawn when the lane is first seen. d - 1 moments
/// among the run's k moves are drawn beforehand. At each of them the lane that just went falls below all priorities
/// that were drawn. Consider a bug of depth d (one that d orders of two moves bring about) in a program of n lanes. It
/// is found with a probability of at least 1 / (n k^(d-1)). k comes from the survey; a run that is longer gets d - 1
/// more moments in its next k moves.
///
/// Not in the paper: if a lane has gone more than twice as often as in the survey plus 64 times, it is assumed to wait
/// for another lane in a loop, and falls below all others.
pub struct Pct {
    rng: ChaCha8Rng,
    survey: BTreeMap<Lane, u32>,
    depth: u32,
    window: u32,
    possible: Possible,
    ranks: PerLane<Rank>,
    /// The lanes that could move and have a priority, in its order.
    ranked: BTreeSet<(i64, Lane)>,
    /// Lanes that became able to move and had no priority.
    unranked: Vec<Lane>,
    /// Pairs of a move's number and a priority: the lane that makes this move falls to this priority.
    changes: Vec<(u64, i64)>,
    windows: u32,
    made: u64,
    lowest: i64,
    time: Time,
    weather: Weather,
}

#[derive(Default)]
struct Rank {
    priority: Option<i64>,
    /// Its picks since it was first seen or last fell for going too often.
    picks: u32,
}

/// How many picks a lane has beyond twice those of the survey. This is enough for a world in which pipes are held or
/// pieces are small. It is few enough that a lane that wakes itself does not use up the choices of a run, of which
/// there are 2,000.
const SPARE: u32 = 64;

/// The moments are drawn among at most this many moves, because later moves come when the choices have ended.
const MAX_WINDOW: u32 = 2_000;

/// The moments are drawn among at least this many moves, even if the survey knows little.
const MIN_WINDOW: u32 = 4;

impl Pct {
    /// The scheduler of one seed and depth, which is at least 1.
    pub fn new(seed: Seed, depth: u32, profile: &Profile, survey: &Survey) -> Self {
        let mut rng = seed.stream(Purpose::Choices);
        let time = Time::new(&mut rng);
        let mut pct = Pct {
            rng,
            survey: survey.moves.clone(),
            depth: depth.max(1),
            window: survey.len().clamp(MIN_WINDOW, MAX_WINDOW),
            possible: Possible::default(),
            ranks: PerLane::default(),
            ranked: BTreeSet::new(),
            unranked: Vec::new(),
            changes: Vec::new(),
            windows: 0,
            made: 0,
            lowest: i64::from(i32::MIN),
            time,
            weather: Weather::new(seed, profile),
        };
        pct.draw_changes();
        pct
    }

    /// Draws the moments of the next window. Each moment has its own low priority, so the draw also decides which of
    /// two lanes falls lower.
    fn draw_changes(&mut self) {
        let base = i64::from(self.windows) * i64::from(self.depth);
        for low in 1..self.depth {
            let at = self.made + 1 + u64::from(below(&mut self.rng, self.window));
            self.changes.push((at, i64::from(low) - base));
        }
        self.windows += 1;
    }

    /// Gives a priority to each lane that is seen for the first time, in the order of the menu.
    fn rank_new_ones(&mut self, menu: &Menu<'_>) {
        let possible = &self.possible;
        let place = |lane: Lane| possible.first_place(lane, menu).map(|place| (place, lane));
        let mut seen: Vec<_> = self.unranked.drain(..).filter_map(place).collect();
        seen.sort_unstable();
        for (_, lane) in seen {
            let rank = self.ranks.at(lane);
            if rank.priority.is_none() {
                let drawn = i64::from(u32::MAX) + i64::from(self.rng.next_u32());
                rank.priority = Some(drawn);
                self.ranked.insert((drawn, lane));
            }
        }
    }

    fn set_priority(&mut self, lane: Lane, priority: i64) {
        let before = self.ranks.at(lane).priority.replace(priority);
        if before.is_some_and(|before| self.ranked.remove(&(before, lane))) {
            self.ranked.insert((priority, lane));
        }
    }

    /// The lane of the highest priority, with the place of its first item. Among equals the first on the menu is taken.
    fn highest(&self, menu: &Menu<'_>) -> Option<(usize, Lane)> {
        let (highest, _) = *self.ranked.last()?;
        let equals = self.ranked.range((highest, Lane::Actor(0))..);
        equals.filter_map(|&(_, lane)| Some((self.possible.first_place(lane, menu)?, lane))).min()
    }
}

impl Strategy for Pct {
    fn look(&mut self, menu: &Menu<'_>) {
        self.possible.look_at_lanes(menu, |lane, can_move| match self.ranks.at(lane).priority {
            Some(priority) if can_move => drop(self.ranked.insert((priority, lane))),
            Some(priority) => drop(self.ranked.remove(&(priority, lane))),
            None if can_move => self.unranked.push(lane),
            None => {}
        });
    }

    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        if self.time.others(menu, &mut self.rng).is_none() {
            return menu.len() - 1;
        }
        // The clock is a lane like any other while a time is due.
        match (self.ranks.at(Lane::Clock).priority, menu.is_time_due()) {
            (Some(priority), true) => drop(self.ranked.insert((priority, Lane::Clock))),
            (Some(priority), false) => drop(self.ranked.remove(&(priority, Lane::Clock))),
            (None, true) => self.unranked.push(Lane::Clock),
            (None, false) => {}
        }
        self.rank_new_ones(menu);
        let (place, lane) = self.highest(menu).unwrap_or((0, Lane::Clock));
        let rank = self.ranks.at(lane);
        rank.picks += 1;
        if rank.picks > SPARE + 2 * self.survey.get(&lane).copied().unwrap_or(0) {
            rank.picks = 0;
            self.lowest -= 1;
            self.set_priority(lane, self.lowest);
        }
        place
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        self.weather.draw(ask)
    }

    fn went(&mut self, item: Item) {
        self.made += 1;
        while let Some(due) = self.changes.iter().position(|(at, _)| *at == self.made) {
            let (_, low) = self.changes.swap_remove(due);
            self.set_priority(item.lane(), low);
        }
        if self.made == u64::from(self.windows) * u64::from(self.window) {
            self.draw_changes();
        }
    }
}
