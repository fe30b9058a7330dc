//! Outcomes: how a simulation ended. A run that finds a bug is a successful run of the simulator.

use crate::guest_panic::{GuestPanic, SourceLine, shown_backtrace};
use crate::known::{self, Known, Shown};
use crate::switch::Oracle;
use std::fmt;
use std::sync::Arc;
use wavetank::{Trap, TrapClass, escape_control};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The world came to rest, and everything that was expected of it holds.
    Finished,
    /// The world came to rest while somebody was still waiting.
    Stalled(WaitGraph),
    /// Somebody keeps running and moves nothing.
    Spinning {
        /// The one that runs.
        who: String,
        /// The evidence: the counts that show it.
        evidence: String,
        /// Whose fault it is.
        blame: Blame,
    },
    /// A property does not hold.
    Violated(Finding),
    /// A guest trapped, and nobody expected it to.
    Trapped {
        /// The cell.
        cell: String,
        /// The trap.
        trap: Trap,
        /// The message of the guest's own panic, if there was one.
        panic: Option<GuestPanic>,
    },
    /// The host, a scenario or a library panicked.
    Panicked {
        /// The panic's message.
        message: String,
        /// File and line. The path starts at the folder of its crate.
        at: String,
        /// Whose fault it is, judged by that place.
        blame: Blame,
    },
    /// The world did not come to rest within its limit of steps.
    StepLimit {
        /// The limit.
        steps: u64,
        /// The one that ran most at the end, if anybody ran.
        running: Option<Running>,
    },
    /// A repeat of the run differed. Something besides the seed and the choices decides.
    Diverged(Divergence),
}

/// Somebody who ran when a world reached its limit of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its name.
    pub who: String,
    /// How many of the last steps were its own.
    pub polls: usize,
    /// The number of last steps that were looked at.
    pub of: usize,
    /// Whose fault it may be. It is a guess, because a world may just need more steps.
    pub blame: Blame,
}

impl Outcome {
    /// Whether the run ended as one hopes.
    pub fn is_finished(&self) -> bool {
        matches!(self, Outcome::Finished)
    }

    /// The known fault of a library that it shows.
    pub fn known(&self) -> Option<&'static Known> {
        match self {
            Outcome::Stalled(graph) => known::find(&Shown::Stall { graph: &graph.to_string() }),
            Outcome::Panicked { at, blame: Blame::Library(library), .. } => {
                known::find(&Shown::Panic { library, at })
            }
            Outcome::Violated(Finding { blame: Blame::Library(library), .. }) => {
                known::find(&Shown::Violation { library, text: &self.to_string() })
            }
            _ => None,
        }
    }

    /// Whether it is a failure that is not [known](Self::known).
    pub fn is_news(&self) -> bool {
        !self.is_finished() && self.known().is_none()
    }

    /// Whose fault it is; `None` if all is well, or if nobody can tell.
    pub fn blame(&self) -> Option<Blame> {
        if let Some(known) = self.known() {
            return Some(Blame::Library(known.library()));
        }
        match self {
            Outcome::Finished => None,
            Outcome::StepLimit { running, .. } => running.as_ref().map(|running| running.blame.clone()),
            Outcome::Stalled(graph) => Some(graph.blame.clone()),
            Outcome::Violated(finding) => Some(finding.blame.clone()),
            Outcome::Trapped { cell, .. } => Some(Blame::Guest(cell.clone())),
            Outcome::Spinning { blame, .. } | Outcome::Panicked { blame, .. } => Some(blame.clone()),
            Outcome::Diverged(divergence) => Some(match divergence.against {
                ComparedWith::SecondRun => {
                    Blame::Scenario("something in it follows more than its seed".into())
                }
                ComparedWith::Pulley => Blame::Library("wasmtime"),
            }),
        }
    }

    /// The details beyond one sentence, one per line: whose fault it is, then the graph of a stall, the functions of a
    /// trap or the place of a panic.
    pub fn detail(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.blame().iter().map(blame_line).collect();
        lines.extend(self.more());
        lines.iter_mut().for_each(|line| *line = escape_control(line).into_owned());
        lines
    }

    fn more(&self) -> Vec<String> {
        match self {
            Outcome::Violated(finding) => finding.detail.clone(),
            Outcome::Panicked { at, .. } => vec![format!("at {at}")],
            Outcome::Stalled(graph) => graph.to_string().lines().map(String::from).collect(),
            Outcome::Trapped { trap, .. } => shown_backtrace(&trap.backtrace, SHOWN_FUNCTIONS),
            Outcome::Diverged(divergence) => divergence.saw(),
            _ => Vec::new(),
        }
    }

    /// The line of a source file at which a guest or the host panicked, if it is known.
    pub fn source_line(&self) -> Option<SourceLine> {
        match self {
            Outcome::Panicked { at, .. } => SourceLine::of(at),
            Outcome::Trapped { panic, .. } => panic.as_ref()?.at.clone(),
            _ => None,
        }
    }

    /// The name of the outcome, without details.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Finished => "finished",
            Outcome::Stalled(_) => "stalled",
            Outcome::Spinning { .. } => "spinning",
            Outcome::Violated(_) => "violated",
            Outcome::Trapped { .. } => "trapped",
            Outcome::Panicked { .. } => "panicked",
            Outcome::StepLimit { .. } => "step limit",
            Outcome::Diverged(_) => "diverged",
        }
    }
}

impl fmt::Display for Outcome {
    /// One sentence. The graph of a stall is printed apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Finished => f.write_str("finished"),
            Outcome::Stalled(graph) => write!(f, "stalled after {} steps", graph.steps),
            Outcome::Spinning { who, evidence, .. } => write!(f, "spinning: {who} {evidence}"),
            Outcome::Violated(Finding { oracle, what, .. }) => write!(f, "violated ({oracle}): {what}"),
            Outcome::Trapped { cell, panic: Some(GuestPanic { message, at }), .. } => {
                write!(f, "trapped: {cell} panicked")?;
                if let Some(at) = at {
                    write!(f, " at {at}")?;
                }
                if message.is_empty() { Ok(()) } else { write!(f, ": {message}") }
            }
            Outcome::Trapped { cell, trap, panic: None } => {
                let class = trap.class.to_string();
                write!(f, "trapped: {cell}, {class}")?;
                // The engine's message, unless it says no more than the class.
                if trap.message == class || trap.class == TrapClass::Unreachable {
                    Ok(())
                } else {
                    write!(f, " ({})", trap.message)
                }
            }
            Outcome::Panicked { message, .. } => write!(f, "panicked: {message}"),
            Outcome::StepLimit { steps, running: None } => write!(f, "no rest within {steps} steps"),
            Outcome::StepLimit { steps, running: Some(Running { who, polls, of, .. }) } => {
                write!(f, "no rest within {steps} steps: {who} ran in {polls} of the last {of}")
            }
            Outcome::Diverged(divergence) => write!(f, "diverged: {divergence}"),
        }
    }
}

fn blame_line(blame: &Blame) -> String {
    match blame.party() {
        (blame, true) => format!("blame (a guess): {blame}"),
        (blame, false) => format!("blame: {blame}"),
    }
}

/// Functions of a guest's author that are shown of a trap's backtrace, at most.
const SHOWN_FUNCTIONS: usize = 6;

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The oracle that saw it.
    pub oracle: Oracle,
    /// The cell, pipe or link where it was seen. For an assertion, it is the check.
    pub who: String,
    /// Whose fault it is.
    pub blame: Blame,
    /// The finding in one sentence.
    pub what: String,
    /// Details, one per line.
    pub detail: Vec<String>,
}

/// Whose fault something is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// A guest's, by the name of its cell.
    Guest(String),
    /// A capability's, as `Executor.runBytes`.
    Capability {
        /// The vat that serves it; `None` is the host.
        vat: Option<String>,
        /// The interface and the method.
        call: String,
    },
    /// The fault of a task of the scenario.
    Task {
        /// The vat in whose queue it stands; `None` is the host.
        vat: Option<String>,
        /// Its name.
        task: String,
    },
    /// The fault of several parties that wait for each other.
    Cycle(Vec<Party>),
    /// The scenario's, with the reason.
    Scenario(String),
    /// The tank's, or the simulator's. There is evidence of it.
    Tank,
    /// The fault of a library below.
    Library(&'static str),
    /// Nobody's: it follows from a fault that was injected.
    Fault(String),
    /// No rule could say.
    Unknown,
    /// Probably this one's: nobody else is left, but nothing proves it.
    Guess(Box<Blame>),
}

/// A party of a world: somebody at an end of a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// The host itself.
    Host,
    /// A vat of the scenario.
    Vat(Arc<str>),
    /// A cell.
    Cell(Arc<str>),
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Party::Host => f.write_str("the host"),
            Party::Vat(name) => write!(f, "vat {name}"),
            Party::Cell(name) => f.write_str(name),
        }
    }
}

impl Blame {
    /// The same blame as a guess.
    pub fn guessed(self) -> Self {
        match self {
            Blame::Guess(_) | Blame::Unknown => self,
            blame => Blame::Guess(Box::new(blame)),
        }
    }

    /// The blame, and whether it is a guess.
    pub fn party(&self) -> (&Blame, bool) {
        match self {
            Blame::Guess(blame) => (blame, true),
            blame => (blame, false),
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Blame::Guest(cell) => write!(f, "the guest {cell}"),
            Blame::Capability { vat: None, call } => write!(f, "the host's own capability {call}"),
            Blame::Capability { vat: Some(vat), call } => write!(f, "vat {vat}, which serves {call}"),
            Blame::Task { vat: None, task } => write!(f, "the scenario's task {task:?}"),
            Blame::Task { vat: Some(vat), task } => write!(f, "the scenario's task {task:?} of vat {vat}"),
            Blame::Cycle(parties) => {
                let names: Vec<String> = parties.iter().map(Party::to_string).collect();
                write!(f, "{}, which wait for each other", names.join(" and "))
            }
            Blame::Unknown => f.write_str("unknown"),
            Blame::Guess(blame) => write!(f, "{blame} (a guess)"),
            Blame::Scenario(what) => write!(f, "the scenario: {what}"),
            Blame::Tank => f.write_str("the tank"),
            Blame::Library(name) => f.write_str(name),
            Blame::Fault(fault) => write!(f, "the fault that was injected: {fault}"),
        }
    }
}

/// The run that a first run was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparedWith {
    /// A second run of the same kind.
    SecondRun,
    /// A run whose guests Pulley interpreted.
    Pulley,
}

impl fmt::Display for ComparedWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ComparedWith::SecondRun => "the second run",
            ComparedWith::Pulley => "the run on Pulley",
        })
    }
}

/// The first difference between two runs of one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The step, from 1. Step 0 is the setup, before the first step. If only the results of the runs differ, this is
    /// the last step.
    pub step: u64,
    /// The run that differed from the first.
    pub against: ComparedWith,
    /// The event or result that the first run saw.
    pub first: String,
    /// The event or result that the other run saw in its place.
    pub other: String,
}

impl fmt::Display for Divergence {
    /// One sentence. [`saw`](Divergence::saw) gives the two sides.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { step, against, .. } = self;
        write!(f, "{against} of the same seed differs at step {step}")
    }
}

impl Divergence {
    /// The two sides, one per line.
    pub fn saw(&self) -> Vec<String> {
        vec![format!("the first run: {}", self.first), format!("{}: {}", self.against, self.other)]
    }
}

/// The wait-for graph: who waits on what when nothing can happen any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitGraph {
    /// Steps until then.
    pub steps: u64,
    /// Whose fault it is.
    pub blame: Blame,
    /// Cells that have not ended, each with the things that it waits on.
    pub cells: Vec<Wait>,
    /// Calls whose answer is owed, by link: `host owes child-echo q3 Executor.echo`.
    pub calls: Vec<String>,
    /// Pipes that hold bytes or whose writer waits.
    pub pipes: Vec<String>,
    /// Tasks of the scenario that have not ended.
    pub tasks: Vec<String>,
}

/// One cell that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The cell.
    pub who: String,
    /// Each thing that would wake it. Empty if the cell was never started or waits outside of WASI.
    pub on: Vec<String>,
}

impl fmt::Display for WaitGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Wait { who, on } in &self.cells {
            let on = if on.is_empty() { "nothing that can be seen".into() } else { on.join(", ") };
            writeln!(f, "{who} waits on {on}")?;
        }
        for line in self.calls.iter().chain(&self.pipes).chain(&self.tasks) {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}
