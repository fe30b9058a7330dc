//! Cells: guests that run, each with a store, fuel, stdio and perhaps a connection of its own.
//!
//! A cell's end has one order, whatever the cause: the guest stops; its children are killed, youngest first,
//! each waited for; its store is dropped, which closes its streams; its exit is told. So no cell outlives its
//! parent unless it was started detached, and whoever waited finds all of it cleaned up.

use crate::engine::{Guest, MAX_MEMORY_BYTES};
use crate::event::{Event, HandleKind};
use crate::fabric::{Blocked, Fabric};
use crate::ids::{ActorId, PipeId};
use crate::link::Link;
use crate::stream::{PipeReader, PipeWriter};
use crate::trap::{Trap, TrapClass};
use crate::wasi::{Exit, Offer};
use futures::channel::oneshot;
use futures::future::{FutureExt, Shared};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Store, StoreLimits, StoreLimitsBuilder};

/// The exit code of a cell that trapped: 128 and SIGABRT, as a shell would say.
pub const TRAPPED: i32 = 134;

/// The exit code of a cell that was killed: 128 and SIGKILL.
pub const KILLED: i32 = 137;

/// Elements that one table may ever have: as many as a pooled one, so that guests meet the same limit under
/// either [`Allocator`](crate::Allocator).
const MAX_TABLE_ELEMENTS: usize = 20_000;

/// Bytes that a guest may hand to its host in one call: more where its pipes hold more.
const HOSTCALL_BYTES: usize = 32 * 1024 * 1024;

/// Where a cell's RPC runs. Children inherit it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Over stdin and stdout.
    #[default]
    Stdio,
    /// Over the streams of a `wetware:streams` connection; stdin, stdout and stderr stay the guest's own.
    Connection,
}

/// How much a cell may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel until it traps, about one a wasm instruction.
    pub fuel: u64,
    /// Fuel it may burn in one poll, at least 1.
    pub fuel_slice: u64,
    /// Fuel it may burn without asking its host for anything, until that counts as livelock. Read by whoever
    /// judges a run; the tank itself stops nobody for it. To be raised for guests that compute for long.
    pub quiet_fuel: u64,
    /// Linear memory in bytes, at most 256 MiB.
    pub memory_bytes: usize,
    /// Handles that its table holds.
    pub handles: usize,
    /// Children that live at once, those that were started detached included.
    pub children: usize,
    /// Length of a component that it may start, in bytes.
    pub wasm_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            fuel: 20_000_000_000,
            fuel_slice: 1_000_000,
            quiet_fuel: 2_000_000_000,
            memory_bytes: MAX_MEMORY_BYTES,
            handles: 10_000,
            children: 1_000,
            wasm_bytes: 32 * 1024 * 1024,
        }
    }
}

/// What to start.
#[derive(Clone)]
pub struct CellSpec {
    /// The component.
    pub guest: Arc<Guest>,
    /// What to call it; made unique by a number where it is taken.
    pub name: String,
    /// Its arguments, the first by custom its own name.
    pub args: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// Where its RPC runs.
    pub transport: Transport,
    /// How much it may use.
    pub limits: Limits,
    /// Capacity of each of its pipes, in bytes, at least 1.
    pub capacity_bytes: usize,
    /// Whether it outlives its parent.
    pub detached: bool,
    /// The vat that its host's side runs in.
    pub vat: ActorId,
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
    /// Its exit code; 134 after a trap, 137 after a kill.
    pub code: i32,
    /// Why it ended.
    pub cause: Cause,
    /// Fuel that it burned.
    pub fuel: u64,
    /// What its table still held, by handle: a clean guest leaves the stdio handles that its libc keeps.
    pub left: Vec<Left>,
}

/// A resource that a cell's table still held when the cell ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its place in the table.
    pub handle: u32,
    /// What it is.
    pub kind: HandleKind,
    /// The pipe that it reads, writes or waits for.
    pub pipe: Option<PipeId>,
}

/// A running or ended cell. Clones are the same cell; dropping them does not end it.
#[derive(Clone)]
pub struct Cell(pub(crate) Rc<Shell>);

/// The host's side of a cell.
pub(crate) struct Shell {
    pub(crate) id: ActorId,
    pub(crate) name: Arc<str>,
    pub(crate) spec: CellSpec,
    pub(crate) pipes: Vec<PipeId>,
    pub(crate) link: RefCell<Option<Link>>,
    /// Living children that end with this cell, in order of birth.
    pub(crate) children: RefCell<Vec<Cell>>,
    /// How many children live that it started detached.
    pub(crate) let_go: Rc<std::cell::Cell<usize>>,
    /// Its guest has stopped: it gets no more children.
    pub(crate) ending: std::cell::Cell<bool>,
    pub(crate) ended: RefCell<Option<Rc<ExitRecord>>>,
    pub(crate) kill: RefCell<Option<oneshot::Sender<()>>>,
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

    /// Where the cell's RPC runs.
    pub fn transport(&self) -> Transport {
        self.0.spec.transport
    }

    /// The component it runs.
    pub fn guest(&self) -> &Arc<Guest> {
        &self.0.spec.guest
    }

    /// Its pipes: stdin, stdout and stderr, then the connection's where it has one.
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

    /// The link to its host.
    pub fn link(&self) -> Option<Link> {
        self.0.link.borrow().clone()
    }

    /// How it ended; `None` while it lives.
    pub fn exit(&self) -> Option<Rc<ExitRecord>> {
        self.0.ended.borrow().clone()
    }

    /// Waits until it has ended and was cleaned up. Any number may wait; a wait that is dropped loses nothing.
    ///
    /// `None` where its task was dropped without an end, as when the tank goes away.
    pub async fn wait(&self) -> Option<Rc<ExitRecord>> {
        self.0.exit.clone().await.ok()
    }

    /// Orders it to end with code 137. A cell that has ended keeps its code.
    pub fn kill(&self) {
        let order = self.0.kill.borrow_mut().take();
        if let Some(order) = order {
            // Refused where the cell ended in the meantime.
            let _ = order.send(());
        }
    }

    async fn end_children(&self) {
        loop {
            let Some(youngest) = self.0.children.borrow().last().cloned() else { return };
            youngest.kill();
            youngest.wait().await;
            self.0.children.borrow_mut().retain(|child| child.id() != youngest.id());
        }
    }
}

/// What a cell's store holds.
pub(crate) struct CellState {
    pub(crate) cell: ActorId,
    pub(crate) fabric: Fabric,
    /// The pipe of its link that it writes.
    pub(crate) up: PipeId,
    pub(crate) table: ResourceTable,
    pub(crate) handles: Handles,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) stdin: Arc<PipeReader>,
    pub(crate) stdout: Arc<PipeWriter>,
    pub(crate) stderr: Arc<PipeWriter>,
    pub(crate) offer: Offer,
    pub(crate) entropy: crate::tank::Entropy,
    pub(crate) limiter: Limiter,
}

impl CellState {
    pub(crate) fn record_handle(&self, kind: HandleKind, handle: u32, born: bool) {
        let cell = self.cell;
        self.fabric.record(if born {
            Event::HandleBorn { cell, kind, handle }
        } else {
            Event::HandleDropped { cell, kind, handle }
        });
    }
}

/// Holds a cell to its limits, and refuses it memory where it was told to.
pub(crate) struct Limiter {
    limits: StoreLimits,
    growths_left: Option<u32>,
    cell: ActorId,
    fabric: Fabric,
}

impl Limiter {
    pub(crate) fn new(fabric: &Fabric, cell: ActorId, limits: &Limits) -> Self {
        let limits = StoreLimitsBuilder::new()
            .memory_size(limits.memory_bytes.min(MAX_MEMORY_BYTES))
            .table_elements(MAX_TABLE_ELEMENTS)
            .build();
        Limiter { limits, growths_left: None, cell, fabric: fabric.clone() }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The memory that a guest begins with is no growth.
        if current > 0
            && let Some(left) = &mut self.growths_left
        {
            if *left == 0 {
                self.fabric.record(Event::MemoryRefused { cell: self.cell });
                return Ok(false);
            }
            *left -= 1;
        }
        self.limits.memory_growing(current, desired, maximum)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.limits.table_growing(current, desired, maximum)
    }
}

/// What the guest holds of its table, for the table itself cannot be read.
#[derive(Default)]
pub(crate) struct Handles(BTreeMap<u32, (HandleKind, Option<Blocked>)>);

impl Handles {
    pub(crate) fn insert(&mut self, handle: u32, kind: HandleKind, waits_on: Option<Blocked>) {
        self.0.insert(handle, (kind, waits_on));
    }

    pub(crate) fn remove(&mut self, handle: u32) -> Option<HandleKind> {
        self.0.remove(&handle).map(|(kind, _)| kind)
    }

    pub(crate) fn waits_on(&self, handle: u32) -> Option<Blocked> {
        self.0.get(&handle).and_then(|(_, waits_on)| *waits_on)
    }

    fn left(&self) -> Vec<Left> {
        let left = |(handle, (kind, waits_on)): (&u32, &(HandleKind, Option<Blocked>))| Left {
            handle: *handle,
            kind: *kind,
            pipe: waits_on.and_then(Blocked::pipe),
        };
        self.0.iter().map(left).collect()
    }
}

/// Says what a cell waits for, as long as it lives.
pub(crate) struct Waiting {
    fabric: Fabric,
    cell: ActorId,
}

impl Waiting {
    pub(crate) fn new(fabric: &Fabric, cell: ActorId, import: &'static str, on: Vec<Blocked>) -> Self {
        fabric.block(cell, import, on);
        Waiting { fabric: fabric.clone(), cell }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.fabric.unblock(self.cell);
    }
}

/// A cell's whole life.
pub(crate) async fn live(
    cell: Cell,
    parent: Option<Cell>,
    engine: wasmtime::Engine,
    state: CellState,
    mut order: oneshot::Receiver<()>,
    tell: oneshot::Sender<Rc<ExitRecord>>,
) {
    let spec = &cell.0.spec;
    let fabric = state.fabric.clone();
    let mut store = Store::new(&engine, state);
    store.limiter(|state| &mut state.limiter);
    let mut fuel_given = 0;
    let ended = {
        let life = async {
            std::future::poll_fn(|cx| fabric.poll_started(cell.id(), cx)).await;
            let orders = fabric.orders(cell.id());
            fuel_given = orders.trap_at_fuel.map_or(spec.limits.fuel, |at| at.min(spec.limits.fuel));
            let slice = orders.fuel_slice.unwrap_or(spec.limits.fuel_slice).max(1);
            store.set_fuel(fuel_given).expect("fuel is on in every engine");
            store.fuel_async_yield_interval(Some(slice)).expect("fuel is on in every engine");
            store.set_hostcall_fuel(HOSTCALL_BYTES.max(spec.capacity_bytes));
            store.data_mut().limiter.growths_left = orders.memory_growths;
            run(&mut store, &spec.guest).await
        };
        let killed = async {
            if (&mut order).await.is_err() {
                // The sender was dropped unused: that is no order.
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
            // The pool is shared by all tanks of an engine: that it is empty says nothing about this guest.
            assert!(
                !error.is::<wasmtime::PoolConcurrencyLimitError>(),
                "the engine's pool is exhausted: {error:#}"
            );
            let mut trap = Trap::new(&error);
            if trap.class == TrapClass::OutOfFuel && fuel_given < spec.limits.fuel {
                trap.class = TrapClass::Ordered;
                trap.message = TrapClass::Ordered.to_string();
                fabric.record(Event::TrappedByOrder { cell: cell.id() });
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
    fabric.record(Event::CellEnded { cell: cell.id(), code, fuel });
    let record = Rc::new(ExitRecord { code, cause, fuel, left });
    *cell.0.ended.borrow_mut() = Some(record.clone());
    // Nobody may be left to be told.
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
