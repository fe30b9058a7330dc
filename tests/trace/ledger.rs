use crate::traffic::{Handout, Manner, Session};
use std::sync::Arc;
use wavetank_trace::frames::{
    Call, Cap, CapName, Context, Direction, Exception, ExceptionKind, Export, Frame, Message, Outcome,
    Payload, Pipelined, Question, Resolution, ResultsTo, Return, Target, Value,
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
    assert_eq!(open(&session), ["question q1 (bootstrap) asked by the cell: returned, never finished"]);
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
    assert_eq!(open(&session), ["host's Executor: 1 reference"]);
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
    // There is no Return of q4.
    assert_eq!(
        session.lines(before),
        [
            "→ finish     q4 releasing",
            "→ call       q5 on q2.executor Executor.echo (message = \"\")",
            "← return     q5 Executor.echo (response = \"Echo: \"), needs no finish",
        ]
    );
    drop((echo, executor, process));
    session.leave();
    let ledger = session.ledger();
    assert_eq!(ledger.open(), []);
    let cancelled: Vec<_> = ledger.cancelled().iter().map(ToString::to_string).collect();
    assert_eq!(cancelled, ["question q4 (Process.wait) asked by the cell: cancelled, never returned"]);
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
            "→ finish     q2 releasing",
            "← return     q2 Host.executor canceled",
            "← return     q3 Executor.echo (response = \"Echo: \"), needs no finish",
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
    let caps =
        || vec![Cap::SenderHosted(cells(4)), Cap::SenderPromise(cells(5)), Cap::SenderHosted(cells(4))];
    let mut ledger = book([(
        Up,
        call(question(0), Target::Answer(Pipelined { question: question(9), path: vec![] }), caps()),
    )]);
    assert_eq!(
        lines(&ledger),
        [
            "question q10 (X.y) asked by the cell: never returned",
            "cell's X 14: 2 references",
            "cell's X 15: 1 reference, a promise never resolved",
        ]
    );
    let resolution = Resolution::Cap(Cap::SenderHosted(cells(4)));
    apply(&mut ledger, Up, Message::Resolve { promise: cells(5), resolution });
    apply(&mut ledger, Down, Message::Release { import: cells(5), references: 1 });
    apply(&mut ledger, Down, Message::Release { import: cells(4), references: 2 });
    let mut answer = results(question(0), vec![Cap::SenderHosted(hosts(7)), Cap::ReceiverHosted(cells(4))]);
    apply(&mut ledger, Down, Message::Return(answer.clone()));
    assert_eq!(
        lines(&ledger),
        [
            "question q10 (X.y) asked by the cell: returned, never finished",
            "cell's X 14: 1 reference",
            "host's X 17: 1 reference",
        ]
    );
    apply(&mut ledger, Up, Message::Finish { question: question(0), release_result_caps: true });
    assert_eq!(lines(&ledger), ["cell's X 14: 1 reference"]);

    // This Return releases the parameters and needs no Finish. A late Finish is not a violation.
    apply(&mut ledger, Up, call(question(0), Target::Import(hosts(7)), caps()));
    answer = Return { release_param_caps: true, no_finish_needed: true, ..results(question(0), vec![]) };
    apply(&mut ledger, Down, Message::Return(answer));
    apply(&mut ledger, Up, Message::Finish { question: question(0), release_result_caps: true });
    assert_eq!(lines(&ledger), ["cell's X 14: 1 reference"]);
    assert_eq!(ledger.violations(), [Violation::NotHeld { owner: Down, export: hosts(7) }]);
}

#[test]
fn a_finish_that_crosses_its_return_still_releases() {
    for (releases, left) in [(true, 0), (false, 1)] {
        let ledger = book([
            (Up, Message::Bootstrap { question: question(0) }),
            (Up, Message::Finish { question: question(0), release_result_caps: releases }),
            (Down, Message::Return(results(question(0), vec![Cap::SenderHosted(hosts(0))]))),
        ]);
        assert_eq!((ledger.open().len(), ledger.cancelled().len(), ledger.violations()), (left, 0, &[][..]));
    }
}

#[test]
fn a_resolve_that_is_not_understood_gives_its_capability_back() {
    let resolve =
        || Message::Resolve { promise: hosts(1), resolution: Resolution::Cap(Cap::SenderHosted(hosts(2))) };
    let ledger = book([(Down, resolve()), (Up, Message::Unimplemented(Box::new(resolve())))]);
    assert_eq!((ledger.open(), ledger.violations()), (vec![], &[][..]));
}

#[test]
fn violations_are_named() {
    let abort = || {
        Message::Abort(Exception {
            kind: ExceptionKind::Failed,
            reason: "bye".to_owned(),
            trace: String::new(),
        })
    };
    let ledger = book([
        (Up, Message::Bootstrap { question: question(0) }),
        (Up, Message::Bootstrap { question: question(0) }),
        (Down, Message::Return(results(question(1), vec![Cap::SenderHosted(hosts(0))]))),
        (Down, Message::Return(results(question(0), vec![]))),
        (Down, Message::Return(results(question(0), vec![]))),
        (Up, Message::Release { import: hosts(0), references: 2 }),
        (Up, Message::Disembargo { target: Target::Import(hosts(0)), context: Context::SenderLoopback(0) }),
        (Up, Message::Disembargo { target: Target::Import(hosts(0)), context: Context::ReceiverLoopback(0) }),
        (Up, Message::Garbled("noise".to_owned())),
        (Up, abort()),
        (Down, Message::Finish { question: question(0), release_result_caps: false }),
        (Up, abort()),
        (Up, Message::Closed { pending_bytes: 0 }),
    ]);
    let violations: Vec<_> = ledger.violations().iter().map(ToString::to_string).collect();
    assert_eq!(
        violations,
        [
            "the cell asked q10 (bootstrap) with id 0 while q10 had that id",
            "the host answered q11, for which the cell does not wait",
            "the host answered q10, for which the cell does not wait",
            "the cell gave back 2 references to host's X 10 and held 1",
            "the cell used host's X 10 and holds no reference to it",
            "the cell lifted embargo 0, which the host never sent",
            "the cell wrote no frame: → garbled    noise",
            "the cell wrote after its abort: → abort      failed \"bye\"",
        ]
    );
    assert_eq!(
        lines(&ledger),
        [
            "question q10 (bootstrap) asked by the cell: returned, never finished",
            "embargo 0 of the cell: never lifted"
        ]
    );
}

/// A question with this id, and with a number that is larger by ten.
fn question(id: u32) -> Question {
    Question { id, number: u64::from(id) + 10 }
}

/// An export of the cell.
fn cells(id: u32) -> Export {
    export("cell", id)
}

/// An export of the host.
fn hosts(id: u32) -> Export {
    export("host", id)
}

fn export(owner: &str, id: u32) -> Export {
    let name = CapName { owner: owner.into(), interface: "X".into(), ordinal: id + 10, is_promise: false };
    Export { id, name: Arc::new(name) }
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

fn call(question: Question, target: Target, caps: Vec<Cap>) -> Message {
    let params = Payload { value: Value::Null, caps };
    let results_to = ResultsTo::Caller;
    Message::Call(Call {
        fingerprint: 0,
        question,
        target,
        interface_id: 1,
        method_id: 0,
        method: "X.y".into(),
        params,
        results_to,
    })
}

fn results(question: Question, caps: Vec<Cap>) -> Return {
    let outcome = Outcome::Results(Payload { value: Value::Null, caps });
    Return { question, call: None, outcome, release_param_caps: false, no_finish_needed: false }
}

fn lines(ledger: &Ledger) -> Vec<String> {
    ledger.open().iter().map(ToString::to_string).collect()
}

fn open(session: &Session) -> Vec<String> {
    lines(&session.ledger())
}
