//! Questions about `wasi:clocks`.

use wasip2::{
    clocks::{
        monotonic_clock::{self, now, subscribe_duration, subscribe_instant},
        wall_clock,
    },
    io::poll::poll,
};

use crate::{Question, yes_or};

pub const MILLISECOND_NS: u64 = 1_000_000;
const SECOND_NS: u64 = 1000 * MILLISECOND_NS;
const HOUR_NS: u64 = 3600 * SECOND_NS;

/// 2000-01-01T00:00:00Z, in seconds since 1970.
const YEAR_2000_SECONDS: u64 = 946_684_800;

pub const QUESTIONS: &[Question] = &[
    ("monotonic-never-goes-back", never_goes_back),
    ("monotonic-moves-by-a-sleep", moves_by_a_sleep),
    ("monotonic-resolution", monotonic_resolution),
    ("duration-of-0", duration_of_0),
    ("duration-not-yet", duration_not_yet),
    ("duration-elapsed", duration_elapsed),
    ("duration-of-everything", duration_of_everything),
    ("duration-in-order", duration_in_order),
    ("instant-that-passed", instant_that_passed),
    ("instant-of-now", instant_of_now),
    ("instant-to-come", instant_to_come),
    ("instant-at-the-end-of-time", instant_at_the_end_of_time),
    ("wall-nanoseconds", wall_nanoseconds),
    ("wall-resolution", wall_resolution),
    ("wall-counts-from-1970", wall_counts_from_1970),
    ("wall-moves-by-a-sleep", wall_moves_by_a_sleep),
];

/// Waits for a second in 100 naps, so that much can happen between them.
pub fn wait() {
    for _ in 0..100 {
        subscribe_duration(10 * MILLISECOND_NS).block();
    }
}

/// Reads the clock again and again, also before and after naps.
fn never_goes_back() -> String {
    let mut last = 0;
    for look in 0..500 {
        let time = now();
        if time < last {
            return format!("{time} after {last}");
        }
        last = time;
        if look % 100 == 0 {
            subscribe_duration(MILLISECOND_NS).block();
        }
    }
    "yes".into()
}

fn moves_by_a_sleep() -> String {
    let start = now();
    subscribe_duration(HOUR_NS).block();
    let elapsed_ns = now() - start;
    yes_or(elapsed_ns >= HOUR_NS, || format!("{elapsed_ns} ns"))
}

fn monotonic_resolution() -> String {
    yes_or(monotonic_clock::resolution() > 0, || "0 ns".into())
}

fn duration_of_0() -> String {
    subscribe_duration(0).ready().to_string()
}

fn duration_not_yet() -> String {
    subscribe_duration(HOUR_NS).ready().to_string()
}

/// The pollable of a duration becomes ready, and no earlier than when the duration has passed.
fn duration_elapsed() -> String {
    let start = now();
    let timer = subscribe_duration(SECOND_NS);
    while !timer.ready() {
        poll(&[&timer]);
    }
    let elapsed_ns = now() - start;
    yes_or(elapsed_ns >= SECOND_NS, || format!("{elapsed_ns} ns"))
}

/// The longest duration does not end within an hour, even if the clock does not start at 0.
fn duration_of_everything() -> String {
    subscribe_duration(SECOND_NS).block();
    let list = [subscribe_duration(u64::MAX), subscribe_duration(HOUR_NS)];
    let ready = poll(&list.each_ref());
    format!("{ready:?}")
}

/// The shorter of two durations ends first. If a host is late, it may report that only after the other one has
/// ended too, and then it may name either.
fn duration_in_order() -> String {
    let start = now();
    let list = [subscribe_duration(HOUR_NS), subscribe_duration(SECOND_NS)];
    let ready = poll(&list.each_ref());
    let is_late = now() - start >= HOUR_NS;
    yes_or(ready == [1] || is_late, || format!("{ready:?}"))
}

fn instant_that_passed() -> String {
    subscribe_duration(SECOND_NS).block();
    let ready = [0, 1, now() - 1].map(|when| subscribe_instant(when).ready());
    format!("{ready:?}")
}

fn instant_of_now() -> String {
    subscribe_instant(now()).ready().to_string()
}

fn instant_to_come() -> String {
    let when = now() + SECOND_NS;
    let timer = subscribe_instant(when);
    let early = timer.ready();
    timer.block();
    let late = now() >= when && timer.ready();
    format!("{early}, then {late}")
}

fn instant_at_the_end_of_time() -> String {
    let list = [subscribe_instant(u64::MAX), subscribe_duration(HOUR_NS)];
    let ready = poll(&list.each_ref());
    format!("{ready:?}")
}

fn wall_nanoseconds() -> String {
    for _ in 0..10 {
        let time = wall_clock::now();
        if time.nanoseconds >= 1_000_000_000 {
            return format!("{}", time.nanoseconds);
        }
        subscribe_duration(SECOND_NS - 1).block();
    }
    "yes".into()
}

fn wall_resolution() -> String {
    let tick = wall_clock::resolution();
    yes_or(tick.nanoseconds < 1_000_000_000 && (tick.seconds, tick.nanoseconds) > (0, 0), || {
        format!("{tick:?}")
    })
}

fn wall_counts_from_1970() -> String {
    let time = wall_clock::now();
    yes_or(time.seconds >= YEAR_2000_SECONDS, || format!("{time:?}"))
}

/// Reads both clocks before and after a sleep: they agree to a millisecond.
fn wall_moves_by_a_sleep() -> String {
    let (wall, monotonic) = (wall_ns(), now());
    subscribe_duration(HOUR_NS + 1).block();
    let (wall, monotonic) = (wall_ns() - wall, now() - monotonic);
    yes_or(wall.abs_diff(monotonic) < MILLISECOND_NS, || format!("{wall} ns and {monotonic} ns"))
}

fn wall_ns() -> u64 {
    let time = wall_clock::now();
    time.seconds * SECOND_NS + u64::from(time.nanoseconds)
}
