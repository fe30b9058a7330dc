//! Records: one world of a sweep on one line, the same for any worker.

use crate::calls::calls;
use crate::explain::sentence;
use crate::guest_panic::SourceLine;
use crate::oracle::{Evidence, NotJudged, transport};
use crate::run::{Choices, Run};
use crate::signature::{signature, told_signature};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use twox_hash::XxHash3_64;
use wavetank_choice::seed::Seed;
use wavetank_choice::token::{Recipe, Token};

/// The result of one world of a sweep. It does not depend on when or where the world ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The seed.
    pub seed: u64,
    /// The outcome's name, as `finished`.
    pub outcome: String,
    /// The outcome in one sentence.
    pub says: String,
    /// More lines about the outcome, such as the wait-for graph of a stall; empty if there are none.
    pub detail: Vec<String>,
    /// The name of the behaviour: equal if the same calls were made with the same results. It is a hash of the `calls`
    /// view, which does not depend on the schedule if the application behaves the same.
    pub behaviour: String,
    /// The start of the transcript's digest.
    pub digest: String,
    /// Number of moves.
    pub steps: u64,
    /// Number of choices drawn.
    pub choices: usize,
    /// Virtual time at the end, in nanoseconds.
    pub virtual_ns: u64,
    /// The faults injected into the world, by kind, and how often each took effect.
    #[serde(default)]
    pub faults: BTreeMap<String, u32>,
    /// The token that replays it; only if it did not finish.
    pub token: Option<String>,
    /// Its failure signature: equal for worlds that fail in the same way.
    pub failure: Option<String>,
    /// The same for people, with the numbers of a panic's message; only if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_says: Option<String>,
    /// The known fault that it shows: its name in docs/src/reference/known-faults.md.
    pub known: Option<String>,
    /// The number of choices that the seed drew, if the run was shrunk. Then all else here describes the smaller run.
    pub shrunk_from: Option<usize>,
    /// The oracles that were switched off, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_judged: Vec<String>,
    /// Number of runs that it was compared with: a second, and a third on Pulley.
    pub compared: usize,
    /// Number of RPC messages that its links carried; `None` if the world has no cells or the number is not known.
    #[serde(default)]
    pub rpc_messages: Option<u64>,
    /// Cells that ended by themselves without ever opening the connection that they were offered.
    #[serde(default)]
    pub unopened: Vec<String>,
    /// The place in a source file that the failure points to, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<SourceLine>,
}

/// The end of a world that only the parent of its process could see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerFailure {
    /// The process died in this way.
    Died(String),
    /// The process was silent for so many seconds, and was killed. This is the only limit of wall-clock time, because a
    /// loop inside one poll never returns to the code that counts steps.
    Hung(u64),
}

impl WorkerFailure {
    /// The outcome's name.
    pub fn name(&self) -> &'static str {
        match self {
            WorkerFailure::Died(_) => "aborted",
            WorkerFailure::Hung(_) => "hung",
        }
    }
}

impl fmt::Display for WorkerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkerFailure::Died(how) => write!(f, "aborted: the process died ({how})"),
            WorkerFailure::Hung(seconds) => write!(f, "hung: the process said nothing for {seconds} s"),
        }
    }
}

impl Record {
    /// The record of a run of a scenario.
    pub fn new(scenario: &str, run: &Run) -> Self {
        let behaviour = XxHash3_64::oneshot(calls(run).as_bytes());
        let token = (!run.outcome.is_finished()).then(|| run.token(scenario).to_string());
        let digest = run.transcript.digest();
        let frames = run.frames();
        let evidence = Evidence::of(run, &frames);
        let unopened = transport::unopened(&evidence).into_iter().map(|cell| cell.name.to_string());
        let failure = signature(&run.outcome).map(|failure| failure.to_string());
        let failure_says = told_signature(&run.outcome).map(|failure| failure.to_string());
        Record {
            seed: run.seed.0,
            outcome: run.outcome.name().into(),
            says: sentence(&run.outcome),
            detail: run.outcome.detail(),
            behaviour: format!("{behaviour:016x}"),
            digest: digest[..8].iter().map(|byte| format!("{byte:02x}")).collect(),
            steps: run.transcript.steps.len() as u64,
            choices: run.choices.len(),
            virtual_ns: run.virtual_ns,
            faults: run.faults.iter().map(|(fault, count)| (fault.name().into(), *count)).collect(),
            token,
            failure_says: failure_says.filter(|says| Some(says) != failure.as_ref()),
            failure,
            known: run.outcome.known().map(|known| known.id.into()),
            shrunk_from: None,
            not_judged: run.not_judged().iter().map(NotJudged::to_string).collect(),
            compared: run.compared.len(),
            rpc_messages: (!run.cells.is_empty()).then(|| transport::messages(&frames)),
            unopened: unopened.collect(),
            at: run.outcome.source_line(),
        }
    }

    /// The record of a world whose process died or hung.
    pub fn cut(scenario: &str, seed: Seed, choices: &Choices, cut: &WorkerFailure) -> Self {
        let token = match choices {
            Choices::Drawn(strategy, profile) => {
                let recipe = Recipe::Drawn { strategy: strategy.clone(), profile: profile.name.clone() };
                Some(Token { scenario: scenario.into(), seed, recipe }.to_string())
            }
            Choices::Given(_) | Choices::GivenThenDrawn { .. } => None,
        };
        Record {
            seed: seed.0,
            outcome: cut.name().into(),
            says: cut.to_string(),
            detail: Vec::new(),
            behaviour: String::new(),
            digest: String::new(),
            steps: 0,
            choices: 0,
            virtual_ns: 0,
            faults: BTreeMap::new(),
            token,
            failure: None,
            failure_says: None,
            known: None,
            shrunk_from: None,
            not_judged: Vec::new(),
            compared: 0,
            rpc_messages: None,
            unopened: Vec::new(),
            at: None,
        }
    }

    /// Whether the world finished without a failure.
    pub fn is_finished(&self) -> bool {
        self.outcome == "finished"
    }

    /// Whether it is a failure, and not a known fault.
    pub fn is_news(&self) -> bool {
        !self.is_finished() && self.known.is_none()
    }
}
