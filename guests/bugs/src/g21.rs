//! G21: of 32 children, one is never waited for.
//!
//! The parent starts all its children at once and waits for all but the last, in a loop that ends one too
//! early. Usually the last child has ended all the same when the parent exits, and all looks well.
//!
//! Mended: the parent waits for each child.
//!
//! The children's component comes on stdin.

use std::process::ExitCode;

use futures::{AsyncReadExt, future::try_join_all};
use peer::peer_capnp::executor;
use wavetank_guest::{Io, run};

use crate::Way;

const CHILDREN: usize = 32;

pub fn main(way: Way) -> ExitCode {
    run(move |executor: executor::Client, io: Io| async move {
        let mut wasm = Vec::new();
        io.stdin()?.read_to_end(&mut wasm).await?;
        let start = |number| peer::start(&executor, &wasm, &[&format!("child-{number}")], &["CROWD=yes"]);
        let children: Vec<_> = (1..=CHILDREN).map(start).collect();
        let waited_for = if way == Way::Buggy { CHILDREN - 1 } else { CHILDREN };
        try_join_all(children.iter().take(waited_for).map(|child| peer::wait_for_success(child))).await?;
        for child in children {
            child.settled().await;
        }
        Ok(())
    })
}
