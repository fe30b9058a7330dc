//! `wavetank shrink`: only makes a failing run smaller.

use crate::args::Shrink;
use crate::exit_code::FOUND;
use crate::format::counted;
use crate::job::Job;
use crate::progress::now;
use crate::subject::Own;
use crate::terminal::{self, Stop};
use crate::{Catalogue, failure_report, replay, saved_failures};
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use wavetank_choice::profile::ProfileError;
use wavetank_sim::saved::{self, RetryVerdict, SavedFailure};
use wavetank_sim::signature::{FailureSignature, ShrunkRun, shrink_while, signature};
use wavetank_sim::{Choices, Run, Token};

pub(crate) fn shrink(args: &Shrink, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let Found { job, run, kept } = found(args, catalogue)?;
    let Some(wanted) = signature(&run.outcome) else {
        return Err(
            format!("{} finishes: there is nothing to shrink", failure_report::headline(&job, &run)).into()
        );
    };
    let progress = Watch::new(wanted, run.choices.len(), args);
    let most = usize::try_from(args.runs).unwrap_or(usize::MAX);
    let smaller = shrink_while(&run, most, |choices| {
        (!progress.is_over_time()).then(|| progress.ran(job.replay(run.seed, choices)))
    });
    let (took, is_over_time) = progress.finish();
    let Some(smaller) = smaller else {
        let why = if is_over_time {
            "its time is used up before the first run: --time gives it more"
        } else {
            "the same choices do not make it fail again: --canary with `replay` says what differs"
        };
        return Err(format!("{}: {why}", failure_report::headline(&job, &run)).into());
    };
    let ShrunkRun { run: shrunk, shrunk: how } = &smaller;
    let choices = kept.as_ref().map_or(how.from, |kept| kept.original.choices.max(how.from));
    let says_where = keep(args, &job, &run, kept, &smaller);
    terminal::print(failure_report::output_of_own(&job, shrunk))?;
    terminal::print_text(&failure_report::report(&job, shrunk, None))?;
    let end = match (how.fixed_point, is_over_time) {
        (_, true) => "its time is used up: --time gives it more",
        (true, false) => "nothing simpler is left to try",
        (false, false) => "its runs are used up: --runs gives it more",
    };
    let (to, runs) = (how.choices.len(), counted(how.runs as u64, "run"));
    terminal::print(format_args!("  shrunk from {choices} choices to {to} in {runs}, {took:.1?}; {end}\n"))?;
    terminal::print(says_where)?;
    Ok(if shrunk.outcome.is_news() { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

/// Saves the smaller run, in place of its own file if it came from one; gives the line that says where.
fn keep(args: &Shrink, job: &Job, run: &Run, kept: Option<SavedFailure>, smaller: &ShrunkRun) -> String {
    let beside = saved_failures::is_file(&args.token).then(|| Path::new(&args.token).parent()).flatten();
    let folder = match (args.keep.folder(), beside, &args.keep.failures) {
        (None, ..) => return String::new(),
        (Some(_), Some(beside), None) => beside.to_path_buf(),
        (Some(folder), ..) => folder,
    };
    match kept.or_else(|| SavedFailure::new(job.setting(run.seed), run)) {
        Some(kept) => saved_failures::says_where(&folder, saved::write(&folder, &kept.with_shrunk(smaller))),
        None => String::new(),
    }
}

/// A failing run to shrink.
struct Found {
    job: Job,
    run: Run,
    /// The saved failure, if it still fails in the same way and nothing has changed since.
    kept: Option<SavedFailure>,
}

fn found(args: &Shrink, catalogue: &Catalogue) -> Result<Found, String> {
    let Shrink { token, own, guests, .. } = args;
    let own = &Own { guests: guests.clone(), ..own.clone() };
    if saved_failures::is_file(token) {
        let kept = saved_failures::read(token)?;
        let (job, _) = saved_failures::job_of(token, &kept, own, catalogue)?;
        let again = job.retry(&kept).map_err(|e| format!("{token}: {e}"))?;
        for changed in &again.changed {
            terminal::warn(format_args!("{token}: {changed}"));
        }
        let is_as_kept = again.verdict == RetryVerdict::StillFails && again.changed.is_empty();
        return Ok(Found { job, run: again.run, kept: is_as_kept.then_some(kept) });
    }
    let token: Token = token.parse().map_err(|e| format!("{e}"))?;
    let job = replay::job(own, &token, catalogue)?;
    let choices: Choices = token.recipe.try_into().map_err(|e: ProfileError| e.to_string())?;
    let run = job.replay(token.seed, choices);
    Ok(Found { job, run, kept: None })
}

/// Tracks the search and the wall clock.
struct Watch {
    wanted: FailureSignature,
    bar: Option<ProgressBar>,
    smallest: Cell<usize>,
    started: std::time::Instant,
    limit: Duration,
    is_over: Cell<bool>,
}

impl Watch {
    fn new(wanted: FailureSignature, choices: usize, args: &Shrink) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("shrinking: {msg} {wide_bar} {pos}/{len} runs {elapsed}");
            ProgressBar::new(args.runs).with_style(style.expect("a template of known keys"))
        });
        let (smallest, is_over) = (Cell::new(choices), Cell::new(false));
        Watch { wanted, bar, smallest, started: now(), limit: args.time, is_over }
    }

    fn is_over_time(&self) -> bool {
        let is_over = now() - self.started > self.limit;
        self.is_over.set(self.is_over.get() || is_over);
        is_over
    }

    /// Records a run, and returns it.
    fn ran(&self, run: Run) -> Run {
        if signature(&run.outcome).as_ref() == Some(&self.wanted) {
            self.smallest.set(self.smallest.get().min(run.choices.len()));
        }
        if let Some(bar) = &self.bar {
            bar.inc(1);
            bar.set_message(format!("{} choices", self.smallest.get()));
        }
        run
    }

    /// Ends the bar; gives the elapsed time, and whether the time ran out.
    fn finish(self) -> (Duration, bool) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        (now() - self.started, self.is_over.get())
    }
}
