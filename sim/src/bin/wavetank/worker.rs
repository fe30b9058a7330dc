//! `wavetank worker`: runs the seeds that arrive on stdin, and reports the result of each on stdout.
//!
//! One order per line comes in: `FIRST COUNT STEP`, or `shrink SEED` for the smallest run that fails as that seed does,
//! or `again FILE` for a saved failure. Each line that goes out starts with a mark, because libraries below us also
//! print to stdout. `begin SEED` goes out before a world, so that it is known which world killed the process; the
//! record of the world follows.

use crate::args::What;
use crate::engine;
use crate::job::Job;
use crate::kept::{Keeper, Tried};
use crate::out::{self, Stop};
use serde::Serialize;
use std::io::BufRead;
use std::path::PathBuf;
use std::process::ExitCode;
use wavetank_sim::explain::EXPLAIN_RUNS;
use wavetank_sim::record::Record;
use wavetank_sim::same::{SHRINK_RUNS, ShrunkRun, shrink_run};
use wavetank_sim::{Seed, keep};

/// Comes before each message for the process that started this one.
pub(crate) const MARK: &str = "\u{1e}wavetank ";

/// Starts an order to shrink.
pub(crate) const SHRINK: &str = "shrink ";

/// Starts an order to retry a saved failure; the path of its file follows, as JSON.
pub(crate) const AGAIN: &str = "again ";

pub(crate) fn work(what: &What) -> Result<ExitCode, Stop> {
    let job = Job::new(what, engine()?)?;
    let mut keeper = Keeper::new(&what.keep);
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        if let Some(seed) = line.strip_prefix(SHRINK) {
            let seed = Seed(seed.parse().map_err(|_| "expected a number".to_string())?);
            say(&format!("begin {}", seed.0))?;
            tell(&shrunk(&job, seed, &mut keeper))?;
            continue;
        }
        if let Some(path) = line.strip_prefix(AGAIN) {
            let path: PathBuf = serde_json::from_str(path).map_err(|e| e.to_string())?;
            let again = keep::read(&path).map_err(|e| e.to_string())?;
            tell(&Tried::of(job.again(&again)))?;
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
            keeper.found(&job, &run);
            tell(&Record::new(&job.name, &run))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The record of the smallest run that fails as the seed does; if there is none, the record of the seed's own run.
fn shrunk(job: &Job, seed: Seed, keeper: &mut Keeper) -> Record {
    let run = job.run(seed);
    let compared = run.compared.len();
    let replay = |choices| {
        // A sign of life before each run, because a worker that is silent is given up.
        let _ = say(&format!("begin {}", seed.0));
        job.replay(seed, choices)
    };
    match shrink_run(&run, SHRINK_RUNS, replay) {
        Some(smaller) => {
            keeper.shrunk(job, &run, &smaller);
            let ShrunkRun { run, shrunk } = smaller;
            let detail = job.explain(&run, EXPLAIN_RUNS).lines();
            Record { shrunk_from: Some(shrunk.from), compared, detail, ..Record::new(&job.name, &run) }
        }
        None => Record::new(&job.name, &run),
    }
}

fn tell(told: &impl Serialize) -> Result<(), Stop> {
    say(&serde_json::to_string(told).map_err(|e| e.to_string())?)
}

fn say(line: &str) -> Result<(), Stop> {
    out::write(format!("{MARK}{line}\n").as_bytes())
}
