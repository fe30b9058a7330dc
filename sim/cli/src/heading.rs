//! The settings of a sweep, as its reports name them.

use crate::args::Run;
use crate::job::{Job, replay_line};
use crate::seeds::Seeds;
use serde::{Deserialize, Serialize};
use wavetank_sim::Choices;
use wavetank_sim::guest_panic::SourceLine;

/// Version of the JSON lines.
pub(crate) const SCHEMA: u32 = 2;

/// The settings of a sweep: the first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heading {
    pub(crate) schema: u32,
    /// Its name in tokens.
    pub(crate) scenario: String,
    /// Its name for people.
    pub(crate) title: String,
    /// The arguments that follow the token in a replay line.
    pub(crate) replay_args: String,
    pub(crate) strategy: String,
    pub(crate) profile: String,
    pub(crate) canary: bool,
    pub(crate) shrink: bool,
    /// The first seed of all shards.
    pub(crate) first_seed: u64,
    /// The number of seeds of all shards.
    pub(crate) seed_count: u64,
    /// The shard, as `2/3`.
    pub(crate) shard: String,
    /// The place of the check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<SourceLine>,
}

impl Heading {
    pub(crate) fn new(job: &Job, args: &Run, seeds: Seeds) -> Self {
        let (strategy, profile) = match job.choices() {
            Choices::Drawn(strategy, profile) => (strategy.to_string(), profile.to_string()),
            Choices::Given(_) | Choices::GivenThenDrawn { .. } => Default::default(),
        };
        Heading {
            schema: SCHEMA,
            scenario: job.name.clone(),
            title: job.title.clone(),
            replay_args: job.replay_args.clone(),
            strategy,
            profile,
            canary: job.is_comparing(),
            shrink: !args.no_shrink,
            first_seed: seeds.start,
            seed_count: seeds.count,
            shard: args.shard().to_string(),
            at: job.at.clone(),
        }
    }

    /// The line that replays a run of this sweep.
    pub(crate) fn replay_line(&self, token: &str) -> String {
        replay_line(token, &self.replay_args)
    }
}
