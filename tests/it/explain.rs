//! How failures are explained: the deciding change, the choices in words, the frames and the causes.

use capnp::capability::FromClientHook;
use capnp_rpc::{new_broken_cap, new_client_from_rc};
use std::cell::Cell;
use std::rc::Rc;
use wavetank::schema::peer_capnp::executor;
use wavetank_choice::menu::Item;
use wavetank_choice::seed::Seed;
use wavetank_choice::strategy::Follow;
use wavetank_lab::bugs;
use wavetank_lab::guests;
use wavetank_sim::explain::{Change, EXPLAIN_RUNS, Explanation, explain};
use wavetank_sim::signature::{SHRINK_RUNS, shrink_run};
use wavetank_sim::world::yield_now;
use wavetank_sim::{Choices, Run, Setup, World, run, run_under};
use wavetank_tests::engine;

/// The first failure of a case, shrunk, and its explanation.
fn told(case: &str) -> (Run, Explanation) {
    let case = bugs::find(case).expect("a case").buggy;
    let setup = |seed| Setup::new(engine(), Seed(seed));
    let failed = (0..500).map(|seed| run(case, &setup(seed))).find(|run| !run.outcome.is_finished());
    let failed = failed.expect("it fails under one of 500 seeds");
    let setup = setup(failed.seed.0);
    let again = |choices: Choices| run(case, &Setup { choices, ..setup.clone() });
    let shrunk = shrink_run(&failed, SHRINK_RUNS, again).expect("it fails again").run;
    let told = explain(&shrunk, EXPLAIN_RUNS, &|strategy| run_under(case, &setup, "again", strategy));
    (shrunk, told)
}

#[test]
fn a_race_is_told_by_the_two_steps_that_lose_it() {
    for (case, of) in [
        ("reorder_3", ["last", "t0", "t1"]),
        ("account", ["t0", "t1", "t1"]),
        ("h05", ["reader", "writer", "peer"]),
    ] {
        let (run, told) = told(case);
        let deciding = told.deciding.unwrap_or_else(|| panic!("{case}: no change\n{:#?}", told.chosen));
        let Change::After { first, second } = deciding.change else { panic!("{case}: {deciding}") };
        let names = run.names();
        let polls = of.map(|name| format!("poll {name}"));
        assert!(first.0 < second.0 && first.1 != second.1, "{case}: {deciding}");
        for moved in [first.1, second.1] {
            assert!(polls.contains(&names.moved(moved)), "{case}: {deciding}");
        }
    }
}

#[test]
fn following_a_run_is_that_run() {
    for case in ["g06", "reorder_5", "h11", "g15", "g12"] {
        let case = bugs::find(case).expect("a case").buggy;
        for seed in 0..20 {
            let setup = Setup::new(engine(), Seed(seed));
            let first = run(case, &setup);
            let moves = first.moves().into_iter().filter(|moved| !moved.kind().is_fault());
            let moves = moves
                .map(|moved| wavetank_choice::menu::Item { kind: moved.kind(), id: moved.id() })
                .collect();
            let follow = Follow::new(moves, &first.choices);
            let again = run_under(case, &setup, "again", || Box::new(follow.clone()));
            assert_eq!(again.transcript.digest(), first.transcript.digest(), "seed {seed}");
        }
    }
}

#[test]
fn a_stall_is_told_with_choices_in_words_and_its_frames() {
    let (_, told) = told("g04");
    insta::assert_snapshot!(told.to_string().trim_end(), @r#"
    blame (a guess): the guest g04
    g04 waits on bytes from g04 connection in
    chosen otherwise than calmly
      step 1: start g04; g04 connection out is held, g04 connection in is held
    it passes if g04 connection out is not held
    link of g04, all 7 frames with their steps (→ to the host, ← to the cell)
         6 → bootstrap  q1
         9 → call       q2 on q1 Executor.echo (message = "first")
        12 → call       q3 on q1 Executor.echo (message = "beside")
        16 ← return     q1 bootstrap (host's bootstrap)
        19 → release    host's bootstrap ×1
        22 ← return     q2 Executor.echo (response = "Echo: first"), needs no finish
        22 ← return     q3 Executor.echo (response = "Echo: beside"), needs no finish
    "#);
}

#[test]
fn a_held_pipe_alone_is_told() {
    let (_, told) = told("g06");
    assert_eq!(told.detail, ["blame: the guest g06", "g06 waits on bytes from g06 connection in"]);
    assert_eq!(told.chosen, ["step 1: start g06; g06 connection out is held"]);
    let deciding = told.deciding.expect("the pipe decides");
    assert_eq!(deciding.to_string(), "it passes if g06 connection out is not held");
    // Nothing was ever written there.
    assert_eq!(told.frames, [""; 0]);
}

#[test]
fn what_a_cell_said_last_is_told() {
    let (_, told) = told("g09");
    assert_eq!(told.stderr.len(), 5, "{told:#?}");
    assert!(told.stderr.iter().all(|line| line.starts_with("child stderr | ")), "{told:#?}");
}

#[test]
fn an_explanation_is_a_screen_long() {
    for case in bugs::ALL.iter().filter(|case| !case.id.ends_with("0") && !case.is_compared) {
        let (run, told) = told(case.id);
        let lines = told.to_string().lines().count();
        assert!(lines <= 28, "{}: {lines} lines: {}\n{told}", case.id, run.outcome);
    }
}

#[test]
fn draws_at_set_up_and_injected_faults_are_told() {
    let (_, told) = told("g13");
    assert!(told.chosen.iter().any(|line| line == "set up: value 1 is 4 of 0 to 5"), "{told:#?}");
    let scenario = |world: &mut World| {
        let child =
            world.cell("child", guests::CHILD_ECHO_STDIO).serve(wavetank_sim::peer::executor(world)).spawn();
        child.expect_exit(0);
        world.invariant("nothing is cut", |world| {
            let cut = world
                .transcript()
                .steps
                .iter()
                .any(|step| step.moved.kind() == wavetank_choice::moves::Kind::Cut);
            if cut { Err("a link is".into()) } else { Ok(()) }
        });
    };
    let profile = "adversarial".parse().expect("a profile");
    let choices = Choices::Drawn(wavetank_sim::StrategyName::Random, profile);
    let setup = |seed| Setup { choices: choices.clone(), ..Setup::new(engine(), Seed(seed)) };
    let failed = (0..500).map(|seed| run(scenario, &setup(seed))).find(|run| !run.outcome.is_finished());
    let failed = failed.expect("a link is cut under one of 500 seeds");
    let told = explain(&failed, 0, &|_| unreachable!("no runs"));
    assert!(
        told.chosen.iter().any(|line| line.contains("injected: cut the link of child stdout")),
        "{told:#?}"
    );
    assert!(
        told.damage[0].starts_with("damage: 1 cut link") || told.damage[0].contains(" cut link"),
        "{told:#?}"
    );
}

/// The causes that the explanation of a scenario names under the calm policy.
fn causes_of(scenario: impl Fn(&mut World) + Sync) -> Vec<String> {
    let setup = Setup { choices: Choices::Given(Vec::new()), ..Setup::new(engine(), Seed(0)) };
    let run = run(&scenario, &setup);
    assert!(!run.outcome.is_finished(), "it is to fail");
    let told = explain(&run, 0, &|_| unreachable!("no runs"));
    assert!(!told.causes.is_empty(), "nothing is told:\n{told}");
    told.causes
}

#[test]
fn a_method_that_a_server_does_not_have_is_named() {
    use wavetank::schema::peer_capnp::host;
    let causes = causes_of(|world| {
        let server = world.cell("server", guests::SERVER).transport(wavetank_sim::Transport::Connection);
        let server = server.serve(wavetank_sim::peer::executor(world)).spawn();
        // It exports an Executor.
        let exported: host::Client = server.exported();
        world.task("caller", async move {
            let _ = exported.executor_request().send().promise.await;
            panic!("no executor");
        });
    });
    let [cause] = &causes[..] else { panic!("{causes:?}") };
    assert!(cause.starts_with("server does not implement Host.executor: q"), "{cause}");
}

#[test]
fn a_call_that_its_caller_cancelled_is_told() {
    use wavetank::schema::peer_capnp::executor;
    let causes = causes_of(|world| {
        let server = world.cell("server", guests::SERVER).transport(wavetank_sim::Transport::Connection);
        let server = server.serve(wavetank_sim::peer::executor(world)).spawn();
        let exported: executor::Client = server.exported();
        world.task("caller", async move {
            let mut request = exported.echo_request();
            request.get().set_message("hello");
            // The bootstrap comes first, so that the call goes out at once.
            let _ = exported.echo_request().send().promise.await;
            drop(request.send().promise);
            // Wait until the link's own task has sent the Finish.
            for _ in 0..20 {
                wavetank_sim::world::yield_now().await;
            }
            panic!("no patience");
        });
    });
    assert!(causes.iter().any(|cause| cause.starts_with("the host cancelled q")), "{causes:?}");
}

#[test]
fn text_on_the_stdout_that_carries_rpc_is_shown() {
    let causes = causes_of(|world| {
        // It prints, although its stdout was said to carry RPC.
        let printer = world.cell("printer", guests::BUGS).args(["g24", "mended"]);
        let printer = printer
            .transport(wavetank_sim::Transport::Stdio)
            .serve(wavetank_sim::peer::executor(world))
            .spawn();
        printer.expect_exit(77);
    });
    let text = "the stdout of printer carries RPC, but what was written there after 0 bytes is no RPC message: it begins with \"";
    assert!(causes.iter().any(|cause| cause.starts_with(text)), "{causes:?}");
}

#[test]
fn output_that_was_thrown_away_is_counted() {
    let max_record_bytes = 1024 * 1024;
    let choices = Choices::Given(Vec::new());
    let setup = Setup { choices, max_record_bytes, ..Setup::new(engine(), Seed(0)) };
    let scenario = |world: &mut World| {
        let cell = world.cell("loud", guests::HOSTILE).args(["flood-stderr"]);
        cell.transport(wavetank_sim::Transport::Connection)
            .serve(wavetank_sim::peer::executor(world))
            .spawn();
    };
    let run = run(scenario, &setup);
    assert!(!run.outcome.is_finished(), "it writes without end");
    let told = explain(&run, 0, &|_| unreachable!("no runs"));
    let [cause] = &told.causes[..] else { panic!("{told}") };
    assert!(
        cause.starts_with("the host threw away ") && cause.contains(" bytes of loud stderr: "),
        "{cause}"
    );
}

#[test]
fn a_panic_between_vats_shows_the_links_of_the_vat_to_blame() {
    let (_, told) = told("v06");
    let titles: Vec<&String> = told.frames.iter().filter(|line| line.starts_with("link between ")).collect();
    let is_of_shop = |title: &&String| title.contains(" and shop, ") || title.contains("between shop and ");
    assert!(titles.len() >= 2 && titles.iter().all(is_of_shop), "{told}");
    let arrows = |title: &String| title.contains("(→ to shop, ← to first)");
    assert!(titles.into_iter().any(arrows), "{told}");
}

#[test]
fn a_failure_without_any_choice_is_said_to_be_calm() {
    let (run, told) = told("g09");
    assert!(run.choices.is_empty() && told.is_calm, "{told}");
    assert!(told.lines().contains(&"it fails although every choice is calm".into()), "{told}");
    let (_, told) = self::told("reorder_3");
    assert!(!told.is_calm, "{told}");
}

/// The menu items of a run's moves. Injected faults are on no menu.
fn items(run: &Run) -> Vec<Item> {
    let moves = run.moves().into_iter().filter(|moved| !moved.kind().is_fault());
    moves.map(|moved| Item { kind: moved.kind(), id: moved.id() }).collect()
}

#[test]
fn a_run_with_exactly_the_named_order_passes() {
    for case in ["reorder_3", "reorder_5", "twostage_2", "account", "h05", "philosophers", "v05"] {
        let (run, told) = told(case);
        let Some(Change::After { first, second }) = told.deciding.map(|deciding| deciding.change) else {
            panic!("{case}: no order is named");
        };
        // The steps that are named count injected faults too; these cases are shrunk to runs without any.
        let all = items(&run);
        assert_eq!(all.len(), run.moves().len(), "{case}");
        let build = bugs::find(case).expect("a case").buggy;
        let passes = |rotate: fn(&mut [Item], usize)| {
            let mut order = all.clone();
            rotate(&mut order[first.0 - 1..second.0], 1);
            let follow = Follow::new(order.clone(), &run.choices);
            let setup = Setup::new(engine(), run.seed);
            let again = run_under(build, &setup, "again", || Box::new(follow.clone()));
            let made = items(&again);
            again.outcome.is_finished() && made.get(..second.0) == Some(&order[..second.0])
        };
        assert!(passes(<[Item]>::rotate_left) || passes(<[Item]>::rotate_right), "{case}");
    }
}

/// Counts calls, and loses one if two are under way at once.
#[derive(Default)]
struct Counter {
    total: Cell<u32>,
    calls: Cell<u32>,
}

impl executor::Server for Counter {
    async fn echo(self: Rc<Self>, _: executor::EchoParams, _: executor::EchoResults) -> capnp::Result<()> {
        let total = self.total.get() + 1;
        yield_now().await;
        self.total.set(total);
        self.calls.set(self.calls.get() + 1);
        Ok(())
    }
}

#[test]
fn the_step_that_lost_an_update_is_named_with_the_calls_that_met() {
    let counts = |world: &mut World| {
        let counter = Rc::new(Counter::default());
        let server = world.vat("server");
        for name in ["ann", "ben"] {
            let visitor = world.vat(name);
            let nothing = new_broken_cap(capnp::Error::failed("nothing is served here".into()));
            let served: executor::Client = new_client_from_rc(counter.clone());
            let [seen, _] = world.join(name, [(visitor, nothing), (server, served.client)]);
            let seen = executor::Client::new(seen.hook);
            world.task_of(visitor, name, async move {
                seen.echo_request().send().promise.await.expect("an answer");
            });
        }
        world.invariant("no call is lost", move |_| match (counter.total.get(), counter.calls.get()) {
            (total, calls) if total == calls => Ok(()),
            (total, calls) => Err(format!("{total} of {calls} calls count")),
        });
    };
    let failed = (0..100).map(|seed| run(counts, &Setup::new(engine(), Seed(seed))));
    let failed = failed.into_iter().find(|run| !run.outcome.is_finished()).expect("one seed loses a call");
    let told = explain(&failed, 0, &|_| unreachable!("no runs"));
    let step = failed.transcript.steps.len();
    let broke = told.detail.iter().position(|line| line.starts_with(&format!("step {step} broke it: ")));
    let broke = broke.unwrap_or_else(|| panic!("{told:#?}"));
    let [second, first] = &told.detail[broke + 1..broke + 3] else { panic!("{told:#?}") };
    assert!(
        second.contains(" Executor.echo of ") && second.contains(" ended, which came in at step "),
        "{told:#?}"
    );
    assert!(first.starts_with("  meanwhile, at step ") && first.ends_with(" ended"), "{told:#?}");
    let callers = |line: &str| ["of ann", "of ben"].map(|of| line.contains(of));
    assert_ne!(callers(second), callers(first), "{told:#?}");
}
