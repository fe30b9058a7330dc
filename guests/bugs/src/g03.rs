//! G03, its second half: a session "mended" by leaking it.
//!
//! A stream that is dropped before its pollable traps, so somebody kept everything alive for ever: at the end the RPC
//! system and all it owns are forgotten. The exit code is 0. But the link's streams and pollables are still in the
//! host's table, Finish and Release of the last calls were never sent, and everything that was queued is lost.
//!
//! Mended: the session ends in order, and drops its pollables before their streams.

use std::{process::ExitCode, sync::OnceLock};

use peer::peer_capnp::executor;
use wasip2::{
    clocks::monotonic_clock::subscribe_duration,
    io::poll::{Pollable, poll},
};
use wavetank_guest::{Io, Result, run};

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
    let (mut session, executor) = Session::open(None);
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

const TIMERS: usize = 10;

/// The same bug with timers, without any RPC: each sleep leaks its pollable, so a loop leaks one in each turn.
///
/// Mended: just as many pollables are kept for life, but they are made once and waited for together. That is no leak.
pub fn main_timers(way: Way) -> ExitCode {
    let make = || subscribe_duration(1_000_000);
    match way {
        Way::Buggy => {
            for _ in 0..TIMERS {
                let timer = make();
                timer.block();
                std::mem::forget(timer);
            }
        }
        Way::Mended => {
            static KEPT: OnceLock<Vec<Pollable>> = OnceLock::new();
            let kept = KEPT.get_or_init(|| (0..TIMERS).map(|_| make()).collect());
            let mut left: Vec<&Pollable> = kept.iter().collect();
            while !left.is_empty() {
                let ready = poll(&left);
                let mut index = 0..;
                left.retain(|_| !index.next().is_some_and(|index| ready.contains(&index)));
            }
        }
    }
    ExitCode::SUCCESS
}
