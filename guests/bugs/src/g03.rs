//! G03, its second half: a session "mended" by leaking it.
//!
//! A stream that goes before its pollable traps, so somebody made everything live for ever: at the end the RPC
//! system and all it owns are forgotten. The exit code is 0. But the link's streams and pollables are still in
//! the host's table, Finish and Release of the last calls were never sent, and whatever was queued is lost.
//!
//! Mended: the session ends in order, and drops its pollables before their streams.

use std::process::ExitCode;

use wavetank_guest::{Io, Result, peer, peer_capnp::executor, run};

use crate::{
    Way, exit_code,
    hand::{Session, app},
};

pub fn main(way: Way) -> ExitCode {
    match way {
        Way::Buggy => exit_code(leak()),
        Way::Mended => run(|executor, _: Io| echoes(executor)),
    }
}

async fn echoes(executor: executor::Client) -> Result<()> {
    peer::echo(&executor, "one").await?;
    peer::echo(&executor, "two").await
}

fn leak() -> Result<()> {
    let (mut session, executor) = Session::open(None)?;
    let mut app = app(echoes(executor));
    let ended = loop {
        let ran = session.system.turn() | app.turn();
        if let Some(ended) = app.take_output() {
            break ended;
        }
        if !ran {
            session.reactor.block()?;
        }
    };
    std::mem::forget((session, app));
    ended
}
