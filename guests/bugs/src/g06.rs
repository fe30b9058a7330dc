//! G06: after a refused write, the writer is left out of the poll set.
//!
//! When `check-write` returns 0, the adapter is not ready. That is correct, but then nothing waits for the stream to
//! take more. The loop blocks on its reader alone and tries the write again whenever something arrives. A message that
//! fits the pipe passes. A message that is refused, because the pipe is small or full or its last flush is not done,
//! stays until the peer happens to speak. If the peer waits for this very message, it never does.
//!
//! Mended: the runtime's writer, which has its task woken when there is budget.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    process::ExitCode,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures::AsyncWrite;
use peer::peer_capnp::executor;
use wasip2::io::streams::OutputStream;
use wavetank_guest::{Io, Result, link::Link, reactor::Reactor, run, streams::Reader};

use crate::{
    Way, exit_code,
    hand::{self, Session},
};

const CALLS: usize = 3;
const MESSAGE_BYTES: usize = 20_000;

pub fn main(way: Way) -> ExitCode {
    match way {
        Way::Buggy => exit_code(without_writer()),
        Way::Mended => run(|executor, _: Io| app(executor)),
    }
}

async fn app(executor: executor::Client) -> Result<()> {
    for call in 0..CALLS {
        peer::echo(&executor, &format!("{call:.<MESSAGE_BYTES$}")).await?;
    }
    Ok(())
}

fn without_writer() -> Result<()> {
    let reactor = Reactor::default();
    let link = Link::over_connection();
    let reader = Reader::new(&reactor, link.input);
    let refused = Refused::default();
    let writer = Forgetful { stream: link.output, refused: refused.clone() };
    let (mut session, executor) = Session::over(reactor, reader, writer, None);
    let mut app = hand::app(app(executor));
    let ended = loop {
        while session.system.turn() | app.turn() {}
        if let Some(ended) = app.take_output() {
            break ended;
        }
        session.reactor.block()?;
        if let Some(writer) = refused.take() {
            writer.wake();
        }
    };
    drop(app);
    ended.and(session.close())
}

/// The waker of the task whose write was refused last.
type Refused = Rc<RefCell<Option<Waker>>>;

struct Forgetful {
    stream: OutputStream,
    refused: Refused,
}

impl AsyncWrite for Forgetful {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let permit_bytes = self.stream.check_write().map_err(io::Error::other)? as usize;
        if permit_bytes == 0 {
            *self.refused.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken_bytes = buf.len().min(permit_bytes);
        self.stream.write(&buf[..taken_bytes]).map_err(io::Error::other)?;
        Poll::Ready(Ok(taken_bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.flush().map_err(io::Error::other))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
