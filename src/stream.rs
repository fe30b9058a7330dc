//! The two ends of a pipe, as each side uses them: `wasi:io` streams for guests, `AsyncRead` and `AsyncWrite` for the
//! host.

use crate::ids::PipeId;
use crate::pipe::{End, Permit, ReadOutcome, WriteError, WriterId};
use crate::shared::SharedState;
use bytes::Bytes;
use futures::{AsyncRead, AsyncWrite};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

/// The reading end of a pipe. Closes it when dropped.
pub struct PipeReader {
    shared: SharedState,
    pipe: PipeId,
}

/// The writing end of a pipe. Closes it when dropped.
pub struct PipeWriter {
    shared: SharedState,
    pipe: PipeId,
    id: WriterId,
}

impl PipeReader {
    pub(crate) fn new(shared: &SharedState, pipe: PipeId) -> Self {
        PipeReader { shared: shared.clone(), pipe }
    }

    pub(crate) fn pipe(&self) -> PipeId {
        self.pipe
    }

    /// Notes that this many bytes were read only to be thrown away, because nobody asked for them.
    pub(crate) fn note_discarded(&self, bytes: usize) {
        self.shared.note_discarded(self.pipe, bytes);
    }

    /// Reads at least one byte and at most `max_bytes`; `None` is the end of the stream.
    ///
    /// # Errors
    /// `ConnectionReset` if the pipe was reset.
    pub async fn take(&self, max_bytes: usize) -> io::Result<Option<Bytes>> {
        std::future::poll_fn(|cx| {
            match self.shared.read(self.pipe, max_bytes) {
                ReadOutcome::Bytes(bytes) => return Poll::Ready(Ok(Some(bytes))),
                ReadOutcome::End => return Poll::Ready(Ok(None)),
                ReadOutcome::Broken => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                ReadOutcome::Nothing => {}
            }
            // Nothing can happen since the read, because there is only one thread. The waker is registered for the next
            // delivery.
            let _ = self.shared.poll_readable(self.pipe, cx);
            Poll::Pending
        })
        .await
    }
}

impl PipeWriter {
    pub(crate) fn new(shared: &SharedState, pipe: PipeId) -> Self {
        PipeWriter { shared: shared.clone(), pipe, id: shared.new_writer(pipe) }
    }

    pub(crate) fn pipe(&self) -> PipeId {
        self.pipe
    }

    /// Writes all of `bytes`, waiting for budget as often as needed.
    ///
    /// # Errors
    /// `BrokenPipe` if nobody reads any more, `ConnectionReset` if the pipe was reset.
    pub async fn give(&self, mut bytes: Bytes) -> io::Result<()> {
        while !bytes.is_empty() {
            let permit = std::future::poll_fn(|cx| self.poll_permit(cx)).await?;
            let piece = bytes.split_to(permit.min(bytes.len()));
            self.put(piece);
        }
        Ok(())
    }

    fn poll_permit(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match self.shared.check_write(self.pipe, self.id) {
            Permit::Bytes(0) => {
                let _ = self.shared.poll_writable(self.pipe, self.id, cx);
                Poll::Pending
            }
            Permit::Bytes(permit) => Poll::Ready(Ok(permit)),
            Permit::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Permit::Broken => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    fn put(&self, bytes: Bytes) {
        self.shared
            .write(self.pipe, self.id, bytes)
            .expect("the piece is no longer than the permit just given");
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.shared.close(self.pipe, End::Reader);
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.shared.close(self.pipe, End::Writer);
    }
}

impl AsyncRead for PipeReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.shared.read(self.pipe, into.len()) {
            ReadOutcome::Bytes(bytes) => {
                into[..bytes.len()].copy_from_slice(&bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            ReadOutcome::End => Poll::Ready(Ok(0)),
            ReadOutcome::Broken => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            ReadOutcome::Nothing if into.is_empty() => Poll::Ready(Ok(0)),
            ReadOutcome::Nothing => {
                let _ = self.shared.poll_readable(self.pipe, cx);
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for PipeWriter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        if from.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_permit(cx).map_ok(|permit| {
            let piece = Bytes::copy_from_slice(&from[..from.len().min(permit)]);
            let len = piece.len();
            self.put(piece);
            len
        })
    }

    /// There is nothing to wait for: bytes are on their way once they are written to a pipe.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The pipe closes when this end is dropped.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A guest's handle on the reading end of a pipe.
///
/// `get-stdin` may be called several times: all its handles share one end, which closes with the last of them.
pub(crate) struct GuestInput {
    end: Arc<PipeReader>,
    failed: Failed,
}

/// A guest's handle on the writing end of a pipe. It has its own permit.
pub(crate) struct GuestOutput {
    end: Arc<PipeWriter>,
    id: WriterId,
    failed: Failed,
}

/// Whether a handle was told that its stream broke. `wasi:io/streams`, `last-operation-failed`: "After this, the
/// stream will be closed. All future operations return `stream-error::closed`."
#[derive(Default)]
struct Failed(bool);

impl Failed {
    fn next_error(&mut self) -> StreamError {
        if std::mem::replace(&mut self.0, true) {
            return StreamError::Closed;
        }
        StreamError::LastOperationFailed(wasmtime::format_err!("the pipe was reset"))
    }
}

impl GuestInput {
    pub(crate) fn new(end: Arc<PipeReader>) -> Self {
        GuestInput { end, failed: Failed::default() }
    }

    pub(crate) fn pipe(&self) -> PipeId {
        self.end.pipe
    }
}

impl GuestOutput {
    pub(crate) fn new(end: Arc<PipeWriter>) -> Self {
        let id = end.shared.new_writer(end.pipe);
        GuestOutput { end, id, failed: Failed::default() }
    }

    pub(crate) fn pipe(&self) -> PipeId {
        self.end.pipe
    }

    fn permitted(&mut self, permit: Permit) -> StreamResult<usize> {
        match permit {
            Permit::Bytes(permit) => Ok(permit),
            Permit::Closed => Err(StreamError::Closed),
            Permit::Broken => Err(self.failed.next_error()),
        }
    }

    fn refused(&mut self, refused: WriteError) -> StreamError {
        match refused {
            WriteError::Closed => StreamError::Closed,
            WriteError::Broken => self.failed.next_error(),
            overrun @ WriteError::Overrun { .. } => StreamError::Trap(wasmtime::Error::new(overrun)),
        }
    }
}

impl Drop for GuestOutput {
    fn drop(&mut self) {
        self.end.shared.drop_writer(self.end.pipe, self.id);
    }
}

#[async_trait]
impl Pollable for GuestInput {
    async fn ready(&mut self) {
        let end = &self.end;
        std::future::poll_fn(|cx| end.shared.poll_readable(end.pipe, cx)).await;
    }
}

#[async_trait]
impl InputStream for GuestInput {
    fn read(&mut self, max_bytes: usize) -> StreamResult<Bytes> {
        match self.end.shared.read(self.end.pipe, max_bytes) {
            ReadOutcome::Bytes(bytes) => Ok(bytes),
            ReadOutcome::Nothing => Ok(Bytes::new()),
            ReadOutcome::End => Err(StreamError::Closed),
            ReadOutcome::Broken => Err(self.failed.next_error()),
        }
    }

    /// Waits again after each premature readiness. The default implementation gives up after ten times.
    async fn blocking_read(&mut self, max_bytes: usize) -> StreamResult<Bytes> {
        loop {
            self.ready().await;
            let bytes = self.read(max_bytes)?;
            if !bytes.is_empty() || max_bytes == 0 {
                return Ok(bytes);
            }
        }
    }
}

#[async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {
        let (end, id) = (&self.end, self.id);
        std::future::poll_fn(|cx| end.shared.poll_writable(end.pipe, id, cx)).await;
    }
}

#[async_trait]
impl OutputStream for GuestOutput {
    fn check_write(&mut self) -> StreamResult<usize> {
        let permit = self.end.shared.check_write(self.end.pipe, self.id);
        self.permitted(permit)
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let written = self.end.shared.write(self.end.pipe, self.id, bytes);
        written.map_err(|refused| self.refused(refused))
    }

    /// Has the same preconditions as `write`. The default implementation asks `check-write` itself.
    fn write_zeroes(&mut self, len: usize) -> StreamResult<()> {
        // The check comes before the zeroes are allocated, because the guest chooses the length.
        let permitted = self.end.shared.check_permit(self.end.pipe, self.id, len);
        permitted.map_err(|refused| self.refused(refused))?;
        self.write(Bytes::from(vec![0; len]))
    }

    fn flush(&mut self) -> StreamResult<()> {
        let flushed = self.end.shared.flush(self.end.pipe, self.id);
        flushed.map_err(|refused| self.refused(refused))
    }

    /// Waits again after each premature readiness. The default implementation gives up after ten times.
    async fn write_ready(&mut self) -> StreamResult<usize> {
        loop {
            self.ready().await;
            let permit = self.check_write()?;
            if permit > 0 {
                return Ok(permit);
            }
        }
    }
}
