//! Links: the two pipes between a cell and its host, with an RPC system at the host's end.

use crate::event::Event;
use crate::gate::gate;
use crate::guard::GuardedNetwork;
use crate::ids::{ActorId, LinkId, PipeId};
use crate::pipe::DEFAULT_CAPACITY_BYTES;
use crate::shared::{LinkEnds, ServedAt};
use crate::spawn::{Role, Runtime};
use crate::stream::{PipeReader, PipeWriter};
use capnp::capability::Client;
use capnp::message::{DEFAULT_READER_OPTIONS, ReaderOptions};
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, twoparty};
use futures::channel::oneshot;
use futures::{AsyncRead, AsyncWrite, FutureExt};
use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The streams from which an RPC system reads and to which it writes.
pub type Streams = (Box<dyn AsyncRead + Unpin>, Box<dyn AsyncWrite + Unpin>);

/// The host's end of a link. Clones are the same end.
#[derive(Clone)]
pub struct Link(Rc<Shared>);

/// A link whose far end is plain bytes, for far ends that violate the protocol.
pub struct RawLink {
    /// The host's end.
    pub link: Link,
    /// Reads the bytes that the host sends.
    pub input: PipeReader,
    /// Writes bytes to the host.
    pub output: PipeWriter,
}

struct Shared {
    id: LinkId,
    up: PipeId,
    down: PipeId,
    asked: RefCell<Asked>,
}

/// Requests for the capability that the far end exports.
///
/// The RPC system belongs to its task. Asking it for a bootstrap sends a message, so it is asked only when somebody
/// wants the capability.
#[derive(Default)]
struct Asked {
    wishes: Vec<oneshot::Sender<Client>>,
    leave: Departure,
    waker: Option<Waker>,
    ended: bool,
}

/// Whether this end must leave, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Departure {
    #[default]
    No,
    /// Messages that were sent before go out first.
    InOrder,
    /// At once: messages that were not written yet are lost.
    AtOnce,
}

/// Four times capnp's usual limit, which is twice the largest frame, because a gate reads parameters once before their
/// server does.
fn reader_options() -> ReaderOptions {
    let words = DEFAULT_READER_OPTIONS.traversal_limit_in_words.map(|words| 4 * words);
    ReaderOptions { traversal_limit_in_words: words, ..ReaderOptions::new() }
}

/// One end of a link, before it is started.
struct NewEnd<'a> {
    link: LinkId,
    /// The pipe from the far end, and the pipe to it.
    up: PipeId,
    down: PipeId,
    /// The name and the role of its task.
    task: &'a str,
    role: Role,
    /// The vat whose task it is.
    vat: ActorId,
    side: Side,
    /// The capability that it serves.
    bootstrap: Client,
    /// Whether its answers wait at gates.
    has_gates: bool,
}

impl NewEnd<'_> {
    /// Starts it, as a task of its vat that reads and writes these streams.
    fn start(
        self,
        runtime: &Runtime,
        (input, output): (impl AsyncRead + Unpin + 'static, impl AsyncWrite + Unpin + 'static),
    ) -> Link {
        let NewEnd { link: id, up, down, task: name, role, vat, side, bootstrap, has_gates } = self;
        let shared = runtime.shared.clone();
        let (far_side, over) = match side {
            Side::Server => (Side::Client, up),
            Side::Client => (Side::Server, down),
        };
        let link = Link(Rc::new(Shared { id, up, down, asked: RefCell::default() }));
        let network = GuardedNetwork::new(Box::new(input), |input| {
            twoparty::VatNetwork::new(input, output, side, reader_options())
        });
        let look_on = network.look_on();
        let bootstrap =
            if has_gates { gate(&shared, ServedAt { link: id, over }, bootstrap) } else { bootstrap };
        let mut rpc = RpcSystem::new(Box::new(network), Some(bootstrap));
        let mut leaving = rpc.get_disconnector().fuse();
        let asked = link.clone();
        let task = async move {
            let ended = std::future::poll_fn(|cx| {
                for wish in asked.wishes(cx.waker()) {
                    // Sending fails if nobody waits any more.
                    let _ = wish.send(rpc.bootstrap(far_side));
                }
                match asked.leave() {
                    Departure::No => {}
                    // The end of the RPC system itself tells whether it went well.
                    Departure::InOrder => drop(leaving.poll_unpin(cx)),
                    Departure::AtOnce => {
                        // The RPC system is told to disconnect, because calls over it would never end otherwise. The
                        // result is not awaited.
                        let _ = leaving.poll_unpin(cx);
                        return Poll::Ready(Ok(()));
                    }
                }
                let polled = rpc.poll_unpin(cx);
                match look_on.cut_off() {
                    Some(error) if polled.is_pending() => Poll::Ready(Err(error)),
                    _ => polled,
                }
            })
            .await;
            asked.no_more();
            let error = ended.err().map(|e| e.to_string().into());
            // Drop the system before the event is recorded: dropping it closes the pipes.
            drop(rpc);
            shared.record(Event::LinkEnded { link: id, error });
        };
        runtime.spawner.spawn(name, vat, role, task.boxed_local());
        link
    }
}

impl Link {
    /// Makes a link to a cell out of two pipes, from the cell and to it. Serves `bootstrap` on it, as a task of `vat`
    /// that reads and writes the given streams over these pipes.
    pub(crate) fn to_cell(
        runtime: &Runtime,
        (cell, name): (ActorId, &str),
        vat: ActorId,
        pipes: (PipeId, PipeId),
        streams: (impl AsyncRead + Unpin + 'static, impl AsyncWrite + Unpin + 'static),
        bootstrap: Client,
    ) -> Self {
        let id = runtime.shared.new_link(LinkEnds { far: cell, near: vat, up: pipes.0 });
        runtime.shared.record(Event::LinkBorn { link: id, cell, near: vat, up: pipes.0, down: pipes.1 });
        let end = NewEnd {
            link: id,
            up: pipes.0,
            down: pipes.1,
            task: &format!("rpc {name}"),
            role: Role::LinkOf(cell),
            vat,
            side: Side::Server,
            bootstrap,
            has_gates: true,
        };
        end.start(runtime, streams)
    }

    /// Makes a link without an RPC system at its far end: the holder of that end writes and reads bytes. Serves
    /// `bootstrap` at the near end, as a task of `vat`.
    pub(crate) fn to_wire(
        runtime: &Runtime,
        name: &str,
        far: ActorId,
        (vat, bootstrap): (ActorId, Client),
    ) -> RawLink {
        let shared = &runtime.shared;
        let pipe = |what: &str| {
            let pipe = shared.new_pipe(&format!("{name} {what}"), DEFAULT_CAPACITY_BYTES);
            (PipeWriter::new(shared, pipe), PipeReader::new(shared, pipe))
        };
        let ((output, up), (down, input)) = (pipe("up"), pipe("down"));
        let pipes = (up.pipe(), down.pipe());
        let link = Self::to_cell(runtime, (far, name), vat, pipes, (up, down), bootstrap);
        RawLink { link, input, output }
    }

    /// Joins two vats and returns both ends. Each end serves its bootstrap as a task of its vat. `over` may wrap the
    /// streams of each RPC system.
    pub(crate) fn between(
        runtime: &Runtime,
        ends: [(ActorId, Client); 2],
        name: &str,
        gates: bool,
        mut over: impl FnMut(Streams) -> Streams,
    ) -> [Self; 2] {
        let shared = &runtime.shared;
        let pipe = |what: &str| {
            let pipe = shared.new_pipe(&format!("{name} {what}"), DEFAULT_CAPACITY_BYTES);
            (PipeWriter::new(shared, pipe), PipeReader::new(shared, pipe))
        };
        let [(a, serve_a), (b, serve_b)] = ends;
        let ((up_in, up_out), (down_in, down_out)) = (pipe("up"), pipe("down"));
        let id = shared.new_link(LinkEnds { far: a, near: b, up: up_out.pipe() });
        shared.record(Event::LinkBorn {
            link: id,
            cell: a,
            near: b,
            up: up_out.pipe(),
            down: down_in.pipe(),
        });
        let (up, down) = (up_out.pipe(), down_in.pipe());
        let task = format!("link {name}");
        let new_end = |vat, side, bootstrap| NewEnd {
            link: id,
            up,
            down,
            task: &task,
            role: Role::BetweenVats(id),
            vat,
            side,
            bootstrap,
            has_gates: gates,
        };
        let far = over((Box::new(down_out), Box::new(up_in)));
        let near = over((Box::new(up_out), Box::new(down_in)));
        let far = new_end(a, Side::Client, serve_a).start(runtime, far);
        let near = new_end(b, Side::Server, serve_b).start(runtime, near);
        [far, near]
    }

    /// Serves `bootstrap` as a task of `vat` on a link whose far end is bytes.
    pub(crate) fn to_bytes(
        runtime: &Runtime,
        name: &str,
        far: ActorId,
        (vat, bootstrap): (ActorId, Client),
    ) -> (Self, PipeWriter, PipeReader) {
        let shared = &runtime.shared;
        let pipe = |what: &str| {
            let pipe = shared.new_pipe(&format!("{name} {what}"), DEFAULT_CAPACITY_BYTES);
            (PipeWriter::new(shared, pipe), PipeReader::new(shared, pipe))
        };
        let ((up_in, up_out), (down_in, down_out)) = (pipe("up"), pipe("down"));
        let id = shared.new_link(LinkEnds { far, near: vat, up: up_out.pipe() });
        shared.record(Event::LinkBorn {
            link: id,
            cell: far,
            near: vat,
            up: up_out.pipe(),
            down: down_in.pipe(),
        });
        let end = NewEnd {
            link: id,
            up: up_out.pipe(),
            down: down_in.pipe(),
            task: &format!("rpc {name}"),
            role: Role::LinkOf(far),
            vat,
            side: Side::Server,
            bootstrap,
            has_gates: true,
        };
        let link = end.start(runtime, (up_out, down_in));
        (link, up_in, down_out)
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

    /// The capability that the far end exports.
    ///
    /// # Errors
    /// `Disconnected` if the link has ended.
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

    /// Ends the link in order: messages that were sent before go out first. Does nothing if it has ended.
    pub fn disconnect(&self) {
        self.go(Departure::InOrder);
    }

    /// Ends this end of the link at once: its RPC system is disconnected and dropped in one step, together with
    /// everything that it holds. Nothing more is sent; the far end sees its pipes close. Does nothing if it has ended.
    pub fn abandon(&self) {
        self.go(Departure::AtOnce);
    }

    fn go(&self, how: Departure) {
        let mut asked = self.0.asked.borrow_mut();
        asked.leave = how;
        if let Some(waker) = asked.waker.take() {
            waker.wake();
        }
    }

    fn leave(&self) -> Departure {
        self.0.asked.borrow().leave
    }

    /// Whether the link has ended, as far as this end knows.
    pub fn has_ended(&self) -> bool {
        self.0.asked.borrow().ended
    }

    fn wishes(&self, waker: &Waker) -> Vec<oneshot::Sender<Client>> {
        let mut asked = self.0.asked.borrow_mut();
        asked.waker = Some(waker.clone());
        std::mem::take(&mut asked.wishes)
    }

    fn no_more(&self) {
        let mut asked = self.0.asked.borrow_mut();
        asked.ended = true;
        asked.wishes.clear();
    }
}

/// The error of a request for a bootstrap capability if the link has ended.
pub(crate) fn ended() -> capnp::Error {
    capnp::Error::disconnected("the cell's link has ended".into())
}
