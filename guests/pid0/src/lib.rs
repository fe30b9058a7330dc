//! The first guest: its bootstrap capability is the host itself, and it boots one child.
//!
//! Three calls go out together: `executor`, `runBytes` and `wait`, each on the promised result of the one
//! before. The guest awaits nothing until all are sent.

use std::process::ExitCode;

use peer::peer_capnp::host;
use wavetank_guest::{Io, link::Link, session::run};

/// Runs pid0 over this link, starts this component as its child, and succeeds if the child did.
pub fn boot(link: Link, name: &str, child: &[u8]) -> ExitCode {
    run(link, |host: host::Client, _: Io| async move {
        let executor = peer::executor(&host);
        let process = peer::start(&executor, child, &[name, "hello", "pid0"], &["GREETING=hello"]);
        peer::wait_for_success(&process).await?;
        process.settled().await;
        executor.settled().await;
        Ok(())
    })
}
