//! What hostile guests, peers and files get: docs/hostile.md, a test a line.
//!
//! Those of the command (flags and files that it reads) are in sim/tests/hostile.rs.

use crate::common::{round_robin, setup};
use capnp::message::{Builder, HeapAllocator};
use capnp::serialize;
use capnp::traits::{HasTypeId, ImbueMut};
use capnp_rpc::rpc_capnp::message;
use futures::future::{Either, select};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use wavetank::cell::{Cause, ExitRecord};
use wavetank::guard::{MAX_CAPS, MAX_FRAMES};
use wavetank::schema::peer_capnp::executor;
use wavetank::stdio::KEPT_BYTES;
use wavetank::{Event, PipeReader, PipeWriter, TrapClass, Wire};
use wavetank_sim::oracle::Blame;
use wavetank_sim::world::CellHandle;
use wavetank_sim::{Limits, Outcome, Run, Setup, Transport, World, guests, peer, run};

const MIB: u64 = 1024 * 1024;

// ---- guests

/// How a guest is run.
struct Trial {
    limits: Limits,
    setup: Setup,
    stdin: Vec<u8>,
}

impl Default for Trial {
    fn default() -> Self {
        Trial { limits: Limits::default(), setup: setup(1), stdin: Vec::new() }
    }
}

impl Trial {
    fn of(limits: Limits) -> Self {
        Trial { limits, ..Trial::default() }
    }

    /// Runs a case of the guest `hostile`.
    fn run(&self, case: &str, expect: impl Fn(&CellHandle<'_>) + Sync) -> Run {
        let build = |world: &mut World| {
            let cell = world.cell("hostile", guests::HOSTILE).args([case]).limits(self.limits.clone());
            let cell = cell.stdin(&self.stdin).transport(Transport::Connection);
            expect(&cell.serve(peer::executor(world)).spawn());
        };
        run(build, &self.setup)
    }

    /// Runs a case that traps.
    #[track_caller]
    fn traps(&self, case: &str, class: TrapClass) -> Run {
        let run = self.run(case, |_| ());
        let Outcome::Trapped { trap, .. } = &run.outcome else { panic!("{}", run.outcome) };
        assert_eq!(trap.class, class, "{}", trap.message);
        run
    }

    #[track_caller]
    fn finishes(&self, case: &str, stdout: &str) -> Run {
        let run = self.run(case, |cell| {
            cell.expect_exit(0).expect_stdout(stdout);
        });
        assert!(run.outcome.is_finished(), "{} {:?}", run.outcome, run.outcome.detail());
        run
    }
}

fn exit_of(run: &Run) -> &ExitRecord {
    run.cells[0].1.as_ref().expect("it has ended")
}

fn count(run: &Run, which: impl Fn(&Event) -> bool) -> usize {
    run.transcript.events.iter().filter(|event| which(event)).count()
}

#[test]
fn a_loop_without_end_is_told_as_spinning() {
    let limits = Limits { quiet_fuel: 50_000_000, ..Limits::default() };
    let run = Trial { setup: round_robin(), ..Trial::of(limits) }.run("loop", |_| ());
    let Outcome::Spinning { who, blame, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!((&**who, blame), ("hostile", &Blame::Guest("hostile".into())));
    assert!(run.transcript.steps.len() < 1_000);
}

#[test]
fn a_loop_ends_with_its_fuel() {
    const FUEL: u64 = 20_000_000;
    let run = Trial::of(Limits { fuel: FUEL, ..Limits::default() }).traps("loop", TrapClass::OutOfFuel);
    assert_eq!(exit_of(&run).fuel, FUEL);
}

#[test]
fn a_stack_that_overflows_is_a_trap() {
    Trial::default().traps("recurse", TrapClass::StackOverflow);
}

#[test]
fn memory_grows_to_its_limit_and_no_further() {
    let memory_bytes = 32 * MIB as usize;
    Trial::of(Limits { memory_bytes, ..Limits::default() }).finishes("grow", "refused after");
}

#[test]
fn growth_that_is_refused_without_end_is_told_as_spinning() {
    let limits = Limits { quiet_fuel: 50_000_000, ..Limits::default() };
    let run = Trial::of(limits).run("regrow", |_| ());
    assert!(matches!(run.outcome, Outcome::Spinning { .. }), "{}", run.outcome);
}

#[test]
fn a_million_pollables_are_too_many_handles() {
    let run = Trial::default().traps("pollables", TrapClass::TooManyHandles);
    let born = count(&run, |event| matches!(event, Event::HandleBorn { .. }));
    assert!(born <= Limits::default().handles, "{born}");
}

#[test]
fn a_million_resources_are_too_many_handles() {
    let run = Trial::default().traps("resources", TrapClass::TooManyHandles);
    let born = count(&run, |event| matches!(event, Event::HandleBorn { .. }));
    assert!(born <= Limits::default().handles, "{born}");
}

#[test]
fn handles_taken_and_given_back_without_end_are_told_as_spinning() {
    let run = Trial::default().run("churn", |_| ());
    assert!(matches!(run.outcome, Outcome::Spinning { .. }), "{}", run.outcome);
    // It is found out at the end of a slice, and one of a million makes some ten thousand handles.
    assert!(run.transcript.events.len() < 200_000, "{}", run.transcript.events.len());
}

#[test]
fn a_poll_list_of_a_hundred_thousand_is_a_trap() {
    Trial::default().traps("poll-list", TrapClass::TooManyHandles);
}

#[test]
fn a_poll_list_of_sixteen_million_is_a_trap_before_it_is_copied() {
    Trial::default().traps("poll-list-huge", TrapClass::AskedTooMuch);
}

#[test]
fn a_write_of_four_gibibytes_is_out_of_bounds() {
    Trial::default().traps("write-4g", TrapClass::OutOfBounds);
}

#[test]
fn four_gibibytes_of_zeros_are_a_write_over_budget() {
    Trial::default().traps("zeroes-4g", TrapClass::WriteOverBudget);
}

#[test]
fn a_read_of_four_gibibytes_gives_what_there_is() {
    let stdin = vec![7; 1000];
    Trial { stdin, setup: round_robin(), ..Trial::default() }.finishes("read-4g", "1000 bytes");
}

#[test]
fn four_gibibytes_of_random_bytes_are_a_trap() {
    Trial::default().traps("random-4g", TrapClass::AskedTooMuch);
}

#[test]
fn a_log_without_end_is_told_as_a_flood() {
    let setup = Setup { max_record_bytes: 8 * MIB, ..setup(1) };
    let run = Trial { setup, ..Trial::default() }.run("flood-stderr", |_| ());
    let Outcome::Violated(finding) = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!((finding.oracle, &finding.blame), ("flood", &Blame::Guest("hostile".into())));
    assert!(finding.what.contains("hostile stderr"), "{}", finding.what);
    let written: u64 = run.transcript.events.iter().map(wavetank_sim::oracle::flood::bytes_of).sum();
    assert!(written < 9 * MIB, "{written}");
    let stderr = run.facts.pipes.iter().find(|pipe| &*pipe.name == "hostile stderr").expect("a stderr");
    assert!(stderr.staged_bytes + stderr.visible_bytes <= KEPT_BYTES);
}

#[test]
fn a_guest_that_asks_and_never_reads_loses_its_link() {
    let run = Trial::default().run("flood-link", |_| ());
    assert_eq!(exit_of(&run).code, 1, "{}", run.outcome);
    let calls = link_end(&run).expect("its link ended in an error");
    assert!(calls.contains("wait to be read by the far end"), "{calls}");
}

#[test]
fn junk_to_run_is_refused_with_the_reason() {
    let run = Trial::default().finishes("run-junk", "these bytes are not WebAssembly");
    assert_eq!(run.cells.len(), 1);
}

#[test]
fn a_hundred_megabytes_to_run_are_over_the_limit() {
    let run = Trial::default().finishes("run-100mb", "over the limit: 100000000 bytes of a component");
    assert_eq!(run.cells.len(), 1);
}

#[test]
fn a_fork_bomb_ends_at_the_cells_that_may_live() {
    let setup = Setup { max_cells: 12, ..round_robin() };
    let run = Trial { stdin: guests::HOSTILE.into(), setup, ..Trial::default() }.run("fork", |_| ());
    assert!(run.outcome.is_finished(), "{}", run.outcome);
    assert_eq!(run.cells.len(), 12);
}

#[test]
fn a_fork_bomb_of_detached_children_ends_at_the_cells_that_may_be_started() {
    let setup = Setup { max_cells: 8, ..round_robin() };
    let run = Trial { stdin: guests::HOSTILE.into(), setup, ..Trial::default() }.run("fork-detached", |_| ());
    assert!(run.outcome.is_finished(), "{}", run.outcome);
    assert!((8..=80).contains(&run.cells.len()), "{}", run.cells.len());
}

#[test]
fn detached_children_count_among_their_parents() {
    let limits = Limits { children: 3, ..Limits::default() };
    let setup = Setup { max_cells: 8, ..round_robin() };
    let trial = Trial { stdin: guests::HOSTILE.into(), limits, setup };
    let run = trial.run("fork-detached", |cell| {
        cell.expect_stdout("refused after 3");
    });
    assert!(run.outcome.is_finished(), "{}", run.outcome);
}

// ---- components

/// What comes of a world whose first guest is these bytes.
fn first_guest(bytes: &[u8], limits: Limits) -> Run {
    let build = |world: &mut World| {
        let cell = world.cell("guest", bytes).limits(limits.clone()).serve(peer::executor(world));
        cell.spawn();
    };
    run(build, &setup(1))
}

#[track_caller]
fn cannot_be_started(bytes: &[u8], reason: &str) {
    let run = first_guest(bytes, Limits::default());
    let Outcome::Panicked { message, blame, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert!(message.contains(reason), "{message}");
    assert!(!matches!(blame, Blame::Tank), "{blame}");
}

#[test]
fn a_component_that_is_not_one_cannot_be_started() {
    cannot_be_started(b"", "there are no bytes");
    cannot_be_started(b"hello", "these bytes are not WebAssembly");
    cannot_be_started(b"\0asm\x01\0\0\0", "this is a core module");
    cannot_be_started(&guests::CHILD_ECHO[..1000], "not a component");
}

#[test]
fn a_component_without_its_export_cannot_be_started() {
    cannot_be_started(&component(&[]), "exports no wasi:cli/run");
}

#[test]
fn a_component_whose_export_is_of_another_type_cannot_be_started() {
    let module = [
        &b"\0asm\x01\0\0\0"[..],
        // Types, functions, exports, code: a `run` that takes a number and gives nothing.
        b"\x01\x05\x01\x60\x01\x7f\0\x03\x02\x01\0\x07\x07\x01\x03run\0\0\x0a\x04\x01\x02\0\x0b",
    ];
    let bytes = component(&[
        (1, module.concat()),
        // An instance of it, its `run`, `func(x: u32)`, and `run` lifted to that.
        (2, b"\x01\0\0\0".to_vec()),
        (6, b"\x01\0\0\x01\0\x03run".to_vec()),
        (7, b"\x01\x40\x01\x01x\x79\x01\0".to_vec()),
        (8, b"\x01\0\0\0\0\0".to_vec()),
        // An instance of components with it, exported.
        (5, b"\x01\x01\x01\0\x03run\x01\0".to_vec()),
        (11, b"\x01\0\x12wasi:cli/run@0.2.0\x05\0\0".to_vec()),
    ]);
    cannot_be_started(&bytes, "its wasi:cli/run is not `func() -> result`");
}

#[test]
fn a_component_of_four_gibibytes_of_memory_cannot_be_started() {
    let memory = [vec![1, 0], leb(65_536)].concat();
    let module = [b"\0asm\x01\0\0\0".to_vec(), vec![5, memory.len() as u8], memory].concat();
    cannot_be_started(&component(&[(1, module)]), "needs more than this host gives");
}

#[test]
fn a_component_of_a_hundred_thousand_instances_cannot_be_started() {
    // One empty core module, instantiated over and over.
    let mut instances = leb(100_000);
    instances.extend([0, 0, 0].repeat(100_000));
    cannot_be_started(&component(&[(1, b"\0asm\x01\0\0\0".to_vec()), (2, instances)]), "not a component");
}

#[test]
fn components_within_components_cannot_be_started() {
    let nested = (0..2_000).fold(component(&[]), |inner, _| component(&[(4, inner)]));
    cannot_be_started(&nested, "exports no wasi:cli/run");
}

#[test]
fn a_component_larger_than_its_memory_limit_is_a_trap_of_that_name() {
    let run = first_guest(guests::PROBE, Limits { memory_bytes: 64 * 1024, ..Limits::default() });
    let Outcome::Trapped { trap, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(trap.class, TrapClass::MemoryLimit, "{}", trap.message);
    assert_eq!(exit_of(&run).cause, Cause::Trapped(trap.clone()));
}

/// A component of these sections.
fn component(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    for (id, section) in sections {
        bytes.push(*id);
        bytes.extend(leb(section.len()));
        bytes.extend(section);
    }
    bytes
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        bytes.push(if number > 0 { low | 0x80 } else { low });
        if number == 0 {
            return bytes;
        }
    }
}

// ---- peers

/// What the host serves on a wire: answers `echo`, and never answers `runBytes`, which keeps its parameters.
struct Server;

impl executor::Server for Server {
    async fn run_bytes(
        self: Rc<Self>,
        params: executor::RunBytesParams,
        _: executor::RunBytesResults,
    ) -> Result<(), capnp::Error> {
        std::future::pending::<()>().await;
        drop(params);
        Ok(())
    }

    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> Result<(), capnp::Error> {
        let message = params.get()?.get_message()?.to_str()?;
        results.get().set_response(message);
        Ok(())
    }
}

/// Says these bytes to a host and reads what it says until it has said all. The link then ends.
fn say(bytes: Vec<u8>) -> Run {
    let talk = |input: PipeReader, output: PipeWriter, bytes: Vec<u8>| async move {
        // Refused where the host has heard enough.
        let saying = Box::pin(async move { output.give(bytes.into()).await });
        let hearing = Box::pin(async { while let Ok(Some(_)) = input.take(usize::MAX).await {} });
        match select(saying, hearing).await {
            Either::Left((_, hearing)) => hearing.await,
            Either::Right(_) => {}
        }
    };
    wired(move |world, Wire { input, output, .. }| world.task("peer", talk(input, output, bytes.clone())))
}

fn wired(far_end: impl Fn(&World, Wire) + Sync) -> Run {
    let build = |world: &mut World| {
        let served = capnp_rpc::new_client::<executor::Client, _>(Server);
        let wire = world.wire("peer", served.client);
        far_end(world, wire);
    };
    run(build, &setup(1))
}

/// The error that the link ended with.
fn link_end(run: &Run) -> Option<&str> {
    run.transcript.events.iter().find_map(|event| match event {
        Event::LinkEnded { error: Some(error), .. } => Some(&**error),
        _ => None,
    })
}

/// One frame.
fn frame(fill: impl FnOnce(message::Builder<'_>)) -> Vec<u8> {
    let mut builder = Builder::new_default();
    fill(builder.init_root());
    bytes_of(&builder)
}

fn bytes_of(builder: &Builder<HeapAllocator>) -> Vec<u8> {
    let mut bytes = Vec::new();
    serialize::write_message(&mut bytes, builder).expect("memory");
    bytes
}

/// A frame of one segment, by its words.
fn words(words: &[u64]) -> Vec<u8> {
    let head = [(words.len() as u64) << 32];
    head.iter().chain(words).flat_map(|word| word.to_le_bytes()).collect()
}

fn bootstrap(question: u32) -> Vec<u8> {
    frame(|message| message.init_bootstrap().set_question_id(question))
}

/// A call of `echo` (method 1) or `runBytes` (method 0) on the answer to the bootstrap question 0.
fn call(question: u32, method: u16, fill: impl FnOnce(capnp_rpc::rpc_capnp::call::Builder<'_>)) -> Vec<u8> {
    frame(|message| {
        let mut call = message.init_call();
        call.set_question_id(question);
        call.set_interface_id(executor::Client::TYPE_ID);
        call.set_method_id(method);
        call.reborrow().init_target().init_promised_answer().set_question_id(0);
        fill(call);
    })
}

fn nothing() -> capnp::capability::Client {
    capnp_rpc::new_client::<executor::Client, _>(Server).client
}

/// What a run came to, for one line.
#[track_caller]
fn ends(run: &Run, reason: &str) {
    match &run.outcome {
        Outcome::Finished => {}
        // What no correct side does is told as such, and as this side's.
        Outcome::Violated(finding) => {
            assert_eq!((finding.oracle, &finding.blame), ("ledger", &Blame::Guest("peer".into())));
        }
        other => panic!("{other} {:?}", other.detail()),
    }
    let steps = run.transcript.steps.len();
    assert!(steps < 100_000, "{steps}");
    assert!(run.facts.tasks.iter().all(|task| !task.name.starts_with("rpc ")), "{:?}", run.facts.tasks);
    let said = format!("{} {:?}", link_end(run).unwrap_or_default(), run.outcome.detail());
    let heard = format!("{said} {}", transcript(run));
    assert!(heard.contains(reason), "{reason:?} is not in {heard}");
}

fn transcript(run: &Run) -> String {
    let frames = run.frames(&wavetank_sim::calls::PEER_SCHEMA);
    frames.iter().flat_map(|link| &link.frames).map(|frame| format!("{frame}\n")).collect()
}

#[test]
fn absurd_segment_tables_end_the_link() {
    ends(&say(vec![0xff; 64]), "segments");
    ends(&say([511_u32.to_le_bytes(), [0xff; 4]].concat()), "segments");
    let mut most = 510_u32.to_le_bytes().to_vec();
    most.extend([0xff; 4 * 511]);
    ends(&say(most), "too large");
}

#[test]
fn a_frame_of_32_gibibytes_announced_ends_the_link() {
    ends(&say([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff].into()), "too large");
}

#[test]
fn a_frame_of_100_megabytes_announced_and_not_sent_ends_with_the_wire() {
    let mut bytes = 0_u32.to_le_bytes().to_vec();
    bytes.extend(12_500_000_u32.to_le_bytes());
    let run = wired(move |world, Wire { input, output, .. }| {
        let bytes = bytes.clone();
        world.task("peer", async move {
            let _ = output.give(bytes.into()).await;
            drop(output);
            while let Ok(Some(_)) = input.take(usize::MAX).await {}
        });
    });
    ends(&run, "Premature end of file");
}

#[test]
fn noise_ends_the_link() {
    // The same noise each time: a frame of noise, and noise alone.
    let noise: Vec<u64> = (1..200_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    ends(&say(words(&noise)), "");
    ends(&say(noise.iter().flat_map(|word| word.to_be_bytes()).collect()), "");
}

#[test]
fn deep_nesting_ends_the_link_and_overflows_no_stack() {
    // Root: the message, with one data word and one pointer; kind 99, which there is none of; then pointers, each
    // to a struct of one pointer right behind it.
    let mut deep = vec![1 << 32 | 1 << 48, 99];
    deep.extend(std::iter::repeat_n(1 << 48, 100_000));
    ends(&say(words(&deep)), "too deeply-nested");
}

#[test]
fn a_pointer_bomb_is_copied_up_to_the_traversal_limit_and_no_further() {
    // A list of 200 pointers to one list of 200 pointers, and so on: 200⁴ where it is walked.
    const WIDE: u64 = 200;
    let list = |words_away: i64| 1 | (((words_away as u64) << 2) & 0xffff_ffff) | (6 | WIDE << 3) << 32;
    let mut bomb = vec![1 << 32 | 1 << 48, 99, list(0)];
    for level in 0..4_u64 {
        for place in 0..WIDE {
            let away = (WIDE - place - 1) as i64;
            bomb.push(if level == 3 { 0 } else { list(away) });
        }
    }
    ends(&say(words(&bomb)), "Read limit exceeded");
}

#[test]
fn a_table_of_sixteen_million_capabilities_ends_the_link() {
    let mut bytes = bootstrap(0);
    bytes.extend(call(1, 0, |call| {
        call.init_params().init_cap_table(MAX_CAPS + 1);
    }));
    ends(&say(bytes), "capabilities in one frame");
    // The same in 14 words: a list of structs of no size takes no room.
    let at = |words_away: u64, data: u64, pointers: u64| words_away << 2 | data << 32 | pointers << 48;
    let count = 16_000_000;
    #[rustfmt::skip]
    let call = words(&[
        // The message, of kind call; the call: question 1, method 0; where it goes, and its parameters.
        at(0, 1, 1), 2, at(0, 3, 3), 1, executor::Client::TYPE_ID, 0, at(2, 1, 1), at(3, 0, 2), 0,
        // Export 0; no content; the table: its words, its tag with the count.
        0, 0, 0, 1 | 7 << 32, count << 2,
    ]);
    ends(&say([bootstrap(0), call].concat()), "over the limit: 16000000 capabilities in one frame");
}

#[test]
fn capabilities_that_there_are_not_end_the_link() {
    let mut bytes = bootstrap(0);
    bytes.extend(call(1, 1, |mut call| call.reborrow().init_target().set_imported_cap(u32::MAX)));
    ends(&say(bytes), "not a current export");
    let mut bytes = bootstrap(0);
    bytes.extend(frame(|message| {
        let mut release = message.init_release();
        release.set_id(77);
        release.set_reference_count(1);
    }));
    ends(&say(bytes), "invalid export");
}

#[test]
fn a_release_of_more_than_was_given_ends_the_link() {
    let mut bytes = bootstrap(0);
    bytes.extend(frame(|message| message.init_release().set_reference_count(u32::MAX)));
    ends(&say(bytes), "below zero");
}

#[test]
fn returns_to_questions_never_asked_end_the_link() {
    let bytes = frame(|message| {
        let mut answer = message.init_return();
        answer.set_answer_id(123_456);
        answer.init_results();
    });
    ends(&say(bytes), "Invalid question ID");
}

#[test]
fn a_question_asked_twice_ends_the_link() {
    ends(&say([bootstrap(0), bootstrap(0)].concat()), "already in use");
    let calls = [bootstrap(0), call(1, 0, |_| ()), call(1, 0, |_| ())].concat();
    ends(&say(calls), "in-use question id");
}

#[test]
fn a_promise_that_resolves_to_itself_harms_nobody() {
    use capnp_rpc::rpc_capnp::resolve;
    let mut bytes = bootstrap(0);
    // The host holds the promise as long as it holds the parameters.
    bytes.extend(call(1, 0, |call| call.init_params().init_cap_table(1).get(0).set_sender_promise(7)));
    bytes.extend(frame(|message| {
        let mut resolve: resolve::Builder<'_> = message.init_resolve();
        resolve.set_promise_id(7);
        resolve.init_cap().set_sender_promise(7);
    }));
    bytes.extend(call(2, 1, |call| call.init_params().init_cap_table(1).get(0).set_sender_promise(7)));
    bytes.extend(frame(|message| {
        let mut disembargo = message.init_disembargo();
        disembargo.reborrow().init_target().init_promised_answer().set_question_id(0);
        disembargo.init_context().set_sender_loopback(3);
    }));
    ends(&say(bytes), "does not point back to the sender");
}

#[test]
fn a_bootstrap_answered_with_something_else_is_an_exception() {
    let run = wired(|world, Wire { link, input, output }| {
        world.task("asker", async move {
            if let Ok(client) = link.bootstrap().await {
                let client = executor::Client { client };
                let _ = client.echo_request().send().promise.await;
            }
        });
        world.task("peer", async move {
            // Whatever is asked, the answer to question 0 is a struct and no capability.
            let _ = input.take(usize::MAX).await;
            let answer = frame(|message| {
                let mut answer = message.init_return();
                answer.set_answer_id(0);
                let content = answer.init_results().init_content();
                content.init_as::<executor::echo_results::Builder<'_>>().set_response("no capability");
            });
            let _ = output.give(answer.into()).await;
            let _ = input.take(usize::MAX).await;
            drop(output);
            while let Ok(Some(_)) = input.take(usize::MAX).await {}
        });
    });
    ends(&run, "");
    assert!(run.outcome.is_finished(), "{}", run.outcome);
}

#[test]
fn a_pipeline_of_an_answer_without_the_capability_panics_in_capnp_rpc() {
    // The host asks for a process, gets an answer that holds a text in its place, and looks for the process in it.
    let run = wired(|world, Wire { link, input, output }| {
        world.task("asker", async move {
            let client = executor::Client { client: link.bootstrap().await.expect("a link") };
            let sent = client.run_bytes_request().send();
            let _ = sent.promise.await;
            let _ = sent.pipeline.get_process();
        });
        world.task("peer", async move {
            let answer = |question: u32, cap: bool| {
                frame(|message| {
                    let mut answer = message.init_return();
                    answer.set_answer_id(question);
                    let results = answer.init_results();
                    if cap {
                        let mut results = results;
                        let mut table = Vec::new();
                        let mut content = results.reborrow().init_content();
                        content.imbue_mut(&mut table);
                        content.set_as_capability(nothing().hook);
                        results.init_cap_table(1).get(0).set_sender_hosted(0);
                    } else {
                        let content = results.init_content();
                        content.init_as::<executor::echo_results::Builder<'_>>().set_response("no process");
                    }
                })
            };
            let _ = input.take(usize::MAX).await;
            let _ = output.give(answer(0, true).into()).await;
            let _ = output.give(answer(1, false).into()).await;
            while let Ok(Some(_)) = input.take(usize::MAX).await {}
        });
    });
    let Outcome::Panicked { at, blame, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(*blame, Blame::Library("capnp-rpc"));
    assert!(at.starts_with("capnp-rpc-0.27.3/src/rpc.rs:"), "{at}");
}

#[test]
fn calls_on_what_is_no_capability_are_exceptions() {
    let mut bytes = [bootstrap(0), call(1, 1, |_| ())].concat();
    bytes.extend(call(2, 1, |call| {
        let mut answer = call.init_target().init_promised_answer();
        answer.set_question_id(1);
        answer.init_transform(1).get(0).set_get_pointer_field(0);
    }));
    ends(&say(bytes), "");
}

#[test]
fn a_peer_that_asks_and_never_reads_loses_its_link() {
    let run = wired(|world, Wire { input, output, .. }| {
        world.task("peer", async move {
            let mut question = 0;
            while output.give(bootstrap(question).into()).await.is_ok() {
                question += 1;
            }
            assert!(question as usize <= 2 * MAX_FRAMES, "{question}");
            drop(input);
        });
    });
    ends(&run, "wait to be read by the far end");
}

#[test]
fn a_peer_that_keeps_ever_more_calls_open_loses_its_link() {
    let run = wired(|world, Wire { input, output, .. }| {
        let reading = async move { while let Ok(Some(_)) = input.take(usize::MAX).await {} };
        world.task("reader", reading);
        world.task("peer", async move {
            let _ = output.give(bootstrap(0).into()).await;
            let mut question = 1;
            while output.give(call(question, 0, |_| ()).into()).await.is_ok() {
                question += 1;
            }
            assert!(question as usize <= 2 * MAX_FRAMES, "{question}");
        });
    });
    ends(&run, "frames of the far end that are in use");
}

// ---- the table

/// Tests in a source file.
fn tests_in(file: &str) -> BTreeSet<String> {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a source file");
    let mut lines = source.lines();
    let mut tests = BTreeSet::new();
    while let Some(line) = lines.next() {
        if line.trim() == "#[test]" {
            let name =
                lines.find_map(|line| line.strip_prefix("fn ")).and_then(|line| line.split('(').next());
            tests.insert(name.expect("a test is a function").to_string());
        }
    }
    tests
}

#[test]
fn every_line_of_the_table_is_a_test_and_every_test_a_line() {
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hostile.md"));
    let table = table.expect("the table");
    let mut told = BTreeSet::new();
    for line in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", who, tries, gets, bound, test, ""] = cells[..] else { panic!("five cells: {line}") };
        if who == "who" {
            continue;
        }
        assert!([who, tries, gets, bound, test].iter().all(|cell| !cell.is_empty()), "{line}");
        for test in test.split(", ") {
            assert!(told.insert(test.trim_matches('`').to_string()), "{test} stands there twice");
        }
    }
    let mut tests = tests_in("tests/it/hostile.rs");
    tests.extend(tests_in("sim/tests/hostile.rs"));
    tests.remove("every_line_of_the_table_is_a_test_and_every_test_a_line");
    assert_eq!(told, tests);
}
