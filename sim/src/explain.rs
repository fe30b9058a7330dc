//! The explanation of a failure: what is to be told beside one sentence, a line each, best of a shrunk run.
//!
//! Whose fault it is, and who waits for whom; the few choices that are left, in words; the smallest change that makes it
//! pass; the frames around that change and the last lines of stderr of those it is about; the damage that was done. To
//! find the change, the run is made again, a few dozen times at most.

mod causes;
mod chosen;
mod deciding;
mod links;

use crate::calls::PEER_SCHEMA;
use crate::outcome::Outcome;
use crate::profile::Level;
use crate::run::Run;
use crate::same::failure;
use crate::strategy::Strategy;
use crate::transcript::Names;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use wavetank::{Event, PipeId, harmless};

pub use deciding::{Change, Deciding};

/// Runs that the search for the deciding change may take.
pub const EXPLAIN_RUNS: usize = 200;

/// What there is to tell of a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// What came of it, in one sentence.
    pub sentence: String,
    /// Whose fault it is, then a stall's graph, a trap's functions, a panic's place.
    pub detail: Vec<String>,
    /// What the run shows beside, and often is the cause: text among RPC, cancelled calls, output that was thrown away.
    pub causes: Vec<String>,
    /// What was chosen otherwise than the calm policy would have, step by step.
    pub chosen: Vec<String>,
    /// The smallest change that alone makes the run pass.
    pub deciding: Option<Deciding>,
    /// The frames of the links of those it is about that matter most, and what is missing there, in words.
    pub frames: Vec<String>,
    /// What they wrote to stderr last.
    pub stderr: Vec<String>,
    /// What was done to the world, and what it did without.
    pub damage: Vec<String>,
}

/// Runs the scenario of a failure again, under the same seed and a strategy.
pub type Again<'a> = &'a dyn Fn(&(dyn Fn() -> Box<dyn Strategy> + Sync)) -> Run;

/// Explains a failure, in at most `budget_runs` runs: 0 where its own choices do not make it fail again. `again`
/// is [`run_under`](crate::run::run_under) of the same scenario and seed.
///
/// ```
/// use wavetank_sim::check::engine;
/// use wavetank_sim::explain::{EXPLAIN_RUNS, explain};
/// use wavetank_sim::run::run_under;
/// use wavetank_sim::{Choices, Seed, Setup, bugs, run};
///
/// let abba = bugs::find("abba").expect("a case").buggy;
/// // The calm policy takes both outer locks first.
/// let setup = Setup { choices: Choices::Given(Vec::new()), ..Setup::new(engine(), Seed(0)) };
/// let failed = run(abba, &setup);
/// let told = explain(&failed, EXPLAIN_RUNS, &|strategy| run_under(abba, &setup, "again", strategy));
/// let deciding = told.deciding.expect("one lock after the other is well");
/// assert_eq!(deciding.to_string(), "it passes if step 2 (poll t1) comes after step 3 (poll t0)");
/// ```
pub fn explain(run: &Run, budget_runs: usize, again: Again<'_>) -> Explanation {
    if run.outcome.is_finished() {
        return Explanation { sentence: sentence(&run.outcome), ..Explanation::default() };
    }
    let names = Names::of(&run.transcript.events, &PEER_SCHEMA);
    let concerned = concerned(run);
    let is_repeatable = !matches!(run.outcome, Outcome::Diverged(_));
    let deciding = if is_repeatable { deciding::deciding(run, &names, budget_runs, again) } else { None };
    let steps = deciding.as_ref().map(Deciding::steps).unwrap_or_default();
    Explanation {
        sentence: sentence(&run.outcome),
        detail: run.outcome.detail(),
        chosen: chosen::chosen(run, &names),
        deciding,
        causes: links::causes(run, &concerned),
        frames: links::lines(run, &concerned, &steps),
        stderr: stderr(run, &concerned),
        damage: damage(run),
    }
}

/// An outcome on one line: words of a panic may be on several.
pub fn sentence(outcome: &Outcome) -> String {
    let text = outcome.to_string();
    harmless(&text.lines().map(str::trim).collect::<Vec<_>>().join(", ")).into_owned()
}

/// Cells that a failure may be about without being named: in a world of no more than these.
const FEW_CELLS: usize = 2;

/// The cells that a failure is about.
fn concerned(run: &Run) -> BTreeSet<&str> {
    let who = failure(&run.outcome).map(|failure| failure.who).unwrap_or_default();
    let cells = run.cells.iter().map(|(name, _)| &**name);
    let named: BTreeSet<&str> = cells.clone().filter(|name| who.contains(*name)).collect();
    if named.is_empty() && run.cells.len() <= FEW_CELLS { cells.collect() } else { named }
}

/// The last lines that those concerned wrote to stderr.
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

/// Lines of each part, at most: a whole explanation fits a screen.
const SHOWN_DETAIL: usize = 10;
const SHOWN_CAUSES: usize = 4;
const SHOWN_CHOSEN: usize = 6;
const SHOWN_STDERR: usize = 5;

/// Characters of a line, at most.
const SHOWN_WIDTH: usize = 150;

impl Explanation {
    /// Its lines after the sentence, cut to what fits a screen.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = first(&self.detail, SHOWN_DETAIL);
        lines.extend(first(&self.causes, SHOWN_CAUSES));
        if !self.chosen.is_empty() {
            lines.push("chosen otherwise than calmly".into());
            lines.extend(first(&self.chosen, SHOWN_CHOSEN).into_iter().map(|line| format!("  {line}")));
        }
        lines.extend(self.deciding.as_ref().map(Deciding::to_string));
        lines.extend(self.damage.iter().cloned());
        lines.extend(self.frames.iter().chain(&self.stderr).cloned());
        lines.iter_mut().for_each(cut);
        lines
    }
}

impl fmt::Display for Explanation {
    /// The lines after the sentence, which goes into a heading.
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

/// One line, harmless and no longer than a screen is wide.
fn cut(line: &mut String) {
    *line = harmless(line).into_owned();
    if let Some((at, _)) = line.char_indices().nth(SHOWN_WIDTH) {
        line.truncate(at);
        line.push('…');
    }
}

#[cfg(test)]
mod tests;
