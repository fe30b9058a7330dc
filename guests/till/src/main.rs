//! The example guest: a till that adds up prices. It has a schema of its own. It offers a capability to its host, and
//! calls the one that its host offers.

use std::{cell::RefCell, process::ExitCode, rc::Rc};

use futures::future::try_join_all;
use till_capnp::{shop, till};
use wavetank_guest::{Io, run_serving};

#[allow(dead_code, missing_docs, clippy::all)]
mod till_capnp {
    include!(concat!(env!("OUT_DIR"), "/till_capnp.rs"));
}

#[derive(Default)]
struct Till {
    shop: RefCell<Option<shop::Client>>,
}

impl till::Server for Till {
    async fn total(
        self: Rc<Self>,
        params: till::TotalParams,
        mut results: till::TotalResults,
    ) -> capnp::Result<()> {
        let shop = self.shop.borrow().clone();
        let shop = shop.ok_or_else(|| capnp::Error::failed("the shop has closed".into()))?;
        let mut prices = Vec::new();
        for item in params.get()?.get_items()? {
            let mut request = shop.price_request();
            request.get().set_item(item?);
            prices.push(request.send().promise);
        }
        // All questions are on their way before the first answer is awaited.
        let mut cents = 0;
        for price in try_join_all(prices).await? {
            cents += u64::from(price.get()?.get_cents());
        }
        results.get().set_cents(cents);
        Ok(())
    }
}

fn main() -> ExitCode {
    let till = Rc::new(Till::default());
    let offered: till::Client = capnp_rpc::new_client_from_rc(till.clone());
    run_serving(offered, |shop: shop::Client, _: Io| async move {
        // No call arrives before the first `await`, so each call finds the shop.
        till.shop.replace(Some(shop.clone()));
        shop.closed_request().send().promise.await?;
        // The till stays with the link until the end. If it kept the shop, the link could not release the shop.
        till.shop.take();
        Ok(())
    })
}
