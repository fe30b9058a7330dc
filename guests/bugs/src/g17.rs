//! G17: a heartbeat that outlives what it beats for.
//!
//! Every ten seconds the guest tells its host that it is alive, and shrugs off what comes of it: the next time may go
//! better. When the link is gone no time goes better any more, and nothing else ever ends the guest.
//!
//! Mended: a failed call ends it.

use std::{process::ExitCode, time::Duration};

use wavetank_guest::{Io, peer, peer_capnp::executor, run};

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
