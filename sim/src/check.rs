//! Checks: a scenario under many seeds, as a test.
//!
//! ```
//! use wavetank_sim::{check, guests, peer};
//!
//! check("boots", |world| {
//!     let pid0 = world.cell("pid0", guests::PID0).serve(peer::host(world)).spawn();
//!     pid0.expect_exit(0);
//! })
//! .seeds(0..20)
//! .run();
//! ```

use crate::explain::{EXPLAIN_RUNS, explain, sentence};
use crate::guest_panic::SourceLine;
use crate::harness::Harness;
use crate::oracle::{NotJudged, Oracle};
use crate::outcome::Outcome;
use crate::page::html;
use crate::replay_line::{Called, test_line};
use crate::run::{Choices, Run, Setup};
use crate::saved::{self, SavedFailure, Setting, Source};
use crate::signature::{SHRINK_RUNS, ShrunkRun, shrink_run};
use crate::worker::driven::{self, Asked};
use crate::world::World;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use wavetank::{Engine, EngineConfig};
use wavetank_choice::profile::Profile;
use wavetank_choice::seed::Seed;
use wavetank_choice::strategy::{Strategy, StrategyName};
use wavetank_choice::token::Token;

/// Runs this one seed in every check.
const SEED: &str = "WAVETANK_SEED";

/// Runs this range of seeds in every check: `0..10000`.
const SEEDS: &str = "WAVETANK_SEEDS";

/// Removes saved failures that no longer fail.
const PRUNE: &str = "WAVETANK_PRUNE";

/// Repeats the run of this token, in the check that it names.
const TOKEN: &str = "WAVETANK_TOKEN";

/// The variable that names the folder of pages.
const REPORT: &str = "WAVETANK_REPORT";

/// The engine that the checks of one process share.
///
/// # Panics
/// If wasmtime cannot be set up.
pub fn engine() -> Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    let make = || Engine::new(&EngineConfig { cache: true, ..EngineConfig::default() });
    ENGINE.get_or_init(|| make().unwrap_or_else(|e| panic!("no WebAssembly engine: {e}"))).clone()
}

/// Prepares a check of a scenario, under 100 seeds unless set otherwise.
///
/// `name` appears in its failures and tokens; best take the name of the test.
#[track_caller]
pub fn check<F: Fn(&mut World) + Sync>(name: &str, scenario: F) -> Check<F> {
    let caller = std::panic::Location::caller();
    Check {
        name: name.into(),
        at: SourceLine { file: caller.file().into(), line: caller.line() },
        called: None,
        harness: Harness::new(scenario, Setup::new(engine(), Seed(0))),
        seeds: 0..100,
        jobs: 1,
        shrink_runs: SHRINK_RUNS,
        not_judged: Mutex::default(),
        failures: Failures::Usual,
        expected: Vec::new(),
        report: None,
    }
}

/// A scenario and how to check it.
#[must_use = "nothing is checked before `run`"]
pub struct Check<F> {
    name: String,
    /// The place where it was made.
    at: SourceLine,
    /// The command that runs it again, if the process cannot know it by itself.
    called: Option<String>,
    harness: Harness<F>,
    seeds: Range<u64>,
    jobs: usize,
    shrink_runs: usize,
    /// The oracles that did not judge the runs so far.
    not_judged: Mutex<BTreeSet<NotJudged>>,
    failures: Failures,
    /// Texts that the report of its failure must contain. If there are none, it must not fail.
    expected: Vec<String>,
    /// The folder of pages, if the check names one.
    report: Option<PathBuf>,
}

/// Where failures are saved.
enum Failures {
    /// The folder that the environment names, or `wavetank-failures`.
    Usual,
    In(PathBuf),
    Nowhere,
}

/// A check of any scenario, for lists of checks.
pub type AnyCheck = Check<Box<dyn Fn(&mut World) + Sync>>;

impl<F: Fn(&mut World) + Sync> Check<F> {
    /// The seeds to run, at least one.
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// The strategy that picks each next step.
    pub fn strategy(mut self, strategy: StrategyName) -> Self {
        if let Choices::Drawn(of, _) = &mut self.harness.base_mut().choices {
            *of = strategy;
        }
        self
    }

    /// Adds the tables of a CodeGeneratorRequest to the schema by which reports and snapshots name calls and values. See
    /// [`World::schema`].
    ///
    /// # Panics
    /// If the bytes are not one whole CodeGeneratorRequest.
    #[track_caller]
    pub fn schema(mut self, request: &'static [u8]) -> Self {
        let schema = &mut self.harness.base_mut().schema;
        *schema = crate::schema::extended(schema, request).unwrap_or_else(|e| panic!("{e}"));
        self
    }

    /// The profile that steers the strategy.
    pub fn profile(mut self, profile: Profile) -> Self {
        if let Choices::Drawn(_, of) = &mut self.harness.base_mut().choices {
            *of = profile;
        }
        self
    }

    /// Number of threads for the seeds, at least 1. The result is the same for any number.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Number of choices until the calm phase begins.
    pub fn max_choices(mut self, choices: usize) -> Self {
        self.harness.base_mut().max_choices = choices;
        self
    }

    /// Number of steps until a run is given up.
    pub fn max_steps(mut self, steps: u64) -> Self {
        self.harness.base_mut().max_steps = steps;
        self
    }

    /// The engine for guests, instead of the one that all checks share.
    pub fn engine(mut self, engine: Arc<Engine>) -> Self {
        self.harness.base_mut().engine = engine;
        self
    }

    /// Looks at every run that finished: its frames, its cells, its steps. If an assertion fails there, that seed
    /// fails.
    pub fn each(mut self, look: impl Fn(&Run) + Sync + 'static) -> Self {
        self.harness = self.harness.each(&self.name, look);
        self
    }

    /// Number of runs to spend on shrinking a failure: 500 unless set otherwise, 0 for none.
    pub fn shrink_runs(mut self, runs: usize) -> Self {
        self.shrink_runs = runs;
        self
    }

    /// Whether to repeat each run, and once more on wasmtime's interpreter, and compare the runs step by step. This
    /// finds anything in a scenario or its servers that does not follow the seed. It takes three times as long, and
    /// more for guests that compute much.
    pub fn canary(mut self, canary: bool) -> Self {
        self.harness = self.harness.comparing(canary);
        self
    }

    /// Switches an oracle off in every run, for a reason that reports print. All other oracles stay on.
    ///
    /// ```
    /// use wavetank_sim::oracle::Oracle;
    /// use wavetank_sim::{World, check, guests, peer};
    ///
    /// check("boots", |world: &mut World| {
    ///     world.cell("pid0", guests::PID0).serve(peer::host(world)).spawn().expect_exit(0);
    /// })
    /// .without(Oracle::Resources, "std keeps its handles")
    /// .seeds(0..5)
    /// .run();
    /// ```
    pub fn without(mut self, oracle: Oracle, reason: &str) -> Self {
        self.harness.base_mut().without.insert(oracle, reason.into());
        self
    }

    /// The folder of saved failures. Without it, the folder is the value of `WAVETANK_FAILURES`, or `wavetank-failures`
    /// beside the crate's Cargo.toml.
    pub fn failures(mut self, folder: impl Into<PathBuf>) -> Self {
        self.failures = Failures::In(folder.into());
        self
    }

    /// Saves no failures, and retries none.
    pub fn no_failures(mut self) -> Self {
        self.failures = Failures::Nowhere;
        self
    }

    /// Says that one of its seeds must fail, with a report that contains this text. For a fault that was planted, to see
    /// that the check finds it. May be called several times: then the report must contain each of the texts.
    ///
    /// Such a failure is neither saved nor retried. The single run of `WAVETANK_SEED` or `WAVETANK_TOKEN` fails as in
    /// any other check, and so do the runs of the command.
    ///
    /// ```
    /// use wavetank_sim::{World, check};
    ///
    /// check("counts badly", |world: &mut World| {
    ///     world.task("count", async { assert_eq!(1 + 1, 3, "it cannot count") });
    /// })
    /// .should_fail("it cannot count")
    /// .should_fail("it fails although every choice is calm")
    /// .run();
    /// ```
    pub fn should_fail(mut self, expected: &str) -> Self {
        self.expected.push(expected.into());
        self
    }

    /// Writes a page about a failure into this folder: one HTML file, which opens anywhere. Without it, a page is
    /// written if `WAVETANK_REPORT` names a folder.
    pub fn report(mut self, folder: impl Into<PathBuf>) -> Self {
        self.report = Some(folder.into());
        self
    }

    /// Runs one seed and gives its run, whatever its outcome.
    pub fn run_seed(&self, seed: u64) -> Run {
        self.harness.run(Seed(seed))
    }

    /// Takes bytes as the choices of one run, as a fuzzer gives them: in the format of the [corpus](crate::fuzz::input),
    /// with the calm policy for what the bytes do not decide. The world is as rough as the profile of the check allows.
    /// [`fuzz_check!`](crate::fuzz_check) makes a target of libFuzzer of this.
    ///
    /// # Panics
    /// If the run fails, with its account. A [known](crate::known) fault of a library does not count.
    pub fn run_bytes(&self, bytes: &[u8]) {
        let profile = match self.harness.choices() {
            Choices::Drawn(_, profile) => profile.clone(),
            Choices::Given(_) | Choices::GivenThenDrawn { .. } => Profile::default(),
        };
        let given = crate::fuzz::input::decode(bytes);
        let then = StrategyName::RoundRobin;
        let choices = Choices::GivenThenDrawn { given, then, seed: Seed(0), profile };
        let run = self.harness.run_with(Seed(0), choices, self.harness.is_comparing());
        if run.outcome.is_news() {
            panic!("{}", self.account(&run, None, EXPLAIN_RUNS));
        }
    }

    /// The same check, for lists of checks of different scenarios.
    pub fn boxed(self) -> AnyCheck
    where
        F: 'static,
    {
        let harness = self.harness.map(|scenario| Box::new(scenario) as Box<dyn Fn(&mut World) + Sync>);
        Check {
            name: self.name,
            at: self.at,
            called: self.called,
            harness,
            seeds: self.seeds,
            jobs: self.jobs,
            shrink_runs: self.shrink_runs,
            not_judged: self.not_judged,
            failures: self.failures,
            expected: self.expected,
            report: self.report,
        }
    }

    /// Its name in tokens, where names have neither dots nor spaces.
    pub fn token_name(&self) -> String {
        token_name(&self.name)
    }

    /// The place where it was made.
    pub fn at(&self) -> &SourceLine {
        &self.at
    }

    /// Sets the command that runs this check again, for the lines that replay a failure. Only needed if neither libtest
    /// nor nextest runs it.
    pub fn called_by(mut self, command: &str) -> Self {
        self.called = Some(command.into());
        self
    }

    /// Sets the place where it was made.
    pub(crate) fn made_at(self, at: SourceLine) -> Self {
        Check { at, ..self }
    }

    /// The scenario under its setup, for callers that choose seeds by themselves.
    pub fn into_harness(self) -> Harness<F> {
        self.harness
    }

    /// Runs all seeds, or those that `WAVETANK_SEED` or `WAVETANK_SEEDS` name, or the one run of the token in
    /// `WAVETANK_TOKEN` if the token is of this check. Unless single runs were asked for, it first retries its saved
    /// failures. Those that no longer fail are reported on stderr, and removed under `WAVETANK_PRUNE=1`.
    ///
    /// If `cargo wavetank` started the process, it serves the requests of that command instead, and the process ends
    /// here.
    ///
    /// # Panics
    /// If a seed fails: with the account of the lowest one, made as small as possible, and the lines that replay it.
    /// The failure is saved: [`failures`](Self::failures). It also panics if a saved failure still fails or cannot be
    /// read, if there is no seed to run, or if one of the variables holds no valid seed or token. A seed that shows a
    /// [known](crate::known) fault of a library does not count: it is reported on stderr. If the check
    /// [should fail](Self::should_fail), it panics if no seed fails, or if the report has not the texts.
    #[track_caller]
    pub fn run(self) {
        let name = self.token_name();
        match driven::asked(&name) {
            Asked::Nothing => {}
            Asked::Another => return,
            Asked::This(socket) => driven::work(name, &self.at, self.harness, socket),
        }
        if let Some(token) = wanted_token().filter(|token| token.scenario == self.token_name()) {
            let choices = Choices::try_from(token.recipe).unwrap_or_else(|e| panic!("{TOKEN}: {e}"));
            let run = self.harness.run_with(token.seed, choices, self.harness.is_comparing());
            if !run.outcome.is_finished() {
                panic!("{}", self.account(&run, None, EXPLAIN_RUNS));
            }
            return;
        }
        if !self.expected.is_empty() && !is_one_seed_wanted() {
            return self.run_to_failure();
        }
        let folder = self.folder();
        let unreadable = match &folder {
            Some(folder) if !is_one_seed_wanted() => self.try_kept(folder),
            _ => Vec::new(),
        };
        let seeds = wanted().unwrap_or_else(|| self.seeds.clone());
        assert!(!seeds.is_empty(), "{}: there is no seed to run in {seeds:?}", self.name);
        if let Some(failure) = self.first_failure(seeds, folder.as_deref()) {
            let replay = |choices| self.harness.run_with(failure.seed, choices, false);
            let shrunk = shrink_run(&failure, self.shrink_runs, replay);
            let kept = self.keep(folder.as_deref(), &failure, shrunk.as_ref());
            let shown = shrunk.as_ref().map_or(&failure, |smaller| &smaller.run);
            let kept = kept + &self.write_page(shown, if shrunk.is_some() { EXPLAIN_RUNS } else { 0 });
            match shrunk {
                Some(ShrunkRun { run, shrunk }) => {
                    panic!("{}{kept}", self.account(&run, Some(shrunk.from), EXPLAIN_RUNS))
                }
                None => panic!("{}{}{kept}", self.account(&failure, None, 0), self.advice(&failure)),
            }
        }
        for not_judged in &*self.not_judged.lock().unwrap_or_else(PoisonError::into_inner) {
            eprintln!("{}: not judged: {not_judged}", self.name);
        }
        assert!(unreadable.is_empty(), "{}", unreadable.concat());
    }

    /// Runs a check that should fail.
    #[track_caller]
    fn run_to_failure(&self) {
        let seeds = wanted().unwrap_or_else(|| self.seeds.clone());
        let Some(failure) = self.first_failure(seeds.clone(), None) else {
            panic!("{}: no seed of {seeds:?} fails, and one should", self.name);
        };
        let replay = |choices| self.harness.run_with(failure.seed, choices, false);
        let report = match shrink_run(&failure, self.shrink_runs, replay) {
            Some(ShrunkRun { run, shrunk }) => self.account(&run, Some(shrunk.from), EXPLAIN_RUNS),
            None => self.account(&failure, None, 0),
        };
        for expected in &self.expected {
            let says = "it fails as it should, but the report does not contain";
            assert!(report.contains(expected), "{}: {says} {expected:?}\n{report}", self.name);
        }
        eprintln!(
            "{}: fails as it should: {} (seed {})",
            self.name,
            sentence(&failure.outcome),
            failure.seed
        );
    }

    fn folder(&self) -> Option<PathBuf> {
        match &self.failures {
            Failures::Usual => saved::folder(None, &crate_folder()),
            Failures::In(folder) => Some(folder.clone()),
            Failures::Nowhere => None,
        }
    }

    fn setting(&self, seed: Seed) -> Setting {
        let setup = self.harness.setup(seed);
        Setting::of(&self.token_name(), Source::Check, &setup, self.harness.is_comparing())
    }

    /// Saves a failure; gives the line that says where.
    fn keep(&self, folder: Option<&Path>, failure: &Run, shrunk: Option<&ShrunkRun>) -> String {
        let Some((folder, kept)) = folder.zip(SavedFailure::new(self.setting(failure.seed), failure)) else {
            return String::new();
        };
        let kept = match shrunk {
            Some(smaller) => saved::write(folder, &kept.with_shrunk(smaller)),
            None => saved::write_new(folder, &kept),
        };
        match kept {
            Ok(path) => format!("  kept: {}\n", path.display()),
            Err(e) => format!("  not kept: {}: {e}\n", folder.display()),
        }
    }

    /// Writes the page about a failure, if one is wanted; gives the line that says where.
    fn write_page(&self, run: &Run, explain_runs: usize) -> String {
        let Some(folder) = self.report.clone().or_else(report_folder) else { return String::new() };
        let replay = format!("{TOKEN}={} {}", run.token(&self.token_name()), self.test_line());
        let page = self.harness.page(run, &self.name, Some(replay), explain_runs);
        let path = folder.join(format!("{}-{:x}.html", self.token_name(), run.seed.0));
        let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, html(&page)));
        match written {
            Ok(()) => format!("  page: {}\n", path.display()),
            Err(e) => format!("  no page: {}: {e}\n", path.display()),
        }
    }

    /// The command that runs this check again.
    fn test_line(&self) -> String {
        self.called.clone().unwrap_or_else(|| test_line(&Called::of_this_process()))
    }

    /// Retries the saved failures of this check; gives a message for each of its files that cannot be read.
    #[track_caller]
    fn try_kept(&self, folder: &Path) -> Vec<String> {
        let name = self.token_name();
        let mut unreadable = Vec::new();
        let files = saved::read_all(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for (path, read) in files {
            let kept = match read {
                Ok(kept) if kept.setting.scenario == name && kept.setting.source == Source::Check => kept,
                Ok(_) => continue,
                Err(e) => {
                    let says = format!("{}: {e}\n", path.display());
                    eprint!("{}: {says}", self.name);
                    if saved::scenario_of(&path) == Some(&name) {
                        unreadable.push(says);
                    }
                    continue;
                }
            };
            let replay = |choices| self.harness.run_with(kept.seed, choices, kept.setting.canary);
            let again = saved::retry(&kept, &self.setting(kept.seed), replay)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let mut says = format!("{}: {again}\n", path.display());
            for changed in &again.changed {
                says += &format!("  {changed}\n");
            }
            if again.verdict.fails() {
                panic!("{}{says}", self.account(&again.run, None, EXPLAIN_RUNS));
            }
            eprint!("{says}");
            if is_set(PRUNE) {
                std::fs::remove_file(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            } else {
                eprintln!("  remove it with {PRUNE}=1");
            }
        }
        unreadable
    }

    /// Advice about a failure that has no smaller run.
    fn advice(&self, failure: &Run) -> &'static str {
        match failure.outcome {
            Outcome::Diverged(_) => {
                "  what differs does not follow the seed: look for a clock, an address, a counter of the process\n"
            }
            _ if self.shrink_runs == 0 => "",
            _ => "  the same choices do not make it fail again: `.canary(true)` says what differs\n",
        }
    }

    fn first_failure(&self, seeds: Range<u64>, folder: Option<&Path>) -> Option<Run> {
        let next = AtomicU64::new(seeds.start);
        let failure: Mutex<Option<Run>> = Mutex::new(None);
        let lowest = AtomicU64::new(seeds.end);
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                // Seeds beyond a failure do not matter, because the lowest failing seed is reported.
                if seed >= lowest.load(Ordering::Relaxed) {
                    return;
                }
                let run = self.run_seed(seed);
                self.not_judged.lock().unwrap_or_else(PoisonError::into_inner).extend(run.not_judged());
                if let Some(known) = run.outcome.known() {
                    eprintln!(
                        "{}: seed {seed} shows {}, a known fault of {}",
                        self.name, known.id, known.layer
                    );
                    continue;
                }
                if !run.outcome.is_finished() && lowest.fetch_min(seed, Ordering::Relaxed) > seed {
                    // Save it at once: the next steps may never end.
                    self.keep(folder, &run, None);
                    let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    if failure.as_ref().is_none_or(|other| other.seed.0 > seed) {
                        *failure = Some(run);
                    }
                }
            }
        };
        if self.jobs == 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..self.jobs {
                    scope.spawn(work);
                }
            });
        }
        failure.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn account(&self, run: &Run, shrunk_from: Option<usize>, explain_runs: usize) -> String {
        let mut text = format!("{}: {} (seed {}", self.name, sentence(&run.outcome), run.seed);
        if let Some(from) = shrunk_from.filter(|&from| from > run.choices.len()) {
            text += &format!(", shrunk from {from} choices to {}", run.choices.len());
        }
        text += ")\n";
        let again =
            |strategy: &(dyn Fn() -> Box<dyn Strategy> + Sync)| self.harness.run_under(run.seed, strategy);
        text += &explain(run, explain_runs, &again).to_string();
        for not_judged in run.not_judged() {
            text += &format!("  not judged: {not_judged}\n");
        }
        let (steps, choices) = (run.transcript.steps.len(), run.choices.len());
        text += &format!("  {steps} steps, {choices} choices\n");
        let token = run.token(&self.token_name());
        let test = self.test_line();
        text += &format!("  replay: {TOKEN}={token} {test}\n");
        text += &format!("  the whole seed: {SEED}={} {test}\n", run.seed);
        text
    }
}

/// The name of a check in tokens: letters, digits and dashes stay, and everything else becomes an underscore.
pub fn token_name(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// The folder of the tested crate, if cargo sets it; otherwise the current folder.
#[expect(clippy::disallowed_methods, reason = "read once before any world, by checks alone")]
fn crate_folder() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "read once before any world, by checks alone, and documented")]
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0")
}

#[expect(clippy::disallowed_methods, reason = "read once before any world, by checks alone, and documented")]
fn is_one_seed_wanted() -> bool {
    std::env::var_os(SEED).is_some()
}

/// The folder of pages that the environment asks for.
#[expect(clippy::disallowed_methods, reason = "read after all worlds, by checks alone, and documented")]
fn report_folder() -> Option<PathBuf> {
    std::env::var_os(REPORT).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// The token that the environment asks for.
#[expect(clippy::disallowed_methods, reason = "read once before any world, by checks alone, and documented")]
fn wanted_token() -> Option<Token> {
    let text = std::env::var(TOKEN).ok()?;
    Some(text.parse().unwrap_or_else(|e| panic!("{TOKEN}: {e}")))
}

/// The seeds that the environment asks for.
#[expect(clippy::disallowed_methods, reason = "read once before any world, by checks alone, and documented")]
fn wanted() -> Option<Range<u64>> {
    if let Ok(text) = std::env::var(SEED) {
        let seed: Seed = text.parse().unwrap_or_else(|e| panic!("{SEED}: {e}"));
        return Some(seed.0..seed.0.saturating_add(1));
    }
    let text = std::env::var(SEEDS).ok()?;
    let wrong = || -> ! { panic!("{SEEDS}: not a range of seeds: {text:?} (write A..B with A below B)") };
    let Some((from, to)) = text.split_once("..") else { wrong() };
    match (from.parse::<Seed>(), to.parse::<Seed>()) {
        (Ok(from), Ok(to)) if from < to => Some(from.0..to.0),
        _ => wrong(),
    }
}
