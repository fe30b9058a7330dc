//! The same seed makes the same run, whatever else differs; another seed makes another run.

use std::collections::BTreeSet;
use wavetank::Allocator;
use wavetank_choice::choice::{Choice, Meaning};
use wavetank_lab::scenario::all;
use wavetank_sim::scenario::Scenario;
use wavetank_sim::{Choices, Setup, Token, run};
use wavetank_tests::{ending, engine_with, finished, round_robin, scenario, setup};

fn clean() -> impl Iterator<Item = &'static Scenario> {
    all().filter(|scenario| scenario.clean)
}

#[test]
fn twice_in_one_process() {
    for Scenario { name, build, .. } in ending() {
        for seed in 0..8 {
            let [first, again] = [(); 2].map(|()| run(build, &setup(seed)));
            assert_eq!(first.outcome, again.outcome, "{name} seed {seed}");
            assert_eq!(first.transcript, again.transcript, "{name} seed {seed}");
        }
    }
}

#[test]
fn with_the_pooling_and_with_the_on_demand_allocator() {
    let on_demand = engine_with(Allocator::OnDemand);
    for Scenario { name, build, .. } in ending() {
        for seed in 0..4 {
            let pooled = run(build, &setup(seed));
            let other = run(build, &Setup { engine: on_demand.clone(), ..setup(seed) });
            assert_eq!(pooled.transcript.digest(), other.transcript.digest(), "{name} seed {seed}");
        }
    }
}

#[test]
fn different_seeds_give_different_schedules() {
    for Scenario { name, build, .. } in clean() {
        let digests: BTreeSet<_> = (0..20).map(|seed| run(build, &setup(seed)).transcript.digest()).collect();
        // Two seeds may give the same schedule in a world as small as echo.
        assert!(digests.len() >= 18, "{name}: {} schedules of 20 seeds", digests.len());
    }
}

#[test]
fn a_token_replays_and_says_so() {
    for Scenario { name, build, .. } in ending() {
        for seed in 0..8 {
            let first = run(build, &setup(seed));
            let token: Token = first.token(name).to_string().parse().expect("a token reads back");
            let again = run(build, &Setup { choices: token.recipe.try_into().unwrap(), ..setup(seed) });
            assert_eq!(again.left_track, None, "{name} seed {seed}");
            assert_eq!(again.transcript, first.transcript, "{name} seed {seed}");
        }
    }
}

#[test]
fn no_choices_is_a_legal_dull_run_and_the_same_as_round_robin() {
    for Scenario { name, build, .. } in clean() {
        let empty = Setup { choices: Choices::Given(Vec::new()), ..setup(0) };
        let dull = finished(build, &empty);
        assert_eq!(dull.choices, []);
        assert_eq!(dull.transcript, finished(build, &round_robin()).transcript, "{name}");
    }
}

#[test]
fn every_prefix_of_choices_is_a_legal_run() {
    let whole = finished(scenario("pid0"), &setup(3));
    assert!(whole.choices.len() > 20, "{} choices", whole.choices.len());
    for len in 0..whole.choices.len() {
        let given = whole.choices[..len].iter().map(|choice| (choice.value, None)).collect();
        finished(scenario("pid0"), &Setup { choices: Choices::Given(given), ..setup(3) });
    }
}

#[test]
fn a_replay_that_leaves_its_track_says_where() {
    let first = run(scenario("echo"), &setup(1));
    let Choices::Given(mut given) = first.token("echo").recipe.try_into().unwrap() else {
        panic!("a run's choices are given")
    };
    let not_dull = |choice: &Choice| choice.value > 0 && matches!(choice.of, Meaning::Item(..));
    let at = first.choices.iter().position(not_dull).expect("a move that is not dull");
    given[at].0 = 0;
    let other = run(scenario("echo"), &Setup { choices: Choices::Given(given), ..setup(1) });
    let left = other.left_track.expect("it left its track");
    assert!(left.starts_with(&format!("choice {} ", at + 1)), "{left}");
}
