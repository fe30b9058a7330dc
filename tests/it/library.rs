//! The library from the view of users who write tests with it.

use capnp::capability::Client;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use wavetank::schema::peer_capnp::executor;
use wavetank_choice::strategy::Bound;
use wavetank_lab::guests;
use wavetank_sim::check::engine;
use wavetank_sim::outcome::Outcome;
use wavetank_sim::snapshot::{View, text};
use wavetank_sim::world::yield_now;
use wavetank_sim::{
    Choices, Profile, Run, Seed, Setup, StrategyName, Transport, World, check, explore, peer, run,
};

/// The panic message of a check.
fn panic_of(check: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(check).expect_err("the check fails");
    panic.downcast_ref::<String>().expect("a message").clone()
}

/// An executor of the host that puts `Echo:` before each answer.
struct Loud;

impl executor::Server for Loud {
    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> Result<(), capnp::Error> {
        let message = params.get()?.get_message()?.to_str()?;
        results.get().set_response(format!("Echo: {message}"));
        Ok(())
    }
}

fn loud() -> Client {
    capnp_rpc::new_client::<executor::Client, _>(Loud).client
}

#[test]
fn a_check_that_holds_says_nothing() {
    check("holds", |world| {
        world.cell("child", guests::CHILD_ECHO_STDIO).serve(peer::executor(world)).spawn().expect_exit(0);
    })
    .seeds(0..50)
    .jobs(2)
    .run();
}

#[test]
fn a_failing_check_panics_with_its_account_and_the_line_that_replays_it() {
    let message = panic_of(|| {
        let scenario = |world: &mut World| {
            let child = world.cell("child", guests::CHILD_ECHO_STDIO).serve(peer::executor(world)).spawn();
            child.expect_exit(3);
        };
        check("expects_three", scenario).seeds(5..9).no_failures().run();
    });
    let start = "expects_three: violated (exit): child exited with 0, expected 3 (seed 5, shrunk from ";
    assert!(message.starts_with(start), "{message}");
    assert!(message.contains(" choices to 0)\n"), "{message}");
    assert!(message.contains("replay: WAVETANK_TOKEN=wt1.expects_three.5."), "{message}");
    assert!(message.contains("\n  the whole seed: WAVETANK_SEED=5 "), "{message}");
}

#[test]
fn a_check_that_should_fail_says_so_if_it_does_not() {
    let draws = |bound: u32| {
        check("draws", move |world: &mut World| assert_ne!(world.draw(bound), 3, "drew three"))
            .seeds(0..64)
            .no_failures()
    };
    draws(4).should_fail("drew three").should_fail("replay: WAVETANK_TOKEN=wt1.draws.").run();
    let message = panic_of(move || draws(3).should_fail("drew three").run());
    assert_eq!(message, "draws: no seed of 0..64 fails, and one should");
    let message = panic_of(move || draws(4).should_fail("drew three").should_fail("drew four").run());
    let start =
        "draws: it fails as it should, but the report does not contain \"drew four\"\ndraws: panicked: ";
    assert!(message.starts_with(start), "{message}");
}

#[test]
fn a_check_that_should_fail_saves_nothing() {
    let folder = std::env::temp_dir().join(format!("wavetank-should-fail-{}", std::process::id()));
    check("falls", |_: &mut World| panic!("it falls")).failures(&folder).should_fail("it falls").run();
    assert!(!folder.exists(), "{}", folder.display());
}

#[test]
fn a_failure_is_told_with_the_fewest_and_smallest_choices() {
    let scenario = |world: &mut World| {
        let drawn: Vec<u32> = (0..50).map(|_| world.draw(100)).collect();
        let above = drawn.iter().filter(|&&value| value >= 40).count();
        assert!(above < 3, "{above} are above 39 in {drawn:?}");
    };
    let message = panic_of(move || check("above", scenario).seeds(2..9).no_failures().run());
    assert!(message.starts_with("above: panicked: 3 are above 39 in [40, 40, 40, 0, 0, 0, "), "{message}");
    assert!(message.contains("(seed 2, shrunk from 50 choices to 3)"), "{message}");
    let long = panic_of(move || check("above", scenario).seeds(2..9).shrink_runs(0).no_failures().run());
    assert!(long.contains("(seed 2)"), "{long}");
}

#[test]
fn a_race_is_shrunk_to_the_one_choice_that_loses_it() {
    let race = |world: &mut World| {
        // Other things go on at the same time.
        world.cell("child", guests::CHILD_ECHO_STDIO).serve(peer::executor(world)).spawn().expect_exit(0);
        let (a, b) = (world.vat("a"), world.vat("b"));
        let set = Rc::new(Cell::new(false));
        let seen = set.clone();
        world.task_of(a, "a", async move { set.set(true) });
        world.task_of(b, "b", async move { assert!(seen.get(), "a comes before b") });
    };
    let raced = check("race", race);
    let lost = (0..50).find(|&seed| !raced.run_seed(seed).outcome.is_finished()).expect("one loses");
    let message = panic_of(move || check("race", race).seeds(lost..lost + 1).no_failures().run());
    assert!(message.starts_with("race: panicked: a comes before b (seed "), "{message}");
    // The first choice sets the level of the world, which is calm.
    assert!(message.contains(" choices to 2)\n"), "{message}");
    assert!(message.contains("    step 1: poll b instead of: start child\n"), "{message}");
}

#[test]
fn a_failure_that_does_not_come_again_is_told_with_what_to_do() {
    static RUNS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let message = panic_of(|| {
        let once = |_: &mut World| {
            assert!(RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0, "the first run alone")
        };
        check("once", once).no_failures().run();
    });
    assert!(message.starts_with("once: panicked: the first run alone (seed 0)\n"), "{message}");
    assert!(message.contains("do not make it fail again: `.canary(true)` says what differs"), "{message}");
}

#[test]
fn a_check_passes_over_a_known_fault_and_over_nothing_else() {
    let scenario = |world: &mut World| {
        (wavetank_lab::scenario::find("known-resolve").expect("a scenario").build)(world);
        if world.draw(4) == 3 {
            world.task("patience", std::future::pending());
        }
    };
    let whole = check("known", scenario);
    let news: Vec<u64> = (0..160).filter(|&seed| whole.run_seed(seed).outcome.is_news()).collect();
    assert!(news.len() > 20 && news.len() < 60, "{news:?}");
    let message = panic_of(move || check("known", scenario).seeds(0..160).no_failures().run());
    assert!(message.contains(&format!("(seed {}", news[0])), "{message}");
    let known = (0..160).find(|seed| !news.contains(seed)).expect("most are known");
    check("known", scenario).seeds(known..known + 1).no_failures().run();
}

#[test]
fn the_lowest_failing_seed_is_told_for_any_number_of_threads() {
    // Fails for the seeds that draw a 3, the same for any number of threads.
    let draws = |jobs| {
        panic_of(move || {
            check("draws", |world| assert_ne!(world.draw(4), 3, "drew three"))
                .seeds(0..64)
                .jobs(jobs)
                .no_failures()
                .run()
        })
    };
    let first = draws(1);
    for jobs in [2, 4] {
        assert_eq!(draws(jobs), first);
    }
}

#[test]
fn any_client_can_be_served_and_a_guests_own_capability_called() {
    check("serves", |world| {
        world.cell("child", guests::CHILD_ECHO_STDIO).serve(loud()).spawn().expect_exit(0);
        let server = world.cell("server", guests::SERVER).transport(Transport::Connection);
        let server = server.serve(peer::executor(world)).spawn();
        server.expect_exit(137);
        let (exported, cell) = (server.exported::<executor::Client>(), server.cell().clone());
        world.task("caller", async move {
            let mut request = exported.echo_request();
            request.get().set_message("hello");
            let answer = request.send().promise.await.expect("an answer");
            let response = answer.get().expect("results").get_response().expect("a text");
            assert_eq!(response, "Echo: hello");
            cell.kill();
        });
    })
    .run();
}

#[test]
fn vats_talk_to_each_other_without_any_guest() {
    check("vats", |world| {
        let (a, b) = (world.vat("a"), world.vat("b"));
        let [b_for_a, a_for_b] = world.join("a and b", [(a, loud()), (b, loud())]);
        for (vat, other) in [(a, b_for_a), (b, a_for_b)] {
            let other = executor::Client { client: other };
            world.task_of(vat, "caller", async move {
                let mut request = other.echo_request();
                request.get().set_message("over there");
                let answer = request.send().promise.await.expect("an answer");
                assert_eq!(
                    answer.get().expect("results").get_response().expect("a text"),
                    "Echo: over there"
                );
            });
        }
    })
    .run();
}

#[test]
fn sleep_is_virtual_and_in_order() {
    const HOUR_NS: u64 = 3_600_000_000_000;
    let sleeper = check("sleeps", |world| {
        let clock = world.clock();
        let late = Rc::new(Cell::new(false));
        let (seen, set) = (late.clone(), late);
        let other = clock.clone();
        world.task("late", async move {
            clock.sleep(HOUR_NS).await;
            set.set(true);
        });
        world.task("later", async move {
            other.sleep(2 * HOUR_NS).await;
            assert!(seen.get(), "an hour ends before two");
        });
    });
    assert_eq!(sleeper.run_seed(1).virtual_ns, 2 * HOUR_NS);
    sleeper.run();
}

#[test]
fn drawn_values_belong_to_the_seed() {
    let draws = |seed| {
        let drawn = std::sync::Mutex::new(Vec::new());
        check("draws", |world| drawn.lock().unwrap().extend((0..8).map(|_| world.draw(1000)))).run_seed(seed);
        drawn.into_inner().unwrap()
    };
    assert_eq!(draws(1), draws(1));
    assert_ne!(draws(1), draws(2));
    let dull = std::sync::Mutex::new(None);
    let round_robin = check("draws", |world| *dull.lock().unwrap() = Some(world.draw(1000)));
    round_robin.strategy(StrategyName::RoundRobin).run_seed(1);
    assert_eq!(*dull.lock().unwrap(), Some(0));
}

#[test]
fn a_task_that_waits_for_ever_is_a_stall() {
    let stuck = check("stuck", |world| world.task("patience", std::future::pending()));
    let Outcome::Stalled(graph) = stuck.run_seed(1).outcome else { panic!("it stalls") };
    assert_eq!(graph.tasks, ["task \"patience\" has not ended"]);
}

#[test]
fn a_guest_that_cannot_be_started_is_named_with_the_reason() {
    let run = check("junk", |world| drop(world.cell("junk", b"not wasm").spawn())).run_seed(1);
    let Outcome::Panicked { message, .. } = run.outcome else { panic!("it panics") };
    assert_eq!(message, "guest junk: not a component: these bytes are not WebAssembly");
}

#[test]
fn a_calm_profile_still_varies_the_order_and_nothing_else() {
    let echo = |world: &mut World| {
        world.cell("child", guests::CHILD_ECHO_STDIO).serve(peer::executor(world)).spawn().expect_exit(0);
    };
    let steps = |profile| {
        let echo = check("echo", echo).profile(profile).engine(engine());
        let of = |seed| {
            let run = echo.run_seed(seed);
            assert!(run.outcome.is_finished(), "seed {seed}: {}", run.outcome);
            text(&run, View::Steps)
        };
        (0..50).map(of).collect::<BTreeSet<String>>()
    };
    let calm = steps(Profile::calm());
    assert!(calm.len() > 5, "{} orders", calm.len());
    assert!(!calm.iter().any(|steps| steps.contains("grant")), "pipes flow freely");
    assert!(steps(Profile::swarm()).iter().any(|steps| steps.contains("grant")), "and do not under weather");
}

#[test]
fn each_run_can_be_looked_at_and_a_failed_assertion_is_a_failure_of_its_seed() {
    let echo = |world: &mut World| {
        world.cell("child", guests::CHILD_ECHO_STDIO).serve(peer::executor(world)).spawn().expect_exit(0);
    };
    let calls = |run: &Run| text(run, View::Frames).matches("call       q").count();
    check("two calls", echo).each(move |run| assert_eq!(calls(run), 2)).run();
    let message = panic_of(move || {
        check("three_calls", echo)
            .seeds(4..9)
            .no_failures()
            .each(move |run| assert_eq!(calls(run), 3, "calls"))
            .run();
    });
    assert!(message.starts_with("three_calls: violated (each): assertion"), "{message}");
    assert!(message.contains("WAVETANK_SEED=4"), "{message}");
}

/// The variable that makes the next test fail.
const FAILS: &str = "WAVETANK_TEST_FAILS";

#[expect(clippy::disallowed_methods, reason = "read before any world: the test below starts this one")]
#[test]
fn fails_if_asked() {
    if std::env::var_os(FAILS).is_some() {
        let scenario = |world: &mut World| world.task("waits", std::future::pending());
        check("two words", scenario).seeds(4..5).no_failures().run();
    }
}

/// The line that a failing check prints runs that test and no other, whatever the name of the check.
#[cfg(unix)]
#[test]
fn the_line_that_replays_runs_the_test_again() {
    let text = |ran: std::process::Output| {
        assert!(!ran.status.success());
        format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
    };
    let exe = std::env::current_exe().expect("this test");
    let line = |text: &str, start: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(start));
        line.unwrap_or_else(|| panic!("{start}: {text}")).to_string()
    };
    for args in [&["fails_if_asked"][..], &["--exact", "library::fails_if_asked", "--test-threads", "1"]] {
        let failed = std::process::Command::new(&exe).args(args).env(FAILS, "1").output();
        let failed = text(failed.expect("it runs"));
        for (start, value) in
            [("replay: ", "WAVETANK_TOKEN=wt1.two_words.4."), ("the whole seed: ", "WAVETANK_SEED=4 ")]
        {
            let line = line(&failed, start);
            assert!(line.starts_with(value), "{line}");
            let again = std::process::Command::new("sh").args(["-c", &line]).env(FAILS, "1").output();
            let again = text(again.expect("sh runs"));
            assert!(again.contains("two words: stalled after "), "{line}\n{again}");
            assert!(again.contains("1 failed") && !again.contains(" 1 passed"), "{line}\n{again}");
        }
    }
}

#[test]
fn says_its_seeds() {
    check("says_its_seeds", |_| ()).seeds(0..3).each(|run| println!("ran seed {}.", run.seed)).run();
}

/// Runs the test above in a process of its own, with other environment variables.
#[test]
fn the_environment_chooses_the_seeds() {
    let said = |variable: &str, value: &str| {
        let mut test = std::process::Command::new(std::env::current_exe().expect("this test has a path"));
        test.args(["library::says_its_seeds", "--exact", "--nocapture"]);
        let ran = test.env(variable, value).output().expect("it runs");
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        let seeds: Vec<String> = out
            .split("ran seed ")
            .skip(1)
            .filter_map(|rest| rest.split('.').next().map(String::from))
            .collect();
        (ran.status.success(), seeds, format!("{out}{err}"))
    };
    assert_eq!(said("UNRELATED", "9").1, ["0", "1", "2"]);
    assert_eq!(said("WAVETANK_SEED", "42").1, ["42"]);
    assert_eq!(said("WAVETANK_SEEDS", "7..9").1, ["7", "8"]);
    let of = |name| check(name, |_| ()).run_seed(8).token(name).to_string();
    assert_eq!(said("WAVETANK_TOKEN", &of("says_its_seeds")).1, ["8"]);
    assert_eq!(said("WAVETANK_TOKEN", &of("another")).1, ["0", "1", "2"]);
    for (variable, value) in
        [("WAVETANK_SEED", "many"), ("WAVETANK_SEEDS", "9..7"), ("WAVETANK_TOKEN", "wt1.x")]
    {
        let (passed, _, text) = said(variable, value);
        assert!(!passed && text.contains(variable), "{text}");
    }
}

#[test]
fn a_scenarios_task_is_never_taken_for_the_hosts_own_whatever_its_name() {
    let hidden = check("hidden", |world| world.task("link to nowhere", std::future::pending()));
    let Outcome::Stalled(graph) = hidden.run_seed(1).outcome else { panic!("it stalls") };
    assert_eq!(graph.tasks, ["task \"link to nowhere\" has not ended"]);
    let beside = check("beside", |world| {
        world.cell("server", guests::SERVER).serve(peer::executor(world)).spawn();
        world.task("wait for server", std::future::pending());
    });
    let Outcome::Stalled(graph) = beside.run_seed(1).outcome else { panic!("it stalls") };
    assert_eq!(graph.tasks, ["task \"wait for server\" has not ended"]);
}

#[test]
fn hash_order_inside_a_world_belongs_to_the_seed() {
    let order = |seed| {
        let walked = std::sync::Mutex::new(Vec::new());
        let scenario = |_: &mut World| {
            let set: std::collections::HashSet<u32> = (0..64).collect();
            walked.lock().unwrap().extend(set);
        };
        check("walks", scenario).run_seed(seed);
        walked.into_inner().unwrap()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

/// Two vats with one task each, which is polled `polls` times.
fn two_tasks(world: &World, polls: u32) {
    for name in ["a", "b"] {
        let vat = world.vat(name);
        world.task_of(vat, name, async move {
            for _ in 1..polls {
                yield_now().await;
            }
        });
    }
}

const ALL: Bound = Bound { preemptions: None, delays: None };

fn setup(seed: u64) -> Setup {
    Setup::new(engine(), Seed(seed))
}

#[test]
fn an_exhaustive_search_sees_every_schedule_of_a_world_once() {
    let count = |polls, bound| {
        let explored = explore(|world| two_tasks(world, polls), &setup(0), bound, 10_000);
        assert!(explored.searched.complete && explored.first_failure.is_none());
        explored.searched.schedules
    };
    // The counts are C(2k, k), and with at most p preemptions the sum of 2 C(k-1, ceil(p/2)) C(k-1, floor(p/2)).
    assert_eq!([2, 3, 4, 5].map(|polls| count(polls, ALL)), [6, 20, 70, 252]);
    let at_most = |most| Bound { preemptions: Some(most), delays: None };
    assert_eq!([0, 1, 2, 3].map(|most| count(4, at_most(most))), [2, 8, 26, 44]);
    let some = explore(|world| two_tasks(world, 4), &setup(0), ALL, 69);
    assert_eq!(some.searched.says("two"), "69 schedules of `two` without a bound, not all");
}

#[test]
fn an_exhaustive_search_goes_through_what_a_scenario_draws() {
    let drawn = std::sync::Mutex::new(Vec::new());
    let explored = explore(
        |world| {
            let value = world.draw(3);
            drawn.lock().unwrap().push(value);
            two_tasks(world, 2 + value % 2);
        },
        &setup(0),
        ALL,
        1_000,
    );
    assert!(explored.searched.complete);
    assert_eq!(explored.searched.schedules, 6 + 20 + 6);
    let mut drawn = drawn.into_inner().unwrap();
    assert!(drawn.is_sorted());
    drawn.dedup();
    assert_eq!(drawn, [0, 1, 2]);
}

#[test]
fn an_exhaustive_search_finds_a_lost_update_and_its_token_replays() {
    let lost_update = |world: &mut World| {
        let balance = Rc::new(Cell::new(0));
        for name in ["a", "b"] {
            let (vat, balance) = (world.vat(name), balance.clone());
            world.task_of(vat, name, async move {
                let read = balance.get();
                yield_now().await;
                balance.set(read + 1);
                yield_now().await;
                assert!(balance.get() > read, "lost");
                if read == 1 {
                    assert_eq!(balance.get(), 2);
                }
            });
        }
        let vat = world.vat("auditor");
        world.task_of(vat, "auditor", async move {
            while Rc::strong_count(&balance) > 1 {
                yield_now().await;
            }
            assert_eq!(balance.get(), 2, "an update is lost");
        });
    };
    // The auditor waits in a loop, so only fair schedules end.
    let explored = explore(lost_update, &setup(3), Bound { preemptions: Some(1), delays: None }, 10_000);
    let failure = explored.first_failure.expect("one preemption loses an update");
    assert_eq!(failure.origin, "exhaustive:1");
    let token: wavetank_sim::Token = failure.token("lost").to_string().parse().expect("a token");
    let choices = Choices::try_from(token.recipe).expect("choices that are given");
    let again = run(lost_update, &Setup { choices, ..setup(3) });
    assert_eq!((&again.outcome, again.left_track), (&failure.outcome, None));
    assert_eq!(again.transcript.digest(), failure.transcript.digest());
}

#[test]
fn a_run_of_the_portfolio_says_which_part_took_it_and_replays() {
    let vats = check("vats", |world| two_tasks(world, 5));
    assert_eq!(vats.run_seed(0).origin, "portfolio: random, swarm");
    for seed in 0..16 {
        let ran = vats.run_seed(seed);
        assert!(ran.origin.starts_with("portfolio: ") && ran.origin.ends_with(", swarm"), "{}", ran.origin);
        let token = ran.token("vats");
        let choices = Choices::try_from(token.recipe).expect("choices that are given");
        let again = run(|world| two_tasks(world, 5), &Setup { choices, ..setup(seed) });
        assert_eq!(again.transcript.digest(), ran.transcript.digest());
    }
}
