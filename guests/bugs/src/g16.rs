//! G16: a failed write swallowed.
//!
//! The adapter over the link's output reports each error as "written", on the theory that a dead link shows on its
//! input. But a link can be broken in one direction while the other still works. The application sends a report, needs
//! no answer, and exits with 0, but the report never left.
//!
//! Mended: the runtime's own adapter, in which a failed write fails the link, and a guest that waits for the answer.

use std::{
    io,
    pin::Pin,
    process::ExitCode,
    task::{Context, Poll},
};

use futures::{AsyncReadExt, AsyncWrite};
use peer::peer_capnp::executor;
use wasip2::cli::stdin::get_stdin;
use wavetank_guest::{
    Io, Result,
    link::Link,
    reactor::Reactor,
    run,
    streams::{Reader, Writer},
};

use crate::{
    Way, exit_code,
    hand::{self, Session},
};

pub fn main(way: Way) -> ExitCode {
    match way {
        Way::Buggy => exit_code(report_to_nobody()),
        Way::Mended => run(|executor: executor::Client, io: Io| async move {
            let mut bytes = Vec::new();
            io.stdin()?.read_to_end(&mut bytes).await?;
            peer::echo(&executor, &format!("{} bytes", bytes.len())).await
        }),
    }
}

async fn app(executor: executor::Client, mut stdin: Reader) -> Result<()> {
    let mut bytes = Vec::new();
    stdin.read_to_end(&mut bytes).await?;
    let mut request = executor.echo_request();
    request.get().set_message(&*format!("{} bytes", bytes.len()));
    // The answer is known in advance, so nobody waits for it.
    drop(request.send());
    Ok(())
}

fn report_to_nobody() -> Result<()> {
    let reactor = Reactor::default();
    let link = Link::over_connection();
    let reader = Reader::new(&reactor, link.input);
    let writer = Carefree(Writer::new(&reactor, link.output));
    let stdin = Reader::new(&reactor, get_stdin());
    let (mut session, executor) = Session::over(reactor, reader, writer, None);
    let mut app = hand::app(app(executor, stdin));
    let ended = loop {
        let ran = session.system.turn() | app.turn();
        if let Some(ended) = app.take_output() {
            break ended;
        }
        if !ran {
            session.reactor.block()?;
        }
    };
    drop(app);
    ended.and(session.close())
}

/// A writer that never reports an error.
struct Carefree(Writer);

impl AsyncWrite for Carefree {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf).map(|written| written.or(Ok(buf.len())))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx).map(|_| Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx).map(|_| Ok(()))
    }
}
