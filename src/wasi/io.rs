//! `wasi:io` for cells. It uses wasmtime-wasi-io's own host over the cell's table, and records births and drops of
//! handles and the waits of a blocked cell.

use crate::event::HandleKind;
use crate::shared::{Asked, Blocked, Import, WaitBegun};
use crate::store::CellState;
use crate::trap::{MAX_POLLED, Misuse};
use std::task::Poll;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi_io::bindings::wasi::io::{error, poll, streams};
use wasmtime_wasi_io::poll::DynPollable;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream, Error, StreamError, StreamResult};

/// The interface of streams, in the version that wasmtime-wasi-io offers.
const STREAMS: &str = "wasi:io/streams@0.2.12";

pub(super) fn add_to_linker(linker: &mut Linker<CellState>) -> Result<()> {
    type Data = HasSelf<CellState>;
    error::add_to_linker::<_, Data>(linker, |state| state)?;
    poll::add_to_linker::<_, Data>(linker, |state| state)?;
    streams::add_to_linker::<_, Data>(linker, |state| state)?;
    linker.allow_shadowing(true);
    add_yielding(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Replaces the calls of wasmtime-wasi-io that ask without waiting, because those cannot let others run.
fn add_yielding(linker: &mut Linker<CellState>) -> Result<()> {
    type Input = Resource<DynInputStream>;
    type Output = Resource<DynOutputStream>;
    type Store<'a> = StoreContextMut<'a, CellState>;
    let mut streams = linker.instance(STREAMS)?;
    streams.func_wrap_async(
        "[method]input-stream.read",
        |mut store: Store<'_>, (stream, len): (Input, u64)| {
            Box::new(async move {
                let read = streams::HostInputStream::read(store.data_mut(), stream, len);
                store.data_mut().answer(read).await
            })
        },
    )?;
    streams.func_wrap_async(
        "[method]input-stream.skip",
        |mut store: Store<'_>, (stream, len): (Input, u64)| {
            Box::new(async move {
                let skipped = streams::HostInputStream::skip(store.data_mut(), stream, len);
                store.data_mut().answer(skipped).await
            })
        },
    )?;
    streams.func_wrap_async(
        "[method]output-stream.check-write",
        |mut store: Store<'_>, (stream,): (Output,)| {
            Box::new(async move {
                let permit = streams::HostOutputStream::check_write(store.data_mut(), stream);
                store.data_mut().answer(permit).await
            })
        },
    )?;
    streams.func_wrap_async(
        "[method]output-stream.splice",
        |mut store: Store<'_>, (to, from, len): (Output, Input, u64)| {
            Box::new(async move {
                let spliced = streams::HostOutputStream::splice(store.data_mut(), to, from, len);
                store.data_mut().answer(spliced).await
            })
        },
    )
}

/// Lets others run: the cell's turn ends here, and its next turn goes on from here.
async fn end_turn() {
    let mut ended = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut ended, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl CellState {
    /// Counts a call that asked for news, and lets others run if the cell has asked too often.
    pub(super) async fn asked(&mut self, asked: Asked) {
        if self.shared.count_call(self.cell, asked) {
            end_turn().await;
        }
    }

    /// Counts a call that cannot wait itself. The turn that it owes is made up later.
    fn note(&mut self, asked: Asked) {
        self.owes_turn |= self.shared.count_call(self.cell, asked);
    }

    /// Counts a call that moved bytes or failed. `bytes` gives how many were moved.
    fn note_moved<T>(&mut self, moved: &StreamResult<T>, bytes: impl FnOnce(&T) -> u64) {
        let is_news = moved.as_ref().is_ok_and(|moved| bytes(moved) > 0);
        self.note(if is_news { Asked::News } else { Asked::Nothing });
    }

    /// Makes the answer for a guest. Others run first if its call owes them a turn.
    async fn answer<T>(
        &mut self,
        result: StreamResult<T>,
    ) -> Result<(std::result::Result<T, streams::StreamError>,)> {
        if std::mem::take(&mut self.owes_turn) {
            end_turn().await;
        }
        Ok((match result {
            Ok(value) => Ok(value),
            Err(error) => Err(streams::Host::convert_stream_error(self, error)?),
        },))
    }

    pub(super) fn born(&mut self, kind: HandleKind, handle: u32, waits_on: Option<Blocked>) {
        self.handles.insert(handle, kind, waits_on);
        self.record_handle(kind, handle, true);
    }

    pub(super) fn dropped(&mut self, handle: u32) {
        if let Some(kind) = self.handles.remove(handle) {
            // A guest that takes and gives back handles without end asks for news that never comes. If it only takes
            // them, it stops when the table is full.
            self.shared.count_call(self.cell, Asked::GaveBack);
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

    /// Records that the cell begins to wait, and its knowledge then.
    fn begin_wait(&self, handles: &[u32]) -> WaitBegun {
        let on: Vec<Blocked> = handles.iter().filter_map(|&handle| self.handles.waits_on(handle)).collect();
        self.shared.begin_wait(self.cell, &on, self.up, self.down)
    }

    /// Records the handles that woke the cell.
    fn end_wait(&self, begun: WaitBegun, ready: &[u32]) {
        let on: Vec<Option<Blocked>> = ready.iter().map(|&handle| self.handles.waits_on(handle)).collect();
        self.shared.end_wait(self.cell, begun, &on, self.down);
    }

    /// Records that the cell learnt something from a stream: bytes, or that it has ended.
    fn heard(&self, stream: u32) {
        let of_link = self.handles.waits_on(stream) == Some(Blocked::Reading(self.down));
        self.shared.heard(self.cell, of_link);
    }

    /// Records that the cell waits for a stream by a blocking call, which brings it news.
    fn blocks_on(&self, streams: &[u32]) {
        self.begin_wait(streams);
        self.shared.heard(self.cell, false);
    }

    /// `splice`, as its text defines it: `check-write`, then `read` of at most as many bytes, then `write`. A `read` of
    /// no bytes can still tell that the input has ended; wasmtime-wasi-io leaves such a `read` out.
    fn splice_now(
        &mut self,
        to: &Resource<DynOutputStream>,
        from: &Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let permit_bytes = self.table.get_mut(to)?.check_write()?;
        let bytes = self.table.get_mut(from)?.read(at_most(len, permit_bytes))?;
        let moved = bytes.len() as u64;
        if moved > 0 {
            self.table.get_mut(to)?.write(bytes)?;
        }
        Ok(moved)
    }

    /// Like `splice_now`, but it waits for the output, then for the input.
    async fn splice_when_ready(
        &mut self,
        to: &Resource<DynOutputStream>,
        from: &Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let permit_bytes = self.table.get_mut(to)?.write_ready().await?;
        let bytes = self.table.get_mut(from)?.blocking_read(at_most(len, permit_bytes)).await?;
        let moved = bytes.len() as u64;
        if moved > 0 {
            self.table.get_mut(to)?.blocking_write_and_flush(bytes).await?;
        }
        Ok(moved)
    }

    /// Counts a write of this many bytes. A write that failed or was empty counts as a call without news.
    fn note_written(&mut self, written: &StreamResult<()>, bytes: u64, stream: u32) {
        if written.is_ok() && bytes > 0 {
            self.note(Asked::News);
            self.wrote(stream);
        } else {
            self.note(Asked::Nothing);
        }
    }

    fn note_spliced(&mut self, spliced: &StreamResult<u64>, stream: u32) {
        self.note_moved(spliced, |bytes| *bytes);
        if spliced.as_ref().is_ok_and(|bytes| *bytes > 0) {
            self.wrote(stream);
        }
    }

    /// Records that the cell wrote to a stream, and whether that was its link.
    fn wrote(&mut self, stream: u32) {
        self.handles.used(stream);
        if self.handles.waits_on(stream) == Some(Blocked::Writing(self.up)) {
            self.shared.wrote_to_link(self.cell);
        }
    }

    /// Records the handles that the cell waits for inside the import with this name, until the guard is dropped.
    fn waiting_on(
        &self,
        import: &'static str,
        handles: impl IntoIterator<Item = u32>,
    ) -> crate::store::WaitGuard {
        self.waiting_inside(Import::Other(import), handles)
    }

    fn waiting_inside(
        &self,
        import: Import,
        handles: impl IntoIterator<Item = u32>,
    ) -> crate::store::WaitGuard {
        let mut on: Vec<Blocked> =
            handles.into_iter().filter_map(|handle| self.handles.waits_on(handle)).collect();
        on.sort_unstable();
        on.dedup();
        crate::store::WaitGuard::new(&self.shared, self.cell, import, on)
    }
}

/// The most bytes in one `blocking-write-and-flush`, according to `wasi:io/streams`.
const MAX_BLOCKING_WRITE_BYTES: u64 = 4096;

fn not_too_long(bytes: u64) -> StreamResult<()> {
    if bytes <= MAX_BLOCKING_WRITE_BYTES {
        return Ok(());
    }
    Err(StreamError::Trap(Misuse::WriteTooLong(bytes).into()))
}

fn at_most(len: u64, permit_bytes: usize) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX).min(permit_bytes)
}

/// Awaits, and returns whether it had to wait.
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
            return Err(Misuse::PollTooLong(pollables.len()).into());
        }
        if pollables.is_empty() {
            return Err(Misuse::EmptyPoll.into());
        }
        let handles: Vec<u32> = pollables.iter().map(Resource::rep).collect();
        let waiting = self.waiting_inside(Import::Poll, handles.iter().copied());
        let begun = self.begin_wait(&handles);
        let (ready, waited) = watched(self.table.poll(pollables)).await;
        drop(waiting);
        self.handles.polled(&handles);
        let mut ready = ready?;
        let woken_by: Vec<u32> = ready.iter().map(|&index| handles[index as usize]).collect();
        self.end_wait(begun, &woken_by);
        if self.freedoms.one_ready_at_a_time && ready.len() > 1 {
            ready = vec![ready[self.named % ready.len()]];
            self.named += 1;
        }
        let by_time = ready.iter().all(|&index| self.is_timer(handles[index as usize]));
        self.asked(match (waited, by_time) {
            (true, _) => Asked::News,
            (false, true) => Asked::TheTime,
            (false, false) => Asked::Nothing,
        })
        .await;
        Ok(ready)
    }
}

impl poll::HostPollable for CellState {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> Result<bool> {
        let handle = pollable.rep();
        let is_timer = self.is_timer(handle);
        let ready = self.table.ready(pollable).await?;
        if ready {
            self.handles.used(handle);
        } else {
            self.handles.looked_at(handle);
        }
        // This is no news even if it is ready: a guest should use `poll` instead of asking again and again.
        self.asked(if is_timer && !ready { Asked::TheTime } else { Asked::Nothing }).await;
        Ok(ready)
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        let handle = pollable.rep();
        let waiting = self.waiting_on("pollable.block", [handle]);
        let begun = self.begin_wait(&[handle]);
        let (ended, waited) = watched(self.table.block(pollable)).await;
        drop(waiting);
        self.handles.used(handle);
        self.end_wait(begun, &[handle]);
        self.asked(if waited { Asked::News } else { Asked::Nothing }).await;
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
        let handle = stream.rep();
        let read = self.table.read(stream, len);
        if !read.as_ref().is_ok_and(Vec::is_empty) {
            self.heard(handle);
        }
        if read.as_ref().is_ok_and(|bytes| !bytes.is_empty()) {
            self.handles.used(handle);
        }
        self.note_moved(&read, |bytes| bytes.len() as u64);
        read
    }

    async fn blocking_read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        let _waiting = self.waiting_on("blocking-read", [stream.rep()]);
        self.handles.used(stream.rep());
        self.blocks_on(&[stream.rep()]);
        let read = self.table.blocking_read(stream, len).await;
        self.note_moved(&read, |bytes| bytes.len() as u64);
        read
    }

    fn skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        let handle = stream.rep();
        let skipped = self.table.skip(stream, len);
        if !matches!(skipped, Ok(0)) {
            self.heard(handle);
        }
        self.note_moved(&skipped, |bytes| *bytes);
        skipped
    }

    async fn blocking_skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        let _waiting = self.waiting_on("blocking-skip", [stream.rep()]);
        self.blocks_on(&[stream.rep()]);
        let skipped = self.table.blocking_skip(stream, len).await;
        self.note_moved(&skipped, |bytes| *bytes);
        skipped
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
        let permit = self.table.check_write(stream);
        // A permit is no news until it is used.
        self.note(Asked::Nothing);
        permit
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        let (len, handle) = (bytes.len() as u64, stream.rep());
        let written = self.table.write(stream, bytes);
        self.note_written(&written, len, handle);
        written
    }

    async fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        not_too_long(bytes.len() as u64)?;
        let _waiting = self.waiting_on("blocking-write-and-flush", [stream.rep()]);
        let (len, handle) = (bytes.len() as u64, stream.rep());
        let written = self.table.blocking_write_and_flush(stream, bytes).await;
        self.note_written(&written, len, handle);
        written
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        // The news was the write before it.
        self.note(Asked::Nothing);
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
        let handle = stream.rep();
        let written = self.table.write_zeroes(stream, len);
        self.note_written(&written, len, handle);
        written
    }

    async fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        len: u64,
    ) -> StreamResult<()> {
        not_too_long(len)?;
        let _waiting = self.waiting_on("blocking-write-zeroes-and-flush", [stream.rep()]);
        let handle = stream.rep();
        let written = self.table.blocking_write_zeroes_and_flush(stream, len).await;
        self.note_written(&written, len, handle);
        written
    }

    fn splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let (source, target) = (from.rep(), to.rep());
        let spliced = self.splice_now(&to, &from, len);
        if !matches!(spliced, Ok(0)) {
            self.heard(source);
        }
        self.note_spliced(&spliced, target);
        spliced
    }

    async fn blocking_splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let _waiting = self.waiting_on("blocking-splice", [to.rep(), from.rep()]);
        self.blocks_on(&[from.rep()]);
        let handle = to.rep();
        let spliced = self.splice_when_ready(&to, &from, len).await;
        self.note_spliced(&spliced, handle);
        spliced
    }

    async fn drop(&mut self, stream: Resource<DynOutputStream>) -> Result<()> {
        let handle = stream.rep();
        streams::HostOutputStream::drop(&mut self.table, stream).await?;
        self.dropped(handle);
        Ok(())
    }
}
