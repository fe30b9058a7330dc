//! The extras of `replay`: stop at a step and print the world there, or try a fixed guest.

use crate::exit_code::{DIVERGED, FOUND};
use crate::job::Job;
use crate::terminal::Stop;
use crate::{Catalogue, files, terminal};
use std::path::Path;
use std::process::ExitCode;
use wavetank_sim::compare_fix::{FixVerdict, compare_fix};
use wavetank_sim::explain::sentence;
use wavetank_sim::{Run, Seed};

/// Replays until a step and prints the state of the world there.
pub(crate) fn until(job: &Job, seed: Seed, step: u64) -> Result<ExitCode, Stop> {
    let run = job.run_until(seed, step);
    match &run.view {
        Some(view) => {
            terminal::print(view)?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            let steps = run.transcript.steps.len();
            let end = if run.broke_off.is_some() { "it panicked in the next" } else { "it came to its end" };
            Err(format!("this run has no step {step}: after {steps} steps {end}").into())
        }
    }
}

/// Replays with another component in place of a guest, and prints the differences.
pub(crate) fn mended(job: Job, seed: Seed, wanted: &str, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let (name, path) = wanted
        .split_once('=')
        .ok_or_else(|| format!("not NAME=FILE: {wanted:?} (as --guest child-echo=new.wasm)"))?;
    let new = files::component(Path::new(path))?;
    let before = job.run(seed);
    let old = guest(&before, name, catalogue)?;
    let title = job.title.clone();
    let job = job.replacing(&old, &new).map_err(|e| format!("{path}: {e}"))?;
    let after = job.run(seed);
    let compared = compare_fix(&before, &after);
    terminal::print(format_args!(
        "{title} with {path} for {name} (seed {seed})\n  before: {}\n  now: {}\n{compared}",
        sentence(&before.outcome),
        sentence(&after.outcome)
    ))?;
    Ok(match compared.verdict {
        FixVerdict::Fixed | FixVerdict::Finished => ExitCode::SUCCESS,
        FixVerdict::StillFails | FixVerdict::FailsOtherwise(_) => ExitCode::from(FOUND),
        FixVerdict::Diverged { .. } => ExitCode::from(DIVERGED),
    })
}

/// The component with a name: a built-in guest that ran here, or the guest of a cell.
fn guest(run: &Run, name: &str, catalogue: &Catalogue) -> Result<Vec<u8>, String> {
    if let Some((_, cell)) = run.guests.iter().find(|(cell, _)| **cell == *name) {
        return Ok(cell.bytes().to_vec());
    }
    let built_in = catalogue.guests.iter().find(|(built_in, _)| *built_in == name).map(|(_, bytes)| *bytes);
    let ran = |bytes: &&[u8]| run.guests.iter().any(|(_, guest)| guest.bytes() == *bytes);
    built_in.filter(ran).map(<[u8]>::to_vec).ok_or_else(|| {
        let mut cells: Vec<&str> = run.guests.iter().map(|(cell, _)| &**cell).collect();
        cells.dedup();
        let cells = if cells.is_empty() { "none at all".into() } else { cells.join(", ") };
        format!("no guest {name:?} runs here: the cells are {cells}")
    })
}
