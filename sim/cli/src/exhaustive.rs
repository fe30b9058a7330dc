//! `wavetank run --strategy exhaustive`: runs every schedule within a bound, in this process, until one fails.

use crate::args::Run;
use crate::job::Job;
use crate::progress::now;
use crate::sweep::tell_one;
use crate::terminal::{self, Stop};
use crate::{FOUND, signals};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use wavetank_choice::strategy::{Bound, Frontier};
use wavetank_sim::Seed;

/// Runs all schedules, or as many as there are seeds if the user gave a range of seeds. All schedules use the hash keys
/// of the first seed.
pub(crate) fn exhaust(job: &Job, args: &Run, first: u64, bound: Bound) -> Result<ExitCode, Stop> {
    for (given, flag) in [
        (args.seed.is_some(), "--seed"),
        (args.json.is_some(), "--json"),
        (args.junit.is_some(), "--junit"),
        (args.jobs.is_some(), "--jobs"),
        (args.shard.of > 1, "--shard"),
        (args.prune, "--prune"),
        (args.what.canary, "--canary"),
    ] {
        if given {
            let says = "--seeds 0..N gives the number of runs";
            return Err(format!("an exhaustive search takes no {flag}: {says}").into());
        }
    }
    let stop = signals::to_end_here();
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
    let says = frontier.explored().says(&job.title);
    match failure {
        Some(run) => {
            tell_one(job, args, &run, &format!("\n{says}: the last one fails\n"))?;
            Ok(ExitCode::from(FOUND))
        }
        None => {
            terminal::print(format_args!("{says}: none fails\n"))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
