//! The JSON lines of a sweep; docs/src/reference/json.md describes the format.
//!
//! While a sweep runs, each line is written and flushed as it comes, so that a sweep that is killed leaves the lines of
//! the seeds it ran. At the end the file is replaced by the same lines in order: the heading, the seeds, the shrunk
//! runs, the summary.
//!
//! A shrunk run has a line of its own beside the line of the run that was found. So `merge` can select from the runs of
//! all shards as a single sweep would have.

use crate::files::Target;
use crate::heading::Heading;
use crate::report::Report;
use crate::terminal::Stop;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io::Write;
use std::path::Path;
use wavetank_sim::record::Record;

/// The flag that names their file.
const FLAG: &str = "--json";

/// One line of the file, when read.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Line {
    Heading {
        sweep: Heading,
    },
    Shrunk {
        shrunk: Record,
    },
    Summary {
        #[serde(rename = "summary")]
        _summary: serde::de::IgnoredAny,
        timing: Timing,
    },
    Seed(Record),
}

#[derive(Deserialize)]
pub(crate) struct Timing {
    pub(crate) milliseconds: u64,
}

/// A file of JSON lines that is being written.
pub(crate) struct Lines(Target);

impl Lines {
    /// Creates the file and writes the heading.
    pub(crate) fn create(path: &Path, heading: &Heading) -> Result<Self, Stop> {
        let mut lines = Lines(Target::create(FLAG, path)?);
        lines.push(&json!({ "sweep": heading }))?;
        Ok(lines)
    }

    /// Writes a line at once.
    pub(crate) fn push(&mut self, line: &impl Serialize) -> Result<(), Stop> {
        let mut text = serde_json::to_vec(line).map_err(|e| e.to_string())?;
        text.push(b'\n');
        self.0.push(&text)
    }

    /// Replaces the file by the same lines in order, if it is a regular file.
    pub(crate) fn finish(self, report: &Report) -> Result<(), Stop> {
        if self.0.is_stream {
            // A stream such as /dev/stdout: lines once written cannot be replaced.
            return self.0.write(|file| write_end(file, report));
        }
        self.0.write(|file| write_all(file, report))
    }
}

/// Writes all lines of a report to a file.
pub(crate) fn write(path: &Path, report: &Report) -> Result<(), Stop> {
    Target::create(FLAG, path)?.write(|file| write_all(file, report))
}

fn write_all(file: &mut dyn Write, report: &Report) -> std::io::Result<()> {
    writeln!(file, "{}", json!({ "sweep": report.heading }))?;
    for record in &report.found {
        serde_json::to_writer(&mut *file, record)?;
        writeln!(file)?;
    }
    write_end(file, report)
}

fn write_end(file: &mut dyn Write, report: &Report) -> std::io::Result<()> {
    for shrunk in report.shrunk() {
        writeln!(file, "{}", json!({ "shrunk": shrunk }))?;
    }
    writeln!(file, "{}", report.summary())
}
