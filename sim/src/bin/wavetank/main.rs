//! The `wavetank` command.

mod account;
mod again;
mod annotate;
mod args;
mod bugs;
mod exhaust;
mod fuzz;
mod job;
mod junit;
mod kept;
mod lines;
mod merge;
mod progress;
mod replay;
mod report;
mod shrink;
mod sweep;
mod worker;

use args::{Args, Command};
use clap::Parser;
use std::process::ExitCode;
use std::sync::Arc;
use wavetank::{Engine, EngineConfig};
use wavetank_sim::hashkeys;

/// A failure was found.
const FOUND: u8 = 1;
/// Wrong usage.
const USAGE: u8 = 2;
/// A replay left its track.
const DIVERGED: u8 = 3;

fn main() -> ExitCode {
    let ended = match Args::parse().command {
        Command::Run(run) => sweep::run(run),
        Command::Replay(replay) => replay::replay(&replay),
        Command::Shrink(args) => shrink::shrink(&args),
        Command::Merge(merge) => merge::merge(&merge),
        Command::Fuzz(args) => fuzz::fuzz(&args),
        Command::List => {
            report::list();
            Ok(ExitCode::SUCCESS)
        }
        Command::Bugs(args) => bugs::bugs(&args),
        Command::Worker(what) => worker::work(&what),
    };
    ended.unwrap_or_else(|message| {
        eprintln!("wavetank: {message}");
        ExitCode::from(USAGE)
    })
}

/// The engine of this process. Compiled guests are kept on disk for the next.
fn engine() -> Result<Arc<Engine>, String> {
    if !hashkeys::effective() {
        eprintln!("wavetank: hash keys do not follow the seed on this system: a seed may not repeat exactly");
    }
    Engine::new(&EngineConfig { cache: true, ..EngineConfig::default() }).map_err(|e| e.to_string())
}
