//! The `calls` view is the same for all schedules under which the application behaved the same.

use wavetank_lab::scenario::all;
use wavetank_sim::assert_transcript;
use wavetank_sim::snapshot::{View, text};
use wavetank_tests::{finished, in_repository, round_robin, scenario, setup};

/// Scenarios whose application may lawfully behave differently under another schedule: `full-duplex` and `backpressure`
/// read pieces as they come, in `cleanup` children race to end before they are ended, and a relay of `pipeline` may be
/// ended before an answer that it no longer needs. One schedule has one view.
const RACING: [&str; 4] = ["full-duplex", "backpressure", "cleanup", "pipeline"];

#[test]
fn calls_snapshots_hold_under_round_robin_and_under_five_seeds() {
    for scenario in all().filter(|scenario| scenario.clean) {
        let seeds = if RACING.contains(&scenario.name) { 0 } else { 5 };
        for setup in [round_robin()].into_iter().chain((1..=seeds).map(setup)) {
            let run = finished(scenario.build, &setup);
            let name = format!("calls/{}", scenario.name);
            assert_transcript!(run, name, View::Calls, &in_repository("snapshots"));
        }
    }
}

#[test]
fn a_view_tells_other_behaviour_apart() {
    let echo = text(&finished(scenario("echo"), &setup(1)), View::Calls);
    let other = finished(
        |world| {
            let child =
                world.cell("child-echo", wavetank_lab::guests::CHILD_ECHO_STDIO).args(["one", "three"]);
            child.serve(wavetank_sim::peer::executor(world)).spawn().expect_exit(0);
        },
        &setup(1),
    );
    assert_ne!(echo, text(&other, View::Calls));
}
