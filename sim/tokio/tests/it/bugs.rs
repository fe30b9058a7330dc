//! Faults of servers that use tokio, each beside its mended twin.

use crate::support::{ask, serve};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::sleep;
use wavetank_sim::oracle::Blame;
use wavetank_sim::outcome::Outcome;
use wavetank_sim::{Run, World, check};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    Faulty,
    Mended,
}

const SEEDS: u64 = 100;

/// The first run that fails; the mended twin must have none.
fn first_failure(scenario: impl Fn(&mut World, Server) + Sync) -> Run {
    let mended = check("mended", |world: &mut World| scenario(world, Server::Mended));
    mended.seeds(0..SEEDS).canary(true).no_failures().run();
    let faulty = check("faulty", |world: &mut World| scenario(world, Server::Faulty)).no_failures();
    let run = (0..SEEDS).map(|seed| faulty.run_seed(seed)).find(|run| !run.outcome.is_finished());
    run.unwrap_or_else(|| panic!("no fault within {SEEDS} seeds"))
}

#[test]
fn an_update_is_lost_across_a_sleep() {
    let run = first_failure(|world, which| {
        wavetank_tokio::install(world);
        let count = Rc::new(Cell::new(0));
        let lock = Rc::new(Mutex::new(()));
        let (client, server) = serve(world, move |word| {
            let (count, lock) = (count.clone(), lock.clone());
            async move {
                if word == "read" {
                    return count.get().to_string();
                }
                let _guard = if which == Server::Mended { Some(lock.lock().await) } else { None };
                let before = count.get();
                sleep(Duration::from_millis(5)).await;
                count.set(before + 1);
                String::new()
            }
        });
        world.task_of(client, "two updates", async move {
            tokio::join!(ask(&server, "add"), ask(&server, "add"));
            assert_eq!(ask(&server, "read").await, "2", "an update is lost");
        });
    });
    let Outcome::Panicked { message, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert!(message.contains("an update is lost"), "{message}");
}

#[test]
fn two_locks_are_taken_in_opposite_orders() {
    let run = first_failure(|world, which| {
        wavetank_tokio::install(world);
        let locks = Rc::new((Mutex::new(()), Mutex::new(())));
        let io = world.io();
        let (client, server) = serve(world, move |word| {
            let (locks, io) = (locks.clone(), io.clone());
            async move {
                let turned = word == "turned" && which == Server::Faulty;
                let (first, second) = if turned { (&locks.1, &locks.0) } else { (&locks.0, &locks.1) };
                let _first = first.lock().await;
                io.op("look up").await.expect("it never fails");
                let _second = second.lock().await;
                String::new()
            }
        });
        world.task_of(client, "two calls", async move {
            tokio::join!(ask(&server, "straight"), ask(&server, "turned"));
        });
    });
    let Outcome::Stalled(graph) = &run.outcome else { panic!("{}", run.outcome) };
    let server = Blame::Capability { vat: Some("server".into()), call: "Executor.echo".into() };
    assert_eq!(graph.blame, server);
    let detail = run.outcome.detail().join("\n");
    assert!(detail.contains("they wait for a lock or a channel that nobody serves"), "{detail}");
}

#[test]
fn a_notice_is_missed() {
    let run = first_failure(|world, which| {
        wavetank_tokio::install(world);
        let jobs: Rc<RefCell<Vec<String>>> = Rc::default();
        let news = Rc::new(Notify::new());
        let (client, server) = serve(world, move |word| {
            let (jobs, news) = (jobs.clone(), news.clone());
            async move {
                if word != "take" {
                    jobs.borrow_mut().push(word);
                    news.notify_waiters();
                    return String::new();
                }
                loop {
                    let early = news.notified();
                    if let Some(job) = jobs.borrow_mut().pop() {
                        return job;
                    }
                    sleep(Duration::from_millis(1)).await;
                    // A notice counts from the call of `notified` on. The faulty server calls it too late.
                    if which == Server::Faulty { news.notified().await } else { early.await }
                }
            }
        });
        world.task_of(client, "give and take", async move {
            let (job, _) = tokio::join!(ask(&server, "take"), ask(&server, "a job"));
            assert_eq!(job, "a job");
        });
    });
    assert!(matches!(run.outcome, Outcome::Stalled(_)), "{}", run.outcome);
}
