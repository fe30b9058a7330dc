//! Background tasks, which need not end; tasks that are added while the world runs; durations and time-outs.

use capnp::Error;
use capnp::capability::FromClientHook;
use capnp_rpc::{new_broken_cap, new_client};
use futures::StreamExt;
use futures::channel::mpsc;
use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use wavetank::schema::peer_capnp::executor;
use wavetank_sim::oracle::Blame;
use wavetank_sim::prelude::*;
use wavetank_sim::{Setup, run};
use wavetank_tests::{finished, round_robin, setup};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Ways in which a background task can go on for ever.
type Forever = fn(&World);

const FOREVER: &[(&str, Forever)] = &[
    ("a timer", |world| {
        let clock = world.clock();
        world.background("ticks", async move {
            loop {
                clock.sleep(MINUTE).await;
            }
        });
    }),
    ("a timer inside a set of futures", |world| {
        let clock = world.clock();
        world.background("ticks", async move {
            let mut set: futures::stream::FuturesUnordered<_> =
                (1..4).map(|n| clock.sleep(MINUTE * n)).collect();
            while set.next().await.is_some() {
                set.push(clock.sleep(MINUTE));
            }
        });
    }),
    ("fake I/O", |world| {
        let io = world.io();
        world.background("polls a queue", async move {
            loop {
                io.op("poll queue").await.expect("it never fails");
            }
        });
    }),
    ("draws", |world| {
        let dice = world.dice();
        world.background("plays", async move { while dice.below("points", 6).await < 6 {} });
    }),
    ("waiting for nobody", |world| world.background("waits", pending())),
    ("a loop of calls", |world| {
        let server = served(world, |_| async {});
        world.background("calls", async move {
            loop {
                server.echo_request().send().promise.await.expect("an answer");
            }
        });
    }),
    ("a loop of calls to a server that sleeps", |world| {
        let clock = world.clock();
        let server = served(world, move |_| {
            let clock = clock.clone();
            async move { clock.sleep(SECOND).await }
        });
        world.background("calls", async move {
            loop {
                server.echo_request().send().promise.await.expect("an answer");
            }
        });
    }),
];

struct Server<F>(F);

impl<F, W> executor::Server for Server<F>
where
    F: Fn(String) -> W + 'static,
    W: Future<Output = ()> + 'static,
{
    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        _: executor::EchoResults,
    ) -> Result<(), Error> {
        let message = params.get()?.get_message()?.to_string()?;
        (self.0)(message).await;
        Ok(())
    }
}

/// A server of a vat, as the host sees it.
fn served<F, W>(world: &World, work: F) -> executor::Client
where
    F: Fn(String) -> W + 'static,
    W: Future<Output = ()> + 'static,
{
    let server: executor::Client = new_client(Server(work));
    let (vat, caller) = (world.vat("server"), world.vat("caller"));
    let nothing = new_broken_cap(Error::failed("nothing is served on this end".into()));
    let [seen, _] = world.join("line", [(caller, nothing), (vat, server.client)]);
    executor::Client::new(seen.hook)
}

#[test]
fn a_world_comes_to_rest_without_its_background_tasks() {
    for (what, forever) in FOREVER {
        // A task that never waits for a time keeps the clock from moving.
        let is_busy = ["fake I/O", "draws", "a loop of calls"].contains(what);
        for seed in 0..5 {
            let scenario = |world: &mut World| {
                forever(world);
                let clock = world.clock();
                world.task("work", async move {
                    if is_busy {
                        yield_now().await;
                    } else {
                        clock.sleep(SECOND * 5).await;
                    }
                });
            };
            let run = finished(scenario, &Setup { max_steps: 100_000, ..setup(seed) });
            assert!(is_busy || run.virtual_time() >= SECOND * 5, "{what}: {:?}", run.virtual_time());
            // The clock may run ahead, but not for ever.
            assert!(run.virtual_time() < MINUTE * 600, "{what}: {:?}", run.virtual_time());
        }
    }
}

#[test]
fn a_world_with_nothing_but_background_tasks_rests() {
    for (what, forever) in FOREVER {
        let run = finished(forever_only(*forever), &round_robin());
        // A server's sleep is its own, whoever called it. The caller gets a thousand polls at most.
        let most = if what.contains("server that sleeps") { SECOND * 1_000 } else { Duration::ZERO };
        assert!(
            run.virtual_time() <= most,
            "{what}: {:?} passed only for a background task",
            run.virtual_time()
        );
    }
}

fn forever_only(forever: Forever) -> impl Fn(&mut World) + Sync {
    move |world: &mut World| forever(world)
}

#[test]
fn a_task_that_need_not_end_helps_one_that_must() {
    for seed in 0..50 {
        let scenario = |world: &mut World| {
            let (clock, io, dice) = (world.clock(), world.io(), world.dice());
            let (to_worker, mut jobs) = mpsc::unbounded::<futures::channel::oneshot::Sender<()>>();
            world.background("worker", async move {
                while let Some(done) = jobs.next().await {
                    clock.sleep(SECOND).await;
                    io.op("write").await.expect("it never fails");
                    dice.below("row", 3).await;
                    let _ = done.send(());
                }
                unreachable!("the task below keeps the queue open");
            });
            world.task("asker", async move {
                for _ in 0..3 {
                    let (done, is_done) = futures::channel::oneshot::channel();
                    to_worker.unbounded_send(done).expect("the worker lives");
                    is_done.await.expect("the worker answers");
                }
                std::mem::forget(to_worker);
            });
        };
        let run = finished(scenario, &setup(seed));
        assert!(run.virtual_time() >= SECOND * 3);
    }
}

#[test]
fn a_consumer_in_the_background_empties_its_queue() {
    for seed in 0..50 {
        let scenario = |world: &mut World| {
            let (sender, mut queue) = mpsc::unbounded::<u32>();
            let (sum, total) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let summed = sum.clone();
            world.background_of(world.vat("log"), "consumer", async move {
                while let Some(number) = queue.next().await {
                    summed.set(summed.get() + number);
                    yield_now().await;
                }
            });
            let sent = total.clone();
            world.task("producer", async move {
                for number in 0..20 {
                    sender.unbounded_send(number).expect("the consumer lives");
                    sent.set(sent.get() + number);
                }
            });
            world.expect_at_rest(move |_, _| {
                assert_eq!(sum.get(), total.get());
                None
            });
        };
        finished(scenario, &setup(seed));
    }
}

#[test]
fn a_stall_is_a_stall_and_no_background_task_is_blamed_for_it() {
    for (what, forever) in FOREVER.iter().filter(|(what, _)| !what.contains("calls")) {
        let scenario = |world: &mut World| {
            forever(world);
            world.task("stuck", pending());
        };
        let run = run(scenario, &Setup { max_steps: 100_000, ..round_robin() });
        if ["fake I/O", "draws"].contains(what) {
            // It never waits for a time. So it takes a million of its moves until nobody expects anything of it.
            assert!(matches!(run.outcome, Outcome::StepLimit { .. }), "{what}: {}", run.outcome);
            continue;
        }
        let Outcome::Stalled(graph) = &run.outcome else { panic!("{what}: {}", run.outcome) };
        assert_eq!(graph.blame, Blame::Task { vat: None, task: "stuck".into() }, "{what}");
        assert_eq!(graph.tasks.len(), 1, "{what}: {:?}", graph.tasks);
    }
}

#[test]
fn a_panic_in_the_background_fails_the_run_and_is_blamed() {
    let scenario = |world: &mut World| {
        let clock = world.clock();
        world.background("janitor", async move {
            clock.sleep(SECOND).await;
            panic!("the broom broke");
        });
        let clock = world.clock();
        world.task("work", async move { clock.sleep(SECOND * 2).await });
    };
    let run = run(scenario, &setup(1));
    let Outcome::Panicked { message, blame, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(message, "the broom broke");
    assert_eq!(*blame, Blame::Task { vat: None, task: "janitor".into() });
}

#[test]
fn a_server_adds_tasks_while_the_world_runs() {
    for seed in 0..30 {
        let scenario = |world: &mut World| {
            let (tasks, clock, done) = (world.tasks(), world.clock(), Rc::new(Cell::new(0)));
            let counted = done.clone();
            let server = served(world, move |_| {
                let (clock, done) = (clock.clone(), counted.clone());
                tasks.background("heartbeat", {
                    let clock = clock.clone();
                    async move {
                        loop {
                            clock.sleep(SECOND).await;
                        }
                    }
                });
                tasks.task("later", async move {
                    clock.sleep(SECOND * 10).await;
                    done.set(done.get() + 1);
                });
                async {}
            });
            world.task("asker", async move {
                for _ in 0..2 {
                    server.echo_request().send().promise.await.expect("an answer");
                }
            });
            world.expect_at_rest(move |_, _| {
                assert_eq!(done.get(), 2, "the world rested before its tasks had ended");
                None
            });
        };
        let run = finished(scenario, &setup(seed));
        assert!(run.virtual_time() >= SECOND * 10);
    }
    let stuck = |world: &mut World| {
        let tasks = world.tasks();
        let server = served(world, move |_| {
            tasks.task("stuck", pending());
            async {}
        });
        world.task("asker", async move {
            server.echo_request().send().promise.await.expect("an answer");
        });
    };
    let run = run(stuck, &setup(1));
    let Outcome::Stalled(graph) = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(graph.blame, Blame::Task { vat: None, task: "stuck".into() });
}

#[test]
fn time_is_given_and_read_as_durations_and_as_nanoseconds() {
    let scenario = |world: &mut World| {
        let clock = world.clock();
        world.task("sleeps", async move {
            clock.sleep(SECOND).await;
            assert_eq!((clock.now(), clock.now_ns()), (SECOND, 1_000_000_000));
            clock.sleep(1_000).await;
            assert_eq!(clock.now_ns(), 1_000_001_000);
            clock.sleep_until(SECOND * 3).await;
            clock.sleep_until(2).await;
            assert_eq!(clock.now(), SECOND * 3);
            clock.sleep(Duration::ZERO).await;
        });
    };
    let run = finished(scenario, &round_robin());
    assert_eq!(run.virtual_time(), SECOND * 3);
    // What never comes is no time to wait for.
    let never = |world: &mut World| {
        let clock = world.clock();
        world.task("sleeps", async move { clock.sleep(Duration::MAX).await });
    };
    let run = self::run(never, &round_robin());
    assert!(matches!(run.outcome, Outcome::Stalled(_)), "{}", run.outcome);
}

#[test]
fn a_time_out_ends_a_wait_on_virtual_time() {
    let setups = (0..30).map(setup).chain([round_robin()]);
    for (number, setup) in setups.enumerate() {
        // Elsewhere the clock may run ahead of the server, to the end of its work.
        let is_exact = number == 30;
        let scenario = |world: &mut World| {
            let clock = world.clock();
            let server = served(world, move |message| {
                let clock = clock.clone();
                async move {
                    let work = clock.sleep(SECOND * 3);
                    let time = if message == "hurry" { SECOND } else { SECOND * 10 };
                    let came = clock.timeout(time, work).await;
                    assert!(!is_exact || came.is_ok() == (message != "hurry"));
                }
            });
            let clock = world.clock();
            world.task("asker", async move {
                for word in ["hurry", "take your time"] {
                    let mut request = server.echo_request();
                    request.get().set_message(word);
                    request.send().promise.await.expect("an answer");
                }
                let elapsed = clock.timeout(SECOND, pending::<()>()).await.unwrap_err();
                assert_eq!(elapsed.after(), SECOND);
                assert_eq!(Error::from(elapsed).extra, "nothing came within 1s of virtual time");
                assert_eq!(
                    clock.timeout(Duration::ZERO, async { 7 }).await,
                    Ok(7),
                    "what is there comes first"
                );
                assert!(clock.timeout(0, pending::<()>()).await.is_err());
            });
        };
        let run = finished(scenario, &setup);
        assert!(run.virtual_time() >= SECOND * 2);
        assert!(!is_exact || run.virtual_time() == SECOND * 5, "{:?}", run.virtual_time());
    }
}
