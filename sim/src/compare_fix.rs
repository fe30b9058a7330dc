//! Compares a fix: runs the same choices with another component, and says how the failure and the run changed.

use crate::calls::calls;
use crate::run::Run;
use crate::signature::signature;
use crate::transcript::Transcript;
use similar::{ChangeTag, TextDiff};
use std::fmt;

/// The result of a run in which a guest was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FixVerdict {
    /// It failed before, and finishes now.
    Fixed,
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

impl fmt::Display for FixVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FixVerdict::Fixed => f.write_str("mended: finished"),
            FixVerdict::Finished => f.write_str("finished, as before"),
            FixVerdict::StillFails => f.write_str("still fails in the same way"),
            FixVerdict::FailsOtherwise(how) => write!(f, "fails otherwise: {how}"),
            FixVerdict::Diverged { step, why } => write!(
                f,
                "diverged at step {step}: {why}; it finished, but under another schedule: run it under many seeds"
            ),
        }
    }
}

/// Two runs of the same choices, compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixComparison {
    /// The verdict.
    pub verdict: FixVerdict,
    /// The first step that differs, from 1; `None` if the transcripts are the same.
    pub changed_at: Option<u64>,
    /// The differences between the calls or, if these are the same, between the frames: the first few lines, after `-`
    /// and `+`.
    pub changes: Vec<String>,
}

/// Maximum number of lines of changes.
const SHOWN_CHANGES: usize = 20;

impl fmt::Display for FixComparison {
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
pub fn compare_fix(before: &Run, after: &Run) -> FixComparison {
    let changed_at = first_change(&before.transcript, &after.transcript);
    let signature_of = |run: &Run| signature(&run.outcome).map(|failure| failure.across_builds());
    let verdict = match (signature_of(before), signature_of(after), &after.left_track) {
        (_, None, Some(why)) => FixVerdict::Diverged {
            step: left_at(before, after).or(changed_at).unwrap_or(0),
            why: why.clone(),
        },
        (None, None, None) => FixVerdict::Finished,
        (Some(_), None, None) => FixVerdict::Fixed,
        (was, is, _) if was == is => FixVerdict::StillFails,
        _ => FixVerdict::FailsOtherwise(after.outcome.to_string()),
    };
    let mut changes = differing(&calls(before), &calls(after));
    if changes.is_empty() {
        changes = differing(&frames(before), &frames(after));
    }
    FixComparison { verdict, changed_at, changes }
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
    for link in &*run.frames() {
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
