//! What a sweep found, for people and as JSON; and `wavetank list`.

use crate::lines::{self, Heading};
use crate::words::{counted, span};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::time::Duration;
use wavetank_sim::known;
use wavetank_sim::profile::Level;
use wavetank_sim::record::Record;
use wavetank_sim::scenario::{self, Scenario};
use wavetank_sim::world::Fault;
use wavetank_sim::{Profile, StrategyName};

/// Failures that are told, each with its token; the JSON holds them all.
const SHOWN_FAILURES: usize = 20;

/// Failures that are told with all there is to say. Many seeds fail alike.
const FULL_FAILURES: usize = 3;

/// Behaviours whose seed counts are shown.
const SHOWN_BEHAVIOURS: usize = 8;

/// What a sweep found.
pub(crate) struct Report {
    pub(crate) heading: Heading,
    /// In the order of their seeds, as they were found.
    pub(crate) found: Vec<Record>,
    /// In the order of their seeds, the first of each way of failing made smaller.
    pub(crate) records: Vec<Record>,
    /// Seeds that were asked for.
    pub(crate) asked: u64,
    /// Whether it was told to stop before the end.
    pub(crate) stopped: bool,
    pub(crate) seconds: Duration,
}

impl Report {
    pub(crate) fn failed(&self) -> bool {
        self.failures().next().is_some()
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.is_news())
    }

    /// Those that were made smaller.
    pub(crate) fn shrunk(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.shrunk_from.is_some())
    }

    /// Seeds by outcome; those that show a known fault apart, as `known (K1)`.
    fn outcomes(&self) -> BTreeMap<String, u64> {
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

    /// What was done to the worlds, by kind.
    fn faults(&self) -> BTreeMap<&str, u64> {
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

    fn worlds_per_second(&self) -> u64 {
        let millis = self.seconds.as_millis().max(1) as u64;
        self.records.len() as u64 * 1000 / millis
    }

    /// The last line of the JSON lines. Only `timing` differs between two sweeps.
    pub(crate) fn summary(&self) -> Value {
        json!({
            "summary": {
                "schema": lines::SCHEMA,
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
    /// Says so if nothing was said over any link, or if connections were left unopened: such worlds may finish without
    /// having tried anything.
    fn write_rpc_notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ran = self.records.len() as u64;
        for (number, record) in self.failures().take(SHOWN_FAILURES).enumerate() {
            writeln!(f, "seed {}: {}", wavetank_sim::Seed(record.seed), record.says)?;
            if number < FULL_FAILURES {
                for line in &record.detail {
                    writeln!(f, "  {line}")?;
                }
            }
            if let Some(from) = record.shrunk_from {
                writeln!(f, "  shrunk from {from} choices to {}", record.choices)?;
            }
            if let Some(token) = &record.token {
                writeln!(f, "  replay: {}", self.heading.replay_line(token))?;
            }
            writeln!(f)?;
        }
        let failed = self.failures().count();
        if failed > SHOWN_FAILURES {
            let more = counted((failed - SHOWN_FAILURES) as u64, "more failure");
            writeln!(f, "… and {more}: --json FILE writes them all\n")?;
        }
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
                    "  {}, a fault of {}, as seed {seed}: docs/known-faults.md",
                    known.id, known.layer
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
        writeln!(
            f,
            "  {} steps, {} of virtual time, {} worlds/s",
            self.steps(),
            span(self.virtual_ns()),
            self.worlds_per_second()
        )
    }
}

/// Scenarios, strategies and profiles, a line each.
pub(crate) fn list() -> String {
    let of = |scenario: &Scenario| (scenario.name.to_string(), scenario.summary);
    let bugs = scenario::of_bugs().iter().filter(|of| !of.clean);
    let parts: [(&str, Vec<(String, &str)>); 4] = [
        ("scenarios", scenario::ALL.iter().map(of).collect()),
        ("bugs, each with its mended twin: add -mended to its name", bugs.map(of).collect()),
        ("strategies", StrategyName::ALL.iter().map(|(name, says)| (name.to_string(), *says)).collect()),
        ("profiles", Profile::ALL.iter().map(|(name, says)| (name.to_string(), *says)).collect()),
    ];
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
