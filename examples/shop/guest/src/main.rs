//! A customer of the shop, or a supplier:
//!
//! ```text
//! customer buy NAME COUNT       buys some pieces, and prints the receipt
//! customer deliver NAME TIMES   delivers one piece so many times
//! ```

use std::process::ExitCode;
use std::rc::Rc;

use shop_capnp::{shop, wallet};
use wavetank_guest::{Error, Io, Result, run};

#[allow(dead_code, clippy::all)]
mod shop_capnp {
    include!(concat!(env!("OUT_DIR"), "/shop_capnp.rs"));
}

/// A careful wallet: it asks what the goods cost before it pays.
struct Wallet {
    shop: shop::Client,
    name: String,
    count: u32,
}

impl wallet::Server for Wallet {
    async fn pay(self: Rc<Self>, params: wallet::PayParams, _: wallet::PayResults) -> capnp::Result<()> {
        let mut ask = self.shop.price_request();
        ask.get().set_item(&self.name);
        let cents = u64::from(ask.send().promise.await?.get()?.get_cents()) * u64::from(self.count);
        let asked = params.get()?.get_cents();
        if asked == cents {
            Ok(())
        } else {
            Err(capnp::Error::failed(format!("{asked} cents are wanted, and the price is {cents}")))
        }
    }
}

async fn buy(shop: shop::Client, name: &str, count: u32) -> Result<()> {
    let mut buy = shop.buy_request();
    let mut item = buy.get().init_item();
    item.set_name(name);
    item.set_count(count);
    let wallet = Wallet { shop, name: name.into(), count };
    buy.get().set_wallet(capnp_rpc::new_client(wallet));
    let answer = buy.send().promise.await?;
    let receipt = answer.get()?.get_receipt()?;
    println!("bought {count} {name} for {} cents", receipt.get_cents());
    Ok(())
}

async fn deliver(shop: shop::Client, name: &str, times: u32) -> Result<()> {
    let delivery = shop.deliver_request().send().pipeline.get_delivery();
    drop(shop);
    for _ in 0..times {
        let mut push = delivery.push_request();
        push.get().init_value().set_name(name);
        // Waits while too much is on its way.
        push.send().await?;
    }
    let count = delivery.done_request().send().promise.await?.get()?.get_count();
    println!("delivered {count} {name}");
    Ok(())
}

fn main() -> ExitCode {
    run(|shop: shop::Client, _: Io| async move {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let usage = || Error::guest("customer buy NAME COUNT | customer deliver NAME TIMES");
        let [command, name, number] = args.as_slice() else {
            return Err(usage());
        };
        let number = number.parse().map_err(|_| usage())?;
        match command.as_str() {
            "buy" => buy(shop, name, number).await,
            "deliver" => deliver(shop, name, number).await,
            _ => Err(usage()),
        }
    })
}
