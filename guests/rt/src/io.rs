//! The things that an application can wait for besides its calls.

use std::time::Duration;

use wasip2::cli::{stdin::get_stdin, stdout::get_stdout};

use crate::{
    Error, Result,
    clock::Sleep,
    reactor::Reactor,
    streams::{Reader, Writer},
};

/// Gives an application its own stdio and the clock, without blocking the link.
#[derive(Clone)]
pub struct Io {
    reactor: Reactor,
    owns_stdio: bool,
}

impl Io {
    pub(crate) fn new(reactor: &Reactor, owns_stdio: bool) -> Self {
        Self { reactor: reactor.clone(), owns_stdio }
    }

    /// Tells whether stdin and stdout are the guest's own. If they carry its RPC, a `println!` would land
    /// between two messages, so use stderr.
    pub fn owns_stdio(&self) -> bool {
        self.owns_stdio
    }

    /// Opens the guest's stdin for reading beside the link.
    ///
    /// # Errors
    ///
    /// [`Error::StdioTaken`] if stdin carries the guest's RPC.
    pub fn stdin(&self) -> Result<Reader> {
        self.check_stdio()?;
        Ok(Reader::new(&self.reactor, get_stdin()))
    }

    /// Opens the guest's stdout for writing beside the link.
    ///
    /// # Errors
    ///
    /// [`Error::StdioTaken`] if stdout carries the guest's RPC.
    pub fn stdout(&self) -> Result<Writer> {
        self.check_stdio()?;
        Ok(Writer::new(&self.reactor, get_stdout()))
    }

    /// Sleeps for `duration` on the monotonic clock, starting now.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(&self.reactor, duration)
    }

    fn check_stdio(&self) -> Result<()> {
        if self.owns_stdio { Ok(()) } else { Err(Error::StdioTaken) }
    }
}
