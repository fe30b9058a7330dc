//! Cases whose fault is between vats: servers that call each other, each with state of its own.
//!
//! Every vat is known to the others by the capability that it serves, whose one method takes and gives text.

use super::Way::{self, Buggy};
use super::{steps, yield_now};
use capnp::Error;
use capnp::capability::{Client, FromClientHook};
use capnp_rpc::new_client;
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::lock::Mutex;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use wavetank::ActorId;
use wavetank::schema::peer_capnp::executor;
use wavetank_sim::world::World;

// ---- V01

/// Each of two vats holds its own lock while it asks the other one to take the other's. Mended: it lets go of its own
/// lock first.
pub(super) fn mutual_locks(world: &mut World, way: Way) {
    ring(world, way, ["a", "b"]);
}

// ---- V02

/// The same in a ring of three vats.
pub(super) fn ring_of_locks(world: &mut World, way: Way) {
    ring(world, way, ["a", "b", "c"]);
}

/// Pauses by which each vat of a ring is behind the one before it.
const HEAD_START: u32 = 6;

fn ring<const VATS: usize>(world: &World, way: Way, names: [&str; VATS]) {
    let vats = names.map(|name| world.vat(name));
    let locks = names.map(|_| Rc::new(Mutex::new(())));
    let served = locks.clone().map(|lock| {
        serving(move |_| {
            let lock = lock.clone();
            async move {
                let _held = lock.lock().await;
                Ok("taken".into())
            }
        })
    });
    for place in 0..VATS {
        let next = (place + 1) % VATS;
        let name = format!("{} and {}", names[place], names[next]);
        let [neighbour, _] =
            world.join(&name, [(vats[place], nothing()), (vats[next], served[next].clone())]);
        let lock = locks[place].clone();
        world.task_of(vats[place], "take both", async move {
            // So that under some schedules one is done before the next begins.
            steps(HEAD_START * place as u32).await;
            let held = lock.lock().await;
            if way == Way::Mended {
                drop(held);
            }
            ask(neighbour, "take").await.expect("the neighbour's lock");
        });
    }
}

// ---- V03

/// A mailbox wakes one of those who wait when a message comes, but only if it was empty before: the second of two
/// messages wakes nobody. Mended: each message wakes one.
pub(super) fn mailbox(world: &mut World, way: Way) {
    let messages: Rc<RefCell<VecDeque<String>>> = Rc::default();
    let waiting: Rc<RefCell<VecDeque<oneshot::Sender<()>>>> = Rc::default();
    let served = serving(move |message| {
        let messages = messages.clone();
        let waiting = waiting.clone();
        async move {
            if message == "take" {
                loop {
                    if let Some(message) = messages.borrow_mut().pop_front() {
                        return Ok(message);
                    }
                    let (wake, woken) = oneshot::channel();
                    waiting.borrow_mut().push_back(wake);
                    let _ = woken.await;
                }
            }
            messages.borrow_mut().push_back(message);
            let wakes = way == Way::Mended || messages.borrow().len() == 1;
            let wake = if wakes { waiting.borrow_mut().pop_front() } else { None };
            if let Some(wake) = wake {
                let _ = wake.send(());
            }
            Ok("put".into())
        }
    });
    let mailbox = world.vat("mailbox");
    for (name, message) in [("first", "take"), ("second", "take"), ("third", "one"), ("fourth", "two")] {
        calls_once(world, name, (mailbox, &served), message);
    }
}

// ---- V04

/// A broker hands a store's answers to those who asked for them, and writes down who asked only after it has asked the
/// store. Mended: before.
pub(super) fn late_entry(world: &mut World, way: Way) {
    let broker = world.vat("broker");
    let store = world.vat("store");
    let [stored, _] = world
        .join("broker and store", [(broker, nothing()), (store, serving(|_| async { Ok("value".into()) }))]);
    let asked: Rc<RefCell<BTreeMap<u32, oneshot::Sender<String>>>> = Rc::default();
    let (answers, mut to_hand_out) = mpsc::unbounded();
    let entries = asked.clone();
    world.task_of(broker, "hand out the answer", async move {
        if let Some((id, answer)) = to_hand_out.next().await {
            // It has some work of its own to do first.
            steps(3).await;
            if let Some(asker) = entries.borrow_mut().remove(&id) {
                let _ = asker.send(answer);
            }
        }
    });
    let ids = Rc::new(Cell::new(0));
    let served = serving(move |key| {
        let stored = stored.clone();
        let asked = asked.clone();
        let answers = answers.clone();
        let ids = ids.clone();
        async move {
            let id = ids.replace(ids.get() + 1);
            let (tell, told) = oneshot::channel();
            if way == Way::Mended {
                asked.borrow_mut().insert(id, tell);
                let answer = ask(stored, key).await?;
                let _ = answers.unbounded_send((id, answer));
            } else {
                let answer = ask(stored, key).await?;
                let _ = answers.unbounded_send((id, answer));
                yield_now().await;
                asked.borrow_mut().insert(id, tell);
            }
            told.await.map_err(|_| Error::failed("the broker has ended".into()))
        }
    });
    calls_once(world, "reader", (broker, &served), "key");
}

// ---- V05

/// The last of a chain of vats looks whether its value is there, pauses, and only then asks to be told: a value that
/// came meanwhile is never told. Mended: it looks once more.
pub(super) fn missed_value(world: &mut World, way: Way) {
    let value = Rc::new(Cell::new(false));
    let waiting: Rc<RefCell<Vec<oneshot::Sender<()>>>> = Rc::default();
    let served = serving(move |message| {
        let value = value.clone();
        let waiting = waiting.clone();
        async move {
            if message == "set" {
                value.set(true);
                waiting.borrow_mut().clear();
                return Ok("set".into());
            }
            if !value.get() {
                yield_now().await;
                if way == Buggy || !value.get() {
                    let (wake, woken) = oneshot::channel::<()>();
                    waiting.borrow_mut().push(wake);
                    // Told by the end of the sender.
                    let _ = woken.await;
                }
            }
            Ok("value".into())
        }
    });
    let relay = world.vat("relay");
    let store = world.vat("store");
    let [stored, _] = world.join("relay and store", [(relay, nothing()), (store, served.clone())]);
    let relayed = serving(move |key| ask(stored.clone(), key));
    calls_once(world, "reader", (relay, &relayed), "get");
    calls_once(world, "writer", (store, &served), "set");
}

// ---- V06

/// A shop holds a borrow of its total while it asks the store for a price. Mended: it asks first.
#[expect(clippy::await_holding_refcell_ref, reason = "the fault itself")]
pub(super) fn borrow_across_call(world: &mut World, way: Way) {
    let shop = world.vat("shop");
    let store = world.vat("store");
    let [stored, _] =
        world.join("shop and store", [(shop, nothing()), (store, serving(|_| async { Ok("3".into()) }))]);
    let total = Rc::new(RefCell::new(0_u32));
    let served = serving(move |item| {
        let stored = stored.clone();
        let total = total.clone();
        async move {
            if way == Way::Mended {
                let price = price(stored, &item).await?;
                *total.borrow_mut() += price;
            } else {
                let mut total = total.borrow_mut();
                *total += price(stored, &item).await?;
            }
            Ok("added".into())
        }
    });
    calls_once(world, "first", (shop, &served), "pen");
    calls_once(world, "second", (shop, &served), "ink");
}

async fn price(store: Client, item: &str) -> Result<u32, Error> {
    let price = ask(store, item).await?;
    price.parse().map_err(|_| Error::failed(format!("{price} is no price")))
}

// ---- V07

/// A pool of one connection does not take it back if the work with it has failed. Mended: it does.
pub(super) fn lost_permit(world: &mut World, way: Way) {
    let io = world.io().fails(3);
    let pool: Rc<RefCell<Vec<&str>>> = Rc::new(RefCell::new(vec!["the connection"]));
    let waiting: Rc<RefCell<VecDeque<oneshot::Sender<()>>>> = Rc::default();
    let served = serving(move |_| {
        let io = io.clone();
        let pool = pool.clone();
        let waiting = waiting.clone();
        async move {
            let connection = loop {
                let free = pool.borrow_mut().pop();
                if let Some(connection) = free {
                    break connection;
                }
                let (wake, woken) = oneshot::channel();
                waiting.borrow_mut().push_back(wake);
                let _ = woken.await;
            };
            let done = io.op("use the connection").await;
            if done.is_err() && way == Buggy {
                return Ok("failed".into());
            }
            pool.borrow_mut().push(connection);
            if let Some(wake) = waiting.borrow_mut().pop_front() {
                let _ = wake.send(());
            }
            Ok(if done.is_ok() { "done".into() } else { "failed".into() })
        }
    });
    let server = world.vat("pool");
    calls_once(world, "first", (server, &served), "query");
    calls_once(world, "second", (server, &served), "query");
}

// ---- V08

/// A server handles one call at a time, and calls its client back meanwhile. The client's callback calls the server
/// again. Mended: the server calls back when it is free again.
pub(super) fn reentrant_callback(world: &mut World, way: Way) {
    let client = world.vat("client");
    let server = world.vat("server");
    let callback: Rc<RefCell<Option<Client>>> = Rc::default();
    let to_call_back = callback.clone();
    let one_at_a_time = Rc::new(Mutex::new(()));
    let served = serving(move |message| {
        let one_at_a_time = one_at_a_time.clone();
        let callback = to_call_back.borrow().clone().expect("it is set before anything runs");
        async move {
            let held = one_at_a_time.lock().await;
            if message == "look" {
                return Ok("seen".into());
            }
            if way == Way::Mended {
                drop(held);
            }
            ask(callback, "changed").await
        }
    });
    let at_client: Rc<RefCell<Option<Client>>> = Rc::default();
    let to_look_at = at_client.clone();
    let listening = serving(move |_| {
        let server = to_look_at.borrow().clone().expect("it is set before anything runs");
        ask(server, "look")
    });
    let [seen_server, seen_client] = world.join("link", [(client, listening), (server, served)]);
    callback.replace(Some(seen_client));
    at_client.replace(Some(seen_server.clone()));
    world.task_of(client, "change", async move {
        ask(seen_server, "change").await.expect("an answer");
    });
}

// ---- What they share

/// A server whose one method is a function.
struct Serving<F>(F);

impl<F, A> executor::Server for Serving<F>
where
    F: Fn(String) -> A + 'static,
    A: Future<Output = Result<String, Error>> + 'static,
{
    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> Result<(), Error> {
        let message = params.get()?.get_message()?.to_string()?;
        let response = (self.0)(message).await?;
        results.get().set_response(&response);
        Ok(())
    }
}

fn serving<F, A>(answer: F) -> Client
where
    F: Fn(String) -> A + 'static,
    A: Future<Output = Result<String, Error>> + 'static,
{
    new_client::<executor::Client, _>(Serving(answer)).client
}

/// For the end of a link at which nothing is served.
fn nothing() -> Client {
    serving(|_| async { Err(Error::failed("nothing is served on this end".into())) })
}

/// Calls a served function.
async fn ask(server: Client, message: impl AsRef<str>) -> Result<String, Error> {
    let mut request = executor::Client::new(server.hook).echo_request();
    request.get().set_message(message.as_ref());
    Ok(request.send().promise.await?.get()?.get_response()?.to_string()?)
}

/// Adds a vat that calls a server once, over a link of its own.
fn calls_once(world: &World, name: &str, (server, served): (ActorId, &Client), message: &'static str) {
    let caller = world.vat(name);
    let [seen, _] = world.join(name, [(caller, nothing()), (server, served.clone())]);
    world.task_of(caller, "call", async move {
        ask(seen, message).await.expect("an answer");
    });
}
