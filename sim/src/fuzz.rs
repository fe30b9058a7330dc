//! Fuzzing: choices are changed a little and run, and kept if the run did something that no run did before.
//!
//! A case is a choice sequence. Its run is given these choices and then, mostly, a strategy draws the rest: a good
//! beginning with a fresh end. What a run covers is read off its [transcript](coverage), so a world under a fuzzer runs
//! as it always does. Cases that bring rare features are changed more often (Böhme, Pham, Roychoudhury, "Coverage-based
//! Greybox Fuzzing as Markov Chain", CCS 2016).
//!
//! Everything follows a seed and a number of runs. The clock may only say when to stop. All runs have the hash keys of
//! that seed, because a case holds choices and nothing else. The [`search`] proposes runs and learns from them. A
//! [`Fuzzer`] makes these runs in this process, and the command makes them in another, which a world may take down with
//! it.
//!
//! Not here: what a failure is ([`crate::signature`]), how it is made smaller ([`wavetank_choice::shrink`]).

pub mod corpus;
pub mod coverage;
pub mod input;
pub mod mutate;
pub mod search;

use crate::harness::Harness;
use crate::run::{Run, Setup};
use crate::signature::{FailureSignature, SHRINK_RUNS, ShrunkRun, signature};
use crate::world::World;
use coverage::features;
use search::{Case, Learned, Observed, Proposal, Search};
use wavetank_choice::Seed;
use wavetank_choice::profile::Profile;

/// A scenario that is being fuzzed in this process.
pub struct Fuzzer<F> {
    harness: Harness<F>,
    seed: Seed,
    profile: Profile,
    search: Search,
}

/// One run of a fuzzer.
pub struct Fuzzed {
    /// The run.
    pub run: Run,
    /// Whether its case was kept, because it did something new.
    pub is_kept: bool,
    /// Its failure, if no run before it failed so and if it is no known fault of a library.
    pub found: Option<FailureSignature>,
}

impl<F: Fn(&mut World) + Sync> Fuzzer<F> {
    /// A fuzzer of a scenario. Everything follows the setup's seed; its choices are not used.
    pub fn new(scenario: F, setup: &Setup, profile: &Profile) -> Self {
        let harness = Harness::new(scenario, setup.clone());
        Fuzzer { harness, seed: setup.seed, profile: profile.clone(), search: Search::new(setup.seed) }
    }

    /// Adds cases that were kept before. They are run first.
    pub fn give(&mut self, cases: impl IntoIterator<Item = Vec<u32>>) {
        self.search.give(cases);
    }

    /// Runs one case.
    pub fn step(&mut self) -> Fuzzed {
        let proposal = self.search.propose();
        let run = self.run(&proposal);
        let Learned { is_kept, is_found } = self.search.learn(Observed::of(&run));
        let found = if is_found { signature(&run.outcome) } else { None };
        Fuzzed { run, is_kept, found }
    }

    fn run(&self, proposal: &Proposal) -> Run {
        self.harness.replay(self.seed, proposal.choices(&self.profile))
    }

    /// About the fewest of the kept cases that still cover what all of them do. Runs each once more.
    pub fn minimal(&mut self) -> Vec<Vec<u32>> {
        // The search draws while the cases are run, so it is apart from the rest meanwhile.
        let mut search = std::mem::replace(&mut self.search, Search::new(self.seed));
        let minimal = search.minimal(|proposal| Some(features(&self.run(proposal))));
        self.search = search;
        minimal
    }

    /// A failed run made as small as possible. `None` if no smaller run fails in the same way.
    pub fn shrunk(&self, run: &Run) -> Option<ShrunkRun> {
        self.harness.shrink(run, SHRINK_RUNS)
    }

    /// The cases that were kept, in the order in which they came.
    pub fn cases(&self) -> &[Case] {
        self.search.cases()
    }
}
