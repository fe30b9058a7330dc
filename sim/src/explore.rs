//! Every schedule of a scenario within a bound.

use crate::run::{Run, Setup, run_under};
use crate::world::World;
use wavetank_choice::StrategyName;
use wavetank_choice::strategy::{Bound, Explored, Frontier};

/// The result of an exhaustive search.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// How much was searched.
    pub searched: Explored,
    /// The first run that did not finish. The search ends with it.
    pub first_failure: Option<Run>,
}

/// Runs a scenario under every schedule within a bound, at most `max_runs` of them, until one fails.
pub fn explore(
    scenario: impl Fn(&mut World) + Sync,
    setup: &Setup,
    bound: Bound,
    max_runs: u64,
) -> Exploration {
    let mut frontier = Frontier::new(bound);
    let mut first_failure = None;
    while first_failure.is_none() && frontier.schedules() < max_runs {
        let Some(run) = run_next(&mut frontier, &scenario, setup) else { break };
        first_failure = (!run.outcome.is_finished()).then_some(run);
    }
    Exploration { searched: frontier.explored(), first_failure }
}

/// Runs the next schedule of a search; `None` if all have been run. Only the order varies: the setup's own choices are
/// not used. The choices of the run are recorded, so its token replays it.
pub fn run_next(frontier: &mut Frontier, scenario: impl Fn(&mut World) + Sync, setup: &Setup) -> Option<Run> {
    let origin = StrategyName::Exhaustive(frontier.bound()).to_string();
    frontier.run(|walk| run_under(scenario, setup, &origin, || Box::new(walk.clone())))
}
