//! The report of a sweep, for people and as JSON; and `wavetank list`.

use crate::called::command;
use crate::catalogue::Catalogue;
use crate::driven::DrivenCheck;
use crate::heading::{self, Heading};
use crate::terminal::{COMMAND, FAILED, Text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::time::Duration;
use wavetank_choice::profile::Level;
use wavetank_sim::check::AnyCheck;
use wavetank_sim::guest_panic::SourceLine;
use wavetank_sim::known;
use wavetank_sim::record::Record;
use wavetank_sim::worker::words::{counted, span};
use wavetank_sim::world::Fault;
use wavetank_sim::{Profile, StrategyName};

/// Number of failure signatures that are printed; the JSON holds them all.
const SHOWN_GROUPS: usize = 20;

/// Number of seed ranges that are printed for each distinct failure.
const SHOWN_RANGES: usize = 5;

/// Number of behaviours whose seed counts are printed.
const SHOWN_BEHAVIOURS: usize = 8;

/// The result of a sweep.
pub(crate) struct Report {
    pub(crate) heading: Heading,
    /// The records as they were found, in the order of their seeds.
    pub(crate) found: Vec<Record>,
    /// The same in the order of their seeds, but the first record of each distinct failure is shrunk.
    pub(crate) records: Vec<Record>,
    /// Number of seeds that were requested.
    pub(crate) asked: u64,
    /// Whether the sweep was told to stop before the end.
    pub(crate) stopped: bool,
    pub(crate) seconds: Duration,
    /// Number of worlds that ran in this time.
    pub(crate) timed: u64,
    /// Seeds that ended in each second of the sweep; empty if it was merged.
    pub(crate) rates: Vec<u64>,
}

impl Report {
    pub(crate) fn failed(&self) -> bool {
        self.failures().next().is_some()
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.is_news())
    }

    /// The records that were shrunk.
    pub(crate) fn shrunk(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.shrunk_from.is_some())
    }

    /// Seeds by outcome. Seeds that show a known fault are counted apart, as `known (K1)`.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for record in &self.records {
            let name = match &record.known {
                Some(id) => format!("known ({id})"),
                None => record.outcome.clone(),
            };
            *counts.entry(name).or_default() += 1;
        }
        counts
    }

    /// Seeds by behaviour, the most frequent first.
    fn behaviours(&self) -> Vec<(&str, u64)> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for record in self.records.iter().filter(|record| !record.behaviour.is_empty()) {
            *counts.entry(&record.behaviour).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
        counts
    }

    fn steps(&self) -> u64 {
        self.records.iter().fold(0, |sum, record| sum.saturating_add(record.steps))
    }

    fn virtual_ns(&self) -> u64 {
        self.records.iter().fold(0, |sum, record| sum.saturating_add(record.virtual_ns))
    }

    /// The faults injected into the worlds, by kind.
    pub(crate) fn faults(&self) -> BTreeMap<&str, u64> {
        let mut faults = BTreeMap::new();
        for (fault, count) in self.records.iter().flat_map(|record| &record.faults) {
            *faults.entry(fault.as_str()).or_default() += u64::from(*count);
        }
        faults
    }

    /// The oracles that were switched off, each with the reason.
    fn not_judged(&self) -> BTreeSet<&str> {
        self.found.iter().flat_map(|record| &record.not_judged).map(String::as_str).collect()
    }

    /// `None` if it is not known how long the worlds took, as in a merge of killed shards.
    fn worlds_per_second(&self) -> Option<u64> {
        (self.timed * 1000).checked_div(self.seconds.as_millis() as u64)
    }

    /// The last line of the JSON lines. If a sweep is repeated, only `timing` differs.
    pub(crate) fn summary(&self) -> Value {
        json!({
            "summary": {
                "schema": heading::SCHEMA,
                "scenario": self.heading.scenario,
                "strategy": self.heading.strategy,
                "profile": self.heading.profile,
                "shard": self.heading.shard,
                "seeds": self.records.len(),
                "asked": self.asked,
                "outcomes": self.outcomes(),
                "behaviours": self.behaviours().into_iter().collect::<BTreeMap<_, _>>(),
                "steps": self.steps(),
                "virtual_ns": self.virtual_ns(),
                "faults": self.faults(),
            },
            "timing": {
                "milliseconds": self.seconds.as_millis() as u64,
                "worlds_per_second": self.worlds_per_second(),
            },
        })
    }
}

impl Report {
    /// Says so if no message was sent over any link, or if connections were never opened: such worlds may finish
    /// without having tested anything.
    fn write_rpc_notes(&self, f: &mut Text) -> fmt::Result {
        let counts: Vec<u64> = self.records.iter().filter_map(|record| record.rpc_messages).collect();
        if !counts.is_empty() && counts.iter().all(|&messages| messages == 0) {
            writeln!(f, "  no RPC took place in any of {}", counted(counts.len() as u64, "world"))?;
        }
        let mut unopened: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for record in &self.records {
            for cell in &record.unopened {
                unopened.entry(cell).or_insert((record.seed, 0)).1 += 1;
            }
        }
        for (cell, (seed, worlds)) in unopened {
            let (seed, worlds) = (wavetank_sim::Seed(seed), counted(worlds, "world"));
            writeln!(f, "  {cell} never opened its connection in {worlds}, as seed {seed}")?;
        }
        Ok(())
    }
}

/// Failures with one signature, reported once.
pub(crate) struct Group<'a> {
    /// The failure signature; or, if the process of the world died or hung, how it ended.
    pub(crate) name: &'a str,
    /// The record to explain: the shrunk one if there is one, otherwise the first.
    pub(crate) told: &'a Record,
    /// The seeds in their order.
    pub(crate) seeds: Vec<u64>,
}

impl Report {
    /// Failures by signature, in the order of their first seeds.
    pub(crate) fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for record in self.failures() {
            let name = record.failure.as_ref().unwrap_or(&record.outcome);
            let place = *places.entry(name).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => {
                    group.seeds.push(record.seed);
                    if group.told.shrunk_from.is_none() && record.shrunk_from.is_some() {
                        group.told = record;
                    }
                }
                None => groups.push(Group { name, told: record, seeds: vec![record.seed] }),
            }
        }
        groups
    }

    /// Each distinct failure with one explanation and one line that replays it.
    pub(crate) fn explained(&self) -> Text {
        let mut text = Text::default();
        for Group { told, seeds, .. } in self.groups().iter().take(SHOWN_GROUPS) {
            let others: Vec<u64> = seeds.iter().copied().filter(|seed| *seed != told.seed).collect();
            let replay = told.token.as_ref().map(|token| self.heading.replay_line(token));
            explained(&mut text, told, &others, replay.as_deref());
            text += "\n";
        }
        text
    }

    /// A line for each distinct failure; empty if there is none.
    pub(crate) fn distinct_failures(&self) -> Text {
        let mut text = Text::default();
        let groups = self.groups();
        if groups.is_empty() {
            return text;
        }
        text.styled(FAILED, counted(groups.len() as u64, "distinct failure"));
        text += "\n";
        for Group { name, told, seeds } in groups.iter().take(SHOWN_GROUPS) {
            let name = told.failure_says.as_deref().unwrap_or(name);
            let seeds = counted(seeds.len() as u64, "seed");
            let _ = writeln!(text, "  {seeds}, first {}: {name}", wavetank_sim::Seed(told.seed));
        }
        if groups.len() > SHOWN_GROUPS {
            let more = groups.len() - SHOWN_GROUPS;
            let _ = writeln!(text, "  … and {more} more: --json FILE writes them all");
        }
        text
    }

    /// The totals over all seeds.
    pub(crate) fn totals(&self) -> Text {
        let mut text = Text::default();
        let _ = self.write_totals(&mut text);
        text
    }

    fn write_totals(&self, f: &mut Text) -> fmt::Result {
        let ran = self.records.len() as u64;
        write!(f, "{}: {}", self.heading.title, counted(ran, "seed"))?;
        if ran < self.asked {
            let why = if self.stopped { "stopped early" } else { "stopped at the first failure" };
            write!(f, " of {} ({why})", self.asked)?;
        }
        for (outcome, count) in self.outcomes() {
            write!(f, ", {count} {outcome}")?;
        }
        writeln!(f)?;
        for known in known::all() {
            if let Some(seen) = self.records.iter().find(|record| record.known.as_deref() == Some(known.id)) {
                let seed = wavetank_sim::Seed(seen.seed);
                writeln!(
                    f,
                    "  {}, a fault of {}, as seed {seed}: `{} known {}` tells more",
                    known.id,
                    known.layer,
                    command(),
                    known.id
                )?;
            }
        }
        for not_judged in self.not_judged() {
            writeln!(f, "  not judged: {not_judged}")?;
        }
        let behaviours = self.behaviours();
        let counts: Vec<String> =
            behaviours.iter().take(SHOWN_BEHAVIOURS).map(|(_, count)| count.to_string()).collect();
        let more = if behaviours.len() > SHOWN_BEHAVIOURS { ", …" } else { "" };
        write!(f, "  distinct behaviours: {}", behaviours.len())?;
        if !counts.is_empty() {
            write!(f, " (seeds: {}{more})", counts.join(", "))?;
        }
        writeln!(f)?;
        let faults = self.faults();
        let named = |damage: bool| -> Vec<String> {
            let of = Fault::ALL.iter().filter(|fault| fault.is_damage() == damage);
            of.filter_map(|fault| Some(format!("{} {fault}", faults.get(fault.name())?))).collect()
        };
        for (heading, counts) in [("weather", named(false)), ("damage", named(true))] {
            if !counts.is_empty() {
                writeln!(f, "  {heading}: {}", counts.join(", "))?;
            }
        }
        if self.heading.profile.parse().is_ok_and(|profile: Profile| profile.level >= Level::Damage) {
            let never = Fault::ALL.iter().filter(|fault| !faults.contains_key(fault.name()));
            let never: Vec<&str> = never.map(|fault| fault.name()).collect();
            if !never.is_empty() {
                writeln!(f, "  never struck: {}", never.join(", "))?;
            }
        }
        self.write_rpc_notes(f)?;
        if self.heading.canary {
            let compared = |runs| self.records.iter().filter(|record| record.compared >= runs).count();
            let (twice, pulley) = (compared(1), compared(2));
            writeln!(
                f,
                "  canary: {} compared with a second run, {pulley} with one on Pulley too",
                counted(twice as u64, "seed")
            )?;
        }
        write!(f, "  {} steps, {} of virtual time", self.steps(), span(self.virtual_ns()))?;
        match self.worlds_per_second() {
            Some(speed) => writeln!(f, ", {speed} worlds/s"),
            None => writeln!(f),
        }
    }
}

/// Appends a failure with its explanation, the other seeds that fail in the same way, and the line that replays it.
pub(crate) fn explained(text: &mut Text, record: &Record, others: &[u64], replay: Option<&str>) {
    text.styled(FAILED, format_args!("seed {}: {}", wavetank_sim::Seed(record.seed), record.says));
    *text += "\n";
    if !others.is_empty() {
        let verb = if others.len() == 1 { "fails" } else { "fail" };
        let more = counted(others.len() as u64, "more seed");
        let _ = writeln!(text, "  {more} {verb} in the same way: {}", ranges(others));
    }
    for line in &record.detail {
        let _ = writeln!(text, "  {line}");
    }
    if let Some(from) = record.shrunk_from {
        let _ = writeln!(text, "  shrunk from {from} choices to {}", record.choices);
    }
    if let Some(replay) = replay {
        *text += "  replay: ";
        text.styled(COMMAND, replay);
        *text += "\n";
    }
}

/// Seeds as ranges, only the first few: `0 to 5, 9 and 40 more`.
fn ranges(seeds: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &seed in seeds {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(seed) => *last = seed,
            _ => ranges.push((seed, seed)),
        }
    }
    let mut told = 0;
    let mut words = Vec::new();
    for &(first, last) in ranges.iter().take(SHOWN_RANGES) {
        told += last - first + 1;
        words.push(if first == last { first.to_string() } else { format!("{first} to {last}") });
    }
    match seeds.len() as u64 - told {
        0 => words.join(", "),
        more => format!("{} and {more} more", words.join(", ")),
    }
}

/// Scenarios, strategies and profiles, one line each.
pub(crate) fn list(catalogue: &Catalogue) -> String {
    let mut checks: Vec<(String, String)> = catalogue.checks.iter().map(|make| line_of(&make())).collect();
    checks.extend(catalogue.driven.iter().map(line_of_driven));
    let mut parts: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    if !checks.is_empty() {
        parts.push(("checks", checks.iter().map(|(name, at)| (&**name, &**at)).collect()));
    }
    for group in &catalogue.groups {
        let listed = group.scenarios.iter().filter(|scenario| scenario.is_listed);
        parts.push((group.heading, listed.map(|scenario| (scenario.name, scenario.summary)).collect()));
    }
    parts.push(("strategies", StrategyName::ALL.to_vec()));
    parts.push(("profiles", Profile::ALL.to_vec()));
    let names = parts.iter().flat_map(|(_, lines)| lines).map(|(name, _)| name.len());
    let width = names.max().unwrap_or(0);
    let mut text = String::new();
    for (heading, lines) in parts {
        let _ = writeln!(text, "{heading}");
        for (name, summary) in lines {
            let _ = writeln!(text, "  {name:width$} {summary}");
        }
    }
    text
}

/// Checks that other processes run, one line each.
pub(crate) fn checks(driven: &[DrivenCheck]) -> String {
    let lines: Vec<(String, String)> = driven.iter().map(line_of_driven).collect();
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = lines.iter().map(|(name, at)| format!("  {name:width$} {at}\n"));
    format!("checks\n{}", lines.collect::<String>())
}

fn line_of_driven(check: &DrivenCheck) -> (String, String) {
    let at = check.at.as_ref().map(|SourceLine { file, line }| format!("{file}:{line}"));
    (check.path.clone(), at.unwrap_or_default())
}

/// The name of a check and its place.
fn line_of(check: &AnyCheck) -> (String, String) {
    let SourceLine { file, line } = check.at();
    (check.token_name(), format!("{file}:{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_told_as_ranges() {
        for (seeds, told) in [
            (&[7][..], "7"),
            (&[0, 1, 2, 5], "0 to 2, 5"),
            (&[u64::MAX, 0, 1], "18446744073709551615, 0 to 1"),
            (&[1, 3, 5, 7, 9, 10, 12, 14], "1, 3, 5, 7, 9 to 10 and 2 more"),
        ] {
            assert_eq!(ranges(seeds), told);
        }
    }
}
