//! `wavetank replay`.

use crate::args::Replay;
use crate::desk::{Desk, unexpected};
use crate::exit_code::{DIVERGED, FOUND};
use crate::guest_files::GuestArgs;
use crate::job::{Job, OWN};
use crate::subject::Own;
use crate::terminal::{self, Stop};
use crate::{Catalogue, engine, saved_failures};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wavetank_choice::profile::ProfileError;
use wavetank_sim::Token;
use wavetank_sim::worker::protocol::{Message, Replayable, Request, Shown};
use wavetank_sim::worker::replaced::{REPLACED, base_name};
use wavetank_sim::worker::single::Ending;

pub(crate) fn replay(args: &Replay, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let mut own = args.own.clone();
    let mut guests = GuestArgs { guests: args.guests.clone() };
    if is_replaced(&args.token) && own.guests.is_empty() {
        // The guests of that run, and none to compare it with.
        own.guests = std::mem::take(&mut guests);
    }
    let (job, of) = found(&args.token, &own, catalogue)?;
    replay_job(args, job, of, &guests, catalogue)
}

/// Whether a text is the token of a run in which guests were replaced.
fn is_replaced(text: &str) -> bool {
    let is_of = |token: Token| base_name(&token.scenario) != token.scenario;
    !saved_failures::is_file(text) && given(text).is_ok_and(is_of)
}

/// Replays a run of a job. `guests` are those to compare it with.
pub(crate) fn replay_job(
    args: &Replay,
    mut job: Job,
    of: Replayable,
    guests: &GuestArgs,
    catalogue: &Catalogue,
) -> Result<ExitCode, Stop> {
    refuse_beside_guests(args, guests)?;
    let request = if let Some(step) = args.until {
        Request::Until { of, step }
    } else if !guests.is_empty() {
        job.guests.clone_from(&catalogue.guests);
        Request::CompareFix { of, guests: guests.files(job.driven().is_some()) }
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
        let (job, _) = saved_failures::job_of(text, &kept, own, catalogue)?;
        let file = for_job(&job, Path::new(text));
        return Ok((job, Replayable::Saved { file, named: text.into() }));
    }
    let token = given(text)?;
    Ok((job(own, &token, catalogue)?, Replayable::Token(text.into())))
}

/// A path for the process that runs a job: tests run in another folder.
fn for_job(job: &Job, path: &Path) -> PathBuf {
    let absolute = job.driven().and_then(|_| std::path::absolute(path).ok());
    absolute.unwrap_or_else(|| path.into())
}

/// Parses the token: the seed, the choices and the scenario to replay.
pub(crate) fn given(text: &str) -> Result<Token, String> {
    text.parse().map_err(|e| format!("{e}"))
}

/// Refuses flags that mean nothing while a run is compared with the same choices under another guest.
fn refuse_beside_guests(args: &Replay, guests: &GuestArgs) -> Result<(), String> {
    if guests.is_empty() {
        return Ok(());
    }
    let given = [(args.until.is_some(), "--until"), (args.canary, "--canary")];
    match given.iter().find(|(given, _)| *given) {
        Some((_, flag)) => {
            Err(format!("--guest compares two runs, and {flag} is for one: leave one of them out"))
        }
        None => Ok(()),
    }
}

pub(crate) fn job(own: &Own, token: &Token, catalogue: &Catalogue) -> Result<Job, String> {
    let job = job_of(own, token, catalogue)?.with_settings(&own.settings)?;
    let job = job.with_guests(&own.guests, catalogue)?;
    if let Some(differs) = difference(&job.name, &token.scenario) {
        terminal::warn(format_args!("{differs} than the token's: trying it all the same"));
    }
    Ok(job)
}

/// The part of a job that is other than a token says, judged by their names; `None` if there is none.
fn difference(job: &str, token: &str) -> Option<&'static str> {
    let parts = |name: &str| {
        let (base, guests) = name.split_once(REPLACED).unwrap_or((name, ""));
        let of_component = base.strip_prefix(OWN).unwrap_or_default();
        let (component, inputs) = of_component.split_once('-').unwrap_or((of_component, ""));
        [component, inputs, guests].map(String::from)
    };
    let [component, inputs, guests] = parts(job);
    let [its_component, its_inputs, its_guests] = parts(token);
    if component != its_component {
        Some("this is another component")
    } else if inputs != its_inputs {
        Some("the arguments, --env, --stdin or --serve are others")
    } else if its_guests != guests && !its_guests.is_empty() {
        Some("the components of --guest are others")
    } else {
        None
    }
}

fn job_of(own: &Own, token: &Token, catalogue: &Catalogue) -> Result<Job, String> {
    let choices = token.recipe.clone().try_into().map_err(|e: ProfileError| e.to_string())?;
    let scenario = base_name(&token.scenario);
    if scenario != token.scenario && own.guests.is_empty() {
        return Err("this token is of a run in which guests were replaced: name their components with --guest NAME=FILE".into());
    }
    match (&own.wasm, scenario.starts_with(OWN)) {
        (None, false) if !catalogue.has(scenario) => {
            Err(format!("this token is of {scenario}, which `wavetank list` does not name: if that is a check, its test replays it: WAVETANK_TOKEN={token} cargo test {scenario}"))
        }
        (None, false) if own.is_given() => {
            Err(format!("this token is of the scenario {scenario}: leave out --transport, --stdin and all else that is for a component of your own, and arguments"))
        }
        (None, false) => Job::named(scenario, choices, catalogue, engine()?),
        (None, true) => {
            Err("this token is of a component of your own: name its file with --wasm FILE, and its arguments after --".into())
        }
        (Some(path), true) => Job::own(path, &own.settings.component, choices, engine()?),
        (Some(_), false) => Err(format!("this token is of the scenario {scenario}: leave out --wasm")),
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn what_differs_from_a_token_is_told() {
        for (job, token, differs) in [
            ("echo", "echo", None),
            ("wasm-01", "wasm-01", None),
            ("wasm-01", "wasm-02", Some("this is another component")),
            ("wasm-01-aa", "wasm-01-aa", None),
            ("wasm-01", "wasm-01-aa", Some("the arguments, --env, --stdin or --serve are others")),
            ("wasm-01-bb", "wasm-01-aa", Some("the arguments, --env, --stdin or --serve are others")),
            ("echo+01", "echo+01", None),
            ("echo+01", "echo+02", Some("the components of --guest are others")),
            ("wasm-01-aa+03", "wasm-01-aa+02", Some("the components of --guest are others")),
        ] {
            assert_eq!(difference(job, token), differs, "{job} for {token}");
        }
    }
}
