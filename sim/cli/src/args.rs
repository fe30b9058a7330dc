//! The command line.

use crate::called;
use crate::schemas::SchemaArgs;
use clap::{Parser, Subcommand, ValueEnum};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use wavetank_choice::nearest::did_you_mean;
use wavetank_choice::strategy::Bound;
use wavetank_sim::oracle::{Oracle, SwitchedOff, UnknownOracle};
use wavetank_sim::saved;
use wavetank_sim::{Profile, Seed, StrategyName, Transport};

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
    /// Makes a failing run smaller, from its token or its file
    Shrink(Shrink),
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
    /// A scenario (`wavetank list` names them), or the path of a component that runs as pid0
    #[arg(default_value = "pid0")]
    pub(crate) scenario: String,
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
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) without: WithoutArgs,
    #[command(flatten)]
    pub(crate) schema: SchemaArgs,
    #[command(flatten)]
    pub(crate) keep: Keep,
    /// Arguments for a component of your own
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
}

/// Oracles that are switched off.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct WithoutArgs {
    /// Switch an oracle off, as resources="std keeps its handles"; the report prints the reason
    #[arg(long = "without", value_name = "ORACLE=REASON", value_parser = switched_off)]
    off: Vec<(Oracle, String)>,
}

impl WithoutArgs {
    /// The switched-off oracles in the form that a setup takes.
    pub(crate) fn setting(&self) -> SwitchedOff {
        self.off.iter().map(|(oracle, reason)| (*oracle, reason.as_str().into())).collect()
    }

    /// The name of each oracle that is switched off, with the reason.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        self.off.iter().map(|(oracle, reason)| (oracle.to_string(), reason.clone())).collect()
    }

    /// The arguments that switch the same oracles off again.
    pub(crate) fn words(&self) -> Vec<String> {
        let word = |(oracle, reason): &(Oracle, String)| format!("{oracle}={reason}");
        self.off.iter().flat_map(|off| ["--without".to_string(), word(off)]).collect()
    }
}

fn switched_off(text: &str) -> Result<(Oracle, String), String> {
    let wrong = || format!("not ORACLE=REASON: {text:?} (as resources=\"std keeps its handles\")");
    let (oracle, reason) = text.split_once('=').ok_or_else(wrong)?;
    let oracle = oracle.parse().map_err(|e: UnknownOracle| {
        let suggestion = did_you_mean(&e.name, Oracle::all().map(Oracle::name));
        format!("{e}{suggestion}")
    })?;
    if reason.trim().is_empty() {
        return Err(format!("say why {oracle} is switched off: {oracle}=\"the reason\""));
    }
    Ok((oracle, reason.into()))
}

/// How the RPC of a component of the user's own runs.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct How {
    /// Transport of the RPC of a component of your own [default: a connection if it imports wetware:streams, else
    /// stdio]
    #[arg(long, value_enum)]
    pub(crate) transport: Option<TransportArg>,
    /// Fail if a component of your own makes no RPC call that is answered
    #[arg(long)]
    pub(crate) expect_rpc: bool,
}

impl How {
    /// Whether any option was given.
    pub(crate) fn is_given(&self) -> bool {
        *self != How::default()
    }

    /// The flags of these options, as on a command line.
    pub(crate) fn flags(&self) -> Vec<&'static str> {
        let mut flags = match self.transport {
            None => Vec::new(),
            Some(TransportArg::Connection) => vec!["--transport", "connection"],
            Some(TransportArg::Stdio) => vec!["--transport", "stdio"],
        };
        if self.expect_rpc {
            flags.push("--expect-rpc");
        }
        flags
    }
}

/// Where failures are saved.
#[derive(clap::Args, Clone)]
pub(crate) struct Keep {
    /// Save failures in this folder [default: the value of WAVETANK_FAILURES, or wavetank-failures]
    #[arg(long, value_name = "DIR")]
    pub(crate) failures: Option<PathBuf>,
    /// Save no failures, and do not retry saved ones
    #[arg(long, conflicts_with = "failures")]
    pub(crate) no_keep: bool,
}

/// The transport of a component's RPC.
#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
pub(crate) enum TransportArg {
    /// Over wetware:streams; stdin and stdout are the guest's own
    Connection,
    /// Over stdin and stdout, even if the guest also writes other text there
    Stdio,
}

impl From<Transport> for TransportArg {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Connection => TransportArg::Connection,
            Transport::Stdio => TransportArg::Stdio,
        }
    }
}

impl From<TransportArg> for Transport {
    fn from(arg: TransportArg) -> Self {
        match arg {
            TransportArg::Connection => Transport::Connection,
            TransportArg::Stdio => Transport::Stdio,
        }
    }
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
    /// Print an annotation for each distinct failure in the format of GitHub Actions [default: only if it runs there]
    #[arg(long)]
    pub(crate) github: bool,
    /// Run every nth seed, starting with the ith, as 2/3: `wavetank merge` merges the shards
    #[arg(
        long,
        value_name = "I/N",
        default_value = "1/1",
        conflicts_with = "first",
        hide_default_value = true
    )]
    pub(crate) shard: Shard,
    /// Give up a worker that is silent for this long in the middle of a world, as 60s or 10m
    #[arg(long, value_name = "TIME", value_parser = some_time, default_value = "60s")]
    pub(crate) hang_after: Duration,
    /// Stop at the first failure
    #[arg(long)]
    pub(crate) first: bool,
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
    /// A scenario (`wavetank list` names them), or the path of a component that runs as pid0
    #[arg(default_value = "pid0")]
    pub(crate) scenario: String,
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
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) without: WithoutArgs,
    #[command(flatten)]
    pub(crate) schema: SchemaArgs,
    #[command(flatten)]
    pub(crate) keep: Keep,
    /// Arguments for a component of your own
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
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
    /// The token, as printed after `replay:`, or the .toml file of a saved failure
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
    #[arg(long, value_name = "STEP", conflicts_with_all = ["calls", "frames", "steps", "canary", "guest"])]
    pub(crate) until: Option<u64>,
    /// Run the same choices with another component in place of a guest, named as in `guests/built` or by its cell, and
    /// print the differences
    #[arg(long, value_name = "NAME=FILE", conflicts_with = "canary")]
    pub(crate) guest: Option<String>,
    #[command(flatten)]
    pub(crate) own: Own,
}

/// The component of the user's own that a token refers to.
#[derive(clap::Args, Clone)]
pub(crate) struct Own {
    /// The component, if the token refers to one of your own
    #[arg(long, value_name = "FILE")]
    pub(crate) wasm: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) without: WithoutArgs,
    #[command(flatten)]
    pub(crate) schema: SchemaArgs,
    /// Arguments for that component
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
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
    pub(crate) keep: Keep,
    #[command(flatten)]
    pub(crate) own: Own,
}

#[derive(clap::Args)]
#[expect(missing_docs, reason = "a doc comment here would become help text")]
pub struct Fuzz {
    /// A scenario (`wavetank list` names them), or the path of a component that runs as pid0
    #[arg(default_value = "pid0")]
    pub(crate) scenario: String,
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
    pub(crate) without: WithoutArgs,
    #[command(flatten)]
    pub(crate) schema: SchemaArgs,
    #[command(flatten)]
    pub(crate) keep: Keep,
    #[command(flatten)]
    pub(crate) how: How,
    /// Arguments for a component of your own
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
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

/// One of `of` shards: every `of`th seed, from the `index`th on, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shard {
    pub(crate) index: u64,
    pub(crate) of: u64,
}

impl Shard {
    /// How many of the first `places` places belong to this shard.
    pub(crate) fn count(self, places: u64) -> u64 {
        places / self.of + u64::from(places % self.of >= self.index)
    }

    /// The `nth` place of this shard, among the places of all shards.
    pub(crate) fn place(self, nth: u64) -> u64 {
        nth * self.of + self.index - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("not a shard: {text:?} (write I/N with I from 1 to N, as 2/3)");
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let (index, of) = (index.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
        if (1..=of).contains(&index) && of <= MAX_SHARDS { Ok(Shard { index, of }) } else { Err(wrong()) }
    }
}

/// Number of seeds of a sweep if the user gives none.
const USUAL_SEEDS: u64 = 1_000;

impl Run {
    /// The seeds that the user asked for.
    pub(crate) fn seed_range(&self) -> Seeds {
        let seeds = self.seeds.unwrap_or(Seeds { start: 0, count: USUAL_SEEDS });
        self.seed_from.as_ref().map_or(seeds, |text| seeds.counted_from(text))
    }
}

impl Keep {
    /// The chosen folder; `None` if nothing is to be saved.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        if self.no_keep { None } else { saved::folder(self.failures.clone(), called::failures_base()) }
    }
}

impl Own {
    /// Whether the user said anything about the component.
    pub(crate) fn is_given(&self) -> bool {
        self.wasm.is_some() || self.says_how()
    }

    /// Whether the user said how the component runs.
    pub(crate) fn says_how(&self) -> bool {
        self.how.is_given() || !self.args.is_empty()
    }
}

/// More shards than anybody has machines.
const MAX_SHARDS: u64 = 10_000;

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
        What {
            scenario: self.scenario.clone(),
            strategy: Some(StrategyName::Exhaustive(self.bound())),
            profile: Some(Profile::calm()),
            canary: false,
            keep: self.keep.clone(),
            without: self.without.clone(),
            schema: self.schema.clone(),
            how: self.how.clone(),
            args: self.args.clone(),
        }
    }
}

impl Fuzz {
    /// The scenario to run, in the form that the other commands use.
    pub(crate) fn what(&self) -> What {
        What {
            scenario: self.scenario.clone(),
            strategy: None,
            profile: Some(self.profile.clone()),
            canary: false,
            keep: self.keep.clone(),
            without: self.without.clone(),
            schema: self.schema.clone(),
            how: self.how.clone(),
            args: self.args.clone(),
        }
    }
}

/// A range of `count` seeds from `start` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seeds {
    pub(crate) start: u64,
    pub(crate) count: u64,
}

impl Seeds {
    /// The seed of a place. Seeds wrap around at the largest number.
    pub(crate) fn at(self, place: u64) -> Seed {
        Seed(self.start.wrapping_add(place))
    }

    /// The same range, shifted by a number made of `text`. The number is below 2^52, so that seeds are exact even if a
    /// reader of the JSON uses 64-bit floats.
    pub(crate) fn counted_from(self, text: &str) -> Self {
        let digest = Sha256::digest(text);
        let base = u64::from_le_bytes(*digest.first_chunk().expect("32 bytes begin with 8")) >> 12;
        Seeds { start: self.start.wrapping_add(base), ..self }
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("not a range of seeds: {text:?} (write A..B with A below B, as 0..100)");
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let (from, to): (Seed, Seed) = (from.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?);
        if from < to { Ok(Seeds { start: from.0, count: to.0 - from.0 }) } else { Err(wrong()) }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("not a time: {text:?} (write a number and s, m or h, as 30s, 10m or 2h)");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds_each = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds_each)))
}

/// A time above zero.
fn some_time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() { Err("no time at all: write 1s or more".into()) } else { Ok(time) }
}

/// A time above zero, in seconds if it has no unit.
fn seconds(text: &str) -> Result<Duration, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { some_time(&format!("{text}s")) } else { some_time(text) }
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

    #[test]
    fn times_and_ranges() {
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        for text in ["", "m", "10", "-1s", "1 h"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!("5..8".parse(), Ok(Seeds { start: 5, count: 3 }));
        for text in ["", "5", "8..5", "5..5", "a..b", "1..2..3"] {
            assert!(text.parse::<Seeds>().is_err(), "{text}");
        }
    }

    #[test]
    fn shards_deal_every_place_once() {
        for (places, of) in [(0, 3), (1, 3), (10, 3), (12, 4), (5, 1), (2, 7)] {
            let shards = (1..=of).map(|index| Shard { index, of });
            let mut dealt: Vec<u64> =
                shards.flat_map(|s| (0..s.count(places)).map(move |nth| s.place(nth))).collect();
            dealt.sort_unstable();
            assert_eq!(dealt, (0..places).collect::<Vec<_>>(), "{places} in {of}");
        }
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, of: 3 }));
        for text in ["", "0/3", "4/3", "1", "a/b", "1/0", "1/99999999999"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_names_the_same_seeds_again() {
        let seeds = Seeds { start: 0, count: 10 };
        assert_eq!(seeds.counted_from("a1b2c3"), seeds.counted_from("a1b2c3"));
        assert_ne!(seeds.counted_from("a1b2c3"), seeds.counted_from("a1b2c4"));
        let bases = (0..1_000).map(|text: u32| seeds.counted_from(&text.to_string()).start);
        assert!(bases.max().is_some_and(|base| (1 << 51..1 << 52).contains(&base)));
    }
}
