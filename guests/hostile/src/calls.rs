//! Asks its host for children that it should not get.

use std::{
    io::{Read, stdin},
    process::ExitCode,
};

use peer::peer_capnp::{executor, process};
use wavetank_guest::{Error, Io, Result};

const HUNDRED_MEGABYTES: u32 = 100_000_000;

/// Starts bytes that are not a component: nothing, text, a core module, and a component's header followed by noise.
pub fn junk() -> ExitCode {
    wavetank_guest::run(|executor: executor::Client, _io: Io| async move {
        let noise: Vec<u8> =
            b"\0asm\x0d\0\x01\0".iter().copied().chain((0..4000).map(|n| (n * 7) as u8)).collect();
        for bytes in [&b""[..], b"hello", b"\0asm\x01\0\0\0", &noise] {
            let process = peer::start(&executor, bytes, &["junk"], &[]).settled().await;
            refused(&process).await?;
        }
        // All answers so far were expected exceptions. This call must succeed.
        peer::echo(&executor, "done").await
    })
}

pub fn hundred_megabytes() -> ExitCode {
    wavetank_guest::run(|executor: executor::Client, _io: Io| async move {
        let mut request = executor.run_bytes_request();
        request.get().init_wasm(HUNDRED_MEGABYTES);
        match request.send().promise.await {
            Ok(_) => return Err(Error::guest("100 MB of zeros were taken for a component")),
            Err(error) => println!("{error}"),
        }
        peer::echo(&executor, "done").await
    })
}

/// Checks that there is no child, and prints the reason.
async fn refused(process: &process::Client) -> Result<()> {
    match peer::wait(process).await {
        Ok(code) => Err(Error::guest(format!("junk ran and exited with {code}"))),
        Err(error) => {
            println!("{error:?}");
            Ok(())
        }
    }
}

/// Starts itself again and again until it is refused, and feeds each child the bytes that it needs to do the same.
pub fn fork(detached: bool) -> ExitCode {
    let mut wasm = Vec::new();
    if let Err(error) = stdin().read_to_end(&mut wasm) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let case = if detached { "fork-detached" } else { "fork" };
    wavetank_guest::run(|executor: executor::Client, _io: Io| async move {
        let mut children = 0;
        loop {
            let mut request = executor.run_bytes_request();
            let mut params = request.get();
            params.set_wasm(&wasm);
            let mut args = params.reborrow().init_args(2);
            args.set(0, "fork");
            args.set(1, case);
            params.set_detached(detached);
            let child = match request.send().promise.await {
                Ok(answer) => answer.get()?.get_process()?,
                Err(error) => {
                    println!("refused after {children}: {error}");
                    break;
                }
            };
            children += 1;
            let stdin = peer::stdin(&child);
            // The child may end before it has read everything.
            let _ = peer::write(&stdin, &wasm).await;
            let _ = peer::close(&stdin).await;
            drop(stdin.settled().await);
        }
        peer::echo(&executor, "done").await
    })
}
