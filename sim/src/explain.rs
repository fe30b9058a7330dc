//! The explanation of a failure: the lines that are shown beside its one sentence. They are best for a shrunk run.
//!
//! They show whose fault it is and who waits for whom; the few choices that are left, in words; the smallest change
//! that makes the run pass; the frames around that change; the last stderr lines of the cells concerned; and the damage
//! that was done. To find the change, the run is repeated, a few dozen times at most.

mod broken;
mod causes;
mod chosen;
mod deciding;
mod links;

use crate::outcome::Outcome;
use crate::run::Run;
use crate::signature::signature;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use wavetank::{Event, PipeId, escape_control};
use wavetank_choice::profile::Level;
use wavetank_choice::strategy::Strategy;

pub use deciding::{Change, Deciding};

/// Runs that the search for the deciding change may take.
pub const EXPLAIN_RUNS: usize = 200;

/// The parts of an explanation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The outcome in one sentence.
    pub sentence: String,
    /// Whose fault it is, then the graph of a stall, the functions of a trap, the place of a panic or the step that broke
    /// an invariant.
    pub detail: Vec<String>,
    /// Other facts of the run that are often the cause: text among RPC, cancelled calls, output that was thrown away.
    pub causes: Vec<String>,
    /// The choices that differ from the calm policy, step by step.
    pub chosen: Vec<String>,
    /// Whether it fails although nothing was chosen otherwise than the calm policy chooses.
    pub is_calm: bool,
    /// The smallest change that alone makes the run pass.
    pub deciding: Option<Deciding>,
    /// The frames that matter most on the links of the cells concerned, and the things that are missing there, in
    /// words.
    pub frames: Vec<String>,
    /// The last lines that these cells wrote to stderr.
    pub stderr: Vec<String>,
    /// The damage that was done to the world, and the guarantees that the world left out.
    pub damage: Vec<String>,
    /// How to name the interfaces that no schema names.
    pub unnamed: Option<String>,
}

/// Runs the scenario of a failure again, under the same seed and a given strategy.
pub type Rerun<'a> = &'a dyn Fn(&(dyn Fn() -> Box<dyn Strategy> + Sync)) -> Run;

/// Explains a failure, in at most `budget_runs` runs. Pass 0 if the run's own choices do not make it fail again.
/// `again` is [`run_under`](crate::run::run_under) with the same scenario and seed.
///
/// ```
/// use wavetank_sim::check::engine;
/// use wavetank_sim::explain::{EXPLAIN_RUNS, explain};
/// use wavetank_sim::run::run_under;
/// use wavetank_sim::world::yield_now;
/// use wavetank_sim::{Seed, Setup, World, run};
///
/// // The reader looks too early if it runs before the writer.
/// fn race(world: &mut World) {
///     let is_written = std::rc::Rc::new(std::cell::Cell::new(false));
///     let written = is_written.clone();
///     // Tasks of one vat keep their order, so each has a vat of its own.
///     world.task_of(world.vat("writer"), "writer", async move { written.set(true) });
///     world.task_of(world.vat("reader"), "reader", async move {
///         let seen = is_written.get();
///         yield_now().await;
///         assert!(seen, "read before it was written");
///     });
/// }
///
/// let setup = |seed| Setup::new(engine(), Seed(seed));
/// let failed = (0..20).map(|seed| run(race, &setup(seed))).find(|run| !run.outcome.is_finished()).expect("it fails");
/// let setup = setup(failed.seed.0);
/// let explained = explain(&failed, EXPLAIN_RUNS, &|strategy| run_under(race, &setup, "again", strategy));
/// let deciding = explained.deciding.expect("one change makes it pass");
/// assert_eq!(deciding.to_string(), "it passes if step 1 (poll reader) comes after step 2 (poll writer)");
/// ```
pub fn explain(run: &Run, budget_runs: usize, again: Rerun<'_>) -> Explanation {
    explain_beside(run, budget_runs, again).0
}

/// The same, and the run with the deciding change, which passes.
pub fn explain_beside(run: &Run, budget_runs: usize, again: Rerun<'_>) -> (Explanation, Option<Run>) {
    if run.outcome.is_finished() {
        return (Explanation { sentence: sentence(&run.outcome), ..Explanation::default() }, None);
    }
    let names = run.names();
    let concerned = concerned(run);
    let is_repeatable = !matches!(run.outcome, Outcome::Diverged(_));
    let found = if is_repeatable { deciding::deciding(run, &names, budget_runs, again) } else { None };
    let (deciding, passing) = found.unzip();
    let steps = deciding.as_ref().map(Deciding::steps).unwrap_or_default();
    let mut detail = run.outcome.detail();
    detail.extend(broken::broken(run, &names));
    let explanation = Explanation {
        sentence: sentence(&run.outcome),
        detail,
        chosen: chosen::chosen(run, &names).into_iter().map(|(_, says)| says).collect(),
        is_calm: is_repeatable && run.choices.is_empty(),
        deciding,
        causes: links::causes(run, &concerned),
        frames: links::lines(run, &concerned, &steps),
        stderr: stderr(run, &concerned),
        damage: damage(run),
        unnamed: run.unnamed(),
    };
    (explanation, passing)
}

/// The choices of a run that differ from the calm policy, each with its step; 0 is the set-up.
pub fn chosen(run: &Run) -> Vec<(u64, String)> {
    chosen::chosen(run, &run.names())
}

/// An outcome on one line. The message of a panic may have several.
pub fn sentence(outcome: &Outcome) -> String {
    let text = outcome.to_string();
    escape_control(&text.lines().map(str::trim).collect::<Vec<_>>().join(", ")).into_owned()
}

/// In a world of at most this many cells, a failure that names no cell is taken to be about all of them.
const FEW_CELLS: usize = 2;

/// The cells that a failure is about.
fn concerned(run: &Run) -> BTreeSet<&str> {
    let who = signature(&run.outcome).map(|failure| failure.who).unwrap_or_default();
    let cells = run.cells.iter().map(|(name, _)| &**name);
    let named: BTreeSet<&str> = cells.clone().filter(|name| who.contains(*name)).collect();
    if named.is_empty() && run.cells.len() <= FEW_CELLS { cells.collect() } else { named }
}

/// The last lines that the cells concerned wrote to stderr.
fn stderr(run: &Run, concerned: &BTreeSet<&str>) -> Vec<String> {
    let mut pipes: BTreeMap<PipeId, (String, Vec<u8>)> = BTreeMap::new();
    for cell in run.facts.cells.iter().filter(|cell| concerned.contains(&*cell.name)) {
        pipes.extend(cell.stderr().map(|pipe| (pipe, (format!("{} stderr", cell.name), Vec::new()))));
    }
    for event in &run.transcript.events {
        if let Event::Wrote { pipe, bytes } = event
            && let Some((_, written)) = pipes.get_mut(pipe)
        {
            written.extend_from_slice(bytes);
        }
    }
    pipes.retain(|_, (_, written)| !written.is_empty());
    let mut lines = Vec::new();
    let each = (SHOWN_STDERR / pipes.len().max(1)).max(1);
    for (name, written) in pipes.values() {
        let written = String::from_utf8_lossy(written);
        let said: Vec<&str> = written.lines().collect();
        lines.extend(said[said.len().saturating_sub(each)..].iter().map(|line| format!("{name} | {line}")));
    }
    lines
}

fn damage(run: &Run) -> Vec<String> {
    let done = run.faults.iter().filter(|(fault, _)| fault.is_damage());
    let done: Vec<String> = done.map(|(fault, count)| format!("{count} {fault}")).collect();
    let mut lines = Vec::new();
    if !done.is_empty() {
        lines.push(format!("damage: {}", done.join(", ")));
    }
    if run.level == Level::Disorder {
        lines.push(DISORDER.into());
    }
    lines
}

const DISORDER: &str =
    "the tasks of a vat ran in any order: capnp-rpc promises no order of calls then (capnproto-rust#528)";

/// Lines of each part, at most, so that a whole explanation fits a screen.
const SHOWN_DETAIL: usize = 10;
const SHOWN_CAUSES: usize = 4;
const SHOWN_CHOSEN: usize = 6;
const SHOWN_STDERR: usize = 5;

/// Characters of a line, at most.
const SHOWN_WIDTH: usize = 150;

impl Explanation {
    /// The lines after the sentence, cut to fit a screen.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = first(&self.detail, SHOWN_DETAIL);
        lines.extend(first(&self.causes, SHOWN_CAUSES));
        if !self.chosen.is_empty() {
            lines.push("chosen otherwise than calmly".into());
            lines.extend(first(&self.chosen, SHOWN_CHOSEN).into_iter().map(|line| format!("  {line}")));
        }
        if self.is_calm {
            lines.push("it fails although every choice is calm".into());
        }
        lines.extend(self.deciding.as_ref().map(Deciding::to_string));
        lines.extend(self.damage.iter().cloned());
        lines.extend(self.frames.iter().chain(&self.stderr).chain(&self.unnamed).cloned());
        lines.iter_mut().for_each(cut);
        lines
    }
}

impl fmt::Display for Explanation {
    /// The lines after the sentence. The sentence itself goes into a heading.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

fn first(lines: &[String], most: usize) -> Vec<String> {
    let mut shown: Vec<String> = lines.iter().take(most).cloned().collect();
    if lines.len() > most {
        shown.push(format!("… {} more", lines.len() - most));
    }
    shown
}

/// Escapes control characters of a line and cuts it to the width of a screen.
fn cut(line: &mut String) {
    *line = escape_control(line).into_owned();
    if let Some((at, _)) = line.char_indices().nth(SHOWN_WIDTH) {
        line.truncate(at);
        line.push('…');
    }
}
