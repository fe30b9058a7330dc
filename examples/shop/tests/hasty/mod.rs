//! Two shops with a planted fault each, to see that the checks find them.

use ::shop::Store;
use ::shop::shop_capnp::{shop, wallet};
use capnp::Error;
use futures::lock::Mutex;
use std::rc::Rc;

/// A shop that reads the stock, waits for the money, and then writes what it has computed before.
pub fn hasty(store: Rc<Store>) -> shop::Client {
    capnp_rpc::new_client(Hasty(store))
}

struct Hasty(Rc<Store>);

impl shop::Server for Hasty {
    async fn price(
        self: Rc<Self>,
        params: shop::PriceParams,
        results: shop::PriceResults,
    ) -> Result<(), Error> {
        price(&self.0, params, results)
    }

    async fn buy(
        self: Rc<Self>,
        params: shop::BuyParams,
        mut results: shop::BuyResults,
    ) -> Result<(), Error> {
        let params = params.get()?;
        let item = params.get_item()?;
        let (name, count) = (item.get_name()?.to_str()?, item.get_count());
        let price =
            self.0.price(name).map_err(failed)?.ok_or_else(|| Error::failed("not sold here".into()))?;
        if price.stock < count {
            return Err(Error::failed("there are too few".into()));
        }
        let cents = u64::from(price.cents) * u64::from(count);
        pay(params.get_wallet()?, cents).await?;
        // The fault: others may have bought since the stock was read.
        let left = price.stock - count;
        self.0.db().execute("UPDATE goods SET stock = ?2 WHERE name = ?1", (name, left)).map_err(failed)?;
        let sale = "INSERT INTO sales (name, count, cents) VALUES (?1, ?2, ?3)";
        self.0.db().execute(sale, (name, count, cents.cast_signed())).map_err(failed)?;
        results.get().init_receipt().set_cents(cents);
        Ok(())
    }
}

/// A shop that serves one customer after the other, and holds on to its turn while it waits for the money.
pub fn one_by_one(store: Rc<Store>) -> shop::Client {
    capnp_rpc::new_client(OneByOne { store, turn: Mutex::new(()) })
}

struct OneByOne {
    store: Rc<Store>,
    turn: Mutex<()>,
}

impl shop::Server for OneByOne {
    async fn price(
        self: Rc<Self>,
        params: shop::PriceParams,
        results: shop::PriceResults,
    ) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        price(&self.store, params, results)
    }

    async fn buy(
        self: Rc<Self>,
        params: shop::BuyParams,
        mut results: shop::BuyResults,
    ) -> Result<(), Error> {
        let params = params.get()?;
        let item = params.get_item()?;
        let (name, count) = (item.get_name()?.to_str()?, item.get_count());
        // The fault: the wallet may ask the shop something before it pays, and waits for its turn then.
        let _turn = self.turn.lock().await;
        let price =
            self.store.price(name).map_err(failed)?.ok_or_else(|| Error::failed("not sold here".into()))?;
        let hold = self.store.hold(name, count).map_err(failed)?;
        let hold = hold.ok_or_else(|| Error::failed("there are too few".into()))?;
        let cents = u64::from(price.cents) * u64::from(count);
        pay(params.get_wallet()?, cents).await?;
        results.get().init_receipt().set_id(hold.sell(cents).map_err(failed)?);
        Ok(())
    }
}

async fn pay(wallet: wallet::Client, cents: u64) -> Result<(), Error> {
    let mut pay = wallet.pay_request();
    pay.get().set_cents(cents);
    pay.send().promise.await.map(drop)
}

fn price(store: &Store, params: shop::PriceParams, mut results: shop::PriceResults) -> Result<(), Error> {
    let price = store.price(params.get()?.get_item()?.to_str()?).map_err(failed)?;
    results.get().set_cents(price.ok_or_else(|| Error::failed("not sold here".into()))?.cents);
    Ok(())
}

fn failed(error: rusqlite::Error) -> Error {
    Error::failed(error.to_string())
}
