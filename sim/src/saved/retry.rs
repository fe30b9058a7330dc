//! The retry of a saved failure.
//!
//! A failure is retried in up to three ways before it counts as fixed: with its shrunk choices, with the choices as
//! found, and with choices drawn anew from its seed. If the guest has changed, its old choices may mean nothing any
//! more, but the seed still does.

use super::{SavedFailure, Setting, guests_of};
use crate::explain::sentence;
use crate::run::{Choices, Run};
use crate::signature::signature;
use std::fmt;
use wavetank_choice::profile::ProfileError;
use wavetank_choice::token::{Recipe, Token};

/// The result of retrying a saved failure.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Whether it still fails.
    pub verdict: RetryVerdict,
    /// The changes since it was saved, one sentence each: guests, the engine, its configuration.
    pub changed: Vec<String>,
    /// The token of the decisive run.
    pub token: Token,
    /// The place at which its choices no longer mean the same.
    pub left_track: Option<String>,
    /// The decisive run.
    pub run: Run,
}

/// Whether a saved failure still fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryVerdict {
    /// It fails in the same way as when it was saved.
    StillFails,
    /// It fails in another way, which is not a known fault.
    FailsOtherwise,
    /// It shows the known fault with this name.
    Known(&'static str),
    /// It does not fail any more, neither with its choices nor with its seed.
    Fixed,
}

impl RetryVerdict {
    /// Whether it fails, and not with a known fault.
    pub fn fails(self) -> bool {
        matches!(self, RetryVerdict::StillFails | RetryVerdict::FailsOtherwise)
    }
}

/// Retries a saved failure with its shrunk choices. If these do not make it fail, it takes the choices as found; if
/// these do not either, it draws choices anew from the seed. The first run that fails as before is decisive, otherwise
/// the first that fails in another way, otherwise the first.
///
/// `setting` is the present setting. `replay` runs the saved seed with the choices it is given; it must also compare
/// runs if the failure was found by comparing.
///
/// # Errors
/// [`ProfileError`] if only the profile's file could give the choices, and that file no longer exists.
pub fn retry(
    kept: &SavedFailure,
    setting: &Setting,
    replay: impl Fn(Choices) -> Run,
) -> Result<Retry, ProfileError> {
    let mut decided: Option<Retry> = None;
    for token in kept.tokens() {
        let choices = Choices::try_from(token.recipe.clone())?;
        let run = replay(choices);
        let fails = signature(&run.outcome).map(|failure| failure.across_builds().to_string());
        let verdict = match (&fails, run.outcome.known()) {
            (Some(fails), _) if *fails == kept.failure => RetryVerdict::StillFails,
            (Some(_), Some(known)) => RetryVerdict::Known(known.id),
            (Some(_), None) => RetryVerdict::FailsOtherwise,
            (None, _) => RetryVerdict::Fixed,
        };
        let changed = changed(kept, setting, &run);
        let left_track = left_track(&token, &run);
        let tried = Retry { verdict, changed, token, left_track, run };
        let decides = match &decided {
            None => true,
            Some(before) => verdict == RetryVerdict::StillFails || verdict.fails() && !before.verdict.fails(),
        };
        if decides {
            // The divergence is that of the first run.
            let left = decided.as_ref().and_then(|before| before.left_track.clone());
            decided = Some(Retry { left_track: left.or_else(|| tried.left_track.clone()), ..tried });
        }
        if verdict == RetryVerdict::StillFails {
            break;
        }
    }
    Ok(decided.expect("a kept failure has a token"))
}

/// The place at which the choices mean something else. A different transcript alone proves nothing, because a fixed run
/// always has one.
fn left_track(token: &Token, run: &Run) -> Option<String> {
    match &token.recipe {
        Recipe::Drawn { .. } => None,
        Recipe::Given { .. } => run.left_track.clone(),
    }
}

/// The differences from the time when the failure was saved.
fn changed(kept: &SavedFailure, now: &Setting, run: &Run) -> Vec<String> {
    let guests = guests_of(run);
    let other = |(name, digest): &(&String, &String)| guests.get(*name).is_some_and(|now| now != *digest);
    let mut changed: Vec<String> = kept
        .guests
        .iter()
        .filter(other)
        .map(|(name, _)| format!("its guest {name} changed since: tried all the same"))
        .collect();
    if let (Some(then), Some(now)) = (kept.setting.source.stdin(), now.source.stdin())
        && then.digest != now.digest
    {
        changed.push(format!("its stdin {} changed since: tried all the same", then.path));
    }
    for (what, then, now) in
        [("engine", &kept.setting.engine, &now.engine), ("config", &kept.setting.config, &now.config)]
    {
        if then != now {
            changed.push(format!("its {what} was {then}, and is {now} now: tried all the same"));
        }
    }
    changed
}

impl fmt::Display for Retry {
    /// One sentence; the changes are reported separately.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.verdict, &self.left_track) {
            (RetryVerdict::StillFails, _) => write!(f, "still fails: {}", sentence(&self.run.outcome)),
            (RetryVerdict::FailsOtherwise, _) => {
                write!(f, "fails in another way now: {}", sentence(&self.run.outcome))
            }
            (RetryVerdict::Known(id), _) => {
                write!(f, "shows {id} now, a known fault: {}", sentence(&self.run.outcome))
            }
            (RetryVerdict::Fixed, None) => f.write_str("mended"),
            (RetryVerdict::Fixed, Some(left)) => write!(f, "mended, or not met any more: {left}"),
        }
    }
}
