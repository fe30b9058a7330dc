//! Livelock.

use super::*;

#[test]
fn who_asks_without_waiting_spins() {
    let run = run(scenario("fault-spin"), &setup(3));
    let Outcome::Spinning { blame, .. } = run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(blame, guest("fault-spin"));
}

fn computes(quiet_fuel: u64) -> impl Fn(&mut World) + Send + Sync {
    move |world| {
        let limits = Limits { fuel_slice: 50, quiet_fuel, ..Limits::default() };
        let child = world.cell("child-echo", guests::CHILD_ECHO_STDIO).limits(limits);
        child.serve(peer::executor(world)).spawn().expect_exit(0);
    }
}

#[test]
fn who_burns_fuel_and_asks_for_nothing_spins() {
    for seed in 0..10 {
        let run = run(computes(800), &setup(seed));
        let Outcome::Spinning { who, evidence, blame } = run.outcome else { panic!("{}", run.outcome) };
        assert_eq!((&*who, blame), ("child-echo", guest("child-echo")));
        assert!(evidence.ends_with(" fuel and asked its host for nothing"), "{evidence}");
        finished(computes(2_000_000_000), &setup(seed));
    }
}

#[test]
fn naps_between_calls_are_no_livelock() {
    // Its readers sleep between reads, far more often than ten times.
    for seed in 0..3 {
        finished(scenario("backpressure"), &setup(seed));
    }
}
