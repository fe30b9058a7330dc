//! Properties that hold under every seed.

use std::collections::BTreeSet;
use std::sync::Arc;
use wavetank::cell::{Cause, ExitRecord, LeftoverHandle};
use wavetank::{Event, HandleKind, TrapClass};
use wavetank_lab::guests;
use wavetank_lab::scenario::all;
use wavetank_sim::outcome::Outcome;
use wavetank_sim::{Run, Setup, Transport, World, peer, run};
use wavetank_tests::{finished, round_robin, scenario, setup};
use wavetank_trace::frames::Direction;
use wavetank_trace::ledger::Ledger;
use wavetank_trace::schema::Schema;

/// Asserts that a clean run leaves nothing: no handle but those that libc keeps for life, no open entry in any RPC
/// table, no cell.
#[track_caller]
pub(crate) fn nothing_is_left(run: &Run, schema: &Arc<Schema>) {
    // A killed cell had no time to clean up, so its link ends with some entries open.
    let mut killed = BTreeSet::new();
    for (name, exit) in &run.cells {
        let exit = exit.as_ref().unwrap_or_else(|| panic!("{name} has not ended"));
        if exit.cause == Cause::Killed {
            killed.insert(name.clone());
            continue;
        }
        assert!(only_stdio(&exit.left), "seed {}: {name} leaves {:?}", run.seed, exit.left);
    }
    let mut judged_frames = 0;
    for link in run.transcript.frames(schema) {
        if killed.contains(&link.cell) {
            continue;
        }
        judged_frames += link.frames.len();
        let mut ledger = Ledger::default();
        for frame in &link.frames {
            ledger.apply(frame);
        }
        assert_eq!(ledger.open(), [], "seed {}: link of {}", run.seed, link.cell);
        assert_eq!(ledger.cancelled(), [], "seed {}: link of {}", run.seed, link.cell);
        assert_eq!(ledger.violations(), [], "seed {}: link of {}", run.seed, link.cell);
    }
    assert!(killed.len() < run.cells.len(), "seed {}: every cell was killed", run.seed);
    assert!(judged_frames > 0, "seed {}: there is no frame to judge", run.seed);
}

/// libc keeps a stream and its pollable for stdout or stderr if the guest printed there; at most one pair may be left.
fn only_stdio(left: &[LeftoverHandle]) -> bool {
    let count = |kind| left.iter().filter(|left| left.kind == kind).count();
    let (streams, pollables) = (count(HandleKind::OutputStream), count(HandleKind::Pollable));
    streams == pollables && streams <= 1 && left.len() == 2 * streams
}

#[track_caller]
fn seeds(name: &str, seeds: std::ops::Range<u64>) {
    let schema = Arc::new(Schema::from_request(wavetank::schema::REQUEST).expect("our own request"));
    for seed in seeds {
        let run = finished(scenario(name), &setup(seed));
        nothing_is_left(&run, &schema);
    }
}

#[test]
fn echo_finishes_and_leaves_nothing_under_a_thousand_seeds() {
    seeds("echo", 0..1000);
}

#[test]
fn pid0_finishes_and_leaves_nothing_under_a_thousand_seeds() {
    seeds("pid0", 0..1000);
}

#[test]
fn pid0_over_a_connection_finishes_and_leaves_nothing_under_a_thousand_seeds() {
    seeds("pid0-streams", 0..1000);
}

#[test]
fn a_chain_finishes_and_leaves_nothing() {
    seeds("chain", 0..100);
}

/// These worlds cost more time. The step `waves` of .ci tries a thousand seeds of each in the release build.
#[test]
fn every_other_clean_scenario_finishes_and_leaves_nothing() {
    let thousand = ["echo", "pid0", "pid0-streams", "chain"];
    for scenario in all().filter(|scenario| scenario.clean && !thousand.contains(&scenario.name)) {
        seeds(scenario.name, 0..30);
    }
}

#[test]
fn children_end_before_their_parents() {
    for seed in 0..20 {
        let run = finished(scenario("chain"), &setup(seed));
        let ended: Vec<u32> = run
            .transcript
            .events
            .iter()
            .filter_map(|event| match event {
                Event::CellEnded { cell, .. } => Some(cell.0),
                _ => None,
            })
            .collect();
        let youngest_first: Vec<u32> = (1..=8).rev().collect();
        assert_eq!(ended, youngest_first, "seed {seed}");
    }
}

fn trapped(name: &str, seed: u64) -> TrapClass {
    match run(scenario(name), &setup(seed)) {
        Run { outcome: Outcome::Trapped { cell, trap, .. }, .. } => {
            assert_eq!(cell, name);
            assert!(!trap.backtrace.is_empty(), "{trap:?}");
            trap.class
        }
        other => panic!("{name}: {}", other.outcome),
    }
}

#[test]
fn each_of_the_four_faults_ends_in_its_own_way() {
    for seed in 0..50 {
        assert_eq!(trapped("fault-handle", seed), TrapClass::UnknownHandle);
        assert_eq!(trapped("fault-overwrite", seed), TrapClass::WriteOverBudget);
        assert_eq!(trapped("fault-drop", seed), TrapClass::ResourceHasChildren);
        match run(scenario("fault-spin"), &setup(seed)).outcome {
            Outcome::Spinning { who, .. } => assert_eq!(who, "fault-spin"),
            other => panic!("fault-spin: {other}"),
        }
    }
}

// ---- pipes of every size

fn small_pid0(capacity_bytes: usize, transport: Transport) -> impl Fn(&mut World) + Copy + Send {
    move |world| {
        let wasm = match transport {
            Transport::Stdio => guests::PID0_TINY_STDIO,
            Transport::Connection => guests::PID0_TINY,
        };
        let pid0 = world.cell("pid0", wasm).transport(transport).capacity_bytes(capacity_bytes);
        pid0.serve(peer::host(world)).spawn().expect_exit(0).expect_rpc();
    }
}

#[test]
fn pipes_of_one_byte_pass() {
    assert!(guests::CHILD_TINY.len() < 50_000);
    for transport in [Transport::Stdio, Transport::Connection] {
        for seed in 0..3 {
            finished(small_pid0(1, transport), &setup(seed));
        }
        finished(small_pid0(1, transport), &round_robin());
    }
}

#[test]
fn pipes_of_64_bytes_and_of_64_kib_pass() {
    for capacity_bytes in [64, 64 * 1024] {
        for seed in 0..5 {
            finished(small_pid0(capacity_bytes, Transport::Stdio), &setup(seed));
            let setup = Setup { capacity_bytes, ..setup(seed) };
            finished(scenario("pid0"), &setup);
            finished(scenario("pid0-streams"), &setup);
        }
    }
}

/// Sixteen calls of 40,000 bytes each way, all sent before any answer is read, through pipes of 4 KiB.
#[test]
fn both_directions_full_and_blocked_then_drained() {
    let build = |world: &mut World| {
        let child = world.cell("child-echo", guests::CHILD_ECHO_STDIO).capacity_bytes(4096);
        let child = child.args(["--messages", "16", "--bytes", "40000"]);
        child.serve(peer::executor(world)).spawn().expect_exit(0);
    };
    for setup in (0..10).map(setup).chain([round_robin()]) {
        let run = finished(build, &setup);
        let [up, down] = blocked_at_once(&run);
        assert!(up && down, "seed {}: up {up}, down {down}", run.seed);
    }
}

/// Whether each direction of the only link was ever full, that is, held as many unread bytes as it can.
fn blocked_at_once(run: &Run) -> [bool; 2] {
    let link = run.transcript.events.iter().find_map(|event| match event {
        Event::LinkBorn { up, down, .. } => Some([*up, *down]),
        _ => None,
    });
    let pipes = link.expect("a link");
    let (mut held, mut full) = ([0_usize; 2], [false; 2]);
    for event in &run.transcript.events {
        for direction in 0..2 {
            match event {
                Event::Wrote { pipe, bytes } if *pipe == pipes[direction] => held[direction] += bytes.len(),
                Event::Read { pipe, bytes } if *pipe == pipes[direction] => held[direction] -= bytes,
                _ => {}
            }
            full[direction] |= held[direction] >= 4096;
        }
    }
    full
}

// ---- waiting

#[test]
fn a_stall_is_told_as_a_wait_for_graph() {
    // The server serves until its link ends, and nobody ends it.
    let build = |world: &mut World| {
        let server = world.cell("server", guests::SERVER).serve(peer::executor(world)).spawn();
        server.expect_exit(0);
    };
    for setup in (0..20).map(setup).chain([round_robin()]) {
        let run = run(build, &setup);
        let Outcome::Stalled(graph) = &run.outcome else { panic!("{}", run.outcome) };
        assert_eq!(graph.to_string(), "server waits on bytes from server connection in\n");
        assert_eq!(graph.steps, run.transcript.steps.len() as u64);
    }
}

#[test]
fn a_call_that_is_never_answered_is_in_the_graph() {
    use capnp::capability::Promise;
    use wavetank::schema::peer_capnp::executor;
    /// An executor that takes calls and answers none.
    struct Mute;
    impl executor::Server for Mute {
        async fn echo(
            self: std::rc::Rc<Self>,
            _: executor::EchoParams,
            _: executor::EchoResults,
        ) -> Result<(), capnp::Error> {
            Promise::from_future(std::future::pending()).await
        }
    }
    let build = |world: &mut World| {
        let mute: executor::Client = capnp_rpc::new_client(Mute);
        world.cell("child-echo", guests::CHILD_ECHO_STDIO).serve(mute.client).spawn().expect_exit(0);
    };
    let run = run(build, &setup(5));
    let Outcome::Stalled(graph) = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(graph.cells.len(), 1);
    assert_eq!(graph.cells[0].on, ["bytes from child-echo stdin"]);
    assert_eq!(
        graph.calls,
        [
            "the host owes child-echo the answer to q2 Executor.echo",
            "the host owes child-echo the answer to q3 Executor.echo",
        ]
    );
}

#[test]
fn a_panic_of_the_host_is_an_outcome() {
    let run = run(|_| panic!("the scenario is at fault"), &setup(0));
    let Outcome::Panicked { message, at, .. } = run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(message, "the scenario is at fault");
    assert!(at.starts_with("tests/it/waves.rs:"), "{at}");
}

#[test]
fn a_kill_is_told_from_a_trap() {
    let killed = |world: &mut World| {
        let server = world.cell("server", guests::SERVER).serve(peer::executor(world)).spawn();
        server.expect_exit(137);
        let cell = server.cell().clone();
        world.task("killer", async move { cell.kill() });
    };
    for seed in 0..20 {
        let run = finished(killed, &setup(seed));
        let Some(ExitRecord { cause, .. }) = &run.cells[0].1 else { panic!("it ended") };
        assert_eq!(*cause, Cause::Killed);
    }
}

// ---- logs

#[test]
fn up_is_from_the_cell() {
    let schema = Arc::new(Schema::from_request(wavetank::schema::REQUEST).expect("our own request"));
    let run = finished(scenario("echo"), &round_robin());
    let links = run.transcript.frames(&schema);
    assert_eq!(links[0].frames[0].direction, Direction::Up);
}
