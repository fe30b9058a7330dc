//! Workers: processes that run worlds for a command.
//!
//! A worker is a process of the command itself, or the test binary of a user's project: if the environment names a
//! socket, [`Check::run`](crate::check::Check::run) does not run its seeds but serves the [requests](protocol) that
//! arrive there. So any test binary that holds checks can be driven, and only the command parses flags and draws
//! progress bars.
//!
//! Here are the two ends that need a [`Run`]: what is done for each request, and the reports as plain data. Not here:
//! who starts workers, gives them seeds and prints what they answer; `wavetank-cli` does.

pub mod driven;
pub mod files;
pub mod keeper;
pub mod marker;
pub mod protocol;
pub mod replaced;
pub mod report;
pub mod single;
pub mod subject;
pub mod words;

use crate::explain::EXPLAIN_RUNS;
use crate::fuzz::search::{Observed, Proposal};
use crate::record::Record;
use crate::run::Run;
use crate::saved::{self, Setting};
use crate::signature::{SHRINK_RUNS, ShrunkRun, shrink_run};
use keeper::Keeper;
use protocol::{Answer, Described, FuzzAnswer, Message, Order, Request, RetryReport, Smaller, VERSION};
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use subject::Subject;
use wavetank_choice::profile::Profile;
use wavetank_choice::seed::Seed;
use wavetank_choice::strategy::{Bound, Frontier};

/// The worker's end of the line to its parent.
pub struct Line {
    out: Mutex<Box<dyn Write + Send>>,
    /// The nonce and the number of the order at hand.
    order: Mutex<(String, u64)>,
}

impl Line {
    /// A line on which a worker answers.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Line { out: Mutex::new(Box::new(out)), order: Mutex::default() }
    }

    /// Says something about the order at hand.
    ///
    /// # Errors
    /// If the parent has gone.
    pub fn say(&self, message: Message) -> io::Result<()> {
        let (nonce, order) = self.order.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(Answer { nonce, order, message }.line().as_bytes())?;
        out.flush()
    }

    /// Reads the next order; `None` if the parent needs nothing more.
    ///
    /// # Errors
    /// If the parent has gone, or if a line is no order or has the nonce of another worker.
    pub fn next(&self, orders: &mut impl BufRead) -> io::Result<Option<Request>> {
        let mut text = String::new();
        if orders.read_line(&mut text)? == 0 {
            return Ok(None);
        }
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, format!("not an order: {text:?}"));
        let Order { nonce, number, request } = Order::read(&text).ok_or_else(wrong)?;
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if !order.0.is_empty() && order.0 != nonce {
            return Err(wrong());
        }
        *order = (nonce, number);
        Ok(Some(request))
    }
}

/// A subject, and the memory of its worker from one request to the next.
pub struct Work<S> {
    subject: S,
    keeper: Keeper,
    /// The profile of a fuzzer's draws.
    profile: Profile,
    frontier: Option<Frontier>,
}

impl<S: Subject> Work<S> {
    /// Work on a subject. Failures are saved in the folder; a fuzzer draws by the profile.
    pub fn new(subject: S, failures: Option<PathBuf>, profile: Profile) -> Self {
        Work { subject, keeper: Keeper::new(failures), profile, frontier: None }
    }

    /// Serves orders until the parent needs nothing more. The first must be [`Request::Open`], and may have been read
    /// already.
    ///
    /// # Errors
    /// If the parent has gone, or sends anything but orders.
    pub fn serve(&mut self, line: &Line, orders: &mut impl BufRead) -> io::Result<()> {
        while let Some(request) = line.next(orders)? {
            answer(self, request, &|message| line.say(message))?;
        }
        Ok(())
    }
}

/// Does what a request asks for, and says the answer.
///
/// # Errors
/// Those of `say`.
pub fn answer<S: Subject>(
    work: &mut Work<S>,
    request: Request,
    say: &dyn Fn(Message) -> io::Result<()>,
) -> io::Result<()> {
    let refused_or = |result: Result<Message, String>| say(result.unwrap_or_else(Message::Refused));
    match request {
        Request::Open { .. } => say(Message::Hello { version: VERSION, check: None }),
        Request::Seeds { first, count, step } => {
            for place in 0..count {
                let seed = Seed(first.wrapping_add(place.wrapping_mul(step)));
                say(Message::Begin { seed: seed.0 })?;
                let run = work.subject.run(seed);
                let _ = work.keeper.found(work.subject.setting(seed), &run);
                say(Message::Ran(Box::new(Record::new(work.subject.name(), &run))))?;
            }
            Ok(())
        }
        Request::Shrink { seed } => {
            say(Message::Begin { seed })?;
            let run = work.subject.run(Seed(seed));
            let setting = work.subject.setting(Seed(seed));
            let smaller = shrunk(work, &run, setting, say);
            say(Message::Ran(Box::new(smaller.record)))
        }
        Request::Retry { file } => match saved::read(&file) {
            Ok(saved) => say(Message::Retried(RetryReport::of(work.subject.retry(&saved)))),
            Err(e) => say(Message::Refused(e.to_string())),
        },
        Request::Fuzz { seed, proposal } => {
            let run = proposed(work, seed, &proposal, say)?;
            let observed = Observed::of(&run);
            let record = observed.failure.is_some().then(|| Record::new(work.subject.name(), &run));
            say(Message::Fuzzed(Box::new(FuzzAnswer { observed, record })))
        }
        Request::ShrinkFuzzed { seed, proposal } => {
            let run = proposed(work, seed, &proposal, say)?;
            let setting = work.subject.setting_of_found(Seed(seed));
            // Saved before anything that may take long.
            let found = work.keeper.found(setting.clone(), &run);
            let smaller = shrunk(work, &run, setting, say);
            let saved = smaller.saved.or(found);
            say(Message::Shrunk(Box::new(Smaller { saved, record: smaller.record })))
        }
        Request::RunSeed { seed, shrinks } => {
            let run = work.subject.run(Seed(seed));
            let told = single::tell(&work.subject, &run, shrinks, work.keeper.folder());
            say(Message::Told(Box::new(told)))
        }
        Request::Replay { of, shown } => {
            let replayed = single::replay(&mut work.subject, &of, shown);
            refused_or(replayed.map(|(text, ending)| Message::Replayed(text, ending)))
        }
        Request::Until { of, step } => {
            refused_or(single::until(&mut work.subject, &of, step).map(Message::View))
        }
        Request::CompareFix { of, guests } => {
            let fixed = single::fixed(&mut work.subject, &of, &guests);
            refused_or(fixed.map(|(text, ending)| Message::Replayed(text, ending)))
        }
        Request::Minimise { of, runs, time, failures } => {
            let bounds = single::Bounds { runs, time, failures: failures.as_deref() };
            let ran = |choices| {
                let _ = say(Message::Smaller(choices));
            };
            let smaller = single::minimise(&mut work.subject, &of, &bounds, &ran);
            refused_or(smaller.map(Message::Minimised))
        }
        Request::Explore { preemptions, delays, seed, most_runs, time, shrinks } => {
            let bound = Bound { preemptions, delays };
            let frontier = work.frontier.get_or_insert_with(|| Frontier::new(bound));
            let failures = work.keeper.folder();
            let part = single::Part { seed: Seed(seed), most_runs, time, shrinks, failures };
            say(Message::Explored(Box::new(single::explore(&work.subject, frontier, &part))))
        }
    }
}

/// Makes the run that a fuzzer asks for.
fn proposed<S: Subject>(
    work: &Work<S>,
    seed: u64,
    proposal: &Proposal,
    say: &dyn Fn(Message) -> io::Result<()>,
) -> io::Result<Run> {
    say(Message::Begin { seed })?;
    Ok(work.subject.run_proposed(Seed(seed), proposal, &work.profile))
}

/// The record of the smallest run that fails as this one does; of the run itself if there is no smaller one.
fn shrunk<S: Subject>(
    work: &mut Work<S>,
    run: &Run,
    setting: Setting,
    say: &dyn Fn(Message) -> io::Result<()>,
) -> Smaller {
    let subject = &work.subject;
    let compared = run.compared.len();
    let replay = |choices| {
        // A sign of life before each run: a process that says nothing is given up.
        let _ = say(Message::Begin { seed: run.seed.0 });
        subject.replay(run.seed, choices)
    };
    match shrink_run(run, SHRINK_RUNS, replay) {
        Some(smaller) => {
            let saved = work.keeper.shrunk(setting, run, &smaller);
            let ShrunkRun { run, shrunk } = smaller;
            let detail = subject.explain(&run, EXPLAIN_RUNS).lines();
            let record = Record {
                shrunk_from: Some(shrunk.from),
                compared,
                detail,
                ..Record::new(subject.name(), &run)
            };
            Smaller { record, saved }
        }
        None => Smaller { record: Record::new(subject.name(), run), saved: None },
    }
}

/// Greets the parent as a worker that serves a check.
pub(crate) fn hello(check: Described) -> Message {
    Message::Hello { version: VERSION, check: Some(Box::new(check)) }
}
