//! A kept failure tried again.

use super::{Kept, Setting, guests_of};
use crate::explain::sentence;
use crate::known::known;
use crate::profile::ProfileError;
use crate::run::{Choices, Run};
use crate::same::failure;
use crate::token::{Recipe, Token};
use std::fmt;

/// What came of trying a kept failure again.
#[derive(Clone, Debug)]
pub struct Again {
    /// Whether it still fails.
    pub verdict: Verdict,
    /// What changed since it was kept, a sentence each: guests, the engine, its configuration.
    pub changed: Vec<String>,
    /// The token of the run that decided.
    pub token: Token,
    /// Where its choices mean something else than they did.
    pub left_track: Option<String>,
    /// The run that decided.
    pub run: Run,
}

/// Whether a kept failure still fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// In the way it was kept for.
    StillFails,
    /// In another way, which is not known.
    FailsOtherwise,
    /// As a known fault: its name.
    Known(&'static str),
    /// Not any more: neither its choices nor its seed make it fail.
    Mended,
}

impl Verdict {
    /// Whether it is a failure that is not known.
    pub fn fails(self) -> bool {
        matches!(self, Verdict::StillFails | Verdict::FailsOtherwise)
    }
}

/// Tries a kept failure on its shrunk choices; where these do not make it fail, on those it was found with; and where
/// these do not either, with choices drawn anew from its seed. The first run that fails as it did decides, else one
/// that fails otherwise, else the first.
///
/// `setting` is how things are now. `replay` runs the kept seed with the choices it is given, and compares where the
/// failure was found by comparing.
///
/// # Errors
/// [`ProfileError`] where only the profile's file could tell the choices, and it is not there any more.
pub fn again(kept: &Kept, setting: &Setting, replay: impl Fn(Choices) -> Run) -> Result<Again, ProfileError> {
    let mut decided: Option<Again> = None;
    for token in kept.tokens() {
        let choices = Choices::try_from(token.recipe.clone())?;
        let run = replay(choices);
        let fails = failure(&run.outcome).map(|failure| failure.across_builds().to_string());
        let verdict = match (&fails, known(&run.outcome)) {
            (Some(fails), _) if *fails == kept.failure => Verdict::StillFails,
            (Some(_), Some(known)) => Verdict::Known(known.id),
            (Some(_), None) => Verdict::FailsOtherwise,
            (None, _) => Verdict::Mended,
        };
        let changed = changed(kept, setting, &run);
        let left_track = left_track(&token, &run);
        let tried = Again { verdict, changed, token, left_track, run };
        let decides = match &decided {
            None => true,
            Some(before) => verdict == Verdict::StillFails || verdict.fails() && !before.verdict.fails(),
        };
        if decides {
            // What was left is told of the first.
            let left = decided.as_ref().and_then(|before| before.left_track.clone());
            decided = Some(Again { left_track: left.or_else(|| tried.left_track.clone()), ..tried });
        }
        if verdict == Verdict::StillFails {
            break;
        }
    }
    Ok(decided.expect("a kept failure has a token"))
}

/// Where the choices mean something else. That the transcript is another says nothing: a mended run's always is.
fn left_track(token: &Token, run: &Run) -> Option<String> {
    match &token.recipe {
        Recipe::Drawn { .. } => None,
        Recipe::Given { .. } => run.left_track.clone(),
    }
}

/// What is not as it was when the failure was kept.
fn changed(kept: &Kept, now: &Setting, run: &Run) -> Vec<String> {
    let guests = guests_of(run);
    let other = |(name, digest): &(&String, &String)| guests.get(*name).is_some_and(|now| now != *digest);
    let mut changed: Vec<String> = kept
        .guests
        .iter()
        .filter(other)
        .map(|(name, _)| format!("its guest {name} changed since: tried all the same"))
        .collect();
    for (what, then, now) in
        [("engine", &kept.setting.engine, &now.engine), ("config", &kept.setting.config, &now.config)]
    {
        if then != now {
            changed.push(format!("its {what} was {then}, and is {now} now: tried all the same"));
        }
    }
    changed
}

impl fmt::Display for Again {
    /// One sentence; what changed is told apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.verdict, &self.left_track) {
            (Verdict::StillFails, _) => write!(f, "still fails: {}", sentence(&self.run.outcome)),
            (Verdict::FailsOtherwise, _) => {
                write!(f, "fails in another way now: {}", sentence(&self.run.outcome))
            }
            (Verdict::Known(id), _) => {
                write!(f, "shows {id} now, a known fault: {}", sentence(&self.run.outcome))
            }
            (Verdict::Mended, None) => f.write_str("mended"),
            (Verdict::Mended, Some(left)) => write!(f, "mended, or not met any more: {left}"),
        }
    }
}
