//! Links: the two pipes between a cell and its host, with an RPC system at the host's end.

use crate::event::Event;
use crate::ids::{ActorId, LinkId, PipeId};
use crate::stream::{PipeReader, PipeWriter};
use crate::tank::Tank;
use capnp::capability::Client;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, twoparty};
use futures::FutureExt;
use futures::channel::oneshot;
use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;

/// The host's end of a link. Clones are the same end.
#[derive(Clone)]
pub struct Link(Rc<Shared>);

struct Shared {
    id: LinkId,
    up: PipeId,
    down: PipeId,
    asked: RefCell<Asked>,
}

/// Wishes for the capability that the far end exports.
///
/// The RPC system belongs to its task; asking it for a bootstrap sends a message, so it is asked only when
/// somebody wants it.
#[derive(Default)]
struct Asked {
    wishes: Vec<oneshot::Sender<Client>>,
    waker: Option<Waker>,
    ended: bool,
}

impl Link {
    /// Lays a link over the host's ends of two pipes and serves `bootstrap` on it, as a task of `vat`.
    pub(crate) fn new(
        tank: &Tank,
        (cell, name): (ActorId, &str),
        vat: ActorId,
        (up, down): (PipeReader, PipeWriter),
        bootstrap: Client,
    ) -> Self {
        let fabric = tank.fabric().clone();
        let link = Link(Rc::new(Shared {
            id: fabric.new_link(),
            up: up.pipe(),
            down: down.pipe(),
            asked: RefCell::default(),
        }));
        let Shared { id, up: up_id, down: down_id, .. } = *link.0;
        fabric.record(Event::LinkBorn { link: id, cell, up: up_id, down: down_id });
        let network = twoparty::VatNetwork::new(up, down, Side::Server, capnp::message::ReaderOptions::new());
        let mut rpc = RpcSystem::new(Box::new(network), Some(bootstrap));
        let asked = link.clone();
        let task = async move {
            let ended = std::future::poll_fn(|cx| {
                for wish in asked.wishes(cx.waker()) {
                    // Refused where nobody waits any more.
                    let _ = wish.send(rpc.bootstrap(Side::Client));
                }
                rpc.poll_unpin(cx)
            })
            .await;
            asked.end();
            let error = ended.err().map(|e| e.to_string().into());
            // The system first: dropping it closes the pipes.
            drop(rpc);
            fabric.record(Event::LinkEnded { link: id, error });
        };
        tank.spawn(&format!("rpc {name}"), vat, task.boxed_local());
        link
    }

    /// The link's id.
    pub fn id(&self) -> LinkId {
        self.0.id
    }

    /// The pipe from the cell to its host.
    pub fn up(&self) -> PipeId {
        self.0.up
    }

    /// The pipe from the host to the cell.
    pub fn down(&self) -> PipeId {
        self.0.down
    }

    /// The capability that the guest exports.
    ///
    /// # Errors
    /// `Disconnected` where the link has ended.
    pub async fn bootstrap(&self) -> Result<Client, capnp::Error> {
        let (wish, client) = oneshot::channel();
        {
            let mut asked = self.0.asked.borrow_mut();
            if asked.ended {
                return Err(ended());
            }
            asked.wishes.push(wish);
            if let Some(waker) = asked.waker.take() {
                waker.wake();
            }
        }
        client.await.map_err(|_| ended())
    }

    fn wishes(&self, waker: &Waker) -> Vec<oneshot::Sender<Client>> {
        let mut asked = self.0.asked.borrow_mut();
        asked.waker = Some(waker.clone());
        std::mem::take(&mut asked.wishes)
    }

    fn end(&self) {
        let mut asked = self.0.asked.borrow_mut();
        asked.ended = true;
        asked.wishes.clear();
    }
}

/// What a wish for a bootstrap capability meets when there is no link any more.
pub(crate) fn ended() -> capnp::Error {
    capnp::Error::disconnected("the cell's link has ended".into())
}
