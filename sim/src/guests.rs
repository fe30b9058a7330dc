//! Built guests that examples and tests of servers need: pid0, children and a guest that serves.

// Statics, because each crate that uses a constant gets a copy of its bytes.
macro_rules! guests {
    ($($(#[$doc:meta])* $name:ident $file:literal;)*) => {
        $($(#[$doc])* pub static $name: &[u8] = {
            const FILE: &[u8] = include_bytes!(concat!("../guests/", $file, ".wasm"));
            static BYTES: [u8; FILE.len()] = *FILE.first_chunk().expect("its own length");
            &BYTES
        };)*

        /// All of these, by their file names.
        pub static ALL: &[(&str, &[u8])] = &[$(($file, $name)),*];
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
    /// Exports a capability and serves it until its link ends.
    SERVER "server";
    /// Exports an Executor that starts children through the Executor of its own host, over a connection.
    RELAY "relay";
    /// The same over stdio.
    RELAY_STDIO "relay-stdio";
}
