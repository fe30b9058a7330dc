//! Questions about `wasi:io/streams.input-stream`, asked of stdin.

use wasip2::{
    cli::stdin::get_stdin,
    io::streams::{InputStream, StreamError},
};

use crate::{Question, all_say, said, yes_or};

pub const QUESTIONS: &[Question] = &[
    ("read-nothing-yet", nothing_yet),
    ("read-of-0", read_of_0),
    ("read-of-0-at-the-end", read_of_0_at_the_end),
    ("read-at-most-len", at_most_len),
    ("read-verbatim", verbatim),
    ("read-any-len", any_len),
    ("read-at-the-end", at_the_end),
    ("read-after-a-failure", after_a_failure),
    ("read-in-turns", in_turns),
    ("blocking-read", blocking_read),
    ("blocking-read-of-0", blocking_read_of_0),
    ("blocking-read-at-the-end", blocking_read_at_the_end),
    ("blocking-read-the-end-comes", blocking_read_the_end_comes),
    ("skip", skip),
    ("skip-of-0", skip_of_0),
    ("skip-nothing-yet", skip_nothing_yet),
    ("blocking-skip", blocking_skip),
    ("blocking-skip-any-len", blocking_skip_any_len),
    ("blocking-skip-waits", blocking_skip_waits),
    ("subscribe-input", subscribe),
    ("subscribe-input-at-the-end", subscribe_at_the_end),
    ("error-debug-string", debug_string),
];

/// Waits for bytes or the end, and reads. Returns no bytes at the end. Panics on an error.
fn read_some(stdin: &InputStream, len: u64) -> Vec<u8> {
    loop {
        stdin.subscribe().block();
        match stdin.read(len) {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => return bytes,
            Err(StreamError::Closed) => return Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Reads the rest of stdin.
pub fn rest(stdin: &InputStream) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let bytes = read_some(stdin, 4096);
        if bytes.is_empty() {
            return all;
        }
        all.extend(bytes);
    }
}

/// Waits for a byte, by which the far end signals that it has done its part.
pub fn signal() {
    let byte = get_stdin().blocking_read(1).expect("stdin is open");
    assert_eq!(byte, b"!");
}

/// Waits until stdin breaks, and returns the result of the read that notices it.
fn broken(stdin: &InputStream) -> Result<Vec<u8>, StreamError> {
    loop {
        stdin.subscribe().block();
        match stdin.read(1) {
            // A spurious wake-up.
            Ok(bytes) if bytes.is_empty() => {}
            other => return other,
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("stdin holds text")
}

fn nothing_yet() -> String {
    said(get_stdin().read(10))
}

fn read_of_0() -> String {
    said(get_stdin().read(0))
}

fn read_of_0_at_the_end() -> String {
    let stdin = get_stdin();
    rest(&stdin);
    said(stdin.read(0))
}

fn at_most_len() -> String {
    let stdin = get_stdin();
    let mut all = Vec::new();
    loop {
        let bytes = read_some(&stdin, 3);
        if bytes.is_empty() {
            return text(all);
        }
        assert!(bytes.len() <= 3, "{} bytes", bytes.len());
        all.extend(bytes);
    }
}

/// Stdin holds every byte value once, in order.
fn verbatim() -> String {
    let all = rest(&get_stdin());
    yes_or(all == (0..=u8::MAX).collect::<Vec<_>>(), || format!("{all:?}"))
}

fn any_len() -> String {
    let stdin = get_stdin();
    let mut all = Vec::new();
    loop {
        let bytes = read_some(&stdin, u64::MAX);
        if bytes.is_empty() {
            return text(all);
        }
        all.extend(bytes);
    }
}

/// Tries each way of reading, three times in a row.
fn at_the_end() -> String {
    let stdin = get_stdin();
    rest(&stdin);
    all_say(&every_way(&stdin))
}

fn every_way(stdin: &InputStream) -> Vec<String> {
    let mut words = Vec::new();
    for _ in 0..3 {
        words.push(said(stdin.read(1)));
        words.push(said(stdin.blocking_read(1)));
        words.push(said(stdin.skip(1)));
        words.push(said(stdin.blocking_skip(1)));
    }
    words
}

/// Stdin breaks while the guest waits.
fn after_a_failure() -> String {
    let stdin = get_stdin();
    format!("{}, then {}", said(broken(&stdin)), all_say(&every_way(&stdin)))
}

/// Two handles take turns and share the bytes.
fn in_turns() -> String {
    let handles = [get_stdin(), get_stdin()];
    let mut all = Vec::new();
    for turn in 0.. {
        let bytes = read_some(&handles[turn % 2], 1);
        if bytes.is_empty() {
            break;
        }
        all.extend(bytes);
    }
    text(all)
}

/// Bytes come while the guest waits.
fn blocking_read() -> String {
    let stdin = get_stdin();
    let mut all = Vec::new();
    loop {
        match stdin.blocking_read(10) {
            Ok(bytes) if bytes.is_empty() => return "nothing".into(),
            Ok(bytes) => all.extend(bytes),
            Err(StreamError::Closed) => return text(all),
            Err(error) => return error.to_string(),
        }
    }
}

fn blocking_read_of_0() -> String {
    said(get_stdin().blocking_read(0))
}

fn blocking_read_at_the_end() -> String {
    said(get_stdin().blocking_read(1))
}

fn blocking_read_the_end_comes() -> String {
    blocking_read_at_the_end()
}

/// Skips four bytes, in as many calls as needed, and reads the rest.
fn skip() -> String {
    let stdin = get_stdin();
    let mut left = 4;
    while left > 0 {
        stdin.subscribe().block();
        let skipped = stdin.skip(left).expect("stdin is open");
        assert!(skipped <= left, "skipped {skipped} of {left}");
        left -= skipped;
    }
    text(rest(&stdin))
}

fn skip_of_0() -> String {
    let stdin = get_stdin();
    format!("{}, then {}", said(stdin.skip(0)), text(rest(&stdin)))
}

fn skip_nothing_yet() -> String {
    said(get_stdin().skip(10))
}

fn blocking_skip() -> String {
    let stdin = get_stdin();
    let mut left = 4;
    while left > 0 {
        let skipped = stdin.blocking_skip(left).expect("stdin is open");
        assert!((1..=left).contains(&skipped), "skipped {skipped} of {left}");
        left -= skipped;
    }
    text(rest(&stdin))
}

fn blocking_skip_any_len() -> String {
    let stdin = get_stdin();
    let mut skipped = 0;
    loop {
        match stdin.blocking_skip(u64::MAX) {
            Ok(bytes) => skipped += bytes,
            end => return format!("{skipped}, {}", said(end)),
        }
    }
}

/// Bytes come while the guest waits.
fn blocking_skip_waits() -> String {
    let stdin = get_stdin();
    let skipped = stdin.blocking_skip(100).expect("stdin is open");
    let left = rest(&stdin).len() as u64;
    format!("{}, {} in all", if skipped > 0 { "some" } else { "none" }, skipped + left)
}

/// Bytes come while the guest waits.
fn subscribe() -> String {
    text(rest(&get_stdin()))
}

fn subscribe_at_the_end() -> String {
    let stdin = get_stdin();
    rest(&stdin);
    let pollable = stdin.subscribe();
    let mut words = Vec::new();
    for _ in 0..3 {
        words.push(pollable.ready());
        pollable.block();
    }
    format!("{words:?}")
}

/// Stdin breaks while the guest waits.
fn debug_string() -> String {
    match broken(&get_stdin()) {
        Err(StreamError::LastOperationFailed(error)) => {
            let (words, again) = (error.to_debug_string(), error.to_debug_string());
            yes_or(!words.is_empty() && words == again, || format!("{words:?}, {again:?}"))
        }
        other => said(other),
    }
}
