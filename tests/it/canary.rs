//! The canary: a run that follows the seed is the same three times, and a run that does not is caught.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use wavetank::TrapClass;
use wavetank::schema::peer_capnp::executor;
use wavetank_lab::guests;
use wavetank_sim::canary::run_compared;
use wavetank_sim::outcome::{ComparedWith, Divergence};
use wavetank_sim::{Choices, Outcome, Profile, Run, Setup, StrategyName, World, check, peer};
use wavetank_tests::{scenario, setup};

// ---- runs that follow the seed

/// Compares a second run on its own thread, and one on Pulley: transcripts, choices, exits and fuel.
#[track_caller]
fn same_on_both_engines(name: &str, seeds: u64) {
    for seed in 0..seeds {
        let run = run_compared(scenario(name), &setup(seed));
        assert_eq!(run.outcome, Outcome::Finished, "{name} seed {seed}");
        assert_eq!(run.compared, [ComparedWith::SecondRun, ComparedWith::Pulley], "{name} seed {seed}");
    }
}

#[test]
fn booting_and_echoing_are_the_same_on_both_engines() {
    for name in ["pid0", "pid0-streams", "echo"] {
        same_on_both_engines(name, 50);
    }
}

#[test]
fn families_are_the_same_on_both_engines() {
    same_on_both_engines("chain", 12);
    same_on_both_engines("crowd", 12);
    same_on_both_engines("pipeline", 12);
}

#[test]
fn bytes_and_clean_up_are_the_same_on_both_engines() {
    same_on_both_engines("backpressure", 3);
    same_on_both_engines("full-duplex", 8);
    same_on_both_engines("cleanup", 16);
}

#[test]
fn no_clean_scenario_is_left_out_here() {
    let clean: Vec<&str> = wavetank_lab::scenario::all().filter(|of| of.clean).map(|of| of.name).collect();
    let compared = [
        "pid0",
        "pid0-streams",
        "echo",
        "chain",
        "crowd",
        "pipeline",
        "backpressure",
        "full-duplex",
        "cleanup",
    ];
    assert_eq!(clean, compared);
}

#[test]
fn traps_are_the_same_on_both_engines() {
    for name in ["fault-handle", "fault-overwrite", "fault-drop"] {
        for seed in 0..8 {
            let run = run_compared(scenario(name), &setup(seed));
            assert!(matches!(run.outcome, Outcome::Trapped { .. }), "{name}: {}", run.outcome);
            assert_eq!(run.compared.len(), 2);
        }
    }
}

#[test]
fn where_a_stack_overflows_pulley_is_not_asked() {
    let recurse = |world: &mut World| {
        let probe = world.cell("probe", guests::PROBE).args(["recurse"]);
        probe.transport(wavetank_sim::Transport::Connection).spawn().expect_trap(TrapClass::StackOverflow);
    };
    let run = run_compared(recurse, &setup(1));
    assert_eq!(run.outcome, Outcome::Finished);
    assert_eq!(run.compared, [ComparedWith::SecondRun]);
}

#[test]
fn each_run_has_a_thread_of_its_own() {
    thread_local!(static RUNS: Cell<u32> = const { Cell::new(0) });
    check("thread-local", |world| {
        RUNS.set(RUNS.get() + 1);
        say(world, &RUNS.get().to_string());
    })
    .seeds(0..20)
    .canary(true)
    .run();
}

// ---- runs that do not follow the seed

/// Sends a text to a guest.
fn say(world: &World, what: &str) {
    let server = world.cell("server", guests::SERVER).transport(wavetank_sim::Transport::Connection);
    let server = server.serve(peer::executor(world)).spawn();
    server.expect_exit(137);
    let (exported, cell, what) =
        (server.exported::<executor::Client>(), server.cell().clone(), what.to_string());
    world.task("caller", async move {
        let mut request = exported.echo_request();
        request.get().set_message(&what);
        request.send().promise.await.expect("an answer");
        cell.kill();
    });
}

/// Runs a scenario that cheats; gives the divergence that was caught.
#[track_caller]
fn caught(cheat: impl Fn(&mut World) + Sync) -> (Divergence, Run) {
    // Do not survey: that would be one more run, and some of these scenarios count runs.
    let choices = Choices::Drawn(StrategyName::Random, Profile::swarm());
    let run = run_compared(cheat, &Setup { choices, ..setup(5) });
    let Outcome::Diverged(divergence) = run.outcome.clone() else {
        panic!("it diverges, but was {}", run.outcome)
    };
    assert_eq!(divergence.against, ComparedWith::SecondRun);
    assert_ne!(divergence.first, divergence.other);
    (divergence, run)
}

#[test]
fn a_wall_clock_is_caught_at_the_call_that_tells_it() {
    let (divergence, run) = caught(|world| {
        #[expect(clippy::disallowed_methods, reason = "it cheats: that is what is to be caught")]
        let now = std::time::SystemTime::now(); // The cheat that the canary must catch.
        let since = now.duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        say(world, &format!("{:039}", since.as_nanos()));
    });
    for saw in [&divergence.first, &divergence.other] {
        assert!(saw.starts_with("wrote ") && saw.contains("Executor.echo (message = \"00000"), "{saw}");
    }
    // The first step that differs: all steps before it are the same, and at this one the host is polled.
    let step = run.transcript.steps[divergence.step as usize - 1].moved;
    assert_eq!(step, wavetank_sim::moves::Move::Poll(0));
}

#[test]
fn hash_keys_from_elsewhere_are_caught() {
    let (divergence, _) = caught(|world| {
        #[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "it cheats")]
        let keys = std::thread::spawn(std::collections::hash_map::RandomState::new).join().expect("keys");
        let mut map = std::collections::HashMap::with_hasher(keys);
        map.extend((0..64).map(|number| (number, ())));
        #[expect(clippy::iter_over_hash_type, reason = "it cheats")]
        for (number, ()) in map {
            world.vat(&format!("vat {number}"));
        }
    });
    assert_eq!(divergence.step, 0, "it cheats before the first step");
    assert!(divergence.first.starts_with("born: vat vat "), "{}", divergence.first);
}

#[test]
fn a_counter_of_the_process_is_caught_and_the_account_says_what_each_saw() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let counted =
        check("counted", |world| say(world, &format!("run {}", RUNS.fetch_add(1, Ordering::Relaxed))));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        counted.strategy(StrategyName::Random).seeds(3..9).canary(true).no_failures().run()
    }));
    let panic = panic.expect_err("it is caught");
    let message = panic.downcast_ref::<String>().expect("a message");
    let start = "counted: diverged: the second run of the same seed differs at step ";
    assert!(message.starts_with(start) && message.contains(" (seed 3)\n"), "{message}");
    assert!(message.contains("  the first run: wrote ") && message.contains("run 0"), "{message}");
    assert!(message.contains("  the second run: wrote ") && message.contains("run 1"), "{message}");
}

#[test]
fn a_failure_that_comes_only_once_is_caught() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let (divergence, run) =
        caught(|_| assert!(RUNS.fetch_add(1, Ordering::Relaxed) > 0, "the first run alone"));
    assert_eq!(divergence.first, "panicked: the first run alone");
    assert_eq!(divergence.other, "born: vat host");
    assert_eq!((divergence.step, run.transcript.steps.len()), (0, 0));
}
