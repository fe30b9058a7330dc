//! `wavetank run`: many seeds over several processes, or one seed here.
//!
//! Processes, because threads share one address space and its lock (two threads ran little more than one), and
//! because one that dies costs only the world that killed it. The results are the same however many there are.

use crate::args::{Run, Seeds, What};
use crate::exhaust::exhaust;
use crate::job::Job;
use crate::kept::{self, KeptFolder};
use crate::progress::{self, Progress};
use crate::report::Report;
use crate::worker::{MARK, SHRINK};
use crate::{FOUND, account, engine};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use wavetank_sim::StrategyName;
use wavetank_sim::known::is_news;
use wavetank_sim::record::Record;

/// Seeds that a process is given at a time.
const CHUNK: u64 = 16;

/// Failures that are shrunk: the lowest seed of each way of failing.
const SHRUNK_FAILURES: usize = 5;

pub(crate) fn run(args: Run) -> Result<ExitCode, String> {
    let job = Job::new(&args.what, engine()?)?;
    if let StrategyName::Exhaustive(bound) = args.what.strategy {
        return exhaust(&job, &args, seeds(&args), bound);
    }
    if let Some(seed) = args.seed {
        let run = job.run(seed);
        print!("{}", account::output_of_own(&job, &run));
        print!("{}", account::account(&job, &run, !args.no_shrink));
        print!("{}", kept::keep_one(&args.what.keep, &job, &run));
        return Ok(if is_news(&run.outcome) { ExitCode::from(FOUND) } else { ExitCode::SUCCESS });
    }
    // Made first: that it cannot be is to be known before the sweep, not after it.
    let json = args.json.as_ref().map(|path| (path, File::create(path)));
    let json = json.map(|(path, made)| made.map(|file| (path, file)).map_err(|e| unwritable(path, &e)));
    let json = json.transpose()?;
    let folder = KeptFolder::try_again(&job, &args)?;
    let report = sweep(&job, &args)?;
    print!("{report}");
    print!("{}", folder.tidied(&job, &report.records));
    if let Some((path, file)) = json {
        report.write_json(file).map_err(|e| unwritable(path, &e))?;
    }
    Ok(if report.failed() { ExitCode::from(FOUND) } else { folder.exit() })
}

fn unwritable(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}: name a file for --json that can be written", path.display())
}

/// What the processes' threads share.
struct Plan<'a> {
    what: &'a What,
    name: &'a str,
    job: &'a Job,
    seeds: Seeds,
    /// The next place that nobody was given.
    next: AtomicU64,
    /// Places from here on are of no interest any more.
    end: AtomicU64,
    stop: Arc<AtomicBool>,
}

/// The seeds that were asked for.
fn seeds(args: &Run) -> Seeds {
    match &args.seed_from {
        Some(text) => args.seeds.counted_from(text),
        None => args.seeds,
    }
}

fn sweep<'j>(job: &'j Job, args: &Run) -> Result<Report<'j>, String> {
    let seeds = seeds(args);
    let stop = Arc::new(AtomicBool::new(false));
    let ordered = stop.clone();
    // Where it cannot be set, Ctrl-C ends everything at once, as it does by default.
    let _ = ctrlc::set_handler(move || ordered.store(true, Ordering::Relaxed));
    let plan = Plan {
        what: &args.what,
        name: &job.name,
        job,
        seeds,
        next: AtomicU64::new(0),
        end: AtomicU64::new(seeds.count),
        stop,
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or_else(cores, usize::from);
    let mut progress = Progress::new(&job.title, seeds.count, args.time);
    let mut records = BTreeMap::new();
    let mut broken = None;
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
                        // Those before it are still of interest: the first failure is the same for any number
                        // of processes.
                        plan.end.fetch_min(place + 1, Ordering::Relaxed);
                    }
                    progress.ran(&record);
                    records.insert(place, record);
                }
                Err(message) => broken = Some(message),
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
    let mut records: Vec<Record> =
        records.into_iter().filter(|(place, _)| *place < end).map(|(_, r)| r).collect();
    if !(args.no_shrink || stopped) {
        shrink(&plan, &mut records)?;
    }
    Ok(Report { job, what: args.what.clone(), records, asked: seeds.count, stopped, seconds })
}

/// Makes the first failures of each kind smaller. Decided here, after the sweep, so that it does not depend on who
/// ran what.
fn shrink(plan: &Plan<'_>, records: &mut [Record]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let is_first = |record: &&mut Record| {
        // What differs each time has no smaller run.
        record.choices > 0
            && record.is_news()
            && record.outcome != "diverged"
            && record.failure.as_ref().is_some_and(|failure| seen.insert(failure.clone()))
    };
    let mut worker = None;
    let note = progress::note();
    for record in records.iter_mut().filter(is_first).take(SHRUNK_FAILURES) {
        let process = match &mut worker {
            Some(process) => process,
            slot => slot.insert(Worker::start(plan.what)?),
        };
        note.set_message(format!("shrinking seed {}: {} choices", record.seed, record.choices));
        note.tick();
        match process.shrink(record.seed) {
            Some(shrunk) if shrunk.failure == record.failure => *record = shrunk,
            Some(_) => {}
            // A smaller run kills its process: the failure stays as it was found.
            None => worker = None,
        }
        if plan.stop.load(Ordering::Relaxed) {
            break;
        }
    }
    note.finish_and_clear();
    Ok(())
}

type Told = Result<(u64, Record), String>;

/// Keeps one process busy, and starts another where it dies.
fn drive(plan: &Plan<'_>, tell: &mpsc::Sender<Told>) -> Result<(), String> {
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
                Ended::Died(how) => {
                    worker = None;
                    still_born = 0;
                    let seed = plan.seeds.at(place);
                    kept::keep_aborted(&plan.what.keep, plan.job, seed, &how);
                    let record = Record::aborted(plan.name, seed, &plan.job.choices, &how);
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

/// Processes that may die in a row without a world to blame.
const STILL_BORN: u32 = 3;

/// How a process ended its order.
enum Ended {
    Done,
    /// In the middle of a world.
    Died(String),
    /// Between two worlds, or before the first.
    DiedBetween(String),
}

/// What a worker says on a line. Whatever a library printed stands before the mark, or on a line of its own.
fn said(line: &[u8]) -> Option<&str> {
    std::str::from_utf8(line).ok()?.split_once(MARK).map(|(_, said)| said)
}

/// A process that runs worlds.
pub(crate) struct Worker {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    pub(crate) fn start(what: &What) -> Result<Self, String> {
        let failed = |e: std::io::Error| format!("a process for the sweep could not be started: {e}");
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("worker").arg(&what.scenario);
        command.args(["--strategy", &what.strategy.to_string(), "--profile", &what.profile.to_string()]);
        if what.transport == crate::args::TransportArg::Stdio {
            command.args(["--transport", "stdio"]);
        }
        if what.canary {
            command.arg("--canary");
        }
        match kept::folder(&what.keep) {
            Some(folder) => command.arg("--failures").arg(folder),
            None => command.arg("--no-keep"),
        };
        command.arg("--").args(&what.args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        #[cfg(unix)]
        {
            // Ctrl-C is for this process: it ends the others when it has what they found.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        let mut process = command.spawn().map_err(failed)?;
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("stdout was asked for"));
        Ok(Worker { process, orders, answers })
    }

    /// Runs the places from `place` to `to`, and moves `place` on to the first that was not run.
    fn run(&mut self, plan: &Plan<'_>, place: &mut u64, to: u64, tell: &mpsc::Sender<Told>) -> Ended {
        let order = format!("{} {}\n", plan.seeds.at(*place).0, to - *place);
        let orders = self.orders.as_mut().expect("orders are open until the end");
        // Refused where it has died: then there is no answer either.
        let _ = orders.write_all(order.as_bytes());
        let mut begun = false;
        let mut line = Vec::new();
        while *place < to {
            line.clear();
            if !matches!(self.answers.read_until(b'\n', &mut line), Ok(read) if read > 0) {
                return self.died(begun);
            }
            let Some(said) = said(&line) else { continue };
            if said.starts_with("begin ") {
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

    /// The record of a smaller run that fails as a seed does; `None` where the process dies of it.
    fn shrink(&mut self, seed: u64) -> Option<Record> {
        self.ask(&format!("{SHRINK}{seed}"))
    }

    /// What it answers to an order; `None` where the process dies of it.
    pub(crate) fn ask<T: DeserializeOwned>(&mut self, order: &str) -> Option<T> {
        let orders = self.orders.as_mut().expect("orders are open until the end");
        let _ = orders.write_all(format!("{order}\n").as_bytes());
        let mut line = Vec::new();
        while matches!(self.answers.read_until(b'\n', &mut line), Ok(read) if read > 0) {
            if let Some(answer) = said(&line).and_then(|said| serde_json::from_str(said).ok()) {
                return Some(answer);
            }
            line.clear();
        }
        None
    }

    fn died(&mut self, begun: bool) -> Ended {
        let how = self.process.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
        if begun { Ended::Died(how) } else { Ended::DiedBetween(how) }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be in the middle of a world that nobody waits for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
