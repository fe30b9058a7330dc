//! Saves failures as workers and single runs find them.

use crate::run::Run;
use crate::saved::{self, SavedFailure, Setting};
use crate::signature::ShrunkRun;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Number of failures that a sweep saves for each failure signature, those with the lowest seeds. A broken scenario may
/// fail 10,000 times.
pub const SAVED_OF_ONE_SIGNATURE: usize = 5;

/// Saves the failure of a single run, and the smaller run if there is one; gives the line that says where.
pub fn keep_one(folder: Option<&Path>, setting: Setting, run: &Run, shrunk: Option<&ShrunkRun>) -> String {
    let kept = run.outcome.is_news().then(|| SavedFailure::new(setting, run)).flatten();
    let Some((folder, kept)) = folder.zip(kept) else { return String::new() };
    let written = match shrunk {
        Some(smaller) => saved::write(folder, &kept.with_shrunk(smaller)),
        None => saved::write_new(folder, &kept),
    };
    says_where(folder, written)
}

/// The line that says where a failure is saved.
pub fn says_where(folder: &Path, written: std::io::Result<PathBuf>) -> String {
    match written {
        Ok(path) => format!("  kept: {}\n", path.display()),
        Err(e) => not_kept(folder, &e),
    }
}

/// The line that says why a failure is not saved.
pub fn not_kept(folder: &Path, error: &std::io::Error) -> String {
    format!("  not kept: {}: {error}: name a folder that can be written with --failures\n", folder.display())
}

/// Saves the failures that one process of a sweep finds, each at once. The process writes the file itself, before it
/// reports the run to its parent. So nothing that was found is lost if the sweep is stopped.
pub struct Keeper {
    folder: Option<PathBuf>,
    kept: BTreeMap<String, usize>,
}

impl Keeper {
    /// Saves failures in this folder, or nowhere.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Keeper { folder, kept: BTreeMap::new() }
    }

    /// The folder, if failures are saved.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Saves a run that failed. Seeds come in ascending order, so the lowest ones of each failure signature are saved.
    /// Returns the file.
    pub fn found(&mut self, setting: Setting, run: &Run) -> Option<String> {
        if self.folder.is_none() || !run.outcome.is_news() {
            return None;
        }
        let kept = SavedFailure::new(setting, run)?;
        let count = self.kept.entry(kept.failure.clone()).or_default();
        *count += 1;
        if *count <= SAVED_OF_ONE_SIGNATURE { self.write(&kept, saved::write_new) } else { None }
    }

    /// Saves the smaller run of a failure in place of the one that was found. Returns the file.
    pub fn shrunk(&mut self, setting: Setting, run: &Run, smaller: &ShrunkRun) -> Option<String> {
        self.write(&SavedFailure::new(setting, run)?.with_shrunk(smaller), saved::write)
    }

    fn write(
        &mut self,
        kept: &SavedFailure,
        write: fn(&Path, &SavedFailure) -> std::io::Result<PathBuf>,
    ) -> Option<String> {
        let folder = self.folder.as_ref()?;
        match write(folder, kept) {
            Ok(path) => Some(path.display().to_string()),
            Err(e) => {
                eprint!("{}", not_kept(folder, &e));
                // One message is enough.
                self.folder = None;
                None
            }
        }
    }
}
