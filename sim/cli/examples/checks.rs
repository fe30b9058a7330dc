//! Checks of a project, with the whole command over them. In a project of your own this is `tests/checks.rs`, a test
//! target with `harness = false`.
//!
//! ```sh
//! cargo run -p wavetank-cli --example checks -- list
//! cargo run -p wavetank-cli --example checks -- run loses-an-update --seeds 0..1000
//! ```

use std::cell::Cell;
use std::rc::Rc;
use wavetank_sim::world::yield_now;
use wavetank_sim::{World, check};

/// The balance of an account, and how many deposits have been made.
#[derive(Default)]
struct Account {
    balance: Cell<u32>,
    deposits: Cell<u32>,
}

impl Account {
    /// Adds one. Between the look and the change others go first if there is a `pause`.
    async fn deposit(&self, pause: bool) {
        let balance = self.balance.get();
        if pause {
            yield_now().await;
        }
        self.balance.set(balance + 1);
        self.deposits.set(self.deposits.get() + 1);
        if self.deposits.get() == 2 {
            assert_eq!(self.balance.get(), 2, "an update was lost");
        }
    }
}

fn deposits(world: &World, pause: bool) {
    let account = Rc::new(Account::default());
    for name in ["one", "other"] {
        let account = account.clone();
        world.task_of(world.vat(name), name, async move { account.deposit(pause).await });
    }
}

wavetank_cli::checks! {
    check("adds", |world: &mut World| deposits(world, false)).seeds(0..50),
    check("loses-an-update", |world: &mut World| deposits(world, true)),
}
