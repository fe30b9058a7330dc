//! Invariants that a scenario defines.

use super::*;

#[test]
fn an_invariant_is_asked_after_every_step() {
    let invariant = |world: &mut World| {
        world.cell("child-echo", guests::CHILD_ECHO_STDIO).serve(peer::executor(world)).spawn();
        world.invariant("short", |world| {
            if world.transcript().steps.len() < 7 { Ok(()) } else { Err("that is seven".into()) }
        });
    };
    let run = run(invariant, &setup(1));
    assert_eq!(run.transcript.steps.len(), 7);
    let Outcome::Violated(finding) = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!((finding.oracle, &*finding.who), (Oracle::Invariant, "short"));
    assert_eq!(finding.what, "\"short\" does not hold after step 7: that is seven");
}

#[test]
fn an_invariant_that_holds_says_nothing_and_changes_nothing() {
    let holds = |world: &mut World| {
        world.cell("child-echo", guests::CHILD_ECHO_STDIO).serve(peer::executor(world)).spawn();
        world.invariant("no cell traps", |world| {
            let trapped = |exit: &ExitRecord| matches!(exit.cause, Cause::Trapped(_));
            let cells = world.tank().cells();
            let one = cells.iter().find(|cell| cell.exit().is_some_and(|exit| trapped(&exit)));
            one.map_or(Ok(()), |cell| Err(cell.name().to_string()))
        });
    };
    for seed in 0..10 {
        let with = finished(holds, &setup(seed));
        let without = finished(scenario("echo"), &setup(seed));
        assert_eq!(with.transcript.digest(), without.transcript.digest());
    }
}
