//! The `wavetank` command.

// All output goes through `out`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod account;
mod again;
mod annotate;
mod args;
mod bugs;
mod exhaust;
mod files;
mod fuzz;
mod job;
mod junit;
mod kept;
mod lines;
mod merge;
mod order;
mod out;
mod progress;
mod replay;
mod report;
mod reports;
mod shrink;
mod sweep;
mod words;
mod worker;

use args::{Args, Command};
use clap::Parser;
use out::Stop;
use std::process::ExitCode;
use std::sync::Arc;
use wavetank::{Engine, EngineConfig};
use wavetank_sim::hashkeys;

/// A failure was found.
const FOUND: u8 = 1;
/// Wrong usage.
const USAGE: u8 = 2;
/// A replay diverged.
const DIVERGED: u8 = 3;
/// Nobody reads the output any more: 128 plus SIGPIPE, as shells report a process that this signal ended.
const UNREAD: u8 = 141;

fn main() -> ExitCode {
    let args = Args::parse();
    anstream::ColorChoice::from(args.color).write_global();
    let ended = match args.command {
        Command::Run(run) => sweep::run(run),
        Command::Replay(replay) => replay::replay(&replay),
        Command::Shrink(args) => shrink::shrink(&args),
        Command::Merge(merge) => merge::merge(&merge),
        Command::Fuzz(args) => fuzz::fuzz(&args),
        Command::List => out::print(report::list()).map(|()| ExitCode::SUCCESS),
        Command::Bugs(args) => bugs::bugs(&args),
        Command::Worker(what) => worker::work(&what),
    };
    match ended {
        Ok(code) => code,
        Err(Stop::Unread) => ExitCode::from(UNREAD),
        Err(Stop::Told(message)) => {
            out::warn(message);
            ExitCode::from(USAGE)
        }
    }
}

/// The engine of this process. It caches compiled guests on disk for the next process.
fn engine() -> Result<Arc<Engine>, String> {
    if !hashkeys::effective() {
        out::warn("hash keys do not follow the seed on this system: a seed may not repeat exactly");
    }
    Engine::new(&EngineConfig { cache: true, ..EngineConfig::default() }).map_err(|e| e.to_string())
}
