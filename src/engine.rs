//! The WebAssembly engine, set up so that two runs cannot differ, and the guests compiled for it.

use crate::cell::{CellState, Transport};
use crate::error::Error;
use crate::text::harmless;
use crate::wasi;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{
    Cache, CacheConfig, Config, Enabled, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

/// Stack that a guest may use, in bytes.
const WASM_STACK_BYTES: usize = 512 * 1024;

/// Stack of the fibre that a guest runs on, in bytes: its own and what host functions need.
const FIBRE_STACK_BYTES: usize = 2 * 1024 * 1024;

/// Linear memory that one guest may ever have, in bytes. [`Limits`](crate::cell::Limits) can only lower it.
pub(crate) const MAX_MEMORY_BYTES: usize = 256 * 1024 * 1024;

/// Cells that may live at once in all tanks of one engine, where memory is pooled.
const POOLED_CELLS: u32 = 2_000;

/// Compiled guests that an engine keeps, at most.
const KEPT_GUESTS: usize = 1_000;

/// Bytes of the components that it keeps compiled, at most.
const KEPT_GUEST_BYTES: usize = 256 * 1024 * 1024;

/// Instances of core modules in one component: one made by wasm32-wasip2 has four or five.
const INSTANCES_PER_CELL: u32 = 16;

/// Tables in one component.
const TABLES_PER_CELL: u32 = 16;

/// How an engine is set up. None of it may change what a guest does.
#[derive(Clone, Debug, Default)]
pub struct EngineConfig {
    /// How memory for instances is found.
    pub allocator: Allocator,
    /// What runs the guests' code.
    pub compiler: Compiler,
    /// Whether compiled guests are kept on disk for the next process, in wasmtime's cache of this user.
    pub cache: bool,
}

/// How memory for instances is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocator {
    /// From a pool that is set aside once: the faster one.
    #[default]
    Pooling,
    /// From the system, each time.
    OnDemand,
}

/// What runs the guests' code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// Machine code from Cranelift.
    #[default]
    Cranelift,
    /// Wasmtime's interpreter, Pulley: slower, and a second opinion.
    Pulley,
}

/// A WebAssembly engine and the guests compiled for it. Any number of tanks share one.
pub struct Engine {
    engine: wasmtime::Engine,
    config: EngineConfig,
    linker: Linker<CellState>,
    guests: Mutex<Known>,
    /// What is started in the place of others, by the bytes of those.
    instead: Vec<(Vec<u8>, Arc<Guest>)>,
}

/// Guests that were compiled before, as many as are kept.
#[derive(Clone, Default)]
struct Known {
    /// By length: few guests share one, and comparing bytes is faster than hashing them.
    by_length: BTreeMap<usize, Vec<Arc<Guest>>>,
    /// The same, the oldest first.
    by_age: VecDeque<Arc<Guest>>,
    bytes: usize,
}

impl Known {
    fn find(&self, bytes: &[u8]) -> Option<Arc<Guest>> {
        self.by_length.get(&bytes.len())?.iter().find(|guest| guest.bytes == bytes).cloned()
    }

    /// Keeps a guest, and forgets the oldest where they are too many: a guest that starts ever other components
    /// would fill its host.
    fn keep(&mut self, guest: &Arc<Guest>) {
        self.by_length.entry(guest.bytes.len()).or_default().push(guest.clone());
        self.by_age.push_back(guest.clone());
        self.bytes += guest.bytes.len();
        while self.by_age.len() > KEPT_GUESTS || (self.bytes > KEPT_GUEST_BYTES && self.by_age.len() > 1) {
            let Some(oldest) = self.by_age.pop_front() else { return };
            self.bytes -= oldest.bytes.len();
            if let Some(same_length) = self.by_length.get_mut(&oldest.bytes.len()) {
                same_length.retain(|guest| !Arc::ptr_eq(guest, &oldest));
                if same_length.is_empty() {
                    self.by_length.remove(&oldest.bytes.len());
                }
            }
        }
    }
}

/// A compiled component that can be started as often as wanted.
pub struct Guest {
    bytes: Vec<u8>,
    digest: [u8; 32],
    pub(crate) pre: InstancePre<CellState>,
    pub(crate) run: ComponentExportIndex,
    transport: Transport,
}

impl Engine {
    /// Sets an engine up.
    ///
    /// # Errors
    /// [`Error::Engine`] where wasmtime cannot: no such target, no address space for the pool.
    pub fn new(config: &EngineConfig) -> Result<Arc<Self>, Error> {
        Self::try_new(config).map(Arc::new).map_err(|source| Error::Engine { source })
    }

    fn try_new(config: &EngineConfig) -> wasmtime::Result<Self> {
        let engine = wasmtime::Engine::new(&wasmtime_config(config)?)?;
        let linker = wasi::linker(&engine)?;
        Ok(Engine { engine, config: config.clone(), linker, guests: Mutex::default(), instead: Vec::new() })
    }

    /// An engine like this one that starts `new` wherever it is asked for `old`: by a scenario, and by a guest that
    /// hands `old` to its host. What was compiled is shared.
    ///
    /// # Errors
    /// As [`guest`](Self::guest), of `new`.
    pub fn replacing(&self, old: &[u8], new: &[u8]) -> Result<Arc<Self>, Error> {
        let new = Arc::new(self.compile(new)?);
        let mut instead = self.instead.clone();
        instead.retain(|(replaced, _)| replaced != old);
        instead.push((old.to_vec(), new));
        let guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (engine, linker) = (self.engine.clone(), self.linker.clone());
        Ok(Arc::new(Engine {
            engine,
            config: self.config.clone(),
            linker,
            guests: Mutex::new(guests),
            instead,
        }))
    }

    /// Compiles a component, or finds it where the same bytes were compiled before.
    ///
    /// # Errors
    /// [`Error::NotComponent`], [`Error::TooLarge`], [`Error::UnknownImport`], [`Error::NoRun`] and
    /// [`Error::WrongRun`], before anything of it runs.
    pub fn guest(&self, bytes: &[u8]) -> Result<Arc<Guest>, Error> {
        if let Some((_, new)) = self.instead.iter().find(|(replaced, _)| replaced == bytes) {
            return Ok(new.clone());
        }
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = guests.find(bytes) {
            return Ok(known);
        }
        let guest = Arc::new(self.compile(bytes)?);
        guests.keep(&guest);
        Ok(guest)
    }

    fn compile(&self, bytes: &[u8]) -> Result<Guest, Error> {
        if let Some(reason) = wasi::not_a_component(bytes) {
            return Err(Error::NotComponent { reason });
        }
        let component = Component::from_binary(&self.engine, bytes).map_err(|e| refused(&e))?;
        wasi::check_imports(&self.engine, &component)?;
        let pre =
            self.linker.instantiate_pre(&component).map_err(|e| Error::UnknownImport { name: words(&e) })?;
        let interface = component.get_export_index(None, wasi::RUN_INTERFACE).ok_or(Error::NoRun)?;
        let (item, run) = component.get_export(Some(&interface), "run").ok_or(Error::NoRun)?;
        let ComponentItem::ComponentFunc(func) = item else { return Err(Error::NoRun) };
        func.typecheck::<(), (Result<(), ()>,)>(&component.component_type().instance_type())
            .map_err(|e| Error::WrongRun { reason: words(&e) })?;
        let digest = Sha256::digest(bytes).into();
        let transport = if wasi::imports_connection(&self.engine, &component) {
            Transport::Connection
        } else {
            Transport::Stdio
        };
        Ok(Guest { bytes: bytes.to_vec(), digest, pre, run, transport })
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.engine
    }
}

/// Why wasmtime compiles no component of some bytes.
fn refused(error: &wasmtime::Error) -> Error {
    let reason = words(error);
    if is_over_the_pool(&reason) { Error::TooLarge { reason } } else { Error::NotComponent { reason } }
}

/// Whether wasmtime's words say that a component takes more than a slot of the pool has. wasmtime 48 has no type for
/// that. No test pins the words yet: a new wasmtime must be looked at by hand.
fn is_over_the_pool(reason: &str) -> bool {
    reason.contains("pooling allocator")
}

/// What wasmtime says, with what the component calls its parts.
fn words(error: &wasmtime::Error) -> String {
    harmless(&format!("{error:#}")).into_owned()
}

impl fmt::Display for Engine {
    /// Its version and what runs the guests: `wasmtime 48.0.8, cranelift, pooling`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compiler = match self.config.compiler {
            Compiler::Cranelift => "cranelift",
            Compiler::Pulley => "pulley",
        };
        let allocator = match self.config.allocator {
            Allocator::Pooling => "pooling",
            Allocator::OnDemand => "on demand",
        };
        write!(f, "wasmtime {}, {compiler}, {allocator}", wasmtime_environ::VERSION)
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guest({} bytes)", self.bytes.len())
    }
}

impl Guest {
    /// The SHA-256 of the component's bytes.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Where its imports say that its RPC runs: over a connection if it imports `wetware:streams/streams`, else over
    /// stdio. A guest imports only what it calls.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The component's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What an instruction costs that the engine carries out by a call into itself, even where it refuses: so that a loop
/// of them takes about as long as any other of as much fuel.
const LIBCALL_FUEL: u8 = 200;

/// Functions in a trap's backtrace, at most.
const BACKTRACE_FUNCTIONS: usize = 64;

fn wasmtime_config(of: &EngineConfig) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        // The same bits for NaN and for relaxed SIMD on every machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        // Fuel is counted in instructions, epochs in wall time.
        .consume_fuel(true)
        .operator_cost(OperatorCost {
            MemoryGrow: LIBCALL_FUEL,
            TableGrow: LIBCALL_FUEL,
            ..OperatorCost::new()
        })
        .concurrency_support(false)
        // Unless this is said, wasmtime asks the environment.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        // A panic of Rust's leaves a dozen functions of std above those of the guest.
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FUNCTIONS))
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(FIBRE_STACK_BYTES);
    if of.compiler == Compiler::Pulley {
        config.target("pulley64")?;
    }
    if of.cache {
        // Without a home there is no such cache: then guests are compiled anew, which is slower and no more.
        config.cache(Cache::new(CacheConfig::new()).ok());
    }
    if of.allocator == Allocator::Pooling {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(POOLED_CELLS)
            .total_core_instances(POOLED_CELLS * INSTANCES_PER_CELL)
            .total_memories(POOLED_CELLS)
            .total_tables(POOLED_CELLS * 4)
            // No single guest empties the pool.
            .max_core_instances_per_component(INSTANCES_PER_CELL)
            .max_memories_per_component(1)
            .max_tables_per_component(TABLES_PER_CELL)
            .total_stacks(POOLED_CELLS)
            .max_memory_size(MAX_MEMORY_BYTES)
            .max_unused_warm_slots(64)
            // Only cheap where the kernel can tell which pages were touched.
            .pagemap_scan(Enabled::Auto);
        if PoolingAllocationConfig::is_pagemap_scan_available() {
            pool.linear_memory_keep_resident(4 * 1024 * 1024)
                .table_keep_resident(64 * 1024)
                .async_stack_keep_resident(64 * 1024);
        }
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    Ok(config)
}
