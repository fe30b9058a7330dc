//! `wavetank shrink`: a failing run made smaller, and nothing else.

use crate::args::{Replay, Shrink};
use crate::job::Job;
use crate::progress::now;
use crate::{FOUND, account, kept, replay};
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;
use wavetank_sim::keep::{self, Kept};
use wavetank_sim::known::is_news;
use wavetank_sim::profile::ProfileError;
use wavetank_sim::same::{Failure, ShrunkRun, failure, shrink_while};
use wavetank_sim::{Choices, Run, Token};

pub(crate) fn shrink(args: &Shrink) -> Result<ExitCode, String> {
    let Found { job, run, kept } = found(args)?;
    let Some(wanted) = failure(&run.outcome) else {
        return Err(format!("{} finishes: there is nothing to shrink", account::headline(&job, &run)));
    };
    let progress = Watch::new(wanted, run.choices.len(), args);
    let smaller = shrink_while(&run, args.runs as usize, |choices| {
        (!progress.is_over_time()).then(|| progress.ran(job.replay(run.seed, choices)))
    });
    let (took, is_over_time) = progress.finish();
    let Some(smaller) = smaller else {
        return Err(format!(
            "{}: the same choices do not make it fail again: --canary with `replay` says what differs",
            account::headline(&job, &run)
        ));
    };
    let ShrunkRun { run: shrunk, shrunk: how } = &smaller;
    print!("{}", account::output_of_own(&job, shrunk));
    print!("{}", account::account(&job, shrunk));
    let end = match (how.fixed_point, is_over_time) {
        (_, true) => "its time is used up: --time gives it more",
        (true, false) => "nothing simpler is left to try",
        (false, false) => "its runs are used up: --runs gives it more",
    };
    println!(
        "  shrunk from {} choices to {} in {} runs, {took:.1?}; {end}",
        kept.as_ref().map_or(how.from, |kept| kept.original.choices.max(how.from)),
        how.choices.len(),
        how.runs
    );
    if let Some(folder) = kept::folder(&args.keep) {
        // A file is told by what was found first: that stays.
        let whole = kept.or_else(|| Kept::new(job.setting(run.seed), &run));
        let (written, folder) = match whole {
            Some(whole) if kept::is_file(&args.token) && args.keep.failures.is_none() => {
                let folder = std::path::Path::new(&args.token).parent().unwrap_or(&folder).to_path_buf();
                (keep::write(&folder, &whole.with_shrunk(&smaller)), folder)
            }
            Some(whole) => (keep::write(&folder, &whole.with_shrunk(&smaller)), folder),
            None => return Ok(exit(shrunk)),
        };
        print!("{}", kept::says_where(&folder, written));
    }
    Ok(exit(shrunk))
}

fn exit(run: &Run) -> ExitCode {
    if is_news(&run.outcome) { ExitCode::from(FOUND) } else { ExitCode::SUCCESS }
}

/// A run that is to be made smaller.
struct Found {
    job: Job,
    run: Run,
    /// Where it was kept.
    kept: Option<Kept>,
}

fn found(args: &Shrink) -> Result<Found, String> {
    let Shrink { token, wasm, transport, args: given, .. } = args;
    let replay = Replay {
        token: token.clone(),
        calls: false,
        frames: false,
        steps: false,
        canary: false,
        wasm: wasm.clone(),
        transport: *transport,
        args: given.clone(),
    };
    if kept::is_file(token) {
        let kept = kept::read(token)?;
        let (job, _) = kept::job_of(&kept, &replay)?;
        let again = job.again(&kept).map_err(|e| format!("{token}: {e}"))?;
        for changed in &again.changed {
            eprintln!("wavetank: {token}: {changed}");
        }
        return Ok(Found { job, run: again.run, kept: Some(kept) });
    }
    let token: Token = token.parse().map_err(|e| format!("{e}"))?;
    let job = replay::job(&replay, &token)?;
    let choices: Choices = token.recipe.try_into().map_err(|e: ProfileError| e.to_string())?;
    let run = job.replay(token.seed, choices);
    Ok(Found { job, run, kept: None })
}

/// Watches the search and the wall clock.
struct Watch {
    wanted: Failure,
    bar: Option<ProgressBar>,
    smallest: Cell<usize>,
    started: std::time::Instant,
    limit: Duration,
    is_over: Cell<bool>,
}

impl Watch {
    fn new(wanted: Failure, choices: usize, args: &Shrink) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("shrinking: {msg} {wide_bar} {pos}/{len} runs {elapsed}");
            ProgressBar::new(args.runs.into()).with_style(style.expect("a template of known keys"))
        });
        let (smallest, is_over) = (Cell::new(choices), Cell::new(false));
        Watch { wanted, bar, smallest, started: now(), limit: args.time, is_over }
    }

    fn is_over_time(&self) -> bool {
        let is_over = now() - self.started > self.limit;
        self.is_over.set(self.is_over.get() || is_over);
        is_over
    }

    /// Takes note of a run, and hands it on.
    fn ran(&self, run: Run) -> Run {
        if failure(&run.outcome).as_ref() == Some(&self.wanted) {
            self.smallest.set(self.smallest.get().min(run.choices.len()));
        }
        if let Some(bar) = &self.bar {
            bar.inc(1);
            bar.set_message(format!("{} choices", self.smallest.get()));
        }
        run
    }

    /// Ends it; gives the time it took, and whether that was all there was.
    fn finish(self) -> (Duration, bool) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        (now() - self.started, self.is_over.get())
    }
}
