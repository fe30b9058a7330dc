//! Components of the user's own in place of guests that a scenario starts.

use super::files;
use super::subject::Subject;
use crate::run::{Choices, Run};
use crate::saved::{InputFile, ReplacedGuest, hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use wavetank_choice::nearest::did_you_mean;
use wavetank_choice::profile::Profile;
use wavetank_choice::seed::Seed;
use wavetank_choice::strategy::StrategyName;

/// Stands between the name of a scenario and the mark of the guests that were replaced.
pub const REPLACED: char = '+';

/// A guest that the user replaces, and the file in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestFile {
    /// A built-in guest, or a cell.
    pub name: String,
    /// The component's file, for the process that reads it.
    pub file: PathBuf,
    /// The same as the user named it.
    pub named: PathBuf,
}

/// A component in place of a guest.
pub struct NewGuest {
    /// The guest that it replaces: a built-in one, or that of a cell.
    pub name: String,
    /// Its file as the user named it.
    pub named: PathBuf,
    /// Its bytes.
    pub wasm: Vec<u8>,
}

impl NewGuest {
    /// The form in which it is saved.
    pub fn saved(&self) -> ReplacedGuest {
        let digest = hex(&Sha256::digest(&self.wasm));
        let file = InputFile { path: self.named.display().to_string(), digest };
        ReplacedGuest { name: self.name.clone(), file }
    }

    fn unfit(&self, error: &wavetank::Error) -> String {
        format!("{}: {error}", self.named.display())
    }
}

/// Reads the components.
///
/// # Errors
/// A message for the user if a guest is named twice, or if a file cannot be read.
pub fn load(guests: &[GuestFile]) -> Result<Vec<NewGuest>, String> {
    let mut all: Vec<NewGuest> = Vec::new();
    for GuestFile { name, file, named } in guests {
        if all.iter().any(|guest| guest.name == *name) {
            return Err(format!("--guest names {name} twice"));
        }
        let wasm = files::component(file, named)?;
        all.push(NewGuest { name: name.clone(), named: named.clone(), wasm });
    }
    Ok(all)
}

/// The name that a scenario has in tokens once guests of it are replaced. The mark in it is made of the content of the
/// components, because their paths may change.
pub fn name_with(scenario: &str, replaced: &[ReplacedGuest]) -> String {
    let mut all: Vec<(&str, &str)> =
        replaced.iter().map(|guest| (&*guest.name, &*guest.file.digest)).collect();
    all.sort_unstable();
    let all = serde_json::to_vec(&all).expect("names are plain data");
    format!("{scenario}{REPLACED}{}", hex(&Sha256::digest(&all)[..4]))
}

/// The part of a scenario's name before the mark of its replaced guests.
pub fn base_name(scenario: &str) -> &str {
    scenario.split_once(REPLACED).map_or(scenario, |(base, _)| base)
}

/// Puts components in place of guests that a subject starts.
///
/// # Errors
/// A message for the user if the scenario starts no such guest, or if a component cannot start. The scenario is run a
/// few times to learn which guests it starts.
pub fn replace(subject: &mut impl Subject, guests: &[NewGuest]) -> Result<(), String> {
    replace_of(subject, guests, sample)
}

/// The same for the guests of one run.
///
/// # Errors
/// A message for the user if there is no such guest in this run, or if a component cannot start.
pub fn replace_in(subject: &mut impl Subject, guests: &[NewGuest], run: &Run) -> Result<(), String> {
    replace_of(subject, guests, |_, number| (number == 0).then(|| run.clone()))
}

fn replace_of<S: Subject>(
    subject: &mut S,
    guests: &[NewGuest],
    next: impl Fn(&S, usize) -> Option<Run>,
) -> Result<(), String> {
    // All are looked up first, in runs of the scenario as it was.
    let mut old = Vec::new();
    for guest in guests {
        old.push(find(&guest.name, subject.guests(), |number| next(subject, number))?);
    }
    for (guest, old) in guests.iter().zip(&old) {
        subject.replace(old, &guest.wasm).map_err(|e| guest.unfit(&e))?;
    }
    Ok(())
}

/// The first runs that show which guests a scenario starts: a calm one, then some under weather. `None` after the last.
fn sample(subject: &impl Subject, number: usize) -> Option<Run> {
    const UNDER_WEATHER: u64 = 8;
    let number = number as u64;
    // Neither strategy needs a survey, which would be of the scenario without the new guests.
    let choices = match number {
        0 => Choices::Drawn(StrategyName::RoundRobin, Profile::calm()),
        _ => Choices::Drawn(StrategyName::Random, Profile::default()),
    };
    (number <= UNDER_WEATHER).then(|| subject.replay(Seed(number), choices))
}

/// Finds the component with a name among runs: one of the built-in guests that ran, or the guest of a cell. `next` gives
/// one run after the other.
fn find(
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
