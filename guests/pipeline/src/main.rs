//! Calls on promises, on promises of promises, and so on, all sent before any answer is awaited.
//!
//! ```text
//! host.executor ─▶ runBytes ─▶ process.bootstrap ─▶ echo, echo, echo
//!                                     └─▶ runBytes ─▶ process.bootstrap ─▶ echo, echo, echo
//!                                                            └─▶ …
//! ```
//!
//! Each level is a `relay`, started by the relay above it. The calls on one promised capability must arrive in the
//! order in which they were made, and each answer tells its call's position. The answers may arrive in any order.
//!
//! A relay serves until its link ends, so in the end the guest kills them, the deepest first. Each kill but the last
//! goes through the relays above. A killed relay cleans up nothing, so only its exit code 137 is expected. This guest's
//! own link must end as cleanly as any.

use std::process::ExitCode;

use futures::future::try_join_all;
use peer::peer_capnp::{executor, host};
use wavetank_guest::{Error, Io, Result, stdio};

const RELAY: &[u8] = include_bytes!("../../built/relay-stdio.wasm");

const LEVELS: usize = 3;
const ECHOES: usize = 4;

fn main() -> ExitCode {
    stdio::run(|host: host::Client, _: Io| async move {
        let top = peer::executor(&host);
        let (mut levels, mut answers) = (Vec::new(), Vec::new());
        for level in 1..=LEVELS {
            let above = levels.last().map_or(&top, |(_, exported)| exported);
            let relay = peer::start(above, RELAY, &[&format!("relay-{level}")], &[]);
            let exported = peer::bootstrap(&relay);
            answers.extend((0..ECHOES).map(|place| echo(&exported, level, place)));
            levels.push((relay, exported));
        }
        try_join_all(answers).await?;
        while let Some((relay, exported)) = levels.pop() {
            exported.settled().await;
            let code = peer::wait(&relay);
            peer::kill(&relay).await?;
            let code = code.await?;
            if code != 137 {
                return Err(Error::guest(format!("a killed relay exited with {code}")));
            }
            relay.settled().await;
        }
        top.settled().await;
        Ok(())
    })
}

/// Sends one echo and returns a future that checks that exactly `place` calls arrived before it.
fn echo(executor: &executor::Client, level: usize, place: usize) -> impl Future<Output = Result<()>> + use<> {
    let mut request = executor.echo_request();
    request.get().set_message(format!("level {level}"));
    let answer = request.send().promise;
    async move {
        let answer = answer.await?;
        let response = answer.get()?.get_response()?.to_str()?;
        if response == format!("Echo: level {level} {place}") {
            return Ok(());
        }
        Err(Error::guest(format!("echo {place} at level {level} was answered {response:?}")))
    }
}
