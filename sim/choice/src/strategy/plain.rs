//! The strategies that rank and weigh all moves, written in the plainest way: each pick looks at the whole menu. The
//! real ones keep their ranks and weights up to date, and must pick the same.

use super::time::Time;
use super::*;
use crate::chooser::Chooser;
use crate::menu::{Calm, Candidates};
use crate::moves::{Kind, Lane};
use crate::profile::Profile;
use crate::seed::{Purpose, Seed, below};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

mod by_the_whole_menu {
    use super::*;
    pub(super) struct Pct {
        rng: ChaCha8Rng,
        survey: BTreeMap<Lane, u32>,
        depth: u32,
        window: u32,
        priorities: BTreeMap<Lane, i64>,
        changes: Vec<(u64, i64)>,
        windows: u32,
        made: u64,
        picks: BTreeMap<Lane, u32>,
        lowest: i64,
        time: Time,
        weather: Weather,
    }
    const PCT_SPARE: u32 = 64;
    const MAX_WINDOW: u32 = 2_000;
    const MIN_WINDOW: u32 = 4;

    impl Pct {
        pub(super) fn new(seed: Seed, depth: u32, profile: &Profile, survey: &Survey) -> Self {
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
            if *picks > PCT_SPARE + 2 * self.survey.get(&lane).copied().unwrap_or(0) {
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
    pub(super) struct Pos {
        rng: ChaCha8Rng,
        priorities: BTreeMap<(Kind, u32), u32>,
        pipes: BTreeMap<u32, BTreeSet<u32>>,
        moved: Option<Lane>,
        time: Time,
        weather: Weather,
    }

    impl Pos {
        pub(super) fn new(seed: Seed, profile: &Profile) -> Self {
            let mut rng = seed.stream(Purpose::Choices);
            let time = Time::new(&mut rng);
            let (priorities, pipes) = (BTreeMap::new(), BTreeMap::new());
            Pos { rng, priorities, pipes, moved: None, time, weather: Weather::new(seed, profile) }
        }

        fn settle(&mut self) {
            let Some(moved) = self.moved.take() else { return };
            let pipes = &self.pipes;
            self.priorities.retain(|&(kind, id), _| !race(pipes, Lane::of(kind, id), moved));
        }
    }

    fn race(pipes: &BTreeMap<u32, BTreeSet<u32>>, one: Lane, other: Lane) -> bool {
        if one == other {
            return true;
        }
        let of = |actor: &u32| pipes.get(actor);
        match (&one, &other) {
            (Lane::Actor(actor), Lane::Pipe(pipe)) | (Lane::Pipe(pipe), Lane::Actor(actor)) => {
                of(actor).is_some_and(|pipes| pipes.contains(pipe))
            }
            (Lane::Actor(one), Lane::Actor(other)) => {
                of(one).zip(of(other)).is_some_and(|(ours, theirs)| !ours.is_disjoint(theirs))
            }
            _ => false,
        }
    }

    impl Strategy for Pos {
        fn pick(&mut self, menu: &Menu<'_>) -> usize {
            self.settle();
            let Some(others) = self.time.others(menu, &mut self.rng) else { return menu.len() - 1 };
            let (priorities, rng) = (&mut self.priorities, &mut self.rng);
            let mut priority =
                |item: Item| *priorities.entry((item.kind, item.id)).or_insert_with(|| rng.next_u32());
            let ranked = menu.items().take(others).enumerate().map(|(place, item)| (priority(item), place));
            // Among equals the first wins, but there are hardly any.
            ranked
                .max_by_key(|&(priority, place)| (priority, std::cmp::Reverse(place)))
                .map_or(0, |best| best.1)
        }

        fn draw(&mut self, ask: &Request<'_>) -> u32 {
            self.weather.draw(ask)
        }

        fn went(&mut self, item: Item) {
            self.settle();
            self.moved = Some(item.lane());
        }

        fn touched(&mut self, pipe: u32) {
            if let Some(Lane::Actor(actor)) = self.moved {
                self.pipes.entry(actor).or_default().insert(pipe);
            }
        }
    }

    pub(super) struct Urw {
        rng: ChaCha8Rng,
        left: Remaining,
        time: Time,
        weather: Weather,
    }
    pub(super) struct Surw {
        rng: ChaCha8Rng,
        left: Remaining,
        selected: Remaining,
        intended: Option<Lane>,
        patience: u32,
        max_patience: u32,
        time: Time,
        weather: Weather,
    }
    const SPARE: u32 = 64;
    struct Remaining {
        own: BTreeMap<Lane, u64>,
        made: BTreeMap<Lane, u32>,
        wakes: BTreeMap<Lane, Vec<(u32, Lane)>>,
        reckoned: BTreeMap<Lane, u64>,
        does_for: u32,
    }
    const FEW_LANES: usize = 48;
    const PICKS: u32 = 24;
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
        fn waits_for(&self, lane: Lane) -> Option<Lane> {
            let made = self.made.get(&lane).copied().unwrap_or(0);
            let wakes = self.wakes.get(&lane)?;
            first_from(wakes, made).or(wakes.last()).map(|(_, by)| *by)
        }
        fn weights(&mut self, items: &[(usize, Lane)]) -> BTreeMap<Lane, u64> {
            if self.does_for > 0 {
                self.does_for -= 1;
                let weight =
                    |lane| self.reckoned.get(&lane).copied().unwrap_or_else(|| self.own(lane)).max(1);
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
    fn first_from(wakes: &[(u32, Lane)], moves: u32) -> Option<&(u32, Lane)> {
        wakes.get(wakes.partition_point(|(after, _)| *after < moves))
    }
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
        pub(super) fn new(seed: Seed, profile: &Profile, survey: &Survey) -> Self {
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
        pub(super) fn new(seed: Seed, profile: &Profile, survey: &Survey) -> Self {
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
        pub(super) fn of(seed: Seed, profile: &Profile, survey: &Survey, subset: &BTreeSet<Lane>) -> Self {
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
        fn intend(&mut self, items: &[(usize, Lane)]) {
            self.patience = self.max_patience;
            let lanes: Vec<(Lane, u64)> =
                self.selected.own.iter().map(|(lane, left)| (*lane, *left)).collect();
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
}

/// A made-up world: which moves are possible follows from its number and the moves made so far.
struct Made {
    sets: [RoaringBitmap; KINDS],
    ids: u32,
    state: u64,
}

/// The kinds that have ids.
const KINDS: usize = Kind::ALL.len() - 1;

impl Made {
    fn new(number: u64, ids: u32) -> Self {
        let mut made = Made { sets: Default::default(), ids, state: number };
        for _ in 0..2 * ids {
            made.change();
        }
        made
    }

    /// A number below `bound`, by a multiplication with Steele and Vigna's constant (2021).
    fn number(&mut self, bound: u32) -> u32 {
        self.state = self.state.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
        (((self.state >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// Lets one item come or go.
    fn change(&mut self) -> Item {
        let (kind, id) = (self.number(KINDS as u32) as usize, self.number(self.ids));
        if !self.sets[kind].remove(id) {
            self.sets[kind].insert(id);
        }
        Item { kind: Kind::ALL[kind], id }
    }

    /// Plays it under a strategy. `tells` says whether menus tell what changed.
    fn play(mut self, strategy: Box<dyn Strategy>, tells: bool) -> Vec<Item> {
        let (mut chooser, mut calm, mut items) = (Chooser::new(strategy, 400), Calm::default(), Vec::new());
        let mut changes: Option<Vec<Item>> = None;
        for _ in 0..500 {
            let [start, poll, deliver, grant, answer, resume, act] = &self.sets;
            let told = changes.as_deref().filter(|_| tells);
            let sets = Candidates { start, poll, deliver, grant, answer, resume, act, changes: told };
            let (advance, is_due) = (self.state & 3 > 0, self.state & 0xc0 == 0xc0);
            let menu = calm.menu(&sets, advance).with_time_due(advance && is_due);
            let mut changed = if menu.is_empty() { told.unwrap_or_default().to_vec() } else { Vec::new() };
            if !menu.is_empty() {
                let item = chooser.pick(&menu);
                calm.took(item.kind, item.id);
                items.push(item);
                self.state ^= u64::from(item.id) << 40 | (item.kind as u64) << 50;
                if item.kind != Kind::Advance && self.number(2) == 0 {
                    self.sets[item.kind as usize].remove(item.id);
                    changed.push(item);
                }
                for _ in 0..self.number(3) {
                    chooser.touched(self.number(self.ids));
                }
            }
            changed.extend((0..self.number(4)).map(|_| self.change()).collect::<Vec<_>>());
            changes = Some(changed);
        }
        items
    }
}

#[test]
fn ranks_and_weights_that_are_kept_up_to_date_pick_what_a_look_at_the_whole_menu_picks() {
    type Make = fn(Seed, &Profile, &Survey) -> Box<dyn Strategy>;
    let pairs: [(&str, Make, Make); 5] = [
        (
            "pct",
            |seed, p, s| Box::new(by_the_whole_menu::Pct::new(seed, 3, p, s)),
            |seed, p, s| Box::new(Pct::new(seed, 3, p, s)),
        ),
        (
            "pct",
            |seed, p, s| Box::new(by_the_whole_menu::Pct::new(seed, 1, p, s)),
            |seed, p, s| Box::new(Pct::new(seed, 1, p, s)),
        ),
        (
            "pos",
            |seed, p, _| Box::new(by_the_whole_menu::Pos::new(seed, p)),
            |seed, p, _| Box::new(Pos::new(seed, p)),
        ),
        (
            "urw",
            |seed, p, s| Box::new(by_the_whole_menu::Urw::new(seed, p, s)),
            |seed, p, s| Box::new(Urw::new(seed, p, s)),
        ),
        (
            "surw",
            |seed, p, s| Box::new(by_the_whole_menu::Surw::new(seed, p, s)),
            |seed, p, s| Box::new(Surw::new(seed, p, s)),
        ),
    ];
    let profile = Profile::swarm();
    for number in 0..32 {
        let ids = [1, 2, 4, 8][number as usize % 4];
        let survey = Arc::new(Mutex::new(Survey::default()));
        Made::new(number, ids).play(Box::new(Surveyor::new(survey.clone())), number % 2 == 0);
        let survey = survey.lock().unwrap();
        for (name, plain, kept) in &pairs {
            let plain = Made::new(number, ids).play(plain(Seed(number), &profile, &survey), true);
            for tells in [true, false] {
                let kept = Made::new(number, ids).play(kept(Seed(number), &profile, &survey), tells);
                let differs = kept.iter().zip(&plain).position(|(kept, plain)| kept != plain);
                assert_eq!(differs, None, "{name} in world {number}, menus tell: {tells}");
                assert_eq!(kept.len(), plain.len());
            }
        }
    }
}
