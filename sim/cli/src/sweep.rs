//! `wavetank run`: many seeds over a pool of worker processes, or one seed in this process.
//!
//! The workers are processes because threads share one address space and its lock (two threads were hardly faster than
//! one), and because a process that dies costs only the world that killed it. The results are the same for any number
//! of workers.

use crate::args::{Run, Seeds, Shard, What};
use crate::exhaustive::exhaust;
use crate::files::{self, Target};
use crate::job::{Job, note_compiling};
use crate::json_lines::{Heading, Lines};
use crate::progress::{self, Progress, now};
use crate::report::Report;
use crate::saved_failures::{self, SavedFolder};
use crate::terminal::{self, Stop};
use crate::worker::{COMPILING, MARK, SHRINK};
use crate::{Catalogue, FOUND, USAGE, annotate, engine, failure_report, junit, signals};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once, mpsc};
use std::time::Duration;
use wavetank_sim::known::is_news;
use wavetank_sim::record::{Record, WorkerFailure};
use wavetank_sim::{Seed, StrategyName};

/// Number of seeds that a worker is given at a time.
const CHUNK: u64 = 16;

/// Number of failures that are shrunk: the lowest seed of each distinct failure.
const SHRUNK_FAILURES: usize = 5;

pub(crate) fn run(args: Run, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    refuse(&args)?;
    let job = Job::new(&args.what, catalogue, engine()?)?;
    if let StrategyName::Exhaustive(bound) = args.what.strategy {
        return exhaust(&job, &args, seeds(&args).start, bound);
    }
    if let Some(seed) = args.seed {
        let run = job.run(seed);
        tell_one(&job, &args, &run, "")?;
        return Ok(if is_news(&run.outcome) { ExitCode::from(FOUND) } else { ExitCode::SUCCESS });
    }
    let heading = Heading::new(&job, &args, seeds(&args));
    let mut json = args.json.as_ref().map(|path| Lines::create(path, &heading)).transpose()?;
    let junit = args.junit.as_ref().map(|path| Target::create("--junit", path)).transpose()?;
    let folder = SavedFolder::try_again(&job, &args)?;
    let report = sweep(&job, &args, heading, json.as_mut())?;
    // Write the files first: the reader of stdout may have gone, and then printing stops the command.
    let kept = folder.tidied(&job, &report.records);
    let is_written = is_written([
        json.map_or(Ok(()), |json| json.finish(&report)),
        junit.map_or(Ok(()), |file| junit::write(file, &report)),
    ])?;
    tell(&report, args.github, &kept)?;
    Ok(ended(&report, if is_written { folder.exit() } else { ExitCode::from(USAGE) }))
}

/// Refuses combinations of flags that would do nothing.
fn refuse(args: &Run) -> Result<(), String> {
    files::refuse_same(&[("--json", args.json.as_deref()), ("--junit", args.junit.as_deref())])?;
    if args.prune && saved_failures::folder(&args.what.keep).is_none() {
        return Err("--prune removes kept failures, and none are kept here".into());
    }
    let (shard, count) = (args.shard, seeds(args).count);
    if shard.count(count) == 0 {
        return Err(format!(
            "shard {shard} has no seed: there can be no more shards than seeds, of which there are {count}"
        ));
    }
    Ok(())
}

/// Reports the result of a sweep to people and to CI.
///
/// The list of distinct failures comes last, so that it is still on the screen.
pub(crate) fn tell(report: &Report, github: bool, kept: &str) -> Result<(), Stop> {
    terminal::print_text(&report.explained())?;
    terminal::print(annotate::annotations(github, &report.heading, report.failures()))?;
    terminal::print_text(&report.totals())?;
    terminal::print(kept)?;
    terminal::print_text(&report.distinct_failures())
}

/// The exit code of a command with this report: a failure takes precedence over everything else.
pub(crate) fn ended(report: &Report, otherwise: ExitCode) -> ExitCode {
    if report.failed() { ExitCode::from(FOUND) } else { otherwise }
}

/// Whether all files were written; prints the error of each that was not. If the reader of stdout has gone, it stops
/// without printing.
pub(crate) fn is_written(files: [Result<(), Stop>; 2]) -> Result<bool, Stop> {
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

/// Prints the report of one run, with `below` beneath it, and saves the run if it failed.
pub(crate) fn tell_one(job: &Job, args: &Run, run: &wavetank_sim::Run, below: &str) -> Result<(), Stop> {
    let shrunk = if args.no_shrink { None } else { failure_report::shrunk(job, run) };
    let kept = saved_failures::keep_one(&args.what.keep, job, run, shrunk.as_ref());
    // The output of the run that is explained.
    terminal::print(failure_report::output_of_own(job, shrunk.as_ref().map_or(run, |shrunk| &shrunk.run)))?;
    terminal::print_text(&failure_report::report(job, run, shrunk.as_ref()))?;
    terminal::print(below)?;
    terminal::print(kept)?;
    let record = Record::new(&job.name, shrunk.as_ref().map_or(run, |shrunk| &shrunk.run));
    let heading = Heading::new(job, args, seeds(args));
    terminal::print(annotate::annotations(args.github, &heading, [&record].into_iter()))
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
    /// The seed of a place among those of this shard.
    fn seed(&self, place: u64) -> Seed {
        self.seeds.at(self.shard.place(place))
    }
}

/// Number of seeds of a sweep if the user gives none.
const USUAL_SEEDS: u64 = 1_000;

/// The seeds that the user asked for.
fn seeds(args: &Run) -> Seeds {
    let seeds = args.seeds.unwrap_or(Seeds { start: 0, count: USUAL_SEEDS });
    args.seed_from.as_ref().map_or(seeds, |text| seeds.counted_from(text))
}

fn sweep(job: &Job, args: &Run, heading: Heading, mut json: Option<&mut Lines>) -> Result<Report, Stop> {
    let seeds = seeds(args);
    let asked = args.shard.count(seeds.count);
    let stop = signals::to_end();
    let plan = Plan {
        what: &args.what,
        name: &job.name,
        job,
        seeds,
        shard: args.shard,
        hang_after: args.hang_after,
        next: AtomicU64::new(0),
        end: AtomicU64::new(asked),
        stop,
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or_else(cores, usize::from);
    let mut progress = Progress::new(&job.title, asked, args.time);
    let mut records = BTreeMap::new();
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
    Ok(Report { heading, found, records, asked, stopped, seconds })
}

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
            slot => slot.insert(Worker::start(plan.what)?),
        };
        note.set_message(format!("shrinking seed {}: {} choices", record.seed, record.choices));
        note.tick();
        match process.shrink(plan.hang_after, record.seed) {
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
                slot => slot.insert(Worker::start(plan.what)?),
            };
            match process.run(plan, &mut place, to, tell) {
                Ended::Done => still_born = 0,
                Ended::InWorld(cut) => {
                    worker = None;
                    still_born = 0;
                    let seed = plan.seed(place);
                    saved_failures::keep_aborted(&plan.what.keep, plan.job, seed, &cut.to_string());
                    let record = Record::cut(plan.name, seed, &plan.job.choices, &cut);
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

/// How a worker ended its order.
enum Ended {
    Done,
    /// It died or hung in the middle of a world.
    InWorld(WorkerFailure),
    /// It died between two worlds, or before the first.
    DiedBetween(String),
}

/// How often somebody who waits for a worker looks whether to go on waiting.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The message of a worker on a line. Output that a library printed comes before the mark or on a line of its own.
fn said(line: &[u8]) -> Option<&str> {
    std::str::from_utf8(line).ok()?.split_once(MARK).map(|(_, said)| said)
}

/// A process that runs worlds.
pub(crate) struct Worker {
    process: Child,
    orders: Option<ChildStdin>,
    /// The lines of the worker. A thread reads them, so that a wait for one can time out.
    answers: mpsc::Receiver<Vec<u8>>,
    /// The name of its work for people.
    title: String,
}

impl Worker {
    pub(crate) fn start(what: &What) -> Result<Self, String> {
        let failed = |e: std::io::Error| format!("a process for the sweep could not be started: {e}");
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("worker").arg(&what.scenario);
        command.args(["--strategy", &what.strategy.to_string(), "--profile", &what.profile.to_string()]);
        command.args(what.how.flags());
        if what.canary {
            command.arg("--canary");
        }
        command.args(what.without.words());
        match saved_failures::folder(&what.keep) {
            Some(folder) => command.arg("--failures").arg(folder),
            None => command.arg("--no-keep"),
        };
        command.arg("--").args(&what.args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        #[cfg(unix)]
        {
            // Ctrl-C is for this process only: it ends the workers once it has their results.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        let mut process = command.spawn().map_err(failed)?;
        let orders = process.stdin.take();
        let answers = lines_of(process.stdout.take().expect("stdout was asked for"));
        // A component is called by its path, a scenario by its name, which has no dot.
        let title = Path::new(&what.scenario).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Worker { process, orders, answers, title })
    }

    /// Runs the places from `place` to `to`, and moves `place` on to the first that was not run.
    fn run(&mut self, plan: &Plan<'_>, place: &mut u64, to: u64, tell: &mpsc::Sender<PlaceResult>) -> Ended {
        let order = format!("{} {} {}\n", plan.seed(*place).0, to - *place, plan.shard.of);
        let orders = self.orders.as_mut().expect("orders are open until the end");
        // The write fails if the worker has died; then no answer comes either.
        let _ = orders.write_all(order.as_bytes());
        let mut begun = false;
        while *place < to {
            let line = match self.answers.recv_timeout(plan.hang_after) {
                Ok(line) => line,
                Err(mpsc::RecvTimeoutError::Disconnected) => return self.died(begun),
                Err(mpsc::RecvTimeoutError::Timeout) => return self.hung(begun, plan.hang_after),
            };
            let Some(said) = said(&line) else { continue };
            if said == COMPILING {
                self.note_compiling();
            } else if said.starts_with("begin ") {
                begun = true;
            } else if let Ok(record) = serde_json::from_str(said) {
                let _ = tell.send(Ok((*place, record)));
                *place += 1;
                begun = false;
            }
            if plan.stop.load(Ordering::Relaxed) {
                return Ended::Done;
            }
        }
        Ended::Done
    }

    /// The record of a smaller run that fails as a seed does.
    fn shrink(&mut self, hang_after: Duration, seed: u64) -> Result<Record, WorkerFailure> {
        self.ask(hang_after, &format!("{SHRINK}{seed}"))
    }

    /// Its answer to an order; how it ended if it dies of the order, or is silent for `hang_after`. Then it must not
    /// be asked again.
    pub(crate) fn ask<T: DeserializeOwned>(
        &mut self,
        hang_after: Duration,
        order: &str,
    ) -> Result<T, WorkerFailure> {
        self.ask_unless(hang_after, order, |_| false)
    }

    /// The same, but waits only as long as `gives_up` is false. It is asked now and then with the time since the order;
    /// giving up counts as hung.
    pub(crate) fn ask_unless<T: DeserializeOwned>(
        &mut self,
        hang_after: Duration,
        order: &str,
        gives_up: impl Fn(Duration) -> bool,
    ) -> Result<T, WorkerFailure> {
        let ordered_at = now();
        let mut heard_at = ordered_at;
        let orders = self.orders.as_mut().expect("orders are open until the end");
        // Refused if it has died: then there is no answer either.
        let _ = orders.write_all(format!("{order}\n").as_bytes());
        loop {
            match self.answers.recv_timeout(hang_after.min(LOOK_EVERY)) {
                Ok(line) => {
                    heard_at = now();
                    let Some(said) = said(&line) else { continue };
                    if said == COMPILING {
                        self.note_compiling();
                    } else if let Ok(answer) = serde_json::from_str(said) {
                        return Ok(answer);
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(WorkerFailure::Died(self.how_it_died()));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let silent = now() - heard_at;
                    if silent >= hang_after || gives_up(now() - ordered_at) {
                        return Err(WorkerFailure::Hung(silent.as_secs()));
                    }
                }
            }
        }
    }

    /// Several workers may compile the same guests at once; the user is told once.
    fn note_compiling(&self) {
        static NOTED: Once = Once::new();
        NOTED.call_once(|| note_compiling(&self.title));
    }

    fn how_it_died(&mut self) -> String {
        self.process.wait().map_or_else(|e| e.to_string(), |status| status.to_string())
    }

    fn died(&mut self, begun: bool) -> Ended {
        let how = self.how_it_died();
        if begun { Ended::InWorld(WorkerFailure::Died(how)) } else { Ended::DiedBetween(how) }
    }

    /// The worker is silent; dropping it kills it.
    fn hung(&mut self, begun: bool, after: Duration) -> Ended {
        let cut = WorkerFailure::Hung(after.as_secs());
        if begun { Ended::InWorld(cut) } else { Ended::DiedBetween("it said nothing".into()) }
    }
}

/// The lines that a process prints, until it ends.
#[expect(clippy::disallowed_methods, reason = "outside of all worlds: waits for another process")]
fn lines_of(stdout: ChildStdout) -> mpsc::Receiver<Vec<u8>> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        loop {
            let mut line = Vec::new();
            let read = stdout.read_until(b'\n', &mut line);
            if !matches!(read, Ok(read) if read > 0) || tell.send(line).is_err() {
                return;
            }
        }
    });
    told
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be in the middle of a world whose result nobody needs any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
