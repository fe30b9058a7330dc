//! Draws of servers and tasks while a world runs.

use capnp::Error;
use capnp::capability::FromClientHook;
use capnp_rpc::{new_broken_cap, new_client};
use futures::future::{Either, select};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Mutex;
use wavetank::Event;
use wavetank::schema::peer_capnp::executor;
use wavetank_choice::choice::Meaning;
use wavetank_choice::strategy::Bound;
use wavetank_sim::canary::run_compared;
use wavetank_sim::explain::{Change, EXPLAIN_RUNS, explain};
use wavetank_sim::explore::explore;
use wavetank_sim::moves::Move;
use wavetank_sim::prelude::*;
use wavetank_sim::run::run_under;
use wavetank_sim::signature::shrink_run;
use wavetank_sim::{Choices, Setup, run};
use wavetank_tests::{finished, round_robin, setup};

/// Two accounts in a database that fails in 5 % of its writes.
struct Bank {
    accounts: Rc<[Cell<i64>; 2]>,
    dice: Dice,
    rolls_back: bool,
}

impl executor::Server for Bank {
    async fn echo(self: Rc<Self>, _: executor::EchoParams, _: executor::EchoResults) -> Result<(), Error> {
        let [from, to] = &*self.accounts;
        from.set(from.get() - 1);
        if self.dice.chance("the database fails", 5, 100).await {
            if self.rolls_back {
                from.set(from.get() + 1);
            }
            return Err(Error::failed("the database failed".into()));
        }
        to.set(to.get() + 1);
        Ok(())
    }
}

/// Makes ten transfers over a link. No money may be lost.
fn transfers(rolls_back: bool) -> impl Fn(&mut World) + Send + Sync {
    move |world| {
        let accounts: Rc<[Cell<i64>; 2]> = Rc::new([Cell::new(100), Cell::new(0)]);
        let bank = Bank { accounts: accounts.clone(), dice: world.dice(), rolls_back };
        let bank: executor::Client = new_client(bank);
        let (server, caller) = (world.vat("bank"), world.vat("caller"));
        let nothing = new_broken_cap(Error::failed("nothing is served on this end".into()));
        let [seen, _] = world.join("line", [(caller, nothing), (server, bank.client)]);
        let seen = executor::Client::new(seen.hook);
        world.task_of(caller, "caller", async move {
            for _ in 0..10 {
                let _ = seen.echo_request().send().promise.await;
            }
            let [from, to] = &*accounts;
            let total = from.get() + to.get();
            assert_eq!(total, 100, "money was lost");
        });
    }
}

#[test]
fn a_world_without_guests_that_draws_repeats() {
    let mut drawn = 0;
    for seed in 0..50 {
        let run = run_compared(transfers(true), &setup(seed));
        assert!(run.outcome.is_finished(), "seed {seed}: {}", run.outcome);
        let again = finished(transfers(true), &setup(seed));
        assert_eq!(run.transcript.digest(), again.transcript.digest(), "seed {seed}");
        drawn += values(&run).iter().sum::<u32>();
    }
    assert!(drawn > 5, "the database failed {drawn} times");
}

/// The values of all draws of a run, in order.
fn values(run: &Run) -> Vec<u32> {
    let value = |moved: &Move| match moved {
        Move::Draw(_, value) => Some(*value),
        _ => None,
    };
    run.moves().iter().filter_map(value).collect()
}

#[test]
fn a_forgotten_rollback_is_found_shrunk_and_named() {
    let buggy = transfers(false);
    let failed = (0..100).map(|seed| run(&buggy, &setup(seed))).find(|run| !run.outcome.is_finished());
    let failed = failed.expect("one of 100 seeds shows it");
    let setup = setup(failed.seed.0);
    let replay = |choices| run(&buggy, &Setup { choices, ..setup.clone() });
    let small = shrink_run(&failed, 500, replay).expect("it shrinks").run;
    let left: Vec<_> = small.choices.iter().filter(|choice| choice.value > 0).collect();
    let draws = left.iter().filter(|choice| matches!(choice.of, Meaning::Draw(_))).count();
    assert!(draws == 1 && left.len() < 10, "{left:?}");

    let again = |strategy: &(dyn Fn() -> Box<dyn wavetank_choice::strategy::Strategy> + Sync)| {
        run_under(&buggy, &setup, "again", strategy)
    };
    let explained = explain(&small, EXPLAIN_RUNS, &again);
    assert!(
        explained.chosen.iter().any(|line| line.ends_with(": the draw `the database fails`: yes")),
        "{:?}",
        explained.chosen
    );
    let deciding = explained.deciding.expect("one change makes it pass");
    assert!(matches!(deciding.change, Change::Setting(Meaning::Draw(_))));
    let says = deciding.to_string();
    assert!(says.starts_with("it passes if the draw `the database fails` is no at step "), "{says}");
    // The mended twin passes all of them.
    for seed in 0..100 {
        finished(transfers(true), &self::setup(seed));
    }
}

#[test]
fn the_report_of_a_check_names_the_draw() {
    let fails = || check("transfers", transfers(false)).seeds(0..100).no_failures().run();
    let panic = std::panic::catch_unwind(fails).expect_err("the check fails");
    let report = panic.downcast_ref::<String>().expect("a message");
    assert!(report.contains("the draw `the database fails`: yes"), "{report}");
    assert!(report.contains("it passes if the draw `the database fails` is no at step"), "{report}");
}

/// A task that makes many draws of each kind, one after the other.
fn many(count: u32, took: &'static Mutex<Vec<(bool, u32, &'static str)>>) -> impl Fn(&mut World) + Sync {
    move |world| {
        let dice = world.dice();
        world.task("drawer", async move {
            for _ in 0..count {
                let chance = dice.chance("fails", 5, 100).await;
                let below = dice.below("row", 4).await;
                let color = dice.choose("color", &["red", "green"]).await;
                took.lock().unwrap().push((chance, below, color));
            }
        });
    }
}

/// A setup whose strategy needs no survey, so that the scenario runs once.
fn random(seed: u64) -> Setup {
    Setup { choices: Choices::Drawn(StrategyName::Random, Profile::swarm()), ..setup(seed) }
}

#[test]
fn five_percent_are_five_percent() {
    static TOOK: Mutex<Vec<(bool, u32, &str)>> = Mutex::new(Vec::new());
    for seed in 0..100 {
        finished(many(50, &TOOK), &random(seed));
    }
    let took = TOOK.lock().unwrap();
    let failed = took.iter().filter(|took| took.0).count();
    assert!((180..320).contains(&failed), "{failed} of 5,000 failed, and 5 % is 250");
    for row in 0..4 {
        let count = took.iter().filter(|took| took.1 == row).count();
        assert!((1_050..1_450).contains(&count), "{count} of 5,000 are row {row}");
    }
    let green = took.iter().filter(|took| took.2 == "green").count();
    assert!((2_200..2_800).contains(&green), "{green} of 5,000 are green");
}

#[test]
fn a_calm_world_draws_the_dullest() {
    static TOOK: Mutex<Vec<(bool, u32, &str)>> = Mutex::new(Vec::new());
    finished(many(20, &TOOK), &round_robin());
    finished(many(20, &TOOK), &Setup { choices: Choices::Given(Vec::new()), ..setup(0) });
    // The calm phase begins when no more choices are allowed.
    finished(many(20, &TOOK), &Setup { max_choices: 0, ..setup(1) });
    let took: BTreeSet<_> = TOOK.lock().unwrap().drain(..).collect();
    assert_eq!(took, BTreeSet::from([(false, 0, "red")]));
}

#[test]
fn nothing_fails_under_the_calm_profile() {
    static TOOK: Mutex<Vec<(bool, u32, &str)>> = Mutex::new(Vec::new());
    for seed in 0..20 {
        let drawn = Choices::Drawn(StrategyName::Random, Profile::calm());
        finished(many(50, &TOOK), &Setup { choices: drawn, ..setup(seed) });
    }
    let took = TOOK.lock().unwrap();
    assert!(took.iter().all(|took| !took.0), "a chance came true under `calm`");
    assert!(took.iter().any(|took| took.1 == 3), "numbers vary like those of `World::draw`");
}

#[test]
fn what_is_certain_needs_no_choice() {
    let certain = |world: &mut World| {
        let dice = world.dice();
        world.task("drawer", async move {
            assert!(dice.chance("always", 3, 3).await);
            assert!(!dice.chance("never", 0, 3).await);
            assert_eq!(dice.below("nothing else", 1).await, 0);
            assert_eq!(dice.choose("only", &[7]).await, 7);
        });
    };
    for seed in 0..10 {
        let run = finished(certain, &setup(seed));
        assert_eq!(values(&run), [1, 0, 0, 0]);
        assert!(!run.choices.iter().any(|choice| matches!(choice.of, Meaning::Draw(_))));
    }
    finished(certain, &round_robin());
}

#[test]
fn a_draw_is_a_move_of_its_own_and_others_go_first() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let order: Rc<RefCell<Vec<u32>>> = Rc::default();
        let noted: &'static Mutex<Vec<u32>> = Box::leak(Box::default());
        let races = |world: &mut World| {
            for id in 0..2 {
                let dice = world.dice();
                world.task_of(world.vat(&format!("vat{id}")), "drawer", async move {
                    dice.below("row", 2).await;
                    noted.lock().unwrap().push(id);
                });
            }
        };
        let run = finished(races, &random(seed));
        assert_eq!(values(&run).len(), 2);
        order.borrow_mut().extend(noted.lock().unwrap().iter());
        seen.insert(order.take());
    }
    assert_eq!(seen, BTreeSet::from([vec![0, 1], vec![1, 0]]));
}

#[test]
fn the_exhaustive_search_tries_every_value() {
    static TOOK: Mutex<BTreeSet<(bool, u32)>> = Mutex::new(BTreeSet::new());
    let scenario = |world: &mut World| {
        let dice = world.dice();
        world.task("drawer", async move {
            let chance = dice.chance("rare", 1, 1_000_000).await;
            let row = dice.below("row", 3).await;
            TOOK.lock().unwrap().insert((chance, row));
        });
    };
    let bound = Bound { preemptions: None, delays: None };
    let explored = explore(scenario, &setup(0), bound, 1_000);
    assert!(explored.searched.complete && explored.first_failure.is_none(), "{:?}", explored.searched);
    assert_eq!(TOOK.lock().unwrap().len(), 6);
}

#[test]
fn a_replay_draws_the_same_values() {
    static TOOK: Mutex<Vec<(bool, u32, &str)>> = Mutex::new(Vec::new());
    for seed in 0..20 {
        let first = finished(many(10, &TOOK), &random(seed));
        let took = std::mem::take(&mut *TOOK.lock().unwrap());
        let choices = first.choices.iter().map(|choice| (choice.value, Some(choice.of.check()))).collect();
        let again = finished(many(10, &TOOK), &Setup { choices: Choices::Given(choices), ..setup(seed) });
        assert_eq!(first.transcript.digest(), again.transcript.digest());
        assert_eq!(took, std::mem::take(&mut *TOOK.lock().unwrap()));
    }
}

#[test]
fn reports_show_the_words_of_options_and_whatever_is_dropped() {
    #[derive(Clone, Debug, PartialEq)]
    enum Status {
        Fine,
        Gone,
    }
    let scenario = |world: &mut World| {
        let dice = world.dice();
        world.task("drawer", async move {
            drop(dice.below("never awaited", 2));
            let _ = select(dice.below("left", 2), dice.below("right", 2)).await;
            while dice.choose("its\nstatus", &[Status::Fine, Status::Gone]).await == Status::Gone {}
        });
    };
    let texts: Vec<String> = (0..20)
        .map(|seed| finished(scenario, &setup(seed)))
        .map(|run| run.transcript.steps_text(&run.schema))
        .collect();
    let text = texts.join("\n");
    for line in ["the draw `its\\nstatus`: Gone", "the draw `its\\nstatus`: Fine", "drawn: Fine"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(
        text.contains("dropped: the draw `left`") && text.contains("dropped: the draw `right`"),
        "{text}"
    );
    assert!(!text.contains("never awaited"), "{text}");
}

/// The message of a run that panicked, and who is blamed.
fn panicked(scenario: impl Fn(&mut World) + Sync) -> String {
    let run = run(scenario, &setup(1));
    let Outcome::Panicked { message, at, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert!(at.starts_with("it/draws.rs:") || at.contains("tests/it/draws.rs:"), "{at}");
    message.clone()
}

#[test]
fn a_look_at_the_world_shows_who_waits_for_a_draw() {
    let scenario = |world: &mut World| {
        let (dice, io) = (world.dice(), world.io());
        world.task("drawer", async move {
            dice.chance("the database fails", 1, 20).await;
        });
        world.background("writer", async move { io.op("write row").await.expect("it never fails") });
    };
    let view = |scenario: &(dyn Fn(&mut World) + Sync)| {
        let run = run(scenario, &Setup { until: Some(1), ..round_robin() });
        run.view.expect("a step").to_string()
    };
    let view_of_both = view(&scenario);
    for line in [
        "drawer (host): waits on the draw `the database fails`",
        "writer (host, in the background): ready",
        "  decide the draw `the database fails`",
    ] {
        assert!(view_of_both.contains(line), "{line}: {view_of_both}");
    }
    let reads = |world: &mut World| {
        let io = world.io();
        world.task("reader", async move { io.op("read row").await.expect("it never fails") });
    };
    assert!(view(&reads).contains("reader (host): waits on g0 read row"), "{}", view(&reads));
}

#[test]
fn draws_outside_of_a_running_world_are_refused_with_a_reason() {
    let early = panicked(|world| drop(world.dice().chance("too early", 1, 2)));
    assert!(early.starts_with("the draw `too early` is asked for while its world does not run."), "{early}");
    assert!(early.contains("World::draw"), "{early}");

    thread_local! {
        static KEPT: RefCell<Option<Dice>> = const { RefCell::new(None) };
    }
    // On this thread, so that the dice outlive their world here.
    let own = |scenario: &dyn Fn(&mut World)| wavetank_sim::run::run_here(|world| scenario(world), &setup(1));
    own(&|world| KEPT.set(Some(world.dice())));
    let kept = KEPT.take().expect("dice");
    let late = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(kept.below("too late", 2))));
    let late = *late.expect_err("it panics").downcast::<String>().expect("a message");
    assert!(late.starts_with("the draw `too late` is asked for while its world does not run."), "{late}");
    let run = own(&|world| {
        let kept = kept.clone();
        world.task("of another world", async move {
            kept.below("foreign", 2).await;
        });
    });
    let Outcome::Panicked { message, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert!(message.starts_with("the draw `foreign` is asked for while its world"), "{message}");

    for (says, draw) in [
        ("the draw `x` is to be yes 3 times in 2", (|dice| drop(dice.chance("x", 3, 2))) as fn(&Dice)),
        ("the draw `x` is to be yes 0 times in 0", |dice| drop(dice.chance("x", 0, 0))),
        ("the draw `x` has nothing to choose from: nothing is below 0", |dice| drop(dice.below("x", 0))),
        ("the draw `x` has nothing to choose from", |dice| drop(dice.choose::<u32>("x", &[]))),
    ] {
        let told = panicked(move |world| {
            let dice = world.dice();
            world.task("drawer", async move { draw(&dice) });
        });
        assert_eq!(told, says);
    }
}

#[test]
fn a_server_can_draw_while_its_call_is_cancelled() {
    let mut dropped = 0;
    for seed in 0..100 {
        let gives_up = |world: &mut World| {
            let bank = transfers(true);
            bank(world);
            let (dice, other) = (world.dice(), world.dice());
            world.task("impatient", async move {
                let waits = pin!(dice.below("slow", 9));
                if let Either::Right(_) = select(waits, pin!(other.below("fast", 9))).await {}
            });
        };
        let run = finished(gives_up, &setup(seed));
        dropped +=
            run.transcript.events.iter().filter(|event| matches!(event, Event::DrawDropped { .. })).count();
    }
    assert!(dropped > 20, "{dropped} were dropped");
}
