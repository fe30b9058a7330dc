//! Traps, sorted by what the guest did.

use crate::pipe::Refused;
use crate::text::harmless;
use crate::wasi::ConnectionMisuse;
use std::fmt;
use wasmtime::component::ResourceTableError;

/// A guest's trap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// What the guest did.
    pub class: TrapClass,
    /// The engine's own words, on one line.
    pub message: String,
    /// The guest's functions, innermost first, as far as the component names them.
    pub backtrace: Vec<String>,
}

/// What a guest did to trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TrapClass {
    /// Used a handle that is not in its table: dropped before, or never its own.
    UnknownHandle,
    /// Wrote more than `check-write` had granted.
    WriteOverBudget,
    /// Dropped a resource while a child of it lived, as a stream before its pollable.
    ResourceHasChildren,
    /// Polled an empty list.
    EmptyPoll,
    /// Called `blocking-write-and-flush` with more than 4096 bytes.
    WriteTooLong,
    /// Had more resources than its limit.
    TooManyHandles,
    /// Reached `unreachable`: a panic or an abort.
    Unreachable,
    /// Used up its stack.
    StackOverflow,
    /// Burned all its fuel.
    OutOfFuel,
    /// Was trapped from outside, at the fuel it had been given for that.
    Ordered,
    /// Touched memory or a table out of bounds.
    OutOfBounds,
    /// Was larger from the start than its memory limit allows.
    MemoryLimit,
    /// Asked its host for more in one call than any correct guest does.
    AskedTooMuch,
    /// Asked `wetware:streams` for a second connection, for a stream twice, or for a connection that is not
    /// offered.
    MisusedConnection,
    /// Another trap; see its message.
    Other,
}

impl Trap {
    pub(crate) fn new(error: &wasmtime::Error) -> Self {
        let backtrace = error.downcast_ref::<wasmtime::WasmBacktrace>().map_or_else(Vec::new, |b| {
            let name = |f: &wasmtime::FrameInfo| match f.func_name() {
                Some(name) => harmless(&demangled(name)).into_owned(),
                None => format!("function {}", f.func_index()),
            };
            b.frames().iter().map(name).collect()
        });
        let message = harmless(&error.root_cause().to_string().replace('\n', " ")).into_owned();
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
    if let Some(Refused::Overrun { .. }) = error.downcast_ref() {
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

/// The class of a trap that wasmtime 48 gives nothing but words, for want of a type.
///
/// Tests with real guests pin most of them: a new wasmtime that says it otherwise makes them fail. They are
/// `fault-handle` (an unknown handle), `zeroes-4g`, `write-4g` and `resources` of `guests/hostile`, and a component
/// with too much memory. No test pins the words for too much data that is copied into the host at once.
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

/// Pollables in one list: as many as a table holds by default. The same may stand there more than once.
pub(crate) const MAX_POLLED: usize = 10_000;

/// What a guest asks for against the rules of an interface, where the rule is checked here.
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
    /// do so: such a trap is the guest's own making, whatever was done to its world.
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
