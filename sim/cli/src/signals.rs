//! The signal handler: ends a command on request.

use crate::exit_code::INTERRUPTED;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Gives a flag that becomes true when the command is told to end: by Ctrl-C, SIGTERM or SIGHUP.
pub(crate) fn to_end() -> Arc<AtomicBool> {
    ordered(|| ())
}

/// The same for a command that runs worlds in its own process. The second signal ends the process at once, because a
/// world that hangs inside a poll never returns to code that could look at the flag.
pub(crate) fn to_end_here() -> Arc<AtomicBool> {
    ordered(|| std::process::exit(INTERRUPTED))
}

fn ordered(again: fn()) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let ordered = stop.clone();
    // If the handler cannot be set, these signals end the process at once, as they do by default.
    let _ = ctrlc::set_handler(move || {
        if ordered.swap(true, Ordering::Relaxed) {
            again();
        }
    });
    stop
}
