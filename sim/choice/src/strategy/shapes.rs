//! Small programs on which schedulers are compared, without a world. Each has threads with a number of steps, and
//! orders of steps that fail.

use super::{Strategy, StrategyName, Survey, Surveyor};
use crate::chooser::Chooser;
use crate::menu::{Calm, Candidates};
use crate::moves::Kind;
use crate::profile::Profile;
use crate::seed::Seed;
use roaring::RoaringBitmap;
use std::sync::{Arc, Mutex};

/// A program: its threads, and the orders of their steps that fail.
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// The number of steps of each thread.
    pub(super) steps: Vec<u32>,
    /// Whether thread 0 starts the others: one with each of its steps, in their order.
    pub(super) forked: bool,
    /// Whether an order, the list of threads step by step, fails.
    pub(super) fails: fn(&[u32]) -> bool,
}

/// One run of a shape.
pub(super) struct Played {
    pub(super) order: Vec<u32>,
    /// The choices that made it.
    pub(super) choices: Vec<(u32, Option<u8>)>,
}

impl Shape {
    /// Threads that share nothing, and never fail.
    pub(super) fn free(steps: &[u32]) -> Shape {
        Shape { name: "free", steps: steps.into(), forked: false, fails: |_| false }
    }

    /// Runs it under a strategy.
    pub(super) fn play(&self, strategy: Box<dyn Strategy>) -> Played {
        let mut chooser = Chooser::new(strategy, 2_000);
        let (none, mut calm) = (RoaringBitmap::new(), Calm::default());
        let (mut made, mut order) = (vec![0; self.steps.len()], Vec::new());
        loop {
            let can_go = |&thread: &u32| {
                let born = !self.forked || thread <= made[0];
                born && made[thread as usize] < self.steps[thread as usize]
            };
            let poll: RoaringBitmap = (0..self.steps.len() as u32).filter(can_go).collect();
            let sets = Candidates { poll: &poll, ..Candidates::empty(&none) };
            let menu = calm.menu(&sets, false);
            if menu.is_empty() {
                break;
            }
            let thread = chooser.pick(&menu).id;
            calm.took(Kind::Poll, thread);
            order.push(thread);
            made[thread as usize] += 1;
        }
        let (choices, ..) = chooser.finish();
        let choices = choices.iter().map(|choice| (choice.value, Some(choice.of.check()))).collect();
        Played { order, choices }
    }

    pub(super) fn survey(&self) -> Survey {
        let survey = Arc::new(Mutex::new(Survey::default()));
        self.play(Box::new(Surveyor::new(survey.clone())));
        let survey = survey.lock().unwrap();
        survey.clone()
    }

    /// The order of one seed.
    pub(super) fn order(&self, name: &StrategyName, seed: u64, survey: &Survey) -> Vec<u32> {
        self.play(name.make(Seed(seed), &Profile::swarm(), survey)).order
    }

    /// How many of these seeds fail.
    pub(super) fn failures(&self, name: &StrategyName, seeds: std::ops::Range<u64>) -> u64 {
        let survey = self.survey();
        seeds.filter(|&seed| (self.fails)(&self.order(name, seed, &survey))).count() as u64
    }

    /// The median over twenty tries of the number of runs up to and including the first failure. `None` if more than
    /// half of the tries found none in `max` runs.
    fn median(&self, name: &StrategyName, max: u64) -> Option<u64> {
        let survey = self.survey();
        let first = |base: u64| (0..max).find(|run| (self.fails)(&self.order(name, base + run, &survey)));
        let mut tries: Vec<u64> =
            (0..20).map(|place| first(place * 1_000_000).map_or(u64::MAX, |run| run + 1)).collect();
        tries.sort_unstable();
        (tries[9] < u64::MAX).then_some(tries[9])
    }
}

/// n threads (reorder_n of SCTBench): the first starts the others and then looks. Each of the others makes two writes.
/// It fails if the look sees some first writes and no second write of the same thread.
fn reorder(n: u32) -> Shape {
    let mut steps = vec![2; n as usize];
    steps[0] = n;
    let fails = |order: &[u32]| {
        let look = order.iter().rposition(|&thread| thread == 0).expect("the first thread went");
        let mut others: Vec<u32> = order[..look].iter().copied().filter(|&thread| thread > 0).collect();
        others.sort_unstable();
        !others.is_empty() && others.windows(2).all(|pair| pair[0] != pair[1])
    };
    Shape { name: "reorder", steps, forked: true, fails }
}

/// One thread of k steps, and one that looks at it twice. It fails if both looks happen at one certain step.
fn needle(k: u32) -> Shape {
    let fails = |order: &[u32]| {
        let at = order.len() * 73 / 100;
        order[at..at + 2] == [1, 1]
    };
    Shape { name: "needle", fails, ..Shape::free(&[k, 2]) }
}

/// One thread of k steps and one of three. It fails if the short one ends last.
fn longshort(k: u32) -> Shape {
    Shape { name: "longshort", fails: |order| order.last() == Some(&1), ..Shape::free(&[k, 3]) }
}

#[test]
fn the_portfolio_finds_what_its_parts_find() {
    for (shape, at_most) in [(reorder(10), 50), (needle(100), 3_000), (longshort(50), 20)] {
        let median = shape.median(&StrategyName::Portfolio, 2 * at_most).unwrap_or(u64::MAX);
        println!("{}: {median} runs to the first failure", shape.name);
        assert!(median <= at_most, "{}: {median} runs to the first failure", shape.name);
    }
}
