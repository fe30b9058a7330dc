//! `wavetank fuzz`: changes cases, runs them and keeps some, until one fails, the time is up or coverage rests.
//!
//! The search is made here, and each run in a worker: a world that kills its process costs that run only.

use crate::args::Fuzz;
use crate::called::command;
use crate::exit_code::FOUND;
use crate::job::Job;
use crate::pool::Worker;
use crate::progress::now;
use crate::report;
use crate::terminal::{self, COMMAND, FAILED, Stop, Text};
use crate::{Catalogue, engine, signals};
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wavetank_sim::fuzz::corpus;
use wavetank_sim::fuzz::search::{Learned, Proposal, Search};
use wavetank_sim::record::WorkerFailure;
use wavetank_sim::shell;
use wavetank_sim::worker::protocol::{FuzzAnswer, Message, Request, Smaller};
use wavetank_sim::worker::subject::Subject;
use wavetank_sim::worker::words::counted;

pub(crate) fn fuzz(args: &Fuzz, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let job = Job::new(&args.what(), catalogue, engine()?)?;
    let mut search = Search::new(args.seed);
    let stop = signals::to_end();
    let mut runner = Runner { args, job: &job, worker: None, stop: stop.clone() };
    if let Some(folder) = &args.corpus {
        let cases = corpus::read(folder).map_err(corpus_error)?;
        if !cases.is_empty() {
            let many = counted(cases.len() as u64, "case");
            terminal::print(format_args!("{}: {many} from {}\n", job.title, folder.display()))?;
        }
        search.give(cases);
    }
    let started = now();
    let mut reported_at = started;
    let why = loop {
        if args.runs.is_some_and(|runs| search.runs() >= runs) {
            break "the runs are made";
        }
        if args.runs.is_none() && now() - started >= args.seconds {
            break "time is up";
        }
        if search.rests() {
            break "coverage rests";
        }
        if stop.load(Ordering::Relaxed) {
            break "stopped";
        }
        let is_found = step(&job, args, &mut search, &mut runner)?;
        if is_found && !args.keep_going {
            break "a failure was found";
        }
        if now() - reported_at >= Duration::from_secs(1) {
            reported_at = now();
            terminal::note(format_args!("{}\n", counts(&job, &search, reported_at - started)));
        }
    };
    let failed = search.failures().len() as u64;
    let totals = counts(&job, &search, now() - started);
    terminal::print(format_args!("{totals}: {}; {why}\n", counted(failed, "failure")))?;
    if let (Some(folder), true) = (&args.corpus, args.minimise) {
        let done = minimise(&mut search, &mut runner, folder)?;
        terminal::print(format_args!("{}: {done}\n", job.title))?;
    }
    terminal::print_text(&distinct_failures(&search))?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

/// Makes one run, and prints the failure if it is a new one. Says whether it is.
fn step(job: &Job, args: &Fuzz, search: &mut Search, runner: &mut Runner<'_>) -> Result<bool, Stop> {
    let proposal = search.propose();
    match runner.run(&proposal)? {
        Ok(FuzzAnswer { observed, record }) => {
            let Learned { is_kept, is_found } = search.learn(observed);
            if let (Some(folder), true) = (&args.corpus, is_kept) {
                let case = search.cases().last().expect("it was kept").values();
                corpus::write(folder, &case).map_err(corpus_error)?;
            }
            let Some(found) = record.filter(|_| is_found) else { return Ok(false) };
            // A smaller run may kill the worker. Then the failure is printed as it was found.
            let smaller = runner.shrink(&proposal)?;
            let (record, saved) = match smaller {
                Ok(Smaller { record, saved }) if record.failure == found.failure => (record, saved),
                Ok(Smaller { saved, .. }) => (found, saved),
                Err(_) => (found, None),
            };
            let replay = record.token.as_ref().map(|token| job.replay_line(token));
            let mut text = Text::default();
            report::explained(&mut text, &record, &[], replay.as_deref());
            if let Some(file) = saved {
                let _ = writeln!(text, "  kept: {file}");
            }
            terminal::print_text(&text)?;
            Ok(true)
        }
        Err(_) if runner.stop.load(Ordering::Relaxed) => Ok(false),
        Err(cut) => {
            let is_new = search.lost(cut.name().into());
            if is_new {
                terminal::print_text(&aborted(args, &cut, search.runs()))?;
            }
            Ok(is_new)
        }
    }
}

/// Makes the runs of a search, each in the worker, and starts another worker if one dies.
struct Runner<'a> {
    args: &'a Fuzz,
    job: &'a Job,
    worker: Option<Worker>,
    stop: Arc<AtomicBool>,
}

/// How long a run may take to end after the command was told to.
const GRACE: Duration = Duration::from_secs(1);

impl Runner<'_> {
    /// Makes the run of a proposal, or says how the worker ended.
    fn run(&mut self, proposal: &Proposal) -> Result<Result<FuzzAnswer, WorkerFailure>, Stop> {
        let request = Request::Fuzz { seed: self.args.seed.0, proposal: proposal.clone() };
        Ok(self.ask(&request)?.and_then(|answer| match answer {
            Message::Fuzzed(answer) => Ok(*answer),
            other => Err(unexpected(&other)),
        }))
    }

    /// Makes the run of a proposal smaller, or says how the worker ended.
    fn shrink(&mut self, proposal: &Proposal) -> Result<Result<Smaller, WorkerFailure>, Stop> {
        let request = Request::ShrinkFuzzed { seed: self.args.seed.0, proposal: proposal.clone() };
        Ok(self.ask(&request)?.and_then(|answer| match answer {
            Message::Shrunk(smaller) => Ok(*smaller),
            other => Err(unexpected(&other)),
        }))
    }

    fn ask(&mut self, request: &Request) -> Result<Result<Message, WorkerFailure>, Stop> {
        let worker = match &mut self.worker {
            Some(worker) => worker,
            slot => slot.insert(self.job.start(&self.args.what())?),
        };
        let gives_up = |waited| waited >= GRACE && self.stop.load(Ordering::Relaxed);
        let answer = worker.ask(self.args.hang_after, request, gives_up);
        if answer.is_err() {
            self.worker = None;
        }
        Ok(answer)
    }
}

fn unexpected(answer: &Message) -> WorkerFailure {
    WorkerFailure::Died(format!("it answered {answer:?}"))
}

/// A run that ended its process. No token can be made of it, but the same search comes to it again.
fn aborted(args: &Fuzz, cut: &WorkerFailure, runs: u64) -> Text {
    let mut text = Text::default();
    text.styled(FAILED, format_args!("run {runs}: {cut}"));
    text += "\n  again: ";
    let mut words = vec!["fuzz".to_string(), args.subject.scenario.clone(), "--keep-going".into()];
    words.extend(["--seed".into(), args.seed.to_string(), "--runs".into(), runs.to_string()]);
    words.extend(["--profile".into(), args.profile.to_string()]);
    if let Some(folder) = &args.corpus {
        words.extend(["--corpus".into(), folder.display().to_string()]);
    }
    words.extend(args.subject.words());
    text.styled(COMMAND, format_args!("{} {}", command(), shell::words(&words)));
    text += "\n";
    text
}

/// Leaves in the corpus as few cases as cover everything; says how many.
fn minimise(search: &mut Search, runner: &mut Runner<'_>, folder: &Path) -> Result<String, Stop> {
    if search.left() > 0 {
        let left = counted(search.left() as u64, "case");
        return Ok(format!("not minimised, because {left} of the corpus were not run: give it more time"));
    }
    let mut broken = None;
    let kept = search.minimal(|proposal| match runner.run(proposal) {
        Ok(answer) => answer.ok().map(|answer| answer.observed.features),
        Err(stop) => {
            broken = Some(stop);
            None
        }
    });
    if let Some(stop) = broken {
        return Err(stop);
    }
    let write = || {
        for case in &kept {
            corpus::write(folder, case)?;
        }
        corpus::retain(folder, &kept)
    };
    write().map_err(corpus_error)?;
    Ok(format!("{} of {} do all that was done", kept.len(), counted(search.cases().len() as u64, "case")))
}

/// A line for each failure signature; nothing if there is none.
fn distinct_failures(search: &Search) -> Text {
    let mut text = Text::default();
    let failures = search.failures();
    if failures.is_empty() {
        return text;
    }
    text.styled(FAILED, counted(failures.len() as u64, "distinct failure"));
    text += "\n";
    for (failure, runs) in failures {
        let _ = writeln!(text, "  {}: {failure}", counted(*runs, "run"));
    }
    text
}

fn counts(job: &Job, search: &Search, took: Duration) -> String {
    let millis = took.as_millis().max(1);
    format!(
        "{}: {}, {} a second, coverage {}, {}",
        job.title,
        counted(search.runs(), "execution"),
        u128::from(search.runs()) * 1000 / millis,
        search.coverage(),
        counted(search.cases().len() as u64, "case"),
    )
}

fn corpus_error(error: io::Error) -> String {
    format!("{error}: name a folder that can be read and written with --corpus")
}
