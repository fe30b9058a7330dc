//! A crowd: children that are all asked for at once and live at the same time.
//!
//! Every `runBytes` and every `wait` is sent before any answer is awaited. The children are `child-tiny`,
//! because a crowd of `child-echo` would be 17 MB on the link.

use std::process::ExitCode;

use futures::future::try_join_all;
use peer::peer_capnp::host;
use wavetank_guest::{Io, stdio};

const CHILD: &[u8] = include_bytes!("../../built/child-tiny.wasm");

const CHILDREN: usize = 32;

fn main() -> ExitCode {
    stdio::run(|host: host::Client, _: Io| async move {
        let executor = peer::executor(&host);
        let start = |number| {
            let name = format!("child-{number}");
            peer::start(&executor, CHILD, &[&name, "of", "a", "crowd"], &["CROWD=yes"])
        };
        let children: Vec<_> = (1..=CHILDREN).map(start).collect();
        let ends: Vec<_> = children.iter().map(|child| peer::wait_for_success(child)).collect();
        try_join_all(ends).await?;
        for child in children {
            child.settled().await;
        }
        executor.settled().await;
        Ok(())
    })
}
