//! The `calls` view is the same for every schedule in which the application behaved the same.

use crate::common::{finished, round_robin, scenario, setup};
use wavetank_sim::assert_transcript;
use wavetank_sim::scenario::ALL;
use wavetank_sim::snapshot::{View, text};

#[test]
fn calls_snapshots_hold_under_round_robin_and_under_random_of_five_seeds() {
    for scenario in ALL.iter().filter(|scenario| scenario.clean) {
        for setup in [round_robin()].into_iter().chain((1..=5).map(setup)) {
            let run = finished(scenario.build, &setup);
            assert_transcript!(run, format!("calls/{}", scenario.name), View::Calls);
        }
    }
}

#[test]
fn a_view_tells_other_behaviour_apart() {
    let echo = text(&finished(scenario("echo"), &setup(1)), View::Calls);
    let other = finished(
        |world| {
            let child = world.cell("child-echo", wavetank_sim::guests::CHILD_ECHO).args(["one", "three"]);
            child.serve(wavetank_sim::peer::executor(world)).spawn().expect_exit(0);
        },
        &setup(1),
    );
    assert_ne!(echo, text(&other, View::Calls));
}
