//! Tests of oracles on hand-made evidence, for behaviour that no guest of this repository shows. The tests on real runs
//! are in `tests/it/oracles/`.

use super::livelock::{
    FEW_TICKS, IDLE_CALLS, IDLE_POLLS, LOOKS, LivelockWatch, PATIENCE_NS, Polled, PolledActor, TICKS,
    TIMED_READS,
};
use super::*;
use crate::moves::Move;
use crate::outcome::{Outcome, WaitGraph};
use wavetank::cell::{HandleLifetime, LeftoverHandle};
use wavetank::{GateId, HandleKind, Role, WaitStats};
use wavetank_trace::frames::{
    Call, CapName, Direction, Exception, ExceptionKind, Export, Frame, Message, Payload, Question, ResultsTo,
    Target, Value,
};

// ---- livelock

fn polled(wait_stats: WaitStats) -> Polled {
    Polled { actor: 3, caused: true, is_ready: false, is_alone: true, wait_stats }
}

fn who(limits: Option<Limits>, keeps_time: bool) -> PolledActor {
    PolledActor { name: "child".into(), limits, keeps_time, blame: Blame::Guest("child".into()) }
}

/// The habits of a cell after this many turns of each sort.
fn wait_stats(timed_writes: u64, late_writes: u64, timed_reads: u64) -> WaitStats {
    let mut wait_stats = WaitStats::default();
    wait_stats.timed_writes = timed_writes;
    wait_stats.late_writes = late_writes;
    wait_stats.timed_reads = timed_reads;
    wait_stats
}

#[test]
fn one_message_left_unsent_is_a_livelock_and_any_number_of_timed_writes_is_none() {
    let mut watch = LivelockWatch::default();
    let guest = || who(Some(Limits::default()), false);
    assert_eq!(
        watch.polled(polled(wait_stats(1000, 0, 0)), || panic!("it may sleep between its calls")),
        None
    );
    let Some(Outcome::Violated(finding)) = watch.polled(polled(wait_stats(2, 1, 0)), guest) else {
        panic!("a proof is a proof")
    };
    assert_eq!((finding.oracle, &finding.blame), (Oracle::Livelock, &Blame::Guest("child".into())));
    assert!(
        finding.what.contains("only because a timer fires: it left a message unsent"),
        "{}",
        finding.what
    );
    assert!(finding.what.ends_with("as it had done 2 times before"), "{}", finding.what);
}

#[test]
fn a_link_that_is_only_read_by_a_timer_is_a_livelock() {
    let mut watch = LivelockWatch::default();
    let guest = || who(Some(Limits::default()), false);
    assert_eq!(watch.polled(polled(wait_stats(0, 0, TIMED_READS - 1)), guest), None);
    let mut waited = wait_stats(0, 0, TIMED_READS);
    waited.waited_for_link = true;
    assert_eq!(watch.polled(polled(waited), guest), None);
    let found = watch.polled(polled(wait_stats(0, 0, TIMED_READS)), guest);
    assert!(matches!(found, Some(Outcome::Violated(_))), "{found:?}");
}

#[test]
fn who_keeps_time_is_asked_once() {
    let mut watch = LivelockWatch::default();
    assert_eq!(watch.polled(polled(wait_stats(0, 1, 0)), || who(Some(Limits::default()), true)), None);
    assert_eq!(watch.polled(polled(wait_stats(0, 2, 0)), || panic!("it is known")), None);
}

#[test]
fn draws_of_a_background_task_count_like_moves_of_the_clock() {
    let draws = |of_background: fn(GateId) -> bool| {
        let mut watch = LivelockWatch::default();
        let drawn = [Event::Drawn { draw: GateId(1), value: 0 }];
        (0..TICKS).filter(|_| watch.only_time_passes(Move::Draw(1, 0), &drawn, 0, of_background)).count()
    };
    assert_eq!((draws(|_| true), draws(|_| false)), (1, 0));
}

#[test]
fn only_ticks_in_a_row_count_and_a_day_of_few_is_enough() {
    let tick = |watch: &mut LivelockWatch, now_ns| {
        watch.only_time_passes(Move::Advance(now_ns), &[], now_ns, |_| false)
    };
    let mut watch = LivelockWatch::default();
    assert!((1..TICKS).all(|now_ns| !tick(&mut watch, now_ns)));
    let (mut one_more, mut moved, mut wrote) = (watch.clone(), watch.clone(), watch.clone());
    assert!(!watch.only_time_passes(Move::Poll(1), &[], TICKS, |_| false));
    assert!(tick(&mut one_more, TICKS));
    assert!(!moved.only_time_passes(Move::Deliver(1, 1), &[], TICKS, |_| false) && !tick(&mut moved, TICKS));
    let read = [Event::Read { pipe: PipeId(1), bytes: 1 }];
    assert!(!wrote.only_time_passes(Move::Poll(1), &read, TICKS, |_| false) && !tick(&mut wrote, TICKS));
    let mut slow = LivelockWatch::default();
    let each_ns = PATIENCE_NS / FEW_TICKS;
    assert!((1..FEW_TICKS).all(|nth| !tick(&mut slow, nth * each_ns)));
    assert!(tick(&mut slow, FEW_TICKS * each_ns));
}

#[test]
fn asking_without_waiting_is_counted_by_the_tank() {
    let mut watch = LivelockWatch::default();
    let asks = |idle_calls| {
        let mut wait_stats = WaitStats::default();
        wait_stats.idle_calls = idle_calls;
        polled(wait_stats)
    };
    assert_eq!(watch.polled(asks(IDLE_CALLS - 1), || panic!("not yet")), None);
    let found = watch.polled(asks(IDLE_CALLS), || who(Some(Limits::default()), false));
    assert!(matches!(found, Some(Outcome::Spinning { .. })), "{found:?}");
}

#[test]
fn asking_counts_only_while_nothing_else_could_happen() {
    let mut watch = LivelockWatch::default();
    let mut poll = |idle_calls, is_alone| {
        let mut wait_stats = WaitStats::default();
        wait_stats.idle_calls = idle_calls;
        let polled = Polled { is_alone, ..polled(wait_stats) };
        watch.polled(polled, || who(Some(Limits::default()), false)).is_some()
    };
    assert!(!poll(3 * IDLE_CALLS, false));
    assert!(!poll(4 * IDLE_CALLS - 1, true), "those from before do not count");
    assert!(poll(4 * IDLE_CALLS, true));
    assert!(!poll(0, true), "it had news");
    assert!(!poll(IDLE_CALLS - 1, true));
}

#[test]
fn who_looks_at_the_time_may_do_so_for_longer() {
    let mut watch = LivelockWatch::default();
    let mut poll = |idle_calls, looks| {
        let mut wait_stats = WaitStats::default();
        (wait_stats.idle_calls, wait_stats.looks) = (idle_calls, looks);
        watch.polled(polled(wait_stats), || who(Some(Limits::default()), false)).is_some()
    };
    assert!(!poll(LOOKS - 1, LOOKS / 4));
    assert!(poll(LOOKS, LOOKS / 4));
}

#[test]
fn slices_count_only_in_a_row_and_in_silence() {
    let limits = || Limits { fuel_slice: 10, quiet_fuel: 40, ..Limits::default() };
    let slice = |calls| {
        let mut wait_stats = WaitStats::default();
        wait_stats.calls = calls;
        Polled { caused: false, is_ready: true, ..polled(wait_stats) }
    };
    let mut watch = LivelockWatch::default();
    let mut take = |polled| watch.polled(polled, || who(Some(limits()), false)).is_some();
    assert_eq!([(); 4].map(|()| take(slice(5))), [false, false, false, true]);
    // A call to the host, an event, and a rest each reset the count.
    for news in [slice(6), Polled { caused: true, ..slice(5) }, Polled { is_ready: false, ..slice(5) }] {
        let mut watch = LivelockWatch::default();
        let mut take = |polled| watch.polled(polled, || who(Some(limits()), false)).is_some();
        let calls = news.wait_stats.calls;
        for polled in [slice(5), slice(5), slice(5), news, slice(calls), slice(calls)] {
            assert!(!take(polled));
        }
    }
}

#[test]
fn a_task_that_wakes_itself_for_ever_spins() {
    let mut watch = LivelockWatch::default();
    let idle = Polled { caused: false, ..polled(WaitStats::default()) };
    for _ in 1..IDLE_POLLS {
        assert_eq!(watch.polled(idle, || panic!("not yet")), None);
    }
    let mut other = watch.clone();
    assert!(watch.polled(idle, || who(None, false)).is_some());
    other.moved();
    assert_eq!(other.polled(idle, || panic!("something else was done in between")), None);
}

#[test]
fn resumes_of_a_call_are_no_progress_and_name_it() {
    let mut watch = LivelockWatch::default();
    let idle = Polled { caused: false, ..polled(WaitStats::default()) };
    watch.resumed(9);
    assert_eq!(watch.polled(Polled { caused: true, ..idle }, || panic!("something was caused")), None);
    assert_eq!(watch.most_resumed(), None);
    for _ in 0..IDLE_POLLS - 1 {
        watch.resumed(7);
        assert_eq!(watch.polled(idle, || panic!("not yet")), None);
    }
    watch.resumed(8);
    assert_eq!(watch.most_resumed(), Some(7));
    assert!(watch.polled(idle, || who(None, false)).is_some());
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
        imports: Transport::Stdio,
        limits: Limits::default(),
        pipes: (0..3).map(|pipe| PipeId(3 * (id - 1) + pipe)).collect(),
        link: Some((LinkId(id - 1), PipeId(3 * (id - 1) + 1), PipeId(3 * (id - 1)))),
        exit: None,
        is_end_wanted: false,
        blocked_in: Some(Import::Poll),
        blocked: vec![Blocked::Reading(PipeId(3 * (id - 1)))],
        is_detached: false,
        component: [0; 32],
        care: EndHandling::default(),
        leave: Allowances::default(),
    };
    let names = ["parent", "child"]
        .iter()
        .flat_map(|cell| ["stdin", "stdout", "stderr"].iter().map(move |stream| format!("{cell} {stream}")));
    let pipe = |name: String| PipeView {
        name: name.into(),
        capacity_bytes: 100,
        held: false,
        staged_bytes: 0,
        unflushed_bytes: 0,
        visible_bytes: 0,
        budget_bytes: 100,
        permits: 1,
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

fn capability(call: &str) -> Blame {
    Blame::Capability { vat: None, call: call.into() }
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
    // The blocking oracle reports it before it comes to that.
    let found = blocking::judge(&Evidence::from_facts(&facts, &[])).expect("8 bytes wait");
    assert_eq!(found.what, "parent is inside poll on parent stderr while 8 bytes wait on its link");
    assert_eq!(
        blocking::judge_before_time(&Evidence::from_facts(&facts, &[])),
        None,
        "poll may have a timer"
    );
    facts.cells[0].blocked_in = Some(Import::Other("blocking-write-and-flush"));
    assert!(blocking::judge_before_time(&Evidence::from_facts(&facts, &[])).is_some());
}

#[test]
fn half_a_frame_is_the_fault_of_who_could_write_the_rest() {
    let mut facts = family();
    let links = [LinkFrames {
        link: LinkId(0),
        cell: "parent".into(),
        host: "host".into(),
        frames: Vec::new(),
        pending_up_bytes: 5,
    }];
    let stalled =
        |facts: &Facts| rest::stalled(&Evidence::from_facts(facts, &links)).expect("it waits").blame;
    assert_eq!(stalled(&facts), guest("parent"));
    facts.cells[0].blocked.push(Blocked::Writing(PipeId(1)));
    facts.pipes[1].budget_bytes = 0;
    assert_eq!(stalled(&facts), guest("parent").guessed());
}

#[test]
fn nobody_owes_an_answer_on_a_connection_that_was_aborted() {
    let facts = family();
    let frame = |message| Frame { direction: Direction::Up, bytes: 48, message };
    let asked = frame(Message::Bootstrap { question: Question { id: 0, number: 1 } });
    let abort = frame(Message::Abort(Exception {
        kind: ExceptionKind::Disconnected,
        reason: "it left".into(),
        trace: String::new(),
    }));
    let owed = |frames: &[Frame]| {
        let (link, cell) = (LinkId(0), "parent".into());
        let links =
            [LinkFrames { link, cell, host: "host".into(), frames: frames.to_vec(), pending_up_bytes: 0 }];
        rest::stalled(&Evidence::from_facts(&facts, &links)).expect("it waits").calls
    };
    assert_eq!(owed(std::slice::from_ref(&asked)), ["the host owes parent the answer to q1 bootstrap"]);
    assert_eq!(owed(&[asked, abort]), [""; 0]);
}

#[test]
fn a_child_that_nobody_asks_anything_is_for_its_parent_to_end() {
    let mut facts = family();
    assert_eq!(stall(&facts), guest("parent").guessed());
    facts.cells.pop();
    let nobody = Blame::Scenario("nobody ends parent or gives it what it waits for".into());
    assert_eq!(stall(&facts), nobody.guessed());
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
    assert_eq!(blame(std::slice::from_ref(&called)), capability("@0x0000000000000007.method1"));
    assert_eq!(blame(&[called, Event::Done { gate: GateId(0) }]), guest("parent").guessed());
}

/// A frame that asks for a lock.
fn asking(direction: Direction, id: u32) -> Frame {
    let name = CapName { owner: "b".into(), interface: "Lock".into(), ordinal: 1, is_promise: false };
    let call = Call {
        question: Question { id, number: u64::from(id) },
        target: Target::Import(Export { id: 0, name: Arc::new(name) }),
        interface_id: 7,
        method_id: 1,
        method: "Lock.take".into(),
        params: Payload { value: Value::Void, caps: Vec::new() },
        fingerprint: 0,
        results_to: ResultsTo::Caller,
    };
    Frame { direction, bytes: 48, message: Message::Call(call) }
}

/// Two vats and a link between them, with the questions that were asked over it.
fn two_vats(asked: &[(Direction, u32)], is_over: bool) -> (Facts, Vec<LinkFrames>, Vec<Event>) {
    let vat = |name: &str| Party::Vat(name.into());
    let facts = Facts {
        ends: vec![Ends { far: vat("a"), near: vat("b"), up: PipeId(0) }],
        tasks: vec![TaskFacts { name: "work".into(), vat: Some("a".into()), whose: TaskOwner::Scenario }],
        ..Facts::default()
    };
    let mut frames = Vec::new();
    let mut events = Vec::new();
    for &(direction, id) in asked {
        frames.push(asking(direction, id));
        let over = PipeId(u32::from(direction == Direction::Down));
        let gate = GateId(events.len() as u32);
        events.push(Event::Called { gate, interface: 7, method: 1, link: LinkId(0), over, params: 0 });
    }
    if is_over {
        events.push(Event::LinkEnded { link: LinkId(0), error: None });
    }
    let links =
        vec![LinkFrames { link: LinkId(0), cell: "a".into(), host: "b".into(), frames, pending_up_bytes: 0 }];
    (facts, links, events)
}

fn stall_of_vats(asked: &[(Direction, u32)], is_over: bool) -> WaitGraph {
    let (facts, links, events) = two_vats(asked, is_over);
    rest::stalled(&Evidence { events: &events, ..Evidence::from_facts(&facts, &links) })
        .expect("a task is left")
}

#[test]
fn vats_are_named_at_both_ends_of_their_link() {
    let up = stall_of_vats(&[(Direction::Up, 3)], false);
    assert_eq!(up.calls, ["vat b owes vat a the answer to q3 Lock.take"]);
    assert_eq!(up.tasks, ["task \"work\" of vat a has not ended"]);
    let serves = |graph: &WaitGraph| match &graph.blame {
        Blame::Capability { vat, .. } => vat.clone(),
        other => panic!("{other}"),
    };
    assert_eq!(serves(&up).as_deref(), Some("b"));
    let down = stall_of_vats(&[(Direction::Down, 3)], false);
    assert_eq!(down.calls, ["vat a owes vat b the answer to q3 Lock.take"]);
    assert_eq!(serves(&down).as_deref(), Some("a"));
}

#[test]
fn vats_that_wait_for_each_other_are_a_cycle() {
    let graph = stall_of_vats(&[(Direction::Up, 3), (Direction::Down, 1)], false);
    let cycle = "cycle: vat a waits for vat b (q3 Lock.take), vat b waits for vat a (q1 Lock.take)";
    assert_eq!(graph.calls.last().map(String::as_str), Some(cycle));
    assert_eq!(graph.blame.to_string(), "vat a and vat b, which wait for each other");
}

#[test]
fn a_server_that_asks_its_guest_back_is_not_the_last_of_the_chain() {
    let mut facts = family();
    facts.cells.truncate(1);
    facts.ends = vec![Ends { far: Party::Cell("parent".into()), near: Party::Host, up: PipeId(1) }];
    let frames = vec![asking(Direction::Up, 1), asking(Direction::Down, 2)];
    let (cell, host) = ("parent".into(), "host".into());
    let links = [LinkFrames { link: LinkId(0), cell, host, frames, pending_up_bytes: 0 }];
    let called = Event::Called {
        gate: GateId(0),
        interface: 7,
        method: 1,
        link: LinkId(0),
        over: PipeId(1),
        params: 0,
    };
    let asked_back = Event::Wrote { pipe: PipeId(0), bytes: vec![0; 48].into() };
    let blame = |events: &[Event]| {
        let evidence = Evidence { events, ..Evidence::from_facts(&facts, &links) };
        rest::stalled(&evidence).expect("it waits").blame
    };
    assert_eq!(blame(&[called.clone(), asked_back.clone()]), guest("parent").guessed());
    let server = capability("@0x0000000000000007.method1");
    assert_eq!(
        blame(&[asked_back, called]),
        server,
        "the guest was asked first, and asks the server for that"
    );
}

#[test]
fn nobody_owes_an_answer_on_a_link_that_has_ended() {
    let graph = stall_of_vats(&[(Direction::Up, 3)], true);
    assert_eq!(graph.calls, [""; 0]);
}

#[test]
fn a_task_that_is_left_alone_is_named_and_nobody_knows_more() {
    let (mut facts, _, _) = two_vats(&[], false);
    let blame =
        |facts: &Facts| rest::stalled(&Evidence::from_facts(facts, &[])).expect("a task is left").blame;
    let task = Blame::Task { vat: Some("a".into()), task: "work".into() };
    assert_eq!(blame(&facts), task.clone());
    facts.tasks.push(TaskFacts { name: "other".into(), ..facts.tasks[0].clone() });
    assert_eq!(blame(&facts), task.guessed(), "there are two");
    facts.tasks.pop();
    facts.tasks[0].whose = TaskOwner::Host(Role::Other);
    assert_eq!(blame(&facts), Blame::Unknown);
}

#[test]
fn a_child_that_waits_for_its_stdin_is_for_whoever_holds_the_other_end() {
    let mut facts = family();
    // Its link is elsewhere, and its stdin is its own.
    facts.cells[1].link = None;
    assert_eq!(stall(&facts), guest("parent"));
    facts.pipes[3].writer_open = false;
    assert_ne!(stall(&facts), guest("parent"), "it was closed");
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

/// A child that ended in this way, and whether its parent and others asked for its end.
fn parent_of(code: i32, cause: Cause, care: EndHandling) -> Facts {
    let mut facts = family();
    let ended = |code, cause| Some(ExitRecord { code, cause, fuel: 0, left: Vec::new() });
    facts.cells[0].exit = ended(0, Cause::Exited);
    facts.cells[1].exit = ended(code, cause);
    facts.cells[1].care = care;
    facts
}

fn of_children(facts: &Facts) -> Option<String> {
    children::judge(&Evidence::from_facts(facts, &[])).map(|finding| finding.what)
}

const SWEPT: EndHandling = EndHandling { awaited: false, killed: false, ended_with_parent: true };
const AWAITED: EndHandling = EndHandling { awaited: true, killed: false, ended_with_parent: false };
const KILLED_BY_ORDER: EndHandling = EndHandling { awaited: false, killed: true, ended_with_parent: false };

#[test]
fn a_child_that_nobody_cared_for_is_its_parents_fault() {
    let mut running = parent_of(137, Cause::Killed, SWEPT);
    assert!(of_children(&running).expect("it ran").contains("its child child still ran"));
    running.cells[0].leave.may_leave_children = true;
    assert_eq!(of_children(&running), None);

    let mut failed = parent_of(3, Cause::Exited, EndHandling::default());
    assert!(of_children(&failed).expect("it failed").contains("its child child exited with 3"));
    let mut wanted = failed.clone();
    wanted.cells[1].is_end_wanted = true;
    assert_eq!(of_children(&wanted), None);
    failed.cells[0].leave.children_may_fail = true;
    assert_eq!(of_children(&failed), None);

    let cared_for = [
        parent_of(0, Cause::Exited, EndHandling::default()),
        parent_of(137, Cause::Killed, KILLED_BY_ORDER),
        parent_of(137, Cause::Killed, EndHandling { awaited: true, ..SWEPT }),
        // The scenario killed it.
        parent_of(137, Cause::Killed, EndHandling::default()),
    ];
    for facts in &cared_for {
        assert_eq!(of_children(facts), None, "{:?}", facts.cells[1].care);
    }
    let mut detached = parent_of(3, Cause::Exited, EndHandling::default());
    detached.cells[1].is_detached = true;
    let mut parent_failed = parent_of(3, Cause::Exited, EndHandling::default());
    parent_failed.cells[0].exit.as_mut().expect("it ended").code = 1;
    let mut damaged = parent_of(137, Cause::Killed, SWEPT);
    damaged.damage.is_done = true;
    for facts in [detached, parent_failed, damaged] {
        assert_eq!(of_children(&facts), None);
    }
}

#[test]
fn one_child_of_many_alike_that_nobody_waited_for_is_found_though_it_ended_well() {
    let mut facts = parent_of(0, Cause::Exited, AWAITED);
    let other = CellFacts {
        id: ActorId(3),
        name: "other".into(),
        care: EndHandling::default(),
        ..facts.cells[1].clone()
    };
    facts.cells.push(other);
    let what = of_children(&facts).expect("one of two");
    assert!(what.ends_with(
        "nobody waited for its child other: 1 of its 2 children of that component were waited for"
    ));
    facts.cells[2].component = [1; 32];
    assert_eq!(of_children(&facts), None, "another component may be meant to be left");
}

#[test]
fn damage_excuses_what_follows_from_it_and_no_misuse() {
    let (struck, other) = (ActorId(2), ActorId(1));
    let damage = Damage { is_done: true, struck: [struck].into() };
    for class in [TrapClass::ResourceHasChildren, TrapClass::UnknownHandle, TrapClass::WriteOverBudget] {
        assert!(!damage.excuses(struck, class) && !damage.excuses(other, class), "{class}");
    }
    assert!(damage.excuses(other, TrapClass::Unreachable), "it panicked on an error");
    assert!(damage.excuses(struck, TrapClass::OutOfBounds) && !damage.excuses(other, TrapClass::OutOfBounds));
    assert!(!Damage::default().excuses(other, TrapClass::Unreachable));
}

#[test]
fn tasks_are_told_apart_by_what_they_do_and_not_by_their_names() {
    // A living cell has the same name as a task of another, or its name ends such a name.
    let mut facts = family();
    facts.cells[0].name = "echo".into();
    facts.cells[1].exit = Some(ExitRecord { code: 0, cause: Cause::Exited, fuel: 0, left: Vec::new() });
    let task = |name: &str, whose| TaskFacts { name: name.into(), vat: None, whose };
    facts.tasks = vec![
        task("echo", TaskOwner::Host(Role::Cell(ActorId(1)))),
        task("rpc echo", TaskOwner::Host(Role::LinkOf(ActorId(1)))),
        task("stderr of echo", TaskOwner::Host(Role::StdioOf(ActorId(1)))),
        task("rpc child-echo", TaskOwner::Host(Role::LinkOf(ActorId(2)))),
        task("link echo", TaskOwner::Host(Role::Other)),
        task("anything", TaskOwner::Host(Role::BetweenVats(LinkId(0)))),
        task("echo", TaskOwner::Scenario),
    ];
    let graph = rest::stalled(&Evidence::from_facts(&facts, &[])).expect("echo waits");
    let left = ["rpc child-echo", "link echo", "echo"].map(|name| format!("task {name:?} has not ended"));
    assert_eq!(graph.tasks, left);
    facts.cells.clear();
    facts.tasks.retain(|task| task.whose == TaskOwner::Host(Role::BetweenVats(LinkId(0))));
    assert_eq!(rest::stalled(&Evidence::from_facts(&facts, &[])), None, "it has no end of its own");
}

#[test]
fn an_oracle_that_is_switched_off_for_a_cell_looks_at_the_others() {
    let mut facts = parent_of(0, Cause::Exited, AWAITED);
    for cell in &mut facts.cells {
        cell.transport = Transport::Connection;
        let pipe = cell.link.map(|(_, up, _)| up);
        let left = LeftoverHandle {
            handle: 7,
            kind: HandleKind::OutputStream,
            pipe,
            lived: HandleLifetime::default(),
        };
        cell.exit.as_mut().expect("it ended").left.push(left);
    }
    let who =
        |facts: &Facts| Evidence::from_facts(facts, &[]).left().map(|finding| (finding.oracle, finding.who));
    assert_eq!(who(&facts), Some((Oracle::Resources, "parent".into())));
    facts.cells[0].leave.without.insert(Oracle::Resources, "it is known".into());
    assert_eq!(who(&facts), Some((Oracle::Resources, "child".into())));
    facts.without.insert(Oracle::Resources, "all of them".into());
    assert_eq!(who(&facts), None);
    let told: Vec<String> = facts.not_judged().iter().map(NotJudged::to_string).collect();
    assert_eq!(told, ["resources (all of them)", "resources of parent (it is known)"]);
}

#[test]
fn layers_are_named() {
    let named = [
        Blame::Guest("child-echo".into()),
        capability("Executor.runBytes"),
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
