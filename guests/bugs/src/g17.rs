//! G17: a heartbeat that outlives its link.
//!
//! Every ten seconds the guest tells its host that it is alive. It ignores a failure, because the next call
//! may succeed. But once the link is gone no call succeeds, and nothing else ever ends the guest.
//!
//! Mended: a failed call ends the guest.

use std::{process::ExitCode, time::Duration};

use peer::peer_capnp::executor;
use wavetank_guest::{Io, run};

use crate::Way;

const BEAT: Duration = Duration::from_secs(10);

pub fn main(way: Way) -> ExitCode {
    run(move |executor: executor::Client, io: Io| async move {
        loop {
            match peer::echo(&executor, "alive").await {
                Err(error) if way == Way::Mended => return Err(error),
                _ => io.sleep(BEAT).await,
            }
        }
    })
}
