//! G23: bytes that are never flushed.
//!
//! The adapter's `poll_flush` does nothing, because every host that its author knew sends all bytes at once.
//! WASI promises that only for flushed bytes: until a flush, a host may keep the bytes as long as
//! `check-write` permits more. Then the first call of the session never leaves the host, and the guest waits
//! for its answer for ever.
//!
//! Mended: the runtime's writer, which asks the stream for a flush.

use std::{
    io,
    pin::Pin,
    process::ExitCode,
    task::{Context, Poll},
};

use futures::AsyncWrite;
use peer::peer_capnp::executor;
use wavetank_guest::{Io, Result, link::Link, reactor::Reactor, run, streams, streams::Writer, task};

use crate::{Way, exit_code, hand::Session};

pub fn main(way: Way) -> ExitCode {
    match way {
        Way::Buggy => exit_code(without_flush()),
        Way::Mended => run(|executor, _: Io| app(executor)),
    }
}

async fn app(executor: executor::Client) -> Result<()> {
    peer::echo(&executor, "never flushed").await
}

fn without_flush() -> Result<()> {
    let reactor = Reactor::default();
    let link = Link::over_connection();
    let (reader, writer) = streams::pair(&reactor, link.input, link.output);
    let (mut session, executor) = Session::over(reactor, reader, NeverFlushes(writer), None);
    let app = Box::pin(app(executor));
    let ended = task::run(&session.reactor, app, &mut session.system)?;
    ended.and(session.close())
}

struct NeverFlushes(Writer);

impl AsyncWrite for NeverFlushes {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
