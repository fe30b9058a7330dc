//! A guest with a schema of its own: the example of the runtime's README, with this test as its host.
//!
//! The guest calls its host's capability, and the host calls the guest's. Neither is of `peer.capnp`.

use capnp::Error;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{LocalBoxFuture, Shared};
use std::cell::RefCell;
use std::rc::Rc;
use till_capnp::{shop, till};
use wavetank_lab::guests;
use wavetank_sim::{Choices, Outcome, Profile, Setup, StrategyName, World, run};
use wavetank_tests::{finished, setup};

#[allow(dead_code, unreachable_pub, clippy::all, clippy::disallowed_types, reason = "generated")]
mod till_capnp {
    include!(concat!(env!("OUT_DIR"), "/till_capnp.rs"));
}

/// A shop with two items.
struct Shop {
    /// The items whose price somebody asked for.
    asked: Rc<RefCell<Vec<String>>>,
    closed: Shared<LocalBoxFuture<'static, ()>>,
}

impl shop::Server for Shop {
    async fn price(
        self: Rc<Self>,
        params: shop::PriceParams,
        mut results: shop::PriceResults,
    ) -> Result<(), Error> {
        let item = params.get()?.get_item()?.to_string()?;
        let cents = match &*item {
            "tea" => 320,
            "milk" => 95,
            _ => return Err(Error::failed(format!("no {item} here"))),
        };
        self.asked.borrow_mut().push(item);
        results.get().set_cents(cents);
        Ok(())
    }

    async fn closed(self: Rc<Self>, _: shop::ClosedParams, _: shop::ClosedResults) -> Result<(), Error> {
        self.closed.clone().await;
        Ok(())
    }
}

async fn total(till: &till::Client, items: &[&str]) -> Result<u64, Error> {
    let mut request = till.total_request();
    let mut list = request.get().init_items(items.len() as u32);
    for (place, item) in (0..).zip(items) {
        list.set(place, item);
    }
    request.send().promise.await?.get().map(|answer| answer.get_cents())
}

/// A customer buys, asks for something that the shop does not have, and buys again. Then the shop closes.
fn sells(world: &mut World) {
    let (close, is_closed) = oneshot::channel();
    let asked = Rc::new(RefCell::new(Vec::new()));
    let closed = is_closed.map(drop).boxed_local().shared();
    let shop: shop::Client = capnp_rpc::new_client(Shop { asked: asked.clone(), closed });
    let guest = world.cell("till", guests::TILL).serve(shop.client).spawn();
    guest.expect_exit(0).expect_rpc();
    let till: till::Client = guest.exported();
    world.task("customer", async move {
        assert_eq!(total(&till, &["tea", "milk", "tea"]).await.expect("a total"), 735);
        assert_eq!(*asked.borrow(), ["tea", "milk", "tea"], "the till asked its shop");
        let missing = total(&till, &["coffee"]).await.expect_err("the shop has no coffee");
        assert!(missing.extra.ends_with("no coffee here"), "{missing}");
        assert_eq!(total(&till, &[]).await.expect("a total"), 0);
        drop(till);
        close.send(()).expect("the shop waits for the end of the day");
    });
}

#[test]
fn a_guest_with_its_own_schema_calls_and_is_called() {
    for seed in 0..60 {
        for profile in [Profile::swarm(), Profile::calm()] {
            let choices = Choices::Drawn(StrategyName::Portfolio, profile);
            let run = finished(sells, &Setup { choices, ..setup(seed) });
            assert!(run.transcript.steps.len() > 20, "calls were made");
        }
    }
}

/// A customer who calls before the guest has started. The first call must find the till ready all the same.
#[test]
fn a_guest_that_serves_knows_its_host_before_the_first_call() {
    let early = |world: &mut World| {
        let asked = Rc::default();
        let closed = futures::future::pending().boxed_local().shared();
        let shop: shop::Client = capnp_rpc::new_client(Shop { asked, closed });
        let guest = world.cell("till", guests::TILL).serve(shop.client).spawn();
        guest.expect_exit(137);
        let till: till::Client = guest.exported();
        let cell = guest.cell().clone();
        world.task("customer", async move {
            assert_eq!(total(&till, &["milk"]).await.expect("a total"), 95);
            cell.kill();
        });
    };
    for seed in 0..60 {
        let run = run(early, &setup(seed));
        assert!(matches!(run.outcome, Outcome::Finished), "seed {seed}: {}", run.outcome);
    }
}
