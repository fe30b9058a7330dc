//! G14: the application's error is swallowed.
//!
//! The guest's one call fails with an exception. The guest logs it, but `main` returns success, so nobody can
//! see the failure in the exit code.
//!
//! Mended: if the call fails, the guest fails.

use std::process::ExitCode;

use peer::peer_capnp::executor;
use wavetank_guest::{Io, Result, run};

use crate::Way;

pub fn main(way: Way) -> ExitCode {
    run(move |executor: executor::Client, _: Io| async move {
        match start_a_child(&executor).await {
            Err(error) if way == Way::Buggy => {
                eprintln!("error: {error:?}");
                Ok(())
            }
            ended => ended,
        }
    })
}

/// Fails, because these bytes are not a component.
async fn start_a_child(executor: &executor::Client) -> Result<()> {
    let child = peer::start(executor, b"not a component", &["child"], &[]);
    let ended = peer::wait_for_success(&child).await;
    child.settled().await;
    ended
}
