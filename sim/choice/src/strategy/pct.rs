//! Probabilistic concurrency testing: random priorities, and a few moments at which one of them falls.

use super::time::Time;
use super::{Request, Strategy, Survey, Weather};
use crate::menu::{Item, Menu};
use crate::moves::Lane;
use crate::profile::Profile;
use crate::seed::{Purpose, Seed, below};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use std::collections::BTreeMap;

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
    priorities: BTreeMap<Lane, i64>,
    /// Pairs of a move's number and a priority: the lane that makes this move falls to this priority.
    changes: Vec<(u64, i64)>,
    windows: u32,
    made: u64,
    /// For each lane, its picks since it was first seen or last fell for going too often.
    picks: BTreeMap<Lane, u32>,
    lowest: i64,
    time: Time,
    weather: Weather,
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
            priorities: BTreeMap::new(),
            changes: Vec::new(),
            windows: 0,
            made: 0,
            picks: BTreeMap::new(),
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

    fn priority(&mut self, lane: Lane) -> i64 {
        let rng = &mut self.rng;
        *self.priorities.entry(lane).or_insert_with(|| i64::from(u32::MAX) + i64::from(rng.next_u32()))
    }
}

impl Strategy for Pct {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        let Some(others) = self.time.others(menu, &mut self.rng) else { return menu.len() - 1 };
        let mut best = (i64::MIN, 0, Lane::Clock);
        for (place, item) in menu.items().take(others).enumerate() {
            let lane = item.lane();
            let priority = self.priority(lane);
            if priority > best.0 {
                best = (priority, place, lane);
            }
        }
        let (_, place, lane) = best;
        let picks = self.picks.entry(lane).or_default();
        *picks += 1;
        if *picks > SPARE + 2 * self.survey.get(&lane).copied().unwrap_or(0) {
            *picks = 0;
            self.lowest -= 1;
            self.priorities.insert(lane, self.lowest);
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
            self.priorities.insert(item.lane(), low);
        }
        if self.made == u64::from(self.windows) * u64::from(self.window) {
            self.draw_changes();
        }
    }
}
