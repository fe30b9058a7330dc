//! A copy of the server with a fault: it takes no turns. Whoever reserves looks at the seats, waits for the ledger, and
//! writes a number that is old by then.

use capnp::Error;
use capnp_rpc::new_client;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::sleep;
use tokio_host::office_capnp::{box_office, hold};

pub fn open(seats: u32, held_for: Duration) -> box_office::Client {
    new_client(Office { left: Cell::new(seats), held_for })
}

struct Office {
    left: Cell<u32>,
    held_for: Duration,
}

impl Office {
    fn give_back(&self, seats: u32) {
        self.left.set(self.left.get() + seats);
    }
}

/// Stands for a database that takes its time.
async fn note_in_ledger() {
    sleep(Duration::from_millis(2)).await;
}

impl box_office::Server for Office {
    async fn reserve(
        self: Rc<Self>,
        params: box_office::ReserveParams,
        mut results: box_office::ReserveResults,
    ) -> Result<(), Error> {
        let seats = params.get()?.get_seats();
        let left = self.left.get();
        if left < seats {
            return Err(Error::failed("sold out".into()));
        }
        note_in_ledger().await;
        self.left.set(left - seats);

        let (bought, buyer) = oneshot::channel();
        let office = self.clone();
        spawn_local(async move {
            tokio::select! {
                // It comes first, so that seats are not given back if they are bought at the last moment.
                biased;
                // If it fails, the hold was dropped.
                bought = buyer => {
                    if bought.is_err() {
                        office.give_back(seats);
                    }
                }
                () = sleep(office.held_for) => office.give_back(seats),
            }
        });
        results.get().set_hold(new_client(Held { bought: Cell::new(Some(bought)) }));
        Ok(())
    }

    async fn left(
        self: Rc<Self>,
        _: box_office::LeftParams,
        mut results: box_office::LeftResults,
    ) -> Result<(), Error> {
        results.get().set_seats(self.left.get());
        Ok(())
    }
}

struct Held {
    /// Tells the office. It is taken when the seats are bought.
    bought: Cell<Option<oneshot::Sender<()>>>,
}

impl hold::Server for Held {
    async fn buy(self: Rc<Self>, _: hold::BuyParams, _: hold::BuyResults) -> Result<(), Error> {
        let bought = self.bought.take().ok_or_else(|| Error::failed("bought already".into()))?;
        bought.send(()).map_err(|()| Error::failed("the hold has ended".into()))
    }
}
