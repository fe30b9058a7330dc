//! `wavetank run`: many seeds over a pool of workers, or one seed in this process.

use crate::args::Run;
use crate::desk::{Desk, Labels, unexpected};
use crate::exit_code::{FOUND, USAGE};
use crate::files::{self, Target};
use crate::heading::Heading;
use crate::job::Job;
use crate::json_lines::Lines;
use crate::one_run;
use crate::saved_failures::SavedFolder;
use crate::sweep_page::PageFolder;
use crate::terminal::{self, Stop};
use crate::{Catalogue, behaviours, engine, exhaustive, junit, sweep};
use std::process::ExitCode;
use wavetank_sim::worker::protocol::{Message, Request};
use wavetank_sim::worker::single;
use wavetank_sim::worker::subject::Subject;
use wavetank_sim::{Seed, StrategyName};

pub(crate) fn run(args: Run, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    refuse(&args)?;
    let job = Job::new(&args.what, catalogue, engine()?)?;
    if let Some(StrategyName::Exhaustive(bound)) = args.what.strategy {
        return exhaustive::of_run(job, &args, bound);
    }
    if let Some(seed) = args.seed {
        return one(&args, job, seed);
    }
    if let Some(read) = &args.shard.read {
        terminal::note(format_args!("shard {} (by {read})\n", args.shard()));
    }
    let heading = Heading::new(&job, &args, args.seed_range());
    let mut json = args.json.as_ref().map(|path| Lines::create(path, &heading)).transpose()?;
    let junit = args.junit.as_ref().map(|path| Target::create("--junit", path)).transpose()?;
    let pages = args.report.as_deref().map(|folder| PageFolder::create(&job, folder)).transpose()?;
    let folder = SavedFolder::try_again(&job, &args)?;
    let report = sweep::sweep(&job, &args, heading, json.as_mut())?;
    // Write the files first: the reader of stdout may have gone, and then printing stops the command.
    let kept = folder.tidied(&job, &report.records);
    let is_written = sweep::is_written([
        json.map_or(Ok(()), |json| json.finish(&report)),
        junit.map_or(Ok(()), |file| junit::write(file, &report)),
        pages.map_or(Ok(()), |pages| pages.write(&job, &report)),
    ])?;
    sweep::tell(&report, args.github, &kept)?;
    if args.behaviours {
        terminal::print(behaviours::behaviours(&report))?;
    }
    Ok(sweep::exit_code(&report, if is_written { folder.exit() } else { ExitCode::from(USAGE) }))
}

/// Runs one seed.
fn one(args: &Run, job: Job, seed: Seed) -> Result<ExitCode, Stop> {
    let keep = &args.what.subject.keep;
    let is_news = if let Some(folder) = &args.report {
        let folder = PageFolder::create(&job, folder)?;
        let run = job.run(seed);
        let told = single::tell(&job, &run, !args.no_shrink, keep.folder().as_deref());
        let is_news = told.is_news;
        one_run::tell(&Labels::of(&job), args.github, told, "")?;
        folder.write_one(&job, &run, args.no_shrink)?;
        is_news
    } else {
        let mut desk = Desk::of(job, Some(keep), false)?;
        let told = match desk.ask(Request::RunSeed { seed: seed.0, shrinks: !args.no_shrink })? {
            Message::Told(told) => *told,
            other => return Err(unexpected(&other)),
        };
        let is_news = told.is_news;
        one_run::tell(&desk.labels, args.github, told, "")?;
        is_news
    };
    Ok(if is_news { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

/// Refuses combinations of flags that would do nothing.
fn refuse(args: &Run) -> Result<(), String> {
    files::refuse_same(&[("--json", args.json.as_deref()), ("--junit", args.junit.as_deref())])?;
    if args.prune && args.what.subject.keep.folder().is_none() {
        return Err("--prune removes kept failures, and none are kept here".into());
    }
    let (shard, count) = (args.shard(), args.seed_range().count);
    if shard.count(count) == 0 {
        return Err(format!(
            "shard {shard} has no seed: there can be no more shards than seeds, of which there are {count}"
        ));
    }
    Ok(())
}
