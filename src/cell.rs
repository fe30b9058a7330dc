//! Cells: guests that run, each with a store, fuel, stdio and perhaps a connection of its own.
//!
//! A cell's end has one order, whatever the cause: the guest stops; its children are killed, youngest first,
//! each waited for; its store is dropped, which closes its streams; its exit is told. So no cell outlives its
//! parent unless it was started detached, and whoever waited finds all of it cleaned up.

use crate::engine::{Guest, MAX_MEMORY_BYTES};
use crate::event::{Event, HandleKind};
use crate::fabric::{Blocked, Fabric, Import};
use crate::freedoms::Freedoms;
use crate::ids::{ActorId, PipeId};
use crate::link::Link;
use crate::stream::{PipeReader, PipeWriter};
use crate::trap::{Trap, TrapClass};
use crate::unsaid::Unsaid;
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

/// Where a cell's RPC runs.
///
/// What was said for a cell wins. Otherwise its component's imports decide, [`Guest::transport`], and so they do for
/// each of its children: what was said for a parent holds for the parent alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Over stdin and stdout.
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
    /// Where its RPC runs; `None` if its imports decide. Stdio that nobody asked for carries RPC only if the guest or
    /// its host speaks RPC there first: a program that prints, or reads its stdin, keeps them for itself.
    pub transport: Option<Transport>,
    /// How much it may use.
    pub limits: Limits,
    /// Capacity of each of its pipes, in bytes, at least 1.
    pub capacity_bytes: usize,
    /// Whether it outlives its parent.
    pub detached: bool,
    /// The vat that its host's side runs in.
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
    /// The pipe that it reads, writes or waits for; of a pollable, `None` if it waits for a time.
    pub pipe: Option<PipeId>,
    /// When the guest used it, from its birth to its last use.
    pub lived: Lived,
}

/// When a handle was in use, by a clock that ticks for its own sort: handles of one kind, of one pipe or of none.
///
/// It ticks when the guest returns from `wasi:io/poll`, and when a handle of the sort did its work: a pollable was
/// found ready, a stream moved bytes. Of two handles, the later one took the place of the earlier if it was born
/// after the earlier one's last use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lived {
    /// The time of its birth.
    pub born: u64,
    /// The time of its last use; that of its birth if there was none.
    pub last_used: u64,
}

/// Who cared for a cell's end, as far as its host knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Care {
    /// Somebody called `Process.wait` and was answered, or still waited when its parent ended.
    pub awaited: bool,
    /// Somebody called `Process.kill`.
    pub killed: bool,
    /// It still ran when its parent had ended, and was ended with it.
    pub ended_with_parent: bool,
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
    /// Its stdin and stdout, if nobody said that they carry its RPC, and nobody that they do not.
    pub(crate) unsaid: Option<Unsaid>,
    /// Living children that end with this cell, in order of birth.
    pub(crate) children: RefCell<Vec<Cell>>,
    /// How many children live that it started detached.
    pub(crate) let_go: Rc<std::cell::Cell<usize>>,
    /// Its guest has stopped: it gets no more children.
    pub(crate) ending: std::cell::Cell<bool>,
    pub(crate) ended: RefCell<Option<Rc<ExitRecord>>>,
    pub(crate) kill: RefCell<Option<oneshot::Sender<()>>>,
    pub(crate) care: std::cell::Cell<Care>,
    /// Calls of `Process.wait` that are not answered.
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

    /// Where the cell's RPC runs.
    pub fn transport(&self) -> Transport {
        self.0.spec.transport()
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

    /// The link to its host; `None` once its stdin and stdout turned out to be its own.
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

    /// Who cared for its end so far.
    pub fn care(&self) -> Care {
        self.0.care.get()
    }

    /// Waits like [`wait`](Self::wait), in the name of whoever holds the process.
    pub(crate) async fn awaited(&self) -> Option<Rc<ExitRecord>> {
        let waiting = Awaiting::new(self);
        let ended = self.wait().await;
        self.0.care.set(Care { awaited: true, ..self.care() });
        drop(waiting);
        ended
    }

    /// Orders its end like [`kill`](Self::kill), in the name of whoever holds the process.
    pub(crate) fn kill_by_order(&self) {
        self.0.care.set(Care { killed: true, ..self.care() });
        self.kill();
    }

    /// Orders the end of a child whose parent has ended.
    fn kill_with_parent(&self) {
        if self.exit().is_none() {
            let care = self.care();
            let awaited = care.awaited || self.0.waiting.get() > 0;
            self.0.care.set(Care { awaited, ended_with_parent: true, ..care });
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

/// Somebody waits for a cell. A wait that is given up counts no more.
struct Awaiting<'a>(&'a Cell);

impl<'a> Awaiting<'a> {
    fn new(cell: &'a Cell) -> Self {
        cell.0.waiting.set(cell.0.waiting.get() + 1);
        Awaiting(cell)
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.0.0.waiting.set(self.0.0.waiting.get() - 1);
    }
}

/// What a cell's store holds.
pub(crate) struct CellState {
    pub(crate) cell: ActorId,
    pub(crate) fabric: Fabric,
    /// The pipe of its link that it writes.
    pub(crate) up: PipeId,
    /// The pipe of its link that brings it bytes.
    pub(crate) down: PipeId,
    pub(crate) table: ResourceTable,
    pub(crate) handles: Handles,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) stdin: Arc<PipeReader>,
    pub(crate) stdout: Arc<PipeWriter>,
    pub(crate) stderr: Arc<PipeWriter>,
    pub(crate) offer: Offer,
    pub(crate) entropy: crate::tank::Entropy,
    /// What `insecure-seed` gave, once it was asked for.
    pub(crate) insecure_seed: Option<(u64, u64)>,
    pub(crate) freedoms: Freedoms,
    /// Polls that named one of several ready pollables: whose turn it is.
    pub(crate) named: usize,
    /// Its last call asked in vain once too often: others run before the call returns.
    pub(crate) owes_turn: bool,
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

impl CellState {
    /// Says which of WASI's freedoms the cell's host takes.
    fn take_freedoms(&mut self, freedoms: Freedoms) {
        self.freedoms = freedoms;
        let mut reads = vec![self.stdin.pipe()];
        let mut writes = vec![self.stdout.pipe(), self.stderr.pipe()];
        if let Offer::Ready(connection) = &self.offer {
            reads.extend(connection.input.as_ref().map(PipeReader::pipe));
            writes.extend(connection.output.as_ref().map(PipeWriter::pipe));
        }
        let of_reads = Freedoms { short_reads: freedoms.short_reads, ..Freedoms::default() };
        let of_writes = Freedoms { short_reads: false, ..freedoms };
        for pipe in reads {
            self.fabric.take_freedoms(pipe, of_reads);
        }
        for pipe in writes {
            self.fabric.take_freedoms(pipe, of_writes);
        }
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
pub(crate) struct Handles {
    held: BTreeMap<u32, Held>,
    /// How often the guest came back from `poll`.
    polls: u64,
    /// By sort, how often a handle of it did its work.
    uses: BTreeMap<Sort, u64>,
}

/// One handle.
struct Held {
    kind: HandleKind,
    waits_on: Option<Blocked>,
    lived: Lived,
}

/// Handles that can take each other's place.
type Sort = (HandleKind, Option<PipeId>);

impl Held {
    fn sort(&self) -> Sort {
        (self.kind, self.waits_on.and_then(Blocked::pipe))
    }
}

impl Handles {
    pub(crate) fn insert(&mut self, handle: u32, kind: HandleKind, waits_on: Option<Blocked>) {
        let mut held = Held { kind, waits_on, lived: Lived::default() };
        let now = self.now(held.sort());
        held.lived = Lived { born: now, last_used: now };
        self.held.insert(handle, held);
    }

    pub(crate) fn remove(&mut self, handle: u32) -> Option<HandleKind> {
        self.held.remove(&handle).map(|held| held.kind)
    }

    pub(crate) fn waits_on(&self, handle: u32) -> Option<Blocked> {
        self.held.get(&handle).and_then(|held| held.waits_on)
    }

    fn now(&self, sort: Sort) -> u64 {
        self.polls + self.uses.get(&sort).copied().unwrap_or_default()
    }

    /// Notes that the guest looked at a handle. Gives its sort.
    pub(crate) fn looked_at(&mut self, handle: u32) -> Option<Sort> {
        let sort = self.held.get(&handle)?.sort();
        let now = self.now(sort);
        self.held.get_mut(&handle)?.lived.last_used = now;
        Some(sort)
    }

    /// Notes that a handle did what it is for: it was found ready, or moved bytes.
    pub(crate) fn used(&mut self, handle: u32) {
        if let Some(sort) = self.looked_at(handle) {
            *self.uses.entry(sort).or_default() += 1;
        }
    }

    /// Notes that the guest came back from `poll` with these handles in its list.
    pub(crate) fn polled(&mut self, handles: &[u32]) {
        for &handle in handles {
            self.looked_at(handle);
        }
        self.polls += 1;
    }

    fn left(&self) -> Vec<Left> {
        let left = |(&handle, held): (&u32, &Held)| Left {
            handle,
            kind: held.kind,
            pipe: held.waits_on.and_then(Blocked::pipe),
            lived: held.lived,
        };
        self.held.iter().map(left).collect()
    }
}

/// Says what a cell waits for, as long as it lives.
pub(crate) struct Waiting {
    fabric: Fabric,
    cell: ActorId,
}

impl Waiting {
    pub(crate) fn new(fabric: &Fabric, cell: ActorId, import: Import, on: Vec<Blocked>) -> Self {
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
            store.data_mut().take_freedoms(orders.freedoms);
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
