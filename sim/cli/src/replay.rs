//! `wavetank replay`.

use crate::args::{Own, Replay};
use crate::exit_code::{DIVERGED, FOUND};
use crate::job::{Job, OWN};
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
    let job = job(&args.own, &token, catalogue)?;
    if let Some(step) = args.until {
        return replay_extras::until(&job, token.seed, step);
    }
    if let Some(wanted) = &args.guest {
        return replay_extras::mended(job, token.seed, wanted, catalogue);
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

pub(crate) fn job(own: &Own, token: &Token, catalogue: &Catalogue) -> Result<Job, String> {
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
