//! `wavetank replay`.

use crate::args::Replay;
use crate::exit_code::{DIVERGED, FOUND};
use crate::guest_files::{GuestArgs, REPLACED, base_name};
use crate::job::{Job, OWN};
use crate::subject::Own;
use crate::terminal::{self, Stop};
use crate::{Catalogue, engine, failure_report, replay_extras};
use std::process::ExitCode;
use wavetank_choice::profile::ProfileError;
use wavetank_choice::token::Recipe;
use wavetank_sim::Token;
use wavetank_sim::calls::calls;
use wavetank_sim::explain::EXPLAIN_RUNS;

pub(crate) fn replay(args: &Replay, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let token = given(&args.token)?;
    let has_replaced = base_name(&token.scenario) != token.scenario;
    let mut own = args.own.clone();
    let mut guests = GuestArgs { guests: args.guests.clone() };
    if has_replaced && own.guests.is_empty() {
        // The guests of that run, and none to compare it with.
        own.guests = std::mem::take(&mut guests);
    }
    let job = job(&own, &token, catalogue)?;
    replay_job(args, &token, job, &guests, catalogue)
}

/// Replays the run of a token with a job that has its choices. `guests` are those to compare it with.
pub(crate) fn replay_job(
    args: &Replay,
    token: &Token,
    job: Job,
    guests: &GuestArgs,
    catalogue: &Catalogue,
) -> Result<ExitCode, Stop> {
    refuse_beside_guests(args, guests)?;
    if let Some(step) = args.until {
        return replay_extras::until(&job, token.seed, step);
    }
    if !guests.is_empty() {
        return replay_extras::mended(job, token.seed, guests, catalogue);
    }
    let job = if args.canary { job.with_canary() } else { job };
    let run = job.run(token.seed);
    if args.calls {
        terminal::print(format_args!("{}\n", calls(&run)))?;
    }
    if args.frames || !(args.calls || args.steps) {
        terminal::print(failure_report::frames(&run))?;
    }
    if args.steps {
        terminal::print(format_args!("{}\n", run.transcript.steps_text(&run.schema)))?;
    }
    terminal::print(failure_report::output_of_own(&job, &run))?;
    terminal::print_text(&failure_report::coloured(&run, failure_report::headline(&job, &run)))?;
    let is_same =
        matches!(&token.recipe, Recipe::Given { digest, .. } if run.transcript.digest().starts_with(digest));
    terminal::print(failure_report::explained(&job, &run, if is_same { EXPLAIN_RUNS } else { 0 }))?;
    terminal::print(failure_report::not_judged(&run))?;
    terminal::print(failure_report::compared(&run))?;
    terminal::print(failure_report::known_as(&run))?;
    let found = if run.outcome.is_news() { ExitCode::from(FOUND) } else { ExitCode::SUCCESS };
    let (says, code) = match (&token.recipe, &run.left_track) {
        (Recipe::Drawn { .. }, _) => ("drawn again: this token holds no transcript to compare with", found),
        (Recipe::Given { .. }, _) if is_same => {
            ("reproduced: the transcript is the same, step for step", found)
        }
        (Recipe::Given { .. }, Some(left)) => (&*format!("diverged: {left}"), ExitCode::from(DIVERGED)),
        (Recipe::Given { .. }, None) => {
            ("diverged: the choices mean the same, but the transcript is another", ExitCode::from(DIVERGED))
        }
    };
    terminal::print(format_args!("{says}\n"))?;
    Ok(code)
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
