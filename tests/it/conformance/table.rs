//! The questions: the subject of each in WASI's words, and the right answer.
//!
//! The quotations are from `wit/deps/*-0.2.12.wit`, shortened. A row without a quotation asks about something that
//! follows from several sentences, or from the component model.

use wavetank::TrapClass;

/// A question.
pub(super) struct Row {
    /// Its name in `guests/conformance`.
    pub(super) name: &'static str,
    /// The interface and function that it is about.
    pub(super) interface: &'static str,
    /// The sentence that it asks about.
    pub(super) text: &'static str,
    pub(super) stdin: Stdin,
    pub(super) later: Later,
    pub(super) answer: Answer,
}

/// The contents of the guest's stdin.
#[derive(Clone, Copy)]
pub(super) enum Stdin {
    /// These bytes, then the end.
    Holds(&'static [u8]),
    /// Nothing, and no end before the far end acts.
    StaysOpen,
}

/// The action of the far end while the guest waits for stdin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Later {
    /// It does nothing.
    Nothing,
    /// Writes these bytes to stdin and ends it.
    Bytes(&'static [u8]),
    /// Breaks stdin.
    StdinBreaks,
    /// Stops reading stdout, then writes these bytes to stdin and ends it.
    StdoutCloses(&'static [u8]),
    /// Breaks stdout, then writes these bytes to stdin and ends it.
    StdoutBreaks(&'static [u8]),
}

/// The right answer.
pub(super) enum Answer {
    /// Prints this and returns.
    Says(&'static str),
    /// Prints this and exits with 0; the far end of stdout has read exactly these bytes.
    Writes { says: &'static str, stdout: Vec<u8> },
    /// Traps.
    Traps(TrapClass),
    /// Prints nothing and exits with this code.
    Exits(i32),
    /// Prints the same under the same seed, and something else under another seed.
    FollowsSeed,
}

/// A question with nothing on stdin and a far end that only reads.
fn ask(name: &'static str, interface: &'static str, text: &'static str, answer: Answer) -> Row {
    Row { name, interface, text, stdin: Stdin::Holds(b""), later: Later::Nothing, answer }
}

impl Row {
    fn holds(self, bytes: &'static [u8]) -> Self {
        Row { stdin: Stdin::Holds(bytes), ..self }
    }

    fn open(self) -> Self {
        Row { stdin: Stdin::StaysOpen, ..self }
    }

    fn later(self, later: Later) -> Self {
        Row { later, ..self.open() }
    }
}

use Answer::{Exits, FollowsSeed, Says, Traps};

/// An answer with bytes that arrive on stdout.
fn writes(says: &'static str, stdout: impl Into<Vec<u8>>) -> Answer {
    Answer::Writes { says, stdout: stdout.into() }
}

/// All questions, in the order of the document.
pub(super) fn all() -> Vec<Row> {
    [poll(), input(), output(), splice(), clocks(), random(), cli()].into_iter().flatten().collect()
}

pub(super) fn poll() -> Vec<Row> {
    const POLL: &str = "io/poll.poll";
    const READY: &str = "io/poll.pollable.ready";
    const BLOCK: &str = "io/poll.pollable.block";
    const CHILD: &str = "Implementations may trap if the stream is dropped before all derived `pollable`s.";
    vec![
        ask(
            "poll-indexes",
            POLL,
            "The result contains one or more indices of handles in the argument list that is ready for I/O.",
            Says("yes"),
        )
        .open(),
        ask(
            "poll-empty-list",
            POLL,
            "This function traps if the list is empty.",
            Traps(TrapClass::EmptyPoll),
        ),
        ask(
            "poll-duplicates",
            POLL,
            "The result contains indices of handles in the argument list (one handle may stand there more than once).",
            Says("yes"),
        ),
        ask(
            "poll-timeout",
            POLL,
            "A timeout can be implemented by adding a pollable from the wasi-clocks API to the list.",
            Says("yes"),
        )
        .open(),
        ask("poll-many", POLL, "Waits until one or more of the events is ready for I/O.", Says("yes")),
        ask(
            "poll-error-is-ready",
            POLL,
            "If any of the I/O sources has an error, it is indicated by marking the source as being ready.",
            Says("[0] failed"),
        )
        .later(Later::StdinBreaks),
        ask(
            "poll-end-is-ready",
            "io/streams.input-stream.subscribe",
            "Resolves once the other end of the stream has been closed.",
            Says("[0] closed"),
        )
        .later(Later::Bytes(b"")),
        ask(
            "poll-two-handles",
            POLL,
            "Waits for events on multiple handles at once (two handles of one stream).",
            Says("yes"),
        )
        .holds(b"bytes"),
        ask(
            "poll-streams-and-timers",
            POLL,
            "Takes a list of pollables, which identify I/O sources of interest (streams and timers alike).",
            Says("yes"),
        )
        .open(),
        ask(
            "pollable-ready-of-nothing",
            READY,
            "Returns `true` when the pollable is ready, and `false` otherwise. This function never blocks.",
            Says("false, false"),
        )
        .open(),
        ask("pollable-ready-again", READY, "Return the readiness of a pollable.", Says("[true, true, true]")),
        ask("pollable-block-when-ready", BLOCK, "Returns immediately if the pollable is ready.", Says("yes")),
        ask("pollable-block-waits", BLOCK, "Otherwise blocks until ready.", Says("yes")),
        ask(
            "pollable-outlives-input",
            "io/streams.input-stream.subscribe",
            CHILD,
            Traps(TrapClass::ResourceHasChildren),
        ),
        ask(
            "pollable-outlives-output",
            "io/streams.output-stream.subscribe",
            CHILD,
            Traps(TrapClass::ResourceHasChildren),
        ),
        ask(
            "pollable-beside-a-dropped-one",
            "io/streams.input-stream.subscribe",
            "The created `pollable` is a child resource of the stream.",
            Says("[]"),
        )
        .holds(b"bytes"),
        ask(
            "pollable-dropped-first",
            "io/streams.input-stream.subscribe",
            "The created `pollable` is a child resource of the stream.",
            Says("dropped"),
        ),
        ask(
            "pollable-dropped-unfired",
            "io/poll.pollable",
            "A pollable represents a single I/O event which may be ready, or not.",
            Says("dropped"),
        ),
    ]
}

pub(super) fn input() -> Vec<Row> {
    const READ: &str = "io/streams.input-stream.read";
    const BLOCKING: &str = "io/streams.input-stream.blocking-read";
    const SKIP: &str = "io/streams.input-stream.skip";
    const BLOCKING_SKIP: &str = "io/streams.input-stream.blocking-skip";
    const SUBSCRIBE: &str = "io/streams.input-stream.subscribe";
    const EVERY_BYTE: [u8; 256] = every_byte();
    static VERBATIM: [u8; 256] = EVERY_BYTE;
    vec![
        ask(
            "read-nothing-yet",
            READ,
            "The list is empty when no bytes are available for reading at this time.",
            Says("[]"),
        )
        .open(),
        ask(
            "read-of-0",
            READ,
            "A `len` of 0: if the stream is still open, this call should succeed and return an empty list.",
            Says("[]"),
        )
        .open(),
        ask("read-of-0-at-the-end", READ, "Or otherwise fail with `closed`.", Says("closed")).holds(b"bytes"),
        ask(
            "read-at-most-len",
            READ,
            "The returned list will contain up to `len` bytes; it may return fewer than requested, but not more.",
            Says("abcdefghij"),
        )
        .holds(b"abcdefghij"),
        ask("read-verbatim", READ, "The bytes from the source are returned verbatim.", Says("yes")).holds(&VERBATIM),
        ask(
            "read-any-len",
            READ,
            "The `len` could represent a list which is not possible to allocate: the callee may return less.",
            Says("abcdefghij"),
        )
        .holds(b"abcdefghij"),
        ask("read-at-the-end", READ, "This function fails when the stream is closed, giving `closed`.", Says("closed"))
            .holds(b"bytes"),
        ask(
            "read-after-a-failure",
            "io/streams.stream-error",
            "After `last-operation-failed` the stream will be closed. All future operations return `closed`.",
            Says("failed, then closed"),
        )
        .later(Later::StdinBreaks),
        ask(
            "read-in-turns",
            "cli/stdin.get-stdin",
            "get-stdin: func() -> input-stream (two handles of one stream).",
            Says("abcdefghij"),
        )
        .holds(b"abcdefghij"),
        ask(
            "blocking-read",
            BLOCKING,
            "Read bytes from a stream, after blocking until at least one byte can be read.",
            Says("late bytes"),
        )
        .later(Later::Bytes(b"late bytes")),
        ask("blocking-read-of-0", BLOCKING, "Except for blocking, behavior is identical to `read`.", Says("[]"))
            .holds(b"bytes"),
        ask(
            "blocking-read-at-the-end",
            BLOCKING,
            "Except for blocking, behavior is identical to `read`: `closed`.",
            Says("closed"),
        ),
        ask(
            "blocking-read-the-end-comes",
            BLOCKING,
            "Except for blocking, behavior is identical to `read`: `closed`, once the stream ends.",
            Says("closed"),
        )
        .later(Later::Bytes(b"")),
        ask("skip", SKIP, "Skip bytes from a stream. Returns number of bytes skipped.", Says("456789"))
            .holds(b"0123456789"),
        ask("skip-of-0", SKIP, "Behaves identical to `read`.", Says("0, then 0123456789")).holds(b"0123456789"),
        ask("skip-nothing-yet", SKIP, "Behaves identical to `read`.", Says("0")).open(),
        ask(
            "blocking-skip",
            BLOCKING_SKIP,
            "Skip bytes from a stream, after blocking until at least one byte can be skipped.",
            Says("456789"),
        )
        .holds(b"0123456789"),
        ask(
            "blocking-skip-any-len",
            BLOCKING_SKIP,
            "Except for blocking behavior, identical to `skip`.",
            Says("10, closed"),
        )
        .holds(b"0123456789"),
        ask(
            "blocking-skip-waits",
            BLOCKING_SKIP,
            "Except for blocking behavior, identical to `skip`.",
            Says("some, 10 in all"),
        )
        .later(Later::Bytes(b"late bytes")),
        ask(
            "subscribe-input",
            SUBSCRIBE,
            "A `pollable` which will resolve once the specified stream has bytes available to read.",
            Says("late bytes"),
        )
        .later(Later::Bytes(b"late bytes")),
        ask(
            "subscribe-input-at-the-end",
            SUBSCRIBE,
            "Or the other end of the stream has been closed.",
            Says("[true, true, true]"),
        ),
        ask(
            "error-debug-string",
            "io/error.error.to-debug-string",
            "Returns a string that is suitable to assist humans in debugging this error.",
            Says("yes"),
        )
        .later(Later::StdinBreaks),
    ]
}

const fn every_byte() -> [u8; 256] {
    let mut bytes = [0; 256];
    let mut next = 0;
    while next < 256 {
        bytes[next] = next as u8;
        next += 1;
    }
    bytes
}

pub(super) fn output() -> Vec<Row> {
    const CHECK: &str = "io/streams.output-stream.check-write";
    const WRITE: &str = "io/streams.output-stream.write";
    const FLUSH: &str = "io/streams.output-stream.flush";
    const BLOCKING: &str = "io/streams.output-stream.blocking-write-and-flush";
    const BLOCKING_FLUSH: &str = "io/streams.output-stream.blocking-flush";
    const ZEROES: &str = "io/streams.output-stream.write-zeroes";
    const BLOCKING_ZEROES: &str = "io/streams.output-stream.blocking-write-zeroes-and-flush";
    const ERROR: &str = "io/streams.stream-error";
    const PRECONDITION: &str = "Precondition: check-write gave permit of Ok(n) and contents has a length of less than or \
                                equal to n. Otherwise, this function will trap.";
    const SAME: &str = "To be used precisely like `write` with the exact same preconditions.";
    vec![
        ask("check-write", CHECK, "Returns the number of bytes permitted for the next call to `write`.", Says("yes")),
        ask(
            "check-write-then-ready",
            CHECK,
            "When this function returns 0 bytes, the `subscribe` pollable will become ready when this function will \
             report at least 1 byte.",
            Says("yes"),
        ),
        ask(
            "write-within-the-permit",
            WRITE,
            "Perform a write. This function never blocks.",
            writes("()", "within the permit"),
        ),
        ask(
            "write-over-the-permit",
            CHECK,
            "Calling `write` with more bytes than this function has permitted will trap.",
            Traps(TrapClass::WriteOverBudget),
        ),
        ask("write-without-a-permit", WRITE, PRECONDITION, Traps(TrapClass::WriteOverBudget)),
        ask("write-of-nothing", WRITE, PRECONDITION, writes("()", "")),
        ask(
            "write-late",
            CHECK,
            "The number of bytes permitted for the next call to `write` (a second later, and all of them).",
            Says("()"),
        ),
        ask("write-verbatim", WRITE, "The bytes from `contents` are written verbatim.", writes("()", every_byte())),
        ask(
            "write-after-the-end",
            ERROR,
            "A closed output-stream will return this error (`closed`) on all future operations.",
            Says("closed"),
        )
        .later(Later::StdoutCloses(b"!")),
        ask(
            "write-after-the-end-with-a-permit",
            WRITE,
            "Returns Err(closed) without writing if the stream has closed since the last call to check-write provided \
             a permit.",
            Says("closed"),
        )
        .later(Later::StdoutCloses(b"!")),
        ask(
            "write-after-a-failure",
            ERROR,
            "After `last-operation-failed` the stream will be closed. All future operations return `closed`.",
            Says("failed, then closed"),
        )
        .later(Later::StdoutBreaks(b"!")),
        ask(
            "subscribe-output-after-the-end",
            "io/streams.output-stream.subscribe",
            "If the stream is closed, this pollable is always ready immediately.",
            Says("[true, true, true]"),
        )
        .later(Later::StdoutCloses(b"!")),
        ask(
            "permits-of-two-handles",
            CHECK,
            "The number of bytes permitted for the next call to `write` (of two handles of one stream, each).",
            Says("()"),
        ),
        ask(
            "permit-beside-a-flush",
            FLUSH,
            "The `output-stream` will not accept any writes until the flush has completed (another handle may).",
            Says("()"),
        ),
        ask(
            "handles-in-turns",
            "cli/stdout.get-stdout",
            "get-stdout: func() -> output-stream (two handles of one stream).",
            writes("()", "abcdefghijklmnopqrstuvwxyz"),
        ),
        ask("flush-of-nothing", FLUSH, "Request to flush buffered output. This function never blocks.", Says("yes")),
        ask(
            "flush-then-write",
            FLUSH,
            "The `subscribe` pollable will become ready when the flush has completed and the stream can accept more \
             writes.",
            writes("yes", "one two six "),
        ),
        ask(
            "flush-is-done",
            FLUSH,
            "`check-write` will return `ok(0)` until the flush has completed.",
            Says("done"),
        ),
        ask(
            "blocking-flush",
            BLOCKING_FLUSH,
            "Block until flush completes and stream is ready for writing again.",
            writes("()", "flushed"),
        ),
        ask(
            "blocking-write-4096",
            BLOCKING,
            "Perform a write of up to 4096 bytes, and then flush the stream.",
            writes("()", [b'x'; 4096]),
        ),
        ask(
            "blocking-write-4097",
            BLOCKING,
            "Perform a write of up to 4096 bytes.",
            Traps(TrapClass::WriteTooLong),
        ),
        ask(
            "blocking-write-of-nothing",
            BLOCKING,
            "Returns success when all of the contents written are successfully flushed to output.",
            writes("()", ""),
        ),
        ask(
            "blocking-write-again",
            BLOCKING,
            "Block until all of these operations are complete.",
            writes("()", "again again again again again "),
        ),
        ask("write-zeroes", ZEROES, "You simply pass the number of zero-bytes that should be written.", writes("()", [0; 100])),
        ask("write-zeroes-of-0", ZEROES, SAME, writes("()", "")),
        ask("write-zeroes-late", ZEROES, SAME, Says("()")),
        ask("write-zeroes-over-the-permit", ZEROES, SAME, Traps(TrapClass::WriteOverBudget)),
        ask("write-zeroes-without-a-permit", ZEROES, SAME, Traps(TrapClass::WriteOverBudget)),
        ask(
            "blocking-write-zeroes-4096",
            BLOCKING_ZEROES,
            "Perform a write of up to 4096 zeroes, and then flush the stream.",
            writes("()", [0; 4096]),
        ),
        ask(
            "blocking-write-zeroes-4097",
            BLOCKING_ZEROES,
            "Functionality is equivalent to `blocking-write-and-flush`.",
            Traps(TrapClass::WriteTooLong),
        ),
    ]
}

pub(super) fn splice() -> Vec<Row> {
    const SPLICE: &str = "io/streams.output-stream.splice";
    const BLOCKING: &str = "io/streams.output-stream.blocking-splice";
    const ANY_ERROR: &str = "Any error reported by the call to `check-write`, `read`, or `write` ends the splice and reports that error.";
    const STEPS: &str = "Equivalent to `check-write`, `read` with the smaller of the permitted length and `len`, then `write`.";
    const WAITS: &str =
        "Blocks until the `output-stream` is ready for writing, and the `input-stream` is ready for reading.";
    vec![
        ask(
            "splice",
            SPLICE,
            "Read from one stream and write to another.",
            writes("10, closed, ()", "0123456789"),
        )
        .holds(b"0123456789"),
        ask(
            "splice-at-most-len",
            SPLICE,
            "Returns the number of bytes transferred; it may be less than `len`.",
            writes("10, closed, ()", "0123456789"),
        )
        .holds(b"0123456789"),
        ask(
            "splice-any-len",
            SPLICE,
            "Returns the number of bytes transferred; it may be less than `len`.",
            writes("10, closed, ()", "0123456789"),
        )
        .holds(b"0123456789"),
        ask("splice-of-0", SPLICE, STEPS, Says("0, 10 left")).holds(b"0123456789"),
        ask("splice-of-0-at-the-end", SPLICE, STEPS, Says("closed")),
        ask("splice-nothing-yet", SPLICE, STEPS, Says("0")).open(),
        ask("splice-at-the-end", SPLICE, ANY_ERROR, Says("closed")).holds(b"bytes"),
        ask("splice-to-a-full-stream", SPLICE, STEPS, Says("10 in all")).holds(b"0123456789"),
        ask("splice-to-a-closed-stream", SPLICE, ANY_ERROR, Says("closed, 5 left"))
            .later(Later::StdoutCloses(b"!bytes")),
        ask("splice-the-end-to-a-closed-stream", SPLICE, ANY_ERROR, Says("closed, 0 left"))
            .later(Later::StdoutCloses(b"!")),
        ask("splice-from-a-broken-stream", SPLICE, ANY_ERROR, Says("failed, then closed"))
            .later(Later::StdinBreaks),
        ask("splice-to-a-broken-stream", SPLICE, ANY_ERROR, Says("failed, then closed, 5 left"))
            .later(Later::StdoutBreaks(b"!bytes")),
        ask("blocking-splice", BLOCKING, WAITS, writes("10, closed, ()", "0123456789")).holds(b"0123456789"),
        ask("blocking-splice-any-len", BLOCKING, WAITS, writes("10, closed, ()", "0123456789"))
            .holds(b"0123456789"),
        ask("blocking-splice-waits", BLOCKING, WAITS, Says("some, 10 in all"))
            .later(Later::Bytes(b"late bytes")),
        ask("blocking-splice-the-end-comes", BLOCKING, WAITS, Says("closed")).later(Later::Bytes(b"")),
        ask("blocking-splice-at-the-end", BLOCKING, "This is similar to `splice`.", Says("closed"))
            .holds(b"bytes"),
        ask("blocking-splice-to-a-full-stream", BLOCKING, WAITS, Says("10 in all")).holds(b"0123456789"),
        ask(
            "blocking-splice-to-a-closed-stream",
            BLOCKING,
            "This is similar to `splice`.",
            Says("closed, 5 left"),
        )
        .later(Later::StdoutCloses(b"!bytes")),
    ]
}

pub(super) fn clocks() -> Vec<Row> {
    const NOW: &str = "clocks/monotonic-clock.now";
    const RESOLUTION: &str = "clocks/monotonic-clock.resolution";
    const DURATION: &str = "clocks/monotonic-clock.subscribe-duration";
    const INSTANT: &str = "clocks/monotonic-clock.subscribe-instant";
    const ELAPSED: &str = "A `pollable` that will resolve after the specified duration has elapsed from the time this function is invoked.";
    const OCCURRED: &str = "A `pollable` which will resolve once the specified instant has occurred.";
    const WALL: &str = "clocks/wall-clock.now";
    vec![
        ask(
            "monotonic-never-goes-back",
            NOW,
            "Calling this function repeatedly will produce a sequence of non-decreasing values.",
            Says("yes"),
        ),
        ask("monotonic-moves-by-a-sleep", NOW, "Let users measure elapsed time.", Says("yes")),
        ask(
            "monotonic-resolution",
            RESOLUTION,
            "Returns the duration of time corresponding to a clock tick.",
            Says("yes"),
        ),
        ask("duration-of-0", DURATION, ELAPSED, Says("true")),
        ask("duration-not-yet", DURATION, ELAPSED, Says("false")),
        ask("duration-elapsed", DURATION, ELAPSED, Says("yes")),
        ask("duration-of-everything", DURATION, ELAPSED, Says("[1]")),
        ask("duration-in-order", DURATION, ELAPSED, Says("yes")),
        ask("instant-that-passed", INSTANT, OCCURRED, Says("[true, true, true]")),
        ask("instant-of-now", INSTANT, OCCURRED, Says("true")),
        ask("instant-to-come", INSTANT, OCCURRED, Says("false, then true")),
        ask("instant-at-the-end-of-time", INSTANT, OCCURRED, Says("[1]")),
        ask(
            "wall-nanoseconds",
            WALL,
            "The nanoseconds field of the output is always less than 1000000000.",
            Says("yes"),
        ),
        ask(
            "wall-resolution",
            "clocks/wall-clock.resolution",
            "The nanoseconds field of the output is always less than 1000000000.",
            Says("yes"),
        ),
        ask(
            "wall-counts-from-1970",
            WALL,
            "The returned timestamps represent the number of seconds since 1970-01-01T00:00:00Z.",
            Says("yes"),
        ),
        ask("wall-moves-by-a-sleep", WALL, "Read the current value of the clock.", Says("yes")),
    ]
}

pub(super) fn random() -> Vec<Row> {
    const BYTES: &str = "random/random.get-random-bytes";
    const U64: &str = "random/random.get-random-u64";
    const INSECURE: &str = "random/insecure.get-insecure-random-bytes";
    const INSECURE_U64: &str = "random/insecure.get-insecure-random-u64";
    const SEED: &str = "random/insecure-seed.insecure-seed";
    const ONCE: &str =
        "Will likely be changed to a value import, to prevent it from being called multiple times.";
    vec![
        ask(
            "random-length",
            BYTES,
            "Return `len` cryptographically-secure random or pseudo-random bytes.",
            Says("yes"),
        ),
        ask("random-fresh", BYTES, "This function must always return fresh data.", Says("100 of 100")),
        ask("random-u64", U64, "Returns the same type of data as `get-random-bytes`.", Says("yes")),
        ask(
            "random-follows-the-seed",
            BYTES,
            "Deterministic environments must omit this function (Wavetank does not).",
            FollowsSeed,
        ),
        ask("insecure-length", INSECURE, "Return `len` insecure pseudo-random bytes.", Says("yes")),
        ask("insecure-evenly-spread", INSECURE, "Evenly distributed values with a long period.", Says("yes")),
        ask("insecure-u64", INSECURE_U64, "Return an insecure pseudo-random `u64` value.", Says("yes")),
        ask(
            "insecure-follows-the-seed",
            INSECURE,
            "There are no requirements on the values of the returned bytes.",
            FollowsSeed,
        ),
        ask("insecure-seed", SEED, "A 128-bit value that may contain a pseudo-random value.", Says("yes")),
        ask("insecure-seed-twice", SEED, ONCE, Says("yes")),
        ask("insecure-seed-beside-random", SEED, ONCE, Says("yes")),
        ask("insecure-seed-follows-the-seed", SEED, "May even be entirely deterministic.", FollowsSeed),
    ]
}

pub(super) fn cli() -> Vec<Row> {
    const EXIT: &str = "cli/exit.exit";
    const CODE: &str = "cli/exit.exit-with-code";
    const SAME: &str = "Should return the same values each time it is called.";
    const NO_RETURN: &str = "Exit the current instance and any linked instances.";
    const LOST: &str = "Dropping an `output-stream` while there's still an active write may lose the data (here it never \
                        does).";
    let letters: Vec<u8> = (b'a'..=b'z').cycle().take(5000).collect();
    vec![
        ask(
            "arguments",
            "cli/environment.get-arguments",
            "Get the POSIX-style arguments to the program.",
            Says(r#"yes, ["conformance", "arguments", "", "two words", "ünïcode"]"#),
        ),
        ask(
            "environment",
            "cli/environment.get-environment",
            SAME,
            Says(r#"yes, [("GREETING", "hello"), ("EMPTY", "")]"#),
        ),
        ask(
            "initial-cwd",
            "cli/environment.initial-cwd",
            "Return a path that programs should use as their initial current working directory (option).",
            Says("None"),
        ),
        ask(
            "terminals",
            "cli/terminal-stdin.get-terminal-stdin",
            "If stdin is connected to a terminal, return a `terminal-input` handle (likewise stdout and stderr).",
            Says("[false, false, false]"),
        ),
        ask("stdin-again", "cli/stdin.get-stdin", "get-stdin: func() -> input-stream.", Says("0123456789"))
            .holds(b"0123456789"),
        ask(
            "stdout-again",
            "cli/stdout.get-stdout",
            "get-stdout: func() -> output-stream.",
            writes("written", "one two six "),
        ),
        ask("stderr-again", "cli/stderr.get-stderr", "get-stderr: func() -> output-stream.", Says("there")),
        ask(
            "stderr-takes-bytes",
            "cli/stderr.get-stderr",
            "get-stderr: func() -> output-stream.",
            Says("by permit, ()"),
        ),
        ask("exit-ok", EXIT, NO_RETURN, Exits(0)),
        ask("exit-err", EXIT, NO_RETURN, Exits(1)),
        ask("exit-with-code-0", CODE, "0 usually meaning \"success\".", Exits(0)),
        ask("exit-with-code-7", CODE, "Reporting the specified status code to the host.", Exits(7)),
        ask("exit-with-code-255", CODE, "This function does not return.", Exits(255)),
        ask("run-ok", "cli/run.run", "run: func() -> result.", Says("returned")),
        ask("run-err", "cli/run.run", "run: func() -> result.", Exits(1)),
        ask(
            "exit-after-a-flush",
            "io/streams.output-stream.blocking-flush",
            "Request to flush buffered output, and block until flush completes.",
            writes("", &*letters),
        ),
        ask("exit-without-a-flush", EXIT, LOST, writes("", &*letters)),
        ask("exit-during-a-flush", EXIT, LOST, writes("", &*letters)),
        ask("return-without-a-flush", "cli/run.run", LOST, writes("returned", &*letters)),
        ask("drop-without-a-flush", "io/streams.output-stream", LOST, writes("dropped", &*letters)),
        ask(
            "exit-with-a-live-timer",
            EXIT,
            "The effect is analogous to a trap, without the connotation that something \
             bad has happened.",
            Exits(0),
        ),
        ask(
            "exit-with-live-streams",
            EXIT,
            "The effect is analogous to a trap, without the connotation that something \
             bad has happened.",
            Exits(0),
        ),
    ]
}
