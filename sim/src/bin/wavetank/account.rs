//! A run in a few lines.

use crate::job::Job;
use std::fmt::Write as _;
use std::sync::Arc;
use wavetank::cell::ExitRecord;
use wavetank::{Event, PipeId};
use wavetank_sim::calls::PEER_SCHEMA;
use wavetank_sim::explain::{EXPLAIN_RUNS, sentence};
use wavetank_sim::known::known;
use wavetank_sim::same::{SHRINK_RUNS, ShrunkRun, shrink_run};
use wavetank_sim::transcript::Names;
use wavetank_sim::{Outcome, Run};

/// What a run was, in one sentence.
pub(crate) fn headline(job: &Job, run: &Run) -> String {
    format!("{}: {} (seed {})", job.title, sentence(&run.outcome), run.seed)
}

/// A run in a few lines, the last of which replays it. Of a failure its smallest run, explained, where `shrinks`.
pub(crate) fn account(job: &Job, run: &Run, shrinks: bool) -> String {
    let shrunk =
        if shrinks { shrink_run(run, SHRINK_RUNS, |choices| job.replay(run.seed, choices)) } else { None };
    account_shrunk(job, run, shrunk)
}

/// The same of a failure that was made smaller already, where that could be.
pub(crate) fn account_shrunk(job: &Job, run: &Run, shrunk: Option<ShrunkRun>) -> String {
    match shrunk {
        Some(ShrunkRun { run: mut smaller, shrunk }) => {
            smaller.compared.clone_from(&run.compared);
            let to = smaller.choices.len();
            let from = if shrunk.from > to {
                format!(", shrunk from {} choices to {to}", shrunk.from)
            } else {
                String::new()
            };
            let head = format!("{}: {} (seed {}{from})", job.title, sentence(&smaller.outcome), run.seed);
            told(job, &smaller, head, EXPLAIN_RUNS)
        }
        None => told(job, run, headline(job, run), 0),
    }
}

/// Cells whose end is told.
const SHOWN_ENDS: usize = 8;

fn told(job: &Job, run: &Run, head: String, explain_runs: usize) -> String {
    let mut text = head;
    let _ = writeln!(text);
    text += &job.explain(run, explain_runs).to_string();
    // Who has not ended is told by what there is to tell of a failure.
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
        "  {} steps, {} choices, {} ns of virtual time",
        run.transcript.steps.len(),
        run.choices.len(),
        run.virtual_ns
    );
    text += &known_as(run);
    text += &compared(run);
    let _ = writeln!(text, "  replay: {}", job.replay_line(&run.token(&job.name).to_string()));
    text
}

/// Which known fault it shows; nothing where there is none.
pub(crate) fn known_as(run: &Run) -> String {
    known(&run.outcome).map_or_else(String::new, |known| {
        format!("  known: {}, a fault of {}: docs/known-faults.md tells more\n", known.id, known.layer)
    })
}

/// What a canary compared it with; nothing where there was none.
pub(crate) fn compared(run: &Run) -> String {
    let others: Vec<String> = run.compared.iter().map(|against| against.to_string()).collect();
    match (&run.outcome, others.join(" and ")) {
        (_, others) if others.is_empty() => String::new(),
        (Outcome::Diverged(_), others) => format!("  compared with {others}\n"),
        (_, others) => format!("  compared with {others}: the same, step for step\n"),
    }
}

/// What the cells of a component of the user's own wrote.
pub(crate) fn output_of_own(job: &Job, run: &Run) -> String {
    if job.is_own() { output(run) } else { String::new() }
}

/// What cells wrote to stdout and stderr, each line with its cell, in the order of writing.
fn output(run: &Run) -> String {
    let names = Names::of(&run.transcript.events, &PEER_SCHEMA);
    let mut text = String::new();
    let mut partial: std::collections::BTreeMap<PipeId, Vec<u8>> = Default::default();
    let links: Vec<PipeId> = run
        .transcript
        .events
        .iter()
        .filter_map(|event| match event {
            Event::LinkBorn { up, .. } => Some(*up),
            _ => None,
        })
        .collect();
    for event in &run.transcript.events {
        let Event::Wrote { pipe, bytes } = event else { continue };
        let name = names.pipe(*pipe);
        if links.contains(pipe) || !(name.ends_with(" stdout") || name.ends_with(" stderr")) {
            continue;
        }
        let held = partial.entry(*pipe).or_default();
        for &byte in bytes {
            if byte == b'\n' {
                let _ = writeln!(text, "{name} | {}", String::from_utf8_lossy(held));
                held.clear();
            } else {
                held.push(byte);
            }
        }
    }
    for (pipe, held) in partial.into_iter().filter(|(_, held)| !held.is_empty()) {
        let _ = writeln!(text, "{} | {}", names.pipe(pipe), String::from_utf8_lossy(&held));
    }
    text
}

/// The RPC frames of each link.
pub(crate) fn frames(run: &Run) -> String {
    let mut text = String::new();
    for link in &*run.frames(&PEER_SCHEMA) {
        let _ = writeln!(text, "link of {}  (→ to the host, ← to the cell)", link.cell);
        for frame in &link.frames {
            let _ = writeln!(text, "  {frame}");
        }
        let _ = writeln!(text);
    }
    text
}
