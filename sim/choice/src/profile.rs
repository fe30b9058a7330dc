//! Profiles, which steer a strategy.
//!
//! A profile controls which choices a strategy makes, but not their meaning. A run records the item that was picked, so
//! a replay needs no profile.
//!
//! Users can write a profile of their own as a TOML file. Keys that it omits are as in `swarm`:
//!
//! ```
//! use wavetank_choice::profile::{Level, Profile};
//!
//! let text = "
//!     level = 'damage'
//!     faults = 3
//!     [weights]
//!     cut = 8
//!     mute = 0
//! ";
//! let profile = Profile::from_toml("rough", text).unwrap();
//! assert_eq!((profile.level, profile.faults), (Level::Damage, 3));
//! assert_eq!(profile.held_pipes, Profile::swarm().held_pipes);
//! ```

use crate::moves::Kind;
use crate::nearest::did_you_mean;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::str::FromStr;

/// How rough a world is. It is the first choice of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// No fault injection.
    #[default]
    Still,
    /// Injected faults that are only weather: a correct guest is never blamed under them.
    Weather,
    /// Weather and damage.
    Damage,
    /// Damage, and the tasks of a vat run in any order. capnp-rpc promises an order of calls only if tasks run first
    /// in, first out (capnproto-rust#528).
    Disorder,
}

impl Level {
    /// How many levels there are.
    pub const COUNT: u32 = 4;

    /// The level for a choice's value.
    pub fn of(value: u32) -> Self {
        match value {
            0 => Level::Still,
            1 => Level::Weather,
            2 => Level::Damage,
            _ => Level::Disorder,
        }
    }
}

/// Steers a strategy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Its name, or the file that it was read from.
    #[serde(skip)]
    pub name: String,
    /// How rough its worlds are.
    pub level: Level,
    /// One pipe in this many is held; 0 means none.
    pub held_pipes: u32,
    /// The most deliveries of less than everything in one world. Without this limit, a big message that goes byte by
    /// byte takes too many moves.
    pub small_pieces: u32,
    /// One cell in this many burns small fuel slices; 0 means none.
    pub small_slices: u32,
    /// One cell in this many has a host that takes freedoms which WASI's text leaves to it; 0 means none.
    pub free_hosts: u32,
    /// The most injected faults in one world. Older profiles call it `gusts`.
    #[serde(alias = "gusts")]
    pub faults: u32,
    /// One cell in this many is trapped at some fuel, if the world has damage; 0 means none.
    pub trapped_cells: u32,
    /// One cell in this many is refused memory, if the world has damage; 0 means none.
    pub refused_cells: u32,
    /// Whether weights are drawn anew for each seed, based on these.
    pub swarm: bool,
    /// How likely each kind of move is, by its name, from 0 to 1,000. The default is 8 for the kinds of every menu, 1
    /// for `advance`, and 1 for injected faults.
    pub weights: BTreeMap<String, u32>,
}

/// The largest weight.
const MAX_WEIGHT: u32 = 1_000;

impl Profile {
    /// All profiles that have a name, each with its effect.
    pub const ALL: [(&str, &str); 4] = [
        ("calm", "only the order of things varies: pipes flow freely and whole"),
        (
            "swarm",
            "weather drawn from the seed: held pipes, small and late pieces, fuel slices, spurious wake-ups, unusual hosts",
        ),
        (
            "harsh",
            "weather and damage: cut links, traps, refused memory, mute peers, cancelled calls, clock jumps",
        ),
        ("adversarial", "harsh, and the tasks of a vat in any order"),
    ];

    /// Only the order of moves varies.
    pub fn calm() -> Self {
        Profile {
            name: "calm".into(),
            level: Level::Still,
            held_pipes: 0,
            small_pieces: 0,
            small_slices: 0,
            free_hosts: 0,
            faults: 0,
            trapped_cells: 0,
            refused_cells: 0,
            swarm: false,
            weights: BTreeMap::new(),
        }
    }

    /// Weather, with weights drawn from the seed. The default.
    pub fn swarm() -> Self {
        Profile {
            name: "swarm".into(),
            level: Level::Weather,
            held_pipes: 4,
            small_pieces: 200,
            small_slices: 8,
            free_hosts: 3,
            faults: 6,
            swarm: true,
            ..Profile::calm()
        }
    }

    /// Weather and damage.
    pub fn harsh() -> Self {
        Profile {
            name: "harsh".into(),
            level: Level::Damage,
            faults: 8,
            trapped_cells: 8,
            refused_cells: 8,
            ..Profile::swarm()
        }
    }

    /// Like `harsh`, but the tasks of a vat run in any order.
    pub fn adversarial() -> Self {
        Profile { name: "adversarial".into(), level: Level::Disorder, ..Profile::harsh() }
    }

    /// Reads a profile from TOML.
    ///
    /// # Errors
    /// [`ProfileError`] if a key, a weight's name or a value is unknown or out of range.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, ProfileError> {
        let wrong = |reason: String| ProfileError::Wrong { name: name.into(), reason };
        let mut profile: Profile = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        let known = |name: &str| Kind::ALL.iter().chain(&Kind::FAULTS).any(|kind| kind.name() == name);
        for (name, weight) in &profile.weights {
            if !known(name) {
                let names = Kind::ALL.iter().chain(&Kind::FAULTS).map(|kind| kind.name());
                let names: Vec<&str> = names.collect();
                return Err(wrong(format!(
                    "no kind of move is called {name:?}: there are {}",
                    names.join(", ")
                )));
            }
            if *weight > MAX_WEIGHT {
                return Err(wrong(format!("the weight of {name} is {weight}: at most {MAX_WEIGHT}")));
            }
        }
        profile.name = name.into();
        Ok(profile)
    }

    /// How likely a kind of move is.
    pub fn weight(&self, kind: Kind) -> u32 {
        let usual = if kind < Kind::Advance { 8 } else { 1 };
        self.weights.get(kind.name()).copied().unwrap_or(usual)
    }
}

impl Default for Profile {
    fn default() -> Self {
        Profile::swarm()
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Larger than any profile. It limits how much is read of a hostile file.
const MAX_FILE_BYTES: u64 = 1_000_000;

impl FromStr for Profile {
    type Err = ProfileError;

    /// Reads a profile's name, or the path of a TOML file if the text ends with `.toml`.
    fn from_str(text: &str) -> Result<Self, ProfileError> {
        match text {
            "calm" => Ok(Profile::calm()),
            "swarm" => Ok(Profile::swarm()),
            "harsh" => Ok(Profile::harsh()),
            "adversarial" => Ok(Profile::adversarial()),
            path if path.ends_with(".toml") => {
                let mut content = String::new();
                File::open(path)
                    .and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut content))
                    .map_err(|e| ProfileError::Unreadable { path: path.into(), reason: e.to_string() })?;
                Profile::from_toml(path, &content)
            }
            _ => Err(ProfileError::Unknown(text.into())),
        }
    }
}

/// Why there is no such profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// No profile has this name.
    #[error(
        "unknown profile {0:?}: there are calm, swarm, harsh and adversarial, and the paths of .toml files{hint}",
        hint = did_you_mean(.0, Profile::ALL.iter().map(|(name, _)| *name))
    )]
    Unknown(String),
    /// Its file cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// The reason.
        reason: String,
    },
    /// Its content makes no sense.
    #[error("{name}: {reason}")]
    Wrong {
        /// The file, or the name that was given.
        name: String,
        /// The mistake, and a correction.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for (name, _) in Profile::ALL {
            assert_eq!(name.parse::<Profile>().unwrap().to_string(), name);
        }
        assert!("stormy".parse::<Profile>().is_err());
        assert!("no/such.toml".parse::<Profile>().is_err());
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, tells) in [
            ("levl = 'damage'", "unknown field `levl`"),
            ("level = 'rough'", "unknown variant `rough`"),
            ("faults = -1", "faults"),
            ("[weights]\npol = 1", "no kind of move is called \"pol\": there are start, poll, "),
            ("[weights]\npoll = 1001", "the weight of poll is 1001: at most 1000"),
        ] {
            let error = Profile::from_toml("mine.toml", text).unwrap_err().to_string();
            assert!(error.contains(tells) && error.starts_with("mine.toml: "), "{error}");
        }
    }
}
