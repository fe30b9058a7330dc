//! `wavetank fuzz`: cases changed, run and kept, in this process, until one fails, time is up or coverage rests.

use crate::args::Fuzz;
use crate::job::Job;
use crate::out::{self, Stop};
use crate::progress::now;
use crate::words::counted;
use crate::{FOUND, account, engine, kept, order};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;
use wavetank_sim::Run;
use wavetank_sim::fuzz::{Fuzzer, corpus};
use wavetank_sim::same::ShrunkRun;

/// Coverage rests when half of all runs, and so many at least, did nothing new.
const REST_RUNS: u64 = 20_000;

/// Where failing cases go, in the folder of the corpus.
const FOUND_FOLDER: &str = "found";

pub(crate) fn fuzz(args: &Fuzz) -> Result<ExitCode, Stop> {
    let job = Job::new(&args.what(), engine()?)?;
    let mut fuzzer = job.fuzzer(args.seed, &args.profile);
    if let Some(folder) = &args.corpus {
        let cases = corpus::read(folder).map_err(|e| told(folder, e))?;
        if !cases.is_empty() {
            let many = counted(cases.len() as u64, "case");
            out::print(format_args!("{}: {many} from {}\n", job.title, folder.display()))?;
        }
        fuzzer.give(cases);
    }
    let stop = order::to_end();
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
        if fuzzer.rested() >= REST_RUNS.max(fuzzer.runs() / 2) {
            break "coverage rests";
        }
        if stop.load(Ordering::Relaxed) {
            break "stopped";
        }
        let fuzzed = fuzzer.step();
        if let (Some(folder), true) = (&args.corpus, fuzzed.is_kept) {
            let case = fuzzer.cases().last().expect("it was kept").values();
            corpus::write(folder, &case).map_err(|e| told(folder, e))?;
        }
        if fuzzed.found.is_some() {
            failures += 1;
            tell(&job, args, &fuzzer.shrunk(&fuzzed.run), &fuzzed.run)?;
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
        let kept = fuzzer.minimal();
        for case in &kept {
            corpus::write(folder, case).map_err(|e| told(folder, e))?;
        }
        corpus::retain(folder, &kept).map_err(|e| told(folder, e))?;
        let (kept, all) = (kept.len(), fuzzer.cases().len());
        out::print(format_args!("{}: {kept} of {all} cases do all that was done\n", job.title))?;
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

/// Tells a failure, as small as it could be made, and keeps its case.
fn tell(job: &Job, args: &Fuzz, shrunk: &Option<ShrunkRun>, found: &Run) -> Result<(), Stop> {
    let run = shrunk.as_ref().map_or(found, |shrunk| &shrunk.run);
    let kept = kept::keep_one(&args.keep, job, run, None);
    out::print(account::output_of_own(job, run))?;
    out::print(account::account(job, run, None))?;
    if let Some(shrunk) = shrunk {
        let (from, to) = (shrunk.shrunk.from, run.choices.len());
        out::print(format_args!("  shrunk from {from} choices to {to}\n"))?;
    }
    out::print(kept)?;
    if let Some(folder) = &args.corpus {
        let folder = folder.join(FOUND_FOLDER);
        std::fs::create_dir_all(&folder).map_err(|e| told(&folder, e))?;
        let values: Vec<u32> = run.choices.iter().map(|choice| choice.value).collect();
        let name = corpus::write(&folder, &values).map_err(|e| told(&folder, e))?;
        out::print(format_args!("  kept as {}\n", folder.join(name).display()))?;
    }
    Ok(())
}

fn counts<F: Fn(&mut wavetank_sim::World) + Sync>(job: &Job, fuzzer: &Fuzzer<F>, took: Duration) -> String {
    let millis = took.as_millis().max(1);
    format!(
        "{}: {} executions, {} a second, coverage {}, {} cases",
        job.title,
        fuzzer.runs(),
        u128::from(fuzzer.runs()) * 1000 / millis,
        fuzzer.coverage(),
        fuzzer.cases().len(),
    )
}

fn told(path: &Path, error: std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
