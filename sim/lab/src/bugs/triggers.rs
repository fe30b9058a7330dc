//! The trigger and the holder of each fault of the benchmark, and how often failure reports name them.
//!
//! A case names the kind of change that its planted fault depends on. Any other change may make a run pass by accident,
//! and a report that names such a change misleads. A case also names who holds its fault: a guest, a vat, a cycle of
//! vats, or the tasks and servers of its scenario.

use super::Case;
use std::sync::Arc;
use wavetank::{ActorId, Engine, PipeId};
use wavetank_choice::choice::Meaning;
use wavetank_choice::moves::Kind;
use wavetank_choice::profile::Profile;
use wavetank_choice::seed::Seed;
use wavetank_choice::strategy::StrategyName;
use wavetank_sim::explain::{Change, Deciding, EXPLAIN_RUNS};
use wavetank_sim::harness::Harness;
use wavetank_sim::moves::Move;
use wavetank_sim::oracle::{Blame, Party};
use wavetank_sim::run::{Choices, Run, Setup};
use wavetank_sim::signature::SHRINK_RUNS;

/// The trigger of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Every schedule triggers it: no change of one choice is the cause.
    Always,
    /// The order of steps of actors whose names begin with these.
    Order(&'static [&'static str]),
    /// The flow of bytes in a pipe whose name begins with this.
    Flow(&'static str),
    /// Weather of this kind.
    Weather(Kind),
    /// Damage of any kind.
    Damage,
    /// A freedom that the host of a cell takes.
    Host,
    /// A value that the scenario draws.
    Value,
    /// A failing operation of fake I/O.
    Failure,
}

use Trigger::{Always, Damage, Failure, Flow, Host, Order, Value, Weather};

/// Who holds the fault of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// The guest with this name.
    Guest(&'static str),
    /// A task, a server or an assertion of the scenario.
    Scenario,
    /// A task or a server of the vat of this name.
    Vat(&'static str),
    /// These vats, all of which wait for each other.
    Cycle(&'static [&'static str]),
}

impl Culprit {
    /// Whether a blame names this culprit. A guess counts like any other blame.
    fn is(self, blame: Option<&Blame>) -> bool {
        match (self, blame.map(|blame| blame.party().0)) {
            (Culprit::Guest(name), Some(Blame::Guest(cell))) => name == cell,
            (Culprit::Vat(name), Some(Blame::Capability { vat, .. } | Blame::Task { vat, .. })) => {
                vat.as_deref() == Some(name)
            }
            (Culprit::Cycle(names), Some(Blame::Cycle(parties))) => {
                let is_named = |party: &Party| matches!(party, Party::Vat(name) if names.contains(&&**name));
                parties.len() == names.len() && parties.iter().all(is_named)
            }
            (Culprit::Scenario, Some(blame)) => matches!(
                blame,
                Blame::Scenario(_) | Blame::Task { .. } | Blame::Capability { .. } | Blame::Cycle(_)
            ),
            _ => false,
        }
    }
}

/// How often the deciding change and the blame of a case's failures were the planted ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Number of failures that were explained.
    pub failures: usize,
    /// Number of those whose named change is the planted trigger.
    pub right: usize,
    /// Number of those for which no change was named.
    pub silent: usize,
    /// The other changes that were named, in words.
    pub wrong: Vec<String>,
    /// Number of failures that blame the holder of the planted fault.
    pub blamed: usize,
    /// The other parties that were blamed.
    pub blamed_otherwise: Vec<String>,
}

/// Explains the first failures of a case, shrunk, and compares the named changes with the planted trigger. Searches at
/// most `cap` seeds, from 0 on.
pub fn named(case: &Case, failures: usize, cap: u64, engine: &Arc<Engine>) -> Named {
    let choices = Choices::Drawn(StrategyName::Portfolio, Profile::swarm());
    let setup = Setup { choices, ..Setup::new(engine.clone(), Seed(0)) };
    let harness = Harness::new(case.buggy, setup).comparing(case.is_compared);
    let mut named = Named::default();
    for seed in 0..cap {
        if named.failures == failures {
            break;
        }
        let run = harness.run(Seed(seed));
        if !run.outcome.is_news() {
            continue;
        }
        named.failures += 1;
        let run = harness.shrink(&run, SHRINK_RUNS).map_or(run, |smaller| smaller.run);
        let explained = harness.explain(&run, EXPLAIN_RUNS);
        let blame = run.outcome.blame();
        if case.culprit.is(blame.as_ref()) {
            named.blamed += 1;
        } else {
            let blame = blame.map_or_else(|| "nobody".into(), |blame| blame.to_string());
            named.blamed_otherwise.push(blame);
        }
        match explained.deciding {
            None => named.silent += 1,
            Some(deciding) if case.trigger.is(&deciding, &run) => named.right += 1,
            Some(deciding) => named.wrong.push(deciding.to_string()),
        }
    }
    named
}

impl Trigger {
    /// Whether a change is about this trigger.
    fn is(self, deciding: &Deciding, run: &Run) -> bool {
        let names = run.names();
        let is_of_pipe = |pipe: u32, start: &str| names.pipe(PipeId(pipe)).starts_with(start);
        match (self, deciding.change) {
            (Always, _) => false,
            (Order(actors), Change::After { first, second }) => {
                let is_theirs = |moved: Move| match moved {
                    Move::Poll(actor) | Move::PollAt(actor, _) | Move::Start(actor) => {
                        let name = names.actor(ActorId(actor));
                        actors.iter().any(|start| name.starts_with(start))
                    }
                    // A call's answer or a pipe's bytes. They belong to the same parties, because the world has no
                    // others.
                    _ => true,
                };
                is_theirs(first.1) && is_theirs(second.1)
            }
            (Flow(start), Change::Setting(Meaning::Pipe(pipe))) => is_of_pipe(pipe, start),
            (Flow(start), Change::Whole { moved, .. }) => is_of_pipe(moved.id(), start),
            (Weather(kind), Change::Without { moved, .. }) => moved.kind() == kind,
            (Damage, Change::Without { moved, .. }) => moved.kind().is_damage(),
            (Host, Change::Setting(Meaning::Host(_)))
            | (Value, Change::Setting(Meaning::Value))
            | (Failure, Change::Setting(Meaning::Failure(_))) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bugs::find;
    use wavetank_sim::check::engine;

    #[test]
    fn the_planted_trigger_is_named() {
        for case in ["g02", "g13", "g24", "g26", "h11", "account", "reorder_3", "philosophers"] {
            let named = named(find(case).expect("a case"), 2, 500, &engine());
            assert_eq!((named.right, named.blamed, named.failures), (2, 2, 2), "{case}: {named:?}");
        }
    }

    #[test]
    fn nothing_is_named_if_every_schedule_fails() {
        for case in ["g01", "g09", "g12", "g14", "h01", "w03"] {
            let named = named(find(case).expect("a case"), 2, 500, &engine());
            assert_eq!((named.silent, named.blamed, named.failures), (2, 2, 2), "{case}: {named:?}");
        }
    }

    #[test]
    fn the_vats_that_hold_the_fault_are_blamed() {
        for case in ["v01", "v02", "v03", "v04", "v05", "v06", "v07", "v08"] {
            let named = named(find(case).expect("a case"), 2, 500, &engine());
            assert_eq!((named.blamed, named.failures), (2, 2), "{case}: {named:?}");
        }
    }
}
