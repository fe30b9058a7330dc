//! The promises of each strategy, tested on programs that are small enough to know the numbers.

use super::pct::Pct;
use super::shapes::Shape;
use super::*;
use crate::menu::{Calm, Candidates};
use crate::moves::{Kind, Lane};
use crate::profile::Profile;
use crate::seed::Seed;
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};

/// The number of different orders, and the sum of the squared differences between their counts and `expected`.
fn spread(orders: impl Iterator<Item = Vec<u32>>, expected: i64) -> (usize, i64) {
    let mut counts: BTreeMap<Vec<u32>, i64> = BTreeMap::new();
    for order in orders {
        *counts.entry(order).or_default() += 1;
    }
    (counts.len(), counts.values().map(|count| (count - expected).pow(2)).sum())
}

#[test]
fn random_picks_kinds_by_their_weights() {
    let text = "level = 'still'\nswarm = false\n[weights]\npoll = 3\ndeliver = 1\nadvance = 0";
    let profile = Profile::from_toml("weights", text).unwrap();
    let mut random = Random::new(Seed(1), &profile);
    let (poll, deliver): (RoaringBitmap, RoaringBitmap) = ([4].into(), (0..50).collect());
    let none = RoaringBitmap::new();
    let sets = Candidates { poll: &poll, deliver: &deliver, ..Candidates::empty(&none) };
    let calm = Calm::default();
    let menu = calm.menu(&sets, true);
    let mut picked: BTreeMap<Kind, u32> = BTreeMap::new();
    for _ in 0..8_000 {
        *picked.entry(menu.item(random.pick(&menu)).kind).or_default() += 1;
    }
    // The ratio is 3 to 1, however many items of a kind there are: 6,000 of 8,000, give or take four times 39.
    assert!((5_840..6_160).contains(&picked[&Kind::Poll]), "{picked:?}");
    assert_eq!(picked.get(&Kind::Advance), None);
}

#[test]
fn pct_finds_a_bug_of_depth_2_once_in_nk_runs() {
    // Thread 1 must go right after the 13th of 20 steps. n = 2 and k = 21, so 1 run in 42 fails: 100 of 4,200.
    let bug = Shape { fails: |order| order[13] == 1, ..Shape::free(&[20, 1]) };
    let found = bug.failures(&StrategyName::Pct(Some(2)), 0..4_200);
    assert!(found >= 70, "{found}");
    assert_eq!(bug.failures(&StrategyName::Pct(Some(1)), 0..500), 0);
}

#[test]
fn pct_finds_a_bug_of_depth_3_once_in_nkk_runs() {
    // Thread 1's first step must go right after the 6th of 10, and its second after all of them. n = 2 and k = 12, so 1
    // run in 288 fails: 30 of 8,640.
    let fails = |order: &[u32]| order[6] == 1 && order[11] == 1;
    let bug = Shape { fails, ..Shape::free(&[10, 2]) };
    let found = bug.failures(&StrategyName::Pct(Some(3)), 0..8_640);
    assert!(found >= 15, "{found}");
    assert_eq!(bug.failures(&StrategyName::Pct(Some(2)), 0..2_000), 0);
}

#[test]
fn pct_lets_nobody_starve() {
    let spins = Shape::free(&[1_000, 1]);
    for seed in 0..50 {
        let strategy = Pct::new(Seed(seed), 1, &Profile::calm(), &Survey::default());
        let order = spins.play(Box::new(strategy)).order;
        assert!(order.iter().position(|&thread| thread == 1).unwrap() <= 65);
    }
}

#[test]
fn pos_is_linear_where_a_random_walk_is_exponential() {
    // Thread 1's only step must come after all 15 of thread 0. POS finds it in 1 of 16 runs (200 of 3,200), a walk in 1
    // of 2^15.
    let late = Shape { fails: |order| order[15] == 1, ..Shape::free(&[15, 1]) };
    let found = late.failures(&StrategyName::Pos, 0..3_200);
    assert!((150..250).contains(&found), "{found}");
    assert!(late.failures(&StrategyName::Random, 0..3_200) <= 3);
}

#[test]
fn urw_makes_all_interleavings_equally_likely() {
    // There are C(6, 3) = 20 orders, with 1,000 runs of each expected. With 19 degrees of freedom chi-square is above
    // 43.8 once in 1,000 times. The bound is 1,000 times that, because the terms were not divided by the expected
    // 1,000.
    let shape = Shape::free(&[3, 3]);
    let survey = shape.survey();
    let orders =
        |name: StrategyName| spread((0..20_000).map(|seed| shape.order(&name, seed, &survey)), 1_000);
    let (count, spread) = orders(StrategyName::Urw);
    assert!(count == 20 && spread < 43_800, "{count} orders, {spread}");
    let (count, spread) = orders(StrategyName::Random);
    assert!(count == 20 && spread > 1_000_000, "a walk is not even: {spread}");
}

#[test]
fn urw_counts_those_that_are_not_born_yet() {
    // Thread 0 starts thread 1, then thread 2. They make 2 steps and 1 step. After the first step there are C(4, 2) = 6
    // orders. With 5 degrees of freedom the limit of chi-square is 20.5.
    let shape = Shape { forked: true, ..Shape::free(&[2, 2, 1]) };
    let survey = shape.survey();
    let lane = Lane::Actor;
    assert_eq!(survey.wakes, [(lane(1), vec![(0, lane(0))]), (lane(2), vec![(0, lane(0))])].into());
    let orders = (0..6_000).map(|seed| shape.order(&StrategyName::Urw, seed, &survey));
    let (count, spread) = spread(orders, 1_000);
    assert!(count == 6 && spread < 20_500, "{count} orders, {spread}");
}

#[test]
fn surw_makes_all_interleavings_of_its_subset_equally_likely() {
    let subset: BTreeSet<Lane> = [Lane::Actor(1), Lane::Actor(2)].into();
    for forked in [false, true] {
        // Two other threads, one long and one short, are not in the subset of two threads with 3 steps each.
        let shape = Shape { forked, ..Shape::free(&[30, 3, 3, 1]) };
        let survey = shape.survey();
        let orders = (0..20_000).map(|seed| {
            let surw = Surw::of(Seed(seed), &Profile::calm(), &survey, &subset);
            let order = shape.play(Box::new(surw)).order;
            order.into_iter().filter(|&thread| thread == 1 || thread == 2).collect()
        });
        let (count, spread) = spread(orders, 1_000);
        assert!(count == 20 && spread < 43_800, "{count} orders, {spread}");
    }
}

/// All orders of a search, in the order in which they were seen, and whether the search was complete.
fn explored(shape: &Shape, bound: Bound) -> (Vec<Vec<u32>>, bool) {
    let mut frontier = Frontier::new(bound);
    let mut orders = Vec::new();
    loop {
        let explored = frontier.explored();
        if explored.complete || explored.schedules == 5_000 {
            assert_eq!(explored.schedules, orders.len() as u64);
            return (orders, explored.complete);
        }
        orders.push(shape.play(Box::new(frontier.strategy())).order);
        frontier.turn();
    }
}

fn choose(n: u64, k: u64) -> u64 {
    (0..k).fold(1, |product, i| product * (n - i) / (i + 1))
}

/// How often the turn was taken from a thread that had steps left.
fn preemptions(order: &[u32]) -> usize {
    (1..order.len()).filter(|&at| order[at - 1] != order[at] && order[at..].contains(&order[at - 1])).count()
}

#[test]
fn exhaustive_without_a_bound_sees_every_interleaving_once() {
    let all = Bound { preemptions: None, delays: None };
    for k in 1..=6 {
        let (orders, complete) = explored(&Shape::free(&[k, k]), all);
        assert!(complete);
        let k = u64::from(k);
        assert_eq!(orders.len() as u64, choose(2 * k, k));
        assert_eq!(orders.iter().collect::<BTreeSet<_>>().len(), orders.len());
    }
    let (orders, _) = explored(&Shape::free(&[2, 3, 1]), all);
    assert_eq!(orders.len(), 60, "6! / (2! 3! 1!)");
}

#[test]
fn exhaustive_with_a_bound_on_preemptions_sees_what_it_allows_and_no_more() {
    let k = 5;
    let all = explored(&Shape::free(&[k, k]), Bound { preemptions: None, delays: None }).0;
    for most in 0..=4_u32 {
        let bound = Bound { preemptions: Some(most), delays: None };
        let (orders, complete) = explored(&Shape::free(&[k, k]), bound);
        assert!(complete);
        // With p preemptions there are p + 2 blocks, which alternate between the two threads.
        let blocks = |p: u64| 2 * choose(u64::from(k) - 1, p.div_ceil(2)) * choose(u64::from(k) - 1, p / 2);
        assert_eq!(orders.len() as u64, (0..=u64::from(most)).map(blocks).sum::<u64>());
        let allowed: BTreeSet<_> = all.iter().filter(|order| preemptions(order) <= most as usize).collect();
        assert_eq!(orders.iter().collect::<BTreeSet<_>>(), allowed);
    }
}

#[test]
fn exhaustive_with_a_bound_on_delays_sees_what_it_allows_and_no_more() {
    /// Counts the orders by hand: each item that is passed over costs one delay.
    fn count(left: &[u32], calm: &Calm, delays: u32) -> usize {
        let poll: RoaringBitmap =
            (0..left.len() as u32).filter(|&thread| left[thread as usize] > 0).collect();
        let none = RoaringBitmap::new();
        let sets = Candidates { poll: &poll, ..Candidates::empty(&none) };
        let menu = calm.menu(&sets, false);
        let after = |(delay, item): (usize, Item)| {
            let (mut left, mut calm) = (left.to_vec(), calm.clone());
            left[item.id as usize] -= 1;
            calm.took(item.kind, item.id);
            count(&left, &calm, delays - delay as u32)
        };
        if menu.is_empty() { 1 } else { menu.items().enumerate().take(delays as usize + 1).map(after).sum() }
    }
    for delays in 0..=5 {
        let bound = Bound { preemptions: None, delays: Some(delays) };
        let (orders, complete) = explored(&Shape::free(&[3, 3, 2]), bound);
        assert!(complete);
        assert_eq!(orders.len(), count(&[3, 3, 2], &Calm::default(), delays));
        assert_eq!(orders.iter().collect::<BTreeSet<_>>().len(), orders.len());
    }
}

#[test]
fn exhaustive_with_both_bounds_keeps_to_both() {
    let shape = Shape::free(&[3, 3, 3]);
    let seen = |preemptions, delays| -> BTreeSet<Vec<u32>> {
        explored(&shape, Bound { preemptions, delays }).0.into_iter().collect()
    };
    let (both, one) = (seen(Some(1), Some(2)), seen(Some(1), None));
    assert!(both.is_subset(&one) && both.len() < one.len(), "{} of {}", both.len(), one.len());
    assert_eq!(seen(Some(1), Some(0)).len(), 1);
}

#[test]
fn exhaustive_lets_nobody_starve() {
    let (orders, complete) =
        explored(&Shape::free(&[3_000, 1]), Bound { preemptions: Some(0), delays: None });
    assert!(complete);
    let second: Vec<usize> =
        orders.iter().map(|order| order.iter().position(|&thread| thread == 1).unwrap()).collect();
    // The lane is chosen once at first, and then a thousand times in a row.
    assert_eq!(second, [1_001, 0]);
}

#[test]
fn seeds_in_a_row_meet_every_part_of_the_portfolio() {
    let parts: Vec<StrategyName> = StrategyName::searching();
    for first in [0, 7, 1_000_003] {
        let met: BTreeSet<String> = (first..first + 16)
            .map(|seed| portfolio::part(Seed(seed)).to_string().split(':').next().unwrap().to_string())
            .collect();
        for part in parts.iter().filter(|part| **part != StrategyName::Portfolio) {
            let name = part.to_string();
            assert!(met.contains(name.split(':').next().unwrap()), "{name}");
        }
    }
    let depths: BTreeSet<String> =
        (0..100).map(|seed| StrategyName::Pct(None).for_seed(Seed(seed)).to_string()).collect();
    assert_eq!(depths.into_iter().collect::<Vec<_>>(), ["pct:1", "pct:2", "pct:3", "pct:4"]);
}

#[test]
fn what_any_strategy_chose_replays_and_reads_back_from_bytes() {
    let shape = Shape { forked: true, ..Shape::free(&[5, 4, 3, 2]) };
    let survey = shape.survey();
    let bytes = StrategyName::Bytes((0..=255).step_by(7).collect());
    for name in StrategyName::searching().into_iter().chain([bytes]) {
        for seed in 0..20 {
            let played = shape.play(name.make(Seed(seed), &Profile::swarm(), &survey));
            let replayed = shape.play(Box::new(Replay::new(played.choices.clone())));
            assert_eq!(replayed.order, played.order);
            let bytes = played.choices.iter().map(|(value, _)| *value as u8).collect();
            assert_eq!(shape.play(Box::new(Bytes::new(bytes))).order, played.order);
        }
    }
}
