//! The box office in worlds. The server is the one that runs in production, and the buyers are vats of their own.

mod hasty;

use capnp::Error;
use capnp::capability::{Client, FromClientHook};
use capnp_rpc::new_broken_cap;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_host::SCHEMA;
use tokio_host::office_capnp::{box_office, hold};
use wavetank::ActorId;
use wavetank_sim::{World, check};

const SEATS: u32 = 10;
const HELD_FOR: Duration = Duration::from_secs(30);

/// Makes a server: the real one, or the copy with a fault.
type Open = fn(u32, Duration) -> box_office::Client;

/// An office in a vat of its own.
struct Office {
    vat: ActorId,
    served: box_office::Client,
}

impl Office {
    fn new(world: &World, open: Open) -> Self {
        wavetank_tokio::install(world);
        Office { vat: world.vat("office"), served: open(SEATS, HELD_FOR) }
    }

    /// Links a new buyer to the office. Returns the buyer, and the office as the buyer sees it.
    fn buyer(&self, world: &World, name: &str) -> (ActorId, box_office::Client) {
        let buyer = world.vat(name);
        let nothing: Client = new_broken_cap(Error::failed("a buyer serves nothing".into()));
        let served = Client::new(self.served.clone().into_client_hook());
        let [seen, _] = world.join(&format!("{name}'s link"), [(buyer, nothing), (self.vat, served)]);
        (buyer, box_office::Client::new(seen.hook))
    }
}

async fn reserve(office: &box_office::Client, seats: u32) -> Result<hold::Client, Error> {
    let mut request = office.reserve_request();
    request.get().set_seats(seats);
    request.send().promise.await?.get()?.get_hold()
}

async fn buy(hold: &hold::Client) -> Result<(), Error> {
    hold.buy_request().send().promise.await.map(drop)
}

async fn left(office: &box_office::Client) -> u32 {
    office.left_request().send().promise.await.expect("an answer").get().expect("a number").get_seats()
}

/// Two buyers want six of ten seats each.
fn two_want_too_many(world: &mut World, open: Open) {
    let office = Office::new(world, open);
    let sold = Rc::new(Cell::new(0));
    for name in ["ann", "ben"] {
        let (buyer, office) = office.buyer(world, name);
        let sold = sold.clone();
        world.task_of(buyer, "buys", async move {
            // The hold may end before the purchase arrives, because time may pass at any moment.
            if let Ok(hold) = reserve(&office, 6).await
                && buy(&hold).await.is_ok()
            {
                sold.set(sold.get() + 6);
            }
        });
    }
    world.invariant("no seat is sold twice", move |_| match sold.get() {
        sold if sold <= SEATS => Ok(()),
        sold => Err(format!("{sold} of {SEATS} seats are sold")),
    });
}

#[test]
fn no_seat_is_sold_twice() {
    check("two_want_too_many", |world: &mut World| two_want_too_many(world, tokio_host::open))
        .schema(SCHEMA)
        .seeds(0..300)
        .canary(true)
        .run();
}

#[test]
#[should_panic(expected = "12 of 10 seats are sold")]
fn an_office_without_turns_sells_a_seat_twice() {
    check("two_want_too_many_of_a_hasty_office", |world: &mut World| two_want_too_many(world, hasty::open))
        .schema(SCHEMA)
        .seeds(0..100)
        .no_failures()
        .run();
}

#[test]
fn seats_that_nobody_buys_in_time_are_free_again() {
    let scenario = |world: &mut World| {
        let (buyer, office) = Office::new(world, tokio_host::open).buyer(world, "ann");
        world.task_of(buyer, "waits too long", async move {
            let hold = reserve(&office, 6).await.expect("there are enough");
            sleep(HELD_FOR * 2).await;
            assert_eq!(left(&office).await, SEATS);
            let error = buy(&hold).await.expect_err("it is too late");
            assert!(error.extra.contains("the hold has ended"), "{error}");
        });
    };
    let check = check("waits_too_long", scenario).schema(SCHEMA).seeds(0..200);
    // A minute of virtual time.
    check.each(|run| assert!(run.virtual_ns >= 60_000_000_000)).run();
}

#[test]
fn seats_of_a_dropped_hold_are_free_again() {
    let scenario = |world: &mut World| {
        let (buyer, office) = Office::new(world, tokio_host::open).buyer(world, "ann");
        world.task_of(buyer, "changes her mind", async move {
            drop(reserve(&office, 6).await.expect("there are enough"));
            while left(&office).await < SEATS {
                sleep(Duration::from_millis(10)).await;
            }
        });
    };
    check("drops_a_hold", scenario).schema(SCHEMA).seeds(0..200).run();
    // Without choices no time passes without need, so they are free long before the hold would have ended.
    let calm = check("drops_a_hold_calmly", scenario).schema(SCHEMA).max_choices(0);
    calm.each(|run| assert!(run.virtual_ns < 1_000_000_000, "{} ns", run.virtual_ns)).seeds(0..1).run();
}

#[test]
fn at_the_last_moment_seats_are_either_sold_or_free() {
    let scenario = |world: &mut World| {
        let (buyer, office) = Office::new(world, tokio_host::open).buyer(world, "ann");
        let early = Duration::from_millis(world.draw(3).into());
        world.task_of(buyer, "waits long", async move {
            let hold = reserve(&office, 6).await.expect("there are enough");
            sleep(HELD_FOR - early).await;
            let sold = if buy(&hold).await.is_ok() { 6 } else { 0 };
            sleep(HELD_FOR).await;
            assert_eq!(left(&office).await, SEATS - sold);
        });
    };
    check("waits_long", scenario).schema(SCHEMA).seeds(0..500).run();
}
