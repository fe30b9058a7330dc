//! Checks in test binaries that have a `main` of their own, such as those of libtest: each is driven by starting its
//! test, which serves requests over a socket instead of running its seeds.

use crate::called::command;
use crate::pool::Worker;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use wavetank_sim::guest_panic::SourceLine;
use wavetank_sim::worker::marker::Marker;
use wavetank_sim::worker::protocol::{Described, Settings};

/// A check that can be driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrivenCheck {
    /// Its name in tokens, if it is known before the check runs.
    pub(crate) name: Option<String>,
    /// Its path, or the name of its test.
    pub(crate) path: String,
    /// The name of its test.
    pub(crate) test: String,
    /// Its place, if that is known before it runs.
    pub(crate) at: Option<SourceLine>,
    /// The test binary.
    pub(crate) executable: PathBuf,
    /// The folder of its package, in which tests run.
    pub(crate) folder: PathBuf,
}

impl DrivenCheck {
    /// The check of a mark in a test binary.
    pub(crate) fn marked(mark: &Marker, executable: &Path, folder: &Path) -> Self {
        DrivenCheck {
            name: Some(token_name(&mark.name())),
            path: mark.name(),
            test: mark.test(),
            at: Some(SourceLine { file: mark.file.clone(), line: mark.line }),
            executable: executable.into(),
            folder: folder.into(),
        }
    }

    /// The check that a test may hold.
    pub(crate) fn of_test(test: &str, name: Option<String>, executable: &Path, folder: &Path) -> Self {
        DrivenCheck {
            name,
            path: test.into(),
            test: test.into(),
            at: None,
            executable: executable.into(),
            folder: folder.into(),
        }
    }

    /// Whether a user may mean it by this name: its name in tokens, its path, or the end of its path.
    pub(crate) fn answers_to(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name) || self.is_path(name) || self.path.ends_with(&format!("::{name}"))
    }

    /// Whether this is its whole path.
    pub(crate) fn is_path(&self, name: &str) -> bool {
        self.path == name
    }

    /// Starts its test, and connects to it.
    #[cfg(unix)]
    fn connect(&self, alone: bool) -> Result<(Child, std::os::unix::net::UnixStream), String> {
        use std::os::unix::net::UnixListener;
        use std::os::unix::process::CommandExt;
        use wavetank_sim::worker::driven::{CHECK, SOCKET};

        let socket = Socket(std::env::temp_dir().join(format!("wavetank-{}.socket", crate::pool::nonce())));
        let failed = |e: std::io::Error| format!("{}: {e}", socket.0.display());
        let listener = UnixListener::bind(&socket.0).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let mut command = Command::new(&self.executable);
        command.args(["--exact", &self.test, "--include-ignored", "--nocapture", "--test-threads=1"]);
        command.current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder).env(SOCKET, &socket.0);
        match &self.name {
            Some(name) => command.env(CHECK, name),
            None => command.env_remove(CHECK),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if alone {
            // Ctrl-C is for this process only: it ends the workers once it has their results.
            command.process_group(0);
        }
        let mut process = command.spawn().map_err(|e| format!("{}: {e}", self.executable.display()))?;
        let started = crate::progress::now();
        loop {
            // First whether it has ended: then a connection that it made before is already there.
            let ended = process.try_wait().map_err(failed)?;
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).map_err(failed)?;
                    return Ok((process, stream));
                }
                Err(e) if e.kind() != std::io::ErrorKind::WouldBlock => return Err(failed(e)),
                Err(_) => {}
            }
            let why = match ended {
                Some(status) => format!("it ended without one ({status})"),
                None if crate::progress::now() - started > NO_CHECK_AFTER => {
                    let _ = process.kill();
                    let _ = process.wait();
                    format!("it came to none within {} s", NO_CHECK_AFTER.as_secs())
                }
                None => {
                    pause();
                    continue;
                }
            };
            let name = self.name.as_deref().map_or(String::new(), |name| format!(" called {name}"));
            return Err(format!(
                "the test {} of {} runs no check{name}: {why}; a check is what `check(…).run()` or #[wavetank_sim::test] makes",
                self.test,
                self.executable.display()
            ));
        }
    }
}

/// How long a test may do other things before its check.
#[cfg(unix)]
const NO_CHECK_AFTER: std::time::Duration = std::time::Duration::from_secs(60);

#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "outside of all worlds: another process is starting")]
fn pause() {
    // Between two looks for the connection of another process. No world runs here.
    std::thread::sleep(std::time::Duration::from_millis(5));
}

/// A socket's file, removed in the end.
#[cfg(unix)]
struct Socket(PathBuf);

#[cfg(unix)]
impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A name as tokens have it.
pub(crate) fn token_name(name: &str) -> String {
    wavetank_sim::check::token_name(name)
}

/// A check to drive, with the user's settings for it.
#[derive(Clone, Debug)]
pub(crate) struct Driven {
    pub(crate) check: DrivenCheck,
    pub(crate) described: Described,
    /// Failures are saved where a start says.
    pub(crate) settings: Settings,
}

impl Driven {
    /// Starts the check once, to learn its name and settings.
    pub(crate) fn new(check: DrivenCheck, settings: Settings) -> Result<Self, String> {
        let described = start(&check, settings.clone(), false)?.described()?;
        // From here on no other check of the same test is meant.
        let check = DrivenCheck { name: Some(described.name.clone()), ..check };
        Ok(Driven { check, described, settings })
    }

    /// Starts a worker that saves failures in this folder. If it is `alone`, Ctrl-C does not reach it.
    pub(crate) fn start(&self, failures: Option<PathBuf>, alone: bool) -> Result<Worker, String> {
        // Tests run in the folder of their package.
        let failures = failures.map(|folder| std::path::absolute(&folder).unwrap_or(folder));
        start(&self.check, Settings { failures, ..self.settings.clone() }, alone)
    }
}

#[cfg(unix)]
fn start(check: &DrivenCheck, settings: Settings, alone: bool) -> Result<Worker, String> {
    let settings = Settings { command: command().into(), ..settings };
    let (process, stream) = check.connect(alone)?;
    let answers = stream.try_clone().map_err(|e| e.to_string())?;
    let title = check.path.rsplit("::").next().unwrap_or_default().to_string();
    Ok(Worker::of(process, stream, answers, title, Some(settings)))
}

#[cfg(not(unix))]
fn start(check: &DrivenCheck, _: Settings, _: bool) -> Result<Worker, String> {
    Err(format!(
        "{}: checks in test binaries of libtest are driven over Unix sockets: on this system, move it to a target with wavetank_cli::checks!",
        check.path
    ))
}
