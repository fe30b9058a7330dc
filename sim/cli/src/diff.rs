//! `wavetank diff`: two runs, compared in causal order.

use crate::args::Diff;
use crate::exit_code::FOUND;
use crate::terminal::{self, Stop};
use crate::{Catalogue, replay, saved_failures};
use std::process::ExitCode;
use wavetank::escape_control;
use wavetank_sim::diff::{DiffVerdict, diff_runs};
use wavetank_sim::worker::subject::Subject;
use wavetank_sim::{Run, Token};

/// Runs both and prints how they differ.
pub(crate) fn diff(args: &Diff, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let one = run(&args.one, args, catalogue)?;
    let other = run(&args.other, args, catalogue)?;
    terminal::print(format_args!("- {}\n+ {}\n", one.title, other.title))?;
    let diff = diff_runs(&one.run, &other.run);
    terminal::print(&diff)?;
    Ok(match diff.verdict {
        DiffVerdict::Identical | DiffVerdict::SameInCausalOrder => ExitCode::SUCCESS,
        DiffVerdict::OnlyArrivals | DiffVerdict::Different => ExitCode::from(FOUND),
    })
}

/// A run with a line that says which it is.
struct Named {
    run: Run,
    title: String,
}

/// The run of a token or of a saved failure.
fn run(text: &str, args: &Diff, catalogue: &Catalogue) -> Result<Named, String> {
    if !saved_failures::is_file(text) {
        let token: Token = text.parse().map_err(|e| format!("{text:?}: {e}"))?;
        let job = replay::job(&args.own, &token, catalogue)?;
        job.refuse_driven("diff")?;
        let run = job.run(token.seed);
        let title = format!("{}, seed {}, {} steps", job.title, token.seed, run.transcript.steps.len());
        return Ok(Named { run, title });
    }
    let kept = saved_failures::read(text)?;
    let (job, own) = saved_failures::job_of(text, &kept, &args.own, catalogue)?;
    job.refuse_driven("diff")?;
    let again = job.retry(&kept).map_err(|e| format!("{text}: {e}"))?;
    for changed in &again.changed {
        terminal::warn(format_args!("{text}: {}", escape_control(&changed.to_string())));
    }
    let run = replay::job(&own, &again.token, catalogue)?.run(again.token.seed);
    let steps = run.transcript.steps.len();
    Ok(Named { run, title: format!("{text}: {}, seed {}, {steps} steps", job.title, kept.seed) })
}
