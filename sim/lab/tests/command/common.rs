//! Helpers for tests that run the command.

use std::fs;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The command, without saved failures, and as a shell would run it outside of CI.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetank-lab"));
    command.env("WAVETANK_FAILURES", "").env_remove("GITHUB_ACTIONS").env_remove("CARGO");
    command
}

/// The command in a folder, where it saves failures as it does by default.
pub(crate) fn command_in(folder: &Path) -> Command {
    let mut command = command();
    command.env_remove("WAVETANK_FAILURES").current_dir(folder);
    command
}

/// Runs a command; gives its exit code, stdout and stderr. Lines about the compilation of a component are removed,
/// because they appear only the first time on a machine.
pub(crate) fn output(command: &mut Command) -> (i32, String, String) {
    let ran = command.output().expect("the command runs");
    let out = String::from_utf8_lossy(&ran.stdout).into_owned();
    let err = String::from_utf8_lossy(&ran.stderr).into_owned();
    let err = err.split_inclusive('\n').filter(|line| !line.starts_with("compiling ")).collect();
    (ran.status.code().expect("an exit code"), out, err)
}

/// Runs the command with these arguments.
pub(crate) fn wavetank(args: &[&str]) -> (i32, String, String) {
    output(command().args(args))
}

/// Runs the command with these arguments in a folder.
pub(crate) fn wavetank_in(folder: &Path, args: &[&str]) -> (i32, String, String) {
    output(command_in(folder).args(args))
}

/// An empty folder for a test of the calling file.
#[track_caller]
pub(crate) fn folder(test: &str) -> PathBuf {
    let file = Path::new(Location::caller().file()).file_stem().expect("a file has a name");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("command").join(file).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for a test");
    folder
}

/// A path as text.
pub(crate) fn name(path: &Path) -> &str {
    path.to_str().expect("plain names")
}
