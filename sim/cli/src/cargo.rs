//! `cargo wavetank`: builds the test targets of a project, and hands a command to the one that holds its checks.
//!
//! Like nextest, it learns from cargo's JSON messages which executables there are. An executable that
//! [`checks!`](crate::checks) made has the whole command in it, and the command is handed to it. In a binary of libtest,
//! marks tell the checks that the attribute made, and a test that calls `check(…).run()` is found by its name. The
//! command is then carried out here, and the worlds run in processes of that binary.

use crate::checks::{CALLED_AS, LIST, listed};
use crate::driven::{DrivenCheck, token_name};
use crate::exit_code::USAGE;
use crate::pack_file::{Pack, is_pack};
use crate::terminal::{self, Stop};
use crate::{Binary, Catalogue, called};
use clap::Parser;
use serde::Deserialize;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use wavetank_choice::nearest::did_you_mean;
use wavetank_sim::worker::marker::Marker;
use wavetank_sim::worker::replaced::base_name;
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
    /// The checks are in the unit tests of the library
    #[arg(long)]
    lib: bool,
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

/// A test executable with its checks.
struct Holder {
    executable: PathBuf,
    /// The folder of its package.
    folder: PathBuf,
    /// The names of its checks, if it has the whole command in it: see [`checks_main`](crate::checks_main).
    checks: Vec<String>,
    /// Its checks, if it has a main of its own, as far as marks in the file tell them.
    marked: Vec<DrivenCheck>,
}

/// Where a command is carried out.
enum Place<'h> {
    /// In these executables, which have the whole command in them.
    There(Vec<&'h Holder>),
    /// In this process, over these checks.
    Here(Vec<DrivenCheck>),
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
            "no test target here was built: write a test with #[wavetank_sim::test], or a target with wavetank_cli::checks!"
                .into(),
        );
    }
    let called_as = ["cargo".to_string(), "wavetank".into()].into_iter().chain(args.cargo_words());
    let called_as: Vec<String> = called_as.collect();
    let called_as = shell::words(&called_as);
    match chosen(&holders, &args.command)? {
        Place::There(holders) => handed_over(&holders, args, &called_as),
        Place::Here(checks) => Ok(crate::ended(carried_out(checks, args, called_as))),
    }
}

/// Hands the command to executables that have it in them.
fn handed_over(holders: &[&Holder], args: &Args, called_as: &str) -> Result<ExitCode, String> {
    let mut code = ExitCode::SUCCESS;
    for holder in holders {
        let mut command = Command::new(&holder.executable);
        command.args(&args.command).env(CALLED_AS, called_as).env("CARGO_MANIFEST_DIR", &holder.folder);
        let status = command.status().map_err(|e| format!("{}: {e}", holder.executable.display()))?;
        if !status.success() {
            // Without a code, a signal ended it.
            code = ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(USAGE));
        }
    }
    Ok(code)
}

/// Carries the command out in this process, over checks that other processes run.
fn carried_out(checks: Vec<DrivenCheck>, args: &Args, called_as: String) -> Result<ExitCode, Stop> {
    let words = std::iter::once("cargo wavetank").chain(args.command.iter().map(String::as_str));
    let command = crate::args::Args::parse_from(words);
    command.color.apply();
    let folder = checks.first().map(|check| check.folder.clone()).unwrap_or_default();
    called::note(called_as, folder);
    let binary = Binary { package: env!("CARGO_PKG_NAME"), folder: env!("CARGO_MANIFEST_DIR") };
    let catalogue = Catalogue { driven: checks, ..Catalogue::of_checks(binary, Vec::new()) };
    crate::carry_out(command.command, &catalogue)
}

/// Where a command is carried out: in the executable that holds the check that it names, or here for a check that has
/// no command in its executable. `list` is for all.
fn chosen<'h>(holders: &'h [Holder], command: &[String]) -> Result<Place<'h>, String> {
    let whole: Vec<&Holder> = holders.iter().filter(|holder| !holder.checks.is_empty()).collect();
    let marked: Vec<&DrivenCheck> = holders.iter().flat_map(|holder| &holder.marked).collect();
    let all = || marked.iter().copied().cloned().collect();
    if command[0] == "list" {
        if marked.is_empty() && whole.is_empty() {
            return Err(NONE.into());
        }
        // Strategies and profiles are listed by each executable.
        return Ok(if whole.is_empty() { Place::Here(all()) } else { listed_beside(whole, &marked)? });
    }
    let names: Vec<String> = command[1..].iter().filter_map(|word| check_of(word)).collect();
    let holds = |holder: &&&Holder| holder.checks.iter().any(|check| names.contains(check));
    if let Some(holder) = whole.iter().find(holds) {
        return Ok(Place::There(vec![*holder]));
    }
    for name in &names {
        if let Some(check) = one_of(name, &marked)? {
            return Ok(Place::Here(vec![check.clone()]));
        }
    }
    let is_about_a_check = ABOUT_CHECKS.contains(&&*command[0]);
    if is_about_a_check {
        for name in &names {
            if let Some(check) = of_a_test(name, holders)? {
                return Ok(Place::Here(vec![check]));
            }
        }
    }
    if let ([only], true) = (&whole[..], marked.is_empty()) {
        return Ok(Place::There(vec![*only]));
    }
    if is_about_a_check {
        let of_whole = whole.iter().flat_map(|holder| holder.checks.iter().cloned());
        let all: Vec<String> = of_whole.chain(marked.iter().map(|check| check.path.clone())).collect();
        let Some(wanted) =
            names.first().filter(|_| command.get(1).is_some_and(|word| !word.starts_with('-')))
        else {
            return Err(format!("name the check: {}", all.join(", ")));
        };
        let suggestion = did_you_mean(wanted, all.iter().map(String::as_str));
        return Err(format!(
            "no check or test here is called {wanted:?}{suggestion}: `cargo wavetank list` lists them"
        ));
    }
    // A command that is about no check, such as `known`.
    Ok(match whole.first() {
        Some(first) => Place::There(vec![*first]),
        None => Place::Here(all()),
    })
}

/// The commands that name a check, a token or a saved failure.
const ABOUT_CHECKS: [&str; 5] = ["run", "replay", "shrink", "exhaustive", "fuzz"];

/// There is nothing to list.
const NONE: &str = "no test here has a check that can be listed: write one with #[wavetank_sim::test], or a target with wavetank_cli::checks!; a test that calls `check(…).run()` is driven by its name: `cargo wavetank run NAME`";

/// Lists the checks that have no command in their executables, before the executables that have.
fn listed_beside<'h>(whole: Vec<&'h Holder>, marked: &[&DrivenCheck]) -> Result<Place<'h>, String> {
    if !marked.is_empty() {
        let checks: Vec<DrivenCheck> = marked.iter().copied().cloned().collect();
        terminal::print(crate::report::checks(&checks)).map_err(|_| "nobody reads the list".to_string())?;
    }
    Ok(Place::There(whole))
}

/// The check with a name; an error if several have it.
fn one_of<'c>(name: &str, checks: &[&'c DrivenCheck]) -> Result<Option<&'c DrivenCheck>, String> {
    if let Some(exact) = checks.iter().find(|check| check.is_path(name)) {
        return Ok(Some(exact));
    }
    let found: Vec<&DrivenCheck> = checks.iter().copied().filter(|check| check.answers_to(name)).collect();
    match found[..] {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        _ => {
            let paths: Vec<&str> = found.iter().map(|check| &*check.path).collect();
            Err(format!("several checks are called {name:?}: name one of {}", paths.join(", ")))
        }
    }
}

/// The test with a name, or with the name of a check, that may hold a check. Test binaries are asked for their tests.
fn of_a_test(name: &str, holders: &[Holder]) -> Result<Option<DrivenCheck>, String> {
    let mut found = Vec::new();
    for holder in holders.iter().filter(|holder| holder.checks.is_empty()) {
        for test in tests_in(&holder.executable)? {
            let last = test.rsplit("::").next().unwrap_or_default();
            let is_name = test == name || test.ends_with(&format!("::{name}"));
            if is_name || token_name(&test) == name || token_name(last) == name {
                // A token names the check. The test may hold several.
                let check = (!is_name).then(|| name.to_string());
                found.push(DrivenCheck::of_test(&test, check, &holder.executable, &holder.folder));
            }
        }
    }
    if let Some(exact) = found.iter().find(|check| check.is_path(name)) {
        return Ok(Some(exact.clone()));
    }
    let found: Vec<&DrivenCheck> = found.iter().collect();
    match found[..] {
        [] => Ok(None),
        [only] => Ok(Some(only.clone())),
        _ => {
            let tests: Vec<&str> = found.iter().map(|check| &*check.test).collect();
            Err(format!("several tests are called {name:?}: name one of {}", tests.join(", ")))
        }
    }
}

/// The tests in a binary of libtest; none if it is another kind.
fn tests_in(executable: &Path) -> Result<Vec<String>, String> {
    let asked = Command::new(executable)
        .args(["--list", "--format", "terse"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let asked = asked.map_err(|e| format!("{}: {e}", executable.display()))?;
    let text = String::from_utf8_lossy(&asked.stdout);
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(String::from).collect())
}

/// The check that a word may stand for: its name, a token, the file of a saved failure, or a pack.
fn check_of(word: &str) -> Option<String> {
    if let Ok(token) = word.parse::<Token>() {
        return Some(base_name(&token.scenario).into());
    }
    if word.ends_with(".toml") {
        return saved::read(Path::new(word)).ok().map(|kept| base_name(&kept.setting.scenario).into());
    }
    if Path::new(word).is_file() && is_pack(Path::new(word)) {
        return Pack::read(Path::new(word)).ok().map(|pack| base_name(&pack.manifest.scenario).into());
    }
    Some(word.to_string())
}

/// Builds the test targets, and asks each for its checks.
fn holders(args: &Args) -> Result<Vec<Holder>, String> {
    let cargo = cargo();
    let mut build = Command::new(&cargo);
    build.args(["test", "--no-run", "--message-format=json-render-diagnostics"]).args(args.cargo_words());
    if args.test.is_empty() && !args.lib {
        build.arg("--tests");
    }
    let mut build =
        build.stdout(Stdio::piped()).spawn().map_err(|e| format!("{cargo}: {e}: is cargo installed?"))?;
    let stdout = build.stdout.take().expect("stdout was asked for");
    let mut holders = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|e| e.to_string())?;
        let Ok(Artifact { executable: Some(executable), manifest_path, target, profile }) =
            serde_json::from_str(&line)
        else {
            continue;
        };
        let is_target = target.kind.iter().any(|kind| kind == "test");
        if is_target || profile.test {
            let folder = manifest_path.parent().unwrap_or(Path::new("")).to_path_buf();
            holders.push((Holder { executable, folder, checks: Vec::new(), marked: Vec::new() }, is_target));
        }
    }
    if !build.wait().map_err(|e| e.to_string())?.success() {
        return Err("cargo could not build the test targets".into());
    }
    for (holder, is_target) in &mut holders {
        let bytes =
            std::fs::read(&holder.executable).map_err(|e| format!("{}: {e}", holder.executable.display()))?;
        let marks = Marker::all_in(&bytes);
        let driven = |mark| DrivenCheck::marked(mark, &holder.executable, &holder.folder);
        holder.marked = marks.iter().map(driven).collect();
        // Only a target of its own can have the whole command in it.
        if *is_target && holder.marked.is_empty() {
            holder.checks = checks_in(&holder.executable)?;
        }
    }
    Ok(holders.into_iter().map(|(holder, _)| holder).collect())
}

/// A message of cargo about something that it built.
#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
    manifest_path: PathBuf,
    target: Target,
    #[serde(default)]
    profile: BuildProfile,
}

/// How it was built.
#[derive(Default, Deserialize)]
struct BuildProfile {
    /// Whether it has a test harness in it.
    test: bool,
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
            ("--lib", self.lib),
            ("--release", self.release),
            ("--all-features", self.all_features),
            ("--no-default-features", self.no_default_features),
        ] {
            words.extend(is_set.then(|| flag.to_string()));
        }
        words
    }
}
