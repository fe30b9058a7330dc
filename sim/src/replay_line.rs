//! The start of a line that replays a failure: a command that works in the place where the line is printed.
//!
//! For the `wavetank` command, this is the command as it was called: by `cargo run`, by a path, or by a name on `PATH`.
//! For a check, it is `cargo test`, `cargo nextest run` or any other command that runs its test again. Unknown parts
//! are left out, so a line may run more than one test but never runs none. Features are unknown: neither cargo nor the
//! compiler tells a process which features it was built with.

use crate::shell::word;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

mod manifest;
#[cfg(test)]
mod tests;

use manifest::Manifest;

/// How a process was called.
#[derive(Clone, Debug, Default)]
pub struct Called {
    /// Its arguments, with its own name first.
    pub args: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Its executable.
    pub exe: PathBuf,
    /// The current folder.
    pub cwd: PathBuf,
    /// The name of the thread if it is one of libtest's; `None` for any other thread.
    pub test_thread: Option<String>,
}

impl Called {
    /// This process, on this thread.
    pub fn of_this_process() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Called {
            args: std::env::args_os().map(text).collect(),
            env: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
            exe: std::env::current_exe().unwrap_or_default(),
            cwd: std::env::current_dir().unwrap_or_default(),
            test_thread: test_thread(),
        }
    }

    fn env(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    /// The package of this process according to cargo, if cargo started it.
    fn package(&self) -> Option<(&str, &Path)> {
        self.env("CARGO")?;
        Some((self.env("CARGO_PKG_NAME")?, Path::new(self.env("CARGO_MANIFEST_DIR")?)))
    }
}

/// The name of this thread if libtest started it for a test. Users name threads too, so the name alone proves nothing.
/// The functions below on the stack do.
fn test_thread() -> Option<String> {
    let thread = std::thread::current();
    let name = thread.name().filter(|name| *name != "main")?;
    let stack = std::backtrace::Backtrace::force_capture().to_string();
    // Without symbols, the stack says nothing.
    let has_symbols = stack.contains("replay_line");
    (!has_symbols || stack.contains("test::run_test")).then(|| name.into())
}

/// The package that a binary was built from.
#[derive(Clone, Copy, Debug)]
pub struct Built<'a> {
    /// Its name.
    pub package: &'a str,
    /// Its folder.
    pub folder: &'a Path,
}

/// The files around a process.
pub(crate) trait Files {
    /// Whether there is a file or a folder at this path.
    fn exists(&self, path: &Path) -> bool;
    /// Whether there is a file at this path and it is the same file as the other.
    fn is_same_file(&self, path: &Path, other: &Path) -> bool;
    /// The text of a file.
    fn read(&self, path: &Path) -> Option<String>;
}

struct Disk;

impl Files for Disk {
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn is_same_file(&self, path: &Path, other: &Path) -> bool {
        let whole = |path: &Path| path.canonicalize().ok().filter(|path| path.is_file());
        whole(path).is_some_and(|path| Some(path) == whole(other))
    }

    fn read(&self, path: &Path) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }
}

/// The command that called this process, for arguments to follow: `cargo run --release --`, or `wavetank`.
pub fn command_line(called: &Called, built: &Built<'_>) -> String {
    cargo_run(called, built, &Disk).unwrap_or_else(|| as_called(called, &Disk))
}

/// The command that runs the test of this thread again: `cargo test -p a --test b -- --exact c`.
pub fn test_line(called: &Called) -> String {
    test_line_among(called, &Disk)
}

/// `cargo run` with the flags that it needs here; `None` if cargo did not run this binary.
///
/// Cargo sets the same variables for every process that it starts, and these processes pass them on. So the variables
/// must name exactly the package of this binary, and the binary must have been called by its path in a target folder.
fn cargo_run(called: &Called, built: &Built<'_>, files: &dyn Files) -> Option<String> {
    let (package, folder) = called.package()?;
    if package != built.package || folder != built.folder || !called.args.first()?.contains(['/', '\\']) {
        return None;
    }
    let artifact = Artifact::of(&called.exe, files)?;
    if artifact.place != ArtifactPlace::Profile {
        return None;
    }
    let manifest = Manifest::read(folder, files)?;
    let mut command = format!("cargo run{}", artifact.flags("--profile"));
    command += &run_package(called, built, files);
    if !manifest.runs_by_default(&artifact.name, files) {
        command += &format!(" --bin {}", word(&artifact.name));
    }
    Some(command + " --")
}

/// The flag that makes `cargo run` choose a package here; empty if it does so by itself.
fn run_package(called: &Called, built: &Built<'_>, files: &dyn Files) -> String {
    let nearest = called.cwd.ancestors().find(|folder| files.exists(&folder.join("Cargo.toml")));
    if nearest == Some(built.folder) {
        return String::new();
    }
    let workspace = nearest.and_then(|folder| Manifest::read(folder, files));
    match workspace.filter(|workspace| workspace.has_member(built.folder)) {
        Some(workspace) if workspace.runs_package_by_default(built.folder, files) => String::new(),
        Some(_) => format!(" -p {}", word(built.package)),
        None => {
            let manifest = built.folder.join("Cargo.toml");
            let path = manifest.strip_prefix(&called.cwd).unwrap_or(&manifest);
            format!(" --manifest-path {}", word(&path.to_string_lossy()))
        }
    }
}

/// The word that the executable was called by, if it still leads to the executable; otherwise its path.
fn as_called(called: &Called, files: &dyn Files) -> String {
    let exe = called.exe.to_string_lossy();
    let Some(name) = called.args.first().filter(|name| !name.is_empty()) else { return command_word(&exe) };
    // A program may be called by any word. The word must lead to this executable, and not to another of the same name.
    let leads_to = if name.contains(['/', '\\']) {
        Some(called.cwd.join(name))
    } else {
        let path = called.env("PATH").unwrap_or_default();
        std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| files.exists(file))
    };
    let is_this = leads_to.is_some_and(|file| files.is_same_file(&file, &called.exe));
    command_word(if is_this { name } else { &exe })
}

/// The first word of a command. If it contains a `=`, a shell would take it for a variable, so it is quoted.
fn command_word(text: &str) -> String {
    let quoted = word(text);
    if quoted == text && text.contains('=') { format!("'{text}'") } else { quoted.into_owned() }
}

fn test_line_among(called: &Called, files: &dyn Files) -> String {
    by_cargo(called, files).unwrap_or_else(|| {
        let command = as_called(called, files);
        match test_name(called) {
            Some(name) => format!("{command} --exact {}", word(&name)),
            None => called.args.iter().skip(1).fold(command, |line, arg| line + " " + &word(arg)),
        }
    })
}

/// The line if cargo or nextest started this process.
fn by_cargo(called: &Called, files: &dyn Files) -> Option<String> {
    let (package, folder) = called.package()?;
    let package = test_package(called, package, folder, files);
    // Merged doctests are one process. A filter does not find its tests by their names.
    if is_doctest(&called.exe) {
        return Some(format!("cargo test{package} --doc"));
    }
    let artifact = Artifact::of(&called.exe, files)?;
    let targets = Manifest::read(folder, files)?.targets(&artifact, files);
    let target = match &targets[..] {
        [] => return None,
        [target] => format!(" {target}"),
        // A library and a binary of one name: cargo looks for the test in both.
        _ => String::new(),
    };
    if artifact.place == ArtifactPlace::Profile
        || (artifact.place == ArtifactPlace::Examples && !artifact.hashed)
    {
        let run = format!("cargo run{}{package}{target}", artifact.flags("--profile"));
        let args: String = called.args.iter().skip(1).map(|arg| format!(" {}", word(arg))).collect();
        return Some(if args.is_empty() { run } else { format!("{run} --{args}") });
    }
    let Filter { names, is_exact } = Filter::of(&called.args);
    let exact = (is_exact && names.len() == 1).then(|| names[0].clone());
    if let (Some(_), Some(name)) = (called.env("NEXTEST"), &exact) {
        let flags = artifact.flags("--cargo-profile");
        let expression = word_of_filter(name);
        return Some(format!("cargo nextest run{flags}{package}{target} -E {expression}"));
    }
    let is_bench = called.args.iter().any(|arg| arg == "--bench");
    let mut line = if is_bench {
        format!("cargo bench{package}{target}")
    } else {
        format!("cargo test{}{package}{target}", artifact.flags("--profile"))
    };
    match exact.or_else(|| called.test_thread.clone()) {
        Some(name) => line += &format!(" -- --exact {}", word(&name)),
        None if names.is_empty() => {}
        None => {
            line += if is_exact { " -- --exact" } else { " --" };
            line.extend(names.iter().map(|name| format!(" {}", word(name))));
        }
    }
    Some(line)
}

/// A filter expression of nextest that finds one test.
fn word_of_filter(name: &str) -> String {
    word(&format!("test(={name})")).into_owned()
}

/// The flag that names a package in the shell's folder, where the reader will type the line. Cargo does not run its
/// tests in that folder.
fn test_package(called: &Called, package: &str, folder: &Path, files: &dyn Files) -> String {
    let shell = called.env("PWD").map_or(&*called.cwd, Path::new);
    let is_inside = shell
        .ancestors()
        .filter(|above| folder.starts_with(above))
        .any(|above| files.exists(&above.join("Cargo.toml")));
    if is_inside {
        format!(" -p {}", word(package))
    } else {
        format!(" --manifest-path {}", word(&folder.join("Cargo.toml").to_string_lossy()))
    }
}

fn test_name(called: &Called) -> Option<String> {
    let Filter { names, is_exact } = Filter::of(&called.args);
    match &names[..] {
        [name] if is_exact => Some(name.clone()),
        _ => called.test_thread.clone(),
    }
}

/// Whether rustdoc built an executable. It does so in a folder of its own.
fn is_doctest(exe: &Path) -> bool {
    let is_rustdocs = |part: Component<'_>| part.as_os_str().to_string_lossy().starts_with("rustdoctest");
    exe.components().any(is_rustdocs)
}

/// The tests that libtest was asked for.
struct Filter {
    names: Vec<String>,
    is_exact: bool,
}

/// Options of libtest whose value is the next argument.
const WITH_VALUE: [&str; 8] =
    ["--test-threads", "--skip", "--format", "--color", "--logfile", "--shuffle-seed", "-Z", "--report-time"];

impl Filter {
    fn of(args: &[String]) -> Self {
        let mut filter = Filter { names: Vec::new(), is_exact: false };
        let mut args = args.iter().skip(1);
        while let Some(arg) = args.next() {
            if WITH_VALUE.contains(&&**arg) {
                args.next();
            } else if arg == "--exact" {
                filter.is_exact = true;
            } else if !arg.starts_with('-') {
                filter.names.push(arg.clone());
            }
        }
        filter
    }
}

/// Files that mark target folders. Cargo writes the tag only into folders that it made itself.
const TARGET_MARKS: [&str; 2] = ["CACHEDIR.TAG", ".rustc_info.json"];

/// An executable that cargo built, recognised by its place in a target folder.
pub(crate) struct Artifact {
    name: String,
    /// Whether its file name ended with a hash.
    hashed: bool,
    place: ArtifactPlace,
    profile: String,
    triple: Option<String>,
}

/// The folders of a target folder that hold executables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArtifactPlace {
    /// `debug`: binaries.
    Profile,
    /// `debug/deps`: tests.
    Deps,
    /// `debug/examples`.
    Examples,
}

impl Artifact {
    fn of(exe: &Path, files: &dyn Files) -> Option<Self> {
        let stem = exe.file_stem()?.to_string_lossy();
        let folder = exe.parent()?;
        let (place, profile) = match folder.file_name()?.to_str()? {
            "deps" => (ArtifactPlace::Deps, folder.parent()?),
            "examples" => (ArtifactPlace::Examples, folder.parent()?),
            _ => (ArtifactPlace::Profile, folder),
        };
        let above = profile.parent()?;
        let is_target = |folder: &Path| TARGET_MARKS.iter().any(|mark| files.exists(&folder.join(mark)));
        let triple = if is_target(above) {
            None
        } else {
            above.parent().filter(|target| is_target(target))?;
            Some(above.file_name()?.to_string_lossy().into_owned())
        };
        let hashed = match stem.rsplit_once('-') {
            Some((name, hash)) if place != ArtifactPlace::Profile && is_hash(hash) => Some(name.to_string()),
            _ => None,
        };
        Some(Artifact {
            hashed: hashed.is_some(),
            name: hashed.unwrap_or_else(|| stem.into_owned()),
            place,
            profile: profile.file_name()?.to_string_lossy().into_owned(),
            triple,
        })
    }

    /// The flags that build it at this place. `profile` is the flag that names a profile.
    fn flags(&self, profile: &str) -> String {
        let mut flags = match &*self.profile {
            "debug" => String::new(),
            "release" => " --release".into(),
            other => format!(" {profile} {}", word(other)),
        };
        if let Some(triple) = &self.triple {
            flags += &format!(" --target {}", word(triple));
        }
        flags
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
