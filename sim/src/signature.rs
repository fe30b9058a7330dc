//! Failure signatures: the properties that two runs must share to count as the same failure. Also the smaller run of a
//! failure.
//!
//! Steps, times and other numbers are left out, because they change with every choice that is removed. So do the things
//! that somebody waits for: a stall is known by the parties that wait. The source line of a panic is kept, because it
//! tells two panics of one guest apart.

use crate::guest_panic::{SourceLine, author_function};
use crate::oracle::{Finding, Oracle};
use crate::outcome::Outcome;
use crate::run::{Choices, Run};
use crate::world::Fault;
use std::collections::BTreeSet;
use std::fmt;
use wavetank::cell::Limits;
use wavetank::{Trap, TrapClass};
use wavetank_choice::shrink::{Shrunk, shrink};

/// Number of runs that shrinking may spend on one failure.
pub const SHRINK_RUNS: usize = 500;

/// Number of steps that shrinking may spend on one failure; each run is counted as long as the run to shrink.
const SHRINK_STEPS: u64 = 5_000_000;

/// Fuel that counts as one step. Burning it takes a few times as long as making a step.
const FUEL_OF_A_STEP: u64 = 20_000;

/// A failure signature. Two runs with the same signature fail in the same way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailureSignature {
    /// The outcome's name.
    pub outcome: &'static str,
    /// More about the outcome: the oracle, the class of a trap, or the words of a panic without their digits.
    pub of: Option<String>,
    /// The parties of the failure: a cell or, for a stall, all cells and tasks that wait.
    pub who: BTreeSet<String>,
    /// The place where a guest or the host panicked.
    pub at: Option<PanicPlace>,
}

/// The place where a program panicked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PanicPlace {
    /// The source file and the line in it, if they are known.
    pub source: Option<(String, Option<u32>)>,
    /// The function, if it is known.
    pub function: Option<String>,
}

impl FailureSignature {
    /// The signature without the line number: the part that it shares with the same failure of another build. The lines
    /// of a program move with every edit, and a saved failure is retried after edits.
    pub fn across_builds(&self) -> Self {
        let at =
            self.at.clone().map(|at| PanicPlace { source: at.source.map(|(file, _)| (file, None)), ..at });
        FailureSignature { at, ..self.clone() }
    }
}

impl fmt::Display for FailureSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.outcome)?;
        if let Some(of) = &self.of {
            write!(f, " ({of})")?;
        }
        let who: Vec<&str> = self.who.iter().map(String::as_str).collect();
        if !who.is_empty() {
            write!(f, ": {}", who.join(", "))?;
        }
        self.at.iter().try_for_each(|at| write!(f, "{at}"))
    }
}

impl fmt::Display for PanicPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line)) = &self.source {
            write!(f, ", at {file}")?;
            line.iter().try_for_each(|line| write!(f, ":{line}"))?;
        }
        self.function.iter().try_for_each(|function| write!(f, ", in {function}"))
    }
}

/// The failure signature of an outcome; `None` if it finished.
pub fn signature(outcome: &Outcome) -> Option<FailureSignature> {
    described(outcome, without_digits)
}

/// The same for people, with the numbers in the words of a panic. Two runs of one signature may be told differently.
pub fn told_signature(outcome: &Outcome) -> Option<FailureSignature> {
    described(outcome, |message| message.lines().next().unwrap_or_default().into())
}

/// The properties of a failure, with the words of a panic put into a form by `words`.
fn described(outcome: &Outcome, words: fn(&str) -> String) -> Option<FailureSignature> {
    let one = |who: &str| BTreeSet::from([who.to_string()]);
    let mut at = None;
    let (of, who) = match outcome {
        Outcome::Finished => return None,
        Outcome::Stalled(graph) => {
            let cells = graph.cells.iter().map(|wait| wait.who.clone());
            (None, cells.chain(graph.tasks.iter().cloned()).collect())
        }
        Outcome::Spinning { who, .. } => (None, one(who)),
        Outcome::Violated(Finding { oracle: oracle @ Oracle::Each, what, .. }) => {
            (Some(format!("{oracle}: {}", words(what))), BTreeSet::new())
        }
        Outcome::Violated(finding) => (Some(finding.oracle.to_string()), one(&finding.who)),
        Outcome::Trapped { cell, trap, panic } => {
            at = place_of_trap(trap, outcome.source_line());
            let class = trap.class.to_string();
            let of = panic.as_ref().map(|panic| format!("{class}: {}", words(&panic.message)));
            (Some(of.unwrap_or(class)), one(cell))
        }
        Outcome::Panicked { message, .. } => {
            let source = outcome.source_line().map(|at| (at.file, Some(at.line)));
            at = source.map(|source| PanicPlace { source: Some(source), function: None });
            (Some(words(message)), BTreeSet::new())
        }
        Outcome::StepLimit { .. } => (None, BTreeSet::new()),
        Outcome::Diverged(divergence) => (Some(divergence.against.to_string()), BTreeSet::new()),
    };
    Some(FailureSignature { outcome: outcome.name(), of, who, at })
}

/// The guest's function that trapped, and the source line if the guest named it.
fn place_of_trap(trap: &Trap, source: Option<SourceLine>) -> Option<PanicPlace> {
    // If a resource ran out, the function that used the last of it says nothing about the failure.
    let is_used_up = matches!(
        trap.class,
        TrapClass::OutOfFuel | TrapClass::StackOverflow | TrapClass::MemoryLimit | TrapClass::Ordered
    );
    let place = PanicPlace {
        source: source.map(|at| (at.file, Some(at.line))),
        function: author_function(&trap.backtrace).filter(|_| !is_used_up).map(String::from),
    };
    (place.source.is_some() || place.function.is_some()).then_some(place)
}

/// The first line of a message without its digits, because ids and counts depend on the choices.
fn without_digits(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// A smaller run of a failure.
#[derive(Clone, Debug)]
pub struct ShrunkRun {
    /// The smallest run found that fails in the same way.
    pub run: Run,
    /// How it was found.
    pub shrunk: Shrunk,
}

/// Shrinks a run that failed, in at most `budget_runs` runs, and fewer if one takes long. `replay` runs the same
/// scenario under the same seed with the choices it is given.
///
/// The smaller run has the same [`signature`](signature()). It shows a [known](crate::known) failure if the original
/// does, and a new one if the original does. The smaller run's world is no rougher: its level is no higher, and it has
/// no kind of damage that the original world did not have.
///
/// `None` if there are no runs to spend, or if there is nothing to shrink: the run finished, or its own choices do not
/// make it fail again. In the latter case, as after a divergence, something besides seed and choices decides;
/// [`canary`](crate::canary) finds it.
pub fn shrink_run(run: &Run, budget_runs: usize, replay: impl Fn(Choices) -> Run) -> Option<ShrunkRun> {
    let affordable = usize::try_from(SHRINK_STEPS / cost_steps(run)).unwrap_or(usize::MAX).max(1);
    shrink_while(run, budget_runs.min(affordable), |choices| Some(replay(choices)))
}

/// The cost of a run in steps: its own steps plus the computation of its guests.
fn cost_steps(run: &Run) -> u64 {
    let fuel: u64 = run.cells.iter().filter_map(|(_, exit)| exit.as_ref()).map(|exit| exit.fuel).sum();
    // A guest that spins has not ended, so its fuel is not known.
    let spun = if matches!(run.outcome, Outcome::Spinning { .. }) { Limits::default().quiet_fuel } else { 0 };
    (run.transcript.steps.len() as u64 + (fuel + spun) / FUEL_OF_A_STEP).max(1)
}

/// The same in at most `budget_runs` runs, however long they take. If `replay` gives no run, time is up, and the result
/// is the smallest run so far.
pub fn shrink_while(
    run: &Run,
    budget_runs: usize,
    replay: impl Fn(Choices) -> Option<Run>,
) -> Option<ShrunkRun> {
    if matches!(run.outcome, Outcome::Diverged(_)) {
        return None;
    }
    let wanted = signature(&run.outcome)?;
    let given = |choices: &[u32]| Choices::Given(choices.iter().map(|&value| (value, None)).collect());
    let fails = |choices: &[u32]| {
        let smaller = replay(given(choices))?;
        let is_same = signature(&smaller.outcome).as_ref() == Some(&wanted)
            && smaller.outcome.known() == run.outcome.known()
            && !is_rougher(&smaller, run);
        is_same.then_some(smaller)
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

/// Whether a run's world allowed more than another's, or had a kind of damage that the other did not have.
fn is_rougher(run: &Run, than: &Run) -> bool {
    let is_new_damage = |fault: &Fault| fault.is_damage() && !than.faults.contains_key(fault);
    run.level > than.level || run.faults.keys().any(is_new_damage)
}

fn values(run: &Run) -> Vec<u32> {
    run.choices.iter().map(|choice| choice.value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::engine;
    use crate::guest_panic::GuestPanic;
    use crate::oracle::Blame;
    use crate::outcome::{Wait, WaitGraph};
    use crate::run::{Setup, run};
    use crate::world::World;
    use wavetank_choice::Seed;
    use wavetank_choice::profile::Level;

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

    fn trapped(message: &str, at: &str, function: &str) -> Outcome {
        let stderr = format!("thread 'main' panicked at {at}:\n{message}\n");
        let trap = Trap {
            class: TrapClass::Unreachable,
            message: String::new(),
            backtrace: vec!["abort".into(), function.into()],
        };
        Outcome::Trapped { cell: "a".into(), trap, panic: GuestPanic::last_in(&stderr) }
    }

    #[test]
    fn two_panics_of_one_guest_are_two_failures() {
        let one = trapped("no header 7", "src/main.rs:3:5", "guest::parse");
        let same = trapped("no header 12", "src/main.rs:3:5", "guest::parse");
        assert_eq!(signature(&one), signature(&same));
        let others = [
            trapped("no body 7", "src/main.rs:3:5", "guest::parse"),
            trapped("no header 7", "src/main.rs:4:5", "guest::parse"),
            trapped("no header 7", "src/other.rs:3:5", "guest::parse"),
            trapped("no header 7", "src/main.rs:3:5", "guest::other"),
        ];
        for other in &others {
            assert_ne!(signature(&one), signature(other), "{other}");
        }
        // After an edit above it, the same panic is on another line.
        let across = |outcome: &Outcome| signature(outcome).expect("it failed").across_builds();
        assert_eq!(across(&one), across(&others[1]));
        assert_ne!(across(&one), across(&others[0]));
        let says = signature(&one).expect("it failed").to_string();
        assert_eq!(says, "trapped (unreachable: no header ): a, at src/main.rs:3, in guest::parse");
        let told = told_signature(&one).expect("it failed").to_string();
        assert_eq!(told, "trapped (unreachable: no header 7): a, at src/main.rs:3, in guest::parse");
        assert_eq!(one.to_string(), "trapped: a panicked at src/main.rs:3: no header 7");
    }

    #[test]
    fn a_run_is_rougher_by_its_level_or_by_a_new_kind_of_damage() {
        let mut found = run(|_: &mut World| (), &Setup::new(engine(), Seed(0)));
        let mut rougher = found.clone();
        assert!(!is_rougher(&rougher, &found));
        (found.level, rougher.level) = (Level::Weather, Level::Damage);
        assert!(is_rougher(&rougher, &found));
        found.level = Level::Damage;
        assert!(!is_rougher(&rougher, &found));
        rougher.faults.insert(Fault::Cut, 1);
        assert!(is_rougher(&rougher, &found), "nothing was cut before");
        found.faults.insert(Fault::Cut, 3);
        assert!(!is_rougher(&rougher, &found));
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
            assert_eq!(signature(&one), signature(&other));
        }
        let different = [
            (stalled(4, &["a"]), stalled(4, &["a", "b"])),
            (panicked("call 7 is gone"), panicked("answer 7 is gone")),
            (violated(Oracle::Exit, "a exited with 3"), violated(Oracle::Exit, "b exited with 3")),
            (violated(Oracle::Exit, "a exited with 3"), violated(Oracle::Output, "a exited with 3")),
            (Outcome::StepLimit { steps: 4, running: None }, stalled(4, &[])),
        ];
        for (one, other) in different {
            assert_ne!(signature(&one), signature(&other));
        }
        assert_eq!(signature(&Outcome::Finished), None);
        assert_eq!(signature(&stalled(4, &["b", "a"])).unwrap().to_string(), "stalled: a, b");
    }
}
