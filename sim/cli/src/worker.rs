//! `wavetank worker`: runs the seeds that arrive on stdin, and reports the result of each on stdout.
//!
//! One line in is an order: `FIRST COUNT STEP` for seeds, `shrink SEED` for the smallest run that fails as that seed
//! does, `again FILE` for a saved failure, or `fuzz JSON` and `fuzz-shrink JSON` for a run that a fuzzer asks for. Each
//! line out stands after a mark, because libraries below us print to stdout too: `begin SEED` before a world, so that
//! the parent knows which one killed the process, and the answer after it.

use crate::args::What;
use crate::job::Job;
use crate::saved_failures::{Keeper, RetryReport};
use crate::terminal::{self, Stop};
use crate::{Catalogue, engine};
use serde::{Deserialize, Serialize};
use std::io::BufRead;
use std::path::PathBuf;
use std::process::ExitCode;
use wavetank_sim::explain::EXPLAIN_RUNS;
use wavetank_sim::fuzz::search::{Observed, Proposal};
use wavetank_sim::record::Record;
use wavetank_sim::saved::Setting;
use wavetank_sim::signature::{SHRINK_RUNS, ShrunkRun, shrink_run};
use wavetank_sim::{Run, Seed, saved};

/// Comes before each message for the process that started this one.
pub(crate) const MARK: &str = "\u{1e}wavetank ";

/// Starts an order to shrink.
pub(crate) const SHRINK: &str = "shrink ";

/// Starts an order to retry a saved failure; the path of its file follows, as JSON.
pub(crate) const AGAIN: &str = "again ";

/// Begins the order to make a run of a fuzzer, a [`FuzzOrder`] as JSON.
pub(crate) const FUZZ: &str = "fuzz ";

/// Begins the order to make a run of a fuzzer smaller.
pub(crate) const FUZZ_SHRINK: &str = "fuzz-shrink ";

/// Says that the worker is compiling guests.
pub(crate) const COMPILING: &str = "compiling";

/// A run that a fuzzer asks for.
#[derive(Serialize, Deserialize)]
pub(crate) struct FuzzOrder {
    /// The fuzzer's seed, which hash keys and guests' random bytes follow.
    pub(crate) seed: u64,
    pub(crate) proposal: Proposal,
}

/// The answer to a [`FuzzOrder`].
#[derive(Serialize, Deserialize)]
pub(crate) struct FuzzAnswer {
    pub(crate) observed: Observed,
    /// The record of the run, if it failed.
    pub(crate) record: Option<Record>,
}

/// The answer to an order to make a run of a fuzzer smaller.
#[derive(Serialize, Deserialize)]
pub(crate) struct Smaller {
    pub(crate) record: Record,
    /// The file in which it was saved, if it was.
    pub(crate) kept: Option<String>,
}

pub(crate) fn work(what: &What, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let job = Job::new(what, catalogue, engine()?)?.saying_compiling(|_| {
        let _ = say(COMPILING);
    });
    let mut keeper = Keeper::new(&what.keep);
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        if let Some(seed) = line.strip_prefix(SHRINK) {
            let seed = Seed(seed.parse().map_err(|_| "expected a number".to_string())?);
            say(&format!("begin {}", seed.0))?;
            let run = job.run(seed);
            tell(&shrunk(&job, &run, job.setting(seed), &mut keeper).record)?;
            continue;
        }
        if let Some(order) = line.strip_prefix(FUZZ) {
            tell(&fuzzed(&job, what, order)?)?;
            continue;
        }
        if let Some(order) = line.strip_prefix(FUZZ_SHRINK) {
            let (seed, run) = proposed(&job, what, order)?;
            let setting = job.setting_of_found(seed);
            // Saved before anything that may take long.
            let kept = keeper.found(setting.clone(), &run);
            let smaller = shrunk(&job, &run, setting, &mut keeper);
            tell(&Smaller { kept: smaller.kept.or(kept), record: smaller.record })?;
            continue;
        }
        if let Some(path) = line.strip_prefix(AGAIN) {
            let path: PathBuf = serde_json::from_str(path).map_err(|e| e.to_string())?;
            let again = saved::read(&path).map_err(|e| e.to_string())?;
            tell(&RetryReport::of(job.again(&again)))?;
            continue;
        }
        let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
        let Ok([first, count, step]) = numbers.as_deref() else {
            return Err("expected FIRST COUNT STEP".to_string().into());
        };
        for place in 0..*count {
            let seed = Seed(first.wrapping_add(place * step));
            say(&format!("begin {}", seed.0))?;
            let run = job.run(seed);
            let _ = keeper.found(job.setting(seed), &run);
            tell(&Record::new(&job.name, &run))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the run that a fuzzer asks for. Gives the fuzzer's seed too.
fn proposed(job: &Job, what: &What, order: &str) -> Result<(Seed, Run), Stop> {
    let FuzzOrder { seed, proposal } = serde_json::from_str(order).map_err(|e| e.to_string())?;
    say(&format!("begin {seed}"))?;
    Ok((Seed(seed), job.run_proposed(Seed(seed), &proposal, &what.profile)))
}

fn fuzzed(job: &Job, what: &What, order: &str) -> Result<FuzzAnswer, Stop> {
    let (_, run) = proposed(job, what, order)?;
    let observed = Observed::of(&run);
    let record = observed.failure.is_some().then(|| Record::new(&job.name, &run));
    Ok(FuzzAnswer { observed, record })
}

/// The record of the smallest run that fails as this one does; of the run itself if there is no smaller one.
fn shrunk(job: &Job, run: &Run, setting: Setting, keeper: &mut Keeper) -> Smaller {
    let compared = run.compared.len();
    let replay = |choices| {
        // A sign of life before each run: a process that says nothing is given up.
        let _ = say(&format!("begin {}", run.seed.0));
        job.replay(run.seed, choices)
    };
    match shrink_run(run, SHRINK_RUNS, replay) {
        Some(smaller) => {
            let kept = keeper.shrunk(setting, run, &smaller);
            let ShrunkRun { run, shrunk } = smaller;
            let detail = job.explain(&run, EXPLAIN_RUNS).lines();
            let record =
                Record { shrunk_from: Some(shrunk.from), compared, detail, ..Record::new(&job.name, &run) };
            Smaller { record, kept }
        }
        None => Smaller { record: Record::new(&job.name, run), kept: None },
    }
}

fn tell(told: &impl Serialize) -> Result<(), Stop> {
    say(&serde_json::to_string(told).map_err(|e| e.to_string())?)
}

fn say(line: &str) -> Result<(), Stop> {
    terminal::write(format!("{MARK}{line}\n").as_bytes())
}
