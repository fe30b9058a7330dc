//! Native vats that do every legal operation at random: the scenario `vats`.
//!
//! There are two to four vats, each joined to each other, with no wasm. Each move is one operation of a vat: calls,
//! pipelined and not, with capabilities and promises as arguments and results, a promise resolved to another vat's
//! promise, echoes of a vat's own capabilities, streams, cancellation, release in flight, exceptions, disconnection and
//! a new connection. The menu of operations follows from the state of the protocol: the references that are held, the
//! promises that are unresolved, the questions that are open, and the connections that are up.
//!
//! A direct object graph (`graph`) runs alongside and says where each reference must lead. Each call carries its line
//! and its number in the line, and the node at which it arrives records it. These are the oracles, in the order in
//! which they judge at rest:
//!
//! | oracle | a fault |
//! | --- | --- |
//! | `order`, `order at home` | a call arrived twice or before an earlier one on its client (at home: in its own vat) |
//! | `target` | a call arrived at a node that its reference does not lead to |
//! | `result` | a call failed though nothing was broken, or did not fail although it must |
//! | `lost` | a call was answered and never arrived, or never arrived and nobody was told |
//! | a stall | something waits, and there is nothing to wait for |
//! | `protocol` | a frame that no correct side sends, or an Abort that nobody asked for |
//! | `table` | a question, export or embargo is open though everything was dropped |
//! | `cancelled` | a cancelled question that no Return ever frees |
//! | `kept` | an object lives though nobody holds it |
//!
//! Two features are left to the scenario `vats-ends` (see [`Vats::ends`]): ends without a message, and objects that act
//! when they end.
//!
//! Some operations always meet a fault of capnp-rpc 0.27.3. So each kind of operation that is not plain traffic is
//! drawn into a world or left out of it, so that no kind hides the others.

mod graph;
mod node;
mod operations;
mod work;

use futures::channel::oneshot;
use futures::future::AbortHandle;
use graph::{Graph, RESULT, Target};
use node::Node;
use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::task::Waker;
use wavetank::link::{Link, Streams};
use wavetank::schema::vats_capnp::node as node_capnp;
use wavetank::{ActorId, LinkId, Tank};
use wavetank_sim::oracle::{Blame, Finding, Oracle};
use wavetank_sim::schema::PEER_SCHEMA;
use wavetank_sim::transcript::Transcript;
use wavetank_sim::world::World;
use wavetank_trace::frames::{Direction, Message};
use wavetank_trace::ledger::Ledger;

pub use operations::Kind;

/// How to build the world of the scenario.
#[derive(Default)]
pub struct Vats {
    count: Option<usize>,
    kinds: Option<Vec<Kind>>,
    ends: bool,
    over: Option<WrapStreams>,
    told: Option<OnOperation>,
}

/// Wraps the streams of an RPC system. The numbers are the link, by order of birth, and the end of the link.
type WrapStreams = Box<dyn Fn(usize, usize, Streams) -> Streams>;

/// Is called for each operation that is done.
type OnOperation = Rc<dyn Fn(Kind, &str)>;

impl Vats {
    /// Two to four vats, as drawn, with all operations.
    pub fn new() -> Self {
        Vats::default()
    }

    /// Sets the number of vats.
    #[must_use]
    pub fn count(mut self, vats: usize) -> Self {
        self.count = Some(vats);
        self
    }

    /// Sets the kinds of operation; no other kinds occur.
    #[must_use]
    pub fn kinds(mut self, kinds: &[Kind]) -> Self {
        self.kinds = Some(kinds.to_vec());
        self
    }

    /// Also draws the kinds of [`Kind::ENDS`]: connections that break at one end only, RPC systems that are dropped at
    /// any moment, and objects that call or drop another capability when they end.
    #[must_use]
    pub fn ends(mut self) -> Self {
        self.ends = true;
        self
    }

    /// Wraps the streams of each RPC system: for vats that are wrong on purpose.
    #[must_use]
    pub fn over(mut self, over: impl Fn(usize, usize, Streams) -> Streams + 'static) -> Self {
        self.over = Some(Box::new(over));
        self
    }

    /// Calls `told` for each operation when it is done.
    #[must_use]
    pub fn told(mut self, told: impl Fn(Kind, &str) + 'static) -> Self {
        self.told = Some(Rc::new(told));
        self
    }

    /// Builds the world. It draws the number of vats, the kinds and number of operations, and the links.
    pub fn build(self, world: &World) {
        let vats = self.count.unwrap_or_else(|| 2 + world.draw(3) as usize);
        let kinds = self.kinds.unwrap_or_else(|| operations::draw(world, self.ends));
        let left = 1 + world.draw(MAX_OPERATIONS);
        let shared = Shared(Rc::new(RefCell::new(State::new(world.tank().clone(), kinds, self.told))));
        for vat in 0..vats {
            let name = char::from(b'a' + vat as u8).to_string();
            let actor = world.vat(&name);
            let root = shared.borrow_mut().graph.root();
            let (id, client) = (root.0, Node::client(&shared, vat, root, None));
            shared.borrow_mut().vats.push(Vat::new(name, actor, client.clone(), id));
            shared.keep(vat, Target::Node(id), client);
        }
        let over = self.over.unwrap_or_else(|| Box::new(|_, _, streams| streams));
        for b in 1..vats {
            for a in 0..b {
                shared.join(world, [a, b], &*over);
            }
        }
        let mut pairs = shared.borrow().pairs.len();
        while pairs > 0 {
            pairs -= 1;
            for side in [0, 1] {
                shared.bootstrap(pairs, side, 0);
            }
        }
        let of = shared.clone();
        world.expect_at_rest(move |transcript, stalled| {
            let (oracle, what) = of.judge(transcript, stalled)?;
            // The vats only do what is lawful, and a graph without RPC predicts their objects.
            let (who, blame) = ("vats".into(), Blame::Library("capnp-rpc"));
            Some(Finding { oracle: Oracle::Own(oracle), who, blame, what, detail: Vec::new() })
        });
        world.script(operations::Operations::new(shared, left));
    }
}

/// Maximum number of operations of one world.
const MAX_OPERATIONS: u32 = 40;

/// Maximum number of connections of a pair of vats, one after another.
const MAX_GENERATIONS: u32 = 2;

/// Maximum number of references that a vat holds; further ones are dropped.
const MAX_REFERENCES: usize = 10;

struct State {
    tank: Tank,
    kinds: Vec<Kind>,
    told: Option<OnOperation>,
    graph: Graph,
    vats: Vec<Vat>,
    pairs: Vec<Pair>,
    references: u32,
    /// Promises that are not resolved: by id, the vat that will resolve it and its resolver.
    promises: BTreeMap<usize, (usize, Resolver)>,
    /// Calls whose server waits for an operation.
    holds: BTreeMap<usize, oneshot::Sender<()>>,
    /// Calls whose caller waits, by number, with the vat of the caller.
    open: BTreeMap<usize, (usize, AbortHandle)>,
    disconnected: BTreeSet<LinkId>,
    /// Number of bootstraps that were asked for and have not arrived.
    asking: usize,
    stage: Stage,
}

/// The stage of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Operations go on.
    Open,
    /// All references are being dropped.
    Closing,
    /// The world itself is taken down: objects that end now do nothing more.
    Over,
}

type Resolver = oneshot::Sender<Result<node_capnp::Client, capnp::Error>>;

struct Vat {
    name: String,
    actor: ActorId,
    root: (Target, node_capnp::Client),
    references: BTreeMap<u32, Reference>,
    /// The waker of the task that waits until the vat has no open call.
    closer: Option<Waker>,
}

/// Two vats and their connections, one after another.
struct Pair {
    vats: [usize; 2],
    links: Vec<[Link; 2]>,
    current: usize,
}

/// A client object that a vat holds, once or several times.
#[derive(Clone)]
struct Reference {
    line: usize,
    client: node_capnp::Client,
}

impl State {
    fn new(tank: Tank, kinds: Vec<Kind>, told: Option<OnOperation>) -> Self {
        State {
            tank,
            kinds,
            told,
            graph: Graph::default(),
            vats: Vec::new(),
            pairs: Vec::new(),
            references: 0,
            promises: BTreeMap::new(),
            holds: BTreeMap::new(),
            open: BTreeMap::new(),
            disconnected: BTreeSet::new(),
            asking: 0,
            stage: Stage::Open,
        }
    }
}

impl Vat {
    fn new(name: String, actor: ActorId, root: node_capnp::Client, id: usize) -> Self {
        let root = (Target::Node(id), root);
        Vat { name, actor, root, references: BTreeMap::new(), closer: None }
    }
}

/// The state that the vats' tasks, the servers and the script share. It must not be borrowed while a client or a
/// promise is dropped, because that may drop a server.
#[derive(Clone)]
struct Shared(Rc<RefCell<State>>);

impl Shared {
    fn borrow(&self) -> Ref<'_, State> {
        self.0.borrow()
    }

    fn borrow_mut(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    /// Joins two vats, by a drawn number of connections.
    fn join(&self, world: &World, vats: [usize; 2], over: &dyn Fn(usize, usize, Streams) -> Streams) {
        let mut links = Vec::new();
        let gated = world.draw(2) == 1;
        for generation in 0..=world.draw(MAX_GENERATIONS) {
            let state = self.borrow();
            let name = format!("{}-{} {generation}", state.vats[vats[0]].name, state.vats[vats[1]].name);
            let ends = vats.map(|vat| {
                let Vat { actor, root, .. } = &state.vats[vat];
                (*actor, root.1.client.clone())
            });
            let born = state.pairs.iter().map(|pair| pair.links.len()).sum::<usize>() + links.len();
            let mut end = 0;
            let link = state.tank.join_over(&name, ends, gated, |streams| {
                end += 1;
                over(born, end - 1, streams)
            });
            world.adopt(&link[0]);
            links.push(link);
        }
        self.borrow_mut().pairs.push(Pair { vats, links, current: 0 });
    }

    /// The fault at rest, if there is one.
    fn judge(&self, transcript: &Transcript, stalled: bool) -> Option<graph::Fault> {
        let state = self.borrow();
        let links = transcript.frames(&PEER_SCHEMA);
        let kept_up = || links.iter().filter(|link| !state.disconnected.contains(&link.link));
        let aborted = kept_up().flat_map(|link| &link.frames).find_map(|frame| match &frame.message {
            Message::Abort(why) => Some(("protocol", format!("the connection was aborted: {}", why.reason))),
            _ => None,
        });
        match state.graph.fault() {
            // Calls fail because a connection was aborted, and not the other way round.
            Some((RESULT, _)) | None if aborted.is_some() => return aborted,
            None => {}
            fault => return fault,
        }
        if stalled {
            return None;
        }
        if let Some(lost) = state.graph.lost() {
            return Some(("lost", lost));
        }
        let mut cancelled = None;
        for link in kept_up() {
            let mut ledger = Ledger::default();
            link.frames.iter().for_each(|frame| ledger.apply(frame));
            let names = |text: String| {
                let pair = state.pairs.iter().find(|pair| pair.links.iter().any(|l| l[0].id() == link.link));
                let [a, b] = pair.map_or([0, 0], |pair| pair.vats);
                let the = |side: Direction| format!("the {}", side.sender());
                text.replace(&the(Direction::Up), &state.vats[a].name)
                    .replace(&the(Direction::Down), &state.vats[b].name)
            };
            if let Some(violation) = ledger.violations().first() {
                return Some(("protocol", names(violation.to_string())));
            }
            if let Some(open) = ledger.open().first() {
                return Some(("table", names(open.to_string())));
            }
            cancelled = cancelled.or(ledger.cancelled().first().map(|entry| names(entry.to_string())));
        }
        if let Some(cancelled) = cancelled {
            return Some(("cancelled", cancelled));
        }
        let kept = state.graph.kept();
        kept.first().map(|node| ("kept", format!("node {node} lives, and nobody holds it")))
    }
}
