//! Fuzzing: choices changed a little, run, and kept where a run did what none did before.
//!
//! A case is a choice sequence. It is run by giving the choices and then, mostly, letting a strategy draw the rest:
//! a good beginning with a fresh end. What a run covers is read off its [transcript](coverage), so a world under a
//! fuzzer runs as it always does. Cases that bring rare features are changed more often (Böhme, Pham,
//! Roychoudhury, "Coverage-based Greybox Fuzzing as Markov Chain", CCS 2016).
//!
//! All of it follows a seed and a number of runs: the clock may only say when to stop. Worlds run in this process;
//! one that kills it is lost, but the same seed comes to it again.
//!
//! Not here: what a failure is ([`crate::same`]), how it is made smaller ([`crate::shrink`]).

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
    /// Its choices, as its run made them.
    pub choices: Vec<Choice>,
    /// The features that it was the first to bring.
    pub brought: Vec<u64>,
    /// How many runs there were when it came.
    run: u64,
    /// How often it was changed.
    changed: u32,
}

impl Case {
    /// Its choices' values.
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
    /// What is to be run before anything is changed.
    given: VecDeque<Vec<u32>>,
    failures: BTreeSet<Failure>,
    runs: u64,
}

/// One run of a fuzzer.
pub struct Fuzzed {
    /// The run.
    pub run: Run,
    /// Whether its case was kept: it did something new.
    pub is_kept: bool,
    /// How it failed, where that is new and no known fault of a library.
    pub found: Option<Failure>,
}

/// Runs of the portfolio at the beginning: each of its parts once.
const FIRST_DRAWN: u64 = 16;

impl<F: Fn(&mut World) + Sync> Fuzzer<F> {
    /// A fuzzer of a scenario. Everything follows the setup's seed; its choices are not used.
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

    /// Gives it cases that were kept before. They are run first.
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

    /// No choices at all; and a look at what the scenario is.
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
            // Which part takes a seed is its remainder.
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
        // In half of the runs all pipes are held and all cells slow, where the profile knows of such: what bytes
        // do then is what is looked for.
        if self.runs == 0 || below(&mut self.rng, 2) == 0 {
            profile.held_pipes = profile.held_pipes.min(1);
            profile.small_slices = profile.small_slices.min(1);
            profile.free_hosts = profile.free_hosts.min(1);
        }
        let choices = Choices::Begun { given, then, seed, profile };
        run(&self.scenario, &Setup { choices, ..self.setup.clone() })
    }

    /// Picks the case to change: of some drawn the one whose rarest feature is rarest, and which was changed least.
    fn pick(&mut self) -> usize {
        let drawn: Vec<usize> = (0..DRAWN).map(|_| place(self.cases.len(), &mut self.rng)).collect();
        let cost = |at: &usize| {
            let case = &self.cases[*at];
            let rarest = case.brought.iter().map(|feature| self.coverage.runs_of(*feature)).min();
            u64::from(rarest.unwrap_or(u32::MAX)) * u64::from(case.changed + 1)
        };
        drawn.into_iter().min_by_key(cost).expect("some were drawn")
    }

    /// How many of the cases that were given have not been run.
    pub fn left(&self) -> usize {
        self.given.len()
    }

    /// How many runs were made.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Whether coverage rests: of the last 20,000 runs not one in two hundred did something new.
    pub fn rests(&self) -> bool {
        let few_ago = self.cases.len().checked_sub(FEW_CASES).map_or(0, |at| self.cases[at].run);
        self.runs - few_ago >= REST_RUNS
    }

    /// The fewest of the kept cases, about, that still cover what all of them do. Runs each once more.
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

    /// A failed run made as small as can be.
    pub fn shrunk(&self, run: &Run) -> Option<ShrunkRun> {
        shrink_run(run, SHRINK_RUNS, |choices| {
            crate::run::run(&self.scenario, &Setup { choices, ..self.setup.clone() })
        })
    }

    /// How many features were seen.
    pub fn coverage(&self) -> usize {
        self.coverage.len()
    }

    /// The cases that were kept, in the order in which they came.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }
}

/// Runs over which coverage may come to rest. What is drawn anew does something new now and then for as long as it is
/// drawn, so that nothing new at all would be waited for in vain.
const REST_RUNS: u64 = 20_000;

/// Cases that are so few in as many runs that they count as rest.
const FEW_CASES: usize = 100;

/// Runs in eight that begin with nothing given, however much was kept.
const FRESH: u32 = 3;

/// Cases of which the best is changed.
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
