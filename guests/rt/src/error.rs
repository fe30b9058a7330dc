//! The errors of a guest.

use std::{fmt, io};

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a guest failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A call or the link failed.
    Rpc(capnp::Error),
    /// A stream failed.
    Stream(io::Error),
    /// No task was woken, and no task waits for a stream or timer. So nothing could ever wake one.
    Deadlock,
    /// The guest asked for stdin or stdout, but they carry its RPC.
    StdioTaken,
    /// An error of the application itself, as a message.
    Guest(String),
}

impl Error {
    /// Makes an error of the application itself.
    pub fn guest(message: impl Into<String>) -> Self {
        Self::Guest(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rpc(_) => write!(f, "rpc failed"),
            Self::Stream(_) => write!(f, "a stream failed"),
            Self::Deadlock => {
                write!(f, "deadlock in the guest: no task is woken and none waits on a stream or timer")
            }
            Self::StdioTaken => write!(f, "stdin and stdout carry this guest's rpc"),
            Self::Guest(message) => write!(f, "{message}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rpc(error) => Some(error),
            Self::Stream(error) => Some(error),
            Self::Deadlock | Self::StdioTaken | Self::Guest(_) => None,
        }
    }
}

impl From<capnp::Error> for Error {
    fn from(error: capnp::Error) -> Self {
        Self::Rpc(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Stream(error)
    }
}

/// A text in an answer is not UTF-8.
impl From<std::str::Utf8Error> for Error {
    fn from(error: std::str::Utf8Error) -> Self {
        Self::Rpc(error.into())
    }
}
