//! Each oracle fires at what it is there for, and is silent at its twin.
//!
//! What only the tank could do wrong is shown to the oracle as a doctored transcript of a run that was well; the
//! untouched one is the twin.

use crate::common::{finished, round_robin, scenario, setup};
use capnp::capability::{FromClientHook, Promise};
use std::rc::Rc;
use wavetank::cell::{Cause, CellSpec, ExitRecord};
use wavetank::schema::peer_capnp::{executor, process};
use wavetank::{Event, TrapClass};
use wavetank_sim::calls::PEER_SCHEMA;
use wavetank_sim::frames::{Direction, Exception, ExceptionKind, Frame, Message, Outcome as Answer};
use wavetank_sim::moves::Move;
use wavetank_sim::oracle::{
    Blame, Evidence, Finding, blocking, budget, bytes, exit, fuel, ledger, order, orphans, resources,
};
use wavetank_sim::outcome::Outcome;
use wavetank_sim::transcript::{LinkFrames, Transcript};
use wavetank_sim::{Limits, Run, Transport, World, guests, peer, run};

fn guest(name: &str) -> Blame {
    Blame::Guest(name.into())
}

/// The finding that a scenario ends with.
#[track_caller]
fn violated(build: impl Fn(&mut World) + Send + Sync, seed: u64) -> Finding {
    match run(build, &setup(seed)).outcome {
        Outcome::Violated(finding) => finding,
        other => panic!("seed {seed}: {other} {:?}", other.detail()),
    }
}

type Judge = fn(&Evidence<'_>) -> Option<Finding>;

/// What an oracle says of a run with another transcript.
fn doctored(run: &Run, judge: Judge, doctor: impl FnOnce(&mut Transcript)) -> Option<Finding> {
    let frames = run.frames(&PEER_SCHEMA);
    let mut transcript = run.transcript.clone();
    doctor(&mut transcript);
    judge(&Evidence { steps: &transcript.steps, events: &transcript.events, ..Evidence::of(run, &frames) })
}

/// What an oracle says of a run with other frames.
fn reframed(run: &Run, judge: Judge, doctor: impl FnOnce(&mut Vec<LinkFrames>)) -> Option<Finding> {
    let mut links = run.frames(&PEER_SCHEMA).to_vec();
    doctor(&mut links);
    judge(&Evidence::of(run, &links))
}

fn untouched(run: &Run, judge: Judge) -> Option<Finding> {
    judge(&Evidence::of(run, &run.frames(&PEER_SCHEMA)))
}

// ---- rest

/// Takes calls and answers none.
struct Mute;

impl executor::Server for Mute {
    async fn echo(
        self: Rc<Self>,
        _: executor::EchoParams,
        _: executor::EchoResults,
    ) -> Result<(), capnp::Error> {
        Promise::from_future(std::future::pending()).await
    }
}

fn mute() -> capnp::capability::Client {
    capnp_rpc::new_client::<executor::Client, _>(Mute).client
}

#[track_caller]
fn stall(build: impl Fn(&mut World) + Send + Sync) -> Blame {
    let blames: Vec<Blame> = (0..10)
        .map(|seed| match run(&build, &setup(seed)).outcome {
            Outcome::Stalled(graph) => graph.blame,
            other => panic!("seed {seed}: {other}"),
        })
        .collect();
    assert!(blames.iter().all(|blame| *blame == blames[0]), "{blames:?}");
    blames[0].clone()
}

#[test]
fn a_call_that_its_server_holds_is_that_servers_fault() {
    let blame = stall(|world| {
        world.cell("child-echo", guests::CHILD_ECHO).serve(mute()).spawn();
    });
    assert_eq!(blame, Blame::Capability("Executor.echo".into()));
}

#[test]
fn a_server_that_nobody_ends_is_the_scenarios_fault() {
    let blame = stall(|world| {
        world.cell("server", guests::SERVER).serve(peer::executor(world)).spawn();
    });
    assert_eq!(blame.to_string(), "the scenario: nobody ends server or gives it what it waits for");
}

#[test]
fn a_task_that_does_not_end_is_the_scenarios_fault() {
    let blame = stall(|world| world.task("patience", std::future::pending()));
    assert_eq!(blame.to_string(), "the scenario: its task \"patience\" has not ended");
}

#[test]
fn a_guest_that_does_not_answer_is_to_blame() {
    // It has no RPC, and reads its stdin for ever: the call to its capability stays on the way.
    let blame = stall(|world| {
        let server = world.cell("server", guests::SERVER).serve(mute()).spawn();
        let exported: executor::Client = server.exported();
        let relay = world.cell("relay", guests::RELAY).serve(exported.client).spawn();
        let asked: executor::Client = relay.exported();
        world.task("caller", async move {
            let mut request = asked.echo_request();
            request.get().set_message("hello");
            let _ = request.send().promise.await;
            std::future::pending().await
        });
    });
    // Whoever of the three it is, it is not the tank.
    assert_ne!(blame, Blame::Tank);
}

#[test]
fn whose_fault_it_is_stands_in_the_detail() {
    let run = run(|world| world.task("patience", std::future::pending()), &setup(0));
    assert_eq!(run.outcome.detail()[0], "blame: the scenario: its task \"patience\" has not ended");
    let run = finished(scenario("echo"), &setup(0));
    assert_eq!((run.outcome.blame(), run.outcome.detail()), (None, Vec::new()));
}

// ---- livelock

#[test]
fn who_asks_without_waiting_spins() {
    let run = run(scenario("fault-spin"), &setup(3));
    let Outcome::Spinning { blame, .. } = run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(blame, guest("fault-spin"));
}

fn computes(quiet_fuel: u64) -> impl Fn(&mut World) + Send + Sync {
    move |world| {
        let limits = Limits { fuel_slice: 50, quiet_fuel, ..Limits::default() };
        let child = world.cell("child-echo", guests::CHILD_ECHO).limits(limits);
        child.serve(peer::executor(world)).spawn().expect_exit(0);
    }
}

#[test]
fn who_burns_fuel_and_asks_for_nothing_spins() {
    for seed in 0..10 {
        let run = run(computes(800), &setup(seed));
        let Outcome::Spinning { who, evidence, blame } = run.outcome else { panic!("{}", run.outcome) };
        assert_eq!((&*who, blame), ("child-echo", guest("child-echo")));
        assert!(evidence.ends_with(" fuel and asked its host for nothing"), "{evidence}");
        finished(computes(2_000_000_000), &setup(seed));
    }
}

#[test]
fn naps_between_calls_are_no_livelock() {
    // Its readers sleep between reads, far more than ten times.
    for seed in 0..3 {
        finished(scenario("backpressure"), &setup(seed));
    }
}

// ---- resources and ledger

/// Prints to what carries its RPC, and exits with libc's handles of it open.
fn prints(transport: Transport) -> impl Fn(&mut World) + Send + Sync {
    move |world| {
        let limits = Limits { memory_bytes: 2 * 1024 * 1024, ..Limits::default() };
        let probe = world.cell("probe", guests::PROBE).args(["grow"]).limits(limits).transport(transport);
        probe.serve(peer::executor(world)).spawn();
    }
}

#[test]
fn a_stream_left_in_the_table_is_a_leak_unless_it_is_libcs() {
    let finding = violated(prints(Transport::Stdio), 1);
    assert_eq!((finding.oracle, &finding.blame), ("resources", &guest("probe")));
    assert!(finding.what.contains("output-stream") && finding.what.contains("probe stdout"), "{finding:?}");
    let run = finished(prints(Transport::Connection), &setup(1));
    let left = &run.cells[0].1.as_ref().expect("it ended").left;
    assert!(!left.is_empty(), "libc keeps its handles of stdout, and that is no leak");
}

#[test]
fn a_second_handle_of_stderr_is_a_leak() {
    let mut run = finished(scenario("echo"), &setup(1));
    assert_eq!(untouched(&run, resources::judge), None);
    let exit = run.facts.cells[0].exit.as_mut().expect("it ended");
    let again = exit.left.clone();
    exit.left.extend(again);
    let finding = untouched(&run, resources::judge).expect("twice is once too often");
    assert!(finding.what.contains("child-echo stderr and one more resource"), "{finding:?}");
    // What was killed leaves what it leaves, and so does a cell that was struck.
    run.facts.struck.insert(run.facts.cells[0].id);
    assert_eq!(untouched(&run, resources::judge), None);
}

#[test]
fn bytes_that_are_no_frames_are_the_guests_fault() {
    let run = run(prints(Transport::Stdio), &setup(1));
    let finding = untouched(&run, ledger::judge).expect("text is no frame");
    assert_eq!((finding.oracle, &finding.blame), ("ledger", &guest("probe")));
    let twin = finished(prints(Transport::Connection), &setup(1));
    assert_eq!(untouched(&twin, ledger::judge), None);
}

#[test]
fn a_question_that_is_never_finished_is_the_guests_fault() {
    let run = finished(scenario("echo"), &round_robin());
    assert_eq!(untouched(&run, ledger::judge), None);
    let without = |gone: fn(&Message) -> bool| {
        reframed(&run, ledger::judge, |links| links[0].frames.retain(|frame| !gone(&frame.message)))
    };
    let finding = without(|message| matches!(message, Message::Finish { .. })).expect("q0 stays open");
    assert_eq!(finding.blame, guest("child-echo"));
    assert!(finding.what.ends_with("question q0 (bootstrap) asked by the cell: returned, never finished"));
    let finding = without(|message| matches!(message, Message::Release { .. })).expect("export 0 stays");
    assert!(finding.what.contains("export 0 of the host"), "{}", finding.what);
    let is_second = |message: &Message| matches!(message, Message::Return(answer) if answer.question == 2);
    let finding = without(is_second).expect("q2 stays open");
    assert!(finding.what.ends_with("(Executor.echo) asked by the cell: never returned"), "{}", finding.what);
}

#[test]
fn an_answer_that_comes_twice_is_the_librarys_fault() {
    let run = finished(scenario("echo"), &round_robin());
    let finding = reframed(&run, ledger::judge, |links| {
        let is_answer =
            |message: &Message| matches!(message, Message::Return(answer) if answer.question == 1);
        let frames = &mut links[0].frames;
        let at = frames.iter().position(|frame| is_answer(&frame.message)).expect("an answer");
        let again = frames[at].clone();
        frames.insert(at + 1, again);
    });
    assert_eq!(finding.expect("it was answered before").blame, Blame::Library("capnp-rpc"));
}

#[test]
fn a_frame_that_is_cut_short_by_its_writer_is_found() {
    let run = finished(scenario("echo"), &round_robin());
    let finding = reframed(&run, ledger::judge, |links| {
        for frame in &mut links[0].frames {
            if let Message::Closed { pending_bytes } = &mut frame.message {
                *pending_bytes = 12;
            }
        }
    });
    assert_eq!(
        finding.expect("12 bytes are no frame").what,
        "the cell closed the link of child-echo after 12 bytes of a frame"
    );
}

// ---- order

#[test]
fn a_call_that_overtakes_another_is_found() {
    for seed in 0..10 {
        let run = finished(scenario("echo"), &setup(seed));
        assert_eq!(untouched(&run, order::judge), None);
        let finding = doctored(&run, order::judge, |transcript| {
            let calls: Vec<usize> = (0..transcript.events.len())
                .filter(|&at| matches!(transcript.events[at], Event::Called { .. }))
                .collect();
            transcript.events.swap(calls[0], calls[1]);
        });
        let finding = finding.expect("\"two\" came in before \"one\"");
        assert_eq!(finding.blame, Blame::Library("capnp-rpc"));
        assert_eq!(
            finding.what,
            "on the link of child-echo, Executor.echo came in after a call that was sent later"
        );
    }
}

#[test]
fn calls_that_the_other_end_of_a_link_serves_are_not_those_that_went_up() {
    let run = finished(scenario("echo"), &setup(1));
    let turned = doctored(&run, order::judge, |transcript| {
        let down = transcript.events.iter().find_map(|event| match event {
            Event::LinkBorn { down, .. } => Some(*down),
            _ => None,
        });
        let mut calls = Vec::new();
        for (at, event) in transcript.events.iter_mut().enumerate() {
            if let Event::Called { over, .. } = event {
                *over = down.expect("there is a link");
                calls.push(at);
            }
        }
        transcript.events.swap(calls[0], calls[1]);
    });
    assert_eq!(turned, None);
}

#[test]
fn calls_that_are_alike_have_no_order() {
    let alike = |world: &mut World| {
        let child = world.cell("child-echo", guests::CHILD_ECHO).args(["same", "same"]);
        child.serve(peer::executor(world)).spawn().expect_exit(0);
    };
    let run = finished(alike, &setup(1));
    let swapped = doctored(&run, order::judge, |transcript| {
        let calls: Vec<usize> = (0..transcript.events.len())
            .filter(|&at| matches!(transcript.events[at], Event::Called { .. }))
            .collect();
        transcript.events.swap(calls[0], calls[1]);
    });
    assert_eq!(swapped, None);
}

#[test]
fn every_call_of_a_clean_run_is_known_on_both_sides() {
    for name in ["echo", "pid0", "chain"] {
        let run = finished(scenario(name), &setup(1));
        let mut came: Vec<u64> = Vec::new();
        for event in &run.transcript.events {
            if let Event::Called { params, .. } = event {
                came.push(*params);
            }
        }
        let frames = run.frames(&PEER_SCHEMA);
        let sent = frames.iter().flat_map(|link| &link.frames).filter_map(|frame| match &frame.message {
            Message::Call(call) => Some(call.fingerprint),
            _ => None,
        });
        let mut sent: Vec<u64> = sent.collect();
        came.sort_unstable();
        sent.sort_unstable();
        assert_eq!(came, sent, "{name}");
    }
}

// ---- bytes, budget, fuel

#[test]
fn bytes_that_vanish_or_come_from_nowhere_are_the_tanks_fault() {
    let run = finished(scenario("echo"), &setup(4));
    assert_eq!(untouched(&run, bytes::judge), None);
    let without = |gone: fn(&Event) -> bool| {
        doctored(&run, bytes::judge, |transcript| {
            let at = transcript.events.iter().position(gone).expect("there is one");
            transcript.events.remove(at);
        })
    };
    let lost = without(|event| matches!(event, Event::Read { .. })).expect("a read is missing");
    assert!(lost.what.contains("0 lost, and 0 are there"), "{}", lost.what);
    let made = without(|event| matches!(event, Event::Wrote { .. })).expect("a write is missing");
    assert!(made.what.contains("were read from"), "{}", made.what);
    assert_eq!((lost.blame, made.blame), (Blame::Tank, Blame::Tank));
}

#[test]
fn a_write_beyond_its_grant_is_the_tanks_fault() {
    let granted = |run: &Run| run.transcript.steps.iter().any(|step| matches!(step.moved, Move::Grant(..)));
    let mut found = 0;
    for run in (0..20).map(|seed| finished(scenario("echo"), &setup(seed))).filter(granted) {
        assert_eq!(untouched(&run, budget::judge), None);
        let finding = doctored(&run, budget::judge, |transcript| {
            for step in &mut transcript.steps {
                if let Move::Grant(_, bytes) = &mut step.moved {
                    *bytes = 0;
                }
            }
        });
        if let Some(finding) = finding {
            assert!(finding.what.ends_with("where 0 were granted"), "{}", finding.what);
            found += 1;
        }
    }
    assert!(found > 0, "held pipes are written to after a grant");
}

#[test]
fn a_pipe_that_holds_too_much_is_the_tanks_fault() {
    let build = |world: &mut World| {
        let child = world.cell("child-echo", guests::CHILD_ECHO).capacity_bytes(64);
        child.serve(peer::executor(world)).spawn().expect_exit(0);
    };
    let run = finished(build, &round_robin());
    assert_eq!(untouched(&run, budget::judge), None);
    let finding = doctored(&run, budget::judge, |transcript| {
        let read = |event: &Event| matches!(event, Event::Read { bytes: 64, .. });
        let at = transcript.events.iter().position(read).expect("the pipe was full");
        if let Event::Read { bytes, .. } = &mut transcript.events[at] {
            *bytes = 1;
        }
    });
    assert!(finding.expect("63 bytes more").what.ends_with("and its capacity is 64"));
}

#[test]
fn fuel_beyond_the_limit_or_short_of_it_is_the_tanks_fault() {
    const FUEL: u64 = 300_000;
    let build = |world: &mut World| {
        let limits = Limits { fuel: FUEL, ..Limits::default() };
        let spin = world.cell("spin", guests::FAULT_SPIN).limits(limits);
        spin.serve(peer::executor(world)).spawn().expect_trap(TrapClass::OutOfFuel);
    };
    let run = finished(build, &round_robin());
    assert_eq!(untouched(&run, fuel::judge), None);
    let burned = |fuel: u64| {
        let mut run = run.clone();
        let cell = run.facts.cells[0].exit.as_mut().expect("it ended");
        cell.fuel = fuel;
        for event in &mut run.transcript.events {
            if let Event::CellEnded { fuel: told, .. } = event {
                *told = fuel;
            }
        }
        untouched(&run, fuel::judge).map(|finding| finding.what)
    };
    assert_eq!(burned(FUEL), None);
    assert_eq!(burned(FUEL + 1).as_deref(), Some("spin burned 300001 fuel, and its limit is 300000"));
    assert_eq!(burned(FUEL - 1).as_deref(), Some("spin ran out of fuel after 299999 of 300000"));
}

// ---- exit

#[test]
fn who_exits_with_0_over_a_broken_link_is_to_blame() {
    let run = finished(scenario("echo"), &round_robin());
    let failed = doctored(&run, exit::judge, |transcript| {
        for event in &mut transcript.events {
            if let Event::LinkEnded { error, .. } = event {
                *error = Some("no more".into());
            }
        }
    });
    assert!(failed.expect("its link failed").what.ends_with("its link failed: no more"));
    let breaks_off = |at: usize| {
        reframed(&run, exit::judge, |links| {
            let message = Message::Abort(Exception { kind: ExceptionKind::Failed, reason: "no".into() });
            links[0].frames.insert(at, Frame { direction: Direction::Down, bytes: 0, message });
        })
    };
    let what = breaks_off(3).expect("its host broke off").what;
    assert_eq!(what, "child-echo exited with 0 although its host broke the link off: failed \"no\"");
    let frames = run.frames(&PEER_SCHEMA)[0].frames.len();
    assert_eq!(breaks_off(frames), None, "it had closed its side, and could not know");
    assert_eq!(untouched(&run, exit::judge), None);
}

#[test]
fn an_exception_that_nobody_took_note_of_is_found_unless_it_may_be() {
    let mut run = finished(scenario("echo"), &round_robin());
    assert_eq!(untouched(&run, exit::judge), None);
    let fails = |question: u32| {
        move |links: &mut Vec<LinkFrames>| {
            for frame in &mut links[0].frames {
                if let Message::Return(answer) = &mut frame.message
                    && answer.question == question
                {
                    let kind = ExceptionKind::Failed;
                    answer.outcome = Answer::Exception(Exception { kind, reason: "no".into() });
                }
            }
        }
    };
    assert_eq!(reframed(&run, exit::judge, fails(1)), None, "another answer came after it");
    let finding = reframed(&run, exit::judge, fails(2)).expect("the last answer is an exception");
    assert_eq!(
        finding.what,
        "child-echo exited with 0 although the last answer it got was an exception, to Executor.echo: failed \"no\""
    );
    run.facts.cells[0].may_fail = true;
    assert_eq!(reframed(&run, exit::judge, fails(2)), None);
}

#[test]
fn what_is_expected_is_told_with_its_blame() {
    let finding = violated(
        |world| {
            let child = world.cell("child", guests::CHILD_ECHO).serve(peer::executor(world)).spawn();
            child.expect_exit(3);
        },
        5,
    );
    assert_eq!((finding.oracle, &finding.blame), ("exit", &guest("child")));
    assert_eq!(finding.what, "child exited with 0, expected 3");
}

// ---- orphans

fn starts_for_nobody(world: &mut World, kept: bool) {
    let tank = world.tank().clone();
    let spec = CellSpec {
        guest: tank.engine().guest(guests::SERVER).expect("a guest"),
        name: "stray".into(),
        args: vec!["stray".into()],
        env: Vec::new(),
        transport: Transport::Stdio,
        limits: Limits::default(),
        capacity_bytes: 4096,
        detached: false,
        vat: world.vat("its own"),
    };
    world.cell("child-echo", guests::CHILD_ECHO).serve(peer::executor(world)).spawn().expect_exit(0);
    world.task("starter", async move {
        let (cell, _stdio) = tank.start(spec, None, |_| mute()).expect("room");
        if !kept {
            cell.kill();
        }
    });
}

#[test]
fn a_cell_that_was_started_for_nobody_and_lives_on_is_an_orphan() {
    for seed in 0..10 {
        let finding = violated(|world| starts_for_nobody(world, true), seed);
        assert_eq!((finding.oracle, &*finding.who), ("orphans", "stray"));
        assert_eq!(finding.blame, Blame::Capability("that started stray".into()));
        finished(|world: &mut World| starts_for_nobody(world, false), &setup(seed));
    }
}

#[test]
fn a_child_that_outlives_its_parent_is_the_tanks_fault() {
    let run = finished(scenario("chain"), &setup(2));
    assert_eq!(untouched(&run, orphans::judge), None);
    let ends = |transcript: &Transcript| -> Vec<usize> {
        let is_end = |at: &usize| matches!(transcript.events[*at], Event::CellEnded { .. });
        (0..transcript.events.len()).filter(is_end).collect()
    };
    let swap = |transcript: &mut Transcript| {
        let ends = ends(transcript);
        transcript.events.swap(ends[0], ends[1]);
    };
    let finding = doctored(&run, orphans::judge, swap).expect("the last but one ended first");
    assert_eq!(finding.blame, Blame::Tank);
    assert!(finding.what.contains(" outlives its parent "), "{}", finding.what);
    let detached = doctored(&run, orphans::judge, |transcript| {
        swap(transcript);
        for event in &mut transcript.events {
            if let Event::CellBorn { detached, .. } = event {
                *detached = true;
            }
        }
    });
    assert_eq!(detached, None);
}

// ---- blocking

/// `child-slow` blocks in reads of its stdin to the end, which comes after an hour or never, and somebody asks for what it exports.
fn reads_on(asked: bool, ends: bool) -> impl Fn(&mut World) + Send + Sync {
    const HOUR_NS: u64 = 3_600_000_000_000;
    move |world| {
        let parent = world.cell("parent", guests::SERVER).transport(Transport::Connection);
        let parent = parent.serve(mute()).spawn();
        let served = wavetank::peer::executor(world.tank(), parent.cell());
        let (cell, clock) = (parent.cell().clone(), world.clock());
        world.task("starter", async move {
            let executor: executor::Client = served.cast_to();
            let mut request = executor.run_bytes_request();
            request.get().set_wasm(guests::CHILD_SLOW);
            request.get().set_args(&["child-slow", "0"][..]).expect("texts");
            let started = request.send().promise.await.expect("it starts");
            let process: process::Client = started.get().expect("results").get_process().expect("one");
            drop(started);
            let bootstrap = process.bootstrap_request().send().promise;
            let bootstrap = async move {
                if asked {
                    let _ = bootstrap.await;
                }
                std::future::pending::<()>().await;
            };
            let end = async {
                if !ends {
                    std::future::pending::<()>().await;
                }
                clock.sleep(HOUR_NS).await;
            };
            futures::future::select(Box::pin(bootstrap), Box::pin(end)).await;
            drop(process);
            clock.sleep(1).await;
            cell.kill();
        });
    }
}

#[test]
fn who_blocks_on_stdin_while_its_link_has_bytes_is_to_blame() {
    let blocks = |run: Run| {
        let Outcome::Violated(finding) = run.outcome else { panic!("{}", run.outcome) };
        assert_eq!((finding.oracle, &finding.blame), ("blocking", &guest("child-slow")));
        let start = "child-slow is inside blocking-read on child-slow stdin while ";
        assert!(finding.what.starts_with(start), "{finding:?}");
    };
    // The calm policy lets time pass only when nothing else can happen: it is found before the hour is over.
    let calm = run(reads_on(true, true), &round_robin());
    assert_eq!(calm.virtual_ns, 0);
    blocks(calm);
    for seed in 0..10 {
        blocks(run(reads_on(true, false), &setup(seed)));
        finished(reads_on(false, true), &setup(seed));
    }
}

#[test]
fn a_poll_that_leaves_the_link_out_is_found_at_rest() {
    let run = run(reads_on(true, false), &setup(1));
    let mut run = run.clone();
    let slow = &mut run.facts.cells[1];
    assert_eq!(&*slow.name, "child-slow");
    slow.blocked_in = Some("poll");
    assert!(untouched(&run, blocking::judge).expect("bytes wait").what.contains("inside poll"));
    let (_, _, down) = run.facts.cells[1].link.expect("a link");
    run.facts.cells[1].blocked.push(wavetank::Blocked::Reading(down));
    assert_eq!(untouched(&run, blocking::judge), None);
}

// ---- invariants

#[test]
fn an_invariant_is_asked_after_every_step() {
    let invariant = |world: &mut World| {
        world.cell("child-echo", guests::CHILD_ECHO).serve(peer::executor(world)).spawn();
        world.invariant("short", |world| {
            if world.transcript().steps.len() < 7 { Ok(()) } else { Err("that is seven".into()) }
        });
    };
    let run = run(invariant, &setup(1));
    assert_eq!(run.transcript.steps.len(), 7);
    let Outcome::Violated(finding) = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!((finding.oracle, &*finding.who), ("invariant", "short"));
    assert_eq!(finding.what, "\"short\" does not hold after step 7: that is seven");
}

#[test]
fn an_invariant_that_holds_says_nothing_and_changes_nothing() {
    let holds = |world: &mut World| {
        world.cell("child-echo", guests::CHILD_ECHO).serve(peer::executor(world)).spawn();
        world.invariant("no cell traps", |world| {
            let trapped = |exit: &ExitRecord| matches!(exit.cause, Cause::Trapped(_));
            let cells = world.tank().cells();
            let one = cells.iter().find(|cell| cell.exit().is_some_and(|exit| trapped(&exit)));
            one.map_or(Ok(()), |cell| Err(cell.name().to_string()))
        });
    };
    for seed in 0..10 {
        let with = finished(holds, &setup(seed));
        let without = finished(scenario("echo"), &setup(seed));
        assert_eq!(with.transcript.digest(), without.transcript.digest());
    }
}

// ---- panics

/// Fails in the middle of a call.
struct Clumsy;

impl executor::Server for Clumsy {
    async fn echo(
        self: Rc<Self>,
        _: executor::EchoParams,
        _: executor::EchoResults,
    ) -> Result<(), capnp::Error> {
        let none: Option<u32> = "none".parse().ok();
        Err(capnp::Error::failed(none.expect("a number").to_string()))
    }
}

#[test]
fn a_panic_names_its_place_and_its_layer() {
    let run = run(
        |world: &mut World| {
            let clumsy = capnp_rpc::new_client::<executor::Client, _>(Clumsy).client;
            world.cell("child-echo", guests::CHILD_ECHO).serve(clumsy).spawn();
        },
        &setup(0),
    );
    let Outcome::Panicked { message, at, blame } = run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(message, "a number");
    assert!(at.starts_with("tests/it/oracles.rs:"), "{at}");
    assert_eq!(blame, Blame::Scenario("it or a capability of its own panicked".into()));
}
