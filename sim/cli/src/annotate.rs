//! Annotations of GitHub Actions: one line for each distinct failure, which GitHub shows on the page of the workflow.
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use crate::job::replay_line;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Component, Path};
use wavetank_sim::guest_panic::SourceLine;
use wavetank_sim::record::Record;

/// Number of annotations that GitHub shows for one step.
const MAX_ANNOTATIONS: usize = 10;

/// Whether to print annotations: the user asked for them, or this runs in GitHub Actions.
#[expect(clippy::disallowed_methods, reason = "outside of all worlds: where the command runs")]
fn is_wanted(asked: bool) -> bool {
    asked || std::env::var("GITHUB_ACTIONS").is_ok_and(|is| is == "true")
}

/// The annotation lines of the failures, with the lowest seed of each; empty if annotations are not wanted. `title` is
/// the scenario's name for people, and `replay_args` follow the token in a replay line. A failure without a
/// place of its own is shown at `at`, the place of the check.
pub(crate) fn annotations<'a>(
    asked: bool,
    title: &str,
    replay_args: &str,
    at: Option<&SourceLine>,
    records: impl Iterator<Item = &'a Record>,
) -> String {
    let mut seen = BTreeSet::new();
    let mut text = String::new();
    if !is_wanted(asked) {
        return text;
    }
    let distinct = records
        .filter(|record| record.is_news())
        .filter(|record| seen.insert(record.failure.as_ref().unwrap_or(&record.outcome)));
    for record in distinct.take(MAX_ANNOTATIONS) {
        let title = format!("{title}: {}", record.failure.as_ref().unwrap_or(&record.outcome));
        let mut message = format!("seed {}: {}", wavetank_sim::Seed(record.seed), record.says);
        for line in &record.detail {
            let _ = write!(message, "\n{line}");
        }
        if let Some(token) = &record.token {
            let _ = write!(message, "\nreplay: {}", replay_line(token, replay_args));
        }
        let place = record.at.as_ref().filter(|place| is_here(place)).or(at);
        let place = place
            .map_or_else(String::new, |place| format!("file={},line={},", property(&place.file), place.line));
        let _ = writeln!(text, "::error {place}title={}::{}", property(&title), data(&message));
    }
    text
}

/// Whether a place is in a file below the current folder, because annotations name files relative to it.
fn is_here(place: &SourceLine) -> bool {
    let path = Path::new(&place.file);
    let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
    is_below && path.is_file()
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_command_is_escaped() {
        assert_eq!(data("100%\nnext: a, b"), "100%25%0Anext: a, b");
        assert_eq!(property("a: b, c\r\n"), "a%3A b%2C c%0D%0A");
    }
}
