//! What is asked about single runs: a report, a replay, a smaller run, a search through all schedules.

use super::keeper::{keep_one, says_where};
use super::protocol::{Explored, Replayable, Shown};
use super::replaced::{self, GuestFile};
use super::report::{self, Text};
use super::subject::Subject;
use super::words::counted;
use crate::calls::calls;
use crate::compare_fix::{FixVerdict, compare_fix};
use crate::explain::{EXPLAIN_RUNS, sentence};
use crate::record::Record;
use crate::run::{Choices, Run};
use crate::saved::{self, Retry, RetryVerdict, SavedFailure, SavedFailureError};
use crate::signature::{ShrunkRun, shrink_while, signature};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};
use wavetank::escape_control;
use wavetank_choice::seed::Seed;
use wavetank_choice::strategy::Frontier;
use wavetank_choice::token::{Recipe, Token};

/// The report of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The output of the cells, if it is shown.
    pub output: String,
    /// The report. Its last line replays the run.
    pub report: Text,
    /// The line that says where the failure is saved; empty if it is not.
    pub kept: String,
    /// The record of the run that is explained.
    pub record: Record,
    /// Whether the run failed, and not with a known fault.
    pub is_news: bool,
}

/// How a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Without a failure that is news.
    Fine,
    /// With a failure.
    Found,
    /// It was another run.
    Diverged,
}

/// Reports one run, and saves it in a folder if it failed.
pub fn tell(subject: &impl Subject, run: &Run, shrinks: bool, failures: Option<&Path>) -> Told {
    let shrunk = if shrinks { report::shrunk(subject, run) } else { None };
    let kept = keep_one(failures, subject.setting(run.seed), run, shrunk.as_ref());
    // The output of the run that is explained.
    let explained = shrunk.as_ref().map_or(run, |shrunk| &shrunk.run);
    Told {
        output: report::output_of_own(subject, explained),
        report: report::report(subject, run, shrunk.as_ref()),
        kept,
        record: Record::new(subject.name(), explained),
        is_news: run.outcome.is_news(),
    }
}

/// A run to replay, with the choices that the subject now has.
struct Found {
    token: Token,
    choices: Choices,
    /// The saved failure that it comes from, and its retry.
    saved: Option<(SavedFailure, Retry)>,
}

fn found(subject: &mut impl Subject, of: &Replayable) -> Result<Found, String> {
    let (token, saved) = match of {
        Replayable::Token(text) => (text.parse().map_err(|e| format!("{e}"))?, None),
        Replayable::Saved { file, named } => retried(subject, read_saved(file, named)?, named)?,
        Replayable::Packed { failure, named } => {
            let kept = failure.parse().map_err(|e| format!("{named}: {e}"))?;
            retried(subject, kept, named)?
        }
    };
    let choices = Choices::try_from(token.recipe.clone()).map_err(|e| e.to_string())?;
    subject.harness_mut().base_mut().choices = choices.clone();
    Ok(Found { token, choices, saved })
}

fn retried(
    subject: &impl Subject,
    kept: SavedFailure,
    named: &str,
) -> Result<(Token, Option<(SavedFailure, Retry)>), String> {
    let again = subject.retry(&kept).map_err(|e| format!("{named}: {e}"))?;
    Ok((again.token.clone(), Some((kept, again))))
}

/// Reads the file of a saved failure.
///
/// # Errors
/// A message for the user that has the file as the user named it.
pub fn read_saved(file: &Path, named: &str) -> Result<SavedFailure, String> {
    saved::read(file).map_err(|e| match e {
        SavedFailureError::Unreadable(reason) => {
            format!("{named}: {reason}: name the file of a saved failure, as wavetank-failures/NAME.toml")
        }
        e => format!("{named}: {e}"),
    })
}

/// Replays a run.
///
/// # Errors
/// A message for the user if there is no such run.
pub fn replay(subject: &mut impl Subject, of: &Replayable, shown: Shown) -> Result<(Text, Ending), String> {
    let Found { token, saved, .. } = found(subject, of)?;
    let mut text = Text::default();
    let Some((kept, again)) = saved else {
        let ending = replayed(subject, &token, shown, &mut text);
        return Ok((text, ending));
    };
    let named = of.named();
    let outcome = escape_control(&kept.outcome);
    text += &format!("{named}: kept of {}, seed {}: {outcome}\n", subject.title(), kept.seed);
    for changed in &again.changed {
        text += &format!("  {changed}\n");
    }
    let canary = shown.canary || kept.setting.canary;
    replayed(subject, &token, Shown { canary, ..shown }, &mut text);
    text += &format!("{again}\n");
    let left_for_nothing = again.left_track.is_some() && again.changed.is_empty();
    let ending = match again.verdict {
        RetryVerdict::StillFails => Ending::Found,
        RetryVerdict::FailsOtherwise => Ending::Diverged,
        RetryVerdict::Fixed if left_for_nothing => Ending::Diverged,
        RetryVerdict::Fixed | RetryVerdict::Known(_) => Ending::Fine,
    };
    Ok((text, ending))
}

fn replayed(subject: &impl Subject, token: &Token, shown: Shown, text: &mut Text) -> Ending {
    let compares = shown.canary || subject.harness().is_comparing();
    let run = subject.run_with(token.seed, subject.harness().choices().clone(), compares);
    if shown.calls {
        *text += &format!("{}\n", calls(&run));
    }
    if shown.frames || !(shown.calls || shown.steps) {
        *text += &report::frames(&run);
    }
    if shown.steps {
        *text += &format!("{}\n", run.transcript.steps_text(&run.schema));
    }
    *text += &report::output_of_own(subject, &run);
    text.0.extend(report::coloured(&run, report::headline(subject, &run)).0);
    let is_same =
        matches!(&token.recipe, Recipe::Given { digest, .. } if run.transcript.digest().starts_with(digest));
    *text += &report::explained(subject, &run, if is_same { EXPLAIN_RUNS } else { 0 });
    *text += &report::not_judged(&run);
    *text += &report::compared(&run);
    *text += &report::known_as(subject, &run);
    let found = if run.outcome.is_news() { Ending::Found } else { Ending::Fine };
    let (says, ending) = match (&token.recipe, &run.left_track) {
        (Recipe::Drawn { .. }, _) => ("drawn again: this token holds no transcript to compare with", found),
        (Recipe::Given { .. }, _) if is_same => {
            ("reproduced: the transcript is the same, step for step", found)
        }
        (Recipe::Given { .. }, Some(left)) => (&*format!("diverged: {left}"), Ending::Diverged),
        (Recipe::Given { .. }, None) => {
            ("diverged: the choices mean the same, but the transcript is another", Ending::Diverged)
        }
    };
    *text += &format!("{says}\n");
    ending
}

/// Replays until a step, and shows the state of the world there.
///
/// # Errors
/// A message for the user if there is no such run or step.
pub fn until(subject: &mut impl Subject, of: &Replayable, step: u64) -> Result<String, String> {
    let Found { token, .. } = found(subject, of)?;
    let run = subject.harness().run_until(token.seed, step);
    match &run.view {
        Some(view) => Ok(view.to_string()),
        None => {
            let steps = run.transcript.steps.len();
            let end = if run.broke_off.is_some() { "it panicked in the next" } else { "it came to its end" };
            Err(format!("this run has no step {step}: after {steps} steps {end}"))
        }
    }
}

/// Replays with other components in place of guests, and shows the differences.
///
/// # Errors
/// A message for the user if there is no such run or guest, or if a file holds no component.
pub fn fixed(
    subject: &mut impl Subject,
    of: &Replayable,
    guests: &[GuestFile],
) -> Result<(Text, Ending), String> {
    let Found { token, .. } = found(subject, of)?;
    let new = replaced::load(guests)?;
    let before = subject.run(token.seed);
    let title = subject.title().to_string();
    replaced::replace_in(subject, &new, &before)?;
    let after = subject.run(token.seed);
    let compared = compare_fix(&before, &after);
    let with: Vec<String> =
        new.iter().map(|guest| format!("{} for {}", guest.named.display(), guest.name)).collect();
    let mut text = Text::default();
    text += &format!(
        "{title} with {} (seed {})\n  before: {}\n  now: {}\n{compared}",
        with.join(" and "),
        token.seed,
        sentence(&before.outcome),
        sentence(&after.outcome)
    );
    let ending = match compared.verdict {
        FixVerdict::Fixed | FixVerdict::Finished => Ending::Fine,
        FixVerdict::StillFails | FixVerdict::FailsOtherwise(_) => Ending::Found,
        FixVerdict::Diverged { .. } => Ending::Diverged,
    };
    Ok((text, ending))
}

/// The bounds of a search for a smaller run.
pub struct Bounds<'a> {
    /// The most runs.
    pub runs: u64,
    /// The most time.
    pub time: Duration,
    /// The folder in which the smaller run is saved.
    pub failures: Option<&'a Path>,
}

/// A failing run that was made smaller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minimised {
    /// The changes since the failure was saved, one sentence each.
    pub changed: Vec<String>,
    /// The report.
    pub report: Text,
    /// Whether the failure is news.
    pub is_news: bool,
}

/// Makes a failing run as small as possible. `ran` is told the number of choices of the smallest so far, after each
/// run.
///
/// # Errors
/// A message for the user if there is no such run, or if it does not fail.
pub fn minimise(
    subject: &mut impl Subject,
    of: &Replayable,
    bounds: &Bounds<'_>,
    ran: &dyn Fn(usize),
) -> Result<Minimised, String> {
    let Found { token, choices, saved } = found(subject, of)?;
    let mut text = Text::default();
    let mut changed = Vec::new();
    let (run, kept) = match saved {
        Some((kept, again)) => {
            let named = of.named();
            changed = again.changed.iter().map(|changed| format!("{named}: {changed}")).collect();
            let is_as_kept = again.verdict == RetryVerdict::StillFails && again.changed.is_empty();
            (again.run, is_as_kept.then_some(kept))
        }
        None => (subject.replay(token.seed, choices), None),
    };
    let headline = report::headline(subject, &run);
    let wanted =
        signature(&run.outcome).ok_or_else(|| format!("{headline} finishes: there is nothing to shrink"))?;
    let started = now();
    let is_over_time = Cell::new(false);
    let smallest = Cell::new(run.choices.len());
    let most = usize::try_from(bounds.runs).unwrap_or(usize::MAX);
    let smaller = shrink_while(&run, most, |choices| {
        is_over_time.set(is_over_time.get() || now() - started > bounds.time);
        if is_over_time.get() {
            return None;
        }
        let run = subject.replay(run.seed, choices);
        if signature(&run.outcome).as_ref() == Some(&wanted) {
            smallest.set(smallest.get().min(run.choices.len()));
        }
        ran(smallest.get());
        Some(run)
    });
    let took = now() - started;
    let Some(smaller) = smaller else {
        let why = if is_over_time.get() {
            "its time is used up before the first run: --time gives it more"
        } else {
            "the same choices do not make it fail again: --canary with `replay` says what differs"
        };
        return Err(format!("{headline}: {why}"));
    };
    let ShrunkRun { run: shrunk, shrunk: how } = &smaller;
    let from = kept.as_ref().map_or(how.from, |kept| kept.original.choices.max(how.from));
    let is_news = shrunk.outcome.is_news();
    text += &report::output_of_own(subject, shrunk);
    text.0.extend(report::report(subject, shrunk, None).0);
    let end = match (how.fixed_point, is_over_time.get()) {
        (_, true) => "its time is used up: --time gives it more",
        (true, false) => "nothing simpler is left to try",
        (false, false) => "its runs are used up: --runs gives it more",
    };
    let (to, runs) = (how.choices.len(), counted(how.runs as u64, "run"));
    text += &format!("  shrunk from {from} choices to {to} in {runs}, {took:.1?}; {end}\n");
    let kept = kept.or_else(|| SavedFailure::new(subject.setting(run.seed), &run));
    if let Some((folder, kept)) = bounds.failures.zip(kept) {
        text += &says_where(folder, saved::write(folder, &kept.with_shrunk(&smaller)));
    }
    Ok(Minimised { changed, report: text, is_news })
}

/// A part of an exhaustive search.
pub struct Part<'a> {
    /// The seed of hash keys and of guests' random bytes.
    pub seed: Seed,
    /// Stop after so many schedules in total.
    pub most_runs: u64,
    /// Stop for now after this time.
    pub time: Duration,
    /// Whether to make a failure smaller.
    pub shrinks: bool,
    /// The folder in which a failure is saved.
    pub failures: Option<&'a Path>,
}

/// Goes on with an exhaustive search, until a schedule fails or something of `part` is used up.
pub fn explore(subject: &impl Subject, frontier: &mut Frontier, part: &Part<'_>) -> Explored {
    let started = now();
    let mut is_over = false;
    let mut found = None;
    loop {
        if frontier.schedules() >= part.most_runs {
            is_over = true;
            break;
        }
        let Some(run) = subject.harness().run_next(frontier, part.seed) else {
            is_over = true;
            break;
        };
        if !run.outcome.is_finished() {
            found = Some(tell(subject, &run, part.shrinks, part.failures));
            is_over = true;
            break;
        }
        if now() - started >= part.time {
            break;
        }
    }
    Explored { says: frontier.explored().says(subject.title()), is_over, found }
}

/// The time on the wall clock. No world sees it.
#[expect(
    clippy::disallowed_methods,
    reason = "outside of all worlds: how long a search may take, for its user"
)]
fn now() -> Instant {
    // Bounds a search for its user.
    Instant::now()
}
