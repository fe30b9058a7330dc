//! The answers of WASI to a guest: `probe` asks, and the waves do not change the answers.

use std::collections::BTreeMap;
use wavetank::cell::{Cause, ExitRecord};
use wavetank::{Event, LOOK_NS, PipeId, TrapClass};
use wavetank_lab::guests;
use wavetank_sim::world::yield_now;
use wavetank_sim::{Limits, Run, Setup, Transport, World, peer};
use wavetank_tests::{finished, round_robin, setup};

const HOUR_NS: u64 = 3_600_000_000_000;

/// The answers that `probe` prints, by question.
struct Answers(BTreeMap<String, String>);

impl Answers {
    fn of(run: &Run) -> Self {
        let line = |line: &str| {
            let (question, answer) = line.split_once(": ").expect("a line is `question: answer`");
            (question.to_string(), answer.to_string())
        };
        Answers(written(run, "probe stdout").lines().map(line).collect())
    }

    #[track_caller]
    fn get(&self, question: &str) -> &str {
        self.0.get(question).unwrap_or_else(|| panic!("no answer to {question} in {:?}", self.0))
    }

    #[track_caller]
    fn are(&self, expected: &[(&str, &str)]) {
        for (question, answer) in expected {
            assert_eq!(self.get(question), *answer, "{question}");
        }
    }
}

/// All bytes that were ever written into a pipe, as text.
pub(crate) fn written(run: &Run, name: &str) -> String {
    let events = &run.transcript.events;
    let born = |event: &Event| match event {
        Event::PipeBorn { pipe, name: born, .. } if **born == *name => Some(*pipe),
        _ => None,
    };
    let wanted: PipeId = events.iter().find_map(born).expect("a pipe of this name");
    let mut bytes = Vec::new();
    for event in events {
        if let Event::Wrote { pipe, bytes: piece } = event
            && *pipe == wanted
        {
            bytes.extend_from_slice(piece);
        }
    }
    String::from_utf8(bytes).expect("guests write text")
}

/// Asks every question, over a connection.
fn ask(setup: &Setup) -> Answers {
    let build = |world: &mut World| {
        let probe = world.cell("probe", guests::PROBE).transport(Transport::Connection);
        let probe = probe.env("GREETING", "hello").env("EMPTY", "").stdin(b"one\ntwo");
        probe.serve(peer::executor(world)).spawn().expect_exit(0).expect_stdout("stdin: ");
    };
    Answers::of(&finished(build, setup))
}

/// Runs `probe` with arguments and limits, and states the expectations of `expect`.
fn probe(
    args: &[&str],
    limits: Limits,
    setup: &Setup,
    expect: impl Fn(&wavetank_sim::world::CellHandle<'_>) + Sync,
) -> Run {
    let build = |world: &mut World| {
        let probe = world.cell("probe", guests::PROBE).args(args.iter().copied()).limits(limits.clone());
        expect(&probe.transport(Transport::Connection).serve(peer::executor(world)).spawn());
    };
    finished(build, setup)
}

#[test]
fn the_answers_are_those_of_a_cell_without_a_machine() {
    for seed in 0..20 {
        let answers = ask(&setup(seed));
        answers.are(&[
            ("args", r#"["probe"]"#),
            ("env", r#"[("GREETING", "hello"), ("EMPTY", "")]"#),
            ("initial-cwd", "None"),
            ("terminal-stdin", "None"),
            ("terminal-stdout", "None"),
            ("terminal-stderr", "None"),
            ("preopens", "[]"),
            ("stdin", r#"7 bytes "one\ntwo""#),
        ]);
    }
}

#[test]
fn arguments_come_as_they_were_given() {
    let odd = ["sleep", "0", "", "two words", "ünïcode\u{0}"];
    let build = |world: &mut World| {
        let probe = world.cell("probe", guests::PROBE).args(odd).transport(Transport::Connection);
        probe.serve(peer::executor(world)).spawn().expect_exit(1).expect_stderr("usage: probe");
    };
    finished(build, &setup(1));
    let run = probe(&["0"], Limits::default(), &setup(1), |probe| {
        probe.expect_exit(0);
    });
    Answers::of(&run).are(&[("args", r#"["probe", "0"]"#), ("env", "[]"), ("stdin", r#"0 bytes """#)]);
}

#[test]
fn an_hours_sleep_moves_both_clocks_by_exactly_an_hour() {
    for seed in 0..20 {
        ask(&setup(seed)).are(&[
            ("monotonic-resolution", "1 ns"),
            ("monotonic-before", "0 ns"),
            ("monotonic-after", "3600000000000 ns"),
            ("wall-before", "946684800.000000000 s"),
            ("wall-after", "946688400.000000000 s"),
        ]);
    }
}

#[test]
fn a_sleep_of_a_nanosecond_is_a_nanosecond() {
    let run = probe(&["1"], Limits::default(), &setup(0), |probe| {
        probe.expect_exit(0);
    });
    Answers::of(&run).are(&[("monotonic-after", "1 ns"), ("wall-after", "946684800.000000001 s")]);
}

#[test]
fn random_bytes_follow_the_seed() {
    const QUESTIONS: [&str; 5] = ["random", "random-u64", "insecure", "insecure-u64", "insecure-seed"];
    let drawn = |seed| {
        let answers = ask(&setup(seed));
        QUESTIONS.map(|question| answers.get(question).to_string())
    };
    let (first, again, other) = (drawn(1), drawn(1), drawn(2));
    assert_eq!(first, again);
    for (one, other) in first.iter().zip(&other) {
        assert_ne!(one, other);
    }
    assert_ne!(first[0], first[2], "one stream, and never the same bytes of it twice");
}

#[test]
fn random_bytes_do_not_follow_the_choices() {
    let seed = 3;
    let waves = ask(&setup(seed));
    let calm = ask(&Setup { choices: round_robin().choices, ..setup(seed) });
    assert_eq!(waves.get("random"), calm.get("random"));
}

#[test]
fn two_cells_of_one_world_draw_different_bytes() {
    let build = |world: &mut World| {
        for name in ["probe", "second"] {
            let probe = world.cell(name, guests::PROBE).args(["0"]).transport(Transport::Connection);
            probe.serve(peer::executor(world)).spawn().expect_exit(0);
        }
    };
    let run = finished(build, &setup(0));
    let random = |pipe| {
        let said = written(&run, pipe);
        said.lines().find(|line| line.starts_with("random: ")).expect("random bytes").to_string()
    };
    assert_ne!(random("probe stdout"), random("second stdout"));
}

#[test]
fn a_connection_and_its_streams_are_handed_out_once() {
    for seed in 0..20 {
        ask(&setup(seed)).are(&[("connection", "ok"), ("input-stream", "ok"), ("output-stream", "ok")]);
    }
    for (twice, says) in [
        ("connection", "create-connection was called twice"),
        ("input", "get-input-stream was called twice"),
        ("output", "get-output-stream was called twice"),
    ] {
        let run = probe(&["twice", twice], Limits::default(), &setup(1), |probe| {
            probe.expect_trap(TrapClass::MisusedConnection);
        });
        let Some(ExitRecord { cause: Cause::Trapped(trap), .. }) = &run.cells[0].1 else {
            panic!("it traps")
        };
        assert!(trap.message.starts_with(says), "{}", trap.message);
    }
}

#[test]
fn where_rpc_runs_over_stdio_there_is_no_connection() {
    for seed in 0..20 {
        let build = |world: &mut World| {
            let child = world.cell("child-echo", guests::CHILD_ECHO).transport(Transport::Stdio);
            child.serve(peer::executor(world)).spawn().expect_trap(TrapClass::MisusedConnection);
        };
        let run = finished(build, &setup(seed));
        let Some(ExitRecord { cause: Cause::Trapped(trap), .. }) = &run.cells[0].1 else {
            panic!("it traps")
        };
        assert!(trap.message.contains("whose RPC runs over stdin and stdout"), "{}", trap.message);
    }
}

#[test]
fn the_exit_code_is_the_guests() {
    for code in [0, 1, 7, 255] {
        probe(&["exit", &code.to_string()], Limits::default(), &setup(0), |probe| {
            probe.expect_exit(code);
        });
    }
}

#[test]
fn traps_are_told_apart() {
    for (damage, class) in [("recurse", TrapClass::StackOverflow), ("trap", TrapClass::Unreachable)] {
        probe(&[damage], Limits::default(), &setup(0), |probe| {
            probe.expect_exit(134).expect_trap(class);
        });
    }
}

#[test]
fn memory_is_refused_at_the_limit_and_a_guest_may_live_on() {
    const PAGE_BYTES: usize = 64 * 1024;
    for memory_bytes in [4 * 1024 * 1024, 8 * 1024 * 1024] {
        let limits = Limits { memory_bytes, ..Limits::default() };
        let run = probe(&["grow"], limits, &setup(0), |probe| {
            probe.expect_exit(0);
        });
        let said = written(&run, "probe stdout");
        let pages: Option<usize> = said.split_whitespace().rev().nth(1).and_then(|word| word.parse().ok());
        let grown_bytes = PAGE_BYTES * pages.unwrap_or_else(|| panic!("no number of pages in {said:?}"));
        assert!((memory_bytes / 2..memory_bytes).contains(&grown_bytes), "{said}");
    }
}

#[test]
fn a_cell_that_burned_all_its_fuel_is_trapped_at_the_limit() {
    // Less fuel than it takes to count as a livelock.
    const FUEL: u64 = 100_000;
    let build = |world: &mut World| {
        let limits = Limits { fuel: FUEL, ..Limits::default() };
        let spin = world.cell("spin", guests::FAULT_SPIN).limits(limits);
        spin.serve(peer::executor(world)).spawn().expect_exit(134).expect_trap(TrapClass::OutOfFuel);
    };
    let run = finished(build, &round_robin());
    assert_eq!(run.cells[0].1.as_ref().map(|exit| exit.fuel), Some(FUEL));
}

#[test]
fn a_blocked_cell_burns_nothing_however_long_it_sleeps() {
    let fuel = |nanos: u64| {
        // Both numbers have as many digits, so that reading the number costs the same.
        let run = probe(&["sleep", &format!("{nanos:020}")], Limits::default(), &setup(0), |probe| {
            probe.expect_exit(0);
        });
        assert_eq!(run.virtual_ns, nanos);
        run.cells[0].1.as_ref().expect("it has ended").fuel
    };
    let second = fuel(HOUR_NS / 3600);
    assert!(second > 0);
    assert_eq!(second, fuel(HOUR_NS));
}

#[test]
fn fuel_does_not_depend_on_the_size_of_its_slices() {
    let fuel = |fuel_slice| {
        let limits = Limits { fuel_slice, ..Limits::default() };
        let run = probe(&["0"], limits, &round_robin(), |probe| {
            probe.expect_exit(0);
        });
        run.cells[0].1.as_ref().expect("it has ended").fuel
    };
    let whole = fuel(u64::MAX);
    assert!(whole > 100_000, "a slice of each size is used up: {whole}");
    for slice in [1_000, 10_000, 100_000] {
        assert_eq!(fuel(slice), whole);
    }
}

#[test]
fn a_cell_over_its_handle_limit_is_trapped() {
    for handles in 0..3 {
        let limits = Limits { handles, ..Limits::default() };
        probe(&["0"], limits, &setup(0), |probe| {
            probe.expect_trap(TrapClass::TooManyHandles);
        });
    }
}

// ---- the W family of the bug benchmark, tested on the tank's own WASI

/// The output of `probe` for one question, and the virtual time at its end.
fn ask_one(question: &str, setup: &Setup) -> (String, u64) {
    let run = probe(&[question], Limits::default(), setup, |probe| {
        probe.expect_exit(0);
    });
    (written(&run, "probe stdout"), run.virtual_ns)
}

/// W01: after each write and flush a stdout becomes ready again.
#[test]
fn stdout_goes_on_after_its_first_write() {
    for seed in 0..100 {
        assert_eq!(ask_one("writes", &setup(seed)).0, "one two three four\n", "seed {seed}");
    }
}

/// W02: all pollables of a stream are ready at the same time.
#[test]
fn all_pollables_of_a_stream_are_ready_together() {
    let ask = |setup: &Setup| {
        let build = |world: &mut World| {
            let probe = world.cell("probe", guests::PROBE).args(["pollables"]).keep_stdin();
            let probe = probe.transport(Transport::Connection).serve(peer::executor(world));
            let mut probe = probe.spawn();
            probe.expect_exit(0);
            let stdin = probe.stdin().expect("stdin is the guest's own");
            let cell = probe.cell().clone();
            world.task("writer", async move {
                for _ in 0..20 {
                    yield_now().await;
                }
                // After a spurious wake-up the guest may have ended. The end of the stream would be news as well.
                let _ = stdin.write(b"news".to_vec().into()).await;
                cell.wait().await;
            });
        };
        written(&finished(build, setup), "probe stdout")
    };
    for setup in (0..100).map(setup).chain([round_robin()]) {
        assert_eq!(ask(&setup), "ready: [true, true, true, true]\n", "seed {}", setup.seed);
    }
}

/// W03: a past instant is ready at once, a future one in its time.
#[test]
fn instants_that_have_passed_are_ready_at_once() {
    for seed in 0..20 {
        let (said, virtual_ns) = ask_one("instants", &setup(seed));
        assert_eq!(said, "ready: [true, true, true, true]\nnow: 1000000000 ns\nthen: 2000000000 ns\n");
        assert_eq!(virtual_ns, 2_000_000_000);
    }
}

/// W04: a guest that polls with a zero time-out lets others have their turn.
#[test]
fn polls_with_a_timeout_of_nothing_let_others_run() {
    let build = |world: &mut World| {
        let probe = world.cell("probe", guests::PROBE).args(["timeouts"]).keep_stdin();
        let mut probe = probe.transport(Transport::Connection).serve(peer::executor(world)).spawn();
        // The guest reads as many bytes as have arrived by then.
        probe.expect_exit(0).expect_stdout("read: n");
        let stdin = probe.stdin().expect("stdin is the guest's own");
        world.task("writer", async move {
            for _ in 0..20 {
                yield_now().await;
            }
            stdin.write(b"news".to_vec().into()).await.expect("the guest reads");
        });
    };
    for setup in (0..100).map(setup).chain([round_robin()]) {
        finished(build, &setup);
    }
}

// ---- rules of WASI's text that hosts forget

#[test]
fn two_handles_on_stdout_may_each_write_what_they_were_permitted() {
    for setup in (0..200).map(setup).chain([round_robin()]) {
        let (said, _) = ask_one("handles", &setup);
        let (a, b) = (said.matches('a').count(), said.matches('b').count());
        assert!(a > 0 && b > 0 && a + b == said.len(), "seed {}: {a} and {b} of {}", setup.seed, said.len());
    }
}

#[test]
fn a_write_of_zeroes_needs_a_permit() {
    let run = probe(&["zeroes"], Limits::default(), &setup(0), |probe| {
        probe.expect_trap(TrapClass::WriteOverBudget);
    });
    let exit = run.cells[0].1.as_ref().expect("it has ended");
    let Cause::Trapped(trap) = &exit.cause else { panic!("{exit:?}") };
    assert!(
        trap.message.contains("a write needs a check-write on the same output-stream"),
        "{}",
        trap.message
    );
}

#[test]
fn a_stream_that_broke_fails_once_and_is_closed_then() {
    let build = |world: &mut World| {
        let probe = world.cell("probe", guests::PROBE).args(["broken"]).keep_stdin();
        let mut probe = probe.transport(Transport::Connection).serve(peer::executor(world)).spawn();
        probe.expect_exit(0);
        let stdin = probe.stdin().expect("stdin is the guest's own");
        let (shared, cell) = (world.tank().shared().clone(), probe.cell().clone());
        world.task("breaker", async move {
            shared.reset(cell.pipes()[0]);
            cell.wait().await;
            drop(stdin);
        });
    };
    for seed in 0..20 {
        let run = finished(build, &setup(seed));
        let said = written(&run, "probe stdout");
        assert_eq!(said, "errors: [\"last-operation-failed\", \"closed\", \"closed\"]\n", "seed {seed}");
    }
}

#[test]
fn a_look_at_the_clock_costs_time_from_the_second_in_a_row_on() {
    for setup in (0..20).map(setup).chain([round_robin()]) {
        let (said, virtual_ns) = ask_one("looks", &setup);
        assert_eq!(said, format!("looks: {:?}\n", [0, LOOK_NS, 2 * LOOK_NS]), "seed {}", setup.seed);
        assert_eq!(virtual_ns, 2 * LOOK_NS);
    }
}

#[test]
fn the_insecure_seed_is_one_value() {
    for seed in 0..20 {
        assert_eq!(ask_one("seeds", &setup(seed)).0, "same: true\n");
    }
}

/// To close a writer of the guest runtime is to wait for its last flush.
#[test]
fn a_writer_of_the_runtime_is_closed_when_all_is_flushed() {
    for seed in 0..60 {
        let build = |world: &mut World| {
            let probe = world.cell("probe", guests::PROBE).args(["close"]).transport(Transport::Connection);
            probe.spawn().expect_exit(0);
        };
        let run = finished(build, &setup(seed));
        assert_eq!(written(&run, "probe stderr"), "flushed: true\n", "seed {seed}");
        assert_eq!(written(&run, "probe stdout").len(), 10_000, "seed {seed}");
    }
}
