//! The job of a command: a built-in scenario, or a component of the user's own as pid0.

use crate::args::What;
use crate::called::{self, command};
use crate::catalogue::Catalogue;
use crate::checks;
use crate::component::{ComponentArgs, Inputs, hex};
use crate::driven::{Driven, DrivenCheck};
use crate::files;
use crate::guest_files::GuestArgs;
use crate::pool::{Worker, note_compiling};
use crate::schemas::SchemaArgs;
use crate::subject::SettingArgs;
use crate::without::WithoutArgs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wavetank::Engine;
use wavetank_page::model::Page;
use wavetank_sim::check::AnyCheck;
use wavetank_sim::guest_panic::SourceLine;
use wavetank_sim::harness::Harness;
use wavetank_sim::replay_line::{Called, command_line};
use wavetank_sim::saved::{ReplacedGuest, Setting, Source};
use wavetank_sim::shell;
use wavetank_sim::worker::protocol::Settings;
use wavetank_sim::worker::replaced::{self, NewGuest};
use wavetank_sim::worker::subject::{COMPILES_UNTOLD, Subject, said_if_long};
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
    say_compiling: Box<dyn Fn(&str) + Send + Sync>,
    has_run: AtomicBool,
    /// Built guests by name, for `--guest`.
    pub(crate) guests: Vec<(&'static str, &'static [u8])>,
    /// The check, if another process runs it. Then the harness here runs nothing.
    driven: Option<Box<Driven>>,
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
        let (strategy, profile) = (what.strategy.clone(), what.profile.clone());
        let job = if let Some(check) = catalogue.check(&subject.scenario) {
            refuse_args(what, "check")?;
            Self::of_check(check, strategy, profile)
        } else if let Some(check) = catalogue.driven(&subject.scenario) {
            refuse_args(what, "check")?;
            Self::of_driven(check, strategy, profile, engine)?
        } else {
            let choices = Choices::Drawn(strategy.unwrap_or_default(), profile.unwrap_or_default());
            Self::found(what, choices, catalogue, engine)?
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
            say_compiling: Box::new(note_compiling),
            has_run: AtomicBool::new(false),
            guests: Vec::new(),
            driven: None,
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
            say_compiling: Box::new(note_compiling),
            has_run: AtomicBool::new(false),
            guests: Vec::new(),
            driven: None,
        }
    }

    /// A check that another process runs. What the user did not set on the command line is as the check says.
    pub(crate) fn of_driven(
        check: &DrivenCheck,
        strategy: Option<StrategyName>,
        profile: Option<Profile>,
        engine: Arc<Engine>,
    ) -> Result<Self, String> {
        let settings = Settings {
            strategy: strategy.as_ref().map(StrategyName::to_string),
            profile: profile.as_ref().map(|profile| absolute_if_path(&profile.name)),
            ..Settings::default()
        };
        let driven = Driven::new(check.clone(), settings)?;
        let described = &driven.described;
        // The profile of a check may be a value that has no name here.
        let profile = profile.unwrap_or_else(|| {
            let name = described.profile.clone();
            name.parse().unwrap_or_else(|_| Profile { name, ..Profile::default() })
        });
        let strategy = described.strategy.parse().map_err(|e| format!("{e}"))?;
        let body: Body = Box::new(|_| panic!("another process runs the worlds of this check"));
        let harness = harness(body, Choices::Drawn(strategy, profile), engine);
        Ok(Job {
            title: described.name.clone(),
            name: described.name.clone(),
            replay_args: String::new(),
            harness: harness.comparing(described.canary),
            source: Source::Check,
            replaced: Vec::new(),
            schemas: Vec::new(),
            at: Some(described.at.clone()),
            say_compiling: Box::new(note_compiling),
            has_run: AtomicBool::new(false),
            guests: Vec::new(),
            driven: Some(Box::new(driven)),
        })
    }

    /// Starts a worker for it. `what` is what the user asked for.
    pub(crate) fn start(&self, what: &What) -> Result<Worker, String> {
        match self.driven() {
            Some(driven) => driven.start(what.subject.keep.folder(), true),
            None => Worker::of_this_command(what),
        }
    }

    /// The check, if another process runs it.
    pub(crate) fn driven(&self) -> Option<&Driven> {
        self.driven.as_deref()
    }

    /// Refuses what needs the runs themselves in this process, if another one makes them.
    pub(crate) fn refuse_driven(&self, what: &str) -> Result<(), String> {
        match self.driven {
            None => Ok(()),
            Some(_) => Err(format!(
                "{what} runs a check in its own process, and that of {} is a test binary of libtest: list the check in a target with wavetank_cli::checks!",
                self.title
            )),
        }
    }

    /// A built-in scenario or a check, for runs of which the choices are known.
    pub(crate) fn named(
        name: &str,
        choices: Choices,
        catalogue: &Catalogue,
        engine: Arc<Engine>,
    ) -> Result<Self, String> {
        if let Some(check) = catalogue.driven(name) {
            return Self::of_driven(check, None, None, engine);
        }
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
            say_compiling: Box::new(note_compiling),
            has_run: AtomicBool::new(false),
            guests: Vec::new(),
            driven: None,
        })
    }

    /// The same job with the settings that a replay needs too.
    pub(crate) fn with_settings(self, settings: &SettingArgs) -> Result<Self, String> {
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
        let files = guests.files(self.driven.is_some());
        let new = replaced::load(&files)?;
        let mut job = self;
        if let Some(driven) = &mut job.driven {
            driven.settings.guests = files;
            // Its process says which of them it does not start.
            driven.start(None, false)?.described()?;
        } else {
            job.guests.clone_from(&catalogue.guests);
            replaced::replace(&mut job, &new)?;
        }
        job.replaced = new.iter().map(NewGuest::saved).collect();
        job.name = replaced::name_with(&job.name, &job.replaced);
        job.replay_args = format!(" {}{}", shell::words(&guests.words()), job.replay_args);
        Ok(job.noting_replay_args())
    }

    /// The same job with oracles switched off. A replay must switch them off too.
    pub(crate) fn with_out(mut self, without: &WithoutArgs) -> Self {
        self.harness.base_mut().without.extend(without.setting());
        let words = without.words();
        if let Some(driven) = &mut self.driven {
            driven.settings.without = without.pairs();
        }
        if !words.is_empty() {
            self.replay_args = format!(" {}{}", shell::words(&words), self.replay_args);
        }
        self.noting_replay_args()
    }

    /// The same job with calls and values named by schemas. A replay must be given them too.
    fn with_schema(mut self, schema: &SchemaArgs) -> Result<Self, String> {
        schema.load_onto(&mut self.harness.base_mut().schema)?;
        self.schemas = schema.paths();
        if let Some(driven) = &mut self.driven {
            driven.settings.schemas = schema.absolute_files()?;
            driven.settings.schema_names = schema.paths();
        }
        let words = schema.words();
        if !words.is_empty() {
            self.replay_args = format!(" {}{}", shell::words(&words), self.replay_args);
        }
        Ok(self.noting_replay_args())
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

    /// The same job with each run repeated and compared.
    pub(crate) fn with_canary(mut self) -> Self {
        let replay_args = format!(" --canary{}", self.replay_args);
        if let Some(driven) = &mut self.driven {
            driven.settings.canary = true;
        }
        Job { harness: self.harness.comparing(true), replay_args, ..self }.noting_replay_args()
    }

    /// The same job, of which the other process knows the arguments of replay lines too.
    fn noting_replay_args(mut self) -> Self {
        if let Some(driven) = &mut self.driven {
            driven.settings.replay_args.clone_from(&self.replay_args);
        }
        self
    }

    /// The same with another way to say that guests are being compiled.
    pub(crate) fn saying_compiling(self, say: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Job { say_compiling: Box::new(say), ..self }
    }

    /// The data of a page about a run of this job. `explain_runs` bounds the search for the run that passes.
    pub(crate) fn page(&self, run: &Run, explain_runs: usize) -> Page {
        let token = run.token(&self.name).to_string();
        self.harness.page(run, &self.title, Some(self.replay_line(&token)), explain_runs)
    }

    /// The guests that the user replaced.
    pub(crate) fn replaced(&self) -> &[ReplacedGuest] {
        &self.replaced
    }

    /// Whether each run is repeated and compared.
    pub(crate) fn is_comparing(&self) -> bool {
        self.harness.is_comparing()
    }

    /// The source of its choices.
    pub(crate) fn choices(&self) -> &Choices {
        self.harness.choices()
    }

    /// The source of the guest: built in, or a component file.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }
}

impl Subject for Job {
    type Scenario = Body;

    fn name(&self) -> &str {
        &self.name
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn command(&self) -> &str {
        command()
    }

    fn replay_line(&self, token: &str) -> String {
        replay_line(token, &self.replay_args)
    }

    fn harness(&self) -> &Harness<Body> {
        &self.harness
    }

    fn harness_mut(&mut self) -> &mut Harness<Body> {
        &mut self.harness
    }

    fn setting(&self, seed: Seed) -> Setting {
        let setup = self.harness.setup(seed);
        let schemas = self.schemas.clone();
        let setting = Setting::of(&self.name, self.source.clone(), &setup, self.harness.is_comparing());
        let setting = Setting { schemas, replaced: self.replaced.clone(), ..setting };
        match &self.driven {
            None => setting,
            Some(driven) => {
                let off = driven.settings.without.iter();
                let off: String = off.map(|(oracle, _)| format!(", without {oracle}")).collect();
                let engine = driven.described.engine.clone();
                Setting { engine, config: format!("{}{off}", driven.described.config), ..setting }
            }
        }
    }

    /// A component of the user's own.
    fn shows_output(&self) -> bool {
        matches!(self.source, Source::Component { .. })
    }

    fn guests(&self) -> &[(&'static str, &'static [u8])] {
        &self.guests
    }

    fn run_with(&self, seed: Seed, choices: Choices, compares: bool) -> Run {
        let run = || self.harness.run_with(seed, choices, compares);
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

/// Whether a text is a path. Scenarios are plain words.
fn is_path(text: &str) -> bool {
    text.contains(['/', '\\', '.'])
}

/// The name of a profile; if it is a path, the absolute one, because other processes run in other folders.
fn absolute_if_path(name: &str) -> String {
    let path = Path::new(name);
    let absolute = is_path(name).then(|| std::path::absolute(path).ok()).flatten();
    absolute.map_or_else(|| name.into(), |path| path.display().to_string())
}

/// The name of a component in tokens: made of its content, because its path may change, and of what it is given.
fn own_name(digest: &[u8; 32], inputs: Option<String>) -> String {
    let start = format!("{OWN}{}", hex(&digest[..4]));
    inputs.map_or(start.clone(), |mark| format!("{start}-{mark}"))
}

/// Prefix of the names of components in tokens.
pub(crate) const OWN: &str = "wasm-";
