//! `wavetank replay FILE.toml`: retries a saved failure.

use crate::args::Replay;
use crate::exit_code::{DIVERGED, FOUND};
use crate::guest_files::GuestArgs;
use crate::job::Job;
use crate::saved_failures::{job_of, read};
use crate::subject::Own;
use crate::terminal::{self, Stop};
use crate::{Catalogue, replay};
use std::process::ExitCode;
use wavetank::escape_control;
use wavetank_choice::profile::ProfileError;
use wavetank_sim::Choices;
use wavetank_sim::saved::{RetryVerdict, SavedFailure};

pub(crate) fn replay(args: &Replay, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let path = &args.token;
    let kept = read(path)?;
    let (job, own) = job_of(path, &kept, &args.own, catalogue)?;
    retried(args, &kept, Replayed::Found(job, own), catalogue)
}

/// The job of a saved failure.
pub(crate) enum Replayed {
    /// It was found by the failure's own names, and can be found again.
    Found(Job, Own),
    /// It came with the failure.
    Packed(Job),
}

/// Retries a saved failure and prints how it ended.
pub(crate) fn retried(
    args: &Replay,
    kept: &SavedFailure,
    job: Replayed,
    catalogue: &Catalogue,
) -> Result<ExitCode, Stop> {
    let path = &args.token;
    let of = match &job {
        Replayed::Found(job, _) | Replayed::Packed(job) => job,
    };
    let again = of.retry(kept).map_err(|e| format!("{path}: {e}"))?;
    let title = of.title.clone();
    let canary = args.canary || kept.setting.canary;
    let replayed = || match job {
        Replayed::Found(_, own) => {
            let as_token = Replay { token: again.token.to_string(), canary, own, ..args.clone() };
            replay::replay(&as_token, catalogue)
        }
        Replayed::Packed(job) => {
            let choices: Choices =
                again.token.recipe.clone().try_into().map_err(|e: ProfileError| e.to_string())?;
            // A job that compares already does so without being told.
            let canary = args.canary && !job.is_comparing();
            let as_token = Replay { canary, ..args.clone() };
            let guests = GuestArgs { guests: args.guests.clone() };
            replay::replay_job(&as_token, &again.token, job.with_choices(choices), &guests, catalogue)
        }
    };
    if args.until.is_some() || !args.guests.is_empty() {
        return replayed();
    }
    let outcome = escape_control(&kept.outcome);
    terminal::print(format_args!("{path}: kept of {title}, seed {}: {outcome}\n", kept.seed))?;
    for changed in &again.changed {
        terminal::print(format_args!("  {changed}\n"))?;
    }
    replayed()?;
    terminal::print(format_args!("{again}\n"))?;
    let left_for_nothing = again.left_track.is_some() && again.changed.is_empty();
    Ok(match again.verdict {
        RetryVerdict::StillFails => ExitCode::from(FOUND),
        RetryVerdict::FailsOtherwise => ExitCode::from(DIVERGED),
        RetryVerdict::Fixed if left_for_nothing => ExitCode::from(DIVERGED),
        RetryVerdict::Fixed | RetryVerdict::Known(_) => ExitCode::SUCCESS,
    })
}
