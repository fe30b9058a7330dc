//! What the checks share: a shop with ten teas, and the people who come to it.

use capnp::Error;
use capnp::capability::{Client, FromClientHook};
use capnp_rpc::{new_broken_cap, new_client};
use futures::FutureExt;
use shop::Store;
use shop::shop::{Patience, Sleep};
use shop::shop_capnp::{shop as shop_rpc, wallet};
use std::rc::Rc;
use std::time::Duration;
use wavetank::ActorId;
use wavetank_sim::World;
use wavetank_sim::world::CellHandle;

/// The guest, as `guest/build.sh` built it.
const CUSTOMER: &[u8] = include_bytes!("../../guest/built/customer.wasm");

pub const TEAS: u32 = 10;
pub const CENTS: u32 = 250;

/// Opens a shop: the real one, or one of the copies with a fault.
pub type Open = fn(Rc<Store>) -> shop_rpc::Client;

pub fn real(store: Rc<Store>) -> shop_rpc::Client {
    shop::shop::open(store, None)
}

/// A shop in a vat of its own.
pub struct Town {
    pub store: Rc<Store>,
    shop: shop_rpc::Client,
    vat: ActorId,
}

impl Town {
    /// Opens the shop, and watches its books after every step.
    pub fn new(world: &World, open: impl FnOnce(Rc<Store>) -> shop_rpc::Client) -> Self {
        let store = Store::in_memory().expect("a database");
        store.set_price("tea", CENTS).expect("a price");
        store.deliver(&[("tea".into(), TEAS)]).expect("a delivery");
        let store = Rc::new(store);
        let books = store.clone();
        world.invariant("the books are right", move |_| {
            match books.wrong_books().map_err(|e| e.to_string())?.as_slice() {
                [] => Ok(()),
                wrong => Err(wrong.join("; ")),
            }
        });
        Town { shop: open(store.clone()), store, vat: world.vat("shop") }
    }

    /// Sends a guest to the shop.
    pub fn guest<'w>(&self, world: &'w World, name: &str, args: [&str; 3]) -> CellHandle<'w> {
        world.cell(name, CUSTOMER).args(args).serve(self.served()).spawn()
    }

    /// Links a vat to the shop. Returns it, and the shop as it sees it.
    pub fn visitor(&self, world: &World, name: &str) -> (ActorId, shop_rpc::Client) {
        let visitor = world.vat(name);
        let nothing: Client = new_broken_cap(Error::failed("a visitor serves nothing".into()));
        let [seen, _] =
            world.join(&format!("{name}'s link"), [(visitor, nothing), (self.vat, self.served())]);
        (visitor, shop_rpc::Client::new(seen.hook))
    }

    fn served(&self) -> Client {
        Client::new(self.shop.clone().into_client_hook())
    }
}

pub fn teas(store: &Store) -> u32 {
    store.price("tea").expect("a database").expect("tea is sold").stock
}

/// A timer of the world, for a server that was written for any.
pub fn sleep(world: &World) -> Sleep {
    let clock = world.clock();
    Rc::new(move |time| clock.sleep(time).boxed_local())
}

pub fn patience(world: &World, lasts: Duration) -> Patience {
    Patience { lasts, sleep: sleep(world) }
}

/// Does something before it pays: that is the future which it makes.
pub struct Wallet<F>(pub F);

impl<F: Fn() -> R + 'static, R: Future<Output = Result<(), Error>> + 'static> wallet::Server for Wallet<F> {
    async fn pay(self: Rc<Self>, _: wallet::PayParams, _: wallet::PayResults) -> Result<(), Error> {
        (self.0)().await
    }
}

/// Buys one tea.
pub async fn buy(shop: &shop_rpc::Client, wallet: wallet::Client) -> Result<(), Error> {
    let mut buy = shop.buy_request();
    buy.get().init_item().set_name("tea");
    buy.get().set_wallet(wallet);
    buy.send().promise.await.map(drop)
}

/// A wallet that does something before it pays.
pub fn wallet<F, R>(before: F) -> wallet::Client
where
    F: Fn() -> R + 'static,
    R: Future<Output = Result<(), Error>> + 'static,
{
    new_client(Wallet(before))
}
