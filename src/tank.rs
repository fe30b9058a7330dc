//! The tank itself, which creates cells, vats and links.

use crate::cell::{Cell, CellHost, CellSpec, Stdio, live};
use crate::clock::Clock;
use crate::connection::{Connection, ConnectionOffer};
use crate::engine::Engine;
use crate::error::Error;
use crate::event::Event;
use crate::freedoms::Freedoms;
use crate::ids::{ActorId, PipeId};
use crate::io::Io;
use crate::link::{Link, RawLink, Streams};
use crate::shared::{Blocked, LinkEnds, SharedState};
use crate::spawn::{Role, Runtime, Spawn};
use crate::spec::Transport;
use crate::stdio::{Input, Output};
use crate::store::{CellState, Entropy, Handles, Limiter};
use crate::stream::{PipeReader, PipeWriter};
use crate::undecided::{LinkSlot, Parts, UndecidedStdio};
use capnp::capability::Client;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::LocalBoxFuture;
use std::cell::{Cell as Count, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use wasmtime::component::ResourceTable;

/// Whether things happen by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Pipes flow, cells start and answers go out at once. Only the clock stands still until it is advanced.
    #[default]
    Free,
    /// Things happen only on request.
    Held,
}

/// How many cells may be started in total, for each cell that may live at once.
const BIRTHS_PER_CELL: usize = 10;

/// How long a host listens to a cell that may speak RPC over its stdio before it may hang up, in nanoseconds.
const PATIENCE_NS: u64 = 60_000_000_000;

/// The host's ends of the pipes that carry, or may carry, a cell's RPC.
enum RpcPipeEnds {
    Pipes(PipeReader, PipeWriter),
    Undecided(UndecidedStdio),
}

impl RpcPipeEnds {
    /// The pipe from the cell to the host.
    fn up(&self) -> PipeId {
        match self {
            RpcPipeEnds::Pipes(up, _) => up.pipe(),
            RpcPipeEnds::Undecided(undecided) => undecided.pipes().0,
        }
    }

    fn down(&self) -> PipeId {
        match self {
            RpcPipeEnds::Pipes(_, down) => down.pipe(),
            RpcPipeEnds::Undecided(undecided) => undecided.pipes().1,
        }
    }
}

/// The configuration of a tank.
pub struct TankConfig {
    /// Whether things happen by themselves.
    pub flow: Flow,
    /// Whether events are kept for [`SharedState::drain_events`].
    pub recording: bool,
    /// Makes the source of random bytes of each cell.
    pub entropy: Rc<dyn Fn(ActorId) -> Entropy>,
    /// The most cells that live at once. Ten times as many may be started in total.
    pub max_cells: usize,
}

/// A single-threaded host runtime. Clones are the same tank.
#[derive(Clone)]
pub struct Tank(Rc<Inner>);

struct Inner {
    engine: Arc<Engine>,
    runtime: Runtime,
    entropy: Rc<dyn Fn(ActorId) -> Entropy>,
    names: RefCell<BTreeSet<Arc<str>>>,
    cells: RefCell<BTreeMap<ActorId, Cell>>,
    living: Rc<Count<usize>>,
    max_cells: usize,
}

impl Tank {
    /// A tank whose tasks go to `spawner`.
    pub fn new(engine: Arc<Engine>, spawner: Rc<dyn Spawn>, config: TankConfig) -> Self {
        Tank(Rc::new(Inner {
            engine,
            runtime: Runtime {
                shared: SharedState::new(config.flow == Flow::Held, config.recording),
                spawner,
            },
            entropy: config.entropy,
            names: RefCell::default(),
            cells: RefCell::default(),
            living: Rc::default(),
            max_cells: config.max_cells,
        }))
    }

    /// The state that is shared between this tank's parts and its driver.
    pub fn shared(&self) -> &SharedState {
        &self.0.runtime.shared
    }

    /// The engine that runs its guests.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    /// Creates a vat: an actor whose tasks run first in, first out among themselves.
    pub fn vat(&self, name: &str) -> ActorId {
        let vat = self.0.runtime.shared.new_actor();
        let name = self.unique(name);
        self.0.runtime.shared.record(Event::VatBorn { vat, name });
        vat
    }

    /// Hands a task of `actor` to the runtime.
    pub fn spawn(&self, name: &str, actor: ActorId, task: LocalBoxFuture<'static, ()>) {
        self.spawn_as(name, actor, Role::Other, task);
    }

    /// Hands a task of `actor` to the runtime, and tells it the role of the task.
    pub fn spawn_as(&self, name: &str, actor: ActorId, role: Role, task: LocalBoxFuture<'static, ()>) {
        self.0.runtime.spawner.spawn(name, actor, role, task);
    }

    /// Starts a cell, as a child of `parent` if one is given, and serves it the capability that `bootstrap` makes.
    ///
    /// # Errors
    /// [`Error::Limit`] if too many cells live, or if too many were ever started.
    pub fn start(
        &self,
        spec: CellSpec,
        parent: Option<&Cell>,
        bootstrap: impl FnOnce(&Cell) -> Client,
    ) -> Result<(Cell, Stdio), Error> {
        self.start_over(spec, parent, |cell, ends| {
            let (id, vat, served) = (cell.id(), cell.0.spec.vat, bootstrap(cell));
            let cell_and_name = (id, &**cell.name());
            let link = match ends {
                RpcPipeEnds::Pipes(up, down) => {
                    let pipes = (up.pipe(), down.pipe());
                    Link::to_cell(&self.0.runtime, cell_and_name, vat, pipes, (up, down), served)
                }
                RpcPipeEnds::Undecided(undecided) => Link::to_cell(
                    &self.0.runtime,
                    cell_and_name,
                    vat,
                    undecided.pipes(),
                    undecided.streams(),
                    served,
                ),
            };
            *cell.0.link.borrow_mut() = Some(link);
        })
    }

    /// Starts a cell without an RPC system as its host. Returns a writer to the cell's link and a reader from it, so
    /// that the caller can play the host and send any bytes.
    ///
    /// # Errors
    /// [`Error::Limit`] if too many cells live, or if too many were ever started.
    pub fn start_wired(&self, spec: CellSpec) -> Result<(Cell, Stdio, PipeWriter, PipeReader), Error> {
        let mut ends = None;
        let transport = Some(spec.transport.unwrap_or_else(|| spec.guest.transport()));
        let (cell, stdio) = self.start_over(CellSpec { transport, ..spec }, None, |cell, of_wire| {
            let RpcPipeEnds::Pipes(up, down) = of_wire else { unreachable!("it was said where its wire is") };
            let (up_id, down_id) = (up.pipe(), down.pipe());
            let ends_of_link = LinkEnds { far: cell.id(), near: cell.0.spec.vat, up: up_id };
            let link = self.0.runtime.shared.new_link(ends_of_link);
            let near = cell.0.spec.vat;
            let born = Event::LinkBorn { link, cell: cell.id(), near, up: up_id, down: down_id };
            self.0.runtime.shared.record(born);
            ends = Some((down, up));
        })?;
        let (down, up) = ends.expect("a started cell has its wire");
        Ok((cell, stdio, down, up))
    }

    /// Starts a cell. `lay` gets the host's ends of the pipes for its RPC.
    fn start_over(
        &self,
        spec: CellSpec,
        parent: Option<&Cell>,
        lay: impl FnOnce(&Cell, RpcPipeEnds),
    ) -> Result<(Cell, Stdio), Error> {
        if self.0.living.get() >= self.0.max_cells {
            let limit = self.0.max_cells as u64;
            return Err(Error::Limit { what: "cells that live at once".into(), limit });
        }
        // A cell that has ended takes little memory, but some.
        let limit = self.0.max_cells.saturating_mul(BIRTHS_PER_CELL);
        if self.0.cells.borrow().len() >= limit {
            return Err(Error::Limit { what: "cells that were ever started".into(), limit: limit as u64 });
        }
        let shared = &self.0.runtime.shared;
        let id = shared.new_actor();
        let name = self.unique(&spec.name);
        shared.record(Event::CellBorn {
            cell: id,
            parent: parent.map(Cell::id),
            detached: spec.detached,
            name: name.clone(),
        });
        shared.hold_start(id);

        let pipes = RefCell::new(Vec::new());
        let pipe = |what: &str| {
            let pipe = shared.new_pipe(&format!("{name} {what}"), spec.capacity_bytes);
            pipes.borrow_mut().push(pipe);
            (PipeWriter::new(shared, pipe), PipeReader::new(shared, pipe))
        };
        let (stdin, guest_stdin) = pipe("stdin");
        let (guest_stdout, stdout) = pipe("stdout");
        let (guest_stderr, stderr) = pipe("stderr");
        let (mut own_stdin, mut own_stdout, mut undecided) = (None, None, None);
        let (offer, ends, printed) = match (spec.transport, spec.guest.transport()) {
            (Some(Transport::Stdio), _) => (ConnectionOffer::Never, RpcPipeEnds::Pipes(stdout, stdin), None),
            (None, Transport::Stdio) => {
                let stdio = (Input::unopened(), Output::new());
                let parts = Parts {
                    cell: id,
                    name: &name,
                    vat: spec.vat,
                    shared,
                    spawner: &self.0.runtime.spawner,
                    stdin: &stdio.0,
                    stdout: &stdio.1,
                    ends: (stdout, stdin),
                };
                let listening = UndecidedStdio::new(parts);
                undecided = Some(listening.clone());
                (own_stdin, own_stdout) = (Some(stdio.0), Some(stdio.1));
                (ConnectionOffer::Never, RpcPipeEnds::Undecided(listening), None)
            }
            (Some(Transport::Connection), _) | (None, Transport::Connection) => {
                let (guest_out, up) = pipe("connection out");
                let (down, guest_in) = pipe("connection in");
                let connection = Connection { input: Some(guest_in), output: Some(guest_out) };
                own_stdin = Some(Input::new(stdin));
                (ConnectionOffer::Ready(connection), RpcPipeEnds::Pipes(up, down), Some(stdout))
            }
        };
        let state = CellState {
            cell: id,
            shared: shared.clone(),
            up: ends.up(),
            down: ends.down(),
            table: table(spec.limits.handles),
            handles: Handles::default(),
            args: spec.args.clone(),
            env: spec.env.clone(),
            stdin: Arc::new(guest_stdin),
            stdout: Arc::new(guest_stdout),
            stderr: Arc::new(guest_stderr),
            offer,
            entropy: (self.0.entropy)(id),
            insecure_seed: None,
            freedoms: Freedoms::default(),
            named: 0,
            owes_turn: false,
            limiter: Limiter::new(shared, id, &spec.limits),
        };

        let vat = spec.vat;
        let pumped = |pipe: PipeReader, stream: &'static str| {
            let output = Output::new();
            let pump = output.clone().pump(pipe, name.clone(), stream);
            self.spawn_as(&format!("{stream} of {name}"), vat, Role::StdioOf(id), pump.boxed_local());
            output
        };
        let stderr = pumped(stderr, "stderr");
        if let Some(stdout) = printed {
            own_stdout = Some(pumped(stdout, "stdout"));
        }

        let (kill, order) = oneshot::channel();
        let (tell, exit) = oneshot::channel();
        let adopted = parent.filter(|_| !spec.detached);
        let let_go = parent.filter(|_| spec.detached).map(|parent| parent.0.let_go.clone());
        if let Some(let_go) = &let_go {
            let_go.set(let_go.get() + 1);
        }
        let cell = Cell(Rc::new(CellHost {
            id,
            name: name.clone(),
            spec,
            pipes: pipes.take(),
            link: LinkSlot::default(),
            undecided: undecided.clone(),
            children: RefCell::default(),
            let_go: Rc::default(),
            ending: Count::default(),
            ended: RefCell::default(),
            kill: RefCell::new(Some(kill)),
            care: Count::default(),
            waiting: Count::default(),
            exit: exit.shared(),
        }));
        if let Some(parent) = adopted {
            parent.0.children.borrow_mut().push(cell.clone());
        }
        if let Some(undecided) = &undecided {
            undecided.may_take_link(&cell.0.link);
        }
        lay(&cell, ends);

        self.0.cells.borrow_mut().insert(id, cell.clone());

        let engine = self.0.engine.wasmtime().clone();
        let life = live(cell.clone(), adopted.cloned(), engine, state, order, tell);
        let living = self.0.living.clone();
        living.set(living.get() + 1);
        let task = async move {
            life.await;
            living.set(living.get() - 1);
            if let Some(let_go) = let_go {
                let_go.set(let_go.get() - 1);
            }
        };
        self.spawn_as(&name, id, Role::Cell(id), task.boxed_local());
        Ok((cell, Stdio { stdin: own_stdin, stdout: own_stdout, stderr, undecided }))
    }

    /// The first cell, by its id, that waits for its stdin and will get nothing. Its transport was not set, and it has
    /// written nothing by `at_ns`, which is at least a minute after its birth. Nobody holds its stdin. It may be a
    /// program that reads its stdin to the end, or a server whose host asks it nothing.
    pub fn silent_cell(&self, at_ns: u64) -> Option<ActorId> {
        let cells = self.0.cells.borrow();
        let is_silent = |cell: &&Cell| {
            let Some(undecided) = cell.0.undecided.as_ref().filter(|_| cell.exit().is_none()) else {
                return false;
            };
            let (up, down) = undecided.pipes();
            let blocked = self.0.runtime.shared.blocked(cell.id());
            undecided.is_silent(at_ns, PATIENCE_NS)
                && blocked.contains(&Blocked::Reading(down))
                && !blocked.contains(&Blocked::Writing(up))
        };
        cells.values().find(is_silent).map(Cell::id)
    }

    /// Ends the stdin of a [silent](Self::silent_cell) cell, like a host that has nothing to ask. Does nothing to any
    /// other cell.
    pub fn hang_up(&self, cell: ActorId) {
        if let Some(undecided) = self.cell(cell).and_then(|cell| cell.0.undecided.clone()) {
            undecided.hang_up();
        }
    }

    /// Joins two vats by a link: each serves its capability to the other. Returns the first vat's end, then the
    /// second's. The answers of both wait at gates.
    pub fn join(&self, name: &str, ends: [(ActorId, Client); 2]) -> [Link; 2] {
        Link::between(&self.0.runtime, ends, name, true, |streams| streams)
    }

    /// Like [`join`](Self::join), with gates or without. `over` may wrap the streams of each RPC system: first those of
    /// the first vat, then those of the second.
    pub fn join_over(
        &self,
        name: &str,
        ends: [(ActorId, Client); 2],
        gates: bool,
        over: impl FnMut(Streams) -> Streams,
    ) -> [Link; 2] {
        Link::between(&self.0.runtime, ends, name, gates, over)
    }

    /// Makes a link whose far end is written and read by hand, as bytes. The host's end serves `bootstrap` as a task of
    /// `vat`.
    pub fn wire(&self, name: &str, vat: ActorId, bootstrap: Client) -> RawLink {
        Link::to_wire(&self.0.runtime, name, self.vat(name), (vat, bootstrap))
    }

    /// Serves a capability, as a task of its vat, on a link whose far end is bytes. Returns a writer to the vat and a
    /// reader from it. `far` is the actor that holds them.
    pub fn wire_to(
        &self,
        name: &str,
        far: ActorId,
        end: (ActorId, Client),
    ) -> (Link, PipeWriter, PipeReader) {
        Link::to_bytes(&self.0.runtime, name, far, end)
    }

    /// The virtual clock.
    pub fn clock(&self) -> Clock {
        Clock::new(&self.0.runtime.shared)
    }

    /// Fake I/O. The driver decides when its operations end.
    pub fn io(&self) -> Io {
        Io::new(&self.0.runtime.shared)
    }

    /// A cell by its id, living or ended.
    pub fn cell(&self, id: ActorId) -> Option<Cell> {
        self.0.cells.borrow().get(&id).cloned()
    }

    /// All cells that were ever started, in order of birth.
    pub fn cells(&self) -> Vec<Cell> {
        self.0.cells.borrow().values().cloned().collect()
    }

    /// A name that no other vat or cell has: `name`, or `name#2` and so on.
    fn unique(&self, name: &str) -> Arc<str> {
        let mut names = self.0.names.borrow_mut();
        let mut unique: Arc<str> = name.into();
        let mut count = 1;
        while names.contains(&unique) {
            count += 1;
            unique = format!("{name}#{count}").into();
        }
        names.insert(unique.clone());
        unique
    }
}

fn table(handles: usize) -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(handles);
    table
}
