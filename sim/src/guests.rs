//! The built guests of this repository, as bytes.

macro_rules! guests {
    ($($(#[$doc:meta])* $name:ident $file:literal;)*) => {
        $($(#[$doc])* pub const $name: &[u8] = include_bytes!(concat!("../../guests/built/", $file, ".wasm"));)*

        /// All of them, by the names of their files.
        pub const ALL: &[(&str, &[u8])] = &[$(($file, $name)),*];
    };
}

guests! {
    /// Starts `child-echo` and waits for it, in one pipelined breath.
    PID0 "pid0";
    /// The same with `child-tiny`, which is under 50 KB.
    PID0_TINY "pid0-tiny";
    /// Two concurrent echoes.
    CHILD_ECHO "child-echo";
    /// Says `CHILD_OK` and ends; no RPC.
    CHILD_TINY "child-tiny";
    /// Starts itself again and again, as often as told.
    CHAIN "chain";
    /// Tries everything of WASI that the host offers.
    PROBE "probe";
    /// Exports a capability and serves it until its link ends.
    SERVER "server";
    /// Uses a handle that was passed to it as a plain number.
    FAULT_HANDLE "fault-handle";
    /// Writes more than `check-write` granted.
    FAULT_OVERWRITE "fault-overwrite";
    /// Drops a stream before its pollable.
    FAULT_DROP "fault-drop";
    /// Asks `ready` in a loop instead of blocking in `poll`.
    FAULT_SPIN "fault-spin";
}
