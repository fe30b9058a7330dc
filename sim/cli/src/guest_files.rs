//! `--guest NAME=FILE`: components of the user's own in place of guests that a scenario starts.

use crate::component::{hex, short_digest};
use crate::files;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use wavetank_choice::nearest::did_you_mean;
use wavetank_sim::Run;
use wavetank_sim::saved::{InputFile, ReplacedGuest};

/// Stands between the name of a scenario and the mark of the guests that were replaced.
pub(crate) const REPLACED: char = '+';

/// Guests that the user replaces.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GuestArgs {
    /// Run a component of your own in place of a guest, named as in `guests/built` or by its cell; may be given several
    /// times
    #[arg(long = "guest", value_name = "NAME=FILE")]
    pub(crate) guests: Vec<GuestArg>,
}

/// A guest and the component in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestArg {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl FromStr for GuestArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => {
                Ok(GuestArg { name: name.into(), path: path.into() })
            }
            _ => Err(format!("not NAME=FILE: {text:?} (as --guest child-echo=new.wasm)")),
        }
    }
}

impl GuestArgs {
    pub(crate) fn is_empty(&self) -> bool {
        self.guests.is_empty()
    }

    /// The options that replace the same guests again.
    pub(crate) fn words(&self) -> Vec<String> {
        let word = |guest: &GuestArg| format!("{}={}", guest.name, guest.path.to_string_lossy());
        self.guests.iter().flat_map(|guest| ["--guest".to_string(), word(guest)]).collect()
    }

    /// Reads the components.
    ///
    /// # Errors
    /// A message for the user if a guest is named twice, or if a file cannot be read.
    pub(crate) fn load(&self) -> Result<Vec<NewGuest>, String> {
        let mut all: Vec<NewGuest> = Vec::new();
        for GuestArg { name, path } in &self.guests {
            if all.iter().any(|guest| guest.name == *name) {
                return Err(format!("--guest names {name} twice"));
            }
            all.push(NewGuest { name: name.clone(), path: path.clone(), wasm: files::component(path)? });
        }
        Ok(all)
    }
}

impl From<&[ReplacedGuest]> for GuestArgs {
    fn from(saved: &[ReplacedGuest]) -> Self {
        let guest = |ReplacedGuest { name, file }: &ReplacedGuest| GuestArg {
            name: name.clone(),
            path: file.path.clone().into(),
        };
        GuestArgs { guests: saved.iter().map(guest).collect() }
    }
}

/// A component in place of a guest.
pub(crate) struct NewGuest {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) wasm: Vec<u8>,
}

impl NewGuest {
    /// The form in which it is saved.
    pub(crate) fn saved(&self) -> ReplacedGuest {
        let digest = hex(&Sha256::digest(&self.wasm));
        let file = InputFile { path: self.path.display().to_string(), digest };
        ReplacedGuest { name: self.name.clone(), file }
    }
}

/// The mark of replaced guests, for the name of a scenario in tokens. It is made of their content, because their paths
/// may change.
pub(crate) fn mark(replaced: &[ReplacedGuest]) -> String {
    let mut all: Vec<(&str, &str)> =
        replaced.iter().map(|guest| (&*guest.name, &*guest.file.digest)).collect();
    all.sort_unstable();
    short_digest(&serde_json::to_vec(&all).expect("names are plain data"))
}

/// The part of a scenario's name before the mark of its replaced guests.
pub(crate) fn base_name(scenario: &str) -> &str {
    scenario.split_once(REPLACED).map_or(scenario, |(base, _)| base)
}

/// Finds the component with a name among runs: one of the built-in guests that ran, or the guest of a cell. `next` gives
/// one run after the other.
///
/// # Errors
/// A message for the user, with the names of all cells, if no run has such a guest.
pub(crate) fn find(
    name: &str,
    built_in: &[(&str, &'static [u8])],
    mut next: impl FnMut(usize) -> Option<Run>,
) -> Result<Vec<u8>, String> {
    let built_in = built_in.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes);
    let mut cells: Vec<String> = Vec::new();
    for number in 0.. {
        let Some(run) = next(number) else { break };
        if let Some((_, cell)) = run.guests.iter().find(|(cell, _)| **cell == *name) {
            return Ok(cell.bytes().to_vec());
        }
        let ran = |bytes: &&[u8]| run.guests.iter().any(|(_, guest)| guest.bytes() == *bytes);
        if let Some(built_in) = built_in.filter(ran) {
            return Ok(built_in.to_vec());
        }
        for (cell, _) in &run.guests {
            if !cells.iter().any(|known| **known == **cell) {
                cells.push(cell.to_string());
            }
        }
    }
    let suggestion = did_you_mean(name, cells.iter().map(String::as_str));
    let cells = if cells.is_empty() { "none at all".into() } else { cells.join(", ") };
    Err(format!("no guest {name:?} runs here: the cells are {cells}{suggestion}"))
}

/// The message for a component that cannot start.
pub(crate) fn unfit(path: &Path, error: &wavetank::Error) -> String {
    format!("{}: {error}", path.display())
}
