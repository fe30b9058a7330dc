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
    /// Copies stdin to stdout; no RPC.
    CHILD_COPY "child-copy";
    /// Reads stdin in small pieces with naps between, then writes as much at once; no RPC.
    CHILD_SLOW "child-slow";
    /// Starts itself again and again, as often as told.
    CHAIN "chain";
    /// Tries everything of WASI that the host offers.
    PROBE "probe";
    /// Exports a capability and serves it until its link ends.
    SERVER "server";
    /// Exports an Executor that starts children by the one of its own host.
    RELAY "relay";
    /// Starts 32 of `child-tiny` at once.
    CROWD "crowd";
    /// Calls on promised capabilities of relays three deep.
    PIPELINE "pipeline";
    /// Writes faster than `child-slow` reads, and reads slower than it writes.
    BACKPRESSURE "backpressure";
    /// Writes to `child-copy` and reads from it at the same time.
    FULL_DUPLEX "full-duplex";
    /// Lets go of streams, capabilities and children in every order.
    CLEANUP "cleanup";
    /// Uses a handle that was passed to it as a plain number.
    FAULT_HANDLE "fault-handle";
    /// Writes more than `check-write` granted.
    FAULT_OVERWRITE "fault-overwrite";
    /// Drops a stream before its pollable.
    FAULT_DROP "fault-drop";
    /// Asks `ready` in a loop instead of blocking in `poll`.
    FAULT_SPIN "fault-spin";
    /// Commits the fault that its first argument names, or does the same job rightly, as its second says.
    BUGS "bugs";
    /// Tries what its first argument names: docs/hostile.md lists all of it.
    HOSTILE "hostile";
}
