//! `wavetank replay`.

use crate::args::{Own, Replay};
use crate::desk::{Desk, unexpected};
use crate::exit_code::{DIVERGED, FOUND};
use crate::job::{Job, OWN};
use crate::terminal::{self, Stop};
use crate::{Catalogue, engine, saved_failures};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wavetank_choice::profile::ProfileError;
use wavetank_sim::Token;
use wavetank_sim::worker::protocol::{Message, Replayable, Request, Shown};
use wavetank_sim::worker::single::Ending;

pub(crate) fn replay(args: &Replay, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let (mut job, of) = found(&args.token, &args.own, catalogue)?;
    let request = if let Some(step) = args.until {
        Request::Until { of, step }
    } else if let Some(wanted) = &args.guest {
        let (guest, file) = wanted
            .split_once('=')
            .ok_or_else(|| format!("not NAME=FILE: {wanted:?} (as --guest child-echo=new.wasm)"))?;
        job.guests.clone_from(&catalogue.guests);
        Request::CompareFix { of, guest: guest.into(), file: for_job(&job, Path::new(file)) }
    } else {
        let Replay { calls, frames, steps, canary, .. } = *args;
        Request::Replay { of, shown: Shown { calls, frames, steps, canary } }
    };
    match Desk::of(job, None, false)?.ask(request)? {
        Message::View(view) => {
            terminal::print(view)?;
            Ok(ExitCode::SUCCESS)
        }
        Message::Replayed(text, ending) => {
            terminal::print_text(&text.into())?;
            Ok(match ending {
                Ending::Fine => ExitCode::SUCCESS,
                Ending::Found => ExitCode::from(FOUND),
                Ending::Diverged => ExitCode::from(DIVERGED),
            })
        }
        other => Err(unexpected(&other)),
    }
}

/// The job of a token or of the file of a saved failure, and the run.
pub(crate) fn found(text: &str, own: &Own, catalogue: &Catalogue) -> Result<(Job, Replayable), String> {
    if saved_failures::is_file(text) {
        let kept = saved_failures::read(text)?;
        let job = saved_failures::job_of(text, &kept, own, catalogue)?;
        let file = for_job(&job, Path::new(text));
        return Ok((job, Replayable::Saved { file, named: text.into() }));
    }
    let token: Token = text.parse().map_err(|e| format!("{e}"))?;
    Ok((job(own, &token, catalogue)?, Replayable::Token(text.into())))
}

/// A path for the process that runs a job: tests run in another folder.
fn for_job(job: &Job, path: &Path) -> PathBuf {
    let absolute = job.driven().and_then(|_| std::path::absolute(path).ok());
    absolute.unwrap_or_else(|| path.into())
}

fn job(own: &Own, token: &Token, catalogue: &Catalogue) -> Result<Job, String> {
    job_of(own, token, catalogue)?.with_out(&own.without).with_schema(&own.schema)
}

fn job_of(own: &Own, token: &Token, catalogue: &Catalogue) -> Result<Job, String> {
    let choices = token.recipe.clone().try_into().map_err(|e: ProfileError| e.to_string())?;
    match (&own.wasm, token.scenario.starts_with(OWN)) {
        (None, false) if !catalogue.has(&token.scenario) => {
            let name = &token.scenario;
            Err(format!("this token is of {name}, which `wavetank list` does not name: if that is a check, its test replays it: WAVETANK_TOKEN={token} cargo test {name}"))
        }
        (None, false) if own.says_how() => {
            Err(format!("this token is of the scenario {}: leave out --transport, --expect-rpc and arguments", token.scenario))
        }
        (None, false) => Job::named(&token.scenario, choices, catalogue, engine()?),
        (None, true) => {
            Err("this token is of a component of your own: name its file with --wasm FILE, and its arguments after --".into())
        }
        (Some(path), true) => {
            let job = Job::own(path, &own.args, &own.how, choices, engine()?)?;
            if job.name != token.scenario {
                let path = path.display();
                terminal::warn(format_args!("{path} is another component than the token's: trying it all the same"));
            }
            Ok(job)
        }
        (Some(_), false) => Err(format!("this token is of the scenario {}: leave out --wasm", token.scenario)),
    }
}
