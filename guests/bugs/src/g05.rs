//! G05: a second RPC poll on a condition, and a timer that hides it.
//!
//! After the application's turn the loop polls RPC again only if bytes were already written in this turn. A call that
//! follows from an answer is queued in a turn that wrote nothing, so it stays queued. A timer of 100 ms in the poll
//! set, put there "to be safe", gives RPC its next turn. Every call is answered and the exit code is 0, but each
//! dependent call takes 100 ms in which nothing else happens. There are three variants:
//!
//! - `g05`: the timer is always in the poll set;
//! - `g05-quiet`: it is left out in turns that wrote something, so that no timer runs while an answer is awaited;
//! - `g05-late`: RPC has a turn every 100 ms, and in between nothing even waits for the link.
//!
//! Mended: the runtime's loop, without any timer. The twin of `g05-quiet` sleeps between its calls and holds each
//! answer meanwhile; that of `g05-late` has a ticking clock beside its calls. From outside, they write at the same
//! times as the faulty guests, but they are correct.

use std::{
    cell::{Cell, RefCell},
    env, io,
    pin::Pin,
    process::ExitCode,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::{
    AsyncRead, AsyncWrite,
    future::{Either, select},
};
use peer::peer_capnp::executor;
use wasip2::{
    clocks::monotonic_clock::subscribe_duration,
    io::streams::{InputStream, StreamError},
};
use wavetank_guest::{Io, Result, link::Link, reactor::Reactor, run, streams};

use crate::{
    Way, exit_code,
    hand::{self, Session},
};

const CALLS: usize = 20;
const SAFETY_NS: u64 = 100_000_000;

/// When the safety timer is in the poll set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timer {
    Always,
    UnlessItWrote,
}

pub fn main(way: Way) -> ExitCode {
    match way {
        Way::Buggy => exit_code(with_safety_timer(Timer::Always)),
        Way::Mended => run(|executor, _: Io| app(executor)),
    }
}

pub fn main_quiet(way: Way) -> ExitCode {
    match way {
        Way::Buggy => exit_code(with_safety_timer(Timer::UnlessItWrote)),
        Way::Mended => run(sleepy_app),
    }
}

pub fn main_late(way: Way) -> ExitCode {
    match way {
        Way::Buggy => exit_code(by_the_clock()),
        Way::Mended => run(ticking_app),
    }
}

/// The number of calls: the word after the way, or 20.
fn calls() -> usize {
    env::args().nth(3).and_then(|word| word.parse().ok()).unwrap_or(CALLS)
}

async fn app(executor: executor::Client) -> Result<()> {
    for call in 0..calls() {
        peer::echo(&executor, &call.to_string()).await?;
    }
    Ok(())
}

/// Sleeps after each call and holds its answer meanwhile, so Finish goes out only with the next call.
async fn sleepy_app(executor: executor::Client, io: Io) -> Result<()> {
    for call in 0..calls() {
        let mut request = executor.echo_request();
        request.get().set_message(&*call.to_string());
        let answer = request.send().promise.await?;
        io.sleep(Duration::from_nanos(SAFETY_NS)).await;
        drop(answer);
    }
    Ok(())
}

/// Makes a call at each tick. The clock ticks on while the call is in flight.
async fn ticking_app(executor: executor::Client, io: Io) -> Result<()> {
    for call in 0..calls() {
        io.sleep(Duration::from_nanos(SAFETY_NS)).await;
        let message = call.to_string();
        let mut echo = Box::pin(peer::echo(&executor, &message));
        loop {
            match select(echo, io.sleep(Duration::from_nanos(SAFETY_NS))).await {
                Either::Left((answered, _)) => {
                    answered?;
                    break;
                }
                Either::Right(((), waits)) => echo = waits,
            }
        }
    }
    Ok(())
}

fn with_safety_timer(timer: Timer) -> Result<()> {
    let written = Rc::new(Cell::new(0));
    let reactor = Reactor::default();
    let link = Link::over_connection();
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
        let safety = session.reactor.watch(subscribe_duration(SAFETY_NS));
        if timer == Timer::Always || written.get() == before {
            safety.wake_when_ready(&Context::from_waker(Waker::noop()));
        }
        session.reactor.block()?;
    };
    drop(app);
    ended.and(session.close())
}

/// Gives RPC a turn every 100 ms. In between, nothing waits for the link.
fn by_the_clock() -> Result<()> {
    let reactor = Reactor::default();
    let link = Link::over_connection();
    let waiting = Rc::new(RefCell::new(None));
    let reader = Glancing { stream: link.input, waiting: waiting.clone() };
    let writer = streams::Writer::new(&reactor, link.output);
    let (mut session, executor) = Session::over(reactor, reader, writer, None);
    let mut app = hand::app(app(executor));
    let ended = loop {
        while session.system.turn() | app.turn() {}
        if let Some(ended) = app.take_output() {
            break ended;
        }
        subscribe_duration(SAFETY_NS).block();
        if let Some(waker) = waiting.take() {
            Waker::wake(waker);
        }
    };
    drop(app);
    // For an orderly end, its host would have to send something once more.
    drop(session);
    ended
}

/// A reader that checks whether there are bytes, but does not wait for them.
struct Glancing {
    stream: InputStream,
    waiting: Rc<RefCell<Option<Waker>>>,
}

impl AsyncRead for Glancing {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.stream.read(buf.len() as u64) {
            Ok(bytes) if bytes.is_empty() => {
                *self.waiting.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
            Ok(bytes) => {
                buf[..bytes.len()].copy_from_slice(&bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            Err(StreamError::Closed) => Poll::Ready(Ok(0)),
            Err(failed) => Poll::Ready(Err(io::Error::other(failed.to_string()))),
        }
    }
}

/// A writer that counts the bytes it has written.
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
