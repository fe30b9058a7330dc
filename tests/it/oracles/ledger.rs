//! Resources and the RPC ledger: handles and entries that are not given back.

use super::*;
use wavetank::cell::{HandleLifetime, LeftoverHandle};
use wavetank::{HandleKind, PipeId};
use wavetank_sim::oracle::{ledger, resources};

/// A guest that prints, perhaps on the pipe that carries its RPC, and exits with libc's handles of it open.
fn prints(transport: Transport) -> impl Fn(&mut World) + Send + Sync {
    move |world| {
        let limits = Limits { memory_bytes: 2 * 1024 * 1024, ..Limits::default() };
        let probe = world.cell("probe", guests::PROBE).args(["grow"]).limits(limits).transport(transport);
        probe.serve(peer::executor(world)).spawn();
    }
}

/// The run with further handles left behind by its first cell, each with its birth and last use.
fn leaving(run: &Run, left: &[(HandleKind, Option<PipeId>, u64, u64)]) -> Run {
    let mut run = run.clone();
    let exit = run.facts.cells[0].exit.as_mut().expect("it ended");
    exit.left.extend((100..).zip(left).map(|(handle, &(kind, pipe, born, last_used))| LeftoverHandle {
        handle,
        kind,
        pipe,
        lived: HandleLifetime { born, last_used },
    }));
    run
}

#[test]
fn what_is_left_of_a_link_is_a_leak_but_for_what_libc_keeps() {
    use HandleKind::{Connection, InputStream, OutputStream, Pollable};
    let over_connection = finished(scenario("pid0-streams"), &setup(1));
    let (_, up, down) = over_connection.facts.cells[0].link.expect("it has a link");
    for left in
        [(OutputStream, Some(up)), (InputStream, Some(down)), (Pollable, Some(down)), (Connection, None)]
    {
        let run = leaving(&over_connection, &[(left.0, left.1, 0, 0)]);
        let finding = untouched(&run, resources::judge).expect("it is the link's");
        assert_eq!((finding.oracle, &finding.blame), (Oracle::Resources, &guest("pid0")));
    }
    let over_stdio = finished(scenario("echo"), &setup(1));
    let (_, up, _) = over_stdio.facts.cells[0].link.expect("it has a link");
    let libcs = [(OutputStream, Some(up), 0, 9), (Pollable, Some(up), 1, 9)];
    assert_eq!(untouched(&leaving(&over_stdio, &libcs), resources::judge), None);
    let twice = leaving(&over_stdio, &[libcs[0], libcs[1], (Pollable, Some(up), 1, 9)]);
    let finding = untouched(&twice, resources::judge).expect("libc keeps one");
    assert!(finding.what.ends_with("had not dropped pollable 102 of child-echo stdout"), "{finding:?}");
}

#[test]
fn what_grows_with_use_is_a_leak_and_what_is_kept_is_none() {
    use HandleKind::Pollable;
    let run = finished(scenario("echo"), &setup(1));
    let timer = |born, last_used| (Pollable, None, born, last_used);
    let kept: Vec<_> = (0..20).map(|nth| timer(nth, 20)).collect();
    assert_eq!(untouched(&leaving(&run, &kept), resources::judge), None);
    let one_a_turn: Vec<_> = (0..10).map(|nth| timer(nth, nth)).collect();
    let mut leaks = leaving(&run, &one_a_turn);
    let finding = untouched(&leaks, resources::judge).expect("ten in a row");
    assert!(finding.what.contains("pollable 100 of a timer: 10 in a row were left behind"), "{finding:?}");
    assert_eq!(untouched(&leaving(&run, &one_a_turn[..2]), resources::judge), None);
    // A killed cell may leave handles, and so may a cell that damage struck.
    leaks.facts.damage.is_done = true;
    assert!(untouched(&leaks, resources::judge).is_some(), "damage to others is no excuse");
    leaks.facts.damage.struck.insert(leaks.facts.cells[0].id);
    assert_eq!(untouched(&leaks, resources::judge), None);
}

#[test]
fn a_forgotten_session_is_found_and_an_oracle_that_is_off_hides_no_other() {
    let leak = |world: &mut World| {
        let guest = world.cell("leak", guests::BUGS).args(["g03-leak", "buggy"]);
        guest.transport(Transport::Connection).serve(peer::executor(world)).spawn().expect_exit(0);
    };
    assert_eq!(violated(leak, 1).oracle, Oracle::Resources);
    let off = violated(
        move |world| {
            world.without(Oracle::Resources, "it is known");
            leak(world);
        },
        1,
    );
    assert_eq!(off.oracle, Oracle::Ledger);
}

#[test]
fn bytes_that_are_no_frames_are_the_guests_fault() {
    let run = run(prints(Transport::Stdio), &setup(1));
    assert_eq!(
        untouched(&run, resources::judge),
        None,
        "libc keeps its handles of stdout, and that is no leak"
    );
    let finding = untouched(&run, ledger::judge).expect("text is no frame");
    assert_eq!((finding.oracle, &finding.blame), (Oracle::Ledger, &guest("probe")));
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
    assert!(finding.what.ends_with("question q1 (bootstrap) asked by the cell: returned, never finished"));
    let finding = without(|message| matches!(message, Message::Release { .. })).expect("export 0 stays");
    assert!(finding.what.contains("host's bootstrap: 1 reference"), "{}", finding.what);
    let is_second = |message: &Message| matches!(message, Message::Return(answer) if answer.question.id == 2);
    let finding = without(is_second).expect("q2 stays open");
    assert!(finding.what.ends_with("(Executor.echo) asked by the cell: never returned"), "{}", finding.what);
}

#[test]
fn an_answer_that_comes_twice_is_the_librarys_fault() {
    let run = finished(scenario("echo"), &round_robin());
    let finding = reframed(&run, ledger::judge, |links| {
        let is_answer =
            |message: &Message| matches!(message, Message::Return(answer) if answer.question.id == 1);
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
