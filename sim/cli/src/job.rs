//! The job of a command: a built-in scenario, or a component of the user's own as pid0.

use crate::args::What;
use crate::called::{self, command};
use crate::catalogue::Catalogue;
use crate::checks;
use crate::component::{ComponentArgs, Inputs, hex};
use crate::files;
use crate::guest_files::{self, GuestArgs, REPLACED};
use crate::progress::said_if_long;
use crate::schemas::SchemaArgs;
use crate::subject::Settings;
use crate::terminal;
use crate::without::WithoutArgs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wavetank::Engine;
use wavetank_choice::profile::ProfileError;
use wavetank_choice::strategy::Frontier;
use wavetank_page::model::Page;
use wavetank_sim::check::AnyCheck;
use wavetank_sim::explain::Explanation;
use wavetank_sim::fuzz::search::Proposal;
use wavetank_sim::guest_panic::SourceLine;
use wavetank_sim::harness::Harness;
use wavetank_sim::replay_line::{Called, command_line};
use wavetank_sim::saved::{self, ReplacedGuest, Retry, SavedFailure, Setting, Source};
use wavetank_sim::shell;
use wavetank_sim::{Choices, Profile, Run, Seed, Setup, StrategyName, World};
use wavetank_trace::Schema;

/// A scenario or component, ready to run.
pub(crate) struct Job {
    /// Its name in tokens.
    pub(crate) name: String,
    /// Its name for people.
    pub(crate) title: String,
    /// The arguments that follow the token in a replay line.
    pub(crate) replay_args: String,
    harness: Harness<Body>,
    source: Source,
    /// The files of the user's own schemas.
    schemas: Vec<String>,
    /// The guests that the user replaced.
    replaced: Vec<ReplacedGuest>,
    /// The place of the check.
    pub(crate) at: Option<SourceLine>,
    /// Says that guests are being compiled, given the name for people.
    say_compiling: fn(&str),
    has_run: AtomicBool,
}

/// Builds the world of a job.
type Body = Box<dyn Fn(&mut World) + Sync>;

impl Job {
    /// Finds the scenario or component that the command line names.
    ///
    /// # Errors
    /// A message for the user if there is no such scenario or file, or if the file is not a component that can start.
    pub(crate) fn new(what: &What, catalogue: &Catalogue, engine: Arc<Engine>) -> Result<Self, String> {
        let subject = &what.subject;
        let job = match catalogue.check(&subject.scenario) {
            Some(check) => {
                refuse_args(what, "check")?;
                Self::of_check(check, what.strategy.clone(), what.profile.clone())
            }
            None => {
                let strategy = what.strategy.clone().unwrap_or_default();
                let choices = Choices::Drawn(strategy, what.profile.clone().unwrap_or_default());
                Self::found(what, choices, catalogue, engine)?
            }
        };
        let job = job.with_settings(&subject.settings)?.with_guests(&subject.guests, catalogue)?;
        Ok(if what.canary { job.with_canary() } else { job })
    }

    fn found(
        what: &What,
        choices: Choices,
        catalogue: &Catalogue,
        engine: Arc<Engine>,
    ) -> Result<Self, String> {
        let subject = &what.subject;
        if is_path(&subject.scenario) {
            return Self::own(Path::new(&subject.scenario), &subject.settings.component, choices, engine);
        }
        refuse_args(what, "scenario")?;
        Self::built_in(&subject.scenario, choices, catalogue, engine)
    }

    /// A built-in scenario.
    pub(crate) fn built_in(
        name: &str,
        choices: Choices,
        catalogue: &Catalogue,
        engine: Arc<Engine>,
    ) -> Result<Self, String> {
        let build = catalogue.find(name).ok_or_else(|| catalogue.unknown(name))?.build;
        Ok(Job {
            name: name.into(),
            title: name.into(),
            replay_args: String::new(),
            harness: harness(Box::new(build), choices, engine),
            source: Source::BuiltIn,
            schemas: Vec::new(),
            replaced: Vec::new(),
            at: None,
            say_compiling: note_compiling,
            has_run: AtomicBool::new(false),
        })
    }

    /// A check of the user's own. What the user did not set on the command line is as the check says.
    pub(crate) fn of_check(
        check: AnyCheck,
        strategy: Option<StrategyName>,
        profile: Option<Profile>,
    ) -> Self {
        let name = check.token_name();
        let at = check.at().clone();
        let mut harness = check.into_harness();
        if let Choices::Drawn(its_strategy, its_profile) = &mut harness.base_mut().choices {
            *its_strategy = strategy.unwrap_or_else(|| its_strategy.clone());
            *its_profile = profile.unwrap_or_else(|| its_profile.clone());
        }
        Job {
            title: name.clone(),
            name,
            replay_args: String::new(),
            harness,
            source: Source::Check,
            schemas: Vec::new(),
            replaced: Vec::new(),
            at: Some(at),
            say_compiling: note_compiling,
            has_run: AtomicBool::new(false),
        }
    }

    /// A built-in scenario or a check, for runs of which the choices are known.
    pub(crate) fn named(
        name: &str,
        choices: Choices,
        catalogue: &Catalogue,
        engine: Arc<Engine>,
    ) -> Result<Self, String> {
        let Some(check) = catalogue.check(name) else {
            return Self::built_in(name, choices, catalogue, engine);
        };
        let mut job = Self::of_check(check, None, None);
        job.harness.base_mut().choices = choices;
        Ok(job)
    }

    /// A component of the user's own.
    pub(crate) fn own(
        path: &Path,
        component: &ComponentArgs,
        choices: Choices,
        engine: Arc<Engine>,
    ) -> Result<Self, String> {
        Self::own_of(path, files::component(path)?, component, component.load()?, choices, engine)
    }

    /// The same if its files were read already; its path is for people and for the line that replays it.
    pub(crate) fn own_of(
        path: &Path,
        wasm: Vec<u8>,
        component: &ComponentArgs,
        inputs: Inputs,
        choices: Choices,
        engine: Arc<Engine>,
    ) -> Result<Self, String> {
        let name =
            path.file_stem().map_or_else(|| "guest".into(), |stem| stem.to_string_lossy().into_owned());
        let guest = said_if_long(COMPILES_UNTOLD, || note_compiling(&name), || engine.guest(&wasm));
        let guest = guest.map_err(|e| format!("{}: {e}", path.display()))?;
        inputs.refuse_unfit(guest.transport(), &path.to_string_lossy())?;
        let mut replay_args = format!(" --wasm {}", shell::word(&path.to_string_lossy()));
        let words = [component.flags(), component.tail()].concat();
        if !words.is_empty() {
            replay_args += &format!(" {}", shell::words(&words));
        }
        let source = Source::Component { path: path.display().to_string(), inputs: inputs.given.clone() };
        let title = name.clone();
        Ok(Job {
            name: own_name(&guest.digest(), inputs.mark()),
            title,
            replay_args,
            source,
            harness: harness(Box::new(move |world| inputs.build(world, &name, &wasm)), choices, engine),
            replaced: Vec::new(),
            schemas: Vec::new(),
            at: None,
            say_compiling: note_compiling,
            has_run: AtomicBool::new(false),
        })
    }

    /// The same job with the settings that a replay needs too.
    pub(crate) fn with_settings(self, settings: &Settings) -> Result<Self, String> {
        self.with_out(&settings.without).with_schema(&settings.schema)
    }

    /// The same job with components of the user's own in place of guests. A replay must be given them too.
    ///
    /// # Errors
    /// A message for the user if the scenario starts no such guest, or if the component cannot start. The scenario is
    /// run a few times to learn which guests it starts.
    pub(crate) fn with_guests(self, guests: &GuestArgs, catalogue: &Catalogue) -> Result<Self, String> {
        if guests.is_empty() {
            return Ok(self);
        }
        let guests_ = guests.load()?;
        let mut old = Vec::new();
        for guest in &guests_ {
            old.push(guest_files::find(&guest.name, &catalogue.guests, |number| self.sample(number))?);
        }
        let mut job = self;
        for (guest, old) in guests_.iter().zip(&old) {
            job = job.replacing(old, &guest.wasm).map_err(|e| guest_files::unfit(&guest.path, &e))?;
        }
        job.replaced = guests_.iter().map(|guest| guest.saved()).collect();
        job.name = format!("{}{REPLACED}{}", job.name, guest_files::mark(&job.replaced));
        job.replay_args = format!(" {}{}", shell::words(&guests.words()), job.replay_args);
        Ok(job)
    }

    /// The first runs that show which guests a scenario starts: a calm one, then some under weather. `None` after the
    /// last.
    fn sample(&self, number: usize) -> Option<Run> {
        const UNDER_WEATHER: u64 = 8;
        let number = number as u64;
        // Neither strategy needs a survey, which would be of the scenario without the new guests.
        let choices = match number {
            0 => Choices::Drawn(StrategyName::RoundRobin, Profile::calm()),
            _ => Choices::Drawn(StrategyName::Random, Profile::default()),
        };
        (number <= UNDER_WEATHER).then(|| self.run_with(Seed(number), choices, false))
    }

    /// The same job with oracles switched off. A replay must switch them off too.
    pub(crate) fn with_out(mut self, without: &WithoutArgs) -> Self {
        self.harness.base_mut().without.extend(without.setting());
        let words = without.words();
        if !words.is_empty() {
            self.replay_args = format!(" {}{}", shell::words(&words), self.replay_args);
        }
        self
    }

    /// The same job with calls and values named by schemas. A replay must be given them too.
    fn with_schema(mut self, schema: &SchemaArgs) -> Result<Self, String> {
        schema.load_onto(&mut self.harness.base_mut().schema)?;
        self.schemas = schema.paths();
        let words = schema.words();
        if !words.is_empty() {
            self.replay_args = format!(" {}{}", shell::words(&words), self.replay_args);
        }
        Ok(self)
    }

    /// The same under the name that it has in tokens, for a job whose guests will be replaced one by one.
    pub(crate) fn named_in_tokens(self, name: &str) -> Self {
        Job { name: name.into(), ..self }
    }

    /// The same with schemas that were read already, and that have these names.
    pub(crate) fn with_requests(mut self, requests: &[&[u8]], names: &[String]) -> Result<Self, String> {
        for request in requests {
            let schema = Schema::from_request(request).map_err(|e| format!("its schema: {e}"))?;
            Arc::make_mut(&mut self.harness.base_mut().schema).extend(schema);
        }
        self.schemas = names.to_vec();
        Ok(self)
    }

    /// The same job with other choices.
    pub(crate) fn with_choices(mut self, choices: Choices) -> Self {
        self.harness.base_mut().choices = choices;
        self
    }

    /// The same job with each run repeated and compared.
    pub(crate) fn with_canary(self) -> Self {
        let replay_args = format!(" --canary{}", self.replay_args);
        Job { harness: self.harness.comparing(true), replay_args, ..self }
    }

    /// The same with another way to say that guests are being compiled.
    pub(crate) fn saying_compiling(self, say_compiling: fn(&str)) -> Self {
        Job { say_compiling, ..self }
    }

    /// Runs the job under one seed.
    pub(crate) fn run(&self, seed: Seed) -> Run {
        self.run_with(seed, self.choices().clone(), self.harness.is_comparing())
    }

    /// Runs the job once under one seed with other choices.
    pub(crate) fn replay(&self, seed: Seed, choices: Choices) -> Run {
        self.run_with(seed, choices, false)
    }

    /// Whether each run is repeated and compared.
    pub(crate) fn is_comparing(&self) -> bool {
        self.harness.is_comparing()
    }

    /// The source of its choices.
    pub(crate) fn choices(&self) -> &Choices {
        self.harness.choices()
    }

    fn run_with(&self, seed: Seed, choices: Choices, canary: bool) -> Run {
        let run = || self.harness.run_with(seed, choices, canary);
        if self.has_run.swap(true, Ordering::Relaxed) {
            return run();
        }
        let say = || {
            if self.harness.engine().is_compiling() {
                (self.say_compiling)(&self.title);
            }
        };
        said_if_long(COMPILES_UNTOLD, say, run)
    }

    /// Retries a saved failure of this job.
    pub(crate) fn retry(&self, kept: &SavedFailure) -> Result<Retry, ProfileError> {
        let replay = |choices| self.run_with(kept.seed, choices, kept.setting.canary);
        saved::retry(kept, &self.setting(kept.seed), replay)
    }

    /// The setting that is saved with each failure of this job.
    pub(crate) fn setting(&self, seed: Seed) -> Setting {
        let setup = self.harness.setup(seed);
        Setting {
            schemas: self.schemas.clone(),
            replaced: self.replaced.clone(),
            ..Setting::of(&self.name, self.source.clone(), &setup, self.harness.is_comparing())
        }
    }

    /// The same for a failure that a fuzzer found. Drawn anew, its seed gives another run.
    pub(crate) fn setting_of_found(&self, seed: Seed) -> Setting {
        Setting { strategy: None, profile: None, ..self.setting(seed) }
    }

    /// The guests that the user replaced.
    pub(crate) fn replaced(&self) -> &[ReplacedGuest] {
        &self.replaced
    }

    /// The source of the guest: built in, or a component file.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Explains a failure of this job, with at most `budget_runs` runs.
    pub(crate) fn explain(&self, run: &Run, budget_runs: usize) -> Explanation {
        self.harness.explain(run, budget_runs)
    }

    /// The data of a page about a run of this job. `explain_runs` bounds the search for the run that passes.
    pub(crate) fn page(&self, run: &Run, explain_runs: usize) -> Page {
        let token = run.token(&self.name).to_string();
        self.harness.page(run, &self.title, Some(self.replay_line(&token)), explain_runs)
    }

    /// Runs the job under one seed until a step, to look at its world there.
    pub(crate) fn run_until(&self, seed: Seed, step: u64) -> Run {
        self.harness.run_until(seed, step)
    }

    /// The same job with one component replaced by another.
    pub(crate) fn replacing(mut self, old: &[u8], new: &[u8]) -> Result<Self, wavetank::Error> {
        let engine = self.harness.engine().replacing(old, new)?;
        self.harness = self.harness.on(engine);
        Ok(self)
    }

    /// Runs the next schedule of an exhaustive search.
    pub(crate) fn run_next(&self, frontier: &mut Frontier, seed: Seed) -> Option<Run> {
        self.harness.run_next(frontier, seed)
    }

    /// Makes a run that a fuzzer's search asks for.
    pub(crate) fn run_proposed(&self, seed: Seed, proposal: &Proposal, profile: &Profile) -> Run {
        self.run_with(seed, proposal.choices(profile), false)
    }

    /// Whether this is a component of the user's own; its output is then shown.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.source, Source::Component { .. })
    }

    /// The line that replays a run of this job.
    pub(crate) fn replay_line(&self, token: &str) -> String {
        replay_line(token, &self.replay_args)
    }
}

fn harness(body: Body, choices: Choices, engine: Arc<Engine>) -> Harness<Body> {
    Harness::new(body, Setup { choices, ..Setup::new(engine, Seed(0)) })
}

/// The line that replays a token, with the command as the user called it.
pub(crate) fn replay_line(token: &str, replay_args: &str) -> String {
    format!("{} replay {token}{replay_args}", command())
}

/// Notes how this process was called. Comes before everything else.
pub(crate) fn note_call(catalogue: &Catalogue) {
    let called = Called::of_this_process();
    if catalogue.checks.is_empty() {
        called::note(command_line(&called, &catalogue.binary.built()), PathBuf::new());
    } else {
        called::note(checks::command_line(called), catalogue.binary.folder.into());
    }
}

/// Refuses what is only for a component of the user's own.
fn refuse_args(what: &What, noun: &str) -> Result<(), String> {
    let name = &what.subject.scenario;
    let component = &what.subject.settings.component;
    if let Some(flag) = component.flags().first() {
        return Err(format!("{flag} is for a component of your own, and {name} is a {noun}"));
    }
    if component.is_given() {
        return Err(format!("arguments go to a component of your own, and {name} is a {noun}"));
    }
    Ok(())
}

/// Tells the user why nothing happens.
pub(crate) fn note_compiling(title: &str) {
    terminal::note(format_args!("compiling {title} …\n"));
}

/// How long a component may compile before the command says so.
const COMPILES_UNTOLD: Duration = Duration::from_secs(1);

/// Whether a text is a path. Scenarios are plain words.
fn is_path(text: &str) -> bool {
    text.contains(['/', '\\', '.'])
}

/// The name of a component in tokens: made of its content, because its path may change, and of what it is given.
fn own_name(digest: &[u8; 32], inputs: Option<String>) -> String {
    let start = format!("{OWN}{}", hex(&digest[..4]));
    inputs.map_or(start.clone(), |mark| format!("{start}-{mark}"))
}

/// Prefix of the names of components in tokens.
pub(crate) const OWN: &str = "wasm-";
