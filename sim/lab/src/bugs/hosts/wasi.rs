//! W01 to W04: streams, a clock and a poll of the host's own, as it would provide them to its guests. Their user is a
//! task, because the tank itself provides the imports of a cell.

use super::{Echo, SECOND_NS, echo, linked};
use crate::bugs::Way::{self, Buggy};
use crate::bugs::{steps, task};
use crate::guests;
use capnp_rpc::new_client;
use futures::channel::mpsc;
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use wavetank::schema::peer_capnp::executor;
use wavetank_sim::Transport;
use wavetank_sim::world::{World, peer, yield_now};

// ---- W01

/// A stdout that a worker drains into a cell's stdin (wasmtime#8781). Each poll starts a new wait for the worker and
/// drops it again, and the waker is dropped with it. Mended: a wait is kept until it is over.
pub(in crate::bugs) fn stdout_worker(world: &mut World, way: Way) {
    let copy = world.cell("copy", guests::CHILD_COPY).transport(Transport::Connection).keep_stdin();
    let mut copy = copy.serve(peer::executor(world)).spawn();
    copy.expect_exit(0).expect_stdout("one two three");
    let stdin = copy.stdin().expect("stdin is the cell's own");
    let (work, mut jobs) = mpsc::unbounded::<&str>();
    let stdout = Rc::new(Stdout::default());
    let drained = stdout.clone();
    task(world, "worker", async move {
        while let Some(piece) = jobs.next().await {
            stdin.write(piece.into()).await.expect("the cell reads");
            drained.is_busy.set(false);
            if let Some(waiter) = drained.waiter.take() {
                waiter.wake();
            }
        }
        stdin.close();
    });
    task(world, "program", async move {
        for piece in ["one ", "two ", "three"] {
            stdout.ready(way).await;
            stdout.is_busy.set(true);
            let _ = work.unbounded_send(piece);
            steps(2).await;
        }
    });
}

#[derive(Default)]
struct Stdout {
    is_busy: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Stdout {
    async fn ready(&self, way: Way) {
        match way {
            Buggy => std::future::poll_fn(|cx| Wait(self).poll_unpin(cx)).await,
            Way::Mended => Wait(self).await,
        }
    }
}

/// A wait that is dropped is not woken.
struct Wait<'a>(&'a Stdout);

impl Future for Wait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.0.is_busy.get() {
            return Poll::Ready(());
        }
        self.0.waiter.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.waiter.take();
    }
}

// ---- W02

/// Two tasks wait for one stream, which the answer to a call fills. The stream keeps only the waker of the last
/// (wasmtime#7767 asks for two pollables that agree). Mended: it keeps all wakers.
pub(in crate::bugs) fn two_pollables(world: &mut World, way: Way) {
    let stream = Rc::new(Stream::default());
    let served: executor::Client = new_client(Echo);
    let (peer, caller) = linked::<executor::Client>(world, served.client);
    let filled = stream.clone();
    world.task_of(caller, "pump", async move {
        echo(&peer, "hello").await.expect("an answer");
        filled.is_ready.set(true);
        filled.wakers.take().into_iter().for_each(Waker::wake);
    });
    for name in ["first", "second"] {
        let stream = stream.clone();
        task(world, name, async move { std::future::poll_fn(|cx| stream.poll_ready(cx, way)).await });
    }
}

#[derive(Default)]
struct Stream {
    is_ready: Cell<bool>,
    wakers: RefCell<Vec<Waker>>,
}

impl Stream {
    fn poll_ready(&self, cx: &mut Context<'_>, way: Way) -> Poll<()> {
        if self.is_ready.get() {
            return Poll::Ready(());
        }
        let mut wakers = self.wakers.borrow_mut();
        if way == Buggy {
            wakers.clear();
        }
        wakers.push(cx.waker().clone());
        Poll::Pending
    }
}

// ---- W03

const HOUR_NS: u64 = 3600 * SECOND_NS;

/// A clock that subtracts the wrong way round when it computes the time left until an instant (wasmtime#6993), so that
/// a future instant is centuries away. The sleeper is given up after an hour. Mended: it subtracts now from the
/// instant, and gives zero for an instant that has passed.
pub(in crate::bugs) fn clock_underflow(world: &mut World, way: Way) {
    let clock = world.clock();
    task(world, "sleeper", async move {
        for at_ns in [SECOND_NS, 2 * SECOND_NS, SECOND_NS] {
            let now_ns = clock.now_ns();
            let left_ns = match way {
                Buggy => now_ns.wrapping_sub(at_ns),
                Way::Mended => at_ns.saturating_sub(now_ns),
            };
            let woken = select(clock.sleep(left_ns), clock.sleep(HOUR_NS)).await;
            assert!(matches!(woken, Either::Left(_)), "it still sleeps an hour later");
        }
    });
}

// ---- W04

/// Number of polls until a program gives up: more than the choices of a run, after which every task has its turn.
const POLLS: u32 = 10_000;

/// A poll with a zero time-out that answers without yielding (wasmtime#13040). The task that would bring the news gets
/// no turn, however often the poll is repeated. Mended: the poll yields once before it answers.
pub(in crate::bugs) fn zero_timeout(world: &mut World, way: Way) {
    let is_ready = Rc::new(Cell::new(false));
    let news = is_ready.clone();
    task(world, "runtime", async move {
        steps(2).await;
        news.set(true);
    });
    let poll = async move || {
        if way == Way::Mended {
            yield_now().await;
        }
        is_ready.get()
    };
    task(world, "program", async move {
        steps(3).await;
        for _ in 0..POLLS {
            if poll().await {
                return;
            }
        }
        panic!("no news in {POLLS} polls");
    });
}
