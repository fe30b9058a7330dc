//! The processes that run worlds.
//!
//! They are processes because threads share one address space and its lock (two threads were hardly faster than one),
//! and because a process that dies costs only the world that killed it.

use crate::args::What;
use crate::progress::now;
use crate::terminal;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Once, mpsc};
use std::time::{Duration, Instant};
use wavetank_sim::record::WorkerFailure;
use wavetank_sim::worker::protocol::{Answer, Described, Message, Order, Request, Settings, VERSION};

/// How often somebody who waits for a worker looks whether to go on waiting.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A process that runs worlds.
pub(crate) struct Worker {
    process: Child,
    orders: Box<dyn Write + Send>,
    /// Its answers have this nonce. What has another is from somebody else.
    nonce: String,
    /// The number of the last order. What answers an earlier one comes too late.
    order: Option<u64>,
    /// The lines of the worker. A thread reads them, so that a wait for one can time out.
    messages: mpsc::Receiver<Vec<u8>>,
    /// The name of its work for people.
    title: String,
}

impl Worker {
    /// Starts a worker of this command.
    pub(crate) fn of_this_command(what: &What) -> Result<Self, String> {
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
        let orders = process.stdin.take().expect("stdin was asked for");
        let answers = process.stdout.take().expect("stdout was asked for");
        // A component is called by its path, a scenario by its name, which has no dot.
        let title =
            Path::new(&what.subject.scenario).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self::of(process, orders, answers, title, None))
    }

    /// A worker in a process, of which the two ends are given. The line is opened at once.
    pub(crate) fn of(
        process: Child,
        orders: impl Write + Send + 'static,
        answers: impl Read + Send + 'static,
        title: String,
        settings: Option<Settings>,
    ) -> Self {
        let messages = lines_of(answers);
        let mut worker =
            Worker { process, orders: Box::new(orders), nonce: nonce(), order: None, messages, title };
        worker.send(&Request::Open { version: VERSION, settings: settings.map(Box::new) });
        worker
    }

    /// The check that it serves.
    ///
    /// # Errors
    /// A message for the user if it serves none.
    pub(crate) fn described(mut self) -> Result<Described, String> {
        loop {
            match self.messages.recv() {
                Ok(line) => match accepted(&line, &self.nonce, self.order) {
                    Some(Message::Hello { version: VERSION, check: Some(check) }) => return Ok(*check),
                    Some(Message::Hello { version, .. }) => return Err(other_version(version)),
                    Some(Message::Refused(why)) => return Err(why),
                    _ => {}
                },
                Err(mpsc::RecvError) => {
                    return Err(format!("the check ended at once: {}", self.how_it_died()));
                }
            }
        }
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
                Ok(line) => match accepted(&line, &self.nonce, self.order) {
                    // Even the output of a library is a sign of life.
                    Some(Message::Hello { version: VERSION, .. }) | None => heard_at = now(),
                    Some(Message::Hello { version, .. }) => {
                        return Err(WorkerFailure::Died(other_version(version)));
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
        let number = self.order.map_or(0, |last| last + 1);
        self.order = Some(number);
        let order = Order { nonce: self.nonce.clone(), number, request: request.clone() };
        let _ = self.orders.write_all(order.line().as_bytes()).and_then(|()| self.orders.flush());
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

    /// Its answer to a request that may take as long as it likes. `smaller` is told how small a failure already is.
    pub(crate) fn ask_patiently(
        &mut self,
        request: &Request,
        smaller: &dyn Fn(usize),
    ) -> Result<Message, WorkerFailure> {
        self.send(request);
        loop {
            match self.next(Duration::MAX, now(), |_| false)? {
                Message::Begin { .. } => {}
                Message::Smaller(choices) => smaller(choices),
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
fn lines_of(stdout: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
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

fn other_version(version: u32) -> String {
    format!(
        "it speaks version {version} of the protocol, and not {VERSION}: the command and wavetank-sim must be of one version"
    )
}

/// A word that nobody else knows.
#[expect(
    clippy::disallowed_types,
    reason = "outside of all worlds: tells the answers of a worker from other lines"
)]
pub(crate) fn nonce() -> String {
    use std::hash::{BuildHasher, Hasher};
    let word = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", word(), word())
}

/// The message on a line, if the line is an answer to the worker's last order. Whatever a scenario prints is not, and
/// neither is an answer that comes too late.
fn accepted(line: &[u8], nonce: &str, last: Option<u64>) -> Option<Message> {
    let answer = Answer::read(line).filter(|answer| answer.nonce == nonce)?;
    // The next order may be sent before the worker has said that it is ready.
    let is_hello = matches!(answer.message, Message::Hello { .. });
    (is_hello || Some(answer.order) == last).then_some(answer.message)
}

/// Tells the user why nothing happens.
pub(crate) fn note_compiling(title: &str) {
    terminal::note(format_args!("compiling {title} …\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_to_the_last_order_of_this_worker_are_accepted() {
        let hello = || Message::Hello { version: VERSION, check: None };
        let line = |nonce: &str, order, message| Answer { nonce: nonce.into(), order, message }.line();
        for (line, is_accepted) in [
            (line("ours", 7, Message::Begin { seed: 1 }), true),
            (line("ours", 6, Message::Begin { seed: 1 }), false),
            (line("forged", 7, Message::Begin { seed: 1 }), false),
            (line("ours", 0, hello()), true),
            (line("forged", 0, hello()), false),
            ("printed by a scenario\n".into(), false),
        ] {
            assert_eq!(accepted(line.as_bytes(), "ours", Some(7)).is_some(), is_accepted, "{line:?}");
        }
        assert_ne!(nonce(), nonce());
    }
}
