//! The exit codes of all commands.

/// A failure was found.
pub const FOUND: u8 = 1;
/// Wrong usage, or a file that cannot be read or written.
pub const USAGE: u8 = 2;
/// A replay diverged.
pub(crate) const DIVERGED: u8 = 3;
/// A search in one process was told twice to end: the exit code that shells use for a process that Ctrl-C ended.
pub(crate) const INTERRUPTED: i32 = 130;
/// Nobody reads the output any more: 128 plus SIGPIPE, as shells report a process that this signal ended.
pub(crate) const UNREAD: u8 = 141;
