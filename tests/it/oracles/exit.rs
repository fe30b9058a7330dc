//! How cells exit, and who is told.

use super::*;
use wavetank_sim::oracle::exit;

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
            let message = Message::Abort(Exception {
                kind: ExceptionKind::Failed,
                reason: "no".into(),
                trace: String::new(),
            });
            links[0].frames.insert(at, Frame { direction: Direction::Down, bytes: 0, message });
        })
    };
    let what = breaks_off(3).expect("its host broke off").what;
    assert_eq!(what, "child-echo exited with 0 although its host broke the link off: failed \"no\"");
    let frames = run.frames()[0].frames.len();
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
                    && answer.question.id == question
                {
                    let kind = ExceptionKind::Failed;
                    answer.outcome =
                        Answer::Exception(Exception { kind, reason: "no".into(), trace: String::new() });
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
    run.facts.cells[0].leave.may_fail = true;
    assert_eq!(reframed(&run, exit::judge, fails(2)), None);
}

#[test]
fn what_is_expected_is_told_with_its_blame() {
    let finding = violated(
        |world| {
            let child = world.cell("child", guests::CHILD_ECHO_STDIO).serve(peer::executor(world)).spawn();
            child.expect_exit(3);
        },
        5,
    );
    assert_eq!((finding.oracle, &finding.blame), (Oracle::Exit, &guest("child")));
    assert_eq!(finding.what, "child exited with 0, expected 3");
}
