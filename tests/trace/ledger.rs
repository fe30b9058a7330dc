use crate::traffic::{Handout, Manner, Session};
use wavetank_trace::frames::{
    Call, Cap, Context, Direction, Exception, ExceptionKind, Frame, Message, Outcome, Payload, Pipelined,
    Resolution, ResultsTo, Return, Target, Value,
};
use wavetank_trace::ledger::{Ledger, Violation};

use Direction::{Down, Up};

#[test]
fn a_clean_session_leaves_nothing() {
    let mut session = Session::new(Manner::default());
    let mut echo = session.host().executor_request().send().pipeline.get_executor().echo_request();
    echo.get().set_message("hi");
    let echo = echo.send();
    assert_eq!(open(&session), Vec::<String>::new());
    session.settle();
    assert_eq!(open(&session), ["question q0 (bootstrap) asked by the cell: returned, never finished"]);
    drop(echo);
    session.leave();
    let ledger = session.ledger();
    assert_eq!((ledger.open(), ledger.cancelled(), ledger.violations()), (vec![], vec![], &[][..]));
}

#[test]
fn a_leaked_capability_is_seen_after_the_abort() {
    let mut session = Session::new(Manner::default());
    let leaked = session.take_executor();
    session.leave();
    assert_eq!(open(&session), ["export 1 of the host: 1 reference"]);
    drop(leaked);
}

#[test]
fn a_cancelled_call_gets_no_return() {
    let mut session = Session::new(Manner::default());
    let executor = session.host().executor_request().send().pipeline.get_executor();
    let process = executor.run_bytes_request().send().pipeline.get_process();
    let wait = process.wait_request().send();
    session.settle();
    let before = session.frames().len();
    drop(wait);
    session.settle();
    session.exit(3);
    let echo = executor.echo_request().send();
    session.settle();
    // There is no Return of q3, and q3 is not used again.
    assert_eq!(
        session.lines(before),
        [
            "→ finish     q3 releasing",
            "→ call       q4 on q1.executor Executor.echo (message = \"\")",
            "← return     q4 Executor.echo (response = \"Echo: \"), needs no finish",
        ]
    );
    drop((echo, executor, process));
    session.leave();
    let ledger = session.ledger();
    assert_eq!(ledger.open(), []);
    let cancelled: Vec<_> = ledger.cancelled().iter().map(ToString::to_string).collect();
    assert_eq!(cancelled, ["question q3 (Process.wait) asked by the cell: cancelled, never returned"]);
    assert_eq!(ledger.violations(), []);
}

#[test]
fn a_cancelled_call_that_others_wait_for_is_returned() {
    let mut session = Session::new(Manner { executor: Handout::Late, ..Manner::default() });
    let executor = session.host().executor_request().send().pipeline.get_executor();
    let echo = executor.echo_request().send();
    session.settle();
    let before = session.frames().len();
    drop(executor);
    session.settle();
    session.exit(3);
    assert_eq!(
        session.lines(before),
        [
            "→ finish     q1 releasing",
            "← return     q1 Host.executor canceled",
            "← return     q2 Executor.echo (response = \"Echo: \"), needs no finish",
        ]
    );
    drop(echo);
    session.leave();
    let ledger = session.ledger();
    assert_eq!((ledger.open(), ledger.cancelled(), ledger.violations()), (vec![], vec![], &[][..]));
}

#[test]
fn references_are_counted_as_they_are_given_back() {
    // The cell lends two capabilities of its own in a call, one of them twice. The host keeps one reference of three.
    let caps = || vec![Cap::SenderHosted(4), Cap::SenderPromise(5), Cap::SenderHosted(4)];
    let mut ledger = book([(Up, call(0, Target::Answer(Pipelined { question: 9, path: vec![] }), caps()))]);
    assert_eq!(
        lines(&ledger),
        [
            "question q0 (X.y) asked by the cell: never returned",
            "export 4 of the cell: 2 references",
            "export 5 of the cell: 1 reference, a promise never resolved",
        ]
    );
    let resolution = Resolution::Cap(Cap::SenderHosted(4));
    apply(&mut ledger, Up, Message::Resolve { promise: 5, resolution });
    apply(&mut ledger, Down, Message::Release { id: 5, references: 1 });
    apply(&mut ledger, Down, Message::Release { id: 4, references: 2 });
    let mut answer = results(0, vec![Cap::SenderHosted(7), Cap::ReceiverHosted(4)]);
    apply(&mut ledger, Down, Message::Return(answer.clone()));
    assert_eq!(
        lines(&ledger),
        [
            "question q0 (X.y) asked by the cell: returned, never finished",
            "export 4 of the cell: 1 reference",
            "export 7 of the host: 1 reference",
        ]
    );
    apply(&mut ledger, Up, Message::Finish { question: 0, release_result_caps: true });
    assert_eq!(lines(&ledger), ["export 4 of the cell: 1 reference"]);

    // This Return releases the parameters and needs no Finish. A late Finish is not a violation.
    apply(&mut ledger, Up, call(0, Target::Import(7), caps()));
    answer = Return { release_param_caps: true, no_finish_needed: true, ..results(0, vec![]) };
    apply(&mut ledger, Down, Message::Return(answer));
    apply(&mut ledger, Up, Message::Finish { question: 0, release_result_caps: true });
    assert_eq!(lines(&ledger), ["export 4 of the cell: 1 reference"]);
    assert_eq!(ledger.violations(), [Violation::NotHeld { owner: Down, id: 7 }]);
}

#[test]
fn a_finish_that_crosses_its_return_still_releases() {
    for (releases, left) in [(true, 0), (false, 1)] {
        let ledger = book([
            (Up, Message::Bootstrap { question: 0 }),
            (Up, Message::Finish { question: 0, release_result_caps: releases }),
            (Down, Message::Return(results(0, vec![Cap::SenderHosted(0)]))),
        ]);
        assert_eq!((ledger.open().len(), ledger.cancelled().len(), ledger.violations()), (left, 0, &[][..]));
    }
}

#[test]
fn a_resolve_that_is_not_understood_gives_its_capability_back() {
    let resolve = || Message::Resolve { promise: 1, resolution: Resolution::Cap(Cap::SenderHosted(2)) };
    let ledger = book([(Down, resolve()), (Up, Message::Unimplemented(Box::new(resolve())))]);
    assert_eq!((ledger.open(), ledger.violations()), (vec![], &[][..]));
}

#[test]
fn violations_are_named() {
    let abort = || Message::Abort(Exception { kind: ExceptionKind::Failed, reason: "bye".to_owned() });
    let ledger = book([
        (Up, Message::Bootstrap { question: 0 }),
        (Up, Message::Bootstrap { question: 0 }),
        (Down, Message::Return(results(1, vec![Cap::SenderHosted(0)]))),
        (Down, Message::Return(results(0, vec![]))),
        (Down, Message::Return(results(0, vec![]))),
        (Up, Message::Release { id: 0, references: 2 }),
        (Up, Message::Disembargo { target: Target::Import(0), context: Context::SenderLoopback(0) }),
        (Up, Message::Disembargo { target: Target::Import(0), context: Context::ReceiverLoopback(0) }),
        (Up, Message::Garbled("noise".to_owned())),
        (Up, abort()),
        (Down, Message::Finish { question: 0, release_result_caps: false }),
        (Up, abort()),
        (Up, Message::Closed { pending_bytes: 0 }),
    ]);
    let violations: Vec<_> = ledger.violations().iter().map(ToString::to_string).collect();
    assert_eq!(
        violations,
        [
            "the cell asked q0 (bootstrap) while q0 was open",
            "the host answered q1, for which the cell does not wait",
            "the host answered q0, for which the cell does not wait",
            "the cell gave back 2 references to export 0 of the host and held 1",
            "the cell used export 0 of the host and holds no reference to it",
            "the cell lifted embargo 0, which the host never sent",
            "the cell wrote no frame: → garbled    noise",
            "the cell wrote after its abort: → abort      failed \"bye\"",
        ]
    );
    assert_eq!(
        lines(&ledger),
        [
            "question q0 (bootstrap) asked by the cell: returned, never finished",
            "embargo 0 of the cell: never lifted"
        ]
    );
}

fn book<const N: usize>(messages: [(Direction, Message); N]) -> Ledger {
    let mut ledger = Ledger::default();
    for (direction, message) in messages {
        apply(&mut ledger, direction, message);
    }
    ledger
}

fn apply(ledger: &mut Ledger, direction: Direction, message: Message) {
    ledger.apply(&Frame { direction, bytes: 0, message });
}

fn call(question: u32, target: Target, caps: Vec<Cap>) -> Message {
    let params = Payload { value: Value::Null, caps };
    let results_to = ResultsTo::Caller;
    Message::Call(Call {
        fingerprint: 0,
        question,
        target,
        interface_id: 1,
        method_id: 0,
        method: "X.y".to_owned(),
        params,
        results_to,
    })
}

fn results(question: u32, caps: Vec<Cap>) -> Return {
    let outcome = Outcome::Results(Payload { value: Value::Null, caps });
    Return { question, call: None, outcome, release_param_caps: false, no_finish_needed: false }
}

fn lines(ledger: &Ledger) -> Vec<String> {
    ledger.open().iter().map(ToString::to_string).collect()
}

fn open(session: &Session) -> Vec<String> {
    lines(&session.ledger())
}
