//! Capabilities of the host, and the calls on them.
//!
//! No promise is dropped before its answer has come. That would cancel a call, which is damage and not weather.

use peer::peer_capnp::{executor, process};
use wavetank_guest::{Error, Promised, Result};

use crate::say;

const RELAY: &[u8] = include_bytes!("../../built/relay.wasm");

pub async fn all_orders(executor: &executor::Client) -> Result<()> {
    say("a capability dropped before its call was answered");
    let copy = executor.clone();
    let answer = peer::echo(&copy, "before");
    drop(copy);
    answer.await?;

    say("a capability dropped after");
    let copy = executor.clone();
    peer::echo(&copy, "after").await?;
    drop(copy);

    say(
        "a promised capability dropped before the answers to the call that promises it and to the call on it",
    );
    let promised = executor.run_bytes_request().send();
    let child = promised.pipeline.get_process();
    let end = peer::wait(&child);
    drop(child);
    refused(promised.promise.await.map_err(Error::from))?;
    refused(end.await)?;

    say("a link that ends after its capability was dropped");
    let (relay, exported) = start_relay(executor, "relay-dropped").await?;
    drop(exported);
    peer::kill(&relay).await?;
    drop(relay);

    say("a link that ends before its capability is dropped");
    let (relay, exported) = start_relay(executor, "relay-held").await?;
    peer::kill(&relay).await?;
    refused(echo(&exported).await)?;
    drop(relay);
    refused(echo(&exported).await)?;
    drop(exported);

    say("a link that ends while a call is on its way");
    let (relay, exported) = start_relay(executor, "relay-asked").await?;
    let (killed, answer) = (peer::kill(&relay), echo(&exported));
    drop(exported);
    drop(relay);
    killed.await?;
    // The call may be answered or refused: both are fine.
    let _ = answer.await;
    Ok(())
}

/// Starts a relay, makes a first call, and returns the relay and its exported capability.
async fn start_relay(executor: &executor::Client, name: &str) -> Result<(process::Client, executor::Client)> {
    let relay = peer::start(executor, RELAY, &[name], &[]);
    let exported: Promised<executor::Client> = peer::bootstrap(&relay);
    echo(&exported).await?;
    Ok((relay.settled().await, exported.settled().await))
}

fn echo(executor: &executor::Client) -> impl Future<Output = Result<()>> + use<> {
    let mut request = executor.echo_request();
    request.get().set_message("hello");
    let answer = request.send().promise;
    async move {
        answer.await?;
        Ok(())
    }
}

fn refused<T>(answer: Result<T>) -> Result<()> {
    match answer {
        Err(_) => Ok(()),
        Ok(_) => Err(Error::guest("a call that had to fail was answered")),
    }
}
