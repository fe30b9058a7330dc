//! The WebAssembly engine and the guests compiled for it. It is configured so that two runs cannot differ.

use crate::error::Error;
use crate::escape::escape_control;
use crate::spec::{MAX_MEMORY_BYTES, Transport};
use crate::store::CellState;
use crate::wasi;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{
    Cache, CacheConfig, Config, Enabled, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

/// Stack that a guest may use, in bytes.
const WASM_STACK_BYTES: usize = 512 * 1024;

/// Stack of the fibre that a guest runs on, in bytes: for the guest itself and for host functions.
const FIBRE_STACK_BYTES: usize = 2 * 1024 * 1024;

/// Cells that may live at once in all tanks of one engine, if memory is pooled.
const POOLED_CELLS: u32 = 2_000;

/// The most compiled guests that an engine keeps.
const KEPT_GUESTS: usize = 1_000;

/// The most bytes of components that it keeps compiled.
const KEPT_GUEST_BYTES: usize = 256 * 1024 * 1024;

/// Instances of core modules in one component. A component made by wasm32-wasip2 has four or five.
const INSTANCES_PER_CELL: u32 = 16;

/// Tables in one component.
const TABLES_PER_CELL: u32 = 16;

/// The configuration of an engine. No setting may change the behaviour of a guest.
#[derive(Clone, Debug, Default)]
pub struct EngineConfig {
    /// How memory for instances is allocated.
    pub allocator: Allocator,
    /// How guests' code is executed.
    pub compiler: Compiler,
    /// Whether compiled guests are kept on disk for the next process, in wasmtime's cache of this user.
    pub cache: bool,
}

/// How memory for instances is allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocator {
    /// From a pool that is reserved once: the faster way.
    #[default]
    Pooling,
    /// From the system, each time.
    OnDemand,
}

/// How guests' code is executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// As machine code from Cranelift.
    #[default]
    Cranelift,
    /// By Pulley, wasmtime's interpreter: slower, and a second opinion.
    Pulley,
}

/// A WebAssembly engine and the guests compiled for it. Any number of tanks share one.
pub struct Engine {
    engine: wasmtime::Engine,
    config: EngineConfig,
    linker: Linker<CellState>,
    guests: Mutex<GuestCache>,
    is_compiling: AtomicBool,
    /// Replacements: the bytes of a component, and the guest that is started in its place.
    instead: Vec<(Vec<u8>, Arc<Guest>)>,
}

/// A bounded cache of compiled guests.
#[derive(Clone, Default)]
struct GuestCache {
    /// Guests by length of their bytes: few guests share a length, and comparing bytes is faster than hashing them.
    by_length: BTreeMap<usize, Vec<Arc<Guest>>>,
    /// The same guests, the oldest first.
    by_age: VecDeque<Arc<Guest>>,
    bytes: usize,
}

impl GuestCache {
    fn find(&self, bytes: &[u8]) -> Option<Arc<Guest>> {
        self.by_length.get(&bytes.len())?.iter().find(|guest| guest.bytes == bytes).cloned()
    }

    /// Keeps a guest, and forgets the oldest guests if there are too many. Otherwise a guest that keeps starting new
    /// components would fill its host's memory.
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

/// A compiled component. It can be started any number of times.
pub struct Guest {
    bytes: Vec<u8>,
    digest: [u8; 32],
    pub(crate) pre: InstancePre<CellState>,
    pub(crate) run: ComponentExportIndex,
    transport: Transport,
}

impl Engine {
    /// Creates an engine.
    ///
    /// # Errors
    /// [`Error::Engine`] if wasmtime fails, for example because it does not know the target or there is no address
    /// space for the pool.
    pub fn new(config: &EngineConfig) -> Result<Arc<Self>, Error> {
        Self::try_new(config).map(Arc::new).map_err(|source| Error::Engine { source })
    }

    fn try_new(config: &EngineConfig) -> wasmtime::Result<Self> {
        let engine = wasmtime::Engine::new(&wasmtime_config(config)?)?;
        let linker = wasi::linker(&engine)?;
        Ok(Engine {
            engine,
            config: config.clone(),
            linker,
            guests: Mutex::default(),
            is_compiling: AtomicBool::new(false),
            instead: Vec::new(),
        })
    }

    /// Returns an engine like this one that starts `new` whenever it is asked for `old`, by a scenario or by a guest
    /// that hands `old` to its host. Guests that are already compiled are shared.
    ///
    /// # Errors
    /// As [`guest`](Self::guest), for `new`.
    pub fn replacing(&self, old: &[u8], new: &[u8]) -> Result<Arc<Self>, Error> {
        let new = Arc::new(self.compile(new)?);
        let mut instead = self.instead.clone();
        instead.retain(|(replaced, _)| replaced != old);
        // `old` may itself stand in for another.
        for (_, stand_in) in instead.iter_mut().filter(|(_, stand_in)| stand_in.bytes() == old) {
            *stand_in = new.clone();
        }
        instead.push((old.to_vec(), new));
        let guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (engine, linker) = (self.engine.clone(), self.linker.clone());
        Ok(Arc::new(Engine {
            engine,
            config: self.config.clone(),
            linker,
            guests: Mutex::new(guests),
            is_compiling: AtomicBool::new(false),
            instead,
        }))
    }

    /// Compiles a component, or finds it in the cache if the same bytes were compiled before.
    ///
    /// # Errors
    /// [`Error::NotComponent`], [`Error::TooLarge`], [`Error::UnknownImport`], [`Error::NoRun`] and
    /// [`Error::WrongRun`]. No code of the component has run by then.
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

    /// Whether a component is being compiled at this moment, on whatever thread. For programs that tell their users why
    /// they wait; nothing in a world depends on it.
    pub fn is_compiling(&self) -> bool {
        self.is_compiling.load(Ordering::Relaxed)
    }

    fn compile(&self, bytes: &[u8]) -> Result<Guest, Error> {
        if let Some(reason) = wasi::not_a_component(bytes) {
            return Err(Error::NotComponent { reason });
        }
        self.is_compiling.store(true, Ordering::Relaxed);
        let compiled = Component::from_binary(&self.engine, bytes);
        self.is_compiling.store(false, Ordering::Relaxed);
        let component = compiled.map_err(|e| refused(&e))?;
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

/// Turns wasmtime's refusal to compile a component into an error.
fn refused(error: &wasmtime::Error) -> Error {
    let reason = words(error);
    if is_over_the_pool(&reason) { Error::TooLarge { reason } } else { Error::NotComponent { reason } }
}

/// Whether wasmtime's message means that a component needs more than a slot of the pool has. wasmtime 48 has no type
/// for that. The test of a component of four gibibytes of memory fails if a new wasmtime changes the message.
fn is_over_the_pool(reason: &str) -> bool {
    reason.contains("pooling allocator")
}

/// Wasmtime's message, with control characters escaped because it quotes names from the component.
fn words(error: &wasmtime::Error) -> String {
    escape_control(&format!("{error:#}")).into_owned()
}

impl fmt::Display for Engine {
    /// Its version, compiler and allocator: `wasmtime 48.0.8, cranelift, pooling`.
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

    /// The streams that its RPC uses, according to its imports: a connection if it imports `wetware:streams/streams`,
    /// otherwise stdio. A guest imports only the interfaces that it calls.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The component's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The fuel cost of an instruction that the engine executes by a call into itself, even if it refuses the request. With
/// this cost, a loop of such instructions takes about as long as any other loop that burns as much fuel.
const LIBCALL_FUEL: u8 = 200;

/// The most functions in a trap's backtrace.
const BACKTRACE_FUNCTIONS: usize = 64;

fn wasmtime_config(of: &EngineConfig) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        // Gives the same bits for NaN and for relaxed SIMD on every machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        // Fuel is counted in instructions; epochs would be counted in wall time.
        .consume_fuel(true)
        .operator_cost(OperatorCost {
            MemoryGrow: LIBCALL_FUEL,
            TableGrow: LIBCALL_FUEL,
            ..OperatorCost::new()
        })
        .concurrency_support(false)
        // Without this setting wasmtime asks the environment.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        // A Rust panic leaves a dozen functions of std above the guest's own functions.
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FUNCTIONS))
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(FIBRE_STACK_BYTES);
    if of.compiler == Compiler::Pulley {
        config.target("pulley64")?;
    }
    if of.cache {
        // Without a home directory there is no such cache. Guests are then compiled again, which is only slower.
        config.cache(Cache::new(CacheConfig::new()).ok());
    }
    if of.allocator == Allocator::Pooling {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(POOLED_CELLS)
            .total_core_instances(POOLED_CELLS * INSTANCES_PER_CELL)
            .total_memories(POOLED_CELLS)
            .total_tables(POOLED_CELLS * 4)
            // No single guest can empty the pool.
            .max_core_instances_per_component(INSTANCES_PER_CELL)
            .max_memories_per_component(1)
            .max_tables_per_component(TABLES_PER_CELL)
            .total_stacks(POOLED_CELLS)
            .max_memory_size(MAX_MEMORY_BYTES)
            .max_unused_warm_slots(64)
            // It is cheap only if the kernel can tell which pages were touched.
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
