//! A world: all live parts of one run, as a scenario builds it and the wave maker drives it.

mod cells;
mod drive;
mod judge;

use crate::choice::Chooser;
use crate::executor::{Executor, Spawner, Whose};
use crate::menu::Calm;
use crate::seed::{Purpose, Seed};
use crate::transcript::{LinkFrames, Transcript};
use capnp::capability::Client;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use judge::{Expectation, Invariant, Leave};
use rand_chacha::rand_core::Rng;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use wavetank::cell::Cell;
use wavetank::stdio::Stdio;
use wavetank::{ActorId, Clock, Engine, Fabric, Flow, Spawn, Tank, TankConfig};

pub use cells::{Bootstrap, CellBuilder, CellHandle, peer};

/// Cells that may live in one world at once.
const MAX_CELLS: usize = 1_000;

/// What the parts of a world are made with.
pub(crate) struct WorldConfig {
    pub(crate) seed: Seed,
    pub(crate) chooser: Rc<RefCell<Chooser>>,
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
    /// What the scenario lets its cells do, and what it says must hold after every step.
    leave: RefCell<BTreeMap<ActorId, Leave>>,
    invariants: RefCell<Vec<Invariant>>,
    /// Cells that damage was done to on purpose.
    pub(crate) struck: BTreeSet<ActorId>,
    chooser: Rc<RefCell<Chooser>>,
    calm: Calm,
    pub(crate) transcript: Transcript,
    /// The frames of all links, decoded once at the end.
    pub(crate) frames: OnceLock<Arc<[LinkFrames]>>,
}

struct SimSpawner(Spawner);

impl Spawn for SimSpawner {
    fn spawn(&self, name: &str, actor: ActorId, task: LocalBoxFuture<'static, ()>) {
        self.0.spawn(name, actor.0, Whose::Host, task);
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
            leave: RefCell::default(),
            invariants: RefCell::default(),
            struck: BTreeSet::new(),
            chooser: config.chooser,
            calm: Calm::default(),
            transcript: Transcript::default(),
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

    /// What was done and what happened so far.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Says what must hold after every step. The run ends at the first step after which it does not, as violated,
    /// with the invariant's name, the step's number and what is wrong. It may look at all of the world and must
    /// change nothing.
    ///
    /// ```
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
    /// assert_eq!((finding.oracle, &*finding.who), ("invariant", "few live at once"));
    /// assert!(finding.what.ends_with("2 cells live, and 1 may"), "{}", finding.what);
    /// ```
    pub fn invariant(&self, name: &str, holds: impl Fn(&World) -> Result<(), String> + 'static) {
        self.invariants.borrow_mut().push(Invariant { name: name.into(), holds: Box::new(holds) });
    }

    /// Draws a number below `bound`: a choice like any other, recorded and replayed; 0 is the dullest.
    ///
    /// # Panics
    /// Where `bound` is 0, and where it is called while the world runs.
    #[track_caller]
    pub fn draw(&self, bound: u32) -> u32 {
        assert!(bound > 0, "nothing is below 0");
        let mut chooser = self.chooser.try_borrow_mut().expect("a scenario draws before its world runs");
        chooser.value(bound)
    }

    /// Makes a vat: an actor whose tasks run first in, first out among themselves.
    pub fn vat(&self, name: &str) -> ActorId {
        self.tank.vat(name)
    }

    /// Joins two vats by a link and gives what each sees of the other: the second's capability for the first,
    /// then the first's for the second. How the link's pipes flow is drawn.
    pub fn join(&self, name: &str, ends: [(ActorId, Client); 2]) -> [Client; 2] {
        let links = self.tank.join(name, ends);
        for pipe in [links[0].up(), links[0].down()] {
            self.shape_pipe(pipe, self.capacity_bytes, &mut self.chooser.borrow_mut());
        }
        links.map(|link| capnp_rpc::new_future_client(async move { link.bootstrap().await }))
    }

    /// Adds a task of a vat. The world is at rest only when it has ended.
    pub fn task_of(&self, vat: ActorId, name: &str, task: impl Future<Output = ()> + 'static) {
        self.executor.spawner().spawn(name, vat.0, Whose::Scenario, task.boxed_local());
    }

    /// Adds a task of the host. The world is at rest only when it has ended.
    pub fn task(&self, name: &str, task: impl Future<Output = ()> + 'static) {
        self.task_of(self.host, name, task);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Tasks first: they hold what the tank is made of.
        self.executor.clear();
    }
}
