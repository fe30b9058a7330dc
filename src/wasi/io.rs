//! `wasi:io` for cells: wasmtime-wasi-io's own host over the cell's table, with births, drops and what a
//! blocked cell waits for written down.

use crate::cell::CellState;
use crate::event::HandleKind;
use crate::fabric::Blocked;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime::{Result, bail};
use wasmtime_wasi_io::bindings::wasi::io::{error, poll, streams};
use wasmtime_wasi_io::poll::DynPollable;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream, Error, StreamError, StreamResult};

/// Pollables in one list: as many as a table holds by default. The same may stand there more than once.
const MAX_POLLED: usize = 10_000;

pub(super) fn add_to_linker(linker: &mut Linker<CellState>) -> Result<()> {
    type Data = HasSelf<CellState>;
    error::add_to_linker::<_, Data>(linker, |state| state)?;
    poll::add_to_linker::<_, Data>(linker, |state| state)?;
    streams::add_to_linker::<_, Data>(linker, |state| state)
}

impl CellState {
    pub(super) fn born(&mut self, kind: HandleKind, handle: u32, waits_on: Option<Blocked>) {
        self.handles.insert(handle, kind, waits_on);
        self.record_handle(kind, handle, true);
    }

    pub(super) fn dropped(&mut self, handle: u32) {
        if let Some(kind) = self.handles.remove(handle) {
            // To take and give back without end is to ask for news that never come; what is only taken ends with
            // the table.
            self.fabric.count_call(self.cell, false);
            self.record_handle(kind, handle, false);
        }
    }

    fn subscribed(&mut self, stream: u32, pollable: &Resource<DynPollable>) {
        let waits_on = self.handles.waits_on(stream);
        self.born(HandleKind::Pollable, pollable.rep(), waits_on);
    }

    fn is_timer(&self, pollable: u32) -> bool {
        matches!(self.handles.waits_on(pollable), Some(Blocked::Until(_)))
    }

    /// Writes down that the cell wrote, where that was to its link.
    fn wrote(&self, stream: u32) {
        if self.handles.waits_on(stream) == Some(Blocked::Writing(self.up)) {
            self.fabric.wrote_to_link(self.cell);
        }
    }

    /// Writes down what the cell waits for, until the guard is dropped.
    fn waiting_on(
        &self,
        import: &'static str,
        handles: impl IntoIterator<Item = u32>,
    ) -> crate::cell::Waiting {
        let mut on: Vec<Blocked> =
            handles.into_iter().filter_map(|handle| self.handles.waits_on(handle)).collect();
        on.sort_unstable();
        on.dedup();
        crate::cell::Waiting::new(&self.fabric, self.cell, import, on)
    }
}

/// Awaits, and says whether it had to wait.
async fn watched<T>(future: impl Future<Output = T>) -> (T, bool) {
    let mut future = std::pin::pin!(future);
    let mut waited = false;
    let result = std::future::poll_fn(|cx| {
        let poll = future.as_mut().poll(cx);
        waited |= poll.is_pending();
        poll
    })
    .await;
    (result, waited)
}

impl error::Host for CellState {}

impl error::HostError for CellState {
    fn to_debug_string(&mut self, error: Resource<Error>) -> Result<String> {
        error::HostError::to_debug_string(&mut self.table, error)
    }

    fn drop(&mut self, error: Resource<Error>) -> Result<()> {
        let handle = error.rep();
        error::HostError::drop(&mut self.table, error)?;
        self.dropped(handle);
        Ok(())
    }
}

impl poll::Host for CellState {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> Result<Vec<u32>> {
        if pollables.len() > MAX_POLLED {
            bail!("asked for {} pollables to be polled at once; the limit is {MAX_POLLED}", pollables.len());
        }
        let handles: Vec<u32> = pollables.iter().map(Resource::rep).collect();
        let waiting = self.waiting_on("poll", handles.iter().copied());
        let (ready, waited) = watched(self.table.poll(pollables)).await;
        drop(waiting);
        self.fabric.count_call(self.cell, waited);
        let ready = ready?;
        let by_time = ready.iter().all(|&index| self.is_timer(handles[index as usize]));
        self.fabric.woke(self.cell, by_time, handles.iter().any(|&handle| self.is_timer(handle)));
        Ok(ready)
    }
}

impl poll::HostPollable for CellState {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> Result<bool> {
        let ready = self.table.ready(pollable).await?;
        // Asking again and again whether something is ready is what poll is there to spare a guest.
        self.fabric.count_call(self.cell, false);
        Ok(ready)
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        let handle = pollable.rep();
        let waiting = self.waiting_on("pollable.block", [handle]);
        let (ended, waited) = watched(self.table.block(pollable)).await;
        drop(waiting);
        self.fabric.count_call(self.cell, waited);
        if self.is_timer(handle) {
            self.fabric.woke(self.cell, true, true);
        }
        ended
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        let handle = pollable.rep();
        poll::HostPollable::drop(&mut self.table, pollable)?;
        self.dropped(handle);
        Ok(())
    }
}

impl streams::Host for CellState {
    fn convert_stream_error(&mut self, error: StreamError) -> Result<streams::StreamError> {
        let error = streams::Host::convert_stream_error(&mut self.table, error)?;
        if let streams::StreamError::LastOperationFailed(handle) = &error {
            self.born(HandleKind::Error, handle.rep(), None);
        }
        Ok(error)
    }
}

impl streams::HostInputStream for CellState {
    fn read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        let bytes = self.table.read(stream, len)?;
        self.fabric.count_call(self.cell, !bytes.is_empty());
        Ok(bytes)
    }

    async fn blocking_read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        let _waiting = self.waiting_on("blocking-read", [stream.rep()]);
        self.table.blocking_read(stream, len).await
    }

    fn skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        self.table.skip(stream, len)
    }

    async fn blocking_skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        let _waiting = self.waiting_on("blocking-skip", [stream.rep()]);
        self.table.blocking_skip(stream, len).await
    }

    fn subscribe(&mut self, stream: Resource<DynInputStream>) -> Result<Resource<DynPollable>> {
        let of = stream.rep();
        let pollable = streams::HostInputStream::subscribe(&mut self.table, stream)?;
        self.subscribed(of, &pollable);
        Ok(pollable)
    }

    async fn drop(&mut self, stream: Resource<DynInputStream>) -> Result<()> {
        let handle = stream.rep();
        streams::HostInputStream::drop(&mut self.table, stream).await?;
        self.dropped(handle);
        Ok(())
    }
}

impl streams::HostOutputStream for CellState {
    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        let permit = self.table.check_write(stream)?;
        if permit == 0 {
            self.fabric.count_call(self.cell, false);
        }
        Ok(permit)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        let (productive, handle) = (!bytes.is_empty(), stream.rep());
        self.table.write(stream, bytes)?;
        self.fabric.count_call(self.cell, productive);
        if productive {
            self.wrote(handle);
        }
        Ok(())
    }

    async fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        let _waiting = self.waiting_on("blocking-write-and-flush", [stream.rep()]);
        self.wrote(stream.rep());
        self.table.blocking_write_and_flush(stream, bytes).await
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        self.table.flush(stream)
    }

    async fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        let _waiting = self.waiting_on("blocking-flush", [stream.rep()]);
        self.table.blocking_flush(stream).await
    }

    fn subscribe(&mut self, stream: Resource<DynOutputStream>) -> Result<Resource<DynPollable>> {
        let of = stream.rep();
        let pollable = streams::HostOutputStream::subscribe(&mut self.table, stream)?;
        self.subscribed(of, &pollable);
        Ok(pollable)
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, len: u64) -> StreamResult<()> {
        self.table.write_zeroes(stream, len)
    }

    async fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        len: u64,
    ) -> StreamResult<()> {
        let _waiting = self.waiting_on("blocking-write-zeroes-and-flush", [stream.rep()]);
        self.table.blocking_write_zeroes_and_flush(stream, len).await
    }

    fn splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        self.table.splice(to, from, len)
    }

    async fn blocking_splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let _waiting = self.waiting_on("blocking-splice", [to.rep(), from.rep()]);
        self.table.blocking_splice(to, from, len).await
    }

    async fn drop(&mut self, stream: Resource<DynOutputStream>) -> Result<()> {
        let handle = stream.rep();
        streams::HostOutputStream::drop(&mut self.table, stream).await?;
        self.dropped(handle);
        Ok(())
    }
}
