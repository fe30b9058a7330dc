//! Traps, classified by the guest's action.

use crate::connection::ConnectionMisuse;
use crate::escape::escape_control;
use crate::pipe::WriteError;
use std::fmt;
use wasmtime::component::ResourceTableError;

/// A guest's trap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// The guest's action that caused it.
    pub class: TrapClass,
    /// The engine's own message, on one line.
    pub message: String,
    /// The guest's functions, innermost first, with the names that the component gives them.
    pub backtrace: Vec<String>,
}

/// The action of a guest that caused a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TrapClass {
    /// Used a handle that is not in its table: it was dropped before, or was never the guest's own.
    UnknownHandle,
    /// Wrote more than `check-write` had granted.
    WriteOverBudget,
    /// Dropped a resource while a child of it was alive, for example a stream before its pollable.
    ResourceHasChildren,
    /// Polled an empty list.
    EmptyPoll,
    /// Called `blocking-write-and-flush` with more than 4096 bytes.
    WriteTooLong,
    /// Held more resources than its limit.
    TooManyHandles,
    /// Reached `unreachable`: a panic or an abort.
    Unreachable,
    /// Used up its stack.
    StackOverflow,
    /// Burned all its fuel.
    OutOfFuel,
    /// Was trapped from outside, at the fuel that had been ordered.
    Ordered,
    /// Touched memory or a table out of bounds.
    OutOfBounds,
    /// Needed more memory at its start than its limit allows.
    MemoryLimit,
    /// Asked its host for more in one call than any correct guest does.
    AskedTooMuch,
    /// Asked `wetware:streams` for a second connection, for a stream twice, or for a connection that is not offered.
    MisusedConnection,
    /// Another trap; see its message.
    Other,
}

impl Trap {
    pub(crate) fn new(error: &wasmtime::Error) -> Self {
        let backtrace = error.downcast_ref::<wasmtime::WasmBacktrace>().map_or_else(Vec::new, |b| {
            let name = |f: &wasmtime::FrameInfo| match f.func_name() {
                Some(name) => escape_control(&demangled(name)).into_owned(),
                None => format!("function {}", f.func_index()),
            };
            b.frames().iter().map(name).collect()
        });
        let message = escape_control(&error.root_cause().to_string().replace('\n', " ")).into_owned();
        Trap { class: classify(error), message, backtrace }
    }
}

/// A function's name without its hash, which changes with every build.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

fn classify(error: &wasmtime::Error) -> TrapClass {
    use TrapClass as Class;
    if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
        return match trap {
            wasmtime::Trap::UnreachableCodeReached => Class::Unreachable,
            wasmtime::Trap::StackOverflow => Class::StackOverflow,
            wasmtime::Trap::OutOfFuel => Class::OutOfFuel,
            wasmtime::Trap::MemoryOutOfBounds | wasmtime::Trap::TableOutOfBounds => Class::OutOfBounds,
            _ => Class::Other,
        };
    }
    match error.downcast_ref::<Misuse>() {
        Some(Misuse::EmptyPoll) => return Class::EmptyPoll,
        Some(Misuse::WriteTooLong(_)) => return Class::WriteTooLong,
        Some(Misuse::PollTooLong(_) | Misuse::TooManyRandomBytes { .. }) => return Class::AskedTooMuch,
        None => {}
    }
    if let Some(WriteError::Overrun { .. }) = error.downcast_ref() {
        return Class::WriteOverBudget;
    }
    if error.downcast_ref::<ConnectionMisuse>().is_some() {
        return Class::MisusedConnection;
    }
    match error.downcast_ref::<ResourceTableError>() {
        Some(ResourceTableError::HasChildren) => Class::ResourceHasChildren,
        Some(ResourceTableError::Full) => Class::TooManyHandles,
        Some(ResourceTableError::NotPresent) => Class::UnknownHandle,
        _ => by_words(&error.root_cause().to_string()),
    }
}

/// Finds the class of a trap from its message, because wasmtime 48 has no type for it.
///
/// Tests with real guests pin most of these messages, and fail if a new wasmtime changes them. They are `fault-handle`
/// (an unknown handle), `zeroes-4g`, `write-4g`, `resources` and `poll-list-huge` of `guests/hostile`, and a component
/// with too much memory.
fn by_words(text: &str) -> TrapClass {
    use TrapClass as Class;
    if text.starts_with("unknown handle index") {
        Class::UnknownHandle
    } else if text.starts_with("cannot write more zeroes") {
        Class::WriteOverBudget
    } else if text.ends_with("exceeds memory limits") || text.ends_with("exceeds table limits") {
        Class::MemoryLimit
    } else if text.ends_with("out of bounds of memory") {
        Class::OutOfBounds
    } else if text.ends_with("store handle limit exceeded") {
        Class::TooManyHandles
    } else if text.starts_with("too much data is being copied") {
        Class::AskedTooMuch
    } else {
        Class::Other
    }
}

/// The most pollables in one list: as many as a table holds by default. The same pollable may be listed more than once.
pub(crate) const MAX_POLLED: usize = 10_000;

/// A guest's violation of a rule of an interface, for the rules that are checked here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misuse {
    #[error("empty poll list")]
    EmptyPoll,
    #[error("Buffer too large for blocking-write-and-flush: {0} bytes, and the most is 4096")]
    WriteTooLong(u64),
    #[error("asked for {0} pollables to be polled at once; the limit is {MAX_POLLED}")]
    PollTooLong(usize),
    #[error("asked for {asked} random bytes at once; the limit is {most}")]
    TooManyRandomBytes { asked: u64, most: u64 },
}

impl TrapClass {
    /// Whether the guest broke a rule of WASI or of the component model. No failure that a host reports makes a guest
    /// do so. Therefore the guest alone is to blame for such a trap, whatever faults were injected.
    pub fn is_misuse(self) -> bool {
        match self {
            TrapClass::UnknownHandle
            | TrapClass::WriteOverBudget
            | TrapClass::ResourceHasChildren
            | TrapClass::EmptyPoll
            | TrapClass::WriteTooLong
            | TrapClass::TooManyHandles
            | TrapClass::MisusedConnection
            | TrapClass::AskedTooMuch => true,
            TrapClass::Unreachable
            | TrapClass::StackOverflow
            | TrapClass::OutOfFuel
            | TrapClass::Ordered
            | TrapClass::OutOfBounds
            | TrapClass::MemoryLimit
            | TrapClass::Other => false,
        }
    }
}

impl fmt::Display for TrapClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrapClass::UnknownHandle => "unknown handle",
            TrapClass::WriteOverBudget => "write over budget",
            TrapClass::ResourceHasChildren => "resource has children",
            TrapClass::EmptyPoll => "empty poll list",
            TrapClass::WriteTooLong => "write too long",
            TrapClass::TooManyHandles => "too many handles",
            TrapClass::Unreachable => "unreachable",
            TrapClass::StackOverflow => "stack overflow",
            TrapClass::OutOfFuel => "out of fuel",
            TrapClass::Ordered => "trapped by order",
            TrapClass::OutOfBounds => "out of bounds",
            TrapClass::MemoryLimit => "memory over the limit",
            TrapClass::AskedTooMuch => "asked for too much at once",
            TrapClass::MisusedConnection => "misused connection",
            TrapClass::Other => "trap",
        })
    }
}
