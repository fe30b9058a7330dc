//! A sweep: many seeds over a pool of workers. The results are the same for any number of workers.

use crate::args::{Run, What};
use crate::exit_code::FOUND;
use crate::heading::Heading;
use crate::job::Job;
use crate::json_lines::Lines;
use crate::pool::Worker;
use crate::progress::{self, Progress, now};
use crate::report::Report;
use crate::seeds::Seeds;
use crate::shard::Shard;
use crate::terminal::{self, Stop};
use crate::{annotate, saved_failures, signals};
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use wavetank_sim::Seed;
use wavetank_sim::record::{Record, WorkerFailure};
use wavetank_sim::worker::protocol::{Message, Request};

/// Number of seeds that a worker is given at a time.
const CHUNK: u64 = 16;

/// Number of failures that are shrunk: the lowest seed of each distinct failure.
const SHRUNK_FAILURES: usize = 5;

/// Reports the result of a sweep to people and to CI.
///
/// The list of distinct failures comes last, so that it is still on the screen.
pub(crate) fn tell(report: &Report, github: bool, kept: &str) -> Result<(), Stop> {
    terminal::print_text(&report.explained())?;
    terminal::print(annotate::annotations(
        github,
        &report.heading.title,
        &report.heading.replay_args,
        report.heading.at.as_ref(),
        report.failures(),
    ))?;
    terminal::print_text(&report.totals())?;
    terminal::print(kept)?;
    terminal::print_text(&report.distinct_failures())
}

/// The exit code of a command with this report: a failure takes precedence over everything else.
pub(crate) fn exit_code(report: &Report, otherwise: ExitCode) -> ExitCode {
    if report.failed() { ExitCode::from(FOUND) } else { otherwise }
}

/// Whether all files were written; prints the error of each that was not. If the reader of stdout has gone, it stops
/// without printing.
pub(crate) fn is_written(files: impl IntoIterator<Item = Result<(), Stop>>) -> Result<bool, Stop> {
    let mut is_all = true;
    for file in files {
        match file {
            Ok(()) => {}
            Err(Stop::Unread) => return Err(Stop::Unread),
            Err(Stop::Told(message)) => {
                terminal::warn(message);
                is_all = false;
            }
        }
    }
    Ok(is_all)
}

/// The state that the threads of the workers share.
struct Plan<'a> {
    what: &'a What,
    name: &'a str,
    job: &'a Job,
    seeds: Seeds,
    shard: Shard,
    /// How long a worker may be silent.
    hang_after: Duration,
    /// The next place that no worker was given.
    next: AtomicU64,
    /// Places from here on no longer matter.
    end: AtomicU64,
    stop: Arc<AtomicBool>,
}

impl Plan<'_> {
    /// The seed of a place among those of this shard. A shard is every nth seed, so that all shards take about as long.
    fn seed(&self, place: u64) -> Seed {
        self.seeds.at(self.shard.place(place))
    }
}

/// Runs the seeds of a sweep.
pub(crate) fn sweep(
    job: &Job,
    args: &Run,
    heading: Heading,
    mut json: Option<&mut Lines>,
) -> Result<Report, Stop> {
    let seeds = args.seed_range();
    let asked = args.shard().count(seeds.count);
    let stop = signals::to_end();
    let plan = Plan {
        what: &args.what,
        name: &job.name,
        job,
        seeds,
        shard: args.shard(),
        hang_after: args.hang_after,
        next: AtomicU64::new(0),
        end: AtomicU64::new(asked),
        stop,
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or_else(cores, usize::from);
    let mut progress = Progress::new(&job.title, asked, args.time);
    let mut records = BTreeMap::new();
    let (began, mut rates) = (now(), Vec::new());
    let mut broken: Option<Stop> = None;
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for _ in 0..jobs {
            let (plan, tell) = (&plan, tell.clone());
            scope.spawn(move || {
                if let Err(message) = drive(plan, &tell) {
                    let _ = tell.send(Err(message));
                }
            });
        }
        drop(tell);
        for message in told {
            match message {
                Ok((place, record)) => {
                    let record: Record = record;
                    if args.first && record.is_news() {
                        // The places before it still matter: the first failure must be the same for any number of
                        // workers.
                        plan.end.fetch_min(place + 1, Ordering::Relaxed);
                    }
                    progress.ran(&record);
                    count_in_second(&mut rates, (now() - began).as_secs());
                    if let Some(Err(message)) = json.as_mut().map(|json| json.push(&record)) {
                        broken = Some(message);
                    }
                    records.insert(place, record);
                }
                Err(message) => broken = Some(message.into()),
            }
            if progress.is_over_time() || broken.is_some() {
                plan.stop.store(true, Ordering::Relaxed);
            }
        }
    });
    let seconds = progress.finish();
    if let Some(message) = broken {
        return Err(message);
    }
    let end = plan.end.load(Ordering::Relaxed);
    let stopped = plan.stop.load(Ordering::Relaxed);
    let found: Vec<Record> = records.into_iter().filter(|(place, _)| *place < end).map(|(_, r)| r).collect();
    let mut records = found.clone();
    if !(args.no_shrink || stopped) {
        shrink(&plan, &mut records)?;
    }
    let timed = records.len() as u64;
    Ok(Report { heading, found, records, asked, stopped, seconds, timed, rates })
}

/// Counts one more for a second of the sweep.
fn count_in_second(rates: &mut Vec<u64>, second: u64) {
    let second = usize::try_from(second).unwrap_or(usize::MAX).min(MAX_RATES);
    if rates.len() <= second {
        rates.resize(second + 1, 0);
    }
    rates[second] += 1;
}

/// Seconds of a sweep that are counted apart, at most: a week.
const MAX_RATES: usize = 7 * 24 * 3600;

/// Selects the failures to shrink: the first of each kind, in the order of seeds, up to a limit on the kinds. A shard
/// shrinks all of its failures that one sweep of all seeds would have shrunk, and perhaps more.
#[derive(Default)]
pub(crate) struct FirstOfKind(BTreeSet<String>);

impl FirstOfKind {
    pub(crate) fn is(&mut self, record: &Record) -> bool {
        // A run that differs each time cannot be shrunk.
        self.0.len() < SHRUNK_FAILURES
            && record.choices > 0
            && record.is_news()
            && record.outcome != "diverged"
            && record.failure.as_ref().is_some_and(|failure| self.0.insert(failure.clone()))
    }
}

/// Shrinks the first failure of each kind. They are selected here, after the sweep, so that the result does not depend
/// on which worker ran which seed.
fn shrink(plan: &Plan<'_>, records: &mut [Record]) -> Result<(), String> {
    let mut first = FirstOfKind::default();
    let mut worker = None;
    let note = progress::note();
    for record in records.iter_mut().filter(|record| first.is(record)) {
        let process = match &mut worker {
            Some(process) => process,
            slot => slot.insert(plan.job.start(plan.what)?),
        };
        note.set_message(format!("shrinking seed {}: {} choices", record.seed, record.choices));
        note.tick();
        match shrunk(process, plan.hang_after, record.seed) {
            Ok(shrunk) if shrunk.failure == record.failure => *record = shrunk,
            Ok(_) => {}
            // A smaller run killed the worker: the failure stays as it was found.
            Err(_) => worker = None,
        }
        if plan.stop.load(Ordering::Relaxed) {
            break;
        }
    }
    note.finish_and_clear();
    Ok(())
}

type PlaceResult = Result<(u64, Record), String>;

/// Keeps one worker busy, and starts another if it dies.
fn drive(plan: &Plan<'_>, tell: &mpsc::Sender<PlaceResult>) -> Result<(), String> {
    let mut worker = None;
    let mut still_born = 0;
    loop {
        let from = plan.next.fetch_add(CHUNK, Ordering::Relaxed);
        let to = from.saturating_add(CHUNK).min(plan.end.load(Ordering::Relaxed));
        let mut place = from;
        while place < to {
            if plan.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let process = match &mut worker {
                Some(process) => process,
                slot => slot.insert(plan.job.start(plan.what)?),
            };
            match run_places(process, plan, &mut place, to, tell) {
                Ended::Done => still_born = 0,
                Ended::InWorld(cut) => {
                    worker = None;
                    still_born = 0;
                    let seed = plan.seed(place);
                    saved_failures::keep_aborted(&plan.what.subject.keep, plan.job, seed, &cut.to_string());
                    let record = Record::cut(plan.name, seed, plan.job.choices(), &cut);
                    let _ = tell.send(Ok((place, record)));
                    place += 1;
                }
                Ended::DiedBetween(how) => {
                    worker = None;
                    still_born += 1;
                    if still_born >= STILL_BORN {
                        return Err(format!("processes of the sweep die before their worlds begin: {how}"));
                    }
                }
            }
        }
        if to < from.saturating_add(CHUNK) || from >= plan.end.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

/// Number of workers that may die in a row without a world to blame.
const STILL_BORN: u32 = 3;

/// The record of a smaller run that fails as a seed does.
fn shrunk(worker: &mut Worker, hang_after: Duration, seed: u64) -> Result<Record, WorkerFailure> {
    match worker.ask(hang_after, &Request::Shrink { seed }, |_| false)? {
        Message::Ran(record) => Ok(*record),
        other => Err(WorkerFailure::Died(format!("it answered {other:?}"))),
    }
}

/// How a worker ended its request.
enum Ended {
    Done,
    /// It died or hung in the middle of a world.
    InWorld(WorkerFailure),
    /// It died between two worlds, or before the first.
    DiedBetween(String),
}

/// Runs the places from `place` to `to`, and moves `place` on to the first that was not run.
fn run_places(
    worker: &mut Worker,
    plan: &Plan<'_>,
    place: &mut u64,
    to: u64,
    tell: &mpsc::Sender<PlaceResult>,
) -> Ended {
    let request = Request::Seeds { first: plan.seed(*place).0, count: to - *place, step: plan.shard.of };
    worker.send(&request);
    let mut is_in_world = false;
    while *place < to {
        match worker.next(plan.hang_after, now(), |_| false) {
            Ok(Message::Begin { .. }) => is_in_world = true,
            Ok(Message::Ran(record)) => {
                let seed = plan.seed(*place);
                if record.seed != seed.0 {
                    let says = format!("it answered seed {} and not {seed}", Seed(record.seed));
                    return Ended::InWorld(WorkerFailure::Died(says));
                }
                let _ = tell.send(Ok((*place, *record)));
                *place += 1;
                is_in_world = false;
            }
            Ok(_) => {}
            Err(failure) if is_in_world => return Ended::InWorld(failure),
            Err(WorkerFailure::Died(how)) => return Ended::DiedBetween(how),
            Err(WorkerFailure::Hung(_)) => return Ended::DiedBetween("it said nothing".into()),
        }
        if plan.stop.load(Ordering::Relaxed) {
            return Ended::Done;
        }
    }
    Ended::Done
}
