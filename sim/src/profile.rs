//! Profiles: what steers a strategy.
//!
//! A profile says which choices a strategy makes, not what they mean: what is recorded is the item that was
//! picked, and a replay needs no profile.

use std::fmt;
use std::str::FromStr;

/// A profile by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProfileName {
    /// Every order between actors; pipes flow freely and whole.
    Calm,
    /// Weather, its weights drawn from the seed: held pipes, small pieces, late grants.
    #[default]
    Swarm,
}

impl ProfileName {
    /// All of them, each with what it does.
    pub const ALL: [(ProfileName, &str); 2] = [
        (ProfileName::Calm, "only the order of things varies: pipes flow freely and whole"),
        (
            ProfileName::Swarm,
            "weather drawn from the seed: held pipes, small deliveries, late and small grants",
        ),
    ];

    /// What it sets.
    pub fn profile(self) -> Profile {
        match self {
            ProfileName::Calm => Profile { held_pipes: 0, small_pieces: 0, swarm_weights: false },
            ProfileName::Swarm => Profile { held_pipes: 4, small_pieces: 200, swarm_weights: true },
        }
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProfileName::Calm => "calm",
            ProfileName::Swarm => "swarm",
        })
    }
}

impl FromStr for ProfileName {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        let named = ProfileName::ALL.into_iter().find(|(name, _)| name.to_string() == text);
        named.map(|(name, _)| name).ok_or_else(|| UnknownProfile(text.into()))
    }
}

/// A text that names no profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown profile {0:?}: there are calm and swarm")]
pub struct UnknownProfile(String);

/// What steers a random strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// One pipe in so many is held; 0 holds none.
    pub held_pipes: u32,
    /// Pieces of less than everything in one world: byte by byte, a big message explodes.
    pub small_pieces: u32,
    /// Whether the weights of moves are drawn from the seed, or all the same.
    pub swarm_weights: bool,
}
