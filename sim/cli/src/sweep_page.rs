//! `wavetank run --report DIR`: the page of a sweep, and a page for each of its distinct failures.

use crate::job::Job;
use crate::report::Report;
use crate::terminal::{self, Stop};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wavetank::escape_control;
use wavetank_choice::profile::ProfileError;
use wavetank_page::model::{Failure, Sweep};
use wavetank_page::{html, sweep};
use wavetank_sim::explain::EXPLAIN_RUNS;
use wavetank_sim::record::Record;
use wavetank_sim::worker::report::shrunk;
use wavetank_sim::worker::subject::Subject;
use wavetank_sim::worker::words::{counted, span};
use wavetank_sim::world::Fault;
use wavetank_sim::{Choices, Run, Seed, Token};

/// Failures that get a page of their own, at most.
const PAGES: usize = 20;

/// The name of the page of the sweep.
const INDEX: &str = "index.html";

/// A folder for pages. It is made before the work starts, so that a folder that cannot be made is reported at once.
pub(crate) struct PageFolder(PathBuf);

impl PageFolder {
    pub(crate) fn create(job: &Job, folder: &Path) -> Result<Self, String> {
        job.refuse_driven("--report")?;
        let unwritable =
            |e| format!("{}: {e}: name a folder for --report that can be written", folder.display());
        std::fs::create_dir_all(folder).map_err(unwritable)?;
        Ok(PageFolder(folder.into()))
    }

    /// Writes the page of one run, made as small as possible if it fails.
    pub(crate) fn write_one(&self, job: &Job, run: &Run, no_shrink: bool) -> Result<(), Stop> {
        let smaller = if no_shrink { None } else { shrunk(job, run) };
        let budget = if smaller.is_some() { EXPLAIN_RUNS } else { 0 };
        let page = job.page(smaller.as_ref().map_or(run, |smaller| &smaller.run), budget);
        let path = self.write_file(&file_name(job, run.seed, ""), &html(&page))?;
        terminal::print(format_args!("  page: {}\n", path.display()))
    }

    /// Writes the pages of a sweep.
    pub(crate) fn write(&self, job: &Job, report: &Report) -> Result<(), Stop> {
        let mut failures = Vec::new();
        for (place, group) in report.groups().iter().enumerate() {
            let page = if place < PAGES { self.page_of(job, group.told, place)? } else { None };
            failures.push(Failure {
                name: plain(group.name),
                says: plain(&group.told.says),
                seed: Seed(group.told.seed).to_string(),
                count: group.seeds.len() as u64,
                page,
                replay: group.told.token.as_ref().map(|token| plain(&report.heading.replay_line(token))),
            });
        }
        let path = self.write_file(INDEX, &sweep(&of_report(report, failures)))?;
        terminal::note(format_args!("page: {}\n", path.display()));
        Ok(())
    }

    /// Writes the page of a failure; `None` if its process died, so that nothing can be shown of it here.
    fn page_of(&self, job: &Job, record: &Record, place: usize) -> Result<Option<String>, Stop> {
        let dies = ["aborted", "hung"].contains(&&*record.outcome);
        let Some(token) = record.token.as_ref().filter(|_| !dies) else { return Ok(None) };
        let token: Token = token.parse().map_err(|e| format!("{e}"))?;
        let choices: Choices = token.recipe.try_into().map_err(|e: ProfileError| e.to_string())?;
        let run = job.replay(token.seed, choices);
        let name = file_name(job, token.seed, &format!("-{}", place + 1));
        self.write_file(&name, &html(&job.page(&run, EXPLAIN_RUNS)))?;
        Ok(Some(name))
    }

    fn write_file(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    }
}

/// A name that means the same in a folder and in a link.
fn file_name(job: &Job, seed: Seed, suffix: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
    let title: String = job.title.chars().filter(is_plain).take(80).collect();
    format!("{title}-{:x}{suffix}.html", seed.0)
}

fn plain(text: &str) -> String {
    escape_control(text).into_owned()
}

fn of_report(report: &Report, failures: Vec<Failure>) -> Sweep {
    let heading = &report.heading;
    let ran = report.records.len() as u64;
    let sum = |of: fn(&Record) -> u64| report.records.iter().map(of).fold(0, u64::saturating_add);
    let outcomes: Vec<(String, u64)> = report.outcomes().into_iter().collect();
    let ended: Vec<String> = outcomes.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let mut facts = vec![
        ["strategy".into(), heading.strategy.clone()],
        ["profile".into(), plain(&heading.profile)],
        ["seeds".into(), format!("{ran} of {}, from {}", report.asked, Seed(heading.first_seed))],
        ["shard".into(), heading.shard.clone()],
        ["steps".into(), sum(|record| record.steps).to_string()],
        ["virtual time".into(), span(sum(|record| record.virtual_ns))],
        ["time".into(), format!("{:.1?}", report.seconds)],
    ];
    facts.push(["made by".into(), format!("wavetank {}", env!("CARGO_PKG_VERSION"))]);
    let mut behaviours: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for record in report.records.iter().filter(|record| !record.behaviour.is_empty()) {
        behaviours.entry(&record.behaviour).or_insert((0, record.seed)).0 += 1;
    }
    let mut behaviours: Vec<(String, u64, String)> = behaviours
        .into_iter()
        .map(|(name, (count, seed))| (name.into(), count, Seed(seed).to_string()))
        .collect();
    behaviours.sort_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
    let struck = report.faults();
    let never = Fault::ALL.iter().map(|fault| fault.name()).filter(|name| !struck.contains_key(name));
    Sweep {
        title: plain(&heading.title),
        sentence: format!("{}: {}", counted(ran, "seed"), ended.join(", ")),
        failed: report.failed(),
        facts,
        outcomes,
        failures,
        behaviours,
        faults: struck.iter().map(|(name, count)| (name.to_string(), *count)).collect(),
        never: never.map(String::from).collect(),
        rates: report.rates.clone(),
    }
}
