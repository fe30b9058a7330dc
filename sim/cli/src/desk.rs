//! Requests about single runs, answered in this process, or by the process of a driven check.

use crate::job::Job;
use crate::pool::Worker;
use crate::subject::Keep;
use crate::terminal::Stop;
use std::time::{Duration, Instant};
use wavetank_sim::Profile;
use wavetank_sim::guest_panic::SourceLine;
use wavetank_sim::record::WorkerFailure;
use wavetank_sim::worker::protocol::{Message, Request};
use wavetank_sim::worker::{Work, answer};

/// Answers requests about the runs of a job.
pub(crate) struct Desk {
    at: At,
    pub(crate) labels: Labels,
}

enum At {
    /// In this process.
    Here(Box<Work<Job>>),
    /// In the process of a driven check.
    There(Worker),
}

/// How the reports of a job name it.
pub(crate) struct Labels {
    pub(crate) title: String,
    pub(crate) replay_args: String,
    pub(crate) at: Option<SourceLine>,
}

impl Labels {
    pub(crate) fn of(job: &Job) -> Self {
        Labels { title: job.title.clone(), replay_args: job.replay_args.clone(), at: job.at.clone() }
    }
}

impl Desk {
    /// A desk for a job. Failures are saved as `keep` says, if it is given. If it is `alone`, Ctrl-C does not reach the
    /// other process, so this one must have a signal handler.
    pub(crate) fn of(job: Job, keep: Option<&Keep>, alone: bool) -> Result<Self, String> {
        let labels = Labels::of(&job);
        let failures = keep.and_then(Keep::folder);
        let at = match job.driven() {
            Some(driven) => At::There(driven.start(failures, alone)?),
            None => At::Here(Box::new(Work::new(job, failures, Profile::default()))),
        };
        Ok(Desk { at, labels })
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// The reason if it is refused, or if the other process dies.
    pub(crate) fn ask(&mut self, request: Request) -> Result<Message, Stop> {
        self.ask_and(request, &|_| ())
    }

    /// The same. `smaller` is told how small a failure already is.
    pub(crate) fn ask_and(&mut self, request: Request, smaller: &dyn Fn(usize)) -> Result<Message, Stop> {
        let answered = match &mut self.at {
            At::Here(work) => {
                let last = std::cell::RefCell::new(None);
                let say = |message| {
                    match message {
                        Message::Smaller(choices) => smaller(choices),
                        message => last.replace(Some(message)).map_or((), drop),
                    }
                    Ok(())
                };
                answer(work, request, &say).map_err(|e| e.to_string())?;
                last.take().ok_or_else(|| "no answer came".to_string())?
            }
            At::There(worker) => worker.ask_patiently(&request, smaller).map_err(died)?,
        };
        match answered {
            Message::Refused(why) => Err(why.into()),
            answered => Ok(answered),
        }
    }
}

fn died(failure: WorkerFailure) -> String {
    format!("the process of the check ended: {failure}")
}

/// The message for an answer that does not fit its request.
pub(crate) fn unexpected(answer: &Message) -> Stop {
    Stop::Told(format!("the worker answered something else: {answer:?}"))
}

/// The rest of a time limit, at most `slice`; `None` if it is used up.
pub(crate) fn rest(
    limit: Option<Duration>,
    started: Instant,
    now: Instant,
    slice: Duration,
) -> Option<Duration> {
    match limit {
        None => Some(slice),
        Some(limit) => {
            let spent = now - started;
            if spent > limit { None } else { Some(slice.min(limit - spent)) }
        }
    }
}
