//! G22: an error path that drops a stream before its pollable.
//!
//! The guest holds its stdin and a pollable of it while it calls its host. On the path to success it drops both in
//! order, by hand. If a call fails, `?` leaves early and the fields drop as declared: the stream first. The host traps
//! that with "resource has children", so the trap replaces the failure that the guest means to report.
//!
//! Mended: the pollable is declared before its stream, so it is dropped first on every path.

use std::process::ExitCode;

use peer::peer_capnp::executor;
use wasip2::{
    cli::stdin::get_stdin,
    io::{poll::Pollable, streams::InputStream},
};
use wavetank_guest::{Io, Result, run};

use crate::Way;

const CALLS: usize = 8;

pub fn main(way: Way) -> ExitCode {
    run(move |executor: executor::Client, _: Io| async move {
        match way {
            Way::Buggy => {
                let StreamFirst { _stream, _pollable } = {
                    let held = StreamFirst::new();
                    calls(&executor).await?;
                    held
                };
                drop(_pollable);
                drop(_stream);
                Ok(())
            }
            Way::Mended => {
                let _held = PollableFirst::new();
                calls(&executor).await
            }
        }
    })
}

async fn calls(executor: &executor::Client) -> Result<()> {
    for call in 0..CALLS {
        peer::echo(executor, &call.to_string()).await?;
    }
    Ok(())
}

struct StreamFirst {
    _stream: InputStream,
    _pollable: Pollable,
}

impl StreamFirst {
    fn new() -> Self {
        let stream = get_stdin();
        Self { _pollable: stream.subscribe(), _stream: stream }
    }
}

struct PollableFirst {
    _pollable: Pollable,
    _stream: InputStream,
}

impl PollableFirst {
    fn new() -> Self {
        let stream = get_stdin();
        Self { _pollable: stream.subscribe(), _stream: stream }
    }
}
