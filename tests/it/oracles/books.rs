//! Bytes, budget and fuel: the tank's own books.

use super::*;
use wavetank_sim::oracle::{budget, bytes, fuel};

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
        let child = world.cell("child-echo", guests::CHILD_ECHO_STDIO).capacity_bytes(64);
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
    const FUEL: u64 = 100_000;
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
    assert_eq!(burned(FUEL + 1).as_deref(), Some("spin burned 100001 fuel, and its limit is 100000"));
    assert_eq!(burned(FUEL - 1).as_deref(), Some("spin ran out of fuel after 99999 of 100000"));
}
