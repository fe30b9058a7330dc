//! `wavetank run --behaviours`: each behaviour of a sweep with the token of a seed that shows it, for `wavetank diff`.

use crate::called::command;
use crate::heading::Heading;
use crate::report::Report;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;
use wavetank_choice::token::{Recipe, Token};
use wavetank_sim::Seed;
use wavetank_sim::record::Record;
use wavetank_sim::worker::words::counted;

/// Behaviours that are printed, at most.
const SHOWN: usize = 20;

/// A line for each behaviour with each outcome, the most frequent first, and a line that compares the first two.
pub(crate) fn behaviours(report: &Report) -> String {
    let mut groups: BTreeMap<(&str, &str), Vec<&Record>> = BTreeMap::new();
    for record in report.found.iter().filter(|record| !record.behaviour.is_empty()) {
        groups.entry((&record.behaviour, &record.outcome)).or_default().push(record);
    }
    let mut all: Vec<_> = groups.into_iter().collect();
    all.sort_by_key(|(name, records)| (Reverse(records.len()), *name));
    let mut text = String::new();
    let mut tokens = Vec::new();
    for ((name, _), records) in all.iter().take(SHOWN) {
        let record = records[0];
        let token = token(&report.heading, record);
        let seeds = counted(records.len() as u64, "seed");
        let (seed, says) = (Seed(record.seed), &record.says);
        let _ = writeln!(text, "behaviour {name}: {seeds}, first seed {seed}: {says}\n  {token}");
        tokens.push(token);
    }
    if all.len() > SHOWN {
        let _ = writeln!(text, "… {} more", counted((all.len() - SHOWN) as u64, "behaviour"));
    }
    if let [one, other, ..] = &tokens[..] {
        let line = report.heading.replay_args.trim();
        let after = if line.is_empty() { String::new() } else { format!(" {line}") };
        let _ = writeln!(text, "to compare the first two: {} diff {one} {other}{after}", command());
    }
    text
}

/// The token of a seed of a sweep.
fn token(heading: &Heading, record: &Record) -> String {
    if let Some(token) = &record.token {
        return token.clone();
    }
    match heading.strategy.parse() {
        Ok(strategy) => {
            let recipe = Recipe::Drawn { strategy, profile: heading.profile.clone() };
            Token { scenario: heading.scenario.clone(), seed: Seed(record.seed), recipe }.to_string()
        }
        // The settings of a sweep name a strategy that exists.
        Err(_) => format!("seed {}", Seed(record.seed)),
    }
}
