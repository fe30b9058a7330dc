//! Questions about `wasi:io/poll`.

use wasip2::{
    cli::{stdin::get_stdin, stdout::get_stdout},
    clocks::monotonic_clock::{now, subscribe_duration},
    io::poll::{Pollable, poll},
};

use crate::{Question, clocks::MILLISECOND_NS, said, yes_or};

pub const QUESTIONS: &[Question] = &[
    ("poll-indexes", indexes),
    ("poll-empty-list", empty_list),
    ("poll-duplicates", duplicates),
    ("poll-timeout", timeout),
    ("poll-many", many),
    ("poll-error-is-ready", error_is_ready),
    ("poll-end-is-ready", end_is_ready),
    ("poll-two-handles", two_handles),
    ("poll-streams-and-timers", streams_and_timers),
    ("pollable-ready-of-nothing", ready_of_nothing),
    ("pollable-ready-again", ready_again),
    ("pollable-block-when-ready", block_when_ready),
    ("pollable-block-waits", block_waits),
    ("pollable-outlives-input", outlives_input),
    ("pollable-outlives-output", outlives_output),
    ("pollable-beside-a-dropped-one", beside_a_dropped_one),
    ("pollable-dropped-first", dropped_first),
    ("pollable-dropped-unfired", dropped_unfired),
];

/// A timer that never fires.
fn never() -> Pollable {
    subscribe_duration(u64::MAX)
}

/// Two of four pollables are ready. Checks that `poll` returns one or both of them and no other.
fn indexes() -> String {
    let stdin = get_stdin();
    let list = [stdin.subscribe(), subscribe_duration(0), never(), subscribe_duration(0)];
    let ready = poll(&list.each_ref());
    yes_or(!ready.is_empty() && ready.iter().all(|index| [1, 3].contains(index)), || format!("{ready:?}"))
}

fn empty_list() -> String {
    format!("{:?}", poll(&[]))
}

/// The list holds the same pollable three times, between two that are never ready.
fn duplicates() -> String {
    let (ready, never) = (subscribe_duration(0), never());
    let ready = poll(&[&never, &ready, &ready, &ready, &never]);
    yes_or(!ready.is_empty() && ready.iter().all(|index| (1..4).contains(index)), || format!("{ready:?}"))
}

/// Polls a stdin that stays silent, together with a timer of a millisecond.
fn timeout() -> String {
    let stdin = get_stdin();
    let start = now();
    loop {
        let list = [stdin.subscribe(), subscribe_duration(MILLISECOND_NS)];
        if poll(&list.each_ref()) == [1] {
            break;
        }
        // A spurious wake-up.
        assert_eq!(said(stdin.read(1)), "[]");
    }
    let elapsed_ns = now() - start;
    yes_or(elapsed_ns >= MILLISECOND_NS, || format!("after {elapsed_ns} ns"))
}

fn many() -> String {
    let hour_ns = 3_600_000 * MILLISECOND_NS;
    let mut list: Vec<Pollable> = (0..999).map(|_| subscribe_duration(hour_ns)).collect();
    list.push(subscribe_duration(MILLISECOND_NS));
    let start = now();
    let ready = poll(&list.iter().collect::<Vec<_>>());
    // If the host is late, it may name any of them.
    let is_late = now() - start >= hour_ns;
    yes_or(ready == [999] || is_late, || format!("{ready:?}"))
}

/// Stdin breaks while the guest waits.
fn error_is_ready() -> String {
    let stdin = get_stdin();
    let pollable = stdin.subscribe();
    loop {
        let ready = poll(&[&pollable]);
        match said(stdin.read(1)).as_str() {
            // A spurious wake-up.
            "[]" => {}
            error => return format!("{ready:?} {error}"),
        }
    }
}

/// Stdin ends while the guest waits.
fn end_is_ready() -> String {
    error_is_ready()
}

/// Stdin has bytes, so a pollable of either handle becomes ready.
fn two_handles() -> String {
    let handles = [get_stdin(), get_stdin()];
    let pollables = handles.each_ref().map(|stdin| stdin.subscribe());
    for pollable in &pollables {
        pollable.block();
    }
    let ready = poll(&pollables.each_ref());
    yes_or(!ready.is_empty(), || format!("{ready:?}"))
}

/// Polls a silent stdin, a timer that never fires and a stdout. Only the stdout can become ready.
fn streams_and_timers() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    let (silent, never, writable) = (stdin.subscribe(), never(), stdout.subscribe());
    loop {
        let ready = poll(&[&silent, &never, &writable]);
        if ready != [0] {
            return yes_or(ready.contains(&2) && !ready.contains(&1), || format!("{ready:?}"));
        }
        // A spurious wake-up.
        assert_eq!(said(stdin.read(1)), "[]");
    }
}

fn ready_of_nothing() -> String {
    let stdin = get_stdin();
    format!("{}, {}", stdin.subscribe().ready(), never().ready())
}

/// A ready pollable stays ready, however often the guest asks it or waits for it.
fn ready_again() -> String {
    let timer = subscribe_duration(MILLISECOND_NS);
    let mut words = Vec::new();
    for _ in 0..3 {
        timer.block();
        words.push(timer.ready());
        poll(&[&timer]);
    }
    format!("{words:?}")
}

fn block_when_ready() -> String {
    let timer = subscribe_duration(0);
    let start = now();
    timer.block();
    let elapsed_ns = now() - start;
    yes_or(elapsed_ns < MILLISECOND_NS, || format!("after {elapsed_ns} ns"))
}

fn block_waits() -> String {
    let start = now();
    subscribe_duration(5 * MILLISECOND_NS).block();
    let elapsed_ns = now() - start;
    yes_or(elapsed_ns >= 5 * MILLISECOND_NS, || format!("after {elapsed_ns} ns"))
}

fn outlives_input() -> String {
    let stdin = get_stdin();
    let pollable = stdin.subscribe();
    drop(stdin);
    format!("ready: {}", pollable.ready())
}

fn outlives_output() -> String {
    let stdout = get_stdout();
    let pollable = stdout.subscribe();
    drop(stdout);
    format!("ready: {}", pollable.ready())
}

/// If another pollable and another handle of the same stream are dropped, a pollable still works.
fn beside_a_dropped_one() -> String {
    let (stdin, other) = (get_stdin(), get_stdin());
    let pollable = stdin.subscribe();
    drop((stdin.subscribe(), other.subscribe()));
    drop(other);
    pollable.block();
    said(stdin.read(0))
}

fn dropped_first() -> String {
    let (stdin, stdout) = (get_stdin(), get_stdout());
    drop((stdin.subscribe(), stdout.subscribe()));
    drop((stdin, stdout));
    "dropped".into()
}

fn dropped_unfired() -> String {
    drop((never(), subscribe_duration(MILLISECOND_NS)));
    "dropped".into()
}
