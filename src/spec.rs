//! What a user says about a cell beforehand: the transport of its RPC, and its limits.

/// The most linear memory that one guest may have, in bytes. [`Limits`](Limits) can only lower it.
pub(crate) const MAX_MEMORY_BYTES: usize = 256 * 1024 * 1024;

/// The streams that a cell's RPC uses.
///
/// An explicit setting for a cell wins. Otherwise the imports of its component decide: see [`crate::Guest::transport`].
/// The same holds for each of its children: the setting of a parent is not inherited.
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
