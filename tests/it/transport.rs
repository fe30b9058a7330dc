//! The transport of a guest's RPC, and the report if no RPC took place.

use capnp::capability::FromClientHook;
use wavetank::TrapClass;
use wavetank::cell::Transport;
use wavetank::schema::peer_capnp::executor;
use wavetank_lab::guests;
use wavetank_sim::oracle::{Blame, Finding, Oracle, transport};
use wavetank_sim::record::Record;
use wavetank_sim::world::CellBuilder;
use wavetank_sim::{Outcome, Run, World, peer, run};
use wavetank_tests::{engine, finished, round_robin, setup};

/// The violation of a world with one cell, the same under a few seeds.
#[track_caller]
fn violated(build: impl Fn(&mut World) + Sync) -> Finding {
    let found = |seed| {
        let run = run(&build, &setup(seed));
        match run.outcome {
            Outcome::Violated(finding) => finding,
            other => panic!("seed {seed}: {other}\n{}", run.transcript.steps_text(&run.schema)),
        }
    };
    let first = found(0);
    for seed in 1..20 {
        assert_eq!(found(seed).what, first.what, "seed {seed}");
    }
    first
}

/// Runs a cell under many seeds, and requires that it always finishes.
#[track_caller]
fn always_finishes(build: impl Fn(&mut World) + Sync) -> Run {
    for seed in 0..100 {
        finished(&build, &setup(seed));
    }
    finished(&build, &round_robin())
}

fn messages(run: &Run) -> u64 {
    transport::messages(&run.frames())
}

fn first<'w>(world: &'w World, name: &str, wasm: &'w [u8]) -> CellBuilder<'w> {
    world.cell(name, wasm).serve(peer::host(world))
}

// ---- imports decide

#[test]
fn a_guest_imports_a_connection_only_if_it_calls_for_one() {
    let over = |wasm| engine().guest(wasm).expect("a built guest").transport();
    for wasm in [guests::PID0, guests::CHILD_ECHO, guests::RELAY, guests::SERVER, guests::RAW_CONNECTION] {
        assert_eq!(over(wasm), Transport::Connection);
    }
    for wasm in [guests::PID0_STDIO, guests::CHILD_ECHO_STDIO, guests::RELAY_STDIO, guests::CHILD_COPY] {
        assert_eq!(over(wasm), Transport::Stdio);
    }
}

#[test]
fn rpc_takes_place_over_either_transport_if_nothing_is_said() {
    for (wasm, over) in [(guests::PID0, Transport::Connection), (guests::PID0_STDIO, Transport::Stdio)] {
        let run = always_finishes(|world| {
            first(world, "pid0", wasm).spawn().expect_exit(0).expect_rpc();
        });
        assert!(run.facts.cells.iter().all(|cell| cell.transport == over), "the child's too");
        assert!(messages(&run) > 10);
    }
}

#[test]
fn a_guest_made_from_the_text_of_the_interface_runs_over_its_connection() {
    let run = always_finishes(|world| {
        let raw = first(world, "raw", guests::RAW_CONNECTION).spawn();
        raw.expect_exit(0).expect_stdout("two answers").expect_rpc();
    });
    assert_eq!(run.transcript.frames(&run.schema)[0].pending_up_bytes, 0);
}

#[test]
fn children_of_both_kinds_run_beside_one_another() {
    always_finishes(|world| {
        let parent = first(world, "parent", guests::SERVER).transport(Transport::Connection).spawn();
        let served = wavetank::peer::executor(world.tank(), parent.cell());
        let cell = parent.cell().clone();
        world.task("starter", async move {
            let executor: executor::Client = served.cast_to();
            for wasm in [guests::CHILD_ECHO, guests::CHILD_ECHO_STDIO] {
                let mut request = executor.run_bytes_request();
                request.get().set_wasm(wasm);
                request.get().set_args(&["child"][..]).expect("texts");
                let started = request.send().promise.await.expect("it starts");
                let process = started.get().expect("results").get_process().expect("one");
                let ended = process.wait_request().send().promise.await.expect("it ends");
                assert_eq!(ended.get().expect("results").get_exit_code(), 0);
            }
            cell.kill();
        });
    });
}

#[test]
fn a_host_may_speak_first_over_stdio() {
    always_finishes(|world| {
        let relay = world.cell("relay", guests::RELAY_STDIO).serve(peer::executor(world)).spawn();
        relay.expect_rpc();
        let (exported, cell) = (relay.exported::<executor::Client>(), relay.cell().clone());
        world.task("caller", async move {
            let mut request = exported.echo_request();
            request.get().set_message("hello");
            let answer = request.send().promise.await.expect("an answer");
            let response = answer.get().expect("results").get_response().expect("a text");
            assert_eq!(response, "Echo: hello 0");
            cell.kill();
        });
    });
}

// ---- programs without RPC

#[test]
fn a_program_that_prints_keeps_its_stdout() {
    let run = always_finishes(|world| {
        first(world, "slow", guests::CHILD_SLOW).args(["0"]).spawn().expect_exit(0);
        let copy = first(world, "copy", guests::CHILD_COPY).stdin(b"hello").spawn();
        copy.expect_exit(0).expect_stdout("hello");
    });
    assert_eq!(messages(&run), 0);
}

#[test]
fn a_program_that_reads_its_stdin_to_the_end_gets_an_end() {
    let run = always_finishes(|world| {
        first(world, "copy", guests::CHILD_COPY).spawn().expect_exit(0);
    });
    let record = Record::new("copy", &run);
    assert_eq!((record.rpc_messages, record.unopened.len()), (Some(0), 0));
}

// ---- RPC that never ran

#[test]
fn rpc_on_a_stdout_that_is_not_the_link_is_found() {
    let finding = violated(|world| {
        let mut pid0 =
            first(world, "pid0", guests::PID0_STDIO).transport(Transport::Connection).keep_stdin().spawn();
        // Its stdin stays open, because the guest might leave at the end of stdin before it has written anything.
        let stdin = pid0.stdin().expect("stdin is the guest's own");
        let cell = pid0.cell().clone();
        world.task("holds stdin", async move {
            cell.wait().await;
            stdin.close();
        });
    });
    assert_eq!(finding.oracle, Oracle::Transport);
    assert_eq!(finding.what, "pid0 speaks RPC on its stdout, but its link is the connection");
    assert_eq!(finding.blame, Blame::Scenario("it says that the RPC of pid0 runs over a connection".into()));
}

#[test]
fn a_guest_that_leaves_before_its_first_word_is_not_blamed_for_a_connection_it_cannot_open() {
    let mut early = 0;
    for seed in 0..100 {
        let run = run(
            |world: &mut World| {
                first(world, "pid0", guests::PID0_STDIO)
                    .transport(Transport::Connection)
                    .spawn()
                    .expect_exit(0);
            },
            &setup(seed),
        );
        let Outcome::Violated(finding) = &run.outcome else { panic!("seed {seed}: {}", run.outcome) };
        assert_eq!(finding.oracle, Oracle::Transport, "seed {seed}: {finding:?}");
        assert!(matches!(finding.blame, Blame::Scenario(_)), "seed {seed}: {finding:?}");
        early += u32::from(finding.what.starts_with("pid0 failed"));
    }
    assert!(early > 0, "some left before they wrote anything");
}

#[test]
fn a_connection_where_stdio_was_said_is_a_trap() {
    let build = |world: &mut World| {
        let pid0 = first(world, "pid0", guests::PID0).transport(Transport::Stdio).spawn();
        pid0.expect_trap(TrapClass::MisusedConnection);
    };
    finished(build, &setup(1));
}

#[test]
fn a_connection_that_was_never_opened_is_noted() {
    let run = always_finishes(|world| {
        first(world, "probe", guests::PROBE).args(["sleep", "5"]).spawn().expect_exit(0);
    });
    let record = Record::new("probe", &run);
    assert_eq!((record.rpc_messages, &*record.unopened), (Some(0), &["probe".to_string()][..]));
}

#[test]
fn rpc_that_is_expected_and_does_not_take_place_is_found() {
    let finding = violated(|world| {
        first(world, "probe", guests::PROBE).args(["sleep", "5"]).spawn().expect_exit(0).expect_rpc();
    });
    assert_eq!(finding.what, "no call was answered over the link of probe, and RPC was expected");
    assert_eq!(
        finding.detail,
        [
            "not one message was sent over the link of probe",
            "its connection was never opened: it did not call create-connection"
        ]
    );
    let finding = violated(|world| {
        first(world, "tiny", guests::CHILD_TINY).env("A", "b").spawn().expect_exit(0).expect_rpc();
    });
    assert_eq!((finding.oracle, finding.blame), (Oracle::Transport, Blame::Guest("tiny".into())));
}
