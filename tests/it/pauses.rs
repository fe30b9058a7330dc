//! Pauses: a server that wakes itself goes on by a move, however it woke itself.

use capnp::Error;
use capnp::capability::FromClientHook;
use capnp_rpc::{new_broken_cap, new_client};
use futures::StreamExt;
use futures::future::{LocalBoxFuture, select};
use futures::stream::FuturesUnordered;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use wavetank::schema::peer_capnp::executor;
use wavetank::{Clock, Event, Io};
use wavetank_choice::moves::Kind;
use wavetank_sim::moves::Move;
use wavetank_sim::oracle::Blame;
use wavetank_sim::world::yield_now;
use wavetank_sim::{Choices, Outcome, Run, Setup, World, run};
use wavetank_tests::{finished, setup};

/// The means by which a server can wait.
#[derive(Clone)]
struct Means {
    clock: Clock,
    io: Io,
}

type Wait = fn(Means) -> LocalBoxFuture<'static, ()>;

/// A future that wakes itself by reference once, as in other people's code.
async fn foreign_yield() {
    let mut yielded = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Every way in which a server may pause.
const WAITS: &[(&str, Wait)] = &[
    ("yield_now", |_| Box::pin(yield_now())),
    ("sleep(0)", |means| Box::pin(async move { means.clock.sleep(0).await })),
    ("an operation", |means| Box::pin(async move { means.io.op("read row").await.unwrap() })),
    ("a foreign yield", |_| Box::pin(foreign_yield())),
    ("a select of two foreign yields", |_| {
        Box::pin(async {
            select(pin!(foreign_yield()), pin!(foreign_yield())).await;
        })
    }),
    ("a set of foreign yields", |_| {
        Box::pin(async {
            let mut set: FuturesUnordered<_> = (0..3).map(|_| foreign_yield()).collect();
            while set.next().await.is_some() {}
        })
    }),
    ("a set of yields", |_| {
        Box::pin(async {
            let mut set: FuturesUnordered<_> = (0..3).map(|_| yield_now()).collect();
            while set.next().await.is_some() {}
        })
    }),
    ("a yield behind a capability of its own", |_| {
        Box::pin(async {
            let own: executor::Client = new_client(Server(|_: String| async {
                yield_now().await;
                Ok(String::new())
            }));
            say(&own, "x").await.unwrap();
        })
    }),
];

struct Server<F>(F);

impl<F, W> executor::Server for Server<F>
where
    F: Fn(String) -> W + 'static,
    W: Future<Output = Result<String, Error>> + 'static,
{
    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> Result<(), Error> {
        let message = params.get()?.get_message()?.to_string()?;
        let response = (self.0)(message).await?;
        results.get().set_response(&response);
        Ok(())
    }
}

fn say(server: &executor::Client, message: &str) -> impl Future<Output = Result<String, Error>> + use<> {
    let mut request = server.echo_request();
    request.get().set_message(message);
    let answer = request.send().promise;
    async move { Ok(answer.await?.get()?.get_response()?.to_string()?) }
}

/// Serves two callers, each over its own link; each makes its calls at once and awaits them all.
fn serves<F, W>(world: &World, calls: &[&'static str], work: F)
where
    F: Fn(String) -> W + 'static,
    W: Future<Output = Result<String, Error>> + 'static,
{
    let served: executor::Client = new_client(Server(work));
    let server = world.vat("server");
    for name in ["first", "second"] {
        let caller = world.vat(name);
        let nothing = new_broken_cap(Error::failed("nothing is served on this end".into()));
        let [seen, _] = world.join(name, [(caller, nothing), (server, served.client.clone())]);
        let seen = executor::Client::new(seen.hook);
        let answers: Vec<_> = calls.iter().map(|call| say(&seen, call)).collect();
        world.task_of(caller, name, async move {
            for answer in answers {
                answer.await.expect("an answer");
            }
        });
    }
}

fn means(world: &World) -> Means {
    Means { clock: world.clock(), io: world.io() }
}

fn loses_an_update(wait: Wait) -> impl Fn(&mut World) + Send + Sync {
    move |world| {
        let (means, total) = (means(world), Rc::new(Cell::new(0)));
        let counted = total.clone();
        serves(world, &["count"], move |_| {
            let (means, total) = (means.clone(), counted.clone());
            async move {
                let before = total.get();
                wait(means).await;
                total.set(before + 1);
                Ok(String::new())
            }
        });
        world.invariant("two calls count twice", move |world| {
            let ended = world.transcript().events.iter().filter(|event| matches!(event, Event::Done { .. }));
            let ended = ended.count() as u32;
            if total.get() >= ended { Ok(()) } else { Err(format!("{} of {ended}", total.get())) }
        });
    }
}

#[test]
fn whatever_a_server_pauses_with_is_an_interleaving_point() {
    for (what, wait) in WAITS {
        let runs = (0..100).map(|seed| run(loses_an_update(*wait), &setup(seed)));
        let lost = runs.filter(|run| matches!(run.outcome, Outcome::Violated(_))).count();
        println!("{what}: {lost} of 100");
        assert!(lost > 10 && lost < 100, "{what}: {lost} of 100 seeds lose an update");
    }
}

/// The moves by which the calls of a run went on.
fn resumes(run: &Run) -> Vec<Move> {
    run.transcript.steps.iter().map(|step| step.moved).filter(|moved| moved.kind() == Kind::Resume).collect()
}

#[test]
fn a_pause_takes_one_move_and_no_time() {
    for (what, wait) in WAITS.iter().filter(|(what, _)| !what.contains("foreign yields")) {
        let one = |world: &mut World| {
            let means = means(world);
            serves(world, &["wait"], move |_| {
                let means = means.clone();
                async move {
                    wait(means).await;
                    Ok(String::new())
                }
            });
        };
        let run = finished(one, &Setup { choices: Choices::Given(Vec::new()), ..setup(0) });
        // A set polls its members in more than one turn.
        let most = if *what == "a set of yields" { 2 } else { 1 };
        assert!((2..=2 * most).contains(&resumes(&run).len()), "{what}: {:?}", resumes(&run));
        assert_eq!(run.virtual_ns, 0, "{what}");
    }
}

#[test]
fn pauses_leave_the_order_of_calls_alone() {
    for seed in 0..200 {
        let pausing = |world: &mut World| {
            let came: Rc<RefCell<Vec<String>>> = Rc::default();
            let seen = came.clone();
            serves(world, &["a", "b", "c"], move |message| {
                seen.borrow_mut().push(message);
                async {
                    yield_now().await;
                    Ok(String::new())
                }
            });
            world.invariant("calls come in order", move |_| {
                let came = came.borrow();
                let at = |name: &str| came.iter().position(|call| call == name).unwrap_or(usize::MAX);
                if at("a") <= at("b") && at("b") <= at("c") { Ok(()) } else { Err(format!("{came:?}")) }
            });
        };
        finished(pausing, &setup(seed));
    }
}

/// If a call is cancelled while it pauses, it leaves the menu and its server's work is dropped.
#[test]
fn a_call_that_is_cancelled_while_it_pauses_ends() {
    let mut cancelled = 0;
    for seed in 0..100 {
        let gives_up = |world: &mut World| {
            let served: executor::Client = new_client(Server(|_: String| async {
                loop {
                    yield_now().await;
                }
            }));
            let (server, caller) = (world.vat("server"), world.vat("caller"));
            let nothing = new_broken_cap(Error::failed("nothing is served on this end".into()));
            let [seen, _] = world.join("line", [(caller, nothing), (server, served.client)]);
            let seen = executor::Client::new(seen.hook);
            world.task_of(caller, "caller", async move {
                let some_steps = async {
                    for _ in 0..20 {
                        yield_now().await;
                    }
                };
                select(pin!(say(&seen, "wait for ever")), pin!(some_steps)).await;
            });
        };
        let run = finished(gives_up, &setup(seed));
        cancelled += u32::from(!resumes(&run).is_empty());
    }
    assert!(cancelled > 50, "{cancelled} of 100 were paused before");
}

#[test]
fn a_server_that_yields_for_ever_is_found_and_named() {
    let spins = |world: &mut World| {
        serves(world, &["spin"], |_| async {
            loop {
                yield_now().await;
            }
        });
    };
    let run = run(spins, &setup(1));
    let Outcome::Spinning { who, blame, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert!(who.starts_with("the server of ") && who.ends_with(" Executor.echo"), "{who}");
    assert_eq!(*blame, Blame::Capability { vat: Some("server".into()), call: "Executor.echo".into() });
}

/// In a task of the scenario a pause is a step of its own, even inside a future that polls it again at once.
#[test]
fn a_pause_in_a_task_is_a_step_of_its_own() {
    for (what, wait) in WAITS.iter().filter(|(what, _)| !what.contains("foreign")) {
        let pauses = |world: &mut World| {
            let (means, steps) = (means(world), Rc::new(Cell::new(0)));
            let counted = steps.clone();
            world.invariant("counts", move |world| {
                counted.set(world.transcript().steps.len());
                Ok(())
            });
            world.task("pauses", async move {
                let before = steps.get();
                wait(means).await;
                assert!(steps.get() > before, "{what} was passed within one step");
            });
        };
        finished(pauses, &setup(1));
    }
}

fn reads(world: &mut World, fails_one_in: u32) {
    let io = world.io().fails(fails_one_in);
    world.task("reader", async move {
        for _ in 0..4 {
            let _ = io.op("read row").await;
        }
        drop(io.op("never awaited"));
        let _ = select(pin!(io.op("slow")), pin!(yield_now())).await;
    });
}

#[test]
fn operations_take_time_and_fail_only_as_allowed() {
    let (mut failed, mut took_time, mut dropped) = (0, 0, 0);
    for seed in 0..100 {
        let run = finished(|world| reads(world, 3), &setup(seed));
        for event in &run.transcript.events {
            match event {
                Event::IoEnded { fails, .. } => failed += u32::from(*fails),
                Event::IoDropped { .. } => dropped += 1,
                _ => {}
            }
        }
        took_time += u32::from(run.virtual_ns > 0);
        let safe = finished(|world| reads(world, 0), &setup(seed));
        assert!(
            !safe.transcript.events.iter().any(|event| matches!(event, Event::IoEnded { fails: true, .. }))
        );
    }
    assert!((60..250).contains(&failed), "{failed} of about 400 failed, and one in three should");
    assert!((20..90).contains(&took_time), "{took_time} of 100 took time");
    assert!(dropped > 0, "none was dropped before its end");
    let calm = finished(|world| reads(world, 3), &Setup { choices: Choices::Given(Vec::new()), ..setup(0) });
    assert_eq!(calm.virtual_ns, 0);
    let always =
        finished(|world| reads(world, 1), &Setup { choices: Choices::Given(Vec::new()), ..setup(0) });
    assert!(always.transcript.events.iter().any(|event| matches!(event, Event::IoEnded { fails: true, .. })));
}
