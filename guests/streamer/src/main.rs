//! Sends streaming calls to a sink of its host, awaits each, and ends in the way that its first argument names.
//!
//! ```text
//! streamer done        awaits `done`, and checks the total
//! streamer exit        ends without `done`
//! streamer pipelined   the same as done, all of it on a sink that has not come yet
//! streamer leak        sends `done`, keeps its promise for ever, and ends
//! streamer leak-note   the same with `note`, whose results are empty as those of a stream
//! ```

use std::{env, mem, process::ExitCode};

use capnp::capability::RemotePromise;
use wavetank_guest::{Error, Io, Result, run};

/// Generated from `capnp/sink.capnp`.
#[allow(missing_docs, clippy::all)]
mod sink_capnp {
    include!(concat!(env!("OUT_DIR"), "/sink_capnp.rs"));
}

use sink_capnp::{sink, source};

const NUMBERS: u32 = 4;

fn main() -> ExitCode {
    let way = env::args().nth(1).unwrap_or_else(|| "done".into());
    run(|source: source::Client, _: Io| async move {
        let RemotePromise { promise, pipeline } = source.sink_request().send();
        let promised = pipeline.get_sink();
        if way == "pipelined" {
            push_all(&promised).await?;
            check(done(&promised).await?)?;
            promise.await?;
            return Ok(());
        }
        let sink = promise.await?.get()?.get_sink()?;
        match &*way {
            "done" => {
                push_all(&sink).await?;
                check(done(&sink).await?)
            }
            "exit" => push_all(&sink).await,
            "leak" => {
                push_all(&sink).await?;
                mem::forget(sink.done_request().send());
                Ok(())
            }
            "leak-note" => {
                push_all(&sink).await?;
                mem::forget(sink.note_request().send());
                Ok(())
            }
            other => Err(Error::guest(format!("no way to end is called {other:?}"))),
        }
    })
}

async fn push_all(sink: &sink::Client) -> Result<()> {
    for number in 0..NUMBERS {
        let mut request = sink.push_request();
        request.get().set_number(number);
        request.send().await?;
    }
    Ok(())
}

async fn done(sink: &sink::Client) -> Result<u32> {
    Ok(sink.done_request().send().promise.await?.get()?.get_total())
}

fn check(total: u32) -> Result<()> {
    if total == NUMBERS { Ok(()) } else { Err(Error::guest(format!("{total} numbers came of {NUMBERS}"))) }
}
