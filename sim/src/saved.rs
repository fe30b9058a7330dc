//! Saved failures: one text file each, complete enough to retry the failure and to be read.
//!
//! [`SavedFailure`] is plain data. `text` writes and reads it, `folder` manages the files, `retry` runs a failure
//! again. Not here: when to save a failure. A sweep and a check decide that.

mod component;
mod folder;
mod retry;
mod text;

pub use component::{ComponentInputs, InputFile, ReplacedGuest, Served};
pub use folder::{file_name, folder, read, read_all, scenario_of, write, write_new};
pub use retry::{Retry, RetryVerdict, retry};
pub use text::SavedFailureError;

use crate::explain::sentence;
use crate::run::{Choices, Run, Setup};
use crate::signature::{ShrunkRun, signature};
use crate::transcript::Names;
use std::collections::BTreeMap;
use wavetank::{ActorId, GateId, PipeId};
use wavetank_choice::choice::{Choice, Meaning};
use wavetank_choice::moves::Lane;
use wavetank_choice::profile::Profile;
use wavetank_choice::seed::Seed;
use wavetank_choice::strategy::StrategyName;
use wavetank_choice::token::{Recipe, Token};

/// A saved failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedFailure {
    /// The scenario and its settings.
    pub setting: Setting,
    /// The seed.
    pub seed: Seed,
    /// The source of the choices: `portfolio: pct:3, swarm`.
    pub drawn_by: String,
    /// The outcome in one sentence; of the shrunk run if there is one.
    pub outcome: String,
    /// More lines about the outcome.
    pub detail: Vec<String>,
    /// The failure signature that a retry must show again.
    pub failure: String,
    /// The guests that its cells ran: the SHA-256 of each, in hexadecimal, by the name of the cell.
    pub guests: BTreeMap<String, String>,
    /// The smallest run found that fails in the same way.
    pub shrunk: Option<Shrunk>,
    /// The run as it was found.
    pub original: Original,
}

/// The scenario and its settings: everything but the seed and the choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The name of the scenario in tokens.
    pub scenario: String,
    /// The source of the scenario.
    pub source: Source,
    /// The strategy, if the choices were drawn.
    pub strategy: Option<StrategyName>,
    /// The name or file of the profile, if the choices were drawn.
    pub profile: Option<String>,
    /// Whether the run was repeated and compared.
    pub canary: bool,
    /// The engine: its version, compiler and allocator.
    pub engine: String,
    /// The bounds of the run.
    pub config: String,
    /// The files of the user's own schemas.
    pub schemas: Vec<String>,
    /// The guests that the user replaced.
    pub replaced: Vec<ReplacedGuest>,
}

/// The source of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is built in.
    BuiltIn,
    /// A test defines it.
    Check,
    /// It is a component that runs as pid0, with these inputs.
    Component {
        /// The component's file.
        path: String,
        /// What it is given, and what is expected of it.
        inputs: ComponentInputs,
    },
}

/// A smaller run of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// Its choices, without zeros at their end.
    pub choices: Vec<SavedChoice>,
    /// Its transcript's digest, in hexadecimal.
    pub transcript: String,
    /// Number of runs spent on finding it.
    pub runs: usize,
}

/// A saved choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedChoice {
    /// The chosen value.
    pub value: u32,
    /// The fingerprint of its meaning.
    pub check: u8,
    /// Its meaning, for people.
    pub says: String,
}

/// A run as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// The number of choices it drew; 0 if that is not known.
    pub choices: usize,
    /// Its transcript's digest, in hexadecimal; empty if the process of the run died.
    pub transcript: String,
    /// The token that replays it: its choices, packed.
    pub token: Token,
}

impl Setting {
    /// The setting for runs of a scenario under a setup.
    pub fn of(scenario: &str, source: Source, setup: &Setup, canary: bool) -> Self {
        let (strategy, profile) = match &setup.choices {
            Choices::Drawn(strategy, profile) => (Some(strategy.clone()), Some(profile.name.clone())),
            // The run began with given choices, so that drawing from the seed alone would give another run.
            Choices::Given(_) | Choices::GivenThenDrawn { .. } => (None, None),
        };
        let Setup { max_choices, max_steps, capacity_bytes, .. } = setup;
        let off: String = setup.without.keys().map(|oracle| format!(", without {oracle}")).collect();
        Setting {
            scenario: scenario.into(),
            source,
            strategy,
            profile,
            canary,
            engine: setup.engine.to_string(),
            config: format!("{max_choices} choices, {max_steps} steps, pipes of {capacity_bytes} bytes{off}"),
            schemas: Vec::new(),
            replaced: Vec::new(),
        }
    }
}

impl SavedFailure {
    /// A run as it was found; `None` if it finished.
    pub fn new(setting: Setting, run: &Run) -> Option<Self> {
        let transcript = run.transcript.digest();
        let original = Original {
            choices: run.choices.len(),
            transcript: hex(&transcript),
            token: Token::of_run(&setting.scenario, run.seed, &run.choices, transcript),
        };
        Some(SavedFailure {
            setting,
            seed: run.seed,
            drawn_by: run.origin.clone(),
            outcome: sentence(&run.outcome),
            detail: run.outcome.detail(),
            failure: signature(&run.outcome)?.across_builds().to_string(),
            guests: guests_of(run),
            shrunk: None,
            original,
        })
    }

    /// The same failure with a smaller run that fails in the same way.
    pub fn with_shrunk(self, smaller: &ShrunkRun) -> Self {
        let ShrunkRun { run, shrunk } = smaller;
        let names = run.names();
        let kept = |choice: &Choice| SavedChoice {
            value: choice.value,
            check: choice.of.check(),
            says: says(choice.of, &names),
        };
        let shrunk = Shrunk {
            choices: run.choices.iter().map(kept).collect(),
            transcript: hex(&run.transcript.digest()),
            runs: shrunk.runs,
        };
        SavedFailure {
            outcome: sentence(&run.outcome),
            detail: run.outcome.detail(),
            shrunk: Some(shrunk),
            ..self
        }
    }

    /// A world whose process died; `None` if its choices were not drawn.
    pub fn aborted(setting: Setting, seed: Seed, how: &str) -> Option<Self> {
        let recipe = Recipe::Drawn { strategy: setting.strategy.clone()?, profile: setting.profile.clone()? };
        let token = Token { scenario: setting.scenario.clone(), seed, recipe };
        Some(SavedFailure {
            drawn_by: format!("{}, {}", setting.strategy.as_ref()?, setting.profile.as_ref()?),
            setting,
            seed,
            outcome: format!("aborted: the process died ({how})"),
            detail: Vec::new(),
            failure: ABORTED.into(),
            guests: BTreeMap::new(),
            shrunk: None,
            original: Original { choices: 0, transcript: String::new(), token },
        })
    }

    /// The tokens for a retry, the smallest run first: the shrunk choices, the choices as found, and new draws from the
    /// seed.
    pub fn tokens(&self) -> Vec<Token> {
        let with = |recipe| Token { recipe, ..self.original.token.clone() };
        let shrunk = self.shrunk.as_ref().map(|shrunk| {
            let choices = shrunk.choices.iter().map(|choice| (choice.value, choice.check)).collect();
            let digest = unhex(&shrunk.transcript).and_then(|digest| digest.first_chunk().copied());
            with(Recipe::Given { choices, digest: digest.unwrap_or_default() })
        });
        let drawn = match (&self.setting.strategy, &self.setting.profile, &self.original.token.recipe) {
            (Some(strategy), Some(profile), Recipe::Given { .. }) if profile.parse::<Profile>().is_ok() => {
                Some(with(Recipe::Drawn { strategy: strategy.clone(), profile: profile.clone() }))
            }
            _ => None,
        };
        shrunk.into_iter().chain([self.original.token.clone()]).chain(drawn).collect()
    }
}

/// The failure signature of a world whose process died.
pub const ABORTED: &str = "aborted";

/// The meaning of a choice, in a few words.
fn says(of: Meaning, names: &Names) -> String {
    let actor = |id| names.actor(ActorId(id));
    let pipe = |id| names.pipe(PipeId(id));
    match of {
        Meaning::Item(kind, id) => match Lane::of(kind, id) {
            Lane::Actor(id) => format!("{kind} {}", actor(id)),
            Lane::Pipe(id) => format!("{kind} {}", pipe(id)),
            Lane::Call(id) => format!("{kind} {}", GateId(id)),
            Lane::Script(id) => format!("{kind} of script {id}"),
            Lane::Clock => kind.to_string(),
        },
        Meaning::NoFault => "no fault".into(),
        Meaning::Amount(id) => format!("how many bytes of {}", pipe(id)),
        Meaning::Pipe(id) => format!("how {} flows", pipe(id)),
        Meaning::Value => "what the scenario draws".into(),
        Meaning::Level => "how rough the world is".into(),
        Meaning::Slice(cell) => format!("fuel slice of {}", actor(cell)),
        Meaning::Host(cell) => format!("freedoms that the host of {} takes", actor(cell)),
        Meaning::Trap(cell) => format!("fuel at which {} is trapped", actor(cell)),
        Meaning::Refuse(cell) => format!("growths until {} is refused memory", actor(cell)),
        Meaning::Gap => "moves until the next fault".into(),
        Meaning::Bytes(id) => format!("bytes until {} ends", pipe(id)),
        Meaning::Half(id) => format!("which end of {} hears that it has ended", pipe(id)),
        Meaning::Span => "a length of time".into(),
        Meaning::Act(script) => format!("which operation of script {script}"),
        Meaning::Latency(id) => format!("how long {} takes", GateId(id)),
        Meaning::Failure(id) => format!("whether {} fails", GateId(id)),
        Meaning::Draw(id) => names.draw(GateId(id)),
        Meaning::Task(id) => format!("which task of {}", actor(id)),
    }
}

/// The guests of a run: the SHA-256 of each in hexadecimal, by the name of the cell.
fn guests_of(run: &Run) -> BTreeMap<String, String> {
    run.guests.iter().map(|(cell, guest)| (cell.to_string(), hex(&guest.digest()))).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
