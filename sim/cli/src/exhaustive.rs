//! `wavetank exhaustive`: runs every schedule within a bound, in this process, until one fails.
//!
//! `wavetank run --strategy exhaustive:N` is an older name of the same. It refuses the flags of `run` that mean nothing
//! here.

use crate::args::{self, Exhaustive};
use crate::exit_code::FOUND;
use crate::job::Job;
use crate::one_run::{self, OneRun};
use crate::progress::now;
use crate::terminal::{self, Stop};
use crate::{Catalogue, engine, signals};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;
use wavetank_choice::strategy::{Bound, Frontier};
use wavetank_sim::Seed;

/// A search as the user asked for it.
struct Search<'a> {
    bound: Bound,
    /// The seed of hash keys and of guests' random bytes.
    seed: Seed,
    most_runs: u64,
    time: Option<Duration>,
    one: OneRun<'a>,
}

pub(crate) fn run(args: &Exhaustive, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let what = args.what();
    let job = Job::new(&what, catalogue, engine()?)?;
    let bound = args.bound();
    let one = OneRun { keep: &args.subject.keep, no_shrink: args.no_shrink, github: args.github };
    let most_runs = args.runs.unwrap_or(u64::MAX);
    search(&job, &Search { bound, seed: args.seed, most_runs, time: args.time, one })
}

/// The same for `wavetank run --strategy exhaustive`: as many schedules as there are seeds, if the user gave a range of
/// seeds. All schedules use the hash keys of the first seed.
pub(crate) fn of_run(job: &Job, args: &args::Run, bound: Bound) -> Result<ExitCode, Stop> {
    for (given, flag) in [
        (args.seed.is_some(), "--seed"),
        (args.json.is_some(), "--json"),
        (args.junit.is_some(), "--junit"),
        (args.jobs.is_some(), "--jobs"),
        (args.shard().of > 1, "--shard"),
        (args.prune, "--prune"),
        (args.what.canary, "--canary"),
    ] {
        if given {
            let says = "--seeds 0..N gives the number of runs";
            return Err(format!("an exhaustive search takes no {flag}: {says}").into());
        }
    }
    let search_ = Search {
        bound,
        seed: Seed(args.seed_range().start),
        most_runs: args.seeds.map_or(u64::MAX, |seeds| seeds.count),
        time: args.time,
        one: OneRun::of(args),
    };
    search(job, &search_)
}

fn search(job: &Job, search: &Search<'_>) -> Result<ExitCode, Stop> {
    let stop = signals::to_end_here();
    let started = now();
    let is_over_time = || search.time.is_some_and(|limit| now() - started > limit);
    let mut frontier = Frontier::new(search.bound);
    let mut failure = None;
    while failure.is_none() && frontier.schedules() < search.most_runs {
        if stop.load(Ordering::Relaxed) || is_over_time() {
            break;
        }
        let Some(run) = job.run_next(&mut frontier, search.seed) else { break };
        failure = (!run.outcome.is_finished()).then_some(run);
    }
    let says = frontier.explored().says(&job.title);
    match failure {
        Some(run) => {
            one_run::tell(job, &search.one, &run, &format!("\n{says}: the last one fails\n"))?;
            Ok(ExitCode::from(FOUND))
        }
        None => {
            terminal::print(format_args!("{says}: none fails\n"))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
