//! The settings of a sweep, as its reports name them.

use crate::args::{Run, Seeds};
use crate::job::{Job, replay_line};
use serde::{Deserialize, Serialize};

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
}

impl Heading {
    pub(crate) fn new(job: &Job, args: &Run, seeds: Seeds) -> Self {
        Heading {
            schema: SCHEMA,
            scenario: job.name.clone(),
            title: job.title.clone(),
            replay_args: job.replay_args.clone(),
            strategy: args.what.strategy.to_string(),
            profile: args.what.profile.to_string(),
            canary: args.what.canary,
            shrink: !args.no_shrink,
            first_seed: seeds.start,
            seed_count: seeds.count,
            shard: args.shard.to_string(),
        }
    }

    /// The line that replays a run of this sweep.
    pub(crate) fn replay_line(&self, token: &str) -> String {
        replay_line(token, &self.replay_args)
    }
}
