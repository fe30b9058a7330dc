//! The server of a shop.

use crate::shop_capnp::{feed, item, receipt, shop};
use crate::store::Store;
use capnp::Error;
use futures::future::{Either, LocalBoxFuture, select};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Waits for some time. A program passes the timer of its runtime, a test that of its world.
pub type Sleep = Rc<dyn Fn(Duration) -> LocalBoxFuture<'static, ()>>;

/// Time within which a customer must pay.
pub struct Patience {
    pub lasts: Duration,
    pub sleep: Sleep,
}

/// Opens a shop. Without a patience it waits for the money as long as the customer takes.
pub fn open(store: Rc<Store>, patience: Option<Patience>) -> shop::Client {
    capnp_rpc::new_client(Shop { store, patience })
}

struct Shop {
    store: Rc<Store>,
    patience: Option<Patience>,
}

impl Shop {
    /// Waits for a payment, but not too long.
    async fn paid<T>(&self, payment: impl Future<Output = Result<T, Error>>) -> Result<(), Error> {
        let Some(patience) = &self.patience else {
            return payment.await.map(drop);
        };
        let too_late = (patience.sleep)(patience.lasts);
        match select(std::pin::pin!(payment), too_late).await {
            Either::Left((paid, _)) => paid.map(drop),
            Either::Right(_) => Err(Error::failed("the payment came too late".into())),
        }
    }
}

impl shop::Server for Shop {
    async fn price(
        self: Rc<Self>,
        params: shop::PriceParams,
        mut results: shop::PriceResults,
    ) -> Result<(), Error> {
        let cents = price(&self.store, params.get()?.get_item()?.to_str()?)?.cents;
        results.get().set_cents(cents);
        Ok(())
    }

    async fn stock(
        self: Rc<Self>,
        params: shop::StockParams,
        mut results: shop::StockResults,
    ) -> Result<(), Error> {
        let stock = price(&self.store, params.get()?.get_item()?.to_str()?)?.stock;
        results.get().set_count(stock);
        Ok(())
    }

    async fn buy(
        self: Rc<Self>,
        params: shop::BuyParams,
        mut results: shop::BuyResults,
    ) -> Result<(), Error> {
        let params = params.get()?;
        let wanted = params.get_item()?;
        let (name, count) = (wanted.get_name()?.to_str()?, wanted.get_count());
        let cents = u64::from(price(&self.store, name)?.cents) * u64::from(count);
        // The pieces leave the shelf before the customer is asked, so nobody else can buy them meanwhile.
        let Some(hold) = self.store.hold(name, count).map_err(database)? else {
            return Err(Error::failed(format!("there are too few of {name}")));
        };
        let mut pay = params.get_wallet()?.pay_request();
        pay.get().set_cents(cents);
        self.paid(pay.send().promise).await?;
        let id = hold.sell(cents).map_err(database)?;
        let mut receipt = results.get().init_receipt();
        receipt.set_id(id);
        receipt.set_cents(cents);
        receipt.set_item(wanted)
    }

    async fn deliver(
        self: Rc<Self>,
        _: shop::DeliverParams,
        mut results: shop::DeliverResults,
    ) -> Result<(), Error> {
        let store = self.store.clone();
        results.get().set_delivery(capnp_rpc::new_client(Delivery { store, items: RefCell::default() }));
        Ok(())
    }

    async fn receipts(
        self: Rc<Self>,
        params: shop::ReceiptsParams,
        mut results: shop::ReceiptsResults,
    ) -> Result<(), Error> {
        let feed: feed::Client<receipt::Owned> = params.get()?.get_feed()?;
        for sale in self.store.sales().map_err(database)? {
            let mut push = feed.push_request();
            let mut receipt = push.get().init_value();
            receipt.set_id(sale.id);
            receipt.set_cents(sale.cents);
            let mut item = receipt.init_item();
            item.set_name(sale.name);
            item.set_count(sale.count);
            // Waits while too much is on its way.
            push.send().await?;
        }
        let count = feed.done_request().send().promise.await?.get()?.get_count();
        results.get().set_count(count);
        Ok(())
    }
}

/// A delivery that is under way. Its goods come to the shelf when it is done.
struct Delivery {
    store: Rc<Store>,
    items: RefCell<Vec<(String, u32)>>,
}

impl feed::Server<item::Owned> for Delivery {
    async fn push(self: Rc<Self>, params: feed::PushParams<item::Owned>) -> Result<(), Error> {
        let item = params.get()?.get_value()?;
        self.items.borrow_mut().push((item.get_name()?.to_string()?, item.get_count()));
        Ok(())
    }

    async fn done(
        self: Rc<Self>,
        _: feed::DoneParams<item::Owned>,
        mut results: feed::DoneResults<item::Owned>,
    ) -> Result<(), Error> {
        let items = self.items.take();
        self.store.deliver(&items).map_err(database)?;
        results.get().set_count(items.len().try_into().map_err(|_| Error::failed("too many".into()))?);
        Ok(())
    }
}

fn price(store: &Store, name: &str) -> Result<crate::Price, Error> {
    let price = store.price(name).map_err(database)?;
    price.ok_or_else(|| Error::failed(format!("{name} is not sold here")))
}

fn database(error: rusqlite::Error) -> Error {
    Error::failed(format!("the shop's database: {error}"))
}
