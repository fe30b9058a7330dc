//! `cargo wavetank`: builds the test targets of a project, and hands a command to the one that holds its checks.
//!
//! Like nextest, it learns from cargo's JSON messages which executables there are. It asks each of them for its checks.
//! Everything else happens in that executable; see [`checks_main`](crate::checks_main).

use crate::checks::{CALLED_AS, LIST, listed};
use crate::exit_code::USAGE;
use crate::terminal;
use clap::Parser;
use serde::Deserialize;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use wavetank_choice::nearest::did_you_mean;
use wavetank_sim::{Token, saved, shell};

/// Runs the checks of this project with the whole tool
#[derive(Parser)]
#[command(name = "cargo wavetank", bin_name = "cargo wavetank", version, after_help = AFTER)]
struct Args {
    /// Package that holds the checks [default: all that cargo tests here]
    #[arg(short, long, value_name = "SPEC")]
    package: Vec<String>,
    /// Test target that holds the checks [default: all]
    #[arg(long, value_name = "NAME")]
    test: Vec<String>,
    /// Build in release mode: sweeps of guests that compute much are faster
    #[arg(short, long)]
    release: bool,
    /// Build with this profile
    #[arg(long, value_name = "NAME", conflicts_with = "release")]
    profile: Option<String>,
    /// Features to build with
    #[arg(short = 'F', long, value_name = "LIST")]
    features: Vec<String>,
    /// Build with all features
    #[arg(long)]
    all_features: bool,
    /// Build without default features
    #[arg(long)]
    no_default_features: bool,
    /// Path to Cargo.toml
    #[arg(long, value_name = "FILE")]
    manifest_path: Option<PathBuf>,
    /// A command of wavetank and its arguments, as: run NAME --seeds 0..1000
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

const AFTER: &str = "`cargo wavetank list` lists the checks, `cargo wavetank help` the commands.";

/// A test executable with the names of its checks.
struct Holder {
    executable: PathBuf,
    /// The folder of its package.
    folder: PathBuf,
    checks: Vec<String>,
}

/// Parses the command line of `cargo wavetank`, and runs the command.
pub fn main() -> ExitCode {
    // Cargo passes the name of the subcommand on.
    let words = std::env::args_os().enumerate().filter(|(at, word)| !(*at == 1 && word == "wavetank"));
    let args = Args::parse_from(words.map(|(_, word)| word));
    match run(&args) {
        Ok(code) => code,
        Err(message) => {
            terminal::warn(message);
            ExitCode::from(USAGE)
        }
    }
}

fn run(args: &Args) -> Result<ExitCode, String> {
    let holders = holders(args)?;
    if holders.is_empty() {
        return Err(
            "no test target here holds checks: make one with `harness = false` and wavetank_cli::checks!"
                .into(),
        );
    }
    let called_as = ["cargo".to_string(), "wavetank".into()].into_iter().chain(args.cargo_words());
    let called_as: Vec<String> = called_as.collect();
    let mut code = ExitCode::SUCCESS;
    for holder in chosen(&holders, &args.command)? {
        let mut command = Command::new(&holder.executable);
        command
            .args(&args.command)
            .env(CALLED_AS, shell::words(&called_as))
            .env("CARGO_MANIFEST_DIR", &holder.folder);
        let status = command.status().map_err(|e| format!("{}: {e}", holder.executable.display()))?;
        if !status.success() {
            // Without a code, a signal ended it.
            code = ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(USAGE));
        }
    }
    Ok(code)
}

/// The executables that a command is for: the one that holds the check that it names, or the only one. `list` is for
/// all.
fn chosen<'h>(holders: &'h [Holder], command: &[String]) -> Result<Vec<&'h Holder>, String> {
    if command[0] == "list" {
        return Ok(holders.iter().collect());
    }
    if let [only] = holders {
        return Ok(vec![only]);
    }
    let names: Vec<String> = command[1..].iter().filter_map(|word| check_of(word)).collect();
    let holds = |holder: &&Holder| holder.checks.iter().any(|check| names.contains(check));
    if let Some(holder) = holders.iter().find(holds) {
        return Ok(vec![holder]);
    }
    if let Some(wanted) = command.get(1).filter(|word| command[0] == "run" && !word.starts_with('-')) {
        let all = holders.iter().flat_map(|holder| &holder.checks).map(String::as_str);
        let suggestion = did_you_mean(wanted, all);
        return Err(format!(
            "no check here is called {wanted:?}{suggestion}: `cargo wavetank list` lists them"
        ));
    }
    // A command that is about no check, such as `known`.
    Ok(vec![&holders[0]])
}

/// The check that a word may stand for: its name, a token, or the file of a saved failure.
fn check_of(word: &str) -> Option<String> {
    if let Ok(token) = word.parse::<Token>() {
        return Some(token.scenario);
    }
    if word.ends_with(".toml") {
        return saved::read(Path::new(word)).ok().map(|kept| kept.setting.scenario);
    }
    Some(word.to_string())
}

/// Builds the test targets, and asks each for its checks.
fn holders(args: &Args) -> Result<Vec<Holder>, String> {
    let cargo = cargo();
    let mut build = Command::new(&cargo);
    build.args(["test", "--no-run", "--message-format=json-render-diagnostics"]).args(args.cargo_words());
    if args.test.is_empty() {
        build.arg("--tests");
    }
    let mut build =
        build.stdout(Stdio::piped()).spawn().map_err(|e| format!("{cargo}: {e}: is cargo installed?"))?;
    let stdout = build.stdout.take().expect("stdout was asked for");
    let mut holders = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|e| e.to_string())?;
        let Ok(Artifact { executable: Some(executable), manifest_path, target }) =
            serde_json::from_str(&line)
        else {
            continue;
        };
        if target.kind.iter().any(|kind| kind == "test") {
            let folder = manifest_path.parent().unwrap_or(Path::new("")).to_path_buf();
            holders.push(Holder { executable, folder, checks: Vec::new() });
        }
    }
    if !build.wait().map_err(|e| e.to_string())?.success() {
        return Err("cargo could not build the test targets".into());
    }
    for holder in &mut holders {
        holder.checks = checks_in(&holder.executable)?;
    }
    holders.retain(|holder| !holder.checks.is_empty());
    Ok(holders)
}

/// A message of cargo about something that it built.
#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
    manifest_path: PathBuf,
    target: Target,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// The checks that an executable holds. A test binary of libtest takes the word for a filter that no test fits.
fn checks_in(executable: &Path) -> Result<Vec<String>, String> {
    let asked = Command::new(executable).arg(LIST).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let asked = asked.map_err(|e| format!("{}: {e}", executable.display()))?;
    Ok(listed(&asked.stdout).unwrap_or_default())
}

#[expect(clippy::disallowed_methods, reason = "outside of all worlds: the cargo that runs this")]
fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

impl Args {
    /// The options for cargo.
    fn cargo_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut with_values = |flag: &str, values: &[String]| {
            for value in values {
                words.extend([flag.to_string(), value.clone()]);
            }
        };
        with_values("--package", &self.package);
        with_values("--test", &self.test);
        with_values("--features", &self.features);
        with_values("--profile", self.profile.as_slice());
        let manifest = self.manifest_path.as_ref().map(|path| path.display().to_string());
        with_values("--manifest-path", manifest.as_slice());
        for (flag, is_set) in [
            ("--release", self.release),
            ("--all-features", self.all_features),
            ("--no-default-features", self.no_default_features),
        ] {
            words.extend(is_set.then(|| flag.to_string()));
        }
        words
    }
}
