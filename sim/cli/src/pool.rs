//! The processes that run worlds.
//!
//! They are processes because threads share one address space and its lock (two threads were hardly faster than one),
//! and because a process that dies costs only the world that killed it.

use crate::args::What;
use crate::job::note_compiling;
use crate::progress::now;
use crate::protocol::{Message, Request, VERSION};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Once, mpsc};
use std::time::{Duration, Instant};
use wavetank_sim::record::WorkerFailure;

/// How often somebody who waits for a worker looks whether to go on waiting.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A process that runs worlds.
pub(crate) struct Worker {
    process: Child,
    requests: Option<ChildStdin>,
    /// The lines of the worker. A thread reads them, so that a wait for one can time out.
    messages: mpsc::Receiver<Vec<u8>>,
    /// The name of its work for people.
    title: String,
}

impl Worker {
    pub(crate) fn start(what: &What) -> Result<Self, String> {
        let failed = |e: std::io::Error| format!("a process for the sweep could not be started: {e}");
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("worker").arg(&what.subject.scenario);
        if let Some(strategy) = &what.strategy {
            command.args(["--strategy", &strategy.to_string()]);
        }
        if let Some(profile) = &what.profile {
            command.args(["--profile", &profile.to_string()]);
        }
        if what.canary {
            command.arg("--canary");
        }
        match what.subject.keep.folder() {
            Some(folder) => command.arg("--failures").arg(folder),
            None => command.arg("--no-keep"),
        };
        command.args(what.subject.words());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        #[cfg(unix)]
        {
            // Ctrl-C is for this process only: it ends the workers once it has their results.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        let mut process = command.spawn().map_err(failed)?;
        let requests = process.stdin.take();
        let messages = lines_of(process.stdout.take().expect("stdout was asked for"));
        // A component is called by its path, a scenario by its name, which has no dot.
        let title =
            Path::new(&what.subject.scenario).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Worker { process, requests, messages, title })
    }

    /// The next message, or how the worker ended: by its death, or by silence for `hang_after`. `gives_up` is asked now
    /// and then with the time since `since`; giving up counts as silence.
    pub(crate) fn next(
        &mut self,
        hang_after: Duration,
        since: Instant,
        gives_up: impl Fn(Duration) -> bool,
    ) -> Result<Message, WorkerFailure> {
        let mut heard_at = now();
        loop {
            match self.messages.recv_timeout(hang_after.min(LOOK_EVERY)) {
                Ok(line) => match Message::read(&line) {
                    // Even the output of a library is a sign of life.
                    Some(Message::Hello { version: VERSION }) | None => heard_at = now(),
                    Some(Message::Hello { version }) => {
                        let says = format!("it speaks version {version} of the protocol, and not {VERSION}");
                        return Err(WorkerFailure::Died(says));
                    }
                    Some(Message::Compiling) => {
                        heard_at = now();
                        self.note_compiling();
                    }
                    Some(message) => return Ok(message),
                },
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(WorkerFailure::Died(self.how_it_died()));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let silent = now() - heard_at;
                    if silent >= hang_after || gives_up(now() - since) {
                        return Err(WorkerFailure::Hung(silent.as_secs()));
                    }
                }
            }
        }
    }

    /// Sends a request. If the worker has died, no answer comes.
    pub(crate) fn send(&mut self, request: &Request) {
        let requests = self.requests.as_mut().expect("requests are open until the end");
        let _ = requests.write_all(request.line().as_bytes());
    }

    /// Its answer to a request; how it ended if it dies of the request, or is silent for `hang_after`. Then it must not
    /// be asked again.
    pub(crate) fn ask(
        &mut self,
        hang_after: Duration,
        request: &Request,
        gives_up: impl Fn(Duration) -> bool,
    ) -> Result<Message, WorkerFailure> {
        let since = now();
        self.send(request);
        loop {
            match self.next(hang_after, since, &gives_up)? {
                Message::Begin { .. } => {}
                answer => return Ok(answer),
            }
        }
    }

    /// Several workers may compile the same guests at once; the user is told once.
    fn note_compiling(&self) {
        static NOTED: Once = Once::new();
        NOTED.call_once(|| note_compiling(&self.title));
    }

    fn how_it_died(&mut self) -> String {
        self.process.wait().map_or_else(|e| e.to_string(), |status| status.to_string())
    }
}

/// The lines that a process prints, until it ends.
#[expect(clippy::disallowed_methods, reason = "outside of all worlds: waits for another process")]
fn lines_of(stdout: ChildStdout) -> mpsc::Receiver<Vec<u8>> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        loop {
            let mut line = Vec::new();
            let read = stdout.read_until(b'\n', &mut line);
            if !matches!(read, Ok(read) if read > 0) || tell.send(line).is_err() {
                return;
            }
        }
    });
    told
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be in the middle of a world whose result nobody needs any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
