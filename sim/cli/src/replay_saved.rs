//! `wavetank replay FILE.toml`: retries a saved failure.

use crate::args::Replay;
use crate::exit_code::{DIVERGED, FOUND};
use crate::saved_failures::{job_of, read};
use crate::terminal::{self, Stop};
use crate::{Catalogue, replay};
use std::process::ExitCode;
use wavetank::escape_control;
use wavetank_sim::saved::RetryVerdict;

pub(crate) fn replay(args: &Replay, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let path = &args.token;
    let kept = read(path)?;
    let (job, own) = job_of(path, &kept, &args.own, catalogue)?;
    let again = job.retry(&kept).map_err(|e| format!("{path}: {e}"))?;
    let canary = args.canary || kept.setting.canary;
    let as_token = Replay { token: again.token.to_string(), canary, own, ..args.clone() };
    if args.until.is_some() || !args.guests.is_empty() {
        return replay::replay(&as_token, catalogue);
    }
    let outcome = escape_control(&kept.outcome);
    terminal::print(format_args!("{path}: kept of {}, seed {}: {outcome}\n", job.title, kept.seed))?;
    for changed in &again.changed {
        terminal::print(format_args!("  {changed}\n"))?;
    }
    replay::replay(&as_token, catalogue)?;
    terminal::print(format_args!("{again}\n"))?;
    let left_for_nothing = again.left_track.is_some() && again.changed.is_empty();
    Ok(match again.verdict {
        RetryVerdict::StillFails => ExitCode::from(FOUND),
        RetryVerdict::FailsOtherwise => ExitCode::from(DIVERGED),
        RetryVerdict::Fixed if left_for_nothing => ExitCode::from(DIVERGED),
        RetryVerdict::Fixed | RetryVerdict::Known(_) => ExitCode::SUCCESS,
    })
}
