//! Children: their capabilities are dropped in every order, and the child ends before that, meanwhile or after.

use peer::peer_capnp::{byte_stream, executor, process};
use wavetank_guest::{Error, Result};

use crate::say;

const CHILD: &[u8] = include_bytes!("../../built/child-copy.wasm");

pub async fn all_orders(executor: &executor::Client) -> Result<()> {
    for end in [End::Ended, End::Killed, End::Ending, End::Killing, End::Forgotten] {
        for order in ORDERS {
            let name = format!("{end:?} {order:?}");
            say(&name);
            one_order(Held::start(executor, &name).await?, end, order).await?;
        }
    }
    Ok(())
}

/// Ends while a child runs and all its capabilities are held. The host decides whether the child first meets
/// the end of its stdin or is killed.
pub async fn leave(executor: &executor::Client) -> Result<()> {
    let _held = Held::start(executor, "left").await?;
    Ok(())
}

/// The way in which the child ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Its stdin is closed, and it has ended before anything is dropped.
    Ended,
    /// It was killed before anything is dropped.
    Killed,
    /// Its stdin is closed, and it ends while everything is dropped.
    Ending,
    /// It is killed while everything is dropped.
    Killing,
    /// Nothing ends it but the drops: when both stdin and process are dropped, its stdin ends.
    Forgotten,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Stdin,
    Stdout,
    Process,
}

use Part::{Process, Stdin, Stdout};

const ORDERS: [[Part; 3]; 6] = [
    [Stdin, Stdout, Process],
    [Stdin, Process, Stdout],
    [Stdout, Stdin, Process],
    [Stdout, Process, Stdin],
    [Process, Stdin, Stdout],
    [Process, Stdout, Stdin],
];

/// A running child that has copied three bytes. One of them was read.
struct Held {
    stdin: byte_stream::Client,
    stdout: byte_stream::Client,
    process: process::Client,
}

impl Held {
    async fn start(executor: &executor::Client, name: &str) -> Result<Self> {
        let process = peer::start(executor, CHILD, &[name], &[]);
        let (stdout, stdin) = (peer::stdout(&process), peer::stdin(&process));
        peer::write(&stdin, b"abc").await?;
        peer::read(&stdout, 1).await?;
        let (stdin, stdout) = (stdin.settled().await, stdout.settled().await);
        Ok(Self { stdin, stdout, process: process.settled().await })
    }

    fn drop_in(self, order: [Part; 3]) {
        let Self { stdin, stdout, process } = self;
        let (mut stdin, mut stdout, mut process) = (Some(stdin), Some(stdout), Some(process));
        for part in order {
            match part {
                Stdin => drop(stdin.take()),
                Stdout => drop(stdout.take()),
                Process => drop(process.take()),
            }
        }
    }
}

async fn one_order(child: Held, end: End, order: [Part; 3]) -> Result<()> {
    match end {
        End::Ended => {
            peer::close(&child.stdin).await?;
            expect(0, peer::wait(&child.process).await?)?;
            child.drop_in(order);
        }
        End::Killed => {
            peer::kill(&child.process).await?;
            expect(137, peer::wait(&child.process).await?)?;
            child.drop_in(order);
        }
        End::Ending => {
            let (closed, code) = (peer::close(&child.stdin), peer::wait(&child.process));
            child.drop_in(order);
            closed.await?;
            expect(0, code.await?)?;
        }
        End::Killing => {
            let (killed, code) = (peer::kill(&child.process), peer::wait(&child.process));
            child.drop_in(order);
            killed.await?;
            expect(137, code.await?)?;
        }
        End::Forgotten => child.drop_in(order),
    }
    Ok(())
}

fn expect(expected: i32, code: i32) -> Result<()> {
    if code == expected {
        return Ok(());
    }
    Err(Error::guest(format!("the child exited with {code}, not {expected}")))
}
