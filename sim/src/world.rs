//! A world: all live parts of one run. A scenario builds it and the simulator drives it.

mod background;
mod beside;
mod cells;
mod children;
mod dice;
mod drive;
mod faults;
mod filming;
mod judge;
mod look;
mod probe;
mod stdin;
mod turn;

use crate::executor::{Executor, Spawner, TaskOwner};
use crate::film::Film;
use crate::moves::Move;
use crate::oracle::{Allowances, Finding, Oracle, SwitchedOff};
use crate::transcript::{LinkFrames, Transcript};
use crate::view::WorldView;
use beside::Beside;
use capnp::capability::Client;
use children::ChildExpectation;
use faults::Weather;
use filming::Camera;
use futures::future::LocalBoxFuture;
use judge::{Expectation, Invariant};
use probe::Probes;
use rand_chacha::rand_core::Rng;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use wavetank::cell::Cell;
use wavetank::cell::Stdio;
use wavetank::link::Link;
use wavetank::{
    ActorId, Clock, Elapsed, Engine, Flow, IdSet, IntoNanos, Io, PipeId, RawLink, Role, SharedState, Spawn,
    Tank, TankConfig,
};
use wavetank_choice::choice::Meaning;
use wavetank_choice::chooser::Chooser;
use wavetank_choice::menu::{Calm, Item};
use wavetank_choice::seed::{Purpose, Seed};
use wavetank_trace::Schema;

pub use background::Tasks;
pub use beside::RuntimeBeside;
pub use cells::{Bootstrap, CellBuilder, CellHandle, peer};
pub use children::Children;
pub use dice::{Dice, Draw};
pub(crate) use drive::SMALL_CAPACITY_BYTES;
pub use faults::Fault;
pub(crate) use faults::{SLICES, trap_fuel};
pub use stdin::StdinScript;

/// The configuration of a world.
pub(crate) struct WorldConfig {
    pub(crate) seed: Seed,
    pub(crate) chooser: Rc<RefCell<Chooser>>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) capacity_bytes: usize,
    pub(crate) max_cells: usize,
    pub(crate) max_record_bytes: u64,
    pub(crate) max_steps: u64,
    pub(crate) until: Option<u64>,
    pub(crate) films: bool,
    pub(crate) without: SwitchedOff,
    pub(crate) schema: Arc<Schema>,
}

/// All live parts of one run. A scenario is a function over it.
pub struct World {
    tank: Tank,
    shared: SharedState,
    executor: Executor,
    host: ActorId,
    capacity_bytes: usize,
    max_steps: u64,
    until: Option<u64>,
    max_record_bytes: u64,
    /// Bytes that the record takes so far, about.
    record_bytes: u64,
    expectations: RefCell<Vec<Expectation>>,
    of_children: RefCell<Vec<ChildExpectation>>,
    roots: RefCell<Vec<(Cell, Stdio)>>,
    /// The things that the scenario allows its cells to do.
    leave: RefCell<BTreeMap<ActorId, Allowances>>,
    invariants: RefCell<Vec<Invariant>>,
    /// Oracles that are switched off for the whole world.
    without: RefCell<SwitchedOff>,
    chooser: Rc<RefCell<Chooser>>,
    calm: Calm,
    joined: RefCell<Vec<[PipeId; 2]>>,
    invites_damage: std::cell::Cell<bool>,
    scripts: RefCell<Vec<Box<dyn Script>>>,
    at_rest: RefCell<Vec<AtRest>>,
    /// The scripts that offer an operation now.
    acting: IdSet,
    /// The moves that came or went since the last menu.
    changes: Vec<Item>,
    beside: RefCell<Option<Beside>>,
    pub(crate) weather: Weather,
    probes: Probes,
    /// Whether the world runs now, for its dice.
    is_running: Rc<std::cell::Cell<bool>>,
    /// Polls of background tasks since everything else has ended.
    last_polls: u64,
    /// The move that is being made.
    pub(crate) moving: Option<Move>,
    pub(crate) view: Option<WorldView>,
    /// It films the world, if that was asked for.
    camera: Option<Box<Camera>>,
    pub(crate) transcript: Transcript,
    /// The schema by which reports name calls and values.
    pub(crate) schema: RefCell<Arc<Schema>>,
    /// The frames of all links, decoded once at the end.
    pub(crate) frames: OnceLock<Arc<[LinkFrames]>>,
}

/// Operations that a scenario offers. Each of them is a move like any other, one at a time. So a workload draws nothing
/// inside a poll, and it shrinks like everything else.
pub trait Script {
    /// The number of operations to choose from now; 0 if the script is at its end. Operation 0 is done if nothing was
    /// chosen, so it should be the dullest: best the one that ends the script.
    fn offers(&self) -> u32;

    /// Does an operation, one below [`offers`](Self::offers).
    fn act(&mut self, operation: u32);
}

/// A check of a world at rest, which returns the finding if something is wrong.
type AtRest = Box<dyn Fn(&Transcript, bool) -> Option<Finding>>;

/// Lets others go first: the code after it runs in a step of its own, wherever this is awaited. In a task of a
/// scenario, that step is the task's next poll. In a server's method, the call continues by a move ([`Move::Resume`]).
/// If another future polls this one again within the same step, it does not get past it.
pub async fn yield_now() {
    let mut since = None;
    std::future::poll_fn(|cx| {
        let now = turn::now();
        // Outside a world there are no steps, so a second poll is enough.
        if since.is_some_and(|first| first != now || now.is_none()) {
            return Poll::Ready(());
        }
        since.get_or_insert(now);
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

struct SimSpawner(Spawner);

impl Spawn for SimSpawner {
    fn spawn(&self, name: &str, actor: ActorId, role: Role, task: LocalBoxFuture<'static, ()>) {
        self.0.spawn(name, actor.0, TaskOwner::Host(role), task);
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
                max_cells: config.max_cells,
            },
        );
        let host = tank.vat("host");
        World {
            shared: tank.shared().clone(),
            tank,
            executor,
            host,
            capacity_bytes: config.capacity_bytes,
            max_steps: config.max_steps,
            until: config.until,
            max_record_bytes: config.max_record_bytes,
            record_bytes: 0,
            expectations: RefCell::default(),
            of_children: RefCell::default(),
            roots: RefCell::default(),
            leave: RefCell::default(),
            invariants: RefCell::default(),
            without: RefCell::new(config.without),
            chooser: config.chooser,
            calm: Calm::default(),
            joined: RefCell::default(),
            invites_damage: std::cell::Cell::new(false),
            scripts: RefCell::default(),
            at_rest: RefCell::default(),
            acting: IdSet::default(),
            changes: Vec::new(),
            beside: RefCell::default(),
            weather: Weather::default(),
            probes: Probes::default(),
            is_running: Rc::default(),
            last_polls: 0,
            moving: None,
            view: None,
            camera: config.films.then(Box::default),
            transcript: Transcript::default(),
            schema: RefCell::new(config.schema),
            frames: OnceLock::new(),
        }
    }

    /// The tank that this world drives.
    pub fn tank(&self) -> &Tank {
        &self.tank
    }

    /// The virtual clock, for the scenario's tasks.
    pub fn clock(&self) -> Clock {
        self.tank.clock()
    }

    /// Gives a future this much virtual time from now on, a [`Duration`](std::time::Duration) or a number of nanoseconds.
    /// Servers and tasks use [`Clock::timeout`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use wavetank_sim::{World, check};
    ///
    /// check("gives up", |world: &mut World| {
    ///     let patience = world.timeout(Duration::from_secs(2), std::future::pending::<()>());
    ///     let clock = world.clock();
    ///     world.task("waits", async move {
    ///         let elapsed = patience.await.unwrap_err();
    ///         assert_eq!(elapsed.to_string(), "nothing came within 2s of virtual time");
    ///         assert!(clock.now() >= Duration::from_secs(2));
    ///     });
    /// })
    /// .no_failures()
    /// .run();
    /// ```
    ///
    /// # Errors
    /// [`Elapsed`] if the time is over first.
    pub fn timeout<N, F>(
        &self,
        time: N,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + use<N, F>
    where
        N: IntoNanos,
        F: Future,
    {
        self.clock().timeout(time, future)
    }

    /// Fake I/O, for the scenario's tasks and for servers: give them clones of it.
    ///
    /// A move ends each operation. The move decides how long the operation takes: no time, or from a quarter of a
    /// millisecond to two seconds of virtual time, and always no time in a world without weather. After
    /// [`fails`](Io::fails), the move also decides whether the operation fails. So it draws one or two choices when the
    /// operation ends.
    ///
    /// ```
    /// use wavetank_sim::{World, check};
    ///
    /// check("reads a row", |world: &mut World| {
    ///     let io = world.io().fails(3);
    ///     world.task("reader", async move {
    ///         // One in three fails, and is tried again.
    ///         while io.op("read row").await.is_err() {}
    ///     });
    /// })
    /// .seeds(0..20)
    /// .run();
    /// ```
    pub fn io(&self) -> Io {
        self.tank.io()
    }

    /// Adds the tables of a CodeGeneratorRequest to the schema by which reports and snapshots name calls and values. A
    /// build script makes the request; docs/src/how-to/schemas.md tells how. A process loads each request once.
    ///
    /// ```
    /// use wavetank_sim::{World, check};
    ///
    /// check("speaks an own protocol", |world: &mut World| {
    ///     world.schema(wavetank::schema::REQUEST);
    /// })
    /// .run();
    /// ```
    ///
    /// # Panics
    /// If the bytes are not one whole CodeGeneratorRequest.
    #[track_caller]
    pub fn schema(&self, request: &'static [u8]) {
        let base = self.schema.borrow().clone();
        let extended = crate::schema::extended(&base, request);
        *self.schema.borrow_mut() = extended.unwrap_or_else(|e| panic!("{e}"));
    }

    /// The film of the world, if it was filmed.
    pub(crate) fn take_film(&mut self) -> Option<Film> {
        self.camera.take().map(|camera| camera.finish())
    }

    /// The moves and events so far.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Adds a condition that must hold after every step. The run ends as violated at the first step after which the
    /// condition does not hold, with the invariant's name, the step's number and the error. The condition may look at
    /// the whole world and must change nothing.
    ///
    /// ```
    /// use wavetank_sim::oracle::Oracle;
    /// use wavetank_sim::outcome::Outcome;
    /// use wavetank_sim::{World, check, guests, peer};
    ///
    /// let boots = |most: usize| {
    ///     check("boots", move |world: &mut World| {
    ///         world.cell("pid0", guests::PID0).serve(peer::host(world)).spawn().expect_exit(0);
    ///         world.invariant("few live at once", move |world| {
    ///             let living = world.tank().cells().iter().filter(|cell| cell.exit().is_none()).count();
    ///             if living <= most { Ok(()) } else { Err(format!("{living} cells live, and {most} may")) }
    ///         });
    ///     })
    /// };
    /// boots(2).seeds(0..20).run();
    /// let Outcome::Violated(finding) = boots(1).run_seed(7).outcome else { panic!("pid0 has a child") };
    /// assert_eq!((finding.oracle, &*finding.who), (Oracle::Invariant, "few live at once"));
    /// assert!(finding.what.ends_with("2 cells live, and 1 may"), "{}", finding.what);
    /// ```
    pub fn invariant(&self, name: &str, holds: impl Fn(&World) -> Result<(), String> + 'static) {
        self.invariants.borrow_mut().push(Invariant { name: name.into(), holds: Box::new(holds) });
    }

    /// Draws a number below `bound`: a choice like any other, recorded and replayed; 0 is the dullest.
    ///
    /// # Panics
    /// If `bound` is 0, or if it is called while the world runs: servers and tasks draw with [`dice`](World::dice).
    #[track_caller]
    pub fn draw(&self, bound: u32) -> u32 {
        assert!(bound > 0, "nothing is below 0");
        let mut chooser = self
            .chooser
            .try_borrow_mut()
            .expect("a scenario draws before its world runs; servers and tasks draw with `World::dice`");
        chooser.draw(Meaning::Value, bound)
    }

    /// Adds a script: operations that the simulator picks from, as it picks everything else.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use wavetank_sim::world::Script;
    /// use wavetank_sim::{World, check};
    ///
    /// struct Counter(Rc<Cell<u32>>, u32);
    ///
    /// impl Script for Counter {
    ///     // Stop, count one, count two; nothing after the last.
    ///     fn offers(&self) -> u32 {
    ///         if self.1 == 0 { 0 } else { 3 }
    ///     }
    ///
    ///     fn act(&mut self, operation: u32) {
    ///         self.0.set(self.0.get() + operation);
    ///         assert!(self.0.get() <= 8, "four times two at most");
    ///         self.1 = if operation == 0 { 0 } else { self.1 - 1 };
    ///     }
    /// }
    ///
    /// check("counts", |world: &mut World| {
    ///     world.script(Counter(Rc::new(Cell::new(0)), 4));
    /// })
    /// .run();
    /// ```
    pub fn script(&self, script: impl Script + 'static) {
        self.scripts.borrow_mut().push(Box::new(script));
    }

    /// Allows damage to this world whenever there is weather, and not only under a profile that does damage anyway.
    pub fn invite_damage(&self) {
        self.invites_damage.set(true);
    }

    /// Makes a vat: an actor whose tasks run first in, first out among themselves.
    pub fn vat(&self, name: &str) -> ActorId {
        self.tank.vat(name)
    }

    /// Joins two vats by a link and returns the capability that each sees of the other: the second's capability for the
    /// first, then the first's for the second. It draws how the link's pipes flow.
    ///
    /// ```
    /// use capnp::capability::FromClientHook;
    /// use capnp_rpc::{new_broken_cap, new_client};
    /// use std::rc::Rc;
    /// use wavetank::schema::peer_capnp::executor;
    /// use wavetank_sim::{World, check};
    ///
    /// struct Greeter;
    ///
    /// impl executor::Server for Greeter {
    ///     async fn echo(
    ///         self: Rc<Self>,
    ///         _: executor::EchoParams,
    ///         mut results: executor::EchoResults,
    ///     ) -> Result<(), capnp::Error> {
    ///         results.get().set_response("hello");
    ///         Ok(())
    ///     }
    /// }
    ///
    /// fn greets(world: &mut World) {
    ///     let client = world.vat("client");
    ///     let server = world.vat("server");
    ///     let greeter: executor::Client = new_client(Greeter);
    ///     // The client serves nothing at its end.
    ///     let nothing = new_broken_cap(capnp::Error::failed("nothing is served here".into()));
    ///     let [seen, _] = world.join("link", [(client, nothing), (server, greeter.client)]);
    ///     let seen = executor::Client::new(seen.hook);
    ///     world.task_of(client, "greet", async move {
    ///         let answer = seen.echo_request().send().promise.await.expect("an answer");
    ///         assert_eq!(answer.get().unwrap().get_response().unwrap(), "hello");
    ///     });
    /// }
    ///
    /// check("greets", greets).seeds(0..20).run();
    /// ```
    pub fn join(&self, name: &str, ends: [(ActorId, Client); 2]) -> [Client; 2] {
        let links = self.tank.join(name, ends);
        self.adopt(&links[0]);
        links.map(|link| capnp_rpc::new_future_client(async move { link.bootstrap().await }))
    }

    /// Draws how the pipes of a link between two vats flow, and lets damage strike the link.
    pub fn adopt(&self, link: &Link) {
        self.joined.borrow_mut().push([link.up(), link.down()]);
        for pipe in [link.up(), link.down()] {
            self.shape_pipe(pipe, self.capacity_bytes, &mut self.chooser.borrow_mut());
        }
    }

    /// Adds a check of the world at rest, which is skipped if the world was damaged. The check gets the transcript and
    /// whether somebody still waits, and returns a finding of [`Oracle::Own`] if something is wrong. It is asked before
    /// a stall is reported.
    pub fn expect_at_rest(&self, wrong: impl Fn(&Transcript, bool) -> Option<Finding> + 'static) {
        self.at_rest.borrow_mut().push(Box::new(wrong));
    }

    /// Switches an oracle off for the whole world, with a reason that reports print. All other oracles stay on.
    ///
    /// ```
    /// use wavetank_sim::oracle::Oracle;
    /// use wavetank_sim::{World, check, guests, peer};
    ///
    /// let run = check("boots", |world: &mut World| {
    ///     world.without(Oracle::Ledger, "its peer is not ours");
    ///     world.cell("pid0", guests::PID0).serve(peer::host(world)).spawn().expect_exit(0);
    /// })
    /// .run_seed(1);
    /// assert_eq!(run.not_judged()[0].to_string(), "ledger (its peer is not ours)");
    /// ```
    pub fn without(&self, oracle: Oracle, reason: &str) {
        self.without.borrow_mut().insert(oracle, reason.into());
    }

    /// Lays a link over which the scenario writes and reads bytes by hand, as a far end that need not follow the
    /// protocol. The host serves `bootstrap` on it. It draws how the link's pipes flow.
    pub fn wire(&self, name: &str, bootstrap: Client) -> RawLink {
        let wire = self.tank.wire(name, self.host, bootstrap);
        for pipe in [wire.link.up(), wire.link.down()] {
            self.shape_pipe(pipe, self.capacity_bytes, &mut self.chooser.borrow_mut());
        }
        wire
    }

    /// Serves a capability of a vat on a link whose far end is plain bytes, in the hands of another. Returns the
    /// capability that the vat sees of the other, the writer to the vat and the reader from it. It draws how the link's
    /// pipes flow.
    pub fn wire_to(
        &self,
        name: &str,
        far: ActorId,
        end: (ActorId, Client),
    ) -> (Client, wavetank::PipeWriter, wavetank::PipeReader) {
        let (link, to, from) = self.tank.wire_to(name, far, end);
        for pipe in [link.up(), link.down()] {
            self.shape_pipe(pipe, self.capacity_bytes, &mut self.chooser.borrow_mut());
        }
        (capnp_rpc::new_future_client(async move { link.bootstrap().await }), to, from)
    }

    /// Adds a task of a vat. The world is at rest only after the task has ended.
    pub fn task_of(&self, vat: ActorId, name: &str, task: impl Future<Output = ()> + 'static) {
        self.tasks_of(vat).task(name, task);
    }

    /// Adds a task of the host. The world is at rest only after the task has ended.
    pub fn task(&self, name: &str, task: impl Future<Output = ()> + 'static) {
        self.task_of(self.host, name, task);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The tasks go first, because they hold parts of the tank.
        match self.runtime_beside() {
            Some(runtime) => runtime.within(&mut || self.executor.clear()),
            None => self.executor.clear(),
        }
    }
}
