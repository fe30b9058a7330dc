//! The `wetware:streams` connection of a cell: two streams, each handed out once.
//!
//! Not here: the functions that a guest calls, which are in `wasi`.

use crate::stream::{PipeReader, PipeWriter};

/// Whether a cell may have its connection.
pub(crate) enum ConnectionOffer {
    /// The cell's transport is stdio.
    Never,
    /// The guest has not asked for it yet.
    Ready(Connection),
    /// It was handed out before.
    Taken,
}

/// The two streams of one link, each until it is taken.
#[expect(unreachable_pub, reason = "named by generated code that re-exports it")]
pub struct Connection {
    pub(crate) input: Option<PipeReader>,
    pub(crate) output: Option<PipeWriter>,
}

/// A request to `wetware:streams` that is not granted. Its class is
/// [`MisusedConnection`](crate::TrapClass::MisusedConnection).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectionMisuse {
    #[error(
        "create-connection was called in a cell whose RPC runs over stdin and stdout: take wasi:cli/stdin and \
         wasi:cli/stdout, or start the cell with a connection"
    )]
    NotOffered,
    #[error("create-connection was called twice: a cell has one connection, so keep the first")]
    SecondConnection,
    #[error("get-input-stream was called twice: a connection has one input, so keep the first")]
    SecondInput,
    #[error("get-output-stream was called twice: a connection has one output, so keep the first")]
    SecondOutput,
}
