//! Ways of failing: what two runs must share to count as the same failure, and the smaller run of a failure.
//!
//! Steps, times and other numbers are left out: they change with every choice that is taken away.

use crate::oracle::{Finding, Oracle};
use crate::outcome::Outcome;
use crate::run::{Choices, Run};
use crate::shrink::{Shrunk, shrink};
use std::collections::BTreeSet;
use std::fmt;
use wavetank::cell::Limits;

/// Runs that shrinking may spend on one failure.
pub const SHRINK_RUNS: usize = 500;

/// Steps that shrinking may spend on one failure, reckoned at what the run it begins with took.
const SHRINK_STEPS: u64 = 5_000_000;

/// Fuel that counts as one step: it takes a few times as long to burn as a step to make.
const FUEL_OF_A_STEP: u64 = 20_000;

/// A way of failing. Two runs that share it fail alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The outcome's name.
    pub outcome: &'static str,
    /// What of it: the oracle, the class of a trap, the words of a panic without their digits.
    pub of: Option<String>,
    /// Whom it is about: a cell or, of a stall, all cells and tasks that wait.
    pub who: BTreeSet<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.outcome)?;
        if let Some(of) = &self.of {
            write!(f, " ({of})")?;
        }
        let who: Vec<&str> = self.who.iter().map(String::as_str).collect();
        if who.is_empty() { Ok(()) } else { write!(f, ": {}", who.join(", ")) }
    }
}

/// An outcome's way of failing; `None` where it finished.
pub fn failure(outcome: &Outcome) -> Option<Failure> {
    let one = |who: &str| BTreeSet::from([who.to_string()]);
    let (of, who) = match outcome {
        Outcome::Finished => return None,
        Outcome::Stalled(graph) => {
            let cells = graph.cells.iter().map(|wait| wait.who.clone());
            (None, cells.chain(graph.tasks.iter().cloned()).collect())
        }
        Outcome::Spinning { who, .. } => (None, one(who)),
        Outcome::Violated(Finding { oracle: oracle @ Oracle::Each, what, .. }) => {
            (Some(format!("{oracle}: {}", without_digits(what))), BTreeSet::new())
        }
        Outcome::Violated(finding) => (Some(finding.oracle.to_string()), one(&finding.who)),
        Outcome::Trapped { cell, trap } => (Some(trap.class.to_string()), one(cell)),
        Outcome::Panicked { message, .. } => (Some(without_digits(message)), BTreeSet::new()),
        Outcome::StepLimit { .. } => (None, BTreeSet::new()),
        Outcome::Diverged(divergence) => (Some(divergence.against.to_string()), BTreeSet::new()),
    };
    Some(Failure { outcome: outcome.name(), of, who })
}

/// The first line of a message without its digits: ids and counts follow the choices.
///
/// Of a panic it is all that a changed program has in common with the one before: its line moves with every edit, and a
/// kept failure is tried again after edits.
fn without_digits(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// A failing run made smaller.
#[derive(Clone, Debug)]
pub struct ShrunkRun {
    /// The smallest run found that fails in the same way.
    pub run: Run,
    /// How it was found.
    pub shrunk: Shrunk,
}

/// Shrinks a run that failed, in at most `budget_runs` runs, and fewer where one takes long. `replay` runs the
/// same scenario under the same seed with the choices it is given.
///
/// `None` where there are no runs to spend, and where there is nothing to shrink: the run finished, or its own
/// choices do not make it fail again. Then something besides seed and choices decides, as where it diverged;
/// [`canary`](crate::canary) finds what.
pub fn shrink_run(run: &Run, budget_runs: usize, replay: impl Fn(Choices) -> Run) -> Option<ShrunkRun> {
    let affordable = usize::try_from(SHRINK_STEPS / cost_steps(run)).unwrap_or(usize::MAX).max(1);
    shrink_while(run, budget_runs.min(affordable), |choices| Some(replay(choices)))
}

/// What a run takes, in steps: its steps, and what its guests computed.
fn cost_steps(run: &Run) -> u64 {
    let fuel: u64 = run.cells.iter().filter_map(|(_, exit)| exit.as_ref()).map(|exit| exit.fuel).sum();
    // Who spins has not ended, and so has not told its fuel.
    let spun = if matches!(run.outcome, Outcome::Spinning { .. }) { Limits::default().quiet_fuel } else { 0 };
    (run.transcript.steps.len() as u64 + (fuel + spun) / FUEL_OF_A_STEP).max(1)
}

/// The same in at most `budget_runs` runs however long they take. Where `replay` gives no run there is no more time:
/// then the smallest so far is given.
pub fn shrink_while(
    run: &Run,
    budget_runs: usize,
    replay: impl Fn(Choices) -> Option<Run>,
) -> Option<ShrunkRun> {
    if matches!(run.outcome, Outcome::Diverged(_)) {
        return None;
    }
    let wanted = failure(&run.outcome)?;
    let given = |choices: &[u32]| Choices::Given(choices.iter().map(|&value| (value, None)).collect());
    let fails = |choices: &[u32]| {
        let run = replay(given(choices))?;
        (failure(&run.outcome).as_ref() == Some(&wanted)).then_some(run)
    };
    if budget_runs == 0 {
        return None;
    }
    let values = values(run);
    let mut best = fails(&values)?;
    let mut shrunk = shrink(&values, budget_runs - 1, |candidate| {
        best = fails(candidate)?;
        Some(self::values(&best))
    });
    shrunk.runs += 1;
    Some(ShrunkRun { run: Run { origin: run.origin.clone(), left_track: None, ..best }, shrunk })
}

fn values(run: &Run) -> Vec<u32> {
    run.choices.iter().map(|choice| choice.value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Blame;
    use crate::outcome::{Wait, WaitGraph};

    fn stalled(steps: u64, who: &[&str]) -> Outcome {
        let cells = who.iter().map(|who| Wait { who: who.to_string(), on: vec![steps.to_string()] });
        Outcome::Stalled(WaitGraph {
            steps,
            blame: Blame::Tank,
            cells: cells.collect(),
            calls: Vec::new(),
            pipes: Vec::new(),
            tasks: Vec::new(),
        })
    }

    #[test]
    fn numbers_do_not_tell_failures_apart_and_names_do() {
        let panicked = |message: &str| Outcome::Panicked {
            message: message.into(),
            at: String::new(),
            blame: Blame::Tank,
        };
        let violated = |oracle, what: &str| {
            let who = what.split(' ').next().unwrap_or_default().into();
            let (blame, what) = (Blame::Tank, what.into());
            Outcome::Violated(Finding { oracle, who, blame, what, detail: Vec::new() })
        };
        let alike = [
            (stalled(4, &["a", "b"]), stalled(9, &["b", "a"])),
            (panicked("call 7 is gone"), panicked("call 12 is gone\n  left: 3")),
            (violated(Oracle::Exit, "a exited with 3"), violated(Oracle::Exit, "a exited with 4")),
        ];
        for (one, other) in alike {
            assert_eq!(failure(&one), failure(&other));
        }
        let different = [
            (stalled(4, &["a"]), stalled(4, &["a", "b"])),
            (panicked("call 7 is gone"), panicked("answer 7 is gone")),
            (violated(Oracle::Exit, "a exited with 3"), violated(Oracle::Exit, "b exited with 3")),
            (violated(Oracle::Exit, "a exited with 3"), violated(Oracle::Output, "a exited with 3")),
            (Outcome::StepLimit { steps: 4 }, stalled(4, &[])),
        ];
        for (one, other) in different {
            assert_ne!(failure(&one), failure(&other));
        }
        assert_eq!(failure(&Outcome::Finished), None);
        assert_eq!(failure(&stalled(4, &["b", "a"])).unwrap().to_string(), "stalled: a, b");
    }
}
