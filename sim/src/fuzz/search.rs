//! The search of a fuzzer: which case to run next, and what its run brought. Runs nothing itself, so the runs can be
//! made in another process.

use super::corpus;
use super::coverage::{Coverage, features};
use super::mutate::{Changed, change};
use crate::run::{Choices, Run};
use crate::signature::signature;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use wavetank_choice::choice::Choice;
use wavetank_choice::profile::Profile;
use wavetank_choice::seed::{Purpose, Seed, below};
use wavetank_choice::strategy::StrategyName;

/// A run that a search asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The first choices. A value that is too large wraps round.
    pub given: Vec<u32>,
    /// Where the other choices come from.
    pub then: Continuation,
    /// Whether all pipes are held and all cells are slow, as far as the profile allows either.
    pub is_tight: bool,
}

/// Where the choices behind the given ones come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Continuation {
    /// There are no more: each is 0.
    Nothing,
    /// The calm policy, in a world as rough as the profile says.
    RoundRobin,
    /// A random walk from this seed.
    Random(u64),
    /// The portfolio from this seed.
    Portfolio(u64),
}

impl Proposal {
    /// The choices of its run under a profile.
    pub fn choices(&self, profile: &Profile) -> Choices {
        let (then, seed) = match self.then {
            Continuation::Nothing => {
                return Choices::Given(self.given.iter().map(|value| (*value, None)).collect());
            }
            Continuation::RoundRobin => (StrategyName::RoundRobin, 0),
            Continuation::Random(seed) => (StrategyName::Random, seed),
            Continuation::Portfolio(seed) => (StrategyName::Portfolio, seed),
        };
        let mut profile = profile.clone();
        if self.is_tight {
            profile.held_pipes = profile.held_pipes.min(1);
            profile.small_slices = profile.small_slices.min(1);
            profile.free_hosts = profile.free_hosts.min(1);
        }
        Choices::GivenThenDrawn { given: self.given.clone(), then, seed: Seed(seed), profile }
    }
}

/// What a search needs to know of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Its choices.
    pub choices: Vec<Choice>,
    /// Its features, in ascending order.
    pub features: Vec<u64>,
    /// Its failure signature. `None` if it finished or shows a known fault of a library.
    pub failure: Option<String>,
}

impl Observed {
    /// What a search needs to know of this run.
    pub fn of(run: &Run) -> Self {
        let failure = signature(&run.outcome).filter(|_| run.outcome.is_news());
        Observed {
            choices: run.choices.clone(),
            features: features(run),
            failure: failure.map(|failure| failure.to_string()),
        }
    }
}

/// What a run brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Whether its case was kept, because it did something new.
    pub is_kept: bool,
    /// Whether it failed in a way that no run before it did.
    pub is_found: bool,
}

/// A case that was kept.
#[derive(Clone, Debug)]
pub struct Case {
    /// The choices of its run.
    pub choices: Vec<Choice>,
    /// The features that it was the first to bring.
    pub brought: Vec<u64>,
    /// The number of runs when it came.
    run: u64,
    /// How often it was changed.
    changed: u32,
}

impl Case {
    /// The values of its choices.
    pub fn values(&self) -> Vec<u32> {
        self.choices.iter().map(|choice| choice.value).collect()
    }
}

/// A search for new behaviour. Everything in it follows one seed and the runs that it is told of.
pub struct Search {
    seed: Seed,
    rng: ChaCha8Rng,
    coverage: Coverage,
    cases: Vec<Case>,
    /// Cases to run before anything is changed.
    given: VecDeque<Vec<u32>>,
    /// Runs by failure signature.
    failures: BTreeMap<String, u64>,
    runs: u64,
}

/// Runs of the portfolio at the beginning: each of its parts once.
const FIRST_DRAWN: u64 = 16;

/// Runs in eight that begin with no given choices, however many cases are kept.
const FRESH: u32 = 3;

/// Cases of which the best one is changed.
const DRAWN: usize = 6;

/// Runs over which coverage may come to rest. Runs with fresh choices do something new now and then for as long as they
/// are made, so a search that waited for no new features at all would never end.
const REST_RUNS: u64 = 20_000;

/// Coverage is at rest if fewer cases than this came in [`REST_RUNS`].
const FEW_CASES: usize = 100;

impl Search {
    /// A search that begins with no cases.
    pub fn new(seed: Seed) -> Self {
        Search {
            seed,
            rng: seed.stream(Purpose::Fuzz),
            coverage: Coverage::default(),
            cases: Vec::new(),
            given: VecDeque::new(),
            failures: BTreeMap::new(),
            runs: 0,
        }
    }

    /// Adds cases that were kept before. They are run first.
    pub fn give(&mut self, cases: impl IntoIterator<Item = Vec<u32>>) {
        self.given.extend(cases);
    }

    /// The next run to make. Tell its result to [`Search::learn`], or call [`Search::lost`] if there is none.
    pub fn propose(&mut self) -> Proposal {
        match self.runs {
            // A random walk needs no survey.
            0 => Proposal { given: Vec::new(), then: Continuation::Random(self.seed.0), is_tight: true },
            1 => Proposal { given: Vec::new(), then: Continuation::Nothing, is_tight: false },
            _ => self.next(),
        }
    }

    fn next(&mut self) -> Proposal {
        if let Some(given) = self.given.pop_front() {
            return self.proposal(given, Continuation::RoundRobin);
        }
        let seed = self.rng.next_u64();
        if self.runs <= FIRST_DRAWN {
            // The remainder of a seed decides which part of the portfolio takes it.
            return self.proposal(Vec::new(), Continuation::Portfolio(seed & !0xf | (self.runs - 1)));
        }
        if self.cases.is_empty() || below(&mut self.rng, 8) < FRESH {
            return self.proposal(Vec::new(), Continuation::Portfolio(seed));
        }
        let case = self.pick();
        let other = place(self.cases.len(), &mut self.rng);
        self.cases[case].changed += 1;
        let Changed { choices, goes_on } =
            change(&self.cases[case].choices, &self.cases[other].choices, &mut self.rng);
        self.proposal(choices, if goes_on { Continuation::Portfolio(seed) } else { Continuation::RoundRobin })
    }

    /// Half of the runs are tight: the flow of bytes is what is searched.
    fn proposal(&mut self, given: Vec<u32>, then: Continuation) -> Proposal {
        Proposal { given, then, is_tight: below(&mut self.rng, 2) == 0 }
    }

    /// Picks the case to change. Of some drawn cases it is the one whose rarest feature is rarest and that was changed
    /// least.
    fn pick(&mut self) -> usize {
        let drawn: Vec<usize> = (0..DRAWN).map(|_| place(self.cases.len(), &mut self.rng)).collect();
        let cost = |at: &usize| {
            let case = &self.cases[*at];
            let rarest = case.brought.iter().map(|feature| self.coverage.runs_of(*feature)).min();
            u64::from(rarest.unwrap_or(u32::MAX)) * u64::from(case.changed + 1)
        };
        drawn.into_iter().min_by_key(cost).expect("some were drawn")
    }

    /// Takes the result of the run that was proposed last.
    pub fn learn(&mut self, observed: Observed) -> Learned {
        self.runs += 1;
        let Observed { choices, features, failure } = observed;
        let brought = self.coverage.take(&features);
        let is_kept = !brought.is_empty();
        if is_kept {
            self.cases.push(Case { choices, brought, run: self.runs, changed: 0 });
        }
        let is_found = failure.is_some_and(|failure| self.failed(failure));
        Learned { is_kept, is_found }
    }

    /// Takes note that the run that was proposed last gave no result, for instance because its process died. Says
    /// whether it is the first with this failure signature.
    pub fn lost(&mut self, failure: String) -> bool {
        self.runs += 1;
        self.failed(failure)
    }

    fn failed(&mut self, failure: String) -> bool {
        let count = self.failures.entry(failure).or_default();
        *count += 1;
        *count == 1
    }

    /// The given cases that have not been run.
    pub fn left(&self) -> usize {
        self.given.len()
    }

    /// The runs that were made.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Runs by failure signature.
    pub fn failures(&self) -> &BTreeMap<String, u64> {
        &self.failures
    }

    /// Whether coverage is at rest: of the last 20,000 runs, not one in two hundred did something new.
    pub fn rests(&self) -> bool {
        let few_ago = self.cases.len().checked_sub(FEW_CASES).map_or(0, |at| self.cases[at].run);
        self.runs - few_ago >= REST_RUNS
    }

    /// The features that were seen.
    pub fn coverage(&self) -> usize {
        self.coverage.len()
    }

    /// The cases that were kept, in the order in which they came.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// About the fewest of the kept cases that still cover what all of them do. `features` runs each of them once more;
    /// it gives `None` if the run gave no result, and that case is left out.
    pub fn minimal(&mut self, mut features: impl FnMut(&Proposal) -> Option<Vec<u64>>) -> Vec<Vec<u32>> {
        let values: Vec<Vec<u32>> = self.cases.iter().map(Case::values).collect();
        let mut covers = Vec::new();
        for given in &values {
            let proposal = self.proposal(given.clone(), Continuation::RoundRobin);
            covers.push((given.len(), features(&proposal).unwrap_or_default()));
        }
        corpus::cover(&covers).into_iter().map(|at| values[at].clone()).collect()
    }
}

fn place(bound: usize, rng: &mut ChaCha8Rng) -> usize {
    below(rng, bound as u32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_rests_when_few_cases_come() {
        let mut search = Search::new(Seed(0));
        search.runs = REST_RUNS - 1;
        assert!(!search.rests());
        search.runs = REST_RUNS;
        assert!(search.rests());
        let case = |run| Case { choices: Vec::new(), brought: Vec::new(), run, changed: 0 };
        search.runs = 50_000;
        search.cases = (1..FEW_CASES as u64).map(|nth| case(50_000 - nth)).collect();
        assert!(search.rests());
        search.cases.insert(0, case(50_000 - REST_RUNS));
        assert!(search.rests());
        search.cases[0] = case(50_001 - REST_RUNS);
        assert!(!search.rests());
    }

    #[test]
    fn a_search_goes_on_after_lost_runs() {
        let mut search = Search::new(Seed(3));
        let lost: Vec<bool> = (0..40)
            .map(|_| {
                search.propose();
                search.lost("aborted".into())
            })
            .collect();
        assert_eq!(lost.iter().filter(|is_first| **is_first).count(), 1);
        assert_eq!((search.runs(), search.failures()["aborted"]), (40, 40));
    }
}
