//! A wire for an RPC system that the scenario itself polls.

use futures::channel::mpsc;
use futures::{AsyncRead, AsyncWrite, StreamExt};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// One end of a wire that is not a pipe of the tank, so nothing delays it. It ends when the other end is dropped.
#[derive(Clone)]
pub(super) struct Wire {
    incoming: Rc<RefCell<Incoming>>,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
}

struct Incoming {
    pieces: mpsc::UnboundedReceiver<Vec<u8>>,
    /// The unread rest of the pieces that were received.
    held: VecDeque<u8>,
}

impl Wire {
    pub(super) fn pair() -> [Wire; 2] {
        let ((to_far, from_near), (to_near, from_far)) = (mpsc::unbounded(), mpsc::unbounded());
        let end = |pieces, outgoing| {
            let incoming = Incoming { pieces, held: VecDeque::new() };
            Wire { incoming: Rc::new(RefCell::new(incoming)), outgoing }
        };
        [end(from_far, to_far), end(from_near, to_near)]
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let Incoming { pieces, held } = &mut *self.incoming.borrow_mut();
        while held.is_empty() {
            match std::task::ready!(pieces.poll_next_unpin(cx)) {
                Some(bytes) => held.extend(bytes),
                None => return Poll::Ready(Ok(0)),
            }
        }
        let count = held.len().min(into.len());
        for (slot, byte) in into.iter_mut().zip(held.drain(..count)) {
            *slot = byte;
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let sent = self.outgoing.unbounded_send(from.to_vec());
        Poll::Ready(sent.map(|()| from.len()).map_err(|_| io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
