//! Draws of servers that use tokio, and tasks of tokio that wait for what the world gives them.

use crate::support::{ask, serve};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::sleep;
use wavetank_sim::moves::Move;
use wavetank_sim::prelude::*;

#[test]
fn a_server_and_its_spawned_tasks_can_draw() {
    static SEEN: Mutex<Vec<(bool, u32)>> = Mutex::new(Vec::new());
    let scenario = |world: &mut World| {
        wavetank_tokio::install(world);
        let dice = world.dice();
        let (client, server) = serve(world, move |word| {
            let dice = dice.clone();
            async move {
                let fails = dice.chance("the disk fails", 1, 4).await;
                let work = tokio::task::spawn_local(async move {
                    sleep(Duration::from_millis(5)).await;
                    dice.below("row", 3).await
                });
                let row = work.await.expect("it does not panic");
                SEEN.lock().unwrap().push((fails, row));
                word
            }
        });
        world.task_of(client, "asker", async move {
            ask(&server, "hello").await;
        });
    };
    check("draws", scenario).seeds(0..100).canary(true).no_failures().run();
    // A copy, because the next run notes what it sees too.
    let seen = SEEN.lock().unwrap().clone();
    let failed = seen.iter().filter(|seen| seen.0).count();
    assert!(failed > 0 && failed < seen.len(), "{failed} of {} failed", seen.len());
    assert!((0..3).all(|row| seen.iter().any(|seen| seen.1 == row)));
    let run = check("draws", scenario).no_failures().run_seed(1);
    let drawn = run.moves().iter().filter(|moved| matches!(moved, Move::Draw(..))).count();
    assert_eq!(drawn, 2, "each draw is a move");
}

/// A spawned task need not end, whatever of the world it waits for.
#[test]
fn a_spawned_task_that_goes_on_for_ever_lets_its_world_rest() {
    let ways: [(&str, fn(&World)); 4] = [
        ("the world's clock", |world| {
            let clock = world.clock();
            tokio::task::spawn_local(async move {
                loop {
                    clock.sleep(Duration::from_secs(60)).await;
                }
            });
        }),
        ("fake I/O", |world| {
            let io = world.io();
            tokio::task::spawn_local(async move { while io.op("poll queue").await.is_ok() {} });
        }),
        ("draws", |world| {
            let dice = world.dice();
            tokio::task::spawn_local(async move { while dice.below("points", 6).await < 6 {} });
        }),
        ("calls", |world| {
            let (_, server) = serve(world, |word| async { word });
            tokio::task::spawn_local(async move {
                loop {
                    ask(&server, "hello").await;
                }
            });
        }),
    ];
    for (what, spawns) in ways {
        let scenario = move |world: &mut World| {
            let tokio = wavetank_tokio::install(world);
            tokio.within(|| spawns(world));
            world.task("work", async { yield_now().await });
        };
        for seed in 0..20 {
            let run = check("goes on", scenario).max_steps(100_000).no_failures().run_seed(seed);
            assert!(run.outcome.is_finished(), "{what}, seed {seed}: {}", run.outcome);
        }
    }
}
