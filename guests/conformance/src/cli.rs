//! Questions about `wasi:cli`.

use std::mem::forget;

use wasip2::{
    cli::{
        environment::{get_arguments, get_environment, initial_cwd},
        exit::exit,
        stderr::get_stderr,
        stdin::get_stdin,
        stdout::get_stdout,
        terminal_stderr::get_terminal_stderr,
        terminal_stdin::get_terminal_stdin,
        terminal_stdout::get_terminal_stdout,
    },
    clocks::monotonic_clock::subscribe_duration,
};

use crate::{
    Question,
    exit::exit_with_code,
    input::rest,
    output::{permit, write_all},
    said, yes_or,
};

pub const QUESTIONS: &[Question] = &[
    ("arguments", arguments),
    ("environment", environment),
    ("initial-cwd", cwd),
    ("terminals", terminals),
    ("stdin-again", stdin_again),
    ("stdout-again", stdout_again),
    ("stderr-again", stderr_again),
    ("stderr-takes-bytes", stderr_takes_bytes),
    ("exit-ok", exit_ok),
    ("exit-err", exit_err),
    ("exit-with-code-0", exit_with_0),
    ("exit-with-code-7", exit_with_7),
    ("exit-with-code-255", exit_with_255),
    ("run-ok", run_ok),
    ("exit-after-a-flush", exit_after_a_flush),
    ("exit-without-a-flush", exit_without_a_flush),
    ("exit-during-a-flush", exit_during_a_flush),
    ("return-without-a-flush", return_without_a_flush),
    ("drop-without-a-flush", drop_without_a_flush),
    ("exit-with-a-live-timer", exit_with_a_live_timer),
    ("exit-with-live-streams", exit_with_live_streams),
];

/// The host gives the same answer both times.
fn arguments() -> String {
    let arguments = get_arguments();
    yes_or(arguments == get_arguments(), || "two answers".into()) + &format!(", {arguments:?}")
}

fn environment() -> String {
    let environment = get_environment();
    yes_or(environment == get_environment(), || "two answers".into()) + &format!(", {environment:?}")
}

fn cwd() -> String {
    format!("{:?}", initial_cwd())
}

fn terminals() -> String {
    let terminals =
        [get_terminal_stdin().is_some(), get_terminal_stdout().is_some(), get_terminal_stderr().is_some()];
    format!("{terminals:?}")
}

/// Dropping a handle closes nothing: the next handle reads on.
fn stdin_again() -> String {
    let first = get_stdin();
    first.subscribe().block();
    let mut all = first.read(2).expect("stdin is open");
    drop(first);
    all.extend(rest(&get_stdin()));
    String::from_utf8(all).expect("text")
}

fn stdout_again() -> String {
    for piece in [b"one ", b"two ", b"six "] {
        let stdout = get_stdout();
        write_all(&stdout, piece);
        if let Err(error) = stdout.blocking_flush() {
            return error.to_string();
        }
    }
    "written".into()
}

fn stderr_again() -> String {
    for _ in 0..3 {
        drop(get_stderr());
    }
    "there".into()
}

fn stderr_takes_bytes() -> String {
    let stderr = get_stderr();
    write_all(&stderr, b"by permit, ");
    let said = said(stderr.blocking_flush());
    drop(stderr);
    said
}

fn exit_ok() -> String {
    exit(Ok(()));
    "came back".into()
}

fn exit_err() -> String {
    exit(Err(()));
    "came back".into()
}

fn exit_with_0() -> String {
    exit_with_code(0);
    "came back".into()
}

fn exit_with_7() -> String {
    exit_with_code(7);
    "came back".into()
}

fn exit_with_255() -> String {
    exit_with_code(255);
    "came back".into()
}

fn run_ok() -> String {
    "returned".into()
}

/// Letters, more of them than a small pipe takes at once.
fn letters() -> Vec<u8> {
    (b'a'..=b'z').cycle().take(5000).collect()
}

fn exit_after_a_flush() -> String {
    let stdout = get_stdout();
    write_all(&stdout, &letters());
    stdout.blocking_flush().expect("stdout is open");
    drop(stdout);
    exit(Ok(()));
    "came back".into()
}

fn exit_without_a_flush() -> String {
    let stdout = get_stdout();
    write_all(&stdout, &letters());
    drop(stdout);
    exit(Ok(()));
    "came back".into()
}

fn exit_during_a_flush() -> String {
    let stdout = get_stdout();
    write_all(&stdout, &letters());
    stdout.flush().expect("stdout is open");
    drop(stdout);
    exit(Ok(()));
    "came back".into()
}

/// The handle lives until the store is dropped.
fn return_without_a_flush() -> String {
    let stdout = get_stdout();
    write_all(&stdout, &letters());
    forget(stdout);
    "returned".into()
}

fn drop_without_a_flush() -> String {
    let stdout = get_stdout();
    write_all(&stdout, &letters());
    drop(stdout);
    "dropped".into()
}

fn exit_with_a_live_timer() -> String {
    let _timer = subscribe_duration(u64::MAX);
    exit(Ok(()));
    "came back".into()
}

fn exit_with_live_streams() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    let _pollables = (stdin.subscribe(), stdout.subscribe());
    permit(&stdout);
    exit(Ok(()));
    "came back".into()
}
