//! The command line.

use crate::guest_files::{GuestArg, GuestArgs};
use crate::schemas::SchemaArgs;
use crate::seeds::Seeds;
use crate::shard::Shard;
use crate::shard_env::{self, ChosenShard};
use crate::subject::{Keep, Own, SubjectArgs};
use crate::times::{duration, seconds, some_time};
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use wavetank_choice::strategy::Bound;
use wavetank_sim::{Profile, Seed, StrategyName};

/// Runs WebAssembly guests that speak Cap'n Proto RPC under a seed, and repeats any run exactly
#[derive(Parser)]
#[command(name = "wavetank", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Colour the output [default: auto: on a terminal; NO_COLOR and CLICOLOR_FORCE are heeded]
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true, hide_default_value = true)]
    pub(crate) color: ColorArg,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum ColorArg {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColorArg {
    /// Uses colours accordingly from now on.
    pub fn apply(self) {
        let choice = match self {
            ColorArg::Auto => anstream::ColorChoice::Auto,
            ColorArg::Always => anstream::ColorChoice::Always,
            ColorArg::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// The exit codes of all commands, for the end of the help text.
pub const EXIT_CODES: &str = "Exit codes: 0 nothing found, 1 a failure found, 2 wrong usage, 3 a replay that diverged;\n130 a search in one process was told twice to end, 141 nobody reads its output.";

/// A command and its arguments.
#[derive(Subcommand)]
pub enum Command {
    /// Runs a scenario, or a component of your own, under many seeds
    Run(Run),
    /// Repeats the run of a token, and prints its RPC frames
    Replay(Replay),
    /// Packs a saved failure with its guests and schemas into one file that `replay` takes anywhere
    Pack(Pack),
    /// Makes a failing run smaller, from its token or its file
    Shrink(Shrink),
    /// Writes a page about a run, from its token or its file: diagrams, every step, messages and output
    Report(Report),
    /// Runs every schedule of a scenario within a bound, one after the other, until one fails
    Exhaustive(Exhaustive),
    /// Merges the JSON lines of shards into the report of one sweep
    Merge(Merge),
    /// Mutates choices, guided by the coverage of earlier runs, until a run fails
    Fuzz(Fuzz),
    /// Lists scenarios, strategies and profiles
    List,
    /// Tells what is known of a fault of a library below
    Known(Known),
    /// Prints the interfaces, types and constants that schemas name
    Schema(Schema),
    /// Decodes a session that was captured anywhere: the bytes of its directions, or a pcap of its packets
    Decode(Decode),
    /// Compares a captured session with a snapshot, as insta does
    Snapshot(Snapshot),
    /// Compares two runs in causal order, and prints what differs first
    Diff(Diff),
    /// Prints the completion script of a shell
    Completions(Completions),
    /// Prints the manual page
    Man(Man),
    /// Runs seeds that arrive on stdin: `run` starts this command as a worker
    #[command(hide = true)]
    Worker(What),
}

/// The scenario or component to run, and how to draw its choices.
#[derive(clap::Args, Clone)]
pub struct What {
    /// Strategy that picks each next step: `wavetank list` names them all [default: that of the check, or portfolio]
    #[arg(long)]
    pub(crate) strategy: Option<StrategyName>,
    /// Profile of the strategy: calm, swarm, harsh, adversarial, or the path of a .toml file [default: that of the
    /// check, or swarm]
    #[arg(long)]
    pub(crate) profile: Option<Profile>,
    /// Repeat each run, and once more on wasmtime's interpreter, and compare the runs step by step
    #[arg(long)]
    pub(crate) canary: bool,
    #[command(flatten)]
    pub(crate) subject: SubjectArgs,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Run {
    #[command(flatten)]
    pub(crate) what: What,
    /// Run only this seed, in this process, and print its report
    #[arg(long, allow_hyphen_values = true, conflicts_with_all = ["seeds", "seed_from", "jobs", "json", "junit", "shard", "first", "time", "prune"])]
    pub(crate) seed: Option<Seed>,
    /// Run the seeds from A up to but not including B [default: 0..1000; all schedules for an exhaustive search]
    #[arg(long, value_name = "A..B", allow_hyphen_values = true)]
    pub(crate) seeds: Option<Seeds>,
    /// Derive the first seed from this text, such as a commit hash
    #[arg(long, value_name = "STRING", value_parser = some_text)]
    pub(crate) seed_from: Option<String>,
    /// Number of worker processes [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Write one line of JSON for each seed, in order, and a summary, to a file; `-` is stdout, and the report then
    /// goes to stderr
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the failures as JUnit XML to a file; `-` is stdout, and the report then goes to stderr
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write a page about the sweep, index.html, and one about each distinct failure into a folder
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// Print an annotation for each distinct failure in the format of GitHub Actions [default: only if it runs there]
    #[arg(long)]
    pub(crate) github: bool,
    /// Run every nth seed, starting with the ith, as 2/3: `wavetank merge` merges the shards. `env` reads the shard from
    /// the variables of Kubernetes, Slurm, GitLab or Buildkite; env/N states the total, for a task that is submitted
    /// again or for HyperQueue
    #[arg(
        long,
        value_name = "I/N|env|env/N",
        default_value = "1/1",
        value_parser = shard_env::chosen,
        conflicts_with = "first",
        hide_default_value = true
    )]
    pub(crate) shard: ChosenShard,
    /// Give up a worker that is silent for this long in the middle of a world, as 60s or 10m
    #[arg(long, value_name = "TIME", value_parser = some_time, default_value = "60s")]
    pub(crate) hang_after: Duration,
    /// Stop at the first failure
    #[arg(long)]
    pub(crate) first: bool,
    /// Print each behaviour with the token of a seed that shows it, for `wavetank diff`
    #[arg(long, conflicts_with = "seed")]
    pub(crate) behaviours: bool,
    /// Do not shrink failures
    #[arg(long)]
    pub(crate) no_shrink: bool,
    /// Remove saved failures of this scenario that no longer fail
    #[arg(long)]
    pub(crate) prune: bool,
    /// Stop after this time, as 30s, 10m or 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) time: Option<Duration>,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Exhaustive {
    /// The most preemptions in one schedule: turns taken from somebody who could go on [default: 2]
    #[arg(long, value_name = "N", conflicts_with = "all")]
    pub(crate) preemptions: Option<u32>,
    /// The most delays in one schedule: moves passed over [default: no bound]
    #[arg(long, value_name = "N", conflicts_with = "all")]
    pub(crate) delays: Option<u32>,
    /// No bound at all
    #[arg(long)]
    pub(crate) all: bool,
    /// Stop after this many schedules
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) runs: Option<u64>,
    /// Stop after this time, as 30s, 10m or 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) time: Option<Duration>,
    /// Seed of hash keys and of guests' random bytes
    #[arg(long, default_value = "0", allow_hyphen_values = true)]
    pub(crate) seed: Seed,
    /// Do not shrink the failure
    #[arg(long)]
    pub(crate) no_shrink: bool,
    /// Print an annotation in the format of GitHub Actions [default: only if it runs there]
    #[arg(long)]
    pub(crate) github: bool,
    #[command(flatten)]
    pub(crate) subject: SubjectArgs,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Known {
    /// The fault, as K6 [default: a line for each]
    pub(crate) id: Option<String>,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Schema {
    /// A .cgr file, as `capnp compile -o- x.capnp > x.cgr` makes it, or a folder of them
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// The files of a captured session.
#[derive(clap::Args, Clone)]
pub(crate) struct Capture {
    /// The bytes that the client sent; `-` is stdin
    #[arg(long, value_name = "FILE", required_unless_present_any = ["server", "pcap"])]
    pub(crate) client: Option<PathBuf>,
    /// The bytes that the server sent; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) server: Option<PathBuf>,
    /// The packets of a TCP connection, as pcap or pcapng
    #[arg(long, value_name = "FILE", conflicts_with_all = ["client", "server"])]
    pub(crate) pcap: Option<PathBuf>,
    /// The TCP stream, if the pcap holds more than one: without this they are listed
    #[arg(long, value_name = "N", requires = "pcap")]
    pub(crate) stream: Option<usize>,
    /// The bytes are packed [default: detected, for each direction]
    #[arg(long, conflicts_with = "unpacked")]
    pub(crate) packed: bool,
    /// The bytes are not packed
    #[arg(long)]
    pub(crate) unpacked: bool,
    #[command(flatten)]
    pub(crate) schema: SchemaArgs,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Decode {
    #[command(flatten)]
    pub(crate) capture: Capture,
    /// The format of the output
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: DecodeFormat,
    /// Print long values whole, and the content of Data; JSON always holds them
    #[arg(long)]
    pub(crate) whole: bool,
    /// Print the calls and their results, without ids or order
    #[arg(long)]
    pub(crate) calls: bool,
}

/// A format of decoded sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DecodeFormat {
    /// A line for each message
    #[default]
    Text,
    /// A JSON object on a line for each message, with all fields
    Json,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Snapshot {
    #[command(flatten)]
    pub(crate) capture: Capture,
    /// The name of the snapshot; its file is FOLDER/NAME.snap
    #[arg(long)]
    pub(crate) name: String,
    /// The folder of the snapshots
    #[arg(long, value_name = "DIR", default_value = "snapshots")]
    pub(crate) folder: PathBuf,
    /// Compare the calls and their results, without ids or order, instead of the messages
    #[arg(long)]
    pub(crate) calls: bool,
    /// Leave out the value that a path leads to, as Shop.order.id or Shop.order.id=[id]; may be given several times
    #[arg(long, value_name = "PATH")]
    pub(crate) redact: Vec<String>,
    /// What to write if the session is another
    #[arg(long, value_enum, value_name = "WHEN", env = "INSTA_UPDATE", default_value_t)]
    pub(crate) update: UpdateArg,
    /// Whether this runs in CI, where `--update auto` writes nothing
    #[arg(long, env = "CI", hide = true)]
    pub(crate) ci: Option<String>,
}

/// What to write if a snapshot differs: the values of insta's INSTA_UPDATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum UpdateArg {
    /// NAME.snap.new, but nothing in CI
    #[default]
    Auto,
    /// NAME.snap.new
    New,
    /// The snapshot itself
    Always,
    /// The snapshot itself if there was none, else NAME.snap.new
    Unseen,
    /// Nothing
    No,
    /// The snapshot itself, even if it is the same
    Force,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Diff {
    /// A token, the .toml file of a saved failure, or SCENARIO:SEED for a run that a seed draws
    #[arg(value_name = "RUN")]
    pub(crate) one: String,
    /// The run to compare it with
    #[arg(value_name = "RUN")]
    pub(crate) other: String,
    #[command(flatten)]
    pub(crate) own: Own,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Merge {
    /// The files that `wavetank run --shard I/N --json FILE` wrote, in any order
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Write the lines that a single sweep would have written to a file; `-` is stdout, and the report then goes to
    /// stderr
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the failures as JUnit XML to a file; `-` is stdout, and the report then goes to stderr
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Print an annotation for each distinct failure in the format of GitHub Actions [default: only if it runs there]
    #[arg(long)]
    pub(crate) github: bool,
}

#[derive(clap::Args, Clone)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Replay {
    /// The token, as printed after `replay:`, the .toml file of a saved failure, or a pack of `wavetank pack`
    pub(crate) token: String,
    /// Print the RPC calls and their results, without ids or order
    #[arg(long)]
    pub(crate) calls: bool,
    /// Print the RPC frames of each link (the default output)
    #[arg(long)]
    pub(crate) frames: bool,
    /// Print each move and its effects
    #[arg(long)]
    pub(crate) steps: bool,
    /// Repeat the run, and once more on wasmtime's interpreter, and compare the runs step by step
    #[arg(long)]
    pub(crate) canary: bool,
    /// Stop after this step (0: before the first) and print the state of the world
    #[arg(long, value_name = "STEP", conflicts_with_all = ["calls", "frames", "steps", "canary"])]
    pub(crate) until: Option<u64>,
    /// Run the same choices with another component in place of a guest, named as in `guests/built` or by its cell, and
    /// print the differences; for the token of a run with such a component, the component of that run
    #[arg(long = "guest", value_name = "NAME=FILE")]
    pub(crate) guests: Vec<GuestArg>,
    #[command(flatten)]
    pub(crate) own: Own,
}

#[derive(clap::Args, Clone)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Report {
    /// The token, as printed after `replay:`, or the .toml file of a saved failure
    pub(crate) token: String,
    /// Write the page to this file: one HTML file, which needs no network; `-` is stdout
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["mermaid", "perfetto"])]
    pub(crate) output: Option<PathBuf>,
    /// Write a sequence diagram in the language of Mermaid to this file; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) mermaid: Option<PathBuf>,
    /// Write a trace for ui.perfetto.dev to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) perfetto: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) own: Own,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Pack {
    /// The .toml file of a saved failure
    pub(crate) file: String,
    /// Write the pack to this file; `-` is stdout [default: the name of the failure, with .tar.zst, in this folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) own: Own,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Shrink {
    /// The token, as printed after `replay:`, or the .toml file of a saved failure
    pub(crate) token: String,
    /// Maximum number of runs
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = count)]
    pub(crate) runs: u64,
    /// Stop after this time, as 30s, 10m or 2h
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration)]
    pub(crate) time: Duration,
    #[command(flatten)]
    pub(crate) guests: GuestArgs,
    #[command(flatten)]
    pub(crate) keep: Keep,
    #[command(flatten)]
    pub(crate) own: Own,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Fuzz {
    /// Stop after this many seconds, or after a time as 30s, 10m or 2h
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds, conflicts_with = "runs")]
    pub(crate) seconds: Duration,
    /// Stop after this many runs: the same seed gives the same runs
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) runs: Option<u64>,
    /// Folder of the corpus, one small file for each case; the cases already there run first
    #[arg(long, value_name = "DIR")]
    pub(crate) corpus: Option<PathBuf>,
    /// Seed of the whole campaign
    #[arg(long, default_value = "0", allow_hyphen_values = true)]
    pub(crate) seed: Seed,
    /// Profile of the draws: calm, swarm, harsh, adversarial, or the path of a .toml file
    #[arg(long, default_value_t)]
    pub(crate) profile: Profile,
    /// At the end, reduce the corpus to the cases that are needed for the same coverage
    #[arg(long, requires = "corpus")]
    pub(crate) minimise: bool,
    /// Go on after a failure, and report each distinct failure once
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Give up a run that says nothing for this long, as 60s or 10m
    #[arg(long, value_name = "TIME", value_parser = some_time, default_value = "60s")]
    pub(crate) hang_after: Duration,
    #[command(flatten)]
    pub(crate) subject: SubjectArgs,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Man {
    /// Write the pages of all commands into this folder instead
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Number of seeds of a sweep if the user gives none.
const USUAL_SEEDS: u64 = 1_000;

impl Run {
    /// The shard to run.
    pub(crate) fn shard(&self) -> Shard {
        self.shard.shard
    }

    /// The seeds that the user asked for.
    pub(crate) fn seed_range(&self) -> Seeds {
        let seeds = self.seeds.unwrap_or(Seeds { start: 0, count: USUAL_SEEDS });
        self.seed_from.as_ref().map_or(seeds, |text| seeds.counted_from(text))
    }
}

impl Exhaustive {
    /// The bound of the search. Two preemptions if the user gives none, because most bugs need no more.
    pub(crate) fn bound(&self) -> Bound {
        match (self.preemptions, self.delays) {
            _ if self.all => Bound { preemptions: None, delays: None },
            (None, None) => Bound::default(),
            (preemptions, delays) => Bound { preemptions, delays },
        }
    }

    /// The scenario to run, in the form that the other commands use.
    pub(crate) fn what(&self) -> What {
        let strategy = Some(StrategyName::Exhaustive(self.bound()));
        What { strategy, profile: Some(Profile::calm()), canary: false, subject: self.subject.clone() }
    }
}

impl Fuzz {
    /// The scenario to run, in the form that the other commands use.
    pub(crate) fn what(&self) -> What {
        let profile = Some(self.profile.clone());
        What { strategy: None, profile, canary: false, subject: self.subject.clone() }
    }
}

/// Parses a number from 1 on.
///
/// # Errors
/// A message for the user.
pub fn count(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|&count| count > 0);
    count.ok_or_else(|| format!("not a number from 1 on: {text:?}"))
}

/// A text that is not empty. A variable that is not set would give an empty one.
fn some_text(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it is empty: is there such a variable?".into()) } else { Ok(text.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
