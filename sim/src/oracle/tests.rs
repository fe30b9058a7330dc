//! Oracles before hand-made evidence: what no guest of this repository does. What they do before real runs is in
//! `tests/it/oracles/`.

use super::livelock::{IDLE_CALLS, IDLE_POLLS, Polled, TIMED_WRITES, Watch, Who};
use super::*;
use crate::frames::{Direction, Exception, ExceptionKind, Frame, Message};
use crate::outcome::Outcome;
use wavetank::{GateId, Habits};

// ---- livelock

fn polled(habits: Habits) -> Polled {
    Polled { actor: 3, caused: true, is_ready: false, habits }
}

fn who(limits: Option<Limits>, keeps_time: bool) -> Who {
    Who { name: "child".into(), limits, keeps_time, blame: Blame::Guest("child".into()) }
}

/// Habits as they are after so many writes that a timer began.
fn timed(timed_writes: u64) -> Habits {
    let mut habits = Habits::default();
    habits.timed_writes = timed_writes;
    habits
}

#[test]
fn ten_writes_in_a_row_that_a_timer_began_are_a_livelock() {
    let mut watch = Watch::default();
    let guest = || who(Some(Limits::default()), false);
    assert_eq!(watch.polled(polled(timed(TIMED_WRITES - 1)), guest), None);
    let Some(Outcome::Violated(finding)) = watch.polled(polled(timed(TIMED_WRITES)), guest) else {
        panic!("one more is too many")
    };
    assert_eq!((finding.oracle, &finding.blame), ("livelock", &Blame::Guest("child".into())));
    assert!(finding.what.contains("only because a timer fired: the last 10 times"), "{}", finding.what);
}

#[test]
fn who_keeps_time_is_asked_once() {
    let mut watch = Watch::default();
    assert_eq!(watch.polled(polled(timed(TIMED_WRITES)), || who(Some(Limits::default()), true)), None);
    assert_eq!(watch.polled(polled(timed(TIMED_WRITES + 1)), || panic!("it is known")), None);
}

#[test]
fn asking_without_waiting_is_counted_by_the_tank() {
    let mut watch = Watch::default();
    let asks = |idle_calls| {
        let mut habits = Habits::default();
        habits.idle_calls = idle_calls;
        polled(habits)
    };
    assert_eq!(watch.polled(asks(IDLE_CALLS - 1), || panic!("not yet")), None);
    let found = watch.polled(asks(IDLE_CALLS), || who(Some(Limits::default()), false));
    assert!(matches!(found, Some(Outcome::Spinning { .. })), "{found:?}");
}

#[test]
fn slices_count_only_in_a_row_and_in_silence() {
    let limits = || Limits { fuel_slice: 10, quiet_fuel: 40, ..Limits::default() };
    let slice = |calls| {
        let mut habits = Habits::default();
        habits.calls = calls;
        Polled { caused: false, is_ready: true, ..polled(habits) }
    };
    let mut watch = Watch::default();
    let mut take = |polled| watch.polled(polled, || who(Some(limits()), false)).is_some();
    assert_eq!([(); 4].map(|()| take(slice(5))), [false, false, false, true]);
    // A call to the host, an event, and a rest each begin the count anew.
    for news in [slice(6), Polled { caused: true, ..slice(5) }, Polled { is_ready: false, ..slice(5) }] {
        let mut watch = Watch::default();
        let mut take = |polled| watch.polled(polled, || who(Some(limits()), false)).is_some();
        let calls = news.habits.calls;
        for polled in [slice(5), slice(5), slice(5), news, slice(calls), slice(calls)] {
            assert!(!take(polled));
        }
    }
}

#[test]
fn a_task_that_wakes_itself_for_ever_spins() {
    let mut watch = Watch::default();
    let idle = Polled { caused: false, ..polled(Habits::default()) };
    for _ in 1..IDLE_POLLS {
        assert_eq!(watch.polled(idle, || panic!("not yet")), None);
    }
    let mut other = watch.clone();
    assert!(watch.polled(idle, || who(None, false)).is_some());
    other.moved();
    assert_eq!(other.polled(idle, || panic!("something else was done in between")), None);
}

// ---- the others

/// A parent and its child, each with a link, at rest.
fn family() -> Facts {
    let cell = |id: u32, name: &str, parent: Option<u32>| CellFacts {
        id: ActorId(id),
        name: name.into(),
        parent: parent.map(ActorId),
        is_scenarios: parent.is_none(),
        transport: Transport::Stdio,
        limits: Limits::default(),
        pipes: (0..3).map(|pipe| PipeId(3 * (id - 1) + pipe)).collect(),
        link: Some((LinkId(id - 1), PipeId(3 * (id - 1) + 1), PipeId(3 * (id - 1)))),
        exit: None,
        blocked_in: Some("poll"),
        blocked: vec![Blocked::Reading(PipeId(3 * (id - 1)))],
        may_fail: false,
    };
    let names = ["parent", "child"]
        .iter()
        .flat_map(|cell| ["stdin", "stdout", "stderr"].iter().map(move |stream| format!("{cell} {stream}")));
    let pipe = |name: String| PipeView {
        name: name.into(),
        capacity_bytes: 100,
        held: false,
        staged_bytes: 0,
        visible_bytes: 0,
        budget_bytes: 100,
        reader_waits: true,
        writer_waits: false,
        writer_refused: false,
        muted: false,
        reader_open: true,
        writer_open: true,
    };
    Facts {
        cells: vec![cell(1, "parent", None), cell(2, "child", Some(1))],
        pipes: names.map(pipe).collect(),
        ..Facts::default()
    }
}

fn stall(facts: &Facts) -> Blame {
    rest::stalled(&Evidence::from_facts(facts, &[])).expect("two cells wait").blame
}

fn guest(name: &str) -> Blame {
    Blame::Guest(name.into())
}

#[test]
fn a_cell_that_was_not_woken_is_the_tanks_fault() {
    let mut facts = family();
    facts.pipes[3].visible_bytes = 8;
    assert_eq!(stall(&facts), Blame::Tank);
}

#[test]
fn bytes_that_a_cell_leaves_alone_are_its_fault() {
    let mut facts = family();
    facts.pipes[0].visible_bytes = 8;
    facts.cells[0].blocked = vec![Blocked::Writing(PipeId(2))];
    facts.pipes[2].budget_bytes = 0;
    assert_eq!(stall(&facts), guest("parent"));
    // Told as blocking before it comes to that.
    let found = blocking::judge(&Evidence::from_facts(&facts, &[])).expect("8 bytes wait");
    assert_eq!(found.what, "parent is inside poll on parent stderr while 8 bytes wait on its link");
    assert_eq!(
        blocking::judge_before_time(&Evidence::from_facts(&facts, &[])),
        None,
        "poll may have a timer"
    );
    facts.cells[0].blocked_in = Some("blocking-write-and-flush");
    assert!(blocking::judge_before_time(&Evidence::from_facts(&facts, &[])).is_some());
}

#[test]
fn half_a_frame_is_the_fault_of_who_could_write_the_rest() {
    let mut facts = family();
    let links =
        [LinkFrames { link: LinkId(0), cell: "parent".into(), frames: Vec::new(), pending_up_bytes: 5 }];
    let stalled =
        |facts: &Facts| rest::stalled(&Evidence::from_facts(facts, &links)).expect("it waits").blame;
    assert_eq!(stalled(&facts), guest("parent"));
    facts.cells[0].blocked.push(Blocked::Writing(PipeId(1)));
    facts.pipes[1].budget_bytes = 0;
    assert_ne!(stalled(&facts), Blame::Tank);
}

#[test]
fn nobody_owes_an_answer_on_a_connection_that_was_aborted() {
    let facts = family();
    let frame = |message| Frame { direction: Direction::Up, bytes: 48, message };
    let asked = frame(Message::Bootstrap { question: 0 });
    let abort =
        frame(Message::Abort(Exception { kind: ExceptionKind::Disconnected, reason: "it left".into() }));
    let owed = |frames: &[Frame]| {
        let (link, cell) = (LinkId(0), "parent".into());
        let links = [LinkFrames { link, cell, frames: frames.to_vec(), pending_up_bytes: 0 }];
        rest::stalled(&Evidence::from_facts(&facts, &links)).expect("it waits").calls
    };
    assert_eq!(owed(std::slice::from_ref(&asked)), ["the host owes parent the answer to q0 bootstrap"]);
    assert_eq!(owed(&[asked, abort]), [""; 0]);
}

#[test]
fn a_child_that_nobody_asks_anything_is_for_its_parent_to_end() {
    let mut facts = family();
    assert_eq!(stall(&facts), guest("parent"));
    facts.cells.pop();
    assert_eq!(stall(&facts).to_string(), "the scenario: nobody ends parent or gives it what it waits for");
}

#[test]
fn a_log_that_nobody_reads_is_the_fault_of_who_asked_for_it() {
    let mut facts = family();
    facts.cells[1].blocked = vec![Blocked::Writing(PipeId(5))];
    (facts.pipes[5].budget_bytes, facts.pipes[5].visible_bytes) = (0, 100);
    assert_eq!(stall(&facts), guest("parent"));
}

#[test]
fn a_call_at_its_server_is_the_capabilitys_until_it_is_done() {
    let facts = family();
    let (gate, link, over) = (GateId(0), LinkId(0), PipeId(0));
    let called = Event::Called { gate, interface: 7, method: 1, link, over, params: 0 };
    let blame = |events: &[Event]| {
        let evidence = Evidence { events, ..Evidence::from_facts(&facts, &[]) };
        rest::stalled(&evidence).expect("they wait").blame
    };
    assert_eq!(blame(std::slice::from_ref(&called)), Blame::Capability("@0x0000000000000007.method1".into()));
    assert_eq!(blame(&[called, Event::Done { gate: GateId(0) }]), guest("parent"));
}

#[test]
fn a_child_born_after_its_parents_end_is_an_orphan_unless_it_is_detached() {
    let facts = family();
    let judged = |detached| {
        let events = [
            Event::CellEnded { cell: ActorId(1), code: 0, fuel: 0 },
            Event::CellBorn { cell: ActorId(2), parent: Some(ActorId(1)), detached, name: "child".into() },
        ];
        orphans::judge(&Evidence { events: &events, ..Evidence::from_facts(&facts, &[]) })
    };
    assert_eq!(judged(false).expect("an orphan").what, "child was born after the end of its parent parent");
    assert_eq!(judged(true), None);
}

#[test]
fn a_whole_family_is_struck_together() {
    let mut facts = family();
    let struck = |facts: &Facts| {
        let evidence = Evidence::from_facts(facts, &[]);
        facts.cells.iter().map(|cell| evidence.is_struck(cell)).collect::<Vec<_>>()
    };
    assert_eq!(struck(&facts), [false, false]);
    facts.struck.insert(ActorId(2));
    assert_eq!(struck(&facts), [true, true]);
    facts.cells[1].parent = None;
    assert_eq!(struck(&facts), [false, true]);
}

#[test]
fn layers_are_named() {
    let named = [
        Blame::Guest("child-echo".into()),
        Blame::Capability("Executor.runBytes".into()),
        Blame::Tank,
        Blame::Library("capnp-rpc"),
        Blame::Fault("cut after 7 bytes".into()),
    ];
    assert_eq!(
        named.map(|blame| blame.to_string()),
        [
            "the guest child-echo",
            "the host's own capability Executor.runBytes",
            "the tank",
            "capnp-rpc",
            "the fault that was injected: cut after 7 bytes",
        ]
    );
}
