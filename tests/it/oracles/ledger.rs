//! Resources and the RPC ledger: what is not given back.

use super::*;
use wavetank_sim::oracle::{ledger, resources};

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
