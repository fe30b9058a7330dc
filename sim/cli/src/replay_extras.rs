//! The extras of `replay`: stop at a step and print the world there, or try a fixed guest.

use crate::exit_code::{DIVERGED, FOUND};
use crate::guest_files::{self, GuestArgs};
use crate::job::Job;
use crate::terminal::Stop;
use crate::{Catalogue, terminal};
use std::process::ExitCode;
use wavetank_sim::Seed;
use wavetank_sim::compare_fix::{FixVerdict, compare_fix};
use wavetank_sim::explain::sentence;

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

/// Replays with other components in place of guests, and prints the differences.
pub(crate) fn mended(
    job: Job,
    seed: Seed,
    guests: &GuestArgs,
    catalogue: &Catalogue,
) -> Result<ExitCode, Stop> {
    let before = job.run(seed);
    let title = job.title.clone();
    let mut replaced = job;
    let mut with = Vec::new();
    for guest in guests.load()? {
        let old = guest_files::find(&guest.name, &catalogue.guests, |number| {
            (number == 0).then(|| before.clone())
        })?;
        replaced = replaced.replacing(&old, &guest.wasm).map_err(|e| guest_files::unfit(&guest.path, &e))?;
        with.push(format!("{} for {}", guest.path.display(), guest.name));
    }
    let after = replaced.run(seed);
    let compared = compare_fix(&before, &after);
    terminal::print(format_args!(
        "{title} with {} (seed {seed})\n  before: {}\n  now: {}\n{compared}",
        with.join(" and "),
        sentence(&before.outcome),
        sentence(&after.outcome)
    ))?;
    Ok(match compared.verdict {
        FixVerdict::Fixed | FixVerdict::Finished => ExitCode::SUCCESS,
        FixVerdict::StillFails | FixVerdict::FailsOtherwise(_) => ExitCode::from(FOUND),
        FixVerdict::Diverged { .. } => ExitCode::from(DIVERGED),
    })
}
