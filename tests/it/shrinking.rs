//! A shrunk failure is the failure that was found.

use wavetank_choice::Seed;
use wavetank_lab::bugs;
use wavetank_sim::signature::{shrink_while, signature};
use wavetank_sim::{Choices, Profile, Setup, StrategyName, run};
use wavetank_tests::engine;

#[test]
fn a_smaller_run_is_as_known_and_no_rougher() {
    let case = bugs::find("g26").expect("a case");
    let mut compared = 0;
    for seed in 0..60 {
        let drawn = Choices::Drawn(StrategyName::Random, Profile::swarm());
        let setup = Setup { choices: drawn, ..Setup::new(engine(), Seed(seed)) };
        let found = run(case.buggy, &setup);
        let replay = |choices| run(case.buggy, &Setup { choices, ..setup.clone() });
        // Each candidate must be no rougher. So this does not show where a shrinker would end that may make worlds
        // rougher.
        let Some(smaller) = shrink_while(&found, 200, |choices| Some(replay(choices))) else { continue };
        assert!(smaller.run.level <= found.level, "seed {seed}");
        assert_eq!(signature(&smaller.run.outcome), signature(&found.outcome), "seed {seed}");
        compared += 1;
    }
    assert!(compared >= 2, "only {compared} failed");
}
