//! G20: a parent that hides its child's failure.
//!
//! The child exits with a failure. Its parent waits for it, logs the code and returns success, so whoever
//! started the parent does not learn of the failure.
//!
//! Mended: if the child fails, its parent fails.
//!
//! The child is this component again. The parent reads its bytes from stdin.

use std::{env, process::ExitCode};

use futures::AsyncReadExt;
use peer::peer_capnp::executor;
use wavetank_guest::{Error, Io, run};

use crate::Way;

pub fn main(way: Way) -> ExitCode {
    if env::args().nth(3).as_deref() == Some("child") {
        return ExitCode::FAILURE;
    }
    run(move |executor: executor::Client, io: Io| async move {
        let mut wasm = Vec::new();
        io.stdin()?.read_to_end(&mut wasm).await?;
        let child = peer::start(&executor, &wasm, &["child", "g20", "mended", "child"], &[]);
        let code = peer::wait(&child).await?;
        child.settled().await;
        match (code, way) {
            (0, _) => Ok(()),
            (code, Way::Buggy) => {
                eprintln!("the child exited with {code}");
                Ok(())
            }
            (code, Way::Mended) => Err(Error::guest(format!("the child exited with {code}"))),
        }
    })
}
