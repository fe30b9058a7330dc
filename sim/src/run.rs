//! One run: it takes a scenario, a seed and a strategy, and returns an outcome and a transcript.

use crate::film::Film;
use crate::hashkeys;
use crate::moves::Move;
use crate::oracle::{Blame, Evidence, Facts, NotJudged, SwitchedOff};
use crate::outcome::ComparedWith;
use crate::outcome::Outcome;
use crate::panics;
use crate::schema::PEER_SCHEMA;
use crate::transcript::{LinkFrames, Names, Transcript};
use crate::view::WorldView;
use crate::world::{Fault, World, WorldConfig};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use wavetank::cell::ExitRecord;
use wavetank::pipe::DEFAULT_CAPACITY_BYTES;
use wavetank::{Engine, Guest};
use wavetank_choice::choice::{Choice, Occasion};
use wavetank_choice::chooser::Chooser;
use wavetank_choice::profile::{Level, Profile, ProfileError};
use wavetank_choice::seed::Seed;
use wavetank_choice::strategy::{GivenThenDrawn, Replay, Strategy, StrategyName, Survey, Surveyor};
use wavetank_choice::token::{Recipe, Token};
use wavetank_trace::frames::Message;
use wavetank_trace::schema::{Error as SchemaError, Schema};

/// Stack of a world's thread, in bytes. Guests run on stacks of their own.
const STACK_BYTES: usize = 4 * 1024 * 1024;

/// The source of a run's choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choices {
    /// A strategy draws them, steered by a profile.
    Drawn(StrategyName, Profile),
    /// They were drawn before. Each value has the fingerprint of its meaning, if that is known.
    Given(Vec<(u32, Option<u8>)>),
    /// The first choices are given and the others are drawn. A given value that is too large wraps around.
    GivenThenDrawn {
        /// The first choices.
        given: Vec<u32>,
        /// The strategy that draws the others.
        then: StrategyName,
        /// The seed for drawing them. Hash keys and the random bytes of guests follow the seed of the setup.
        seed: Seed,
        /// The profile that steers the drawing. No choice makes the world rougher than the profile allows.
        profile: Profile,
    },
}

impl Default for Choices {
    fn default() -> Self {
        Choices::Drawn(StrategyName::default(), Profile::default())
    }
}

impl Choices {
    /// Whether a survey helps, if the setup has this seed.
    pub fn needs_survey(&self, seed: Seed) -> bool {
        match self {
            Choices::Drawn(strategy, _) => strategy.needs_survey(seed),
            Choices::GivenThenDrawn { then, seed, .. } => then.needs_survey(*seed),
            Choices::Given(_) => false,
        }
    }
}

impl TryFrom<Recipe> for Choices {
    type Error = ProfileError;

    /// # Errors
    /// [`ProfileError`] if a recipe names a profile file that no longer exists.
    fn try_from(recipe: Recipe) -> Result<Self, ProfileError> {
        Ok(match recipe {
            Recipe::Drawn { strategy, profile } => Choices::Drawn(strategy, profile.parse()?),
            Recipe::Given { choices, .. } => {
                Choices::Given(choices.into_iter().map(|(value, check)| (value, Some(check))).collect())
            }
        })
    }
}

/// How a scenario is run.
#[derive(Clone)]
pub struct Setup {
    /// The engine for its guests.
    pub engine: Arc<Engine>,
    /// The seed. Hash keys and the random bytes of guests follow it, and so do choices if they are drawn.
    pub seed: Seed,
    /// The source of the choices.
    pub choices: Choices,
    /// The result of an earlier [survey](survey()) of the scenario. If it is `None`, the scenario is surveyed before each
    /// run whose strategy needs it.
    pub survey: Option<Arc<Survey>>,
    /// Choices until the calm phase begins.
    pub max_choices: usize,
    /// Steps until the run is given up.
    pub max_steps: u64,
    /// Capacity of pipes in bytes, at least 1, unless a scenario sets its own.
    pub capacity_bytes: usize,
    /// Stops after this many steps and looks at the world: [`Run::view`]. The run is not judged then.
    pub until: Option<u64>,
    /// Keeps the state of the world after each step: [`Run::film`]. It changes nothing else about the run.
    pub films: bool,
    /// Cells that may live in its world at once. Ten times as many may be started in total.
    pub max_cells: usize,
    /// Bytes that its record may reach before the run is given up as [flooded](crate::oracle::flood).
    pub max_record_bytes: u64,
    /// Oracles that are switched off, each with the reason.
    pub without: SwitchedOff,
    /// The schema by which reports name calls and values. The scenario may [add](World::schema) to it.
    pub schema: Arc<Schema>,
}

impl Setup {
    /// A setup with the usual values: random choices, 2,000 of them, and pipes of 64 KiB.
    pub fn new(engine: Arc<Engine>, seed: Seed) -> Self {
        Setup {
            engine,
            seed,
            choices: Choices::default(),
            survey: None,
            max_choices: 2_000,
            max_steps: 5_000_000,
            capacity_bytes: DEFAULT_CAPACITY_BYTES,
            until: None,
            films: false,
            max_cells: 1_000,
            max_record_bytes: 512 * 1024 * 1024,
            without: SwitchedOff::new(),
            schema: PEER_SCHEMA.clone(),
        }
    }
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The seed of the run.
    pub seed: Seed,
    /// The origin of its choices: `random, swarm`, `portfolio: pct:3, swarm`, or `given`.
    pub origin: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How rough its world was.
    pub level: Level,
    /// The faults that took effect in the world: by kind, how often.
    pub faults: BTreeMap<Fault, u32>,
    /// The choices, without the zeros at the end.
    pub choices: Vec<Choice>,
    /// The occasion on which each choice was drawn.
    pub occasions: Vec<Occasion>,
    /// The move during which the run panicked. It is not among the steps.
    pub broke_off: Option<Move>,
    /// The run, written down.
    pub transcript: Transcript,
    /// The schema by which reports name calls and values.
    pub schema: Arc<Schema>,
    /// Virtual time at the end, in nanoseconds.
    pub virtual_ns: u64,
    /// Every cell in order of birth, with its exit if it has ended.
    pub cells: Vec<(Arc<str>, Option<ExitRecord>)>,
    /// The components that ran, by cell in order of birth.
    pub guests: Vec<(Arc<str>, Arc<Guest>)>,
    /// The state of the world at the end. Oracles judge from it and from the transcript.
    pub facts: Facts,
    /// The world after the step that [`Setup::until`] names; `None` if the run has fewer steps.
    pub view: Option<WorldView>,
    /// The world after each step, if [`Setup::films`] asked for it.
    pub film: Option<Film>,
    /// The point at which a replay left its track, if it did.
    pub left_track: Option<String>,
    /// The runs that a [`canary`](crate::canary) compared it with.
    pub compared: Vec<ComparedWith>,
    /// The frames of all links, decoded once.
    pub(crate) frames: OnceLock<Arc<[LinkFrames]>>,
}

impl Run {
    /// The frames of each link, in order of the links' birth. They are decoded once.
    pub fn frames(&self) -> Arc<[LinkFrames]> {
        self.frames.get_or_init(|| self.transcript.frames(&self.schema).into()).clone()
    }

    /// Virtual time at the end.
    pub fn virtual_time(&self) -> Duration {
        Duration::from_nanos(self.virtual_ns)
    }

    /// The names of its actors, pipes and calls.
    pub fn names(&self) -> Names {
        Names::of(&self.transcript.events, &self.schema)
    }

    /// Tells how to name the interfaces that the schema does not name; `None` if it names all that were called.
    pub fn unnamed(&self) -> Option<String> {
        let frames = self.frames();
        let called = frames.iter().flat_map(|link| &link.frames).filter_map(|frame| match &frame.message {
            Message::Call(call) => Some(call.interface_id),
            _ => None,
        });
        let unnamed: BTreeSet<u64> = called.filter(|id| !self.schema.interfaces.contains_key(id)).collect();
        let ids: Vec<String> = unnamed.iter().map(|id| format!("@{id:#018x}")).collect();
        (!ids.is_empty()).then(|| {
            format!(
                "no schema names {}: give its request, in a check with .schema(…), to the command with --schema FILE.cgr",
                ids.join(", ")
            )
        })
    }

    /// The same run, read by a schema that also has the tables of a CodeGeneratorRequest. Its outcome keeps the words
    /// that it was found with.
    ///
    /// # Errors
    /// If the bytes are not one whole CodeGeneratorRequest.
    pub fn with_schema(mut self, request: &[u8]) -> Result<Self, SchemaError> {
        let mut schema = (*self.schema).clone();
        schema.extend(Schema::from_request(request)?);
        self.schema = Arc::new(schema);
        self.frames = OnceLock::new();
        Ok(self)
    }

    /// All its moves, including the one during which it panicked.
    pub fn moves(&self) -> Vec<Move> {
        self.transcript.steps.iter().map(|step| step.moved).chain(self.broke_off).collect()
    }

    /// The oracles that were switched off, each with the reason.
    pub fn not_judged(&self) -> Vec<NotJudged> {
        self.facts.not_judged()
    }

    /// The token that replays the run.
    pub fn token(&self, scenario: &str) -> Token {
        Token::of_run(scenario, self.seed, &self.choices, self.transcript.digest())
    }
}

impl<'a> Evidence<'a> {
    /// The evidence of a run. `links` are its [frames](Run::frames).
    pub fn of(run: &'a Run, links: &'a [LinkFrames]) -> Self {
        Evidence {
            steps: &run.transcript.steps,
            events: &run.transcript.events,
            ..Self::from_facts(&run.facts, links)
        }
    }
}

/// Runs a scenario once, on a thread of its own. The standard library draws hash keys once per thread, and things that
/// users keep in thread-locals must not live on from one world to the next.
///
/// If the strategy wants a survey and the setup has none, the scenario runs once more beforehand to be surveyed.
pub fn run(scenario: impl Fn(&mut World) + Sync, setup: &Setup) -> Run {
    let surveyed;
    let mut setup = setup;
    if setup.survey.is_none() && setup.choices.needs_survey(setup.seed) {
        surveyed = Setup { survey: Some(Arc::new(survey(&scenario, setup))), ..setup.clone() };
        setup = &surveyed;
    }
    on_a_thread(setup.seed, || run_here(&scenario, setup))
}

/// Runs a scenario once under a strategy of your own, which draws as many choices as it likes. `origin` becomes
/// [`Run::origin`]. The choices of the setup are not used.
pub fn run_under(
    scenario: impl Fn(&mut World) + Sync,
    setup: &Setup,
    origin: &str,
    strategy: impl Fn() -> Box<dyn Strategy> + Sync,
) -> Run {
    on_a_thread(setup.seed, || {
        run_with(&scenario, setup, Chooser::new(strategy(), usize::MAX), origin.to_string())
    })
}

/// Moves of a survey, at most. A plan needs no more than that.
const MAX_SURVEYED: u64 = 20_000;

/// Runs a scenario once with no choices at all, under seed 0, and counts its moves. Some strategies need these counts
/// before they begin.
pub fn survey(scenario: impl Fn(&mut World) + Sync, setup: &Setup) -> Survey {
    let max_steps = setup.max_steps.min(MAX_SURVEYED);
    let dull = Setup { seed: Seed(0), max_steps, ..setup.clone() };
    let survey = Arc::new(Mutex::new(Survey::default()));
    run_under(scenario, &dull, "survey", || Box::new(Surveyor::new(survey.clone())));
    let survey = survey.lock().unwrap_or_else(PoisonError::into_inner);
    survey.clone()
}

fn on_a_thread(seed: Seed, run: impl FnOnce() -> Run + Send) -> Run {
    let span = tracing::Span::current();
    let dispatch = tracing_core::dispatcher::get_default(Clone::clone);
    std::thread::scope(|scope| {
        let world = || {
            hashkeys::enter(seed);
            tracing_core::dispatcher::with_default(&dispatch, || span.in_scope(run))
        };
        let thread = std::thread::Builder::new().name("world".into()).stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, world).expect("a thread can be had");
        thread.join().expect("a world's panics are caught inside")
    })
}

/// Runs a scenario once, on this thread. Hash order then follows this thread and not the seed. Use it only to measure.
pub fn run_here(scenario: impl FnOnce(&mut World), setup: &Setup) -> Run {
    let unknown = Survey::default();
    let survey = setup.survey.as_deref().unwrap_or(&unknown);
    let (chooser, origin) = match &setup.choices {
        Choices::Drawn(strategy, profile) => {
            let chooser = Chooser::new(strategy.make(setup.seed, profile, survey), setup.max_choices);
            let made = strategy.for_seed(setup.seed);
            let origin = match strategy {
                StrategyName::Portfolio => format!("{strategy}: {made}, {profile}"),
                _ => format!("{made}, {profile}"),
            };
            (chooser, origin)
        }
        Choices::Given(given) => {
            (Chooser::new(Box::new(Replay::new(given.clone())), given.len()), "given".into())
        }
        Choices::GivenThenDrawn { given, then, seed, profile } => {
            let then = then.make(*seed, profile, survey);
            let begun = GivenThenDrawn::new(given.clone(), profile.level, then);
            (Chooser::new(Box::new(begun), setup.max_choices), format!("fuzz, {profile}"))
        }
    };
    run_with(scenario, setup, chooser, origin)
}

fn run_with(scenario: impl FnOnce(&mut World), setup: &Setup, chooser: Chooser, origin: String) -> Run {
    let chooser = Rc::new(RefCell::new(chooser));
    let mut world = World::new(WorldConfig {
        seed: setup.seed,
        chooser: chooser.clone(),
        engine: setup.engine.clone(),
        capacity_bytes: setup.capacity_bytes,
        max_cells: setup.max_cells,
        max_record_bytes: setup.max_record_bytes,
        max_steps: setup.max_steps,
        until: setup.until,
        films: setup.films,
        without: setup.without.clone(),
        schema: setup.schema.clone(),
    });
    let outcome = panics::catch(|| {
        scenario(&mut world);
        world.run()
    });
    let outcome = outcome.unwrap_or_else(|panics::Caught { message, at, blame }| {
        // The place tells the layer. The scenario's own code may be a task or a server.
        let party = if matches!(blame, Blame::Scenario(_)) { world.blame_for_panic() } else { None };
        Outcome::Panicked { message, at, blame: party.unwrap_or(blame) }
    });
    let (cells, virtual_ns, facts) = (world.cells(), world.now_ns(), world.facts());
    let (level, faults) = (world.weather.level(), world.weather.faults().clone());
    let frames = std::mem::take(&mut world.frames);
    let transcript = std::mem::take(&mut world.transcript);
    let schema = world.schema.borrow().clone();
    let (view, broke_off, guests) = (world.view.take(), world.moving, world.guests());
    let film = world.take_film();
    let (choices, occasions, left_track) = chooser.borrow_mut().finish();
    drop(world);
    Run {
        seed: setup.seed,
        origin,
        outcome,
        level,
        faults,
        choices,
        occasions,
        broke_off,
        transcript,
        schema,
        virtual_ns,
        cells,
        guests,
        facts,
        view,
        film,
        left_track,
        compared: Vec::new(),
        frames,
    }
}
