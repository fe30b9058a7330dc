//! The order to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How shells name the end of a process by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Becomes true when the command is told to end: by Ctrl-C, by SIGTERM or SIGHUP.
pub(crate) fn to_end() -> Arc<AtomicBool> {
    ordered(|| ())
}

/// The same for a command that runs worlds in its own process. The second time it ends at once: a world that hangs
/// inside a poll never comes back to whoever would look.
pub(crate) fn to_end_here() -> Arc<AtomicBool> {
    ordered(|| std::process::exit(INTERRUPTED))
}

fn ordered(again: fn()) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let ordered = stop.clone();
    // Where it cannot be set, these end everything at once, as they do by default.
    let _ = ctrlc::set_handler(move || {
        if ordered.swap(true, Ordering::Relaxed) {
            again();
        }
    });
    stop
}
