//! Known faults of the libraries below: docs/src/reference/known-faults.md, read by people and by this module.
//!
//! A fault is matched narrowly, by its whole signature. Anything else that a run shows is a new failure. A stall is
//! matched by all lines of its wait-for graph, because a part of them would match other stalls too.

use std::sync::OnceLock;

const TABLE: &str = include_str!("../known-faults.md");

/// A fault that was found before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name: `K1`.
    pub id: &'static str,
    /// Whose fault it is: a library and its version.
    pub layer: &'static str,
    /// The name of the outcome that shows it.
    pub outcome: &'static str,
    /// The failure signature. For a panic, it is the place. For a finding, it is a text that the sentence contains,
    /// because the message of an Abort is all that a peer reports. For a stall, it is all lines of the graph, with `; `
    /// between them.
    pub signature: &'static str,
    /// The token of the shortest run that shows it.
    pub token: &'static str,
    /// The upstream report.
    pub upstream: &'static str,
}

/// All known faults.
///
/// # Panics
/// If the table cannot be read. A test makes sure that it can.
pub fn all() -> &'static [Known] {
    static ALL: OnceLock<Vec<Known>> = OnceLock::new();
    ALL.get_or_init(|| TABLE.lines().filter(|line| line.starts_with("| K")).map(row).collect())
}

/// The section of docs/src/reference/known-faults.md about a fault, with its heading; `None` if there is no such fault.
pub fn section(id: &str) -> Option<&'static str> {
    let heading = format!("## {id}: ");
    let start = TABLE.find(&heading)?;
    let section = &TABLE[start..];
    let end = section[heading.len()..].find("\n## ").map_or(section.len(), |at| heading.len() + at);
    Some(section[..end].trim_end())
}

/// The heading of that section, without the fault's name.
pub fn title(id: &str) -> Option<&'static str> {
    let heading = section(id)?.lines().next()?;
    heading.split_once(": ").map(|(_, title)| title)
}

/// The parts of an outcome by which a known fault is recognised.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown<'a> {
    /// A stall, with its wait-for graph.
    Stall { graph: &'a str },
    /// A panic in a library, with its place.
    Panic { library: &'a str, at: &'a str },
    /// A broken rule for which a library is to blame, in one sentence.
    Violation { library: &'a str, text: &'a str },
}

/// The known fault that an outcome shows.
pub(crate) fn find(shown: &Shown<'_>) -> Option<&'static Known> {
    all().iter().find(|known| known.is_in(shown))
}

impl Known {
    /// The library whose fault it is, without its version.
    pub fn library(&self) -> &'static str {
        self.layer.split(' ').next().unwrap_or(self.layer)
    }

    fn is_in(&self, shown: &Shown<'_>) -> bool {
        match (self.outcome, *shown) {
            ("stalled", Shown::Stall { graph }) => {
                let patterns = || self.signature.split("; ");
                let fits = |pattern: &str| graph.lines().any(|line| is_like(line, pattern));
                let is_listed = |line: &str| patterns().any(|pattern| is_like(line, pattern));
                patterns().all(fits) && graph.lines().all(is_listed)
            }
            ("panicked", Shown::Panic { library, at }) => self.library() == library && at == self.signature,
            ("violated", Shown::Violation { library, text }) => {
                self.library() == library && text.contains(self.signature)
            }
            _ => false,
        }
    }
}

/// Whether a text matches a pattern, in which `*` stands for any text.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else { return false };
    let mut last = "";
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = part;
    }
    rest.is_empty() || (pattern.contains('*') && (last.is_empty() || text.ends_with(last)))
}

fn row(line: &'static str) -> Known {
    let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
    let ["", id, layer, outcome, signature, token, upstream, ""] = cells[..] else {
        panic!("a row of known faults has six cells: {line}")
    };
    Known { id, layer, outcome, signature, token, upstream }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Blame, Outcome, Wait, WaitGraph};

    #[test]
    fn the_table_is_read() {
        assert_eq!(all().len(), 17);
        for (number, known) in (1..).zip(all()) {
            assert_eq!(known.id, format!("K{number}"));
            let texts = [known.layer, known.outcome, known.signature, known.token, known.upstream];
            assert!(texts.iter().all(|text| !text.is_empty()), "{known:?}");
            let section = section(known.id).expect("it is told in full");
            assert!(section.lines().count() > 2 && !section.contains("\n## "), "{section}");
            assert!(title(known.id).is_some_and(|title| section.contains(title)), "{section}");
        }
    }

    #[test]
    fn a_star_is_any_text() {
        let pattern = "task \"* waits until line * is resolved\" has not ended";
        assert!(is_like("task \"a waits until line 7 is resolved\" has not ended", pattern));
        assert!(!is_like("task \"a waits until line 7 is resolved\" has not ended yet", pattern));
        assert!(!is_like("a task \"a waits until line 7 is resolved\" has not ended", pattern));
        assert!(is_like("whole", "whole") && !is_like("whole of it", "whole") && is_like("ab", "a*"));
    }

    #[test]
    fn a_fault_is_known_by_all_of_its_signature() {
        let stalled = |cells: &[&str], tasks: &[&str]| {
            let cells = cells.iter().map(|who| Wait { who: who.to_string(), on: Vec::new() });
            let tasks = tasks.iter().map(|task| task.to_string());
            Outcome::Stalled(WaitGraph {
                steps: 1,
                blame: Blame::Tank,
                cells: cells.collect(),
                calls: Vec::new(),
                pipes: Vec::new(),
                tasks: tasks.collect(),
            })
        };
        let panicked = |at: &str, blame| Outcome::Panicked { message: "no".into(), at: at.into(), blame };
        let of_k1 = "capnp-0.27.3/src/private/layout.rs:619";
        let of_k2 = "task \"get_resolved_cap of a bootstrap capability\" of vat asker has not ended";
        assert_eq!(stalled(&[], &[of_k2]).known().map(|known| known.id), Some("K2"));
        assert_eq!(stalled(&[], &[of_k2]).blame(), Some(Blame::Library("capnp-rpc")), "and not the tank");
        let news = [
            stalled(&[], &[]),
            stalled(&["child"], &[of_k2]),
            stalled(&[], &[of_k2, "task \"patience\" has not ended"]),
            panicked(of_k2, Blame::Library("capnp-rpc")),
            panicked(of_k1, Blame::Tank),
            panicked("capnp-0.27.3/src/private/layout.rs:61", Blame::Library("capnp")),
        ];
        for outcome in news {
            assert!(outcome.is_news(), "{outcome}");
        }
        assert!(!panicked(of_k1, Blame::Library("capnp")).is_news());
        assert!(!Outcome::Finished.is_news());
    }
}
