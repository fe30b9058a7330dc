//! `wetware:streams`: a second pair of streams, handed out once.
//!
//! The interface has no result types. So a forbidden request is a trap, [`ConnectionMisuse`], which gives the reason.

use super::bindings::wetware::streams::streams::{Host, HostConnection};
use crate::cell::CellState;
use crate::event::HandleKind;
use crate::stream::{GuestInput, GuestOutput, PipeReader, PipeWriter};
use std::sync::Arc;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// Whether a cell may have its connection.
pub(crate) enum Offer {
    /// The cell's transport is stdio.
    Never,
    /// The guest has not asked for it yet.
    Ready(Connection),
    /// It was handed out before.
    ReadOutcome,
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

impl Host for CellState {
    fn create_connection(&mut self) -> Result<Resource<Connection>> {
        if matches!(self.offer, Offer::Never) {
            return Err(ConnectionMisuse::NotOffered.into());
        }
        let Offer::Ready(connection) = std::mem::replace(&mut self.offer, Offer::ReadOutcome) else {
            return Err(ConnectionMisuse::SecondConnection.into());
        };
        let handle = self.table.push(connection)?;
        self.born(HandleKind::Connection, handle.rep(), None);
        Ok(handle)
    }
}

impl HostConnection for CellState {
    fn get_input_stream(&mut self, connection: Resource<Connection>) -> Result<Resource<DynInputStream>> {
        let end = self.table.get_mut(&connection)?.input.take().ok_or(ConnectionMisuse::SecondInput)?;
        self.push_input(GuestInput::new(Arc::new(end)))
    }

    fn get_output_stream(&mut self, connection: Resource<Connection>) -> Result<Resource<DynOutputStream>> {
        let end = self.table.get_mut(&connection)?.output.take().ok_or(ConnectionMisuse::SecondOutput)?;
        self.push_output(GuestOutput::new(Arc::new(end)))
    }

    fn drop(&mut self, connection: Resource<Connection>) -> Result<()> {
        let handle = connection.rep();
        self.table.delete(connection)?;
        self.dropped(handle);
        Ok(())
    }
}
