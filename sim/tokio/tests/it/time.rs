//! tokio's time is the virtual time.

use crate::support::{ask, serve};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, interval, sleep, timeout};
use wavetank_sim::{World, check};

const MS_NS: u64 = 1_000_000;

#[test]
fn a_sleep_takes_its_virtual_time_and_one_move() {
    let lengths = [
        Duration::from_millis(1),
        Duration::from_millis(63),
        Duration::from_millis(64),
        Duration::from_secs(10),
        Duration::from_secs(3 * 24 * 3600),
        Duration::from_secs(400 * 24 * 3600),
    ];
    for length in lengths {
        let sleeps = move |world: &mut World| {
            wavetank_tokio::install(world);
            world.task("sleeper", async move {
                // tokio's Instant: inside a world it is virtual time.
                let before = Instant::now();
                sleep(length).await;
                assert_eq!(before.elapsed(), length);
            });
        };
        check("sleeps", sleeps)
            .seeds(0..10)
            .each(move |run| {
                assert_eq!(u128::from(run.virtual_ns), length.as_nanos());
                assert_eq!(run.transcript.steps.len(), 3, "a poll, the clock, a poll");
            })
            .no_failures()
            .run();
    }
}

#[test]
fn both_clocks_agree_and_neither_runs_past_the_others_next_time() {
    let scenario = |world: &mut World| {
        wavetank_tokio::install(world);
        let clock = world.clock();
        let log: Rc<RefCell<Vec<(&str, u64)>>> = Rc::default();
        let (of_world, of_tokio) = (log.clone(), log.clone());
        let (now_of_world, now_of_tokio) = (clock.clone(), clock.clone());
        let ours = world.clock();
        world.task("the world's", async move {
            for _ in 0..4 {
                ours.sleep(2_500_000).await;
                of_world.borrow_mut().push(("world", now_of_world.now_ns()));
            }
        });
        world.task("tokio's", async move {
            // tokio's Instant: inside a world it is virtual time.
            let start = Instant::now();
            for _ in 0..3 {
                sleep(Duration::from_millis(3)).await;
                let now_ns = now_of_tokio.now_ns();
                assert_eq!(start.elapsed(), Duration::from_nanos(now_ns));
                of_tokio.borrow_mut().push(("tokio", now_ns));
            }
        });
        world.invariant("every time is right", move |_| {
            for (place, (whose, at_ns)) in log.borrow().iter().enumerate() {
                if *whose == "world" && !at_ns.is_multiple_of(2_500_000) {
                    return Err(format!("entry {place}: the world's task woke at {at_ns} ns"));
                }
                // Three times 3 ms, each rounded up to a millisecond and late by less than one.
                let sleeps =
                    log.borrow()[..=place].iter().filter(|(whose, _)| *whose == "tokio").count() as u64;
                if *whose == "tokio" && !(3 * sleeps * MS_NS..(5 * sleeps) * MS_NS).contains(at_ns) {
                    return Err(format!("entry {place}: tokio's task woke at {at_ns} ns"));
                }
            }
            Ok(())
        });
    };
    // Without choices, whoever is woken is polled before time goes on.
    check("two clocks", scenario).max_choices(0).seeds(0..1).no_failures().run();
}

#[test]
fn a_timeout_and_an_interval_keep_their_times() {
    let scenario = |world: &mut World| {
        wavetank_tokio::install(world);
        let clock = world.clock();
        world.task("impatient", async move {
            timeout(Duration::from_secs(1), sleep(Duration::from_secs(2))).await.expect_err("too slow");
            assert_eq!(clock.now_ns(), 1_000 * MS_NS);
            timeout(Duration::from_secs(2), sleep(Duration::from_secs(1))).await.expect("fast enough");
            assert_eq!(clock.now_ns(), 2_000 * MS_NS);
            let mut ticks = interval(Duration::from_millis(7));
            for tick in 0..4 {
                ticks.tick().await;
                assert_eq!(clock.now_ns(), (2_000 + 7 * tick) * MS_NS);
            }
        });
    };
    check("waits in several ways", scenario).max_choices(0).seeds(0..1).no_failures().run();
}

/// A caller that gives up after a second, and a server that needs half a second: over seeds, the answer comes in time
/// and too late, because its bytes take time that tokio's clock sees.
#[test]
fn a_timeout_races_with_an_answer() {
    let scenario = |world: &mut World| {
        wavetank_tokio::install(world);
        let io = world.io();
        let (client, server) = serve(world, move |word| {
            let io = io.clone();
            async move {
                io.op("look up").await.expect("it never fails");
                word
            }
        });
        world.task_of(client, "impatient", async move {
            match timeout(Duration::from_millis(500), ask(&server, "hello")).await {
                Ok(word) => assert_eq!(word, "hello"),
                Err(_) => assert!(ask(&server, "again").await == "again"),
            }
        });
    };
    let (mut in_time, mut late) = (0, 0);
    for seed in 0..100 {
        let run = check("races", scenario).no_failures().run_seed(seed);
        assert!(run.outcome.is_finished(), "seed {seed}: {}", run.outcome);
        let calls =
            run.transcript.events.iter().filter(|event| matches!(event, wavetank::Event::Called { .. }));
        if calls.count() == 1 { in_time += 1 } else { late += 1 }
    }
    assert!(in_time > 5 && late > 5, "{in_time} in time, {late} late");
}
