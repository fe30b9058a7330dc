//! Fuzzing: mutates choices, runs them, and keeps those whose run did something new.
//!
//! A case is a choice sequence. Its run takes the given choices first and then, mostly, lets a strategy draw the rest:
//! a good beginning with a fresh end. The coverage of a run is read from its [transcript](coverage), so a world under a
//! fuzzer runs as it always does. Cases that bring rare features are mutated more often (Böhme, Pham, Roychoudhury,
//! "Coverage-based Greybox Fuzzing as Markov Chain", CCS 2016).
//!
//! A campaign follows a seed and a number of runs: the clock only decides when to stop. Worlds run in this process. If
//! one kills it, the campaign is lost, but the same seed leads to that world again.
//!
//! Not here: how failures are told apart ([`crate::same`]), and how they are made smaller ([`crate::shrink`]).

pub mod corpus;
pub mod coverage;
pub mod input;
pub mod mutate;
pub mod targets;
pub mod wire;

use crate::choice::Choice;
use crate::known::is_news;
use crate::profile::Profile;
use crate::run::{Choices, Run, Setup, run, run_under};
use crate::same::{Failure, SHRINK_RUNS, ShrunkRun, failure, shrink_run};
use crate::seed::{Purpose, Seed, below};
use crate::strategy::{StrategyName, Survey, Surveyor};
use crate::world::World;
use coverage::{Coverage, features};
use mutate::{Changed, change};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// A case that was kept.
#[derive(Clone, Debug)]
pub struct Case {
    /// The choices that its run made.
    pub choices: Vec<Choice>,
    /// The features that it was the first to bring.
    pub brought: Vec<u64>,
    /// The number of runs before this case came.
    run: u64,
    /// How often it was mutated.
    changed: u32,
}

impl Case {
    /// The values of its choices.
    pub fn values(&self) -> Vec<u32> {
        self.choices.iter().map(|choice| choice.value).collect()
    }
}

/// A scenario that is being fuzzed.
pub struct Fuzzer<F> {
    scenario: F,
    setup: Setup,
    profile: Profile,
    rng: ChaCha8Rng,
    coverage: Coverage,
    cases: Vec<Case>,
    /// Cases to run before any case is mutated.
    given: VecDeque<Vec<u32>>,
    failures: BTreeSet<Failure>,
    runs: u64,
}

/// One run of a fuzzer.
pub struct Fuzzed {
    /// The run.
    pub run: Run,
    /// Whether its case was kept because it did something new.
    pub is_kept: bool,
    /// The failure, if it is new and not a known fault of a library.
    pub found: Option<Failure>,
}

/// Number of portfolio runs at the beginning: one for each part of the portfolio.
const FIRST_DRAWN: u64 = 16;

impl<F: Fn(&mut World) + Sync> Fuzzer<F> {
    /// A fuzzer of a scenario. The whole campaign follows the setup's seed; the setup's choices are not used.
    pub fn new(scenario: F, setup: &Setup, profile: &Profile) -> Self {
        Fuzzer {
            scenario,
            setup: setup.clone(),
            profile: profile.clone(),
            rng: setup.seed.stream(Purpose::Fuzz),
            coverage: Coverage::default(),
            cases: Vec::new(),
            given: VecDeque::new(),
            failures: BTreeSet::new(),
            runs: 0,
        }
    }

    /// Adds cases that were kept earlier. They are run first.
    pub fn give(&mut self, cases: impl IntoIterator<Item = Vec<u32>>) {
        self.given.extend(cases);
    }

    /// Runs one case.
    pub fn step(&mut self) -> Fuzzed {
        let run = match self.runs {
            // A random walk needs no survey.
            0 => self.run(Vec::new(), StrategyName::Random, self.setup.seed),
            1 => self.survey(),
            _ => self.next(),
        };
        self.runs += 1;
        let features = features(&run);
        let brought = self.coverage.take(&features);
        let found = failure(&run.outcome).filter(|_| is_news(&run.outcome));
        let found = found.filter(|failure| self.failures.insert(failure.clone()));
        let is_kept = !brought.is_empty();
        if is_kept {
            self.cases.push(Case { choices: run.choices.clone(), brought, run: self.runs, changed: 0 });
        }
        Fuzzed { run, is_kept, found }
    }

    /// Runs without any choice, and surveys the scenario.
    fn survey(&mut self) -> Run {
        let survey = Arc::new(Mutex::new(Survey::default()));
        let dull = || Box::new(Surveyor::new(survey.clone())) as _;
        let run = run_under(&self.scenario, &self.setup, "no choices", dull);
        let survey = survey.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.setup.survey = Some(Arc::new(survey));
        run
    }

    fn next(&mut self) -> Run {
        if let Some(given) = self.given.pop_front() {
            return self.run(given, StrategyName::RoundRobin, self.setup.seed);
        }
        let seed = Seed(self.rng.next_u64());
        if self.runs <= FIRST_DRAWN {
            // The remainder of a seed decides which part of the portfolio takes it.
            let seed = Seed(seed.0 & !0xf | (self.runs - 1));
            return self.run(Vec::new(), StrategyName::Portfolio, seed);
        }
        if below(&mut self.rng, 8) < FRESH {
            return self.run(Vec::new(), StrategyName::Portfolio, seed);
        }
        let (case, other) = (self.pick(), place(self.cases.len(), &mut self.rng));
        self.cases[case].changed += 1;
        let Changed { choices, goes_on } =
            change(&self.cases[case].choices, &self.cases[other].choices, &mut self.rng);
        let then = if goes_on { StrategyName::Portfolio } else { StrategyName::RoundRobin };
        self.run(choices, then, seed)
    }

    fn run(&mut self, given: Vec<u32>, then: StrategyName, seed: Seed) -> Run {
        let mut profile = self.profile.clone();
        // In half of the runs all pipes are held and all cells slow, if the profile enables these, because the search
        // is for odd behaviour of bytes.
        if self.runs == 0 || below(&mut self.rng, 2) == 0 {
            profile.held_pipes = profile.held_pipes.min(1);
            profile.small_slices = profile.small_slices.min(1);
            profile.free_hosts = profile.free_hosts.min(1);
        }
        let choices = Choices::Begun { given, then, seed, profile };
        run(&self.scenario, &Setup { choices, ..self.setup.clone() })
    }

    /// Picks the case to mutate. Of a few drawn cases it takes the one whose rarest feature is rarest and that was
    /// mutated least.
    fn pick(&mut self) -> usize {
        let drawn: Vec<usize> = (0..DRAWN).map(|_| place(self.cases.len(), &mut self.rng)).collect();
        let cost = |at: &usize| {
            let case = &self.cases[*at];
            let rarest = case.brought.iter().map(|feature| self.coverage.runs_of(*feature)).min();
            u64::from(rarest.unwrap_or(u32::MAX)) * u64::from(case.changed + 1)
        };
        drawn.into_iter().min_by_key(cost).expect("some were drawn")
    }

    /// Number of given cases that have not been run yet.
    pub fn left(&self) -> usize {
        self.given.len()
    }

    /// Number of runs so far.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Whether coverage rests: of the last 20,000 runs, fewer than one in two hundred did something new.
    pub fn rests(&self) -> bool {
        let few_ago = self.cases.len().checked_sub(FEW_CASES).map_or(0, |at| self.cases[at].run);
        self.runs - few_ago >= REST_RUNS
    }

    /// A nearly minimal set of kept cases with the same coverage as all of them. Runs each case once more.
    pub fn minimal(&mut self) -> Vec<Vec<u32>> {
        let values: Vec<Vec<u32>> = self.cases.iter().map(Case::values).collect();
        let covers: Vec<(usize, Vec<u64>)> = values
            .iter()
            .map(|given| {
                let run = self.run(given.clone(), StrategyName::RoundRobin, self.setup.seed);
                (given.len(), features(&run))
            })
            .collect();
        corpus::cover(&covers).into_iter().map(|at| values[at].clone()).collect()
    }

    /// A failed run, made as small as possible.
    pub fn shrunk(&self, run: &Run) -> Option<ShrunkRun> {
        shrink_run(run, SHRINK_RUNS, |choices| {
            crate::run::run(&self.scenario, &Setup { choices, ..self.setup.clone() })
        })
    }

    /// Number of features seen.
    pub fn coverage(&self) -> usize {
        self.coverage.len()
    }

    /// The kept cases, in the order in which they came.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }
}

/// Number of runs that decide whether coverage rests. Fresh draws always do something new now and then, so waiting for
/// no news at all would never end.
const REST_RUNS: u64 = 20_000;

/// If so many runs or more bring only this many cases, coverage counts as resting.
const FEW_CASES: usize = 100;

/// Number of runs in eight that begin with nothing given, however many cases were kept.
const FRESH: u32 = 3;

/// Number of cases drawn, of which the best is mutated.
const DRAWN: usize = 6;

fn place(bound: usize, rng: &mut ChaCha8Rng) -> usize {
    below(rng, bound as u32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::engine;

    #[test]
    fn coverage_rests_when_few_cases_come() {
        let mut fuzzer = Fuzzer::new(|_: &mut World| (), &Setup::new(engine(), Seed(0)), &Profile::calm());
        fuzzer.runs = REST_RUNS - 1;
        assert!(!fuzzer.rests());
        fuzzer.runs = REST_RUNS;
        assert!(fuzzer.rests());
        let case = |run| Case { choices: Vec::new(), brought: Vec::new(), run, changed: 0 };
        fuzzer.runs = 50_000;
        fuzzer.cases = (1..FEW_CASES as u64).map(|nth| case(50_000 - nth)).collect();
        assert!(fuzzer.rests());
        fuzzer.cases.insert(0, case(50_000 - REST_RUNS));
        assert!(fuzzer.rests());
        fuzzer.cases[0] = case(50_001 - REST_RUNS);
        assert!(!fuzzer.rests());
    }
}
