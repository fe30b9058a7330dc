//! All that the command says: what came of it on stdout, how it goes on stderr.
//!
//! Nothing else here prints (a lint). So no text of a guest's steers a terminal, and a reader that has gone or a device
//! that is full is met in one place.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use wavetank::harmless;

/// Why a command ends before it has an exit code of its own.
#[derive(Debug)]
pub(crate) enum Stop {
    /// For a reason that its user is told.
    Told(String),
    /// Nobody reads any more what it prints.
    Unread,
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Stop::Told(message)
    }
}

/// Prints lines on stdout.
pub(crate) fn print(text: impl Display) -> Result<(), Stop> {
    write(lines(text).as_bytes())
}

/// Writes bytes to stdout as they are, at once.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Stop> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => Stop::Unread,
        _ => Stop::Told(format!("stdout: {e}")),
    })
}

/// Prints lines on stderr. Nothing of what was found is lost where they cannot be read.
pub(crate) fn note(text: impl Display) {
    let _ = std::io::stderr().lock().write_all(lines(text).as_bytes());
}

/// Tells the user something beside what was found.
pub(crate) fn warn(message: impl Display) {
    note(format_args!("wavetank: {message}\n"));
}

fn lines(text: impl Display) -> String {
    let text = text.to_string();
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}
