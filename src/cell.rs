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

use crate::engine::{Guest, MAX_MEMORY_BYTES};
use crate::event::{Event, HandleKind};
use crate::freedoms::Freedoms;
use crate::ids::{ActorId, PipeId};
use crate::link::Link;
use crate::shared::{Blocked, Import, SharedState};
use crate::stream::{PipeReader, PipeWriter};
use crate::trap::{Trap, TrapClass};
use crate::undecided::UndecidedStdio;
use crate::wasi::{Exit, Offer};
use futures::channel::oneshot;
use futures::future::{FutureExt, Shared};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Store, StoreLimits, StoreLimitsBuilder};

/// The exit code of a cell that trapped: 128 + SIGABRT, as in a shell.
pub const TRAPPED: i32 = 134;

/// The exit code of a cell that was killed: 128 + SIGKILL.
pub const KILLED: i32 = 137;

/// The most elements that one table may have. It is the same number as in the pool, so that guests meet the same limit
/// under either [`Allocator`](crate::Allocator).
const MAX_TABLE_ELEMENTS: usize = 20_000;

/// Bytes that a guest may hand to its host in one call. It is raised to the capacity of the cell's pipes if that is
/// larger.
const HOSTCALL_BYTES: usize = 32 * 1024 * 1024;

/// The streams that a cell's RPC uses.
///
/// An explicit setting for a cell wins. Otherwise the imports of its component decide ([`Guest::transport`]). The same
/// holds for each of its children: the setting of a parent is not inherited.
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
    /// Fuel until it traps; about one unit for each wasm instruction.
    pub fuel: u64,
    /// Fuel that it may burn in one poll, at least 1.
    pub fuel_slice: u64,
    /// Fuel that it may burn without a call to its host before that counts as livelock. The tank itself stops nobody
    /// for it: the judge of a run reads it. Raise it for guests that compute for long.
    pub quiet_fuel: u64,
    /// Linear memory in bytes, at most 256 MiB.
    pub memory_bytes: usize,
    /// The most handles in its table.
    pub handles: usize,
    /// The most children that live at once, detached ones included.
    pub children: usize,
    /// The longest component that it may start, in bytes.
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

/// A resource that a cell's table still held when the cell ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftoverHandle {
    /// Its place in the table.
    pub handle: u32,
    /// Its kind.
    pub kind: HandleKind,
    /// The pipe that it reads, writes or waits for. It is `None` for a pollable that waits for a time.
    pub pipe: Option<PipeId>,
    /// When the guest used it, from its birth to its last use.
    pub lived: HandleLifetime,
}

/// The time during which a handle was in use. The unit is a logical clock, one for each sort of handle. Handles of the
/// same kind with the same pipe (or without a pipe) are of one sort.
///
/// The clock ticks each time the guest returns from `wasi:io/poll`, and each time a handle of the sort did its work: a
/// pollable was found ready, or a stream moved bytes. If a handle was born after the last use of another, it took the
/// place of that other handle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct HandleLifetime {
    /// The time of its birth.
    pub born: u64,
    /// The time of its last use, or of its birth if there was none.
    pub last_used: u64,
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

/// A running or ended cell. Clones are the same cell; dropping them does not end it.
#[derive(Clone)]
pub struct Cell(pub(crate) Rc<CellHost>);

/// The host's side of a cell.
pub(crate) struct CellHost {
    pub(crate) id: ActorId,
    pub(crate) name: Arc<str>,
    pub(crate) spec: CellSpec,
    pub(crate) pipes: Vec<PipeId>,
    pub(crate) link: RefCell<Option<Link>>,
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

/// The data of a cell's store.
pub(crate) struct CellState {
    pub(crate) cell: ActorId,
    pub(crate) shared: SharedState,
    /// The pipe of its link into which it writes.
    pub(crate) up: PipeId,
    /// The pipe of its link from which it reads.
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
    /// The answer of `insecure-seed`, if the guest has asked for it.
    pub(crate) insecure_seed: Option<(u64, u64)>,
    pub(crate) freedoms: Freedoms,
    /// How many polls named just one of several ready pollables. It decides which pollable is next.
    pub(crate) named: usize,
    /// Its last call asked in vain once too often: other tasks run before the call returns.
    pub(crate) owes_turn: bool,
    pub(crate) limiter: Limiter,
}

impl CellState {
    pub(crate) fn record_handle(&self, kind: HandleKind, handle: u32, born: bool) {
        let cell = self.cell;
        self.shared.record(if born {
            Event::HandleBorn { cell, kind, handle }
        } else {
            Event::HandleDropped { cell, kind, handle }
        });
    }
}

impl CellState {
    /// Sets which of WASI's freedoms the cell's host takes.
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
            self.shared.take_freedoms(pipe, of_reads);
        }
        for pipe in writes {
            self.shared.take_freedoms(pipe, of_writes);
        }
    }
}

/// Holds a cell to its limits, and refuses it memory if it was ordered to.
pub(crate) struct Limiter {
    limits: StoreLimits,
    growths_left: Option<u32>,
    cell: ActorId,
    shared: SharedState,
}

impl Limiter {
    pub(crate) fn new(shared: &SharedState, cell: ActorId, limits: &Limits) -> Self {
        let limits = StoreLimitsBuilder::new()
            .memory_size(limits.memory_bytes.min(MAX_MEMORY_BYTES))
            .table_elements(MAX_TABLE_ELEMENTS)
            .build();
        Limiter { limits, growths_left: None, cell, shared: shared.clone() }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The initial memory of a guest does not count as growth.
        if current > 0
            && let Some(left) = &mut self.growths_left
        {
            if *left == 0 {
                self.shared.record(Event::MemoryRefused { cell: self.cell });
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

/// A copy of the handles in the guest's table, because the table itself cannot be listed.
#[derive(Default)]
pub(crate) struct Handles {
    held: BTreeMap<u32, HandleEntry>,
    /// How often the guest returned from `poll`.
    polls: u64,
    /// For each sort, how often a handle of it did its work.
    uses: BTreeMap<HandleClass, u64>,
}

/// One handle.
struct HandleEntry {
    kind: HandleKind,
    waits_on: Option<Blocked>,
    lived: HandleLifetime,
}

/// Handles of one sort can take each other's place.
type HandleClass = (HandleKind, Option<PipeId>);

impl HandleEntry {
    fn sort(&self) -> HandleClass {
        (self.kind, self.waits_on.and_then(Blocked::pipe))
    }
}

impl Handles {
    pub(crate) fn insert(&mut self, handle: u32, kind: HandleKind, waits_on: Option<Blocked>) {
        let mut held = HandleEntry { kind, waits_on, lived: HandleLifetime::default() };
        let now = self.now(held.sort());
        held.lived = HandleLifetime { born: now, last_used: now };
        self.held.insert(handle, held);
    }

    pub(crate) fn remove(&mut self, handle: u32) -> Option<HandleKind> {
        self.held.remove(&handle).map(|held| held.kind)
    }

    pub(crate) fn waits_on(&self, handle: u32) -> Option<Blocked> {
        self.held.get(&handle).and_then(|held| held.waits_on)
    }

    fn now(&self, sort: HandleClass) -> u64 {
        self.polls + self.uses.get(&sort).copied().unwrap_or_default()
    }

    /// Notes that the guest looked at a handle. Returns its sort.
    pub(crate) fn looked_at(&mut self, handle: u32) -> Option<HandleClass> {
        let sort = self.held.get(&handle)?.sort();
        let now = self.now(sort);
        self.held.get_mut(&handle)?.lived.last_used = now;
        Some(sort)
    }

    /// Notes that a handle did its work: it was found ready, or moved bytes.
    pub(crate) fn used(&mut self, handle: u32) {
        if let Some(sort) = self.looked_at(handle) {
            *self.uses.entry(sort).or_default() += 1;
        }
    }

    /// Notes that the guest returned from `poll`, which had these handles in its list.
    pub(crate) fn polled(&mut self, handles: &[u32]) {
        for &handle in handles {
            self.looked_at(handle);
        }
        self.polls += 1;
    }

    fn left(&self) -> Vec<LeftoverHandle> {
        let left = |(&handle, held): (&u32, &HandleEntry)| LeftoverHandle {
            handle,
            kind: held.kind,
            pipe: held.waits_on.and_then(Blocked::pipe),
            lived: held.lived,
        };
        self.held.iter().map(left).collect()
    }
}

/// Tells the fabric what a cell waits for. Dropping it ends the wait.
pub(crate) struct WaitGuard {
    shared: SharedState,
    cell: ActorId,
}

impl WaitGuard {
    pub(crate) fn new(shared: &SharedState, cell: ActorId, import: Import, on: Vec<Blocked>) -> Self {
        shared.block(cell, import, on);
        WaitGuard { shared: shared.clone(), cell }
    }
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        self.shared.unblock(self.cell);
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
