//! The `wavetank` command with all scenarios of this repository, and the bug benchmark.

mod benchmark;
mod reports;

use benchmark::BugsArgs;
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;
use wavetank_cli::{Binary, Catalogue, ColorArg, Group, args};
use wavetank_lab::{guests, scenario};

/// Runs WebAssembly guests that speak Cap'n Proto RPC under a seed, and repeats any run exactly
#[derive(Parser)]
#[command(name = "wavetank", version, after_help = args::EXIT_CODES)]
struct Args {
    /// Colour the output [default: auto: on a terminal; NO_COLOR and CLICOLOR_FORCE are heeded]
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true, hide_default_value = true)]
    color: ColorArg,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    OfUsers(Box<wavetank_cli::Command>),
    /// Measures how soon each strategy finds each case of the bug benchmark; exits with 1 if a target is missed or a mended twin fails
    Bugs(BugsArgs),
}

fn main() -> ExitCode {
    let args = Args::parse();
    args.color.apply();
    wavetank_cli::ended(match args.command {
        Command::Bugs(bugs) => benchmark::bugs(&bugs),
        Command::OfUsers(command) => wavetank_cli::run(*command, &catalogue()),
    })
}

/// The scenarios of this repository, for a command.
fn catalogue() -> Catalogue {
    let scenarios = Group {
        heading: "scenarios",
        noun: "scenario",
        prefix: "",
        scenarios: scenario::all().copied().collect(),
    };
    let bugs = Group {
        heading: "bugs, each with its mended twin: add -mended to its name",
        noun: "case of the bug benchmark",
        prefix: "bug-",
        scenarios: scenario::of_bugs().to_vec(),
    };
    let binary = Binary { package: env!("CARGO_PKG_NAME"), folder: env!("CARGO_MANIFEST_DIR") };
    Catalogue {
        binary,
        command_line: Args::command,
        checks: Vec::new(),
        driven: Vec::new(),
        groups: vec![scenarios, bugs],
        guests: guests::all().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
