//! Measures how soon a strategy finds a case, and how much of it is left after shrinking.

use super::Case;
use std::sync::Arc;
use wavetank::Engine;
use wavetank_choice::profile::Profile;
use wavetank_choice::seed::Seed;
use wavetank_choice::strategy::StrategyName;
use wavetank_sim::harness::Harness;
use wavetank_sim::run::{Choices, Setup};
use wavetank_sim::signature::SHRINK_RUNS;

/// How to measure a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Number of base seeds. Each is a search of its own, over seeds that no other search uses.
    pub bases: u64,
    /// Number of executions after which a search gives up.
    pub cap: u64,
    /// Number of seeds of the mended twin for each base seed.
    pub twin_seeds: u64,
    /// Whether to shrink the failures that were found.
    pub shrinks: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Plan { bases: 20, cap: 20_000, twin_seeds: 50, shrinks: false }
    }
}

/// The result of a measurement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Executions up to and including the first failure, ascending, for the searches that found it.
    pub executions: Vec<u64>,
    /// Number of searches.
    pub searches: u64,
    /// Steps of all executions together.
    pub steps: u64,
    /// Number of seeds under which the mended twin failed.
    pub false_alarms: u64,
    /// For each failure that was shrunk: choices before, choices after, and runs spent.
    pub shrunk: Vec<(usize, usize, usize)>,
}

impl Measured {
    /// The number of executions within which a fraction of the searches found the case, such as `(1, 2)` for the
    /// median; `None` if fewer searches found it.
    pub fn within(&self, (part, of): (usize, usize)) -> Option<u64> {
        let needed = (self.searches as usize * part).div_ceil(of).max(1);
        self.executions.get(needed - 1).copied()
    }

    /// The median share of choices that shrinking kept, in thousandths.
    pub fn kept_thousandths(&self) -> Option<usize> {
        let mut kept: Vec<usize> =
            self.shrunk.iter().map(|(from, to, _)| (to * 1000).checked_div(*from).unwrap_or(0)).collect();
        kept.sort_unstable();
        kept.get(kept.len().checked_sub(1)? / 2).copied()
    }
}

/// The distance between two base seeds: more seeds than any search takes.
const APART: u64 = 1 << 32;

/// Measures one case under one strategy.
pub fn measure(
    case: &Case,
    strategy: &StrategyName,
    profile: &Profile,
    plan: &Plan,
    engine: &Arc<Engine>,
) -> Measured {
    let choices = Choices::Drawn(strategy.clone(), profile.clone());
    let setup = Setup { choices, ..Setup::new(engine.clone(), Seed(0)) };
    let buggy = Harness::new(case.buggy, setup.clone()).comparing(case.is_compared);
    let mended = Harness::new(case.mended, setup).comparing(case.is_compared);
    let mut measured = Measured { searches: plan.bases, ..Measured::default() };
    for base in 0..plan.bases {
        for execution in 0..plan.cap {
            let seed = Seed(base * APART + execution);
            let run = buggy.run(seed);
            measured.steps += run.transcript.steps.len() as u64;
            if !run.outcome.is_news() {
                continue;
            }
            measured.executions.push(execution + 1);
            if plan.shrinks {
                let from = run.choices.len();
                if let Some(small) = buggy.shrink(&run, SHRINK_RUNS) {
                    measured.shrunk.push((from, small.run.choices.len(), small.shrunk.runs));
                }
            }
            break;
        }
        for place in 0..plan.twin_seeds {
            let seed = Seed(base * APART + place);
            let run = mended.run(seed);
            measured.false_alarms += u64::from(!run.outcome.is_finished());
        }
    }
    measured.executions.sort_unstable();
    measured
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bugs::find;
    use wavetank_sim::check::engine;

    #[test]
    fn a_search_counts_to_its_first_failure_and_not_beyond() {
        let plan = Plan { bases: 4, cap: 100, twin_seeds: 5, shrinks: true };
        let found =
            measure(find("account").unwrap(), &StrategyName::Random, &Profile::swarm(), &plan, &engine());
        assert_eq!((found.executions.len(), found.false_alarms, found.shrunk.len()), (4, 0, 4));
        assert!(found.executions.is_sorted() && found.executions[0] >= 1);
        assert!(found.shrunk.iter().all(|(from, to, runs)| to <= from && *runs > 0));
        let never =
            measure(find("needle_100").unwrap(), &StrategyName::Random, &Profile::swarm(), &plan, &engine());
        assert_eq!((never.within((1, 2)), never.kept_thousandths()), (None, None));
    }

    #[test]
    fn what_only_a_second_run_shows_is_found() {
        let plan = Plan { bases: 2, cap: 100, twin_seeds: 5, shrinks: true };
        let found = measure(find("h13").unwrap(), &StrategyName::Random, &Profile::swarm(), &plan, &engine());
        assert_eq!((found.executions.len(), found.false_alarms), (2, 0));
        assert_eq!(found.shrunk, [], "no choices are to blame");
    }

    #[test]
    fn parts_of_the_searches() {
        let measured = Measured { executions: vec![1, 5, 9], searches: 4, ..Measured::default() };
        assert_eq!(measured.within((1, 2)), Some(5));
        assert_eq!(measured.within((9, 10)), None);
    }
}
