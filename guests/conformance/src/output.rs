//! Questions about `wasi:io/streams.output-stream`, asked of stdout.

use wasip2::cli::stdout::{OutputStream, get_stdout};

use crate::{Question, all_say, clocks::wait, input::signal, said, yes_or};

pub const QUESTIONS: &[Question] = &[
    ("check-write", check_write),
    ("check-write-then-ready", then_ready),
    ("write-within-the-permit", within_the_permit),
    ("write-over-the-permit", over_the_permit),
    ("write-without-a-permit", without_a_permit),
    ("write-of-nothing", write_of_nothing),
    ("write-late", write_late),
    ("write-verbatim", write_verbatim),
    ("write-after-the-end", write_after_the_end),
    ("write-after-the-end-with-a-permit", write_with_an_old_permit),
    ("write-after-a-failure", write_after_a_failure),
    ("subscribe-output-after-the-end", subscribe_after_the_end),
    ("permits-of-two-handles", two_permits),
    ("permit-beside-a-flush", permit_beside_a_flush),
    ("handles-in-turns", handles_in_turns),
    ("flush-of-nothing", flush_of_nothing),
    ("flush-then-write", flush_then_write),
    ("flush-is-done", flush_is_done),
    ("blocking-flush", blocking_flush),
    ("blocking-write-4096", blocking_write_4096),
    ("blocking-write-4097", blocking_write_4097),
    ("blocking-write-of-nothing", blocking_write_of_nothing),
    ("blocking-write-again", blocking_write_again),
    ("write-zeroes", write_zeroes),
    ("write-zeroes-of-0", write_zeroes_of_0),
    ("write-zeroes-late", write_zeroes_late),
    ("write-zeroes-over-the-permit", write_zeroes_over_the_permit),
    ("write-zeroes-without-a-permit", write_zeroes_without_a_permit),
    ("blocking-write-zeroes-4096", blocking_write_zeroes_4096),
    ("blocking-write-zeroes-4097", blocking_write_zeroes_4097),
];

/// Waits until the stream takes bytes, and returns its permit.
pub fn permit(stdout: &OutputStream) -> u64 {
    loop {
        match stdout.check_write().expect("stdout is open") {
            0 => stdout.subscribe().block(),
            bytes => return bytes,
        }
    }
}

/// Writes until the stream takes no more for now, or until 1 MiB is written. Returns the number of bytes.
pub fn fill(stdout: &OutputStream) -> usize {
    let mut written = 0;
    while written < 1 << 20 {
        let bytes = stdout.check_write().expect("stdout is open") as usize;
        if bytes == 0 {
            break;
        }
        stdout.write(&vec![b'.'; bytes]).expect("within the permit");
        written += bytes;
    }
    written
}

/// Writes all of `bytes`, never more at once than permitted.
pub fn write_all(stdout: &OutputStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(bytes.len().min(permit(stdout) as usize));
        stdout.write(piece).expect("within the permit");
        bytes = rest;
    }
}

fn check_write() -> String {
    let bytes = permit(&get_stdout());
    yes_or(bytes > 0, || bytes.to_string())
}

/// After a permit of 0 the pollable becomes ready, and then there is a permit again.
fn then_ready() -> String {
    let stdout = get_stdout();
    for _ in 0..3 {
        fill(&stdout);
        // Blocks on the pollable as long as there is no permit.
        permit(&stdout);
    }
    "yes".into()
}

fn within_the_permit() -> String {
    let stdout = get_stdout();
    write_all(&stdout, b"within the permit");
    said(stdout.blocking_flush())
}

fn over_the_permit() -> String {
    let stdout = get_stdout();
    let bytes = permit(&stdout) as usize;
    said(stdout.write(&vec![b'.'; bytes + 1]))
}

fn without_a_permit() -> String {
    said(get_stdout().write(b"."))
}

fn write_of_nothing() -> String {
    let stdout = get_stdout();
    permit(&stdout);
    said(stdout.write(&[]))
}

/// A second passes between the permit and the write that uses all of it.
fn write_late() -> String {
    let stdout = get_stdout();
    let bytes = permit(&stdout) as usize;
    wait();
    said(stdout.write(&vec![b'.'; bytes]))
}

fn write_verbatim() -> String {
    let stdout = get_stdout();
    write_all(&stdout, &(0..=u8::MAX).collect::<Vec<_>>());
    said(stdout.blocking_flush())
}

/// Tries every operation, three times in a row.
fn every_way(stdout: &OutputStream) -> Vec<String> {
    let mut words = Vec::new();
    for _ in 0..3 {
        words.push(said(stdout.check_write()));
        words.push(said(stdout.write(b".")));
        words.push(said(stdout.write_zeroes(1)));
        words.push(said(stdout.flush()));
        words.push(said(stdout.blocking_flush()));
        words.push(said(stdout.blocking_write_and_flush(b".")));
        words.push(said(stdout.blocking_write_zeroes_and_flush(1)));
    }
    words
}

/// The reader closes stdout while the guest waits.
fn write_after_the_end() -> String {
    let stdout = get_stdout();
    signal();
    all_say(&every_way(&stdout))
}

/// The same, with a permit from before the close.
fn write_with_an_old_permit() -> String {
    let stdout = get_stdout();
    permit(&stdout);
    signal();
    said(stdout.write(b"."))
}

/// Stdout breaks while the guest waits.
fn write_after_a_failure() -> String {
    let stdout = get_stdout();
    signal();
    format!("{}, then {}", said(stdout.check_write()), all_say(&every_way(&stdout)))
}

/// The reader closes stdout while the guest waits.
fn subscribe_after_the_end() -> String {
    let stdout = get_stdout();
    signal();
    let pollable = stdout.subscribe();
    let mut words = Vec::new();
    for _ in 0..3 {
        words.push(pollable.ready());
        pollable.block();
    }
    format!("{words:?}")
}

/// Two handles each get a permit before either writes.
fn two_permits() -> String {
    let (first, second) = (get_stdout(), get_stdout());
    let first_permit = permit(&first) as usize;
    let second_permit = second.check_write().expect("stdout is open") as usize;
    all_say(&[said(first.write(&vec![b'1'; first_permit])), said(second.write(&vec![b'2'; second_permit]))])
}

/// A flush of one handle does not take back the permit of another.
fn permit_beside_a_flush() -> String {
    let (flushes, writes) = (get_stdout(), get_stdout());
    write_all(&flushes, b"a");
    let bytes = permit(&writes) as usize;
    flushes.flush().expect("stdout is open");
    said(writes.write(&vec![b'.'; bytes]))
}

/// Two handles take turns to write, each with its own permit.
fn handles_in_turns() -> String {
    let handles = [get_stdout(), get_stdout()];
    for (turn, letter) in (b'a'..=b'z').enumerate() {
        write_all(&handles[turn % 2], &[letter]);
    }
    said(handles[0].blocking_flush())
}

fn flush_of_nothing() -> String {
    let stdout = get_stdout();
    stdout.flush().expect("stdout is open");
    yes_or(permit(&stdout) > 0, String::new)
}

/// After a flush there is a permit again as soon as the flush is done.
fn flush_then_write() -> String {
    let stdout = get_stdout();
    for piece in [b"one ", b"two ", b"six "] {
        write_all(&stdout, piece);
        stdout.flush().expect("stdout is open");
    }
    yes_or(permit(&stdout) > 0, String::new)
}

/// If `check-write` gives 0 after a flush, the pollable becomes ready when the flush is done.
fn flush_is_done() -> String {
    let stdout = get_stdout();
    fill(&stdout);
    stdout.flush().expect("stdout is open");
    let pollable = stdout.subscribe();
    while stdout.check_write().expect("stdout is open") == 0 {
        pollable.block();
    }
    "done".into()
}

fn blocking_flush() -> String {
    let stdout = get_stdout();
    let mut words = vec![said(stdout.blocking_flush())];
    write_all(&stdout, b"flushed");
    words.push(said(stdout.blocking_flush()));
    words.push(said(stdout.blocking_flush()));
    all_say(&words)
}

fn blocking_write_4096() -> String {
    said(get_stdout().blocking_write_and_flush(&[b'x'; 4096]))
}

fn blocking_write_4097() -> String {
    said(get_stdout().blocking_write_and_flush(&[b'x'; 4097]))
}

fn blocking_write_of_nothing() -> String {
    said(get_stdout().blocking_write_and_flush(&[]))
}

fn blocking_write_again() -> String {
    let stdout = get_stdout();
    let words: Vec<_> = (0..5).map(|_| said(stdout.blocking_write_and_flush(b"again "))).collect();
    all_say(&words)
}

fn write_zeroes() -> String {
    let stdout = get_stdout();
    let mut left = 100;
    while left > 0 {
        let bytes = permit(&stdout).min(left);
        stdout.write_zeroes(bytes).expect("within the permit");
        left -= bytes;
    }
    said(stdout.blocking_flush())
}

fn write_zeroes_of_0() -> String {
    let stdout = get_stdout();
    permit(&stdout);
    all_say(&[said(stdout.write_zeroes(0)), said(stdout.blocking_write_zeroes_and_flush(0))])
}

fn write_zeroes_late() -> String {
    let stdout = get_stdout();
    let bytes = permit(&stdout);
    wait();
    said(stdout.write_zeroes(bytes))
}

fn write_zeroes_over_the_permit() -> String {
    let stdout = get_stdout();
    let bytes = permit(&stdout);
    said(stdout.write_zeroes(bytes + 1))
}

fn write_zeroes_without_a_permit() -> String {
    said(get_stdout().write_zeroes(1))
}

fn blocking_write_zeroes_4096() -> String {
    said(get_stdout().blocking_write_zeroes_and_flush(4096))
}

fn blocking_write_zeroes_4097() -> String {
    said(get_stdout().blocking_write_zeroes_and_flush(4097))
}
