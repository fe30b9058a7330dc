//! The built guests of this repository, as bytes: those that users have too, and those that only its own tests need.

pub use wavetank_sim::guests::{
    CHILD_COPY, CHILD_ECHO, CHILD_ECHO_STDIO, CHILD_SLOW, CHILD_TINY, PID0, PID0_STDIO, PID0_TINY,
    PID0_TINY_STDIO, RELAY, RELAY_STDIO, SERVER,
};

// Statics, as in `wavetank_sim::guests`: there would be several copies of a constant.
macro_rules! guests {
    ($($(#[$doc:meta])* $name:ident $file:literal;)*) => {
        $($(#[$doc])* pub static $name: &[u8] = {
            const FILE: &[u8] = include_bytes!(concat!("../../../guests/built/", $file, ".wasm"));
            static BYTES: [u8; FILE.len()] = *FILE.first_chunk().expect("its own length");
            &BYTES
        };)*

        /// Those that only the tests of this repository need, by their file names.
        static OWN: &[(&str, &[u8])] = &[$(($file, $name)),*];
    };
}

/// All of them, by their file names.
pub fn all() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    wavetank_sim::guests::ALL.iter().chain(OWN).copied()
}

guests! {
    /// Starts itself again and again, as often as its argument says.
    CHAIN "chain";
    /// Tries every part of WASI that the host offers.
    PROBE "probe";
    /// Asks one question about WASI 0.2; docs/src/reference/wasi-conformance.md lists them.
    CONFORMANCE "conformance";
    /// Opens its connection and makes one call, without the guest runtime.
    RAW_CONNECTION "raw-connection";
    /// Starts 32 instances of `child-tiny` at once, over stdio.
    CROWD "crowd";
    /// Calls on promised capabilities of relays three deep, over stdio.
    PIPELINE "pipeline";
    /// Writes faster than `child-slow` reads, and reads slower than it writes.
    BACKPRESSURE "backpressure";
    /// Writes to `child-copy` and reads from it at the same time.
    FULL_DUPLEX "full-duplex";
    /// Drops streams, capabilities and children in every order.
    CLEANUP "cleanup";
    /// Makes streaming calls, awaits each, and ends in the way its first argument names.
    STREAMER "streamer";
    /// The example guest of the runtime's README: a schema of its own, and calls in both directions.
    TILL "till";
    /// Uses a handle that was passed to it as a plain number.
    FAULT_HANDLE "fault-handle";
    /// Writes more than `check-write` granted.
    FAULT_OVERWRITE "fault-overwrite";
    /// Drops a stream before its pollable.
    FAULT_DROP "fault-drop";
    /// Asks `ready` in a loop instead of blocking in `poll`.
    FAULT_SPIN "fault-spin";
    /// Commits the fault that its first argument names, or does the same job correctly, as its second argument says.
    BUGS "bugs";
    /// Makes the attack that its first argument names; docs/src/reference/hostile.md lists them all.
    HOSTILE "hostile";
}
