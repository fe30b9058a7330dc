//! The guest's side of a cell: the data of its store, its handles and its limits.
//!
//! Not here: the host's side, which is in `cell`.

use crate::connection::ConnectionOffer;
use crate::event::{Event, HandleKind};
use crate::freedoms::Freedoms;
use crate::ids::{ActorId, PipeId};
use crate::shared::{Blocked, Import, SharedState};
use crate::spec::{Limits, MAX_MEMORY_BYTES};
use crate::stream::{PipeReader, PipeWriter};
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};

/// Fills a buffer with random bytes.
pub type Entropy = Box<dyn FnMut(&mut [u8]) + Send>;

/// The most elements that one table may have. It is the same number as in the pool, so that guests meet the same limit
/// under either [`Allocator`](crate::Allocator).
const MAX_TABLE_ELEMENTS: usize = 20_000;

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
    pub(crate) offer: ConnectionOffer,
    pub(crate) entropy: Entropy,
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
    pub(crate) fn take_freedoms(&mut self, freedoms: Freedoms) {
        self.freedoms = freedoms;
        let mut reads = vec![self.stdin.pipe()];
        let mut writes = vec![self.stdout.pipe(), self.stderr.pipe()];
        if let ConnectionOffer::Ready(connection) = &self.offer {
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
    pub(crate) growths_left: Option<u32>,
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

    pub(crate) fn left(&self) -> Vec<LeftoverHandle> {
        let left = |(&handle, held): (&u32, &HandleEntry)| LeftoverHandle {
            handle,
            kind: held.kind,
            pipe: held.waits_on.and_then(Blocked::pipe),
            lived: held.lived,
        };
        self.held.iter().map(left).collect()
    }
}

/// Tells the shared state what a cell waits for. Dropping it ends the wait.
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
