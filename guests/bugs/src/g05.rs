//! G05: a second RPC poll on a condition, and a timer that hides it.
//!
//! After the application's turn the loop polls RPC again only if bytes were already written in this turn. A call
//! that follows from an answer is queued in a turn that wrote nothing: it stays. A timer of 100 ms in the poll
//! set, put there "to be safe", gives RPC its next turn. All is answered and the exit code is 0, but each
//! dependent call takes 100 ms in which nothing else happens.
//!
//! Mended: the runtime's loop, without any timer.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    process::ExitCode,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures::AsyncWrite;
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wavetank_guest::{Io, Result, link::Link, peer, peer_capnp::executor, reactor::Reactor, run, streams};

use crate::{
    Way, exit_code,
    hand::{self, Session},
};

const CALLS: u32 = 20;
const SAFETY_NS: u64 = 100_000_000;

pub fn main(way: Way) -> ExitCode {
    match way {
        Way::Buggy => exit_code(with_safety_timer()),
        Way::Mended => run(|executor, _: Io| app(executor)),
    }
}

async fn app(executor: executor::Client) -> Result<()> {
    for call in 0..CALLS {
        peer::echo(&executor, &call.to_string()).await?;
    }
    Ok(())
}

fn with_safety_timer() -> Result<()> {
    let written = Rc::new(Cell::new(0));
    let reactor = Reactor::default();
    let link = Link::open()?;
    let (reader, writer) = streams::pair(&reactor, link.input, link.output);
    let writer = Counting { writer, written: written.clone() };
    let (mut session, executor) = Session::over(reactor, reader, writer, None);
    let mut app = hand::app(app(executor));
    let ended = loop {
        let before = written.get();
        session.system.turn();
        app.turn();
        if let Some(ended) = app.take_output() {
            break ended;
        }
        if written.get() > before {
            session.system.turn();
        }
        let timer = session.reactor.watch(subscribe_duration(SAFETY_NS));
        timer.wake_when_ready(&Context::from_waker(Waker::noop()));
        session.reactor.block()?;
    };
    drop(app);
    ended.and(session.close())
}

/// A writer that counts.
struct Counting {
    writer: streams::Writer,
    written: Rc<Cell<u64>>,
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.writer).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = taken {
            self.written.set(self.written.get() + bytes as u64);
        }
        taken
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_close(cx)
    }
}
