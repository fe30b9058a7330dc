//! WASI's own handles: streams, pollables, timers.

use std::time::Duration;

use futures::AsyncReadExt;
use wasip2::{cli::stdin::get_stdin, clocks::monotonic_clock::subscribe_duration, io::poll::poll};
use wavetank_guest::{Io, Result};

use crate::say;

const HOUR: Duration = Duration::from_secs(3600);

pub async fn all_orders(io: &Io) -> Result<()> {
    say("two pollables of one stream: the older first");
    let stdin = get_stdin();
    let (older, younger) = (stdin.subscribe(), stdin.subscribe());
    drop(older);
    drop(younger);
    drop(stdin);

    say("two pollables of one stream: the younger first");
    let stdin = get_stdin();
    let (older, younger) = (stdin.subscribe(), stdin.subscribe());
    drop(younger);
    drop(older);
    drop(stdin);

    say("two streams of one pipe: the first one goes while the other is waited on");
    let (one, other) = (get_stdin(), get_stdin());
    drop(one);
    other.subscribe().block();
    drop(other);

    say("a stream with bytes unread, and one with bytes read ahead");
    let mut stdin = io.stdin()?;
    stdin.read_exact(&mut [0]).await?;
    drop(stdin);

    say("a timer that nobody waits for, and one that lost its race");
    drop(subscribe_duration(0));
    let (soon, late) = (subscribe_duration(1), subscribe_duration(HOUR.as_nanos() as u64));
    poll(&[&late, &soon]);
    drop(late);
    drop(soon);
    drop(io.sleep(HOUR));
    Ok(())
}
