//! `wetware:streams`: a second pair of streams, handed out once.

use super::bindings::wetware::streams::streams::{ConnectionError, Host, HostConnection};
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
    /// Not asked for yet.
    Ready(Connection),
    /// Handed out before.
    Taken,
}

/// The two streams of one link, each until it is taken.
#[expect(unreachable_pub, reason = "named by generated code that re-exports it")]
pub struct Connection {
    pub(crate) input: Option<PipeReader>,
    pub(crate) output: Option<PipeWriter>,
}

type Once<T> = Result<std::result::Result<T, ConnectionError>>;

impl Host for CellState {
    fn create_connection(&mut self) -> Once<Resource<Connection>> {
        if matches!(self.offer, Offer::Never) {
            return Ok(Err(ConnectionError::NotOffered));
        }
        match std::mem::replace(&mut self.offer, Offer::Taken) {
            Offer::Ready(connection) => {
                let handle = self.table.push(connection)?;
                self.born(HandleKind::Connection, handle.rep(), None);
                Ok(Ok(handle))
            }
            _ => Ok(Err(ConnectionError::AlreadyCreated)),
        }
    }
}

impl HostConnection for CellState {
    fn get_input_stream(&mut self, connection: Resource<Connection>) -> Once<Resource<DynInputStream>> {
        match self.table.get_mut(&connection)?.input.take() {
            Some(end) => Ok(Ok(self.push_input(GuestInput(Arc::new(end)))?)),
            None => Ok(Err(ConnectionError::AlreadyTaken)),
        }
    }

    fn get_output_stream(&mut self, connection: Resource<Connection>) -> Once<Resource<DynOutputStream>> {
        match self.table.get_mut(&connection)?.output.take() {
            Some(end) => Ok(Ok(self.push_output(GuestOutput(Arc::new(end)))?)),
            None => Ok(Err(ConnectionError::AlreadyTaken)),
        }
    }

    fn drop(&mut self, connection: Resource<Connection>) -> Result<()> {
        let handle = connection.rep();
        self.table.delete(connection)?;
        self.dropped(handle);
        Ok(())
    }
}
