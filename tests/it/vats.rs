//! The scenario `vats`: its generator reaches every operation, and its oracles see planted faults.

mod doctor;

use doctor::Doctor;
use std::collections::BTreeSet;
use std::sync::Mutex;
use wavetank_lab::vats::{Kind, Vats};
use wavetank_sim::oracle::Oracle;
use wavetank_sim::outcome::Outcome;
use wavetank_sim::{Choices, Profile, Seed, Setup, StrategyName, World, run};
use wavetank_tests::{engine, finished, scenario, setup};

#[test]
fn no_choices_at_all_is_a_dull_run_that_passes() {
    for name in ["vats", "vats-2", "vats-plain", "vats-ends"] {
        let dull = Setup { choices: Choices::Given(Vec::new()), ..setup(0) };
        finished(scenario(name), &dull);
    }
}

#[test]
fn every_kind_of_operation_is_reached() {
    let reached = Mutex::new(BTreeSet::new());
    for seed in 0..600 {
        let here = std::sync::Arc::new(Mutex::new(BTreeSet::new()));
        let told = here.clone();
        run(
            move |world: &mut World| {
                let told = told.clone();
                let told = move |kind, _: &str| {
                    told.lock().unwrap().insert(kind);
                };
                Vats::new().ends().told(told).build(world);
            },
            &held(seed),
        );
        reached.lock().unwrap().extend(here.lock().unwrap().iter().copied());
    }
    let reached = reached.into_inner().unwrap();
    let no_operations = [Kind::AtHome, Kind::LongWay, Kind::Redirected, Kind::LastWill];
    let expected = Kind::ALL.into_iter().filter(|kind| !no_operations.contains(kind));
    let missed: Vec<Kind> = expected.filter(|kind| !reached.contains(kind)).collect();
    assert_eq!(missed, []);
}

#[test]
fn plain_traffic_agrees_with_the_direct_graph_under_calm() {
    let mut finished = 0;
    for seed in 0..300 {
        let calm = Setup {
            choices: Choices::Drawn(StrategyName::default(), Profile::calm()),
            ..Setup::new(engine(), Seed(seed))
        };
        match run(scenario("vats-plain"), &calm).outcome {
            Outcome::Finished => finished += 1,
            // Even these few operations bring out some known faults.
            known if !known.is_news() => {}
            other => panic!("seed {seed}: {other}"),
        }
    }
    assert!(finished > 290, "{finished} of 300");
}

#[test]
fn a_vat_without_embargoes_is_caught() {
    let caught = caught(Doctor::NoEmbargo, 300);
    assert!(caught.iter().any(|(_, oracle)| *oracle == Oracle::Own("order at home")), "{caught:?}");
}

#[test]
fn one_release_that_is_dropped_is_caught() {
    let caught = caught(Doctor::OneRelease, 10);
    assert!(caught.iter().any(|(_, oracle)| *oracle == Oracle::Own("table")), "{caught:?}");
}

/// The seeds that fail with doctored vats and pass with sound ones, and the oracle that saw each fault.
fn caught(doctor: Doctor, seeds: u64) -> Vec<(u64, Oracle)> {
    let world = |doctor: Option<Doctor>| {
        move |world: &mut World| {
            let over = move |_, _, streams| match doctor {
                Some(doctor) => doctor.over(streams),
                None => streams,
            };
            Vats::new().over(over).build(world);
        }
    };
    let mut caught = Vec::new();
    for seed in 0..seeds {
        if let Outcome::Violated(finding) = run(world(Some(doctor)), &setup(seed)).outcome
            && run(world(None), &setup(seed)).outcome.is_finished()
        {
            caught.push((seed, finding.oracle));
        }
    }
    caught
}

/// A setup in which no pipe flows freely, so that each message takes a while to cross.
fn held(seed: u64) -> Setup {
    let weights = [("deliver".to_string(), 1), ("act".to_string(), 4)].into();
    let profile = Profile { held_pipes: 1, weights, ..Profile::swarm() };
    Setup { choices: Choices::Drawn(StrategyName::default(), profile), ..setup(seed) }
}
