//! `wavetank worker`: serves the requests that arrive on stdin, and answers each on stdout.

use crate::args::What;
use crate::job::Job;
use crate::protocol::{FuzzAnswer, Message, Request, RetryReport, Smaller, VERSION};
use crate::saved_failures::Keeper;
use crate::terminal::{self, Stop};
use crate::{Catalogue, engine};
use std::io::BufRead;
use std::process::ExitCode;
use wavetank_sim::explain::EXPLAIN_RUNS;
use wavetank_sim::fuzz::search::{Observed, Proposal};
use wavetank_sim::record::Record;
use wavetank_sim::saved::Setting;
use wavetank_sim::signature::{SHRINK_RUNS, ShrunkRun, shrink_run};
use wavetank_sim::{Run, Seed, saved};

pub(crate) fn work(what: &What, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let job = Job::new(what, catalogue, engine()?)?.saying_compiling(|_| {
        let _ = say(&Message::Compiling);
    });
    let mut keeper = Keeper::new(&what.subject.keep);
    say(&Message::Hello { version: VERSION })?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        let request = Request::read(&line).ok_or_else(|| format!("not a request: {line:?}"))?;
        serve(request, &job, what, &mut keeper)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(request: Request, job: &Job, what: &What, keeper: &mut Keeper) -> Result<(), Stop> {
    match request {
        Request::Seeds { first, count, step } => {
            for place in 0..count {
                let seed = Seed(first.wrapping_add(place * step));
                say(&Message::Begin { seed: seed.0 })?;
                let run = job.run(seed);
                let _ = keeper.found(job.setting(seed), &run);
                say(&Message::Ran(Box::new(Record::new(&job.name, &run))))?;
            }
            Ok(())
        }
        Request::Shrink { seed } => {
            say(&Message::Begin { seed })?;
            let run = job.run(Seed(seed));
            let smaller = shrunk(job, &run, job.setting(Seed(seed)), keeper);
            say(&Message::Ran(Box::new(smaller.record)))
        }
        Request::Retry { file } => {
            let saved = saved::read(&file).map_err(|e| e.to_string())?;
            say(&Message::Retried(RetryReport::of(job.retry(&saved))))
        }
        Request::Fuzz { seed, proposal } => {
            let run = proposed(job, what, seed, &proposal)?;
            let observed = Observed::of(&run);
            let record = observed.failure.is_some().then(|| Record::new(&job.name, &run));
            say(&Message::Fuzzed(Box::new(FuzzAnswer { observed, record })))
        }
        Request::ShrinkFuzzed { seed, proposal } => {
            let run = proposed(job, what, seed, &proposal)?;
            let setting = job.setting_of_found(Seed(seed));
            // Saved before anything that may take long.
            let found = keeper.found(setting.clone(), &run);
            let smaller = shrunk(job, &run, setting, keeper);
            let saved = smaller.saved.or(found);
            say(&Message::Shrunk(Box::new(Smaller { saved, record: smaller.record })))
        }
    }
}

/// Makes the run that a fuzzer asks for.
fn proposed(job: &Job, what: &What, seed: u64, proposal: &Proposal) -> Result<Run, Stop> {
    say(&Message::Begin { seed })?;
    let profile = what.profile.clone().unwrap_or_default();
    Ok(job.run_proposed(Seed(seed), proposal, &profile))
}

/// The record of the smallest run that fails as this one does; of the run itself if there is no smaller one.
fn shrunk(job: &Job, run: &Run, setting: Setting, keeper: &mut Keeper) -> Smaller {
    let compared = run.compared.len();
    let replay = |choices| {
        // A sign of life before each run: a process that says nothing is given up.
        let _ = say(&Message::Begin { seed: run.seed.0 });
        job.replay(run.seed, choices)
    };
    match shrink_run(run, SHRINK_RUNS, replay) {
        Some(smaller) => {
            let saved = keeper.shrunk(setting, run, &smaller);
            let ShrunkRun { run, shrunk } = smaller;
            let detail = job.explain(&run, EXPLAIN_RUNS).lines();
            let record =
                Record { shrunk_from: Some(shrunk.from), compared, detail, ..Record::new(&job.name, &run) };
            Smaller { record, saved }
        }
        None => Smaller { record: Record::new(&job.name, run), saved: None },
    }
}

fn say(message: &Message) -> Result<(), Stop> {
    terminal::write(message.line().as_bytes())
}
