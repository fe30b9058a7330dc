//! `wavetank worker`: runs the seeds that come in on stdin, and says what came of each on stdout.
//!
//! One line in: `FIRST COUNT STEP`, or `shrink SEED` for the smallest run that fails as that seed does. Lines out, each after a mark, for libraries below us print to stdout too:
//! `begin SEED` before a world, so that it is known which one killed the process, and its record after it.

use crate::args::What;
use crate::engine;
use crate::job::Job;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use wavetank_sim::Seed;
use wavetank_sim::record::Record;
use wavetank_sim::same::{SHRINK_RUNS, ShrunkRun, shrink_run};

/// Stands before what is meant for the process that started this one.
pub(crate) const MARK: &str = "\u{1e}wavetank ";

/// Begins the order to shrink.
pub(crate) const SHRINK: &str = "shrink ";

pub(crate) fn work(what: &What) -> Result<ExitCode, String> {
    let job = Job::new(what, engine()?)?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        if let Some(seed) = line.strip_prefix(SHRINK) {
            let seed = Seed(seed.parse().map_err(|_| "expected a number")?);
            say(&format!("begin {}", seed.0))?;
            tell(&shrunk(&job, seed))?;
            continue;
        }
        let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
        let Ok([first, count, step]) = numbers.as_deref() else {
            return Err("expected FIRST COUNT STEP".into());
        };
        for place in 0..*count {
            let seed = Seed(first.wrapping_add(place * step));
            say(&format!("begin {}", seed.0))?;
            tell(&Record::new(&job.name, &job.run(seed)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The record of the smallest run that fails as the seed does; of the seed's own where there is none.
fn shrunk(job: &Job, seed: Seed) -> Record {
    let run = job.run(seed);
    let compared = run.compared.len();
    let replay = |choices| {
        // A sign of life before each: it is a process that says nothing that is given up.
        let _ = say(&format!("begin {}", seed.0));
        job.replay(seed, choices)
    };
    match shrink_run(&run, SHRINK_RUNS, replay) {
        Some(ShrunkRun { run, shrunk }) => {
            Record { shrunk_from: Some(shrunk.from), compared, ..Record::new(&job.name, &run) }
        }
        None => Record::new(&job.name, &run),
    }
}

fn tell(record: &Record) -> Result<(), String> {
    say(&serde_json::to_string(record).map_err(|e| e.to_string())?)
}

fn say(line: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MARK}{line}").and_then(|()| out.flush()).map_err(|e| e.to_string())
}
