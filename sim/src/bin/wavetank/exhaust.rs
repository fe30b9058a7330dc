//! `wavetank run --strategy exhaustive`: every schedule within a bound, here, until one fails.

use crate::args::Run;
use crate::job::Job;
use crate::kept;
use crate::progress::now;
use crate::{FOUND, account};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wavetank_sim::Seed;
use wavetank_sim::strategy::{Bound, Frontier};

/// Runs schedules: all of them, or as many as there are seeds where those were said. Their hash keys are those of
/// the first seed.
pub(crate) fn exhaust(job: &Job, args: &Run, first: u64, bound: Bound) -> Result<ExitCode, String> {
    for (given, flag) in [(args.seed.is_some(), "--seed"), (args.json.is_some(), "--json")] {
        if given {
            return Err(format!(
                "an exhaustive search takes no {flag}: --seeds 0..N gives the number of runs"
            ));
        }
    }
    let stop = Arc::new(AtomicBool::new(false));
    let ordered = stop.clone();
    // Where it cannot be set, Ctrl-C ends everything at once, as it does by default.
    let _ = ctrlc::set_handler(move || ordered.store(true, Ordering::Relaxed));
    let started = now();
    let is_over_time = || args.time.is_some_and(|limit| now() - started > limit);
    let most = args.seeds.map_or(u64::MAX, |seeds| seeds.count);
    let mut frontier = Frontier::new(bound);
    let mut failure = None;
    while failure.is_none() && frontier.schedules() < most {
        if stop.load(Ordering::Relaxed) || is_over_time() {
            break;
        }
        let Some(run) = job.run_next(&mut frontier, Seed(first)) else { break };
        failure = (!run.outcome.is_finished()).then_some(run);
    }
    let explored = frontier.explored(failure);
    let says = explored.says(&job.title);
    match explored.first_failure {
        Some(run) => {
            print!("{}", account::output_of_own(job, &run));
            println!("{}\n{says}: the last one fails", account::account(job, &run, !args.no_shrink));
            print!("{}", kept::keep_one(&args.what.keep, job, &run));
            Ok(ExitCode::from(FOUND))
        }
        None => {
            println!("{says}: none fails");
            Ok(ExitCode::SUCCESS)
        }
    }
}
