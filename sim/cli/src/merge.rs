//! `wavetank merge`: merges the JSON lines of shards into the report that a single sweep would have given.
//!
//! The order of files and lines does not matter, and a repeated line counts once. If the last line is torn, as a killed
//! shard leaves it, a warning is printed and the line is ignored.

use crate::args::{Merge, Shard};
use crate::exit_code::USAGE;
use crate::files::{self, Target};
use crate::heading::{Heading, SCHEMA};
use crate::json_lines::{self, Line};
use crate::junit;
use crate::report::Report;
use crate::sweep::{FirstOfKind, exit_code, is_written, tell};
use crate::terminal::{self, Stop};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
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
    for path in &args.files {
        merged.read(path)?;
    }
    let (report, missing) = merged.report()?;
    let junit = junit.map(|path| Target::create("--junit", path)).transpose()?;
    let is_written = is_written([
        json.map_or(Ok(()), |path| json_lines::write(path, &report)),
        junit.map_or(Ok(()), |file| junit::write(file, &report)),
    ])?;
    tell(&report, args.github, "")?;
    for line in &missing {
        terminal::warn(line);
    }
    // Even if the lines that are there show no failure, some are missing.
    let is_all = is_written && missing.is_empty();
    Ok(exit_code(&report, if is_all { ExitCode::SUCCESS } else { ExitCode::from(USAGE) }))
}

/// The lines read so far.
#[derive(Default)]
struct Merged {
    heading: Option<Heading>,
    /// The shards seen so far.
    shards: Vec<Shard>,
    /// Keyed by place, because seeds may wrap around at the largest number.
    found: BTreeMap<u64, Record>,
    shrunk: BTreeMap<u64, Record>,
    milliseconds: u64,
}

impl Merged {
    fn read(&mut self, path: &Path) -> Result<(), String> {
        let wrong = |what: String| format!("{}: {what}", path.display());
        let unreadable = |e: std::io::Error| wrong(e.to_string());
        let file = File::open(path)
            .map_err(|e| wrong(format!("{e}: name a file that `wavetank run --json` wrote")))?;
        let mut file = BufReader::new(file);
        let mut headed = false;
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
                Line::Heading { sweep } => {
                    self.head(sweep).map_err(wrong)?;
                    headed = true;
                }
                _ if !headed => return Err(wrong("the heading is missing: it is the first line".into())),
                Line::Seed(record) => self.keep(record).map_err(wrong)?,
                Line::Shrunk { shrunk } => {
                    self.shrunk.insert(self.place(&shrunk).map_err(wrong)?, shrunk);
                }
                Line::Summary { timing, .. } => {
                    self.milliseconds = self.milliseconds.saturating_add(timing.milliseconds);
                }
            }
        }
        Ok(())
    }

    fn head(&mut self, heading: Heading) -> Result<(), String> {
        if heading.schema != SCHEMA {
            let of = heading.schema;
            return Err(format!("its lines are of version {of}; this wavetank reads {SCHEMA}"));
        }
        let shard: Shard = heading.shard.parse()?;
        let whole = Heading { shard: whole(), ..heading };
        match &self.heading {
            Some(first)
                if *first != whole || self.shards.first().is_some_and(|first| first.of != shard.of) =>
            {
                return Err("it is of another sweep than the files before it".into());
            }
            Some(_) => {}
            None => self.heading = Some(whole),
        }
        self.shards.push(shard);
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

    /// The report, and a line for each missing part.
    fn report(mut self) -> Result<(Report, Vec<String>), String> {
        let heading = self.heading.ok_or("there is nothing to merge: the files are empty")?;
        let of = self.shards.first().map_or(1, |shard| shard.of);
        let mut missing = Vec::new();
        for index in 1..=of {
            let shard = Shard { index, of };
            let count = shard.count(heading.seed_count);
            let ran = self.found.keys().filter(|place| *place % of == index - 1).count() as u64;
            if ran < count && !self.shards.contains(&shard) {
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
        Ok((Report { heading, found, records, asked, stopped, seconds, rates: Vec::new() }, missing))
    }
}

/// Longer than any real line: a bound against hostile files.
const MAX_LINE_BYTES: u64 = 16_000_000;

fn whole() -> String {
    Shard { index: 1, of: 1 }.to_string()
}
