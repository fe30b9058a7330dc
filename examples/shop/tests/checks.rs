//! The checks of the shop. `cargo test` runs them as tests, and `cargo wavetank` with the whole tool.

mod hasty;
mod town;

use capnp::Error;
use futures::future::ready;
use shop::shop_capnp::{feed, receipt};
use shop::{SCHEMA, Store};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use town::{Open, TEAS, Town, buy, patience, real, teas, wallet};
use wavetank_sim::snapshot::View;
use wavetank_sim::{Profile, Run, World, assert_transcript, check};
use wavetank_trace::frames::Message;

wavetank_cli::checks! {
    // The whole way: the guest asks, the shop asks back, and the transcript is the same under every schedule.
    check("buys", buys)
        .schema(SCHEMA)
        .seeds(0..200)
        .each(|run| assert_transcript!(run, "shop/buys", View::Calls)),
    // Every run is repeated and compared, step by step. This finds what follows more than the seed.
    check("buys-repeatably", buys).schema(SCHEMA).seeds(0..30).canary(true),
    check("two-buy", |world: &mut World| two_buy(world, real)).schema(SCHEMA).seeds(0..200),
    // Its twin with a fault: the stock is read, the shop waits, and the stock is written.
    check("two-buy-in-haste", |world: &mut World| two_buy(world, hasty::hasty))
        .schema(SCHEMA)
        .seeds(0..100)
        .should_fail("the books are right")
        .should_fail(" broke it: ")
        .should_fail("meanwhile, at step "),
    check("asks-back", |world: &mut World| asks_back(world, real)).schema(SCHEMA).seeds(0..100),
    // Its twin with a fault: the shop holds a lock while it calls somebody who may call back.
    check("asks-back-in-vain", |world: &mut World| asks_back(world, hasty::one_by_one))
        .schema(SCHEMA)
        .seeds(0..100)
        .should_fail("vat shop owes vat ann the answer to q4 Shop.price"),
    // More than fits the window of a stream, so the guest has to wait for the shop.
    check("delivers", delivers).schema(SCHEMA).seeds(0..100).each(|run| {
        let most = most_bytes_in_flight(run, "push");
        assert!(most > LONG_NAME, "more than one push was on its way");
        assert!(most <= WINDOW_BYTES + 2 * PUSH_BYTES, "{most} bytes of pushes were on their way");
    }),
    // Receipts have ids, which need not be the same tomorrow.
    check("sends-receipts", sends_receipts).schema(SCHEMA).seeds(0..100).each(|run| {
        assert_transcript!(run, "shop/receipts", View::Calls, redact = [("**.id", "[id]")]);
    }),
    check("waits-no-longer", waits_no_longer).schema(SCHEMA).seeds(0..200),
    // Pipes break, calls are cancelled, guests are trapped: nobody need get a tea, but the books stay right.
    check("buys-under-damage", buys_under_damage)
        .schema(SCHEMA)
        .seeds(0..300)
        .profile(Profile::harsh())
        .max_steps(50_000),
}

/// A guest buys two teas.
fn buys(world: &mut World) {
    let town = Town::new(world, real);
    let ann = town.guest(world, "ann", ["buy", "tea", "2"]);
    ann.expect_exit(0).expect_rpc().expect_stdout("bought 2 tea for 500 cents");
}

/// Two guests buy at the same time.
fn two_buy(world: &mut World, open: Open) {
    let town = Town::new(world, open);
    town.guest(world, "ann", ["buy", "tea", "2"]).expect_exit(0);
    town.guest(world, "ben", ["buy", "tea", "3"]).expect_exit(0);
}

/// A customer asks for the price before she pays, and the shop waits for her money.
fn asks_back(world: &mut World, open: Open) {
    let town = Town::new(world, open);
    let (ann, shop) = town.visitor(world, "ann");
    let asked = shop.clone();
    let careful = wallet(move || {
        let mut ask = asked.price_request();
        ask.get().set_item("tea");
        async { ask.send().promise.await.map(drop) }
    });
    world.task_of(ann, "buys", async move { buy(&shop, careful).await.expect("there are enough") });
}

/// Length of a name that makes a delivery long, in bytes.
const LONG_NAME: usize = 4000;

/// Bytes of one push: the name and less than this.
const PUSH_BYTES: usize = LONG_NAME + 300;

/// Bytes of pushes that capnp-rpc has on their way, before it lets the next one wait.
const WINDOW_BYTES: usize = 64 * 1024;

/// A guest delivers much more than a window holds.
fn delivers(world: &mut World) {
    let town = Town::new(world, real);
    let name = "x".repeat(LONG_NAME);
    town.store.set_price(&name, 1).expect("a price");
    let carl = town.guest(world, "carl", ["deliver", &name, "40"]);
    carl.expect_exit(0).expect_stdout("delivered 40");
}

/// The most bytes of calls of a method that were on their way at once: sent, and not answered.
fn most_bytes_in_flight(run: &Run, method: &str) -> usize {
    let (mut sent, mut now, mut most) = (Vec::new(), 0, 0);
    for frame in run.frames().iter().flat_map(|link| &link.frames) {
        match &frame.message {
            Message::Call(call) if call.method.ends_with(method) => {
                sent.push((call.question, frame.bytes));
                now += frame.bytes;
                most = most.max(now);
            }
            Message::Return(answer) => {
                if let Some(at) = sent.iter().position(|(question, _)| *question == answer.question) {
                    now -= sent.swap_remove(at).1;
                }
            }
            _ => {}
        }
    }
    most
}

/// A customer buys three teas, one by one, and wants a copy of each receipt.
fn sends_receipts(world: &mut World) {
    let town = Town::new(world, real);
    let (ann, shop) = town.visitor(world, "ann");
    world.task_of(ann, "collects", async move {
        for _ in 0..3 {
            buy(&shop, wallet(|| ready(Ok(())))).await.expect("there are enough");
        }
        let copies = Rc::new(RefCell::new(Vec::new()));
        let mut ask = shop.receipts_request();
        ask.get().set_feed(capnp_rpc::new_client(Copies(copies.clone())));
        let count = ask.send().promise.await.expect("an answer").get().expect("a number").get_count();
        assert_eq!((count, &*copies.borrow()), (3, &vec![1, 2, 3]));
    });
}

/// Collects the ids of receipts.
struct Copies(Rc<RefCell<Vec<u64>>>);

impl feed::Server<receipt::Owned> for Copies {
    async fn push(self: Rc<Self>, params: feed::PushParams<receipt::Owned>) -> Result<(), Error> {
        self.0.borrow_mut().push(params.get()?.get_value()?.get_id());
        Ok(())
    }

    async fn done(
        self: Rc<Self>,
        _: feed::DoneParams<receipt::Owned>,
        mut results: feed::DoneResults<receipt::Owned>,
    ) -> Result<(), Error> {
        results.get().set_count(self.0.borrow().len().try_into().expect("a few"));
        Ok(())
    }
}

/// A customer takes a minute to pay, and the shop waits for half of one.
fn waits_no_longer(world: &mut World) {
    let half_a_minute = patience(world, Duration::from_secs(30));
    let open = move |store: Rc<Store>| shop::shop::open(store, Some(half_a_minute));
    let town = Town::new(world, open);
    let store = town.store.clone();
    let (ann, shop) = town.visitor(world, "ann");
    let sleep = town::sleep(world);
    let slow = wallet(move || {
        let minute = sleep(Duration::from_secs(60));
        async move {
            minute.await;
            Ok(())
        }
    });
    world.task_of(ann, "buys", async move {
        let error = buy(&shop, slow).await.expect_err("she is too slow");
        assert!(error.extra.contains("too late"), "{error}");
        assert_eq!(teas(&store), TEAS, "the tea is back on the shelf");
    });
}

/// Two customers and a supplier, in a world that breaks. When all have ended, nothing may stay put aside.
fn buys_under_damage(world: &mut World) {
    let town = Town::new(world, real);
    let visitors = [
        town.guest(world, "ann", ["buy", "tea", "2"]),
        town.guest(world, "ben", ["buy", "tea", "2"]),
        town.guest(world, "carl", ["deliver", "tea", "5"]),
    ];
    let cells = visitors.map(|visitor| visitor.cell().clone());
    let (store, clock) = (town.store.clone(), world.clock());
    world.task("closing time", async move {
        while cells.iter().any(|cell| cell.exit().is_none()) || store.held().expect("a database") > 0 {
            clock.sleep(1_000_000_000).await;
        }
    });
}
