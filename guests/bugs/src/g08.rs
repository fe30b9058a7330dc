//! G08: a finished RPC system counts as progress.
//!
//! The loop repeats as long as something made progress, and it counts a system that says "ready" as progress.
//! When the link dies, the system is finished and stays "ready" for ever, so the loop never blocks again. The
//! guest has other work, which is to read stdin, and spins until that ends.
//!
//! Mended: a finished system is not asked again.

use std::{
    pin::pin,
    process::ExitCode,
    task::{Context, Poll, Waker},
};

use futures::AsyncReadExt;
use peer::peer_capnp::executor;
use wasip2::cli::stdin::get_stdin;
use wavetank_guest::{Result, streams::Reader};

use crate::{Way, exit_code, hand::Session};

pub fn main(way: Way) -> ExitCode {
    exit_code(outlive_the_link(way))
}

async fn app(executor: executor::Client, mut stdin: Reader) -> Result<()> {
    // The result does not matter: the link may be gone already.
    let _ = peer::echo(&executor, "hello").await;
    let mut bytes = Vec::new();
    stdin.read_to_end(&mut bytes).await?;
    println!("{} bytes", bytes.len());
    Ok(())
}

fn outlive_the_link(way: Way) -> Result<()> {
    let (mut session, executor) = Session::open(None);
    let ended = {
        let mut app = pin!(app(executor, Reader::new(&session.reactor, get_stdin())));
        let mut finished = false;
        loop {
            // The application is polled in every round, whichever task was woken.
            if let Poll::Ready(ended) = app.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                break ended;
            }
            let mut progress = session.system.turn();
            finished |= session.system.take_output().is_some();
            if way == Way::Buggy {
                progress |= finished;
            }
            if !progress {
                session.reactor.block()?;
            }
        }
    };
    // A dead link cannot be closed in order.
    let _ = session.close();
    ended
}
