//! `wavetank replay`.

use crate::args::{Own, Replay};
use crate::job::{Job, OWN};
use crate::kept;
use crate::{DIVERGED, FOUND, engine};
use crate::{account, again};
use std::process::ExitCode;
use wavetank_sim::Token;
use wavetank_sim::calls::{PEER_SCHEMA, calls};
use wavetank_sim::explain::EXPLAIN_RUNS;
use wavetank_sim::known::is_news;
use wavetank_sim::profile::ProfileError;
use wavetank_sim::token::Recipe;

pub(crate) fn replay(args: &Replay) -> Result<ExitCode, String> {
    if kept::is_file(&args.token) {
        return kept::replay(args);
    }
    let token = given(&args.token)?;
    let job = job(&args.own, &token)?;
    if let Some(step) = args.until {
        return again::until(&job, token.seed, step);
    }
    if let Some(wanted) = &args.guest {
        return again::mended(job, token.seed, wanted);
    }
    let job = if args.canary { job.with_canary() } else { job };
    let run = job.run(token.seed);
    if args.calls {
        println!("{}", calls(&run, &PEER_SCHEMA));
    }
    if args.frames || !(args.calls || args.steps) {
        print!("{}", account::frames(&run));
    }
    if args.steps {
        println!("{}", run.transcript.steps_text(&PEER_SCHEMA));
    }
    print!("{}", account::output_of_own(&job, &run));
    println!("{}", account::headline(&job, &run));
    let is_same =
        matches!(&token.recipe, Recipe::Given { digest, .. } if run.transcript.digest().starts_with(digest));
    print!("{}", job.explain(&run, if is_same { EXPLAIN_RUNS } else { 0 }));
    print!("{}", account::compared(&run));
    print!("{}", account::known_as(&run));
    let found = if is_news(&run.outcome) { ExitCode::from(FOUND) } else { ExitCode::SUCCESS };
    match &token.recipe {
        Recipe::Drawn { .. } => println!("drawn again: this token holds no transcript to compare with"),
        Recipe::Given { .. } if is_same => {
            println!("reproduced: the transcript is the same, step for step");
        }
        Recipe::Given { .. } => {
            match &run.left_track {
                Some(left) => println!("diverged: {left}"),
                None => println!("diverged: the choices mean the same, but the transcript is another"),
            }
            return Ok(ExitCode::from(DIVERGED));
        }
    }
    Ok(found)
}

/// The seed and the choices that are to be replayed, and of what.
fn given(text: &str) -> Result<Token, String> {
    text.parse().map_err(|e| format!("{e}"))
}

pub(crate) fn job(own: &Own, token: &Token) -> Result<Job, String> {
    let choices = token.recipe.clone().try_into().map_err(|e: ProfileError| e.to_string())?;
    match (&own.wasm, token.scenario.starts_with(OWN)) {
        (None, false) => Job::built_in(&token.scenario, choices, engine()?),
        (None, true) => {
            Err("this token is of a component of your own: name its file with --wasm FILE, and its arguments after --".into())
        }
        (Some(path), true) => {
            let job = Job::own(path, &own.args, own.transport, choices, engine()?)?;
            if job.name != token.scenario {
                eprintln!("wavetank: {} is another component than the token's: trying it all the same", path.display());
            }
            Ok(job)
        }
        (Some(_), false) => Err(format!("this token is of the scenario {}: leave out --wasm", token.scenario)),
    }
}
