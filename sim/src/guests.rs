//! The built guests of this repository, as bytes.

macro_rules! guests {
    ($($(#[$doc:meta])* $name:ident $file:literal;)*) => {
        $($(#[$doc])* pub const $name: &[u8] = include_bytes!(concat!("../../guests/built/", $file, ".wasm"));)*

        /// All of them, by their file names.
        pub const ALL: &[(&str, &[u8])] = &[$(($file, $name)),*];
    };
}

guests! {
    /// Starts `child-echo` over a connection and waits for it, all in one pipeline.
    PID0 "pid0";
    /// The same over stdio, with `child-echo-stdio`.
    PID0_STDIO "pid0-stdio";
    /// `pid0` with `child-tiny`, which is under 50 KB.
    PID0_TINY "pid0-tiny";
    /// The same over stdio.
    PID0_TINY_STDIO "pid0-tiny-stdio";
    /// Two concurrent echoes over a connection.
    CHILD_ECHO "child-echo";
    /// The same over stdio.
    CHILD_ECHO_STDIO "child-echo-stdio";
    /// Says `CHILD_OK` and ends; no RPC.
    CHILD_TINY "child-tiny";
    /// Copies stdin to stdout; no RPC.
    CHILD_COPY "child-copy";
    /// Reads stdin in small pieces with sleeps between them, then writes as much at once; no RPC.
    CHILD_SLOW "child-slow";
    /// Starts itself again and again, as often as its argument says.
    CHAIN "chain";
    /// Tries every part of WASI that the host offers.
    PROBE "probe";
    /// Asks one question about WASI 0.2; docs/wasi-conformance.md lists them.
    CONFORMANCE "conformance";
    /// Exports a capability and serves it until its link ends.
    SERVER "server";
    /// Exports an Executor that starts children through the Executor of its own host, over a connection.
    RELAY "relay";
    /// The same over stdio.
    RELAY_STDIO "relay-stdio";
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
    /// Makes the attack that its first argument names; docs/hostile.md lists them all.
    HOSTILE "hostile";
}
