//! Native vats that do at random every legal thing: the scenario `vats`.
//!
//! Two to four vats, each joined to each other, with no wasm. The next thing one of them does is a move: calls,
//! pipelined and not, with capabilities and promises as arguments and results, a promise resolved to another vat's
//! promise, echoes of one's own, streams, cancellation, release in flight, exceptions, disconnection and a new
//! connection. What is on offer follows from the state of the protocol: references that are held, promises that are
//! unresolved, questions that are open, connections that are up.
//!
//! Beside it stands a direct object graph (`graph`) that says where each reference must lead; each call carries
//! its line and its number there, and the node it arrives at books it. Oracles, in the order in which they are
//! asked at rest:
//!
//! | oracle | a fault |
//! | --- | --- |
//! | `order`, `order at home` | a call arrived before one made earlier on the same client, or twice; at home where it came back to the vat that made it |
//! | `target` | a call arrived at a node that its reference does not lead to |
//! | `result` | a call failed though nothing was broken, or did not fail where it must |
//! | `lost` | a call was answered and never arrived, or never arrived and nobody was told |
//! | a stall | something waits, and there is nothing to wait for |
//! | `protocol` | a frame that no correct side sends, or an Abort that nobody asked for |
//! | `table` | a question, export or embargo is open though everything was dropped |
//! | `cancelled` | a cancelled question that no Return ever frees |
//! | `kept` | an object lives though nobody holds it |
//!
//! Two features of their own are left to the scenario `vats-ends` (see [`Vats::ends`]): ends that come without a word,
//! and objects that do something when they end.
//!
//! Some operations always meet a fault of capnp-rpc 0.27.3. Each kind of operation that is not plain traffic is
//! drawn into a world or left out of it, so that none drowns the others.

mod graph;
mod node;
mod operations;
mod work;

use crate::calls::PEER_SCHEMA;
use crate::frames::{Direction, Message};
use crate::ledger::Ledger;
use crate::oracle::{Blame, Finding, Oracle};
use crate::transcript::Transcript;
use crate::world::World;
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

pub use operations::Kind;

/// How the world of the scenario is made.
#[derive(Default)]
pub struct Vats {
    count: Option<usize>,
    kinds: Option<Vec<Kind>>,
    ends: bool,
    over: Option<Over>,
    told: Option<Told>,
}

/// Shows an RPC system its streams: of which link, by order of birth, and of which of its ends.
type Over = Box<dyn Fn(usize, usize, Streams) -> Streams>;

/// Hears of each operation that is done.
type Told = Rc<dyn Fn(Kind, &str)>;

impl Vats {
    /// Two to four vats, as drawn; all operations.
    pub fn new() -> Self {
        Vats::default()
    }

    /// So many vats.
    #[must_use]
    pub fn count(mut self, vats: usize) -> Self {
        self.count = Some(vats);
        self
    }

    /// Only these kinds of operation, and all of them.
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

    /// Shows each RPC system its streams in another way: for vats that are wrong on purpose.
    #[must_use]
    pub fn over(mut self, over: impl Fn(usize, usize, Streams) -> Streams + 'static) -> Self {
        self.over = Some(Box::new(over));
        self
    }

    /// Hears of each operation when it is done.
    #[must_use]
    pub fn told(mut self, told: impl Fn(Kind, &str) + 'static) -> Self {
        self.told = Some(Rc::new(told));
        self
    }

    /// Builds the world. Draws how many vats there are, which kinds of operation, how many, and how the links
    /// are.
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
            // The vats do what is lawful, and their objects agree with a graph without RPC.
            let (who, blame) = ("vats".into(), Blame::Library("capnp-rpc"));
            Some(Finding { oracle: Oracle::Own(oracle), who, blame, what, detail: Vec::new() })
        });
        world.script(operations::Operations::new(shared, left));
    }
}

/// Operations of one world, at most.
const MAX_OPERATIONS: u32 = 40;

/// Connections of a pair of vats, one after another, at most.
const MAX_GENERATIONS: u32 = 2;

/// References that a vat holds, at most: what comes beyond is dropped.
const MAX_REFERENCES: usize = 10;

struct State {
    tank: Tank,
    kinds: Vec<Kind>,
    told: Option<Told>,
    graph: Graph,
    vats: Vec<Vat>,
    pairs: Vec<Pair>,
    references: u32,
    /// Promises that are not resolved: by their id, the vat that will do it, and the way to.
    promises: BTreeMap<usize, (usize, Resolver)>,
    /// Calls whose server waits for an operation.
    holds: BTreeMap<usize, oneshot::Sender<()>>,
    /// Calls that their caller waits for, by number, with the vat of the caller.
    open: BTreeMap<usize, (usize, AbortHandle)>,
    disconnected: BTreeSet<LinkId>,
    /// Bootstraps that were asked for and are not there yet.
    asking: usize,
    stage: Stage,
}

/// How far a world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Operations are made.
    Open,
    /// All that is held is dropped.
    Closing,
    /// The world itself is taken down: nothing that ends does anything more.
    Over,
}

type Resolver = oneshot::Sender<Result<node_capnp::Client, capnp::Error>>;

struct Vat {
    name: String,
    actor: ActorId,
    root: (Target, node_capnp::Client),
    references: BTreeMap<u32, Reference>,
    /// Who waits until it has no call open.
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
    fn new(tank: Tank, kinds: Vec<Kind>, told: Option<Told>) -> Self {
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

/// What the vats' tasks, the servers and the script share. Never borrowed while a client or a promise is dropped,
/// for that may drop a server.
#[derive(Clone)]
struct Shared(Rc<RefCell<State>>);

impl Shared {
    fn borrow(&self) -> Ref<'_, State> {
        self.0.borrow()
    }

    fn borrow_mut(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    /// Joins two vats, by as many connections as are drawn.
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

    /// What is wrong at rest.
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
