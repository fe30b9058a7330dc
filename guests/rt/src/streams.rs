//! WASI streams as `futures` readers and writers.
//!
//! They keep these rules:
//!
//! - An empty read means "not yet". Only `Closed` is the end.
//! - A write never exceeds the permit of `check_write`.
//! - A task waits for a stream only after the stream had no bytes to read, or took no bytes.
//! - A stream outlives its pollable. Rust drops fields in the order of their declaration, so the pollable comes first.
//!
//! Nothing here blocks.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::{
    hangup::Hangup,
    reactor::{Reactor, Watch},
};

/// A read asks the host for at least this many bytes, because a message begins with a header of only 8 bytes. The
/// reader keeps the rest for the next read.
const READ_MIN_BYTES: usize = 4 * 1024;
/// A read asks for at most this many bytes, even if its caller wants more.
const READ_MAX_BYTES: usize = 64 * 1024;

/// Reads an input stream.
pub struct Reader {
    watch: Option<Watch>,
    stream: InputStream,
    reactor: Reactor,
    hangup: Hangup,
    read_ahead: Vec<u8>,
    consumed_bytes: usize,
}

/// Writes to an output stream.
pub struct Writer {
    watch: Option<Watch>,
    stream: Rc<OutputStream>,
    reactor: Reactor,
    hangup: Hangup,
    /// Whether a close has asked for its flush. Nothing was written since.
    flushes_last: bool,
}

/// Makes the two ends of a link. If the writer fails, the reader fails too.
pub fn pair(reactor: &Reactor, input: InputStream, output: OutputStream) -> (Reader, Writer) {
    let hangup = Hangup::default();
    let mut reader = Reader::new(reactor, input);
    let mut writer = Writer::new(reactor, output);
    reader.hangup = hangup.clone();
    writer.hangup = hangup;
    (reader, writer)
}

impl Reader {
    /// Makes a reader of a stream that belongs to no pair.
    pub fn new(reactor: &Reactor, stream: InputStream) -> Self {
        Self {
            watch: None,
            stream,
            reactor: reactor.clone(),
            hangup: Hangup::default(),
            read_ahead: Vec::new(),
            consumed_bytes: 0,
        }
    }
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.consumed_bytes == this.read_ahead.len() && !buf.is_empty() {
            let wanted_bytes = buf.len().clamp(READ_MIN_BYTES, READ_MAX_BYTES);
            match this.stream.read(wanted_bytes as u64) {
                Ok(bytes) if bytes.is_empty() => {
                    this.hangup.check(cx)?;
                    this.watch
                        .get_or_insert_with(|| this.reactor.watch(this.stream.subscribe()))
                        .wake_when_ready(cx);
                    return Poll::Pending;
                }
                Ok(bytes) => {
                    this.read_ahead = bytes;
                    this.consumed_bytes = 0;
                }
                Err(StreamError::Closed) => return Poll::Ready(Ok(0)),
                Err(failed) => return Poll::Ready(Err(to_io_error(failed))),
            }
        }
        let unread = &this.read_ahead[this.consumed_bytes..];
        let taken_bytes = unread.len().min(buf.len());
        buf[..taken_bytes].copy_from_slice(&unread[..taken_bytes]);
        this.consumed_bytes += taken_bytes;
        Poll::Ready(Ok(taken_bytes))
    }
}

impl Writer {
    /// Makes a writer of a stream that belongs to no pair.
    pub fn new(reactor: &Reactor, stream: OutputStream) -> Self {
        Self {
            watch: None,
            stream: Rc::new(stream),
            reactor: reactor.clone(),
            hangup: Hangup::default(),
            flushes_last: false,
        }
    }

    /// Makes a second writer of the same stream, with a pollable of its own.
    pub(crate) fn twin(&self) -> Self {
        Self {
            watch: None,
            stream: self.stream.clone(),
            reactor: self.reactor.clone(),
            hangup: self.hangup.clone(),
            flushes_last: false,
        }
    }

    /// Waits until the stream takes more bytes, and returns the permit. A flush that was asked for is done by then.
    pub fn poll_permit(&mut self, cx: &Context<'_>) -> Poll<io::Result<u64>> {
        match self.stream.check_write() {
            Ok(0) => {
                self.watch
                    .get_or_insert_with(|| self.reactor.watch(self.stream.subscribe()))
                    .wake_when_ready(cx);
                Poll::Pending
            }
            permit => Poll::Ready(self.checked(permit)),
        }
    }

    fn checked<T>(&self, result: Result<T, StreamError>) -> io::Result<T> {
        result.map_err(|error| {
            self.hangup.report();
            to_io_error(error)
        })
    }
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let permit_bytes = std::task::ready!(self.poll_permit(cx))?;
        let taken_bytes = buf.len().min(usize::try_from(permit_bytes).unwrap_or(usize::MAX));
        self.flushes_last = false;
        self.checked(self.stream.write(&buf[..taken_bytes]))?;
        Poll::Ready(Ok(taken_bytes))
    }

    /// Asks for a flush but does not wait for it. Until the flush is done the stream grants nothing, so the next write
    /// waits for it. RPC needs no more, and most messages are followed by no write that would have to wait.
    ///
    /// To wait for the flush, call [`Writer::poll_permit`] or close the writer.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.checked(self.stream.flush()))
    }

    /// Asks for a last flush and waits until it is done. The stream itself is closed when the writer is dropped.
    ///
    /// Fails if the reader is gone, even if it has read everything, because the writer cannot know that.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.flushes_last {
            std::task::ready!(self.poll_permit(cx))?;
            self.checked(self.stream.flush())?;
            self.flushes_last = true;
        }
        self.poll_permit(cx).map_ok(drop)
    }
}

fn to_io_error(error: StreamError) -> io::Error {
    match error {
        StreamError::Closed => io::Error::new(io::ErrorKind::BrokenPipe, "the stream is closed"),
        StreamError::LastOperationFailed(error) => io::Error::other(error.to_debug_string()),
    }
}
