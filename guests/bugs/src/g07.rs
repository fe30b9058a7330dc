//! G07: a pollable that is always ready.
//!
//! The guest reads stdin to its end and then makes a call whose answer takes a while. It leaves stdin's
//! pollable in the poll set. A stream at its end is always ready, so each `poll` returns at once, and the
//! guest uses a whole processor until the answer arrives. Nothing else is wrong.
//!
//! Mended: the poll set holds only pollables that a task still waits for.

use std::{
    process::ExitCode,
    task::{Context, Waker},
};

use futures::AsyncReadExt;
use peer::peer_capnp::executor;
use wasip2::cli::stdin::get_stdin;
use wavetank_guest::{Io, Result, run, streams::Reader};

use crate::{
    Way, exit_code,
    hand::{self, Session},
};

pub fn main(way: Way) -> ExitCode {
    match way {
        Way::Buggy => exit_code(with_stdin_for_ever()),
        Way::Mended => run(|executor, io: Io| async move { app(executor, io.stdin()?).await }),
    }
}

async fn app(executor: executor::Client, mut stdin: Reader) -> Result<()> {
    let mut text = String::new();
    stdin.read_to_string(&mut text).await?;
    peer::echo(&executor, &text).await
}

fn with_stdin_for_ever() -> Result<()> {
    let (mut session, executor) = Session::open(None);
    let mut app = hand::app(app(executor, Reader::new(&session.reactor, get_stdin())));
    let stdin = get_stdin();
    let stdin_ready = session.reactor.watch(stdin.subscribe());
    let ended = loop {
        while session.system.turn() | app.turn() {}
        if let Some(ended) = app.take_output() {
            break ended;
        }
        stdin_ready.wake_when_ready(&Context::from_waker(Waker::noop()));
        session.reactor.block()?;
    };
    // The order matters: the pollable is the stream's child.
    drop(stdin_ready);
    drop((stdin, app));
    ended.and(session.close())
}
