//! How the user called this process: the command for lines that replay a run, and where failures are saved by default.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

static COMMAND: OnceLock<String> = OnceLock::new();

static FAILURES_BASE: OnceLock<PathBuf> = OnceLock::new();

/// Notes the command, for arguments to follow, and the folder beside which failures are saved.
pub(crate) fn note(command: String, failures_base: PathBuf) {
    let _ = COMMAND.set(command);
    let _ = FAILURES_BASE.set(failures_base);
}

/// This command as the user called it, for arguments to follow.
pub(crate) fn command() -> &'static str {
    COMMAND.get().map_or("wavetank", String::as_str)
}

/// The folder beside which failures are saved if the user names none: for checks that of their package, as under
/// `cargo test`, for everything else the current one.
pub(crate) fn failures_base() -> &'static Path {
    FAILURES_BASE.get().map_or(Path::new(""), PathBuf::as_path)
}
