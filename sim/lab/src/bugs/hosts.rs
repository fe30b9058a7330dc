//! Cases whose fault is in a host. They are written as tasks of vats, because the tank cannot control a host's own
//! code.

mod fuel;
mod spawner;
mod waiters;
mod wasi;
mod wire;

use super::Way::{self, Buggy};
use super::cells::start;
use super::{steps, task, yield_now};
use crate::guests;
use capnp::capability::{Client, FromClientHook, Promise};
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, new_broken_cap, new_client, twoparty};
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, FutureExt, select};
use futures::lock::Mutex;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use wavetank::ActorId;
use wavetank::schema::peer_capnp::{byte_stream, executor};
use wavetank_sim::world::World;
use wire::Wire;

pub(super) use fuel::{refilled_budget, tick_grants};
pub(super) use spawner::{cancelled_spawn, dropped_process};
pub(super) use waiters::hashed_waiters;
pub(super) use wasi::{clock_underflow, stdout_worker, two_pollables, zero_timeout};

const SECOND_NS: u64 = 1_000_000_000;

type Served = Result<(), capnp::Error>;

// ---- H01

/// Mended: the wait is bounded by a time-out.
pub(super) fn mute_peer(world: &mut World, way: Way) {
    let mute: executor::Client = new_client(Mute);
    let (peer, caller) = linked::<executor::Client>(world, mute.client);
    let clock = world.clock();
    world.task_of(caller, "caller", async move {
        let answer = echo(&peer, "anybody?");
        match way {
            Buggy => {
                let _ = answer.await;
            }
            Way::Mended => {
                let _ = select(pin!(answer), clock.sleep(SECOND_NS)).await;
            }
        }
    });
}

struct Mute;

impl executor::Server for Mute {
    async fn echo(self: Rc<Self>, _: executor::EchoParams, _: executor::EchoResults) -> Served {
        Promise::from_future(std::future::pending()).await
    }
}

// ---- H02

/// The RPC system is to be polled only after the first answer; a time-out hides that the answer never comes. Mended:
/// the system is polled while the caller waits for the answer.
pub(super) fn unpolled_system(world: &mut World, way: Way) {
    let [near, far] = Wire::pair();
    let served: executor::Client = new_client(Echo);
    let (serving, _) = system(far, Side::Server, Some(served.client));
    task(world, "server", async move {
        let _ = serving.await;
    });
    let clock = world.clock();
    task(world, "caller", async move {
        let (system, peer) = system(near, Side::Client, None);
        let answer = echo(&peer, "hello");
        let answered = match way {
            Buggy => matches!(select(pin!(answer), clock.sleep(SECOND_NS)).await, Either::Left((Ok(()), _))),
            Way::Mended => matches!(select(pin!(answer), system).await, Either::Left((Ok(()), _))),
        };
        assert!(answered, "no answer in time");
    });
}

fn system(wire: Wire, side: Side, serve: Option<Client>) -> (RpcSystem<Side>, executor::Client) {
    let options = capnp::message::ReaderOptions::new();
    let network = twoparty::VatNetwork::new(wire.clone(), wire, side, options);
    let mut system = RpcSystem::new(Box::new(network), serve);
    let peer = system.bootstrap(if side == Side::Client { Side::Server } else { Side::Client });
    (system, peer)
}

// ---- H05

/// If the reader starts before the request is sent, it holds the lock that the writer needs. Mended: one lock for each
/// direction.
pub(super) fn lock_across_read(world: &mut World, way: Way) {
    let ((request, requests), (response, responses)) = (mpsc::unbounded(), mpsc::unbounded());
    let writing = Rc::new(Mutex::new(()));
    let reading = if way == Buggy { writing.clone() } else { Rc::default() };
    task(world, "reader", async move {
        let mut responses = responses;
        yield_now().await;
        let _lock = reading.lock().await;
        let response: Option<&str> = responses.next().await;
        assert_eq!(response, Some("response"));
    });
    task(world, "writer", async move {
        yield_now().await;
        let _lock = writing.lock().await;
        let _ = request.unbounded_send("request");
    });
    task(world, "peer", async move {
        let mut requests = requests;
        if requests.next().await == Some("request") {
            let _ = response.unbounded_send("response");
        }
    });
}

// ---- H06

/// Two tasks wait for the exit code of one child, and the first gives up after some steps. Mended: the code is shared.
pub(super) fn cancelled_wait(world: &mut World, way: Way) {
    let (tell, told) = oneshot::channel::<i32>();
    let shared = told.shared();
    let slot = Rc::new(RefCell::new(Some(shared.clone())));
    // The faulty wait takes the receiver out of the slot; if the wait is cancelled, the code is lost.
    let wait = move || {
        let (slot, shared) = (slot.clone(), shared.clone());
        async move {
            match way {
                Buggy => {
                    let receiver = slot.borrow_mut().take()?;
                    receiver.await.ok()
                }
                Way::Mended => shared.await.ok(),
            }
        }
    };
    let (first, second) = (wait.clone(), wait);
    let (gone, go) = oneshot::channel::<()>();
    task(world, "child", async move {
        steps(3).await;
        let _ = tell.send(7);
    });
    task(world, "first", async move {
        let code = match select(pin!(first()), pin!(steps(3))).await {
            Either::Left((code, _)) => code,
            Either::Right(_) => None,
        };
        // If the first task has the code, the second need not ask.
        if code.is_none() {
            let _ = gone.send(());
        }
    });
    task(world, "second", async move {
        if go.await.is_ok() {
            assert_eq!(second().await, Some(7), "the exit code is lost");
        }
    });
}

// ---- H07

/// The number of bytes asked for is drawn. Mended: an answer is bounded, however much is asked for.
pub(super) fn greedy_read(world: &mut World, way: Way) {
    let sizes = [1, 4096, 65_536, 16 * 1024 * 1024, u32::MAX];
    let asked_bytes = sizes[world.draw(sizes.len() as u32) as usize];
    let zeros: byte_stream::Client = new_client(Zeros(way));
    let (peer, caller) = linked::<byte_stream::Client>(world, zeros.client);
    world.task_of(caller, "caller", async move {
        let mut request = peer.read_request();
        request.get().set_max_bytes(asked_bytes);
        request.send().promise.await.expect("some bytes");
    });
}

struct Zeros(Way);

impl byte_stream::Server for Zeros {
    async fn read(
        self: Rc<Self>,
        params: byte_stream::ReadParams,
        mut results: byte_stream::ReadResults,
    ) -> Served {
        let asked_bytes = params.get()?.get_max_bytes() as usize;
        let buffer = match self.0 {
            Buggy => allocate(asked_bytes),
            Way::Mended => allocate(asked_bytes.min(MEMORY_BYTES)),
        };
        results.get().set_data(&buffer[..1]);
        Ok(())
    }
}

/// The memory that this host can spare for one read.
const MEMORY_BYTES: usize = 64 * 1024;

fn allocate(bytes: usize) -> Vec<u8> {
    assert!(bytes <= MEMORY_BYTES, "out of memory: {bytes} bytes for one read");
    vec![0; bytes]
}

// ---- H10

/// A child ends while it is being replaced. Mended: a result carries the generation of its child.
pub(super) fn old_result(world: &mut World, way: Way) {
    let ((ended, mut results), (replace, mut events)) = (mpsc::unbounded(), mpsc::unbounded());
    task(world, "child", async move {
        steps(3).await;
        let _ = ended.unbounded_send(1);
    });
    task(world, "operator", async move {
        steps(3).await;
        let _ = replace.unbounded_send(2);
    });
    task(world, "supervisor", async move {
        let mut current = 1;
        let mut judged = None;
        for _ in 0..2 {
            futures::select_biased! {
                generation = events.select_next_some() => current = generation,
                generation = results.select_next_some() => {
                    judged = Some(if way == Buggy { current } else { generation });
                }
            }
        }
        assert_eq!(judged, Some(1), "generation 2 was judged by what became of generation 1");
    });
}

// ---- H11

const EVENTS: u32 = 3;

/// Mended: only the receive is in the select; the received event is processed outside.
pub(super) fn cancelled_event(world: &mut World, way: Way) {
    let ((send, mut events), (tick, mut ticks)) = (mpsc::unbounded(), mpsc::unbounded());
    task(world, "events", async move {
        for event in 0..EVENTS {
            steps(2).await;
            let _ = send.unbounded_send(event);
        }
    });
    task(world, "timer", async move {
        for _ in 0..EVENTS {
            steps(3).await;
            let _ = tick.unbounded_send(());
        }
    });
    task(world, "loop", async move {
        let processed = Cell::new(0);
        let process = async |_event: u32| {
            yield_now().await;
            processed.set(processed.get() + 1);
        };
        let mut open = true;
        while open {
            match way {
                Buggy => {
                    let mut handling = pin!(
                        async {
                            match events.next().await {
                                Some(event) => process(event).await,
                                None => open = false,
                            }
                        }
                        .fuse()
                    );
                    futures::select_biased! {
                        () = ticks.select_next_some() => {}
                        () = handling => {}
                    }
                }
                Way::Mended => {
                    let event = futures::select_biased! {
                        () = ticks.select_next_some() => continue,
                        event = events.next() => event,
                    };
                    match event {
                        Some(event) => process(event).await,
                        None => open = false,
                    }
                }
            }
        }
        assert_eq!(processed.get(), EVENTS, "an event was lost");
    });
}

// ---- H12

/// The test aborts a guest and checks for the exit code of a kill, but a guest that never ran has the same code.
/// Mended: the test first waits for a sign of life.
pub(super) fn vacuous_abort(world: &mut World, way: Way) {
    let (cell, _stdio) = start(world.tank(), world.vat("keeper"), guests::SERVER, &["server"]);
    let link = cell.link().expect("a started cell has its link");
    world.task("test", async move {
        if way == Way::Mended {
            let exported = link.bootstrap().await.expect("the link lives");
            echo(&FromClientHook::new(exported.hook), "hello").await.expect("the guest answers");
        }
        cell.kill();
        let exit = cell.wait().await.expect("the host outlives its cells");
        assert_eq!(exit.code, 137);
        assert!(exit.fuel > 0, "the guest was aborted before it ran: the test says nothing");
    });
}

// ---- helpers of several cases

struct Echo;

impl executor::Server for Echo {
    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> Served {
        let message = params.get()?.get_message()?.to_str()?;
        results.get().set_response(format!("Echo: {message}"));
        Ok(())
    }
}

fn echo(peer: &executor::Client, message: &str) -> impl Future<Output = Served> + use<> {
    let mut request = peer.echo_request();
    request.get().set_message(message);
    let answer = request.send().promise;
    async move { answer.await.map(drop) }
}

/// Serves a capability on a vat of its own, over a link; gives the capability as another vat sees it, and that vat.
fn linked<C: FromClientHook>(world: &World, served: Client) -> (C, ActorId) {
    let vat = world.vat("server");
    linked_to(world, vat, served)
}

fn linked_to<C: FromClientHook>(world: &World, vat: ActorId, served: Client) -> (C, ActorId) {
    let caller = world.vat("caller");
    let nothing = new_broken_cap(capnp::Error::failed("nothing is served on this end".into()));
    let [seen, _] = world.join("line", [(caller, nothing), (vat, served)]);
    (C::new(seen.hook), caller)
}
