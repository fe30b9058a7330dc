//! `wavetank worker`: serves the requests that arrive on stdin, and answers each on stdout.

use crate::args::What;
use crate::job::Job;
use crate::terminal::Stop;
use crate::{Catalogue, engine};
use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::Arc;
use wavetank_sim::worker::protocol::Message;
use wavetank_sim::worker::{Line, Work};

pub(crate) fn work(what: &What, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let line = Arc::new(Line::new(std::io::stdout()));
    let says = line.clone();
    let job = Job::new(what, catalogue, engine()?)?.saying_compiling(move |_| {
        let _ = says.say(Message::Compiling);
    });
    let mut work = Work::new(job, what.subject.keep.folder(), what.profile.clone().unwrap_or_default());
    work.serve(&line, &mut std::io::stdin().lock()).map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => Stop::Unread,
        _ => Stop::Told(e.to_string()),
    })?;
    Ok(ExitCode::SUCCESS)
}
