//! Fault: a loop that asks again and again instead of sleeping.
//!
//! The RPC works: the guest boots, makes an echo call, gets its answer, and then waits for its peer to hang
//! up. But it waits by polling the RPC system and asking `pollable.ready()` over and over, with adapters that
//! wake themselves if they have nothing to do. It never calls `wasi:io/poll`, so the host never learns that it
//! is idle, and it burns its fuel at full speed.

use std::{
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use capnp::message::ReaderOptions;
use capnp_rpc::{RpcSystem, rpc_twoparty_capnp::Side, twoparty::VatNetwork};
use futures::{AsyncRead, AsyncWrite};
use peer::peer_capnp::executor;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wavetank_guest::{Result, link::Link};

fn main() -> Result<()> {
    let Link { input, output, .. } = Link::over_stdio();
    let input = Rc::new(input);
    let network = VatNetwork::new(Input(input.clone()), Output(output), Side::Client, ReaderOptions::new());
    let mut system = RpcSystem::new(Box::new(network), None);
    let executor: executor::Client = system.bootstrap(Side::Server);
    let mut answer = Some(Box::pin(peer::echo(&executor, "round and round")));
    let pollable = input.subscribe();
    // No task is ever woken, so every task is polled every time.
    let cx = &mut Context::from_waker(Waker::noop());
    while Pin::new(&mut system).poll(cx).is_pending() {
        if let Some(Poll::Ready(echoed)) = answer.as_mut().map(|answer| answer.as_mut().poll(cx)) {
            echoed?;
            answer = None;
        }
        while answer.is_none() && !pollable.ready() {}
    }
    Ok(())
}

struct Input(Rc<InputStream>);
struct Output(OutputStream);

impl AsyncRead for Input {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.0.read(buf.len() as u64) {
            Ok(bytes) if bytes.is_empty() => again(cx),
            Ok(bytes) => {
                buf[..bytes.len()].copy_from_slice(&bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            Err(StreamError::Closed) => Poll::Ready(Ok(0)),
            Err(error) => Poll::Ready(Err(io::Error::other(error))),
        }
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let permit_bytes = self.0.check_write().map_err(io::Error::other)? as usize;
        if permit_bytes == 0 {
            return again(cx);
        }
        let taken_bytes = buf.len().min(permit_bytes);
        self.0.write(&buf[..taken_bytes]).map_err(io::Error::other)?;
        Poll::Ready(Ok(taken_bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.flush().map_err(io::Error::other))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// Not ready, but wakes itself at once.
fn again<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}
