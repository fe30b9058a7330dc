//! Cells: running guests, each with a store, fuel, stdio and perhaps a connection of its own.
//!
//! A cell ends in a fixed order, whatever the cause:
//!
//! 1. The guest stops.
//! 2. Its children are killed, youngest first; the cell waits for each of them.
//! 3. Its store is dropped, which closes its streams.
//! 4. Its exit is told.
//!
//! So no cell outlives its parent unless it was started detached, and when a wait for a cell ends, the whole cell has
//! been cleaned up.

use crate::engine::Guest;
use crate::event::Event;
use crate::ids::{ActorId, PipeId};
use crate::link::Link;
use crate::stdio::{Input, Output};
use crate::store::CellState;
use crate::trap::{Trap, TrapClass};
use crate::undecided::{LinkSlot, UndecidedStdio};
use crate::wasi::Exit;
use futures::channel::oneshot;
use futures::future::{FutureExt, Shared};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use wasmtime::Store;

pub use crate::spec::{Limits, Transport};
pub use crate::store::{HandleLifetime, LeftoverHandle};

/// The exit code of a cell that trapped: 128 + SIGABRT, as in a shell.
pub const TRAPPED: i32 = 134;

/// The exit code of a cell that was killed: 128 + SIGKILL.
pub const KILLED: i32 = 137;

/// Bytes that a guest may hand to its host in one call. It is raised to the capacity of the cell's pipes if that is
/// larger.
const HOSTCALL_BYTES: usize = 32 * 1024 * 1024;

/// Describes a cell to start.
#[derive(Clone)]
pub struct CellSpec {
    /// The component.
    pub guest: Arc<Guest>,
    /// Its name. If the name is taken, a number is added to make it unique.
    pub name: String,
    /// Its arguments; by custom the first is its own name.
    pub args: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// The streams that its RPC uses; `None` lets its imports decide. If its imports choose stdio, that stdio carries
    /// RPC only if the guest or its host speaks RPC there first. A program that prints or reads its stdin keeps them
    /// for itself.
    pub transport: Option<Transport>,
    /// How much it may use.
    pub limits: Limits,
    /// Capacity of each of its pipes, in bytes, at least 1.
    pub capacity_bytes: usize,
    /// Whether it outlives its parent.
    pub detached: bool,
    /// The vat in which its host's side runs.
    pub vat: ActorId,
}

impl CellSpec {
    fn transport(&self) -> Transport {
        self.transport.unwrap_or_else(|| self.guest.transport())
    }
}

/// Why a cell ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// `run` returned, or the guest asked to exit.
    Exited,
    /// It trapped.
    Trapped(Trap),
    /// It was killed.
    Killed,
}

/// How a cell ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitRecord {
    /// Its exit code: 134 after a trap, 137 after a kill.
    pub code: i32,
    /// Why it ended.
    pub cause: Cause,
    /// Fuel that it burned.
    pub fuel: u64,
    /// The handles that were still in its table. A clean guest leaves only the stdio handles that its libc keeps.
    pub left: Vec<LeftoverHandle>,
}

/// Who took care of a cell's end, as far as its host knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndHandling {
    /// Somebody called `Process.wait` and got an answer, or was still waiting when the cell's parent ended.
    pub awaited: bool,
    /// Somebody called `Process.kill`.
    pub killed: bool,
    /// It was still running when its parent had ended, and was ended with the parent.
    pub ended_with_parent: bool,
}

/// A cell's stdio, except the streams that carry its RPC.
#[derive(Clone)]
pub struct Stdio {
    /// Its stdin; `None` if stdin is the transport. If its transport was not set, it takes bytes only after a
    /// [claim](Self::claim).
    pub stdin: Option<Rc<Input>>,
    /// Its stdout; `None` if stdout is the transport. If its transport was not set, it holds bytes only if they turned
    /// out not to be RPC.
    pub stdout: Option<Rc<Output>>,
    /// Its stderr.
    pub stderr: Rc<Output>,
    pub(crate) undecided: Option<UndecidedStdio>,
}

impl Stdio {
    /// Claims stdin and stdout as the cell's own, for a caller that wants to write or read them. Returns whether they
    /// are its own: they are not if they carry its RPC. If its transport was not set, the first claim decides.
    pub fn claim(&self) -> bool {
        match &self.undecided {
            Some(undecided) => undecided.claim(),
            None => self.stdout.is_some(),
        }
    }
}

/// A running or ended cell. Clones are the same cell; dropping them does not end it.
#[derive(Clone)]
pub struct Cell(pub(crate) Rc<CellHost>);

/// The host's side of a cell.
pub(crate) struct CellHost {
    pub(crate) id: ActorId,
    pub(crate) name: Arc<str>,
    pub(crate) spec: CellSpec,
    pub(crate) pipes: Vec<PipeId>,
    pub(crate) link: LinkSlot,
    /// Its stdin and stdout, if it was not said whether they carry its RPC.
    pub(crate) undecided: Option<UndecidedStdio>,
    /// Living children that end with this cell, in order of birth.
    pub(crate) children: RefCell<Vec<Cell>>,
    /// How many detached children of this cell live.
    pub(crate) let_go: Rc<std::cell::Cell<usize>>,
    /// Its guest has stopped, so it gets no more children.
    pub(crate) ending: std::cell::Cell<bool>,
    pub(crate) ended: RefCell<Option<Rc<ExitRecord>>>,
    pub(crate) kill: RefCell<Option<oneshot::Sender<()>>>,
    pub(crate) care: std::cell::Cell<EndHandling>,
    /// Calls of `Process.wait` that are not answered yet.
    pub(crate) waiting: std::cell::Cell<usize>,
    pub(crate) exit: Shared<oneshot::Receiver<Rc<ExitRecord>>>,
}

impl Cell {
    /// The cell's id.
    pub fn id(&self) -> ActorId {
        self.0.id
    }

    /// The cell's name, unique in the tank.
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// The streams that the cell's RPC uses.
    pub fn transport(&self) -> Transport {
        self.0.spec.transport()
    }

    /// The component it runs.
    pub fn guest(&self) -> &Arc<Guest> {
        &self.0.spec.guest
    }

    /// Its pipes: stdin, stdout and stderr, then those of its connection if it has one.
    pub fn pipes(&self) -> &[PipeId] {
        &self.0.pipes
    }

    /// How much it may use.
    pub fn limits(&self) -> &Limits {
        &self.0.spec.limits
    }

    /// Capacity of each of its pipes, in bytes.
    pub fn capacity_bytes(&self) -> usize {
        self.0.spec.capacity_bytes
    }

    /// The link to its host; `None` if stdin and stdout turned out to be the cell's own.
    pub fn link(&self) -> Option<Link> {
        self.0.link.borrow().clone()
    }

    /// How it ended; `None` while it lives.
    pub fn exit(&self) -> Option<Rc<ExitRecord>> {
        self.0.ended.borrow().clone()
    }

    /// Waits until it has ended and was cleaned up. Any number of tasks may wait. It is safe to drop a wait.
    ///
    /// Returns `None` if the cell's task was dropped before its end, as when the tank goes away.
    pub async fn wait(&self) -> Option<Rc<ExitRecord>> {
        self.0.exit.clone().await.ok()
    }

    /// Orders it to end with code 137. A cell that has ended keeps its code.
    pub fn kill(&self) {
        let order = self.0.kill.borrow_mut().take();
        if let Some(order) = order {
            // Sending fails if the cell has ended in the meantime.
            let _ = order.send(());
        }
    }

    /// Who took care of its end so far.
    pub fn care(&self) -> EndHandling {
        self.0.care.get()
    }

    /// Waits like [`wait`](Self::wait), for a holder of the process.
    pub(crate) async fn awaited(&self) -> Option<Rc<ExitRecord>> {
        let waiting = WaiterCount::new(self);
        let ended = self.wait().await;
        self.0.care.set(EndHandling { awaited: true, ..self.care() });
        drop(waiting);
        ended
    }

    /// Orders its end like [`kill`](Self::kill), for a holder of the process.
    pub(crate) fn kill_by_order(&self) {
        self.0.care.set(EndHandling { killed: true, ..self.care() });
        self.kill();
    }

    /// Orders the end of a child because its parent has ended.
    fn kill_with_parent(&self) {
        if self.exit().is_none() {
            let care = self.care();
            let awaited = care.awaited || self.0.waiting.get() > 0;
            self.0.care.set(EndHandling { awaited, ended_with_parent: true, ..care });
        }
        self.kill();
    }

    async fn end_children(&self) {
        loop {
            let Some(youngest) = self.0.children.borrow().last().cloned() else { return };
            youngest.kill_with_parent();
            youngest.wait().await;
            self.0.children.borrow_mut().retain(|child| child.id() != youngest.id());
        }
    }
}

/// Counts somebody who waits for a cell. A wait that is given up is no longer counted.
struct WaiterCount<'a>(&'a Cell);

impl<'a> WaiterCount<'a> {
    fn new(cell: &'a Cell) -> Self {
        cell.0.waiting.set(cell.0.waiting.get() + 1);
        WaiterCount(cell)
    }
}

impl Drop for WaiterCount<'_> {
    fn drop(&mut self) {
        self.0.0.waiting.set(self.0.0.waiting.get() - 1);
    }
}

/// Runs a cell from its start to its end.
pub(crate) async fn live(
    cell: Cell,
    parent: Option<Cell>,
    engine: wasmtime::Engine,
    state: CellState,
    mut order: oneshot::Receiver<()>,
    tell: oneshot::Sender<Rc<ExitRecord>>,
) {
    let spec = &cell.0.spec;
    let shared = state.shared.clone();
    let mut store = Store::new(&engine, state);
    store.limiter(|state| &mut state.limiter);
    let mut fuel_given = 0;
    let ended = {
        let life = async {
            std::future::poll_fn(|cx| shared.poll_started(cell.id(), cx)).await;
            let orders = shared.orders(cell.id());
            fuel_given = orders.trap_at_fuel.map_or(spec.limits.fuel, |at| at.min(spec.limits.fuel));
            let slice = orders.fuel_slice.unwrap_or(spec.limits.fuel_slice).max(1);
            store.set_fuel(fuel_given).expect("fuel is on in every engine");
            store.fuel_async_yield_interval(Some(slice)).expect("fuel is on in every engine");
            store.set_hostcall_fuel(HOSTCALL_BYTES.max(spec.capacity_bytes));
            store.data_mut().limiter.growths_left = orders.memory_growths;
            store.data_mut().take_freedoms(orders.freedoms);
            run(&mut store, &spec.guest).await
        };
        let killed = async {
            if (&mut order).await.is_err() {
                // The sender was dropped without an order, so there is none.
                std::future::pending::<()>().await;
            }
        };
        let (life, killed) = (life.fuse(), killed.fuse());
        futures::pin_mut!(life, killed);
        futures::select_biased! {
            () = killed => None,
            ended = life => Some(ended),
        }
    };
    let (code, cause) = match ended {
        None => (KILLED, Cause::Killed),
        Some(Ok(code)) => (code, Cause::Exited),
        Some(Err(error)) => {
            // All tanks of an engine share the pool. An empty pool says nothing about this guest.
            assert!(
                !error.is::<wasmtime::PoolConcurrencyLimitError>(),
                "the engine's pool is exhausted: {error:#}"
            );
            let mut trap = Trap::new(&error);
            if trap.class == TrapClass::OutOfFuel && fuel_given < spec.limits.fuel {
                trap.class = TrapClass::Ordered;
                trap.message = TrapClass::Ordered.to_string();
                shared.record(Event::TrappedByOrder { cell: cell.id() });
            }
            (TRAPPED, Cause::Trapped(trap))
        }
    };
    let fuel = fuel_given - store.get_fuel().expect("fuel is on in every engine");
    let left = store.data().handles.left();

    cell.0.ending.set(true);
    cell.end_children().await;
    drop(store);
    if let Some(parent) = parent {
        parent.0.children.borrow_mut().retain(|child| child.id() != cell.id());
    }
    shared.record(Event::CellEnded { cell: cell.id(), code, fuel });
    let record = Rc::new(ExitRecord { code, cause, fuel, left });
    *cell.0.ended.borrow_mut() = Some(record.clone());
    // Sending fails if nobody waits for the exit, which is fine.
    let _ = tell.send(record);
}

async fn run(store: &mut Store<CellState>, guest: &Guest) -> wasmtime::Result<i32> {
    let called = async {
        let instance = guest.pre.instantiate_async(&mut *store).await?;
        let run = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut *store, &guest.run)?;
        run.call_async(&mut *store, ()).await
    };
    match called.await {
        Ok((returned,)) => Ok(i32::from(returned.is_err())),
        Err(error) => match error.downcast_ref::<Exit>() {
            Some(Exit(code)) => Ok(*code),
            None => Err(error),
        },
    }
}
