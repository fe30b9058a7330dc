//! Nothing outside the world decides.
//!
//! A run repeats only if all that wakes a task is a move. A server may break this: it opens a socket, hands work to
//! another thread, or uses a timer of a library that the world does not know. Then the task is woken by another thread,
//! at a moment that no choice picked, or not at all. A runtime [beside the world](crate::world::RuntimeBeside) may also
//! decide by itself, with an order that it draws at random.
//!
//! This oracle reports the first such event by the name of the call or the task. A world that stalls while the runtime
//! beside it works on another thread is reported in the same way. If a world stalls because of a thread that has not
//! woken anybody yet, nobody can tell that from a lock that is never given back: this is a stall, and its
//! graph says what the two have in common.

use super::{Blame, Finding, Oracle};

/// The line of a stall's graph, if a runtime beside the world stalls with it.
pub(crate) const NOBODY_WAKES: &str = "nothing in the world will wake those who wait: they wait for a lock or a channel \
that nobody serves, or for something outside the world (a socket, a thread, a timer of another library)";

/// The finding about a party that waits for something outside the world.
pub(crate) fn waits(party: Blame, evidence: &str) -> Finding {
    let who = named(&party);
    Finding {
        oracle: Oracle::Outside,
        what: format!("{who} waits for something outside the world: {evidence}"),
        who,
        blame: party,
        detail: Vec::new(),
    }
}

/// The finding about a party that something outside the world decides for.
pub(crate) fn decides(party: Blame, what: &str) -> Finding {
    let who = named(&party);
    Finding { oracle: Oracle::Outside, what: format!("{who} {what}"), who, blame: party, detail: Vec::new() }
}

/// A party in a sentence: "task `x`", "call `Cart.add`".
fn named(party: &Blame) -> String {
    match party {
        Blame::Task { task, .. } => format!("task `{task}`"),
        Blame::Capability { call, .. } => format!("call `{call}`"),
        Blame::Guess(party) => named(party),
        other => other.to_string(),
    }
}
