//! The report of one run, as plain data: a worker makes it, and a command prints it.

use super::subject::Subject;
use super::words::span;
use crate::explain::{EXPLAIN_RUNS, sentence};
use crate::oracle::{Evidence, transport};
use crate::outcome::Outcome;
use crate::run::Run;
use crate::signature::{SHRINK_RUNS, ShrunkRun, shrink_run};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::ops::AddAssign;
use std::sync::Arc;
use wavetank::cell::ExitRecord;
use wavetank::{Event, PipeId, escape_control};

/// What a part of a text is about. Terminals have a colour for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// A failure.
    Failed,
    /// A known fault of a library.
    Known,
    /// A run that finished.
    Finished,
    /// A command to copy.
    Command,
}

/// Text in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text(pub Vec<(Tone, String)>);

impl Text {
    /// Appends a part.
    pub fn push(&mut self, tone: Tone, text: impl fmt::Display) {
        self.0.push((tone, text.to_string()));
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.0.last_mut() {
            Some((Tone::Plain, last)) => last.push_str(text),
            _ => self.0.push((Tone::Plain, text.into())),
        }
        Ok(())
    }
}

impl AddAssign<&str> for Text {
    fn add_assign(&mut self, text: &str) {
        let _ = fmt::Write::write_str(self, text);
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(_, text)| f.write_str(text))
    }
}

/// One sentence that says how a run ended.
pub fn headline(subject: &impl Subject, run: &Run) -> String {
    format!("{}: {} (seed {})", subject.title(), sentence(&run.outcome), run.seed)
}

/// The smallest run that fails in the same way as `run`; `None` if there is none.
pub fn shrunk(subject: &impl Subject, run: &Run) -> Option<ShrunkRun> {
    shrink_run(run, SHRINK_RUNS, |choices| subject.replay(run.seed, choices))
}

/// A run in a few lines, of which the last replays it. If the run was made smaller, the smaller run is explained.
pub fn report(subject: &impl Subject, run: &Run, shrunk: Option<&ShrunkRun>) -> Text {
    match shrunk {
        Some(ShrunkRun { run: smaller, shrunk }) => {
            let mut smaller = smaller.clone();
            smaller.compared.clone_from(&run.compared);
            let to = smaller.choices.len();
            let from = if shrunk.from > to {
                format!(", shrunk from {} choices to {to}", shrunk.from)
            } else {
                String::new()
            };
            let head =
                format!("{}: {} (seed {}{from})", subject.title(), sentence(&smaller.outcome), run.seed);
            told(subject, &smaller, head, EXPLAIN_RUNS)
        }
        None => told(subject, run, headline(subject, run), 0),
    }
}

/// Number of cells whose exit is shown.
const SHOWN_ENDS: usize = 8;

/// A headline in the colour of its outcome.
pub fn coloured(run: &Run, head: String) -> Text {
    let tone = match &run.outcome {
        Outcome::Finished => Tone::Finished,
        outcome if outcome.known().is_some() => Tone::Known,
        _ => Tone::Failed,
    };
    let mut text = Text::default();
    text.push(tone, head);
    text += "\n";
    text
}

/// The text below the headline of a run. For a component of the user's own, stderr is left out here, because all output
/// of its cells is printed above.
pub fn explained(subject: &impl Subject, run: &Run, explain_runs: usize) -> String {
    let mut explanation = subject.explain(run, explain_runs);
    if subject.shows_output() {
        explanation.stderr.clear();
    }
    explanation.to_string()
}

fn told(subject: &impl Subject, run: &Run, head: String, explain_runs: usize) -> Text {
    let mut text = coloured(run, head);
    text += &explained(subject, run, explain_runs);
    // The explanation of a failure already says which cells have not ended.
    let told = |(name, exit): &(Arc<str>, Option<ExitRecord>)| match exit {
        Some(exit) => Some(format!("{name} exited with {}, {} fuel", exit.code, exit.fuel)),
        None => run.outcome.is_finished().then(|| format!("{name} has not ended")),
    };
    let ends: Vec<String> = run.cells.iter().filter_map(told).collect();
    for end in ends.iter().take(SHOWN_ENDS) {
        let _ = writeln!(text, "  {end}");
    }
    if ends.len() > SHOWN_ENDS {
        let _ = writeln!(text, "  … {} more cells", ends.len() - SHOWN_ENDS);
    }
    let _ = writeln!(
        text,
        "  {} steps, {} choices, {} of virtual time",
        run.transcript.steps.len(),
        run.choices.len(),
        span(run.virtual_ns)
    );
    text += &not_judged(run);
    text += &rpc_notes(run);
    text += &known_as(subject, run);
    text += &compared(run);
    text += "  replay: ";
    text.push(Tone::Command, subject.replay_line(&run.token(subject.name()).to_string()));
    text += "\n";
    text
}

/// The oracles that were switched off, each with the reason; nothing if there are none.
pub fn not_judged(run: &Run) -> String {
    run.not_judged().iter().map(|not_judged| format!("  not judged: {not_judged}\n")).collect()
}

/// Says so if no message was sent over any link, and names the connections that were never opened.
pub fn rpc_notes(run: &Run) -> String {
    let frames = run.frames();
    let mut text = String::new();
    if !run.cells.is_empty() && transport::messages(&frames) == 0 {
        text += "  no RPC took place: not one message was sent over a link\n";
    }
    for cell in transport::unopened(&Evidence::of(run, &frames)) {
        let _ = writeln!(text, "  {} never opened its connection", cell.name);
    }
    // For a failure, its explanation says it.
    if run.outcome.is_finished()
        && let Some(unnamed) = run.unnamed()
    {
        let _ = writeln!(text, "  {unnamed}");
    }
    text
}

/// Names the known fault that a run shows; empty if there is none.
pub fn known_as(subject: &impl Subject, run: &Run) -> String {
    run.outcome.known().map_or_else(String::new, |known| {
        format!(
            "  known: {}, a fault of {}: `{} known {}` tells more\n",
            known.id,
            known.layer,
            subject.command(),
            known.id
        )
    })
}

/// Names the runs that a canary compared this one with; empty if there was no comparison.
pub fn compared(run: &Run) -> String {
    let others: Vec<String> = run.compared.iter().map(|against| against.to_string()).collect();
    match (&run.outcome, others.join(" and ")) {
        (_, others) if others.is_empty() => String::new(),
        (Outcome::Diverged(_), others) => format!("  compared with {others}\n"),
        (_, others) => format!("  compared with {others}: the same, step for step\n"),
    }
}

/// The output of the cells, if the subject is a component of the user's own.
pub fn output_of_own(subject: &impl Subject, run: &Run) -> String {
    if subject.shows_output() { output(run) } else { String::new() }
}

/// The stdout and stderr of the cells: each line with the name of its cell, in the order of writing.
fn output(run: &Run) -> String {
    let names = run.names();
    let mut text = String::new();
    let mut partial: std::collections::BTreeMap<PipeId, Vec<u8>> = Default::default();
    let shown: Vec<PipeId> =
        run.facts.cells.iter().flat_map(|cell| [cell.stdout(), cell.stderr()]).flatten().collect();
    for event in &run.transcript.events {
        let Event::Wrote { pipe, bytes } = event else { continue };
        if !shown.contains(pipe) {
            continue;
        }
        let name = names.pipe(*pipe);
        let held = partial.entry(*pipe).or_default();
        for &byte in bytes {
            if byte == b'\n' {
                let _ = writeln!(text, "{name} | {}", escape_control(&String::from_utf8_lossy(held)));
                held.clear();
            } else {
                held.push(byte);
            }
        }
    }
    for (pipe, held) in partial.into_iter().filter(|(_, held)| !held.is_empty()) {
        let _ = writeln!(text, "{} | {}", names.pipe(pipe), escape_control(&String::from_utf8_lossy(&held)));
    }
    text
}

/// The RPC frames of each link.
pub fn frames(run: &Run) -> String {
    let mut text = String::new();
    for link in &*run.frames() {
        let _ = writeln!(text, "link of {}  (→ to the host, ← to the cell)", link.cell);
        for frame in &link.frames {
            let _ = writeln!(text, "  {frame}");
        }
        let _ = writeln!(text);
    }
    text
}
