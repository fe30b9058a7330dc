//! Profiles: what steers a strategy.
//!
//! A profile says which choices a strategy makes, not what they mean: what is recorded is the item that was
//! picked, and a replay needs no profile.
//!
//! A profile of one's own is a TOML file. What it leaves out is as in `swarm`:
//!
//! ```
//! use wavetank_sim::profile::{Level, Profile};
//!
//! let text = "
//!     level = 'damage'
//!     gusts = 3
//!     [weights]
//!     cut = 8
//!     mute = 0
//! ";
//! let profile = Profile::from_toml("rough", text).unwrap();
//! assert_eq!((profile.level, profile.gusts), (Level::Damage, 3));
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

/// How rough a world is. The first choice of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// No gusts.
    #[default]
    Still,
    /// Gusts of weather: a correct guest is never blamed under them.
    Weather,
    /// Weather and damage.
    Damage,
    /// Damage, and the tasks of a vat in any order. capnp-rpc promises an order of calls only where they run
    /// first in, first out (capnproto-rust#528).
    Disorder,
}

impl Level {
    /// How many there are.
    pub const COUNT: u32 = 4;

    /// The level of a choice's value.
    pub fn of(value: u32) -> Self {
        match value {
            0 => Level::Still,
            1 => Level::Weather,
            2 => Level::Damage,
            _ => Level::Disorder,
        }
    }
}

/// What steers a strategy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// What it is called, or the file that it came from.
    #[serde(skip)]
    pub name: String,
    /// How rough its worlds are.
    pub level: Level,
    /// One pipe in so many is held; 0 holds none.
    pub held_pipes: u32,
    /// Pieces of less than everything in one world, at most: byte by byte, a big message explodes.
    pub small_pieces: u32,
    /// One cell in so many burns small fuel slices; 0 for none.
    pub small_slices: u32,
    /// One cell in so many has a host that takes freedoms which WASI's text leaves it; 0 for none.
    pub free_hosts: u32,
    /// Gusts in one world, at most.
    pub gusts: u32,
    /// One cell in so many is trapped at some fuel, in a damaged world; 0 for none.
    pub trapped_cells: u32,
    /// One cell in so many is refused memory, in a damaged world; 0 for none.
    pub refused_cells: u32,
    /// Whether weights are drawn anew for each seed, from these.
    pub swarm: bool,
    /// How likely each kind of move is, by its name, from 0 to 1,000. Of the kinds that every menu offers, 8 is
    /// usual, and 1 for `advance`; of gusts, 1.
    pub weights: BTreeMap<String, u32>,
}

/// The largest weight.
const MAX_WEIGHT: u32 = 1_000;

impl Profile {
    /// All that have a name, each with what it does.
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

    /// Only the order of things varies.
    pub fn calm() -> Self {
        Profile {
            name: "calm".into(),
            level: Level::Still,
            held_pipes: 0,
            small_pieces: 0,
            small_slices: 0,
            free_hosts: 0,
            gusts: 0,
            trapped_cells: 0,
            refused_cells: 0,
            swarm: false,
            weights: BTreeMap::new(),
        }
    }

    /// Weather, its weights drawn from the seed. The default.
    pub fn swarm() -> Self {
        Profile {
            name: "swarm".into(),
            level: Level::Weather,
            held_pipes: 4,
            small_pieces: 200,
            small_slices: 8,
            free_hosts: 3,
            gusts: 6,
            swarm: true,
            ..Profile::calm()
        }
    }

    /// Weather and damage.
    pub fn harsh() -> Self {
        Profile {
            name: "harsh".into(),
            level: Level::Damage,
            gusts: 8,
            trapped_cells: 8,
            refused_cells: 8,
            ..Profile::swarm()
        }
    }

    /// Harsh, and without the order of a vat's own tasks.
    pub fn adversarial() -> Self {
        Profile { name: "adversarial".into(), level: Level::Disorder, ..Profile::harsh() }
    }

    /// Reads a profile from TOML.
    ///
    /// # Errors
    /// [`ProfileError`] where a key, a weight's name or a value is unknown or out of range.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, ProfileError> {
        let wrong = |reason: String| ProfileError::Wrong { name: name.into(), reason };
        let mut profile: Profile = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        let known = |name: &str| Kind::ALL.iter().chain(&Kind::GUSTS).any(|kind| kind.name() == name);
        for (name, weight) in &profile.weights {
            if !known(name) {
                let names = Kind::ALL.iter().chain(&Kind::GUSTS).map(|kind| kind.name());
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

/// More than any profile takes: a bound for readers of hostile files.
const MAX_FILE_BYTES: u64 = 1_000_000;

impl FromStr for Profile {
    type Err = ProfileError;

    /// Reads a profile's name, or the path of a TOML file, which is told by its `.toml`.
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
    /// A text that names none.
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
        /// Why not.
        reason: String,
    },
    /// Its content makes no sense.
    #[error("{name}: {reason}")]
    Wrong {
        /// The file, or what it was called.
        name: String,
        /// What is wrong, and what would be right.
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
            ("gusts = -1", "gusts"),
            ("[weights]\npol = 1", "no kind of move is called \"pol\": there are start, poll, "),
            ("[weights]\npoll = 1001", "the weight of poll is 1001: at most 1000"),
        ] {
            let error = Profile::from_toml("mine.toml", text).unwrap_err().to_string();
            assert!(error.contains(tells) && error.starts_with("mine.toml: "), "{error}");
        }
    }
}
