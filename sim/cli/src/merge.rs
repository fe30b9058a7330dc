//! `wavetank merge`: merges the JSON lines of shards into the report that a single sweep would have given.
//!
//! The order of files and lines does not matter, and a repeated line counts once. If the last line is torn, as a killed
//! shard leaves it, a warning is printed and the line is ignored. Shards that are missing, incomplete or doubled are named.

use crate::args::Merge;
use crate::exit_code::USAGE;
use crate::files::{self, Target};
use crate::heading::{Heading, SCHEMA};
use crate::json_lines::{self, Line};
use crate::junit;
use crate::report::Report;
use crate::shard::Shard;
use crate::sweep::{FirstOfKind, exit_code, is_written, tell};
use crate::terminal::{self, Stop};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use wavetank_sim::record::Record;

pub(crate) fn merge(args: &Merge) -> Result<ExitCode, Stop> {
    let (json, junit) = (args.json.as_deref(), args.junit.as_deref());
    files::refuse_same(&[("--json", json), ("--junit", junit)])?;
    for path in [json, junit].into_iter().flatten() {
        if args.files.iter().any(|file| files::is_same(file, path)) {
            return Err(format!("{}: it is to be merged: write to another file", path.display()).into());
        }
    }
    let mut merged = Merged::default();
    let mut known: BTreeSet<PathBuf> = BTreeSet::new();
    for path in &args.files {
        // A file that is named twice is no doubled shard.
        if path.canonicalize().map_or(true, |whole| known.insert(whole)) {
            merged.read(path)?;
        }
    }
    let doubled = merged.doubled();
    let (report, missing) = merged.report()?;
    let junit = junit.map(|path| Target::create("--junit", path)).transpose()?;
    let is_written = is_written([
        json.map_or(Ok(()), |path| json_lines::write(path, &report)),
        junit.map_or(Ok(()), |file| junit::write(file, &report)),
    ])?;
    tell(&report, args.github, "")?;
    warn_of_each(&doubled, "more shards are doubled");
    warn_of_each(&missing, "more shards are missing or incomplete");
    // Even if the lines that are there show no failure, some are missing.
    let is_all = is_written && missing.is_empty();
    Ok(exit_code(&report, if is_all { ExitCode::SUCCESS } else { ExitCode::from(USAGE) }))
}

/// Number of shards of which each has a warning of its own.
const NAMED_SHARDS: usize = 20;

fn warn_of_each(lines: &[String], more: &str) {
    for line in lines.iter().take(NAMED_SHARDS) {
        terminal::warn(line);
    }
    if lines.len() > NAMED_SHARDS {
        terminal::warn(format_args!("… and {} {more}", lines.len() - NAMED_SHARDS));
    }
}

/// A heading and the lines below it: what one process wrote of a shard.
struct Part {
    file: PathBuf,
    shard: Shard,
    /// Number of seeds that have a line.
    seeds: u64,
}

/// The lines read so far.
#[derive(Default)]
struct Merged {
    heading: Option<Heading>,
    /// What each process wrote, in the order of reading.
    parts: Vec<Part>,
    /// Keyed by place, because seeds may wrap around at the largest number.
    found: BTreeMap<u64, Record>,
    shrunk: BTreeMap<u64, Record>,
    milliseconds: u64,
    /// Number of worlds that ran in that time. A killed shard does not say how long it took.
    timed: u64,
}

impl Merged {
    fn read(&mut self, path: &Path) -> Result<(), String> {
        let wrong = |what: String| format!("{}: {what}", path.display());
        let unreadable = |e: std::io::Error| wrong(e.to_string());
        let file = files::open(path)
            .map_err(|e| wrong(format!("{e}: name a file that `wavetank run --json` wrote")))?;
        let mut file = BufReader::new(file);
        let before = self.parts.len();
        for number in 1.. {
            let mut line = Vec::new();
            let bytes = (&mut file).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).map_err(unreadable)?;
            if bytes == 0 {
                break;
            }
            if bytes as u64 == MAX_LINE_BYTES {
                return Err(wrong(format!("line {number} is none of `wavetank run --json`: it has no end")));
            }
            if !line.ends_with(b"\n") {
                let path = path.display();
                terminal::warn(format_args!("{path}: its last line is torn, after {bytes} bytes: left out"));
                break;
            }
            let line = serde_json::from_slice(&line)
                .map_err(|e| wrong(format!("line {number} is none of `wavetank run --json`: {e}")))?;
            match line {
                Line::Heading { sweep } => self.head(sweep, path).map_err(wrong)?,
                _ if self.parts.len() == before => {
                    return Err(wrong("the heading is missing: it is the first line".into()));
                }
                Line::Seed(record) => self.keep(record).map_err(wrong)?,
                Line::Shrunk { shrunk } => {
                    self.shrunk.insert(self.place(&shrunk).map_err(wrong)?, shrunk);
                }
                Line::Summary { timing, .. } => {
                    self.milliseconds = self.milliseconds.saturating_add(timing.milliseconds);
                    self.timed += self.parts.last().map_or(0, |part| part.seeds);
                }
            }
        }
        Ok(())
    }

    fn head(&mut self, heading: Heading, path: &Path) -> Result<(), String> {
        if heading.schema != SCHEMA {
            let of = heading.schema;
            return Err(format!("its lines are of version {of}; this wavetank reads {SCHEMA}"));
        }
        let shard: Shard = heading.shard.parse()?;
        let whole = Heading { shard: whole(), ..heading };
        match &self.heading {
            Some(first)
                if *first != whole || self.parts.first().is_some_and(|first| first.shard.of != shard.of) =>
            {
                return Err("it is of another sweep than the files before it".into());
            }
            Some(_) => {}
            None => self.heading = Some(whole),
        }
        self.parts.push(Part { file: path.into(), shard, seeds: 0 });
        Ok(())
    }

    /// The place of a record's seed.
    fn place(&self, record: &Record) -> Result<u64, String> {
        let heading = self.heading.as_ref().expect("a heading comes first");
        let place = record.seed.wrapping_sub(heading.first_seed);
        let seed = record.seed;
        if place < heading.seed_count {
            Ok(place)
        } else {
            Err(format!("seed {seed} is none of the sweep's"))
        }
    }

    fn keep(&mut self, record: Record) -> Result<(), String> {
        let (place, seed) = (self.place(&record)?, record.seed);
        let part = self.parts.last_mut().expect("a heading comes first");
        let shard = part.shard;
        if place % shard.of != shard.index - 1 {
            return Err(format!("seed {seed} is none of its shard, {shard}"));
        }
        part.seeds += 1;
        let is_cut = |record: &Record| ["hung", "aborted"].contains(&&*record.outcome);
        match self.found.get(&place) {
            // If a process died or was given up, its record does not show how the world would have ended.
            Some(known) if is_cut(&record) && !is_cut(known) => {}
            Some(known) if *known != record && !is_cut(known) => {
                return Err(format!("seed {seed} came out otherwise in a file before it: see --canary"));
            }
            _ => {
                self.found.insert(place, record);
            }
        }
        Ok(())
    }

    /// A line for each shard that more than one process ran in full. A shard that runs again after its first process was
    /// killed is none of them.
    fn doubled(&self) -> Vec<String> {
        let Some(heading) = &self.heading else { return Vec::new() };
        let mut whole: BTreeMap<Shard, Vec<String>> = BTreeMap::new();
        for Part { file, shard, seeds } in &self.parts {
            let count = shard.count(heading.seed_count);
            if count > 0 && *seeds >= count {
                whole.entry(*shard).or_default().push(file.display().to_string());
            }
        }
        let told = |(shard, files): (Shard, Vec<String>)| match &files[..] {
            [] | [_] => None,
            [first, .., last] => Some(format!(
                "shard {shard} ran in full {} times, as in {first} and {last}: each of its seeds counts once",
                files.len()
            )),
        };
        whole.into_iter().filter_map(told).collect()
    }

    /// The report, and a line for each missing part.
    fn report(mut self) -> Result<(Report, Vec<String>), String> {
        let heading = self.heading.ok_or("there is nothing to merge: the files are empty")?;
        let of = self.parts.first().map_or(1, |part| part.shard.of);
        let seen: BTreeSet<Shard> = self.parts.iter().map(|part| part.shard).collect();
        let mut ran: BTreeMap<u64, u64> = BTreeMap::new();
        for place in self.found.keys() {
            *ran.entry(place % of + 1).or_default() += 1;
        }
        let mut missing = Vec::new();
        for index in 1..=of {
            let shard = Shard { index, of };
            let count = shard.count(heading.seed_count);
            let ran = ran.get(&index).copied().unwrap_or(0);
            if ran < count && !seen.contains(&shard) {
                missing.push(format!("shard {shard} is missing: run it with --shard {shard}"));
            } else if ran < count {
                missing.push(format!("shard {shard} ran {ran} of its {count} seeds: run it again"));
            }
        }
        let mut records = self.found.clone();
        if heading.shrink {
            let mut first = FirstOfKind::default();
            for (place, record) in &mut records {
                if first.is(record)
                    && let Some(shrunk) = self.shrunk.remove(place)
                    && shrunk.failure == record.failure
                {
                    *record = shrunk;
                }
            }
        }
        let (found, records) = (self.found.into_values().collect(), records.into_values().collect());
        let seconds = Duration::from_millis(self.milliseconds);
        let (asked, stopped) = (heading.seed_count, true);
        let timed = self.timed;
        Ok((Report { heading, found, records, asked, stopped, seconds, timed, rates: Vec::new() }, missing))
    }
}

/// Longer than any real line: a bound against hostile files.
const MAX_LINE_BYTES: u64 = 16_000_000;

fn whole() -> String {
    Shard { index: 1, of: 1 }.to_string()
}
