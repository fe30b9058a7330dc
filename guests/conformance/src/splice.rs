//! Questions about `splice` and `blocking-splice` of `wasi:io/streams.output-stream`, asked of stdin and stdout.

use wasip2::{
    cli::{
        stdin::get_stdin,
        stdout::{OutputStream, get_stdout},
    },
    io::streams::{InputStream, StreamError},
};

use crate::{
    Question, all_say,
    input::{rest, signal},
    output::{fill, permit},
    said,
};

pub const QUESTIONS: &[Question] = &[
    ("splice", splice),
    ("splice-at-most-len", at_most_len),
    ("splice-any-len", any_len),
    ("splice-of-0", of_0),
    ("splice-of-0-at-the-end", of_0_at_the_end),
    ("splice-nothing-yet", nothing_yet),
    ("splice-at-the-end", at_the_end),
    ("splice-to-a-full-stream", to_a_full_stream),
    ("splice-to-a-closed-stream", to_a_closed_stream),
    ("splice-the-end-to-a-closed-stream", the_end_to_a_closed_stream),
    ("splice-from-a-broken-stream", from_a_broken_stream),
    ("splice-to-a-broken-stream", to_a_broken_stream),
    ("blocking-splice", blocking_splice),
    ("blocking-splice-any-len", blocking_any_len),
    ("blocking-splice-waits", blocking_waits),
    ("blocking-splice-the-end-comes", blocking_the_end_comes),
    ("blocking-splice-at-the-end", blocking_at_the_end),
    ("blocking-splice-to-a-full-stream", blocking_to_a_full_stream),
    ("blocking-splice-to-a-closed-stream", blocking_to_a_closed_stream),
];

/// Copies stdin to its end, and reports the number of bytes.
fn copy(step: impl Fn(&OutputStream, &InputStream) -> Result<u64, StreamError>) -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    let mut copied = 0;
    let end = loop {
        match step(&stdout, &stdin) {
            Ok(bytes) => copied += bytes,
            end => break said(end),
        }
    };
    format!("{copied}, {end}, {}", said(stdout.blocking_flush()))
}

fn splice() -> String {
    copy(|stdout, stdin| {
        stdin.subscribe().block();
        permit(stdout);
        stdout.splice(stdin, 1 << 20)
    })
}

fn at_most_len() -> String {
    copy(|stdout, stdin| {
        stdin.subscribe().block();
        permit(stdout);
        let bytes = stdout.splice(stdin, 3)?;
        assert!(bytes <= 3, "{bytes} bytes");
        Ok(bytes)
    })
}

fn any_len() -> String {
    copy(|stdout, stdin| {
        stdin.subscribe().block();
        permit(stdout);
        stdout.splice(stdin, u64::MAX)
    })
}

fn of_0() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    permit(&stdout);
    format!("{}, {} left", said(stdout.splice(&stdin, 0)), rest(&stdin).len())
}

/// This is equivalent to a read of 0 bytes, which fails at the end.
fn of_0_at_the_end() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    rest(&stdin);
    permit(&stdout);
    said(stdout.splice(&stdin, 0))
}

fn nothing_yet() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    permit(&stdout);
    said(stdout.splice(&stdin, 10))
}

fn at_the_end() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    rest(&stdin);
    permit(&stdout);
    let words: Vec<_> = (0..3).map(|_| said(stdout.splice(&stdin, 10))).collect();
    all_say(&words)
}

/// If stdout takes nothing, nothing is taken from stdin either. The host may make room in stdout at any time,
/// so the question counts each byte of stdin that was copied or is still there.
fn to_a_full_stream() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    stdin.subscribe().block();
    let mut copied = 0;
    for _ in 0..3 {
        fill(&stdout);
        copied += stdout.splice(&stdin, 2).expect("both are open");
    }
    format!("{} in all", copied + rest(&stdin).len() as u64)
}

/// The reader closes stdout while the guest waits.
fn to_a_closed_stream() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    signal();
    let words: Vec<_> = (0..3).map(|_| said(stdout.splice(&stdin, 2))).collect();
    format!("{}, {} left", all_say(&words), rest(&stdin).len())
}

/// The reader closes stdout while the guest waits.
fn the_end_to_a_closed_stream() -> String {
    to_a_closed_stream()
}

/// Stdin breaks while the guest waits.
fn from_a_broken_stream() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    let failed = loop {
        stdin.subscribe().block();
        permit(&stdout);
        match stdout.splice(&stdin, 2) {
            // A spurious wake-up.
            Ok(0) => {}
            other => break other,
        }
    };
    format!("{}, then {}", said(failed), said(stdin.read(1)))
}

/// Stdout breaks while the guest waits.
fn to_a_broken_stream() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    signal();
    let words = [said(stdout.splice(&stdin, 2)), said(stdout.check_write())];
    format!("{}, {} left", words.join(", then "), rest(&stdin).len())
}

fn blocking_splice() -> String {
    copy(|stdout, stdin| {
        let bytes = stdout.blocking_splice(stdin, 3)?;
        assert!((1..=3).contains(&bytes), "{bytes} bytes");
        Ok(bytes)
    })
}

fn blocking_any_len() -> String {
    copy(|stdout, stdin| stdout.blocking_splice(stdin, u64::MAX))
}

/// Bytes come while the guest waits.
fn blocking_waits() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    match stdout.blocking_splice(&stdin, 100) {
        Ok(0) => "none".into(),
        Ok(bytes) => format!("some, {} in all", bytes + rest(&stdin).len() as u64),
        end => said(end),
    }
}

/// Stdin ends while the guest waits.
fn blocking_the_end_comes() -> String {
    said(get_stdout().blocking_splice(&get_stdin(), 10))
}

fn blocking_at_the_end() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    rest(&stdin);
    let words: Vec<_> = (0..3).map(|_| said(stdout.blocking_splice(&stdin, 10))).collect();
    all_say(&words)
}

/// The splice waits for room, and then copies at least one byte.
fn blocking_to_a_full_stream() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    fill(&stdout);
    let copied = stdout.blocking_splice(&stdin, 2).expect("both are open");
    assert!((1..=2).contains(&copied), "copied {copied}");
    format!("{} in all", copied + rest(&stdin).len() as u64)
}

/// The reader closes stdout while the guest waits.
fn blocking_to_a_closed_stream() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    signal();
    let words: Vec<_> = (0..3).map(|_| said(stdout.blocking_splice(&stdin, 2))).collect();
    format!("{}, {} left", all_say(&words), rest(&stdin).len())
}
