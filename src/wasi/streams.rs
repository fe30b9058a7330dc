//! `wetware:streams`: a second pair of streams, handed out once.
//!
//! The interface has no result types. So a forbidden request is a trap, [`ConnectionMisuse`], which gives the reason.

use super::bindings::wetware::streams::streams::{Host, HostConnection};
use crate::connection::{Connection, ConnectionMisuse, ConnectionOffer};
use crate::event::HandleKind;
use crate::store::CellState;
use crate::stream::{GuestInput, GuestOutput};
use std::sync::Arc;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

impl Host for CellState {
    fn create_connection(&mut self) -> Result<Resource<Connection>> {
        if matches!(self.offer, ConnectionOffer::Never) {
            return Err(ConnectionMisuse::NotOffered.into());
        }
        let ConnectionOffer::Ready(connection) = std::mem::replace(&mut self.offer, ConnectionOffer::Taken)
        else {
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
