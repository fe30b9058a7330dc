//! The `wavetank` command, for any set of scenarios.
//!
//! A binary hands its [`Catalogue`] to [`main`]. A binary with commands of its own parses its arguments itself, with
//! [`Command`] flattened into its own subcommands, and calls [`run`].

// All output goes through `terminal`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod annotate;
pub mod args;
mod behaviours;
mod called;
mod cargo;
mod catalogue;
mod checks;
mod completions;
mod component;
mod decode;
mod desk;
mod diff;
mod driven;
mod exhaustive;
mod exit_code;
pub mod files;
mod fuzz;
mod guest_files;
mod heading;
mod job;
mod json_lines;
mod junit;
mod known;
mod man;
mod merge;
mod one_run;
mod pack;
mod pack_file;
mod page;
mod pool;
pub mod progress;
mod replay;
mod report;
mod run;
mod saved_failures;
mod schemas;
mod seeds;
mod shard;
mod shard_env;
mod shrink;
mod signals;
mod subject;
mod sweep;
mod sweep_page;
pub mod terminal;
mod times;
mod without;
mod worker;

use args::Args;
pub use args::{ColorArg, Command};
pub use cargo::main as cargo_main;
pub use catalogue::{Binary, Catalogue, Group};
pub use checks::checks_main;
use clap::Parser;
pub use driven::DrivenCheck;
use exit_code::UNREAD;
pub use exit_code::{FOUND, USAGE};
use std::process::ExitCode;
use std::sync::Arc;
use terminal::Stop;
use wavetank::{Engine, EngineConfig};
use wavetank_sim::hashkeys;

/// Parses the command line of this process and runs its command.
pub fn main(catalogue: Catalogue) -> ExitCode {
    let args = Args::parse();
    args.color.apply();
    ended(run(args.command, &catalogue))
}

/// Runs a command.
///
/// # Errors
/// [`Stop`] if the command ends before it has an exit code of its own.
pub fn run(command: Command, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    job::note_call(catalogue);
    carry_out(command, catalogue)
}

/// Runs a command, once it is known how this process was called.
fn carry_out(command: Command, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    match command {
        Command::Run(args) => run::run(args, catalogue),
        Command::Exhaustive(args) => exhaustive::run(&args, catalogue),
        Command::Pack(args) => pack::pack(&args, catalogue),
        Command::Replay(args) if pack_file::is_pack(args.token.as_ref()) => pack::replay(&args, catalogue),
        Command::Replay(args) => replay::replay(&args, catalogue),
        Command::Report(args) => page::report(&args, catalogue),
        Command::Shrink(args) => shrink::shrink(&args, catalogue),
        Command::Merge(merge) => merge::merge(&merge),
        Command::Fuzz(args) => fuzz::fuzz(&args, catalogue),
        Command::List => terminal::print(report::list(catalogue)).map(|()| ExitCode::SUCCESS),
        Command::Known(args) => known::known(&args).map(|()| ExitCode::SUCCESS),
        Command::Schema(args) => schemas::print(&args.files).map(|()| ExitCode::SUCCESS),
        Command::Decode(args) => decode::decode(&args),
        Command::Snapshot(args) => decode::snapshot(&args),
        Command::Diff(args) => diff::diff(&args, catalogue),
        Command::Completions(args) => completions::completions(&args, catalogue).map(|()| ExitCode::SUCCESS),
        Command::Man(args) => man::man(&args, catalogue).map(|()| ExitCode::SUCCESS),
        Command::Worker(what) => worker::work(&what, catalogue),
    }
}

/// The exit code of a command that has ended. Prints its error, if it has one.
pub fn ended(ended: Result<ExitCode, Stop>) -> ExitCode {
    match ended {
        Ok(code) => code,
        Err(Stop::Unread) => ExitCode::from(UNREAD),
        Err(Stop::Told(message)) => {
            terminal::warn(message);
            ExitCode::from(USAGE)
        }
    }
}

/// The engine of this process. It caches compiled guests on disk for the next process.
///
/// # Errors
/// A message for the user if wasmtime cannot be set up.
pub fn engine() -> Result<Arc<Engine>, String> {
    if !hashkeys::effective() {
        terminal::warn("hash keys do not follow the seed on this system: a seed may not repeat exactly");
    }
    Engine::new(&EngineConfig { cache: true, ..EngineConfig::default() }).map_err(|e| e.to_string())
}
