//! Makes streams, pollables, capabilities and children, and drops them in every possible order.
//!
//! ```text
//! cleanup           tries all orders, and prints the name of each on stdout
//! cleanup leave     starts a child, then ends at once and leaves everything to the host
//! ```
//!
//! One order is missing: a stream before its pollable. The language allows it, but the host traps. The
//! runtime's structs declare their fields so that it cannot happen; `fault-drop` does it on purpose. Needs the
//! connection transport and three bytes of stdin.

mod calls;
mod children;
mod handles;

use std::{env, process::ExitCode};

use peer::peer_capnp::host;
use wavetank_guest::{Error, Io, run};

fn main() -> ExitCode {
    run(|host: host::Client, io: Io| async move {
        let executor = peer::executor(&host).settled().await;
        match env::args().nth(1).as_deref() {
            None => {
                handles::all_orders(&io).await?;
                calls::all_orders(&executor).await?;
                children::all_orders(&executor).await
            }
            Some("leave") => children::leave(&executor).await,
            Some(_) => Err(Error::guest("usage: cleanup [leave]")),
        }
    })
}

/// Prints the name of the next order, so that in the transcript it precedes the effects of that order.
fn say(order: &str) {
    println!("{order}");
}
