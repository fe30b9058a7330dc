//! The settings of single cells: stdin, environment and limits, and what a scenario expects of children.

use capnp::capability::FromClientHook;
use wavetank::TrapClass;
use wavetank::cell::{Limits, Transport};
use wavetank::schema::peer_capnp::{executor, process};
use wavetank_lab::guests;
use wavetank_sim::oracle::{Blame, Finding, Oracle};
use wavetank_sim::world::{CellBuilder, StdinScript};
use wavetank_sim::{Outcome, Setup, World, peer, run};
use wavetank_tests::{finished, round_robin, setup};

/// A cell that lives until the task of its children kills it.
fn parent(world: &World) -> CellBuilder<'_> {
    world.cell("parent", guests::SERVER).transport(Transport::Connection).serve(peer::host(world))
}

/// Starts `probe` as a child with these arguments, does something with it, waits for it, and ends its parent.
fn starts<F: Future<Output = ()>>(
    world: &World,
    parent: CellBuilder<'_>,
    args: &'static [&'static str],
    with: impl FnOnce(process::Client) -> F + 'static,
) {
    let parent = parent.spawn();
    let served = wavetank::peer::executor(world.tank(), parent.cell());
    let cell = parent.cell().clone();
    world.task("starter", async move {
        let executor: executor::Client = served.cast_to();
        let mut request = executor.run_bytes_request();
        request.get().set_wasm(guests::PROBE);
        request.get().set_args(args).expect("texts");
        let started = request.send().promise.await.expect("it starts");
        let process: process::Client = started.get().expect("results").get_process().expect("one");
        with(process.clone()).await;
        process.wait_request().send().promise.await.expect("it ends");
        cell.kill();
    });
}

/// Reads a little of a child's output, and closes it.
async fn reads_a_head(process: process::Client) {
    let stdout = process.stdout_request().send().promise.await.expect("its stdout is its own");
    let stdout = stdout.get().expect("results").get_stream().expect("a stream");
    let mut read = stdout.read_request();
    read.get().set_max_bytes(10);
    read.send().promise.await.expect("it prints");
    stdout.close_request().send().promise.await.expect("it closes");
}

/// Ends a child's stdin.
async fn only_waits(process: process::Client) {
    let stdin = process.stdin_request().send().promise.await.expect("its stdin is its own");
    let stdin = stdin.get().expect("results").get_stream().expect("a stream");
    // It may have ended already.
    let _ = stdin.close_request().send().promise.await;
}

fn violation(outcome: Outcome) -> Finding {
    let Outcome::Violated(finding) = outcome else { panic!("{outcome}") };
    finding
}

// ---- a wanted early close

/// It prints, sleeps for a while, and prints again.
const PRINTS: &[&str] = &["talker", "1000000000"];

#[test]
fn a_child_whose_output_is_closed_early_may_panic_if_the_scenario_says_so() {
    let allowed = |world: &mut World| starts(world, parent(world).may_close_early(), PRINTS, reads_a_head);
    let strict = |world: &mut World| starts(world, parent(world), PRINTS, reads_a_head);
    let mut panics = 0;
    for seed in 0..20 {
        finished(allowed, &setup(seed));
        match run(strict, &setup(seed)).outcome {
            Outcome::Finished => {}
            Outcome::Trapped { cell, panic, .. } => {
                assert_eq!(cell, "talker");
                assert!(panic.expect("it says why").message.contains("failed printing to stdout"));
                panics += 1;
            }
            other => panic!("seed {seed}: {other}"),
        }
    }
    assert!(panics > 0, "it never printed after the close");
}

#[test]
fn a_child_that_panics_for_another_reason_is_blamed_all_the_same() {
    let panics = |world: &mut World| {
        starts(world, parent(world).may_close_early(), &["other", "trap"], only_waits);
    };
    for seed in 0..10 {
        let outcome = run(panics, &setup(seed)).outcome;
        assert!(matches!(&outcome, Outcome::Trapped { cell, .. } if cell == "other"), "{outcome}");
    }
}

// ---- expectations of children

const EXITS: &[&str] = &["worker", "exit", "3"];
const TRAPS: &[&str] = &["worker", "trap"];
const ANSWERS: &[&str] = &["worker", "1"];

/// Arguments of a child, and what is expected of it.
type Expects = (&'static [&'static str], fn(&World));

fn expecting((args, expected): Expects) -> impl Fn(&mut World) {
    move |world| {
        starts(world, parent(world), args, only_waits);
        expected(world);
    }
}

#[test]
fn children_that_end_as_expected_are_no_failures() {
    let met: [Expects; 4] = [
        (EXITS, |world| {
            world.children("work*").expect_exit(3).expect_stdout("");
        }),
        (TRAPS, |world| {
            world.children("worker").expect_trap(TrapClass::Unreachable);
        }),
        (TRAPS, |world| {
            world.children("w*r").expect_stderr("asked to").expect_trap(TrapClass::Unreachable);
        }),
        (ANSWERS, |world| {
            world.children("*").expect_stdout("env: []").expect_exit(0);
        }),
    ];
    for expects in met {
        for seed in 0..10 {
            finished(expecting(expects), &setup(seed));
        }
    }
}

#[test]
fn children_that_end_otherwise_are_found() {
    let unmet: [(Expects, Oracle, &str); 5] = [
        (
            (EXITS, |world| {
                world.children("worker").expect_exit(4);
            }),
            Oracle::Exit,
            "worker exited with 3, expected 4",
        ),
        (
            (EXITS, |world| {
                world.children("*").expect_trap(TrapClass::Unreachable);
            }),
            Oracle::Exit,
            "worker exited with 3, expected a trap: unreachable",
        ),
        (
            (ANSWERS, |world| {
                world.children("worker").expect_stdout("hello");
            }),
            Oracle::Output,
            "hello",
        ),
        (
            (EXITS, |world| {
                world.children("helper*");
            }),
            Oracle::Exit,
            "no child was started whose name matches \"helper*\"",
        ),
        (
            (EXITS, |world| {
                world.children("parent");
            }),
            Oracle::Exit,
            "no child was started whose name matches \"parent\"",
        ),
    ];
    for (expects, oracle, what) in unmet {
        let found = violation(run(expecting(expects), &round_robin()).outcome);
        assert_eq!(found.oracle, oracle, "{}", found.what);
        assert!(found.what.contains(what), "{}", found.what);
    }
    let other_trap: Expects = (TRAPS, |world| {
        world.children("*").expect_trap(TrapClass::EmptyPoll);
    });
    let outcome = run(expecting(other_trap), &setup(0)).outcome;
    assert!(matches!(outcome, Outcome::Trapped { .. }), "{outcome}");
}

// ---- stdin

fn copies(world: &World, typed: StdinScript) {
    let copy = world.cell("copy", guests::CHILD_COPY).stdin_script(typed);
    copy.spawn().expect_exit(0).expect_stdout("first second");
}

#[test]
fn a_script_writes_its_parts_with_pauses_that_the_simulator_chooses() {
    let typed = || StdinScript::new().write(b"first ").pause().write(b"second");
    let mut times = std::collections::BTreeSet::new();
    for seed in 0..40 {
        times.insert(finished(|world: &mut World| copies(world, typed()), &setup(seed)).virtual_ns);
    }
    assert!(times.len() > 3, "the pause has different lengths: {times:?}");
    let calm = finished(|world: &mut World| copies(world, typed()), &round_robin());
    assert_eq!(calm.virtual_ns, 0);
}

#[test]
fn a_stdin_that_is_left_open_has_no_end() {
    let open = |world: &mut World| copies(world, StdinScript::new().write(b"first second").leave_open());
    for seed in 0..10 {
        let Outcome::Stalled(graph) = run(open, &setup(seed)).outcome else {
            panic!("seed {seed}: it waits for the end")
        };
        assert!(graph.to_string().contains("copy stdin"), "{graph}");
    }
}

#[test]
fn a_stdin_without_bytes_is_the_cells_own_and_ends() {
    finished(
        |world: &mut World| {
            let copy = world.cell("copy", guests::CHILD_COPY).stdin(b"").spawn();
            copy.expect_exit(0);
            assert!(copy.cell().link().is_none(), "its stdin carries no link");
        },
        &setup(1),
    );
}

// ---- environment and limits

#[test]
fn a_cell_sees_its_environment_and_keeps_its_limits() {
    finished(
        |world: &mut World| {
            let probe = world.cell("probe", guests::PROBE).args(["1"]).env("A", "b").envs([("C", "d=e")]);
            let probe = probe.spawn();
            probe.expect_exit(0).expect_stdout(r#"env: [("A", "b"), ("C", "d=e")]"#);
        },
        &setup(2),
    );
    finished(
        |world: &mut World| {
            let limits = Limits { fuel: 100_000, ..Limits::default() };
            let probe = world.cell("probe", guests::PROBE).args(["1"]).limits(limits).spawn();
            probe.expect_trap(TrapClass::OutOfFuel);
        },
        &setup(2),
    );
}

// ---- the limit of steps

#[test]
fn a_world_that_reaches_its_limit_of_steps_names_who_ran() {
    let spins = |world: &mut World| {
        world.cell("spinner", guests::FAULT_SPIN).serve(peer::executor(world)).spawn();
    };
    let outcome = run(spins, &Setup { max_steps: 400, ..round_robin() }).outcome;
    assert!(outcome.to_string().starts_with("no rest within 400 steps: spinner ran in "), "{outcome}");
    assert_eq!(outcome.blame(), Some(Blame::Guest("spinner".into()).guessed()));
}
