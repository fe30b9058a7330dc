//! The `calls` view of a run: the calls that were made, the capabilities that they were made on, and their results.
//!
//! The view is the same for every schedule in which the application behaved the same. A call stands under the call on
//! whose answer it was made, no matter whether it was pipelined or waited for the answer first. Calls on one capability
//! stand in the order in which they were sent. The view leaves out ids, frames and time:
//!
//! ```text
//! link of pid0
//!   the cell asks its host for its bootstrap
//!     Host.executor () → (executor = host's Executor)
//!       executor: Executor.runBytes (…) → (process = host's Process)
//!         process: Process.wait () → (exitCode = 0)
//! pid0 exited with 0
//! ```

use crate::run::Run;
use wavetank_trace::Redactions;
use wavetank_trace::calls::{Parties, of_link};

/// The view of a whole run: each link, then how each cell ended.
pub fn calls(run: &Run) -> String {
    redacted_calls(run, &Redactions::default())
}

/// The same without the values that these paths lead to.
pub fn redacted_calls(run: &Run, redactions: &Redactions) -> String {
    let mut links: Vec<String> = Vec::new();
    for link in &*run.frames() {
        let parties = Parties { cell: &link.cell, host: &link.host };
        links.push(of_link(parties, &link.frames, redactions));
    }
    // Sorted, because the names of cells that are born at the same time depend on which was first.
    links.sort();
    let mut text = links.concat();
    let mut ends: Vec<String> = run
        .cells
        .iter()
        .map(|(name, exit)| match exit {
            Some(exit) => format!("{name} exited with {}\n", exit.code),
            None => format!("{name} has not ended\n"),
        })
        .collect();
    ends.sort();
    text += &ends.concat();
    text
}
