//! `wavetank exhaustive`: runs every schedule within a bound, in one process, until one fails.
//!
//! `wavetank run --strategy exhaustive:N` is an older name of the same. It refuses the flags of `run` that mean nothing
//! here.

use crate::args::{self, Exhaustive};
use crate::desk::{Desk, rest, unexpected};
use crate::exit_code::FOUND;
use crate::job::Job;
use crate::one_run;
use crate::progress::now;
use crate::subject::Keep;
use crate::terminal::{self, Stop};
use crate::{Catalogue, engine, signals};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;
use wavetank_choice::strategy::{Bound, Frontier};
use wavetank_sim::Seed;
use wavetank_sim::worker::protocol::{Explored, Message, Request};

/// A search as the user asked for it.
struct Search<'a> {
    bound: Bound,
    /// The seed of hash keys and of guests' random bytes.
    seed: Seed,
    most_runs: u64,
    time: Option<Duration>,
    keep: &'a Keep,
    no_shrink: bool,
    github: bool,
}

/// How long the search goes on before somebody looks whether to stop.
const SLICE: Duration = Duration::from_millis(200);

pub(crate) fn run(args: &Exhaustive, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let what = args.what();
    let job = Job::new(&what, catalogue, engine()?)?;
    let search_ = Search {
        bound: args.bound(),
        seed: args.seed,
        most_runs: args.runs.unwrap_or(u64::MAX),
        time: args.time,
        keep: &args.subject.keep,
        no_shrink: args.no_shrink,
        github: args.github,
    };
    search(job, &search_)
}

/// The same for `wavetank run --strategy exhaustive`: as many schedules as there are seeds, if the user gave a range of
/// seeds. All schedules use the hash keys of the first seed.
pub(crate) fn of_run(job: Job, args: &args::Run, bound: Bound) -> Result<ExitCode, Stop> {
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
        keep: &args.what.subject.keep,
        no_shrink: args.no_shrink,
        github: args.github,
    };
    search(job, &search_)
}

fn search(job: Job, search: &Search<'_>) -> Result<ExitCode, Stop> {
    let stop = if job.driven().is_some() { signals::to_end() } else { signals::to_end_here() };
    let mut says = Frontier::new(search.bound).explored().says(&job.title);
    let mut desk = Desk::of(job, Some(search.keep), true)?;
    let started = now();
    let mut found = None;
    while !stop.load(Ordering::Relaxed) {
        let Some(time) = rest(search.time, started, now(), SLICE) else { break };
        let Bound { preemptions, delays } = search.bound;
        let (seed, most_runs, shrinks) = (search.seed.0, search.most_runs, !search.no_shrink);
        let request = Request::Explore { preemptions, delays, seed, most_runs, time, shrinks };
        let part = match desk.ask(request)? {
            Message::Explored(part) => *part,
            other => return Err(unexpected(&other)),
        };
        let Explored { says: so_far, is_over, found: failure } = part;
        says = so_far;
        found = failure;
        if is_over {
            break;
        }
    }
    match found {
        Some(told) => {
            let below = format!("\n{says}: the last one fails\n");
            one_run::tell(&desk.labels, search.github, told, &below)?;
            Ok(ExitCode::from(FOUND))
        }
        None => {
            terminal::print(format_args!("{says}: none fails\n"))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
