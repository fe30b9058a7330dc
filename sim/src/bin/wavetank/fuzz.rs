//! `wavetank fuzz`: mutates, runs and keeps cases in this process, until one fails, time is up or coverage rests.

use crate::args::Fuzz;
use crate::job::Job;
use crate::out::{self, Stop};
use crate::progress::now;
use crate::words::counted;
use crate::{FOUND, account, engine, kept, order};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;
use wavetank_sim::fuzz::{Fuzzer, corpus};
use wavetank_sim::same::ShrunkRun;
use wavetank_sim::{Run, World};

pub(crate) fn fuzz(args: &Fuzz) -> Result<ExitCode, Stop> {
    let job = Job::new(&args.what(), engine()?)?;
    let mut fuzzer = job.fuzzer(args.seed, &args.profile);
    let stop = order::to_end_here();
    if let Some(folder) = &args.corpus {
        let cases = corpus::read(folder).map_err(corpus_error)?;
        if !cases.is_empty() {
            let many = counted(cases.len() as u64, "case");
            out::print(format_args!("{}: {many} from {}\n", job.title, folder.display()))?;
        }
        fuzzer.give(cases);
    }
    let started = now();
    let mut told_at = started;
    let mut failures = 0_u64;
    let why = loop {
        if args.runs.is_some_and(|runs| fuzzer.runs() >= runs) {
            break "the runs are made";
        }
        if args.runs.is_none() && now() - started >= args.seconds {
            break "time is up";
        }
        if fuzzer.rests() {
            break "coverage rests";
        }
        if stop.load(Ordering::Relaxed) {
            break "stopped";
        }
        let fuzzed = fuzzer.step();
        if let (Some(folder), true) = (&args.corpus, fuzzed.is_kept) {
            let case = fuzzer.cases().last().expect("it was kept").values();
            corpus::write(folder, &case).map_err(corpus_error)?;
        }
        if fuzzed.found.is_some() {
            failures += 1;
            // Save the failure first, because shrinking it may take long.
            let _ = kept::keep_found(&args.keep, &job, &fuzzed.run, None);
            tell(&job, args, &fuzzed.run, fuzzer.shrunk(&fuzzed.run))?;
            if !args.keep_going {
                break "a failure was found";
            }
        }
        if now() - told_at >= Duration::from_secs(1) {
            told_at = now();
            out::note(format_args!("{}\n", counts(&job, &fuzzer, told_at - started)));
        }
    };
    let failed = counted(failures, "failure");
    out::print(format_args!("{}: {failed}; {why}\n", counts(&job, &fuzzer, now() - started)))?;
    if let (Some(folder), true) = (&args.corpus, args.minimise) {
        let done = minimise(&mut fuzzer, folder).map_err(corpus_error)?;
        out::print(format_args!("{}: {done}\n", job.title))?;
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

/// Reduces the corpus to the cases that are needed for the same coverage; says how many are left.
fn minimise<F: Fn(&mut World) + Sync>(fuzzer: &mut Fuzzer<F>, folder: &Path) -> io::Result<String> {
    if fuzzer.left() > 0 {
        let left = counted(fuzzer.left() as u64, "case");
        return Ok(format!("not minimised, for {left} of the corpus were not run: give it more time"));
    }
    let kept = fuzzer.minimal();
    for case in &kept {
        corpus::write(folder, case)?;
    }
    corpus::retain(folder, &kept)?;
    Ok(format!("{} of {} do all that was done", kept.len(), counted(fuzzer.cases().len() as u64, "case")))
}

/// Reports a failure, made as small as possible, and where it is saved.
fn tell(job: &Job, args: &Fuzz, found: &Run, shrunk: Option<ShrunkRun>) -> Result<(), Stop> {
    let kept = kept::keep_found(&args.keep, job, found, shrunk.as_ref());
    out::print(account::output_of_own(job, shrunk.as_ref().map_or(found, |shrunk| &shrunk.run)))?;
    out::print_text(&account::account(job, found, shrunk.as_ref()))?;
    out::print(kept)
}

fn counts<F: Fn(&mut World) + Sync>(job: &Job, fuzzer: &Fuzzer<F>, took: Duration) -> String {
    let millis = took.as_millis().max(1);
    format!(
        "{}: {} executions, {} a second, coverage {}, {}",
        job.title,
        fuzzer.runs(),
        u128::from(fuzzer.runs()) * 1000 / millis,
        fuzzer.coverage(),
        counted(fuzzer.cases().len() as u64, "case"),
    )
}

fn corpus_error(error: io::Error) -> String {
    format!("{error}: name a folder that can be read and written with --corpus")
}
