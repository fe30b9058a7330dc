//! Tasks that servers spawn.

use crate::support::{ask, serve};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::{Barrier, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::{interval, sleep};
use wavetank_sim::oracle::Blame;
use wavetank_sim::outcome::Outcome;
use wavetank_sim::{World, check};

#[test]
fn everything_of_tokio_sync_works() {
    let scenario = |world: &mut World| {
        wavetank_tokio::install(world);
        let (client, server) = serve(world, |word| async move {
            let (to_worker, mut jobs) = mpsc::channel::<(String, oneshot::Sender<String>)>(1);
            tokio::task::spawn_local(async move {
                while let Some((job, answer)) = jobs.recv().await {
                    tokio::task::yield_now().await;
                    let _ = answer.send(job.to_uppercase());
                }
            });
            let (answer, answered) = oneshot::channel();
            to_worker.send((word, answer)).await.expect("the worker lives");
            let word = answered.await.expect("the worker answers");

            let (telling, mut told) = watch::channel(0);
            let (shouting, mut heard) = broadcast::channel(4);
            let permits = Rc::new(Semaphore::new(0));
            let barrier = Rc::new(Barrier::new(2));
            let (giving, meeting) = (permits.clone(), barrier.clone());
            tokio::task::spawn_local(async move {
                telling.send(7).expect("somebody watches");
                shouting.send(8).expect("somebody listens");
                giving.add_permits(1);
                meeting.wait().await;
            });
            told.changed().await.expect("it is told");
            assert_eq!((*told.borrow(), heard.recv().await), (7, Ok(8)));
            permits.acquire().await.expect("it is not closed").forget();
            barrier.wait().await;
            word
        });
        world.task_of(client, "asker", async move {
            assert_eq!(ask(&server, "hello").await, "HELLO");
        });
    };
    check("uses tokio::sync", scenario).seeds(0..100).canary(true).no_failures().run();
}

#[test]
fn a_background_task_need_not_end() {
    let scenario = |world: &mut World| {
        let tokio = wavetank_tokio::install(world);
        tokio.within(|| {
            tokio::task::spawn_local(async {
                let mut ticks = interval(Duration::from_secs(1));
                loop {
                    ticks.tick().await;
                }
            })
        });
        let (client, server) = serve(world, |word| async move {
            sleep(Duration::from_secs(5)).await;
            word
        });
        world.task_of(client, "asker", async move {
            ask(&server, "hello").await;
        });
    };
    check("housekeeps", scenario).seeds(0..50).no_failures().run();
}

#[test]
fn a_stall_is_seen_although_a_background_task_goes_on() {
    let scenario = |world: &mut World| {
        let tokio = wavetank_tokio::install(world);
        tokio.within(|| {
            tokio::task::spawn_local(async {
                let mut ticks = interval(Duration::from_secs(60));
                loop {
                    ticks.tick().await;
                }
            })
        });
        let (client, server) = serve(world, |_| std::future::pending());
        world.task_of(client, "asker", async move {
            ask(&server, "hello").await;
        });
    };
    let run = check("never answers", scenario).no_failures().run_seed(1);
    let Outcome::Stalled(graph) = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(graph.blame, Blame::Capability { vat: Some("server".into()), call: "Executor.echo".into() });
}

/// Two calls, each of which spawns a task of two steps. Over seeds, the steps come in more than one order.
#[test]
fn tasks_of_different_calls_are_interleaved() {
    static ORDERS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let scenario = |world: &mut World| {
        wavetank_tokio::install(world);
        let log: Rc<RefCell<Vec<String>>> = Rc::default();
        let seen = log.clone();
        let io = world.io();
        let (client, server) = serve(world, move |word| {
            let (log, io) = (log.clone(), io.clone());
            async move {
                let work = tokio::task::spawn_local(async move {
                    log.borrow_mut().push(format!("{word}1"));
                    io.op("work").await.expect("it never fails");
                    log.borrow_mut().push(format!("{word}2"));
                });
                work.await.expect("it does not panic");
                String::new()
            }
        });
        world.task_of(client, "asker", async move {
            tokio::join!(ask(&server, "a"), ask(&server, "b"));
            ORDERS.lock().unwrap().insert(seen.borrow().join(" "));
        });
    };
    check("two tasks", scenario).seeds(0..200).no_failures().run();
    let orders = ORDERS.lock().unwrap();
    for order in ["a1 a2 b1 b2", "a1 b1 a2 b2", "a1 b1 b2 a2"] {
        assert!(orders.contains(order), "{order} is not in {orders:?}");
    }
}

#[test]
fn a_panic_of_a_spawned_task_is_reported() {
    let scenario = |world: &mut World| {
        wavetank_tokio::install(world);
        let (client, server) = serve(world, |word| async move {
            tokio::task::spawn_local(async { panic!("out of paper") });
            word
        });
        world.task_of(client, "asker", async move {
            ask(&server, "hello").await;
        });
    };
    let run = check("panics", scenario).no_failures().run_seed(1);
    let Outcome::Panicked { message, at, blame } = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(message, "out of paper");
    assert!(at.contains("tests/it/tasks.rs:"), "{at}");
    assert!(
        matches!(blame, Blame::Task { vat: Some(vat), task } if vat == "server" && task.starts_with("spawned by"))
    );
}
