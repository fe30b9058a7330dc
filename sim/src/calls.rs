//! The `calls` view of a run: the calls that were made, the capabilities that they were made on, and their results.
//!
//! The view is the same for every schedule in which the application behaved the same. A call stands under the call on
//! whose answer it was made, no matter whether it was pipelined or waited for the answer first. Calls on one capability
//! stand in the order in which they were sent. The view leaves out ids, frames and time:
//!
//! ```text
//! link of pid0
//!   the cell asks its host for its bootstrap
//!     Host.executor () → (executor = capability)
//!       executor: Executor.runBytes (…) → (process = capability)
//!         process: Process.wait () → (exitCode = 0)
//! pid0 exited with 0
//! ```

use crate::run::Run;
use std::sync::Arc;
use wavetank_trace::Schema;
use wavetank_trace::calls::of_link;

/// The view of a whole run: each link, then how each cell ended.
pub fn calls(run: &Run, schema: &Arc<Schema>) -> String {
    let mut links: Vec<String> =
        run.frames(schema).iter().map(|link| of_link(&link.cell, &link.frames)).collect();
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
