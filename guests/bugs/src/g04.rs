//! G04: the loop polls RPC, then the application, then blocks.
//!
//! If the application queues a call in its turn, the call is not written before the block. It leaves only when
//! something else arrives and gives the RPC system another turn. Here a second call is in flight at the same
//! time. If its answer arrives later than the first one's, in a delivery of its own, all is well. If both
//! arrive at once, or in the other order, the guest waits for an answer to a call that it never sent.
//!
//! Mended: the runtime's loop, which blocks only if no task was woken.

use std::process::ExitCode;

use futures::try_join;
use peer::peer_capnp::executor;
use wavetank_guest::{Io, Result, run};

use crate::{
    Way, exit_code,
    hand::{self, Session},
};

pub fn main(way: Way) -> ExitCode {
    match way {
        Way::Buggy => exit_code(one_turn_each()),
        Way::Mended => run(|executor, _: Io| app(executor)),
    }
}

async fn app(executor: executor::Client) -> Result<()> {
    let (first, beside) = (peer::echo(&executor, "first"), peer::echo(&executor, "beside"));
    let chain = async {
        first.await?;
        peer::echo(&executor, "second").await
    };
    try_join!(chain, beside)?;
    Ok(())
}

fn one_turn_each() -> Result<()> {
    let (mut session, executor) = Session::open(None);
    let mut app = hand::app(app(executor));
    let ended = loop {
        // The system may wake itself in its own turn. This loop does handle that much.
        while session.system.turn() {}
        app.turn();
        if let Some(ended) = app.take_output() {
            break ended;
        }
        session.reactor.block()?;
    };
    drop(app);
    ended.and(session.close())
}
