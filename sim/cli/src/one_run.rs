//! The report of a single run.

use crate::annotate;
use crate::args;
use crate::failure_report;
use crate::job::Job;
use crate::saved_failures;
use crate::subject::Keep;
use crate::terminal::{self, Stop};
use wavetank_sim::Run;
use wavetank_sim::record::Record;

/// What a user asked about a single run.
pub(crate) struct OneRun<'a> {
    pub(crate) keep: &'a Keep,
    pub(crate) no_shrink: bool,
    pub(crate) github: bool,
}

impl<'a> OneRun<'a> {
    pub(crate) fn of(args: &'a args::Run) -> Self {
        OneRun { keep: &args.what.subject.keep, no_shrink: args.no_shrink, github: args.github }
    }
}

/// Prints the report of one run, with `below` beneath it, and saves the run if it failed.
pub(crate) fn tell(job: &Job, asked: &OneRun<'_>, run: &Run, below: &str) -> Result<(), Stop> {
    let shrunk = if asked.no_shrink { None } else { failure_report::shrunk(job, run) };
    let kept = saved_failures::keep_one(asked.keep, job, run, shrunk.as_ref());
    // The output of the run that is explained.
    terminal::print(failure_report::output_of_own(job, shrunk.as_ref().map_or(run, |shrunk| &shrunk.run)))?;
    terminal::print_text(&failure_report::report(job, run, shrunk.as_ref()))?;
    terminal::print(below)?;
    terminal::print(kept)?;
    let record = Record::new(&job.name, shrunk.as_ref().map_or(run, |shrunk| &shrunk.run));
    let records = [&record].into_iter();
    terminal::print(annotate::annotations(
        asked.github,
        &job.title,
        &job.replay_args,
        job.at.as_ref(),
        records,
    ))
}
