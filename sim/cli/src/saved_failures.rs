//! The folder of saved failures, as the commands use it: new failures go there, and a sweep first retries the failures
//! already in it.

use crate::args::Run as RunArgs;
use crate::component::ComponentArgs;
use crate::exit_code::{FOUND, USAGE};
use crate::files::is_same;
use crate::job::Job;
use crate::pack_file;
use crate::subject::{Keep, Own};
use crate::terminal::{self, Stop};
use crate::{Catalogue, engine};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wavetank_sim::record::Record;
use wavetank_sim::saved::{self, ABORTED, ReplacedGuest, SavedFailure, Source};
use wavetank_sim::worker::keeper::{SAVED_OF_ONE_SIGNATURE, not_kept};
use wavetank_sim::worker::protocol::{Message, Request, RetryReport};
use wavetank_sim::worker::replaced::base_name;
use wavetank_sim::worker::single::read_saved;
use wavetank_sim::worker::subject::Subject;
use wavetank_sim::worker::words::counted;
use wavetank_sim::{Choices, Seed};

/// Whether a text names the file of a saved failure, as opposed to a token.
pub(crate) fn is_file(text: &str) -> bool {
    text.ends_with(".toml") || text.contains(['/', '\\']) || Path::new(text).is_file()
}

/// Reads the file of a saved failure.
///
/// # Errors
/// A message for the user that names the file.
pub(crate) fn read(path: &str) -> Result<SavedFailure, String> {
    read_saved(Path::new(path), path).map_err(|told| {
        if Path::new(path).is_file() && pack_file::is_pack(Path::new(path)) {
            format!("{path}: it is a pack, which only `replay` takes: its failure.toml is for the others: tar --extract --file {path}")
        } else {
            told
        }
    })
}

/// Saves a world whose process died.
pub(crate) fn keep_aborted(keep: &Keep, job: &Job, seed: Seed, how: &str) {
    let kept = SavedFailure::aborted(job.setting(seed), seed, how);
    if let Some((folder, kept)) = keep.folder().zip(kept)
        && let Err(e) = saved::write_new(&folder, &kept)
    {
        terminal::note(not_kept(&folder, &e));
    }
}

/// The folder of saved failures, before and after a sweep.
pub(crate) struct SavedFolder {
    folder: Option<PathBuf>,
    /// Names of the files that were there before.
    before: BTreeSet<String>,
    still_failing: usize,
    unreadable: usize,
}

impl SavedFolder {
    /// Retries the saved failures of a scenario, in a process of their own, and prints the result of each on stdout.
    pub(crate) fn try_again(job: &Job, args: &RunArgs) -> Result<Self, Stop> {
        let folder = args.what.subject.keep.folder();
        let mut tried = SavedFolder { folder, before: BTreeSet::new(), still_failing: 0, unreadable: 0 };
        let Some(folder) = &tried.folder else { return Ok(tried) };
        let files = saved::read_all(folder).map_err(|e| {
            format!(
                "{}: {e}: name a folder with --failures, or keep nothing with --no-keep",
                folder.display()
            )
        })?;
        let (mut lines, mut count, mut mended) = (String::new(), 0, 0);
        let mut worker = None;
        for (path, read) in files {
            tried.before.insert(name_of(&path));
            let kept = match read {
                Ok(kept) => kept,
                Err(e) => {
                    terminal::warn(format_args!("{}: {e}", path.display()));
                    tried.unreadable += usize::from(may_be_of(&path, job));
                    continue;
                }
            };
            if !is_of(&kept, job) {
                continue;
            }
            count += 1;
            let process = match &mut worker {
                Some(process) => process,
                slot => slot.insert(job.start(&args.what)?),
            };
            let file = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
            let request = Request::Retry { file };
            let again = match process.ask(args.hang_after, &request, |_| false) {
                Ok(Message::Retried(report)) => report,
                Ok(Message::Refused(why)) => RetryReport::untried(format!("not tried: {why}")),
                _ => {
                    worker = None;
                    let still =
                        if kept.failure == ABORTED { "still fails" } else { "fails in another way now" };
                    RetryReport::untried(format!("{still}: its process died"))
                }
            };
            let mut says = again.says.clone();
            if again.is_over && args.prune {
                std::fs::remove_file(&path).map_err(|e| format!("{}: {e}", path.display()))?;
                tried.before.remove(&name_of(&path));
                says += ": removed";
            } else if again.is_over {
                says += ": remove it with --prune";
            }
            mended += usize::from(again.is_over);
            tried.still_failing += usize::from(again.fails);
            let _ = writeln!(lines, "  {}: {says}", name_of(&path));
            for changed in &again.changed {
                let _ = writeln!(lines, "    {changed}");
            }
        }
        if count > 0 {
            terminal::print(format_args!(
                "kept failures of {} in {}, tried first: {} fail, {mended} mended\n{lines}\n",
                job.title,
                folder.display(),
                tried.still_failing
            ))?;
        }
        Ok(tried)
    }

    /// Leaves only the lowest seeds of each failure signature, so that the saved files do not depend on which worker
    /// ran which seed. Gives the line that says where they are.
    pub(crate) fn tidied(&self, job: &Job, records: &[Record]) -> String {
        let Some(folder) = &self.folder else { return String::new() };
        let mut ways: BTreeMap<&str, usize> = BTreeMap::new();
        let mut kept = Vec::new();
        for record in records.iter().filter(|record| record.is_news()) {
            let way = record.failure.as_deref().unwrap_or(ABORTED);
            let count = ways.entry(way).or_default();
            *count += 1;
            let name = saved::file_name(&job.name, job.source(), Seed(record.seed), way);
            if *count <= SAVED_OF_ONE_SIGNATURE || way == ABORTED {
                if folder.join(&name).exists() {
                    kept.push(name);
                }
            } else if !self.before.contains(&name) {
                // Most of them were never written.
                let _ = std::fs::remove_file(folder.join(&name));
            }
        }
        match kept.first() {
            None => String::new(),
            Some(first) => {
                let files = counted(kept.len() as u64, "failure");
                format!("  kept: {files} in {}, the first as {first}\n", folder.display())
            }
        }
    }

    /// The exit code if the sweep itself found nothing.
    pub(crate) fn exit(&self) -> ExitCode {
        match (self.still_failing, self.unreadable) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(USAGE),
            _ => ExitCode::from(FOUND),
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether a saved failure belongs to this scenario. For a component, the path and the inputs must be the same, but the
/// files may have changed. The same holds for guests that were replaced.
fn is_of(kept: &SavedFailure, job: &Job) -> bool {
    let names = |replaced: &[ReplacedGuest]| -> Vec<(String, String)> {
        replaced.iter().map(|guest| (guest.name.clone(), guest.file.path.clone())).collect()
    };
    if names(&kept.setting.replaced) != names(job.replaced()) {
        return false;
    }
    match (&kept.setting.source, job.source()) {
        (Source::Component { path, inputs }, Source::Component { path: path_now, inputs: inputs_now }) => {
            inputs.is_alike(inputs_now) && is_same(path.as_ref(), path_now.as_ref())
        }
        (source, now) => source == now && base_name(&kept.setting.scenario) == base_name(&job.name),
    }
}

/// Whether an unreadable file may belong to this scenario, judged by its name.
fn may_be_of(path: &Path, job: &Job) -> bool {
    saved::scenario_of(path).is_none_or(|scenario| scenario == job.title)
}

/// The job of a saved failure.
pub(crate) fn job_of(
    file: &str,
    kept: &SavedFailure,
    own: &Own,
    catalogue: &Catalogue,
) -> Result<(Job, Own), String> {
    let mut own = own.clone();
    let scenario = base_name(&kept.setting.scenario);
    match &kept.setting.source {
        Source::Check if !catalogue.has_check(scenario) => {
            return Err(format!("{file}: kept by a test: `cargo test {scenario}` tries it again"));
        }
        Source::BuiltIn | Source::Check if own.is_given() => {
            return Err(format!(
                "{file}: kept of the scenario {scenario}: leave out what is for a component of your own"
            ));
        }
        Source::Component { .. } if own.settings.component.is_given() => {
            return Err(format!(
                "{file}: it holds --transport, --stdin and the like, and the arguments: leave them out"
            ));
        }
        Source::BuiltIn | Source::Check => {}
        Source::Component { path, inputs } => {
            if own.wasm.is_none() {
                own.wasm = Some(path.into());
            }
            own.settings.component = ComponentArgs::from(inputs);
        }
    }
    if own.guests.is_empty() {
        own.guests = kept.setting.replaced.as_slice().into();
    }
    let job = match &own.wasm {
        Some(path) => Job::own(path, &own.settings.component, Choices::default(), engine()?)?,
        None => Job::named(scenario, Choices::default(), catalogue, engine()?)?,
    };
    own.settings.schema = own.settings.schema.or_saved(&kept.setting.schemas);
    let job = job.with_settings(&own.settings)?.with_guests(&own.guests, catalogue)?;
    let job = if kept.setting.canary { job.with_canary() } else { job };
    Ok((job, own))
}
