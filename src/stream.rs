//! The two ends of a pipe, as both sides of the border know them: `wasi:io` streams for guests, `AsyncRead`
//! and `AsyncWrite` for the host.

use crate::event::End;
use crate::fabric::Fabric;
use crate::ids::PipeId;
use crate::pipe::{Permit, Refused, Taken};
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
    fabric: Fabric,
    pipe: PipeId,
}

/// The writing end of a pipe. Closes it when dropped.
pub struct PipeWriter {
    fabric: Fabric,
    pipe: PipeId,
}

impl PipeReader {
    pub(crate) fn new(fabric: &Fabric, pipe: PipeId) -> Self {
        PipeReader { fabric: fabric.clone(), pipe }
    }

    pub(crate) fn pipe(&self) -> PipeId {
        self.pipe
    }

    /// Reads at least one byte and at most `max_bytes`; `None` is the end of the stream.
    ///
    /// # Errors
    /// `ConnectionReset` where the pipe was reset.
    pub async fn take(&self, max_bytes: usize) -> io::Result<Option<Bytes>> {
        std::future::poll_fn(|cx| {
            match self.fabric.read(self.pipe, max_bytes) {
                Taken::Bytes(bytes) => return Poll::Ready(Ok(Some(bytes))),
                Taken::End => return Poll::Ready(Ok(None)),
                Taken::Broken => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                Taken::Nothing => {}
            }
            // Nothing can come between: one thread. The waker is registered for the next delivery.
            let _ = self.fabric.poll_readable(self.pipe, cx);
            Poll::Pending
        })
        .await
    }
}

impl PipeWriter {
    pub(crate) fn new(fabric: &Fabric, pipe: PipeId) -> Self {
        PipeWriter { fabric: fabric.clone(), pipe }
    }

    pub(crate) fn pipe(&self) -> PipeId {
        self.pipe
    }

    /// Writes all of `bytes`, waiting for budget as often as needed.
    ///
    /// # Errors
    /// `BrokenPipe` where nobody reads any more, `ConnectionReset` where the pipe was reset.
    pub async fn give(&self, mut bytes: Bytes) -> io::Result<()> {
        while !bytes.is_empty() {
            let permit = std::future::poll_fn(|cx| self.poll_permit(cx)).await?;
            let piece = bytes.split_to(permit.min(bytes.len()));
            self.put(piece);
        }
        Ok(())
    }

    fn poll_permit(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match self.fabric.check_write(self.pipe) {
            Permit::Bytes(0) => {
                let _ = self.fabric.poll_writable(self.pipe, cx);
                Poll::Pending
            }
            Permit::Bytes(permit) => Poll::Ready(Ok(permit)),
            Permit::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Permit::Broken => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    fn put(&self, bytes: Bytes) {
        self.fabric.write(self.pipe, bytes).expect("the piece is no longer than the permit just given");
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.fabric.close(self.pipe, End::Reader);
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.fabric.close(self.pipe, End::Writer);
    }
}

impl AsyncRead for PipeReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.fabric.read(self.pipe, into.len()) {
            Taken::Bytes(bytes) => {
                into[..bytes.len()].copy_from_slice(&bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            Taken::End => Poll::Ready(Ok(0)),
            Taken::Broken => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Taken::Nothing if into.is_empty() => Poll::Ready(Ok(0)),
            Taken::Nothing => {
                let _ = self.fabric.poll_readable(self.pipe, cx);
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

    /// Bytes of a pipe are on their way once written: there is nothing to wait for.
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
/// `get-stdin` may be called several times: all its handles share one end, which closes with the last.
pub(crate) struct GuestInput(pub(crate) Arc<PipeReader>);

/// A guest's handle on the writing end of a pipe.
pub(crate) struct GuestOutput(pub(crate) Arc<PipeWriter>);

fn broken() -> StreamError {
    StreamError::LastOperationFailed(wasmtime::format_err!("the pipe was reset"))
}

#[async_trait]
impl Pollable for GuestInput {
    async fn ready(&mut self) {
        let end = &self.0;
        std::future::poll_fn(|cx| end.fabric.poll_readable(end.pipe, cx)).await;
    }
}

#[async_trait]
impl InputStream for GuestInput {
    fn read(&mut self, max_bytes: usize) -> StreamResult<Bytes> {
        match self.0.fabric.read(self.0.pipe, max_bytes) {
            Taken::Bytes(bytes) => Ok(bytes),
            Taken::Nothing => Ok(Bytes::new()),
            Taken::End => Err(StreamError::Closed),
            Taken::Broken => Err(broken()),
        }
    }

    /// Waits as often as readiness was premature: the default gives up after ten times.
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
        let end = &self.0;
        std::future::poll_fn(|cx| end.fabric.poll_writable(end.pipe, cx)).await;
    }
}

#[async_trait]
impl OutputStream for GuestOutput {
    fn check_write(&mut self) -> StreamResult<usize> {
        match self.0.fabric.check_write(self.0.pipe) {
            Permit::Bytes(permit) => Ok(permit),
            Permit::Closed => Err(StreamError::Closed),
            Permit::Broken => Err(broken()),
        }
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.fabric.write(self.0.pipe, bytes).map_err(|refused| match refused {
            Refused::Closed => StreamError::Closed,
            Refused::Broken => broken(),
            overrun @ Refused::Overrun { .. } => StreamError::Trap(wasmtime::Error::new(overrun)),
        })
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.0.fabric.flush(self.0.pipe);
        Ok(())
    }

    /// Waits as often as readiness was premature: the default gives up after ten times.
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
