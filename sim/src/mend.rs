//! Compares a fix: runs the same choices with another component, and says how the failure and the run changed.

use crate::calls::{PEER_SCHEMA, calls};
use crate::run::Run;
use crate::same::failure;
use crate::transcript::Transcript;
use similar::{ChangeTag, TextDiff};
use std::fmt;

/// The result of a run in which a guest was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It failed before, and finishes now.
    Mended,
    /// It finished before and finishes now.
    Finished,
    /// It fails as before.
    StillFails,
    /// It fails in another way, or did not fail before; the new failure in one sentence.
    FailsOtherwise(String),
    /// It finishes, but a choice now has another meaning, so this is another schedule.
    Diverged {
        /// The step of that choice.
        step: u64,
        /// A sentence that says which choice.
        why: String,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Mended => f.write_str("mended: finished"),
            Verdict::Finished => f.write_str("finished, as before"),
            Verdict::StillFails => f.write_str("still fails in the same way"),
            Verdict::FailsOtherwise(how) => write!(f, "fails otherwise: {how}"),
            Verdict::Diverged { step, why } => write!(
                f,
                "diverged at step {step}: {why}; it finished, but under another schedule: run it under many seeds"
            ),
        }
    }
}

/// Two runs of the same choices, compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The verdict.
    pub verdict: Verdict,
    /// The first step that differs, from 1; `None` if the transcripts are the same.
    pub changed_at: Option<u64>,
    /// The differences between the calls or, if these are the same, between the frames: the first few lines, after `-`
    /// and `+`.
    pub changes: Vec<String>,
}

/// Maximum number of lines of changes.
const SHOWN_CHANGES: usize = 20;

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.verdict)?;
        match self.changed_at {
            None => writeln!(f, "  the transcript is the same, step for step"),
            Some(0) => writeln!(f, "  the transcript is another before the first step"),
            Some(step) => writeln!(f, "  the transcript is another from step {step} on"),
        }?;
        self.changes.iter().take(SHOWN_CHANGES).try_for_each(|line| writeln!(f, "  {line}"))?;
        match self.changes.len().saturating_sub(SHOWN_CHANGES) {
            0 => Ok(()),
            more => writeln!(f, "  … {more} more"),
        }
    }
}

/// Compares a run with a run of the same choices in which a guest was replaced.
pub fn compare(before: &Run, after: &Run) -> Comparison {
    let changed_at = first_change(&before.transcript, &after.transcript);
    let failure = |run: &Run| failure(&run.outcome).map(|failure| failure.across_builds());
    let verdict = match (failure(before), failure(after), &after.left_track) {
        (_, None, Some(why)) => {
            Verdict::Diverged { step: left_at(before, after).or(changed_at).unwrap_or(0), why: why.clone() }
        }
        (None, None, None) => Verdict::Finished,
        (Some(_), None, None) => Verdict::Mended,
        (was, is, _) if was == is => Verdict::StillFails,
        _ => Verdict::FailsOtherwise(after.outcome.to_string()),
    };
    let mut changes = differing(&calls(before, &PEER_SCHEMA), &calls(after, &PEER_SCHEMA));
    if changes.is_empty() {
        changes = differing(&frames(before), &frames(after));
    }
    Comparison { verdict, changed_at, changes }
}

/// The step of the first choice that differs.
fn left_at(before: &Run, after: &Run) -> Option<u64> {
    let at = before.choices.iter().zip(&after.choices).position(|(was, is)| was != is)?;
    after.occasions.get(at).map(|occasion| occasion.step)
}

/// The first step that differs; 0 stands for the events before the first step.
fn first_change(one: &Transcript, other: &Transcript) -> Option<u64> {
    if one == other {
        return None;
    }
    let set_up = |of: &Transcript| of.steps.first().map_or(of.events.len(), |step| step.caused.start);
    let steps = one.steps.len().max(other.steps.len());
    let step = |of: &Transcript, at: usize| {
        of.steps.get(at).map(|step| (step.moved, of.events[step.caused.clone()].to_vec()))
    };
    if one.events[..set_up(one)] != other.events[..set_up(other)] {
        return Some(0);
    }
    (0..steps).find(|&at| step(one, at) != step(other, at)).map(|at| at as u64 + 1).or(Some(steps as u64))
}

fn frames(run: &Run) -> String {
    let mut text = String::new();
    for link in &*run.frames(&PEER_SCHEMA) {
        text += &format!("link of {}\n", link.cell);
        link.frames.iter().for_each(|frame| text += &format!("  {frame}\n"));
    }
    text
}

fn differing(before: &str, after: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(before, after);
    let changes = diff.iter_all_changes().filter_map(|change| {
        let sign = match change.tag() {
            ChangeTag::Equal => return None,
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        Some(format!("{sign} {}", change.value().trim_end()))
    });
    changes.collect()
}
