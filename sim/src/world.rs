//! A world: all live parts of one run, as a scenario builds it and the wave maker drives it.

use crate::choice::Chooser;
use crate::executor::{Executor, Spawner};
use crate::menu::{Calm, Sets};
use crate::moves::{Kind, Move};
use crate::outcome::Outcome;
use crate::rest;
use crate::seed::{Purpose, Seed};
use crate::transcript::{Step, Transcript};
use capnp::capability::Client;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use rand_chacha::rand_core::Rng;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use wavetank::cell::{Cause, Cell, CellSpec, ExitRecord, Limits, Transport};
use wavetank::peer::HostInfo;
use wavetank::stdio::Stdio;
use wavetank::{ActorId, Engine, Fabric, Flow, GateId, PipeId, Spawn, Tank, TankConfig, TrapClass};

/// Calls in a row by which a cell asks for news, gets none and does not wait, until it counts as spinning.
/// A guest that blocks in `wasi:io/poll` makes a handful.
const IDLE_CALLS: u64 = 10_000;

/// Polls in a row that cause nothing, until the one polled counts as spinning: a task of the host that wakes
/// itself for ever. A cell that computes is not meant: its fuel bounds it.
const IDLE_POLLS: u64 = 100_000;

/// Cells that may live in one world at once.
const MAX_CELLS: usize = 1_000;

/// What the parts of a world are made with.
pub(crate) struct WorldConfig {
    pub(crate) seed: Seed,
    pub(crate) engine: Arc<Engine>,
    pub(crate) capacity_bytes: usize,
    pub(crate) max_steps: u64,
}

/// All live parts of one run. A scenario is a function over it.
pub struct World {
    tank: Tank,
    fabric: Fabric,
    executor: Executor,
    host: ActorId,
    capacity_bytes: usize,
    max_steps: u64,
    expectations: RefCell<Vec<Expectation>>,
    roots: RefCell<Vec<(Cell, Stdio)>>,
    calm: Calm,
    pub(crate) transcript: Transcript,
}

/// What a scenario says must hold at the end.
struct Expectation {
    cell: Cell,
    what: Expected,
}

enum Expected {
    Code(i32),
    Trap(TrapClass),
    Output(Stream, String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

struct SimSpawner(Spawner);

impl Spawn for SimSpawner {
    fn spawn(&self, name: &str, actor: ActorId, task: LocalBoxFuture<'static, ()>) {
        self.0.spawn(name, actor.0, task);
    }
}

impl World {
    pub(crate) fn new(config: WorldConfig) -> Self {
        let executor = Executor::default();
        let seed = config.seed;
        let tank = Tank::new(
            config.engine,
            Rc::new(SimSpawner(executor.spawner())),
            TankConfig {
                flow: Flow::Held,
                recording: true,
                entropy: Rc::new(move |cell| {
                    let mut stream = seed.stream(Purpose::Guest(cell.0));
                    Box::new(move |bytes: &mut [u8]| stream.fill_bytes(bytes))
                }),
                max_cells: MAX_CELLS,
            },
        );
        let host = tank.vat("host");
        World {
            fabric: tank.fabric().clone(),
            tank,
            executor,
            host,
            capacity_bytes: config.capacity_bytes,
            max_steps: config.max_steps,
            expectations: RefCell::default(),
            roots: RefCell::default(),
            calm: Calm::default(),
            transcript: Transcript::default(),
        }
    }

    /// The tank that this world drives.
    pub fn tank(&self) -> &Tank {
        &self.tank
    }

    /// Prepares a cell that nobody starts but the scenario itself.
    pub fn cell<'w>(&'w self, name: &str, wasm: &'w [u8]) -> CellBuilder<'w> {
        CellBuilder {
            world: self,
            name: name.into(),
            wasm,
            args: vec![name.into()],
            env: Vec::new(),
            stdin: Vec::new(),
            transport: Transport::Stdio,
            limits: Limits::default(),
            capacity_bytes: self.capacity_bytes,
            bootstrap: None,
        }
    }

    /// Adds a task of the host. The world is at rest only when it has ended.
    pub fn task(&self, name: &str, task: impl Future<Output = ()> + 'static) {
        self.tank.spawn(name, self.host, task.boxed_local());
    }

    // ---- the loop

    /// Makes moves until nothing can happen any more, then judges.
    pub(crate) fn run(&mut self, chooser: &mut Chooser) -> Outcome {
        self.executor.look();
        self.drain();
        let mut idle_polls = 0;
        while let Some(moved) = self.next_move(chooser) {
            if self.transcript.steps.len() as u64 >= self.max_steps {
                return Outcome::StepLimit { steps: self.max_steps };
            }
            let from = self.transcript.events.len();
            self.apply(moved, chooser);
            self.drain();
            let to = self.transcript.events.len();
            self.transcript.steps.push(Step { moved, caused: from..to });
            if let Move::Poll(actor) = moved {
                idle_polls = if to > from { 0 } else { idle_polls + 1 };
                if let Some(spinning) = self.spinning(ActorId(actor), idle_polls) {
                    return spinning;
                }
            } else {
                idle_polls = 0;
            }
        }
        self.judge()
    }

    fn next_move(&self, chooser: &mut Chooser) -> Option<Move> {
        let timer = self.fabric.next_timer_ns();
        let (menu, item, kind, id) = self.with_sets(|sets| {
            let menu = self.calm.menu(sets, timer.is_some());
            if menu.is_empty() {
                return None;
            }
            let item = chooser.pick(&menu);
            let (kind, id) = self.calm.item(&menu, sets, item);
            Some((menu, item, kind, id))
        })?;
        chooser.picked(&menu, item, kind, id);
        Some(match kind {
            Kind::Start => Move::Start(id),
            Kind::Poll => Move::Poll(id),
            Kind::Deliver => {
                let bytes = self.fabric.deliverable_bytes(PipeId(id));
                Move::Deliver(id, amount(chooser, id, bytes))
            }
            Kind::Grant => {
                let bytes = self.fabric.grantable_bytes(PipeId(id));
                Move::Grant(id, amount(chooser, id, bytes))
            }
            Kind::Answer => Move::Answer(id),
            Kind::Advance => Move::Advance(timer.expect("time is on the menu where somebody waits for it")),
        })
    }

    fn with_sets<R>(&self, with: impl FnOnce(&Sets<'_>) -> R) -> R {
        self.fabric.offers(|offers| {
            with(&Sets {
                start: offers.startable,
                poll: self.executor.ready(),
                deliver: offers.deliverable,
                grant: offers.grantable,
                answer: offers.answerable,
            })
        })
    }

    fn apply(&mut self, moved: Move, chooser: &mut Chooser) {
        match moved {
            Move::Start(cell) => {
                self.shape_pipes(ActorId(cell), chooser);
                self.fabric.start(ActorId(cell));
            }
            Move::Poll(actor) => {
                self.executor.poll(actor);
            }
            Move::Deliver(pipe, bytes) => self.fabric.deliver(PipeId(pipe), bytes),
            Move::Grant(pipe, bytes) => self.fabric.grant(PipeId(pipe), bytes),
            Move::Answer(gate) => self.fabric.answer(GateId(gate)),
            Move::Advance(to_ns) => self.fabric.advance(to_ns),
        }
        self.calm.took(moved.kind(), moved_id(moved));
        self.executor.look();
    }

    /// Draws how each pipe of a new cell flows.
    fn shape_pipes(&self, cell: ActorId, chooser: &mut Chooser) {
        let born = self.tank.cell(cell).expect("a cell that can be started was born");
        for &pipe in born.pipes() {
            let full = born.capacity_bytes();
            // Dullest first: free; held; held and small.
            match chooser.pipe(pipe.0, 3) {
                0 => self.fabric.shape(pipe, full, false),
                1 => self.fabric.shape(pipe, full, true),
                _ => self.fabric.shape(pipe, full.min(SMALL_CAPACITY_BYTES), true),
            }
        }
    }

    fn drain(&mut self) {
        self.fabric.drain_events(&mut self.transcript.events);
    }

    fn spinning(&self, actor: ActorId, idle_polls: u64) -> Option<Outcome> {
        let calls = self.fabric.idle_calls(actor);
        if calls >= IDLE_CALLS {
            let who = self.tank.cell(actor).map_or_else(String::new, |cell| cell.name().to_string());
            let evidence =
                format!("asked {calls} times in a row for news that were not there, without blocking");
            return Some(Outcome::Spinning { who, evidence });
        }
        if idle_polls >= IDLE_POLLS && self.tank.cell(actor).is_none() {
            let evidence = format!("was polled {idle_polls} times in a row and did nothing");
            return Some(Outcome::Spinning { who: "a task of the host".into(), evidence });
        }
        None
    }

    // ---- the end

    /// Judges a world at rest.
    fn judge(&self) -> Outcome {
        if let Some(trapped) = self.unexpected_trap() {
            return trapped;
        }
        if let Some(graph) = rest::stalled(&self.tank, &self.executor, &self.transcript) {
            return Outcome::Stalled(graph);
        }
        let broken = self.expectations.borrow().iter().find_map(|expected| self.check(expected));
        broken.map_or(Outcome::Finished, |what| Outcome::Violated { oracle: "exit", what })
    }

    fn unexpected_trap(&self) -> Option<Outcome> {
        let expectations = self.expectations.borrow();
        let is_expected = |cell: &Cell, class| {
            expectations
                .iter()
                .any(|e| e.cell.id() == cell.id() && matches!(e.what, Expected::Trap(c) if c == class))
        };
        self.tank.cells().iter().find_map(|cell| match cell.exit().as_deref() {
            Some(ExitRecord { cause: Cause::Trapped(trap), .. }) if !is_expected(cell, trap.class) => {
                Some(Outcome::Trapped { cell: cell.name().to_string(), trap: trap.clone() })
            }
            _ => None,
        })
    }

    fn check(&self, Expectation { cell, what }: &Expectation) -> Option<String> {
        let name = cell.name();
        let exit = cell.exit()?;
        match what {
            Expected::Code(code) if exit.code == *code => None,
            Expected::Code(code) => Some(format!("{name} exited with {}, expected {code}", exit.code)),
            Expected::Trap(class) => match &exit.cause {
                Cause::Trapped(trap) if trap.class == *class => None,
                _ => Some(format!("{name} exited with {}, expected a trap: {class}", exit.code)),
            },
            Expected::Output(stream, text) => {
                let output = self.output(cell, *stream);
                (!output.contains(text)).then(|| format!("{name} wrote {output:?}, expected {text:?} in it"))
            }
        }
    }

    fn output(&self, cell: &Cell, stream: Stream) -> String {
        let roots = self.roots.borrow();
        let stdio = roots.iter().find(|(root, _)| root.id() == cell.id()).map(|(_, stdio)| stdio);
        let output = stdio.and_then(|stdio| match stream {
            Stream::Stdout => stdio.stdout.clone(),
            Stream::Stderr => Some(stdio.stderr.clone()),
        });
        output.map_or_else(String::new, |output| String::from_utf8_lossy(&output.kept()).into_owned())
    }

    /// How every cell ended, in order of birth.
    pub(crate) fn cells(&self) -> Vec<(Arc<str>, Option<ExitRecord>)> {
        let ended = |cell: &Cell| (cell.name().clone(), cell.exit().as_deref().cloned());
        self.tank.cells().iter().map(ended).collect()
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.fabric.now_ns()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Tasks first: they hold what the tank is made of.
        self.executor.clear();
    }
}

/// Capacity of a pipe that was drawn small, in bytes.
const SMALL_CAPACITY_BYTES: usize = 4096;

fn amount(chooser: &mut Chooser, pipe: u32, bytes: usize) -> usize {
    let bound = u32::try_from(bytes).unwrap_or(u32::MAX);
    match chooser.amount(pipe, bound) {
        0 => bytes,
        some => some as usize,
    }
}

fn moved_id(moved: Move) -> u32 {
    match moved {
        Move::Start(id) | Move::Poll(id) | Move::Deliver(id, _) | Move::Grant(id, _) | Move::Answer(id) => id,
        Move::Advance(_) => 0,
    }
}

/// What a cell is served on its link.
pub struct Bootstrap(Make);

type Make = Box<dyn FnOnce(&Tank, &Cell) -> Client>;

impl Bootstrap {
    /// A capability that is made when the cell it is for is known.
    pub fn new(make: impl FnOnce(&Tank, &Cell) -> Client + 'static) -> Self {
        Bootstrap(Box::new(make))
    }
}

impl From<Client> for Bootstrap {
    fn from(client: Client) -> Self {
        Bootstrap::new(|_, _| client)
    }
}

/// The capabilities of `capnp/peer.capnp`, to be served.
pub mod peer {
    use super::{Bootstrap, HostInfo, World};

    /// A `Host` that knows no others.
    pub fn host(world: &World) -> Bootstrap {
        hosts(world, Vec::new())
    }

    /// A `Host` in a world with others.
    pub fn hosts(_: &World, peers: Vec<HostInfo>) -> Bootstrap {
        let me = HostInfo { id: "host".into(), addrs: vec!["tank:host".into()] };
        Bootstrap::new(move |tank, cell| wavetank::peer::host(tank, cell, me, peers))
    }

    /// An `Executor` whose children are the cell's own.
    pub fn executor(_: &World) -> Bootstrap {
        Bootstrap::new(wavetank::peer::executor)
    }
}

/// A cell that is about to be started.
#[must_use = "nothing starts before `spawn`"]
pub struct CellBuilder<'w> {
    world: &'w World,
    name: String,
    wasm: &'w [u8],
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Vec<u8>,
    transport: Transport,
    limits: Limits,
    capacity_bytes: usize,
    bootstrap: Option<Bootstrap>,
}

impl<'w> CellBuilder<'w> {
    /// Its arguments after the first, which is its name.
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// One more variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// What it reads from stdin before the end, where stdin is not its transport. Nothing by default.
    pub fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Where its RPC runs. Its children inherit it.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// How much it may use. Its children inherit it.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Capacity of each of its pipes in bytes, at least 1. Its children inherit it.
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.capacity_bytes = bytes.max(1);
        self
    }

    /// The capability at the other end of its link.
    pub fn serve(mut self, bootstrap: impl Into<Bootstrap>) -> Self {
        self.bootstrap = Some(bootstrap.into());
        self
    }

    /// Brings it to life. It runs once the wave maker starts it.
    ///
    /// # Panics
    /// Where the bytes are no component that this host can start.
    pub fn spawn(self) -> CellHandle<'w> {
        let world = self.world;
        let name = self.name.clone();
        let guest = match world.tank.engine().guest(self.wasm) {
            Ok(guest) => guest,
            Err(error) => panic!("guest {name}: {error}"),
        };
        let spec = CellSpec {
            guest,
            name: self.name,
            args: self.args,
            env: self.env,
            transport: self.transport,
            limits: self.limits,
            capacity_bytes: self.capacity_bytes,
            detached: false,
            vat: world.host,
        };
        let bootstrap = self.bootstrap;
        let tank = world.tank.clone();
        let serve = move |cell: &Cell| match bootstrap {
            Some(Bootstrap(make)) => make(&tank, cell),
            None => capnp_rpc::new_broken_cap(capnp::Error::failed("nothing is served on this link".into())),
        };
        let (cell, mut stdio) = match world.tank.start(spec, None, serve) {
            Ok(started) => started,
            Err(error) => panic!("guest {name}: {error}"),
        };
        if let Some(stdin) = stdio.stdin.take() {
            let bytes = self.stdin;
            world.tank.spawn(
                &format!("stdin of {name}"),
                world.host,
                async move {
                    // A cell need not read what it is given.
                    let _ = stdin.write(bytes.into()).await;
                }
                .boxed_local(),
            );
        }
        world.roots.borrow_mut().push((cell.clone(), stdio));
        CellHandle { world, cell }
    }
}

/// A started cell.
pub struct CellHandle<'w> {
    world: &'w World,
    cell: Cell,
}

impl CellHandle<'_> {
    /// The cell itself.
    pub fn cell(&self) -> &Cell {
        &self.cell
    }

    /// Says that it must end with this code.
    pub fn expect_exit(&self, code: i32) -> &Self {
        self.expect(Expected::Code(code))
    }

    /// Says that it must trap so.
    pub fn expect_trap(&self, class: TrapClass) -> &Self {
        self.expect(Expected::Trap(class))
    }

    /// Says that its stdout must hold this text.
    pub fn expect_stdout(&self, text: &str) -> &Self {
        self.expect(Expected::Output(Stream::Stdout, text.into()))
    }

    /// Says that its stderr must hold this text.
    pub fn expect_stderr(&self, text: &str) -> &Self {
        self.expect(Expected::Output(Stream::Stderr, text.into()))
    }

    fn expect(&self, what: Expected) -> &Self {
        self.world.expectations.borrow_mut().push(Expectation { cell: self.cell.clone(), what });
        self
    }
}
