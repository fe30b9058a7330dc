//! The things besides its calls that an application can wait for.

use std::time::Duration;

use wasip2::cli::{stdin::get_stdin, stdout::get_stdout};

use crate::{
    Error, Result,
    clock::Sleep,
    reactor::Reactor,
    streams::{Reader, Writer},
};

/// Gives an application its own stdio and the clock. Waiting for them does not block the link.
#[derive(Clone)]
pub struct Io {
    reactor: Reactor,
    owns_stdio: bool,
}

impl Io {
    pub(crate) fn new(reactor: &Reactor, owns_stdio: bool) -> Self {
        Self { reactor: reactor.clone(), owns_stdio }
    }

    /// Returns whether stdin and stdout belong to the guest. If not, they carry its RPC. Then print to stderr only,
    /// because a `println!` would land between two messages.
    pub fn owns_stdio(&self) -> bool {
        self.owns_stdio
    }

    /// Opens the guest's stdin. It can be read while the link is in use.
    ///
    /// # Errors
    ///
    /// [`Error::StdioTaken`] if stdin carries the guest's RPC.
    pub fn stdin(&self) -> Result<Reader> {
        self.check_stdio()?;
        Ok(Reader::new(&self.reactor, get_stdin()))
    }

    /// Opens the guest's stdout. It can be written while the link is in use.
    ///
    /// # Errors
    ///
    /// [`Error::StdioTaken`] if stdout carries the guest's RPC.
    pub fn stdout(&self) -> Result<Writer> {
        self.check_stdio()?;
        Ok(Writer::new(&self.reactor, get_stdout()))
    }

    /// Sleeps for `duration` on the monotonic clock, from now on.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(&self.reactor, duration)
    }

    fn check_stdio(&self) -> Result<()> {
        if self.owns_stdio { Ok(()) } else { Err(Error::StdioTaken) }
    }
}
