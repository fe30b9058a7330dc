//! The order to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Becomes true when the command is told to end: by Ctrl-C, by SIGTERM or SIGHUP.
pub(crate) fn to_end() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let ordered = stop.clone();
    // Where it cannot be set, these end everything at once, as they do by default.
    let _ = ctrlc::set_handler(move || ordered.store(true, Ordering::Relaxed));
    stop
}
