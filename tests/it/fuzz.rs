//! Fuzzing without libFuzzer: the same seed finds the same failures, clean scenarios give none, and the functions that
//! libFuzzer calls withstand the committed corpora and random bytes.

use rand_chacha::rand_core::Rng;
use std::collections::BTreeSet;
use std::path::PathBuf;
use wavetank_choice::seed::Purpose;
use wavetank_lab::targets::{Found, budgets, frames, token, wire};
use wavetank_lab::{bugs, scenario};
use wavetank_sim::check::engine;
use wavetank_sim::fuzz::{Fuzzer, corpus, input};
use wavetank_sim::{Choices, Profile, Seed, Setup, StrategyName, World, run};
use wavetank_tests::in_repository;

fn fuzzer(build: fn(&mut World), seed: u64) -> Fuzzer<fn(&mut World)> {
    Fuzzer::new(build, &Setup::new(engine(), Seed(seed)), &Profile::swarm())
}

fn bug(id: &str) -> fn(&mut World) {
    bugs::find(id).expect("a case").buggy
}

#[test]
fn the_same_seed_and_number_of_runs_do_the_same() {
    let digests = |seed| -> Vec<[u8; 16]> {
        let mut fuzzer = fuzzer(scenario::find("echo").unwrap().build, seed);
        (0..120).map(|_| fuzzer.step().run.transcript.digest()).collect()
    };
    assert_eq!(digests(5), digests(5));
    assert_ne!(digests(5), digests(6));
}

#[test]
fn clean_scenarios_and_mended_twins_give_nothing() {
    let clean = ["echo", "pid0", "pipeline"].map(|name| scenario::find(name).expect("a scenario"));
    let mended = bugs::ALL.iter().map(|case| (case.id, case.mended));
    for (name, build) in clean.map(|scenario| (scenario.name, scenario.build)).into_iter().chain(mended) {
        let mut fuzzer = fuzzer(build, 1);
        for _ in 0..60 {
            let fuzzed = fuzzer.step();
            assert_eq!(fuzzed.found, None, "{name}: {}", fuzzed.run.outcome);
        }
    }
}

#[test]
fn what_random_walks_do_not_find_is_found_shrunk_and_replayed() {
    for id in ["longshort_50", "reorder_10", "twostage_20"] {
        let mut fuzzer = fuzzer(bug(id), 2);
        let found = (0..2_000).map(|_| fuzzer.step()).find(|fuzzed| fuzzed.found.is_some());
        let fuzzed = found.unwrap_or_else(|| panic!("{id} was not found"));
        let shrunk = fuzzer.shrunk(&fuzzed.run).expect("it fails again");
        assert!(shrunk.run.choices.len() <= fuzzed.run.choices.len());
        let given = shrunk.run.choices.iter().map(|choice| (choice.value, Some(choice.of.check()))).collect();
        let setup = Setup { choices: Choices::Given(given), ..Setup::new(engine(), Seed(2)) };
        assert_eq!(run(bug(id), &setup).transcript.digest(), shrunk.run.transcript.digest());
    }
}

#[test]
fn a_case_written_down_does_what_its_run_did() {
    let mut fuzzer = fuzzer(scenario::find("echo").unwrap().build, 3);
    let runs: Vec<_> = (0..40).map(|_| fuzzer.step()).filter(|fuzzed| fuzzed.is_kept).collect();
    assert!(runs.len() > 1, "{} cases", runs.len());
    assert_eq!(runs.len(), fuzzer.cases().len());
    for (fuzzed, case) in runs.iter().zip(fuzzer.cases()) {
        let given = input::decode(&input::encode(&case.values()));
        let (then, seed, profile) = (StrategyName::RoundRobin, Seed(9), Profile::swarm());
        let choices = Choices::GivenThenDrawn { given, then, seed, profile };
        let again =
            run(scenario::find("echo").unwrap().build, &Setup { choices, ..Setup::new(engine(), Seed(3)) });
        assert_eq!(again.transcript.digest(), fuzzed.run.transcript.digest());
    }
}

#[test]
fn fewer_cases_cover_as_much() {
    let mut fuzzer = fuzzer(bug("reorder_5"), 4);
    (0..300).for_each(|_| drop(fuzzer.step()));
    let kept = fuzzer.minimal();
    assert!(!kept.is_empty() && kept.len() < fuzzer.cases().len());
}

/// The cases of a committed corpus.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// The names of the files in a folder of `fuzz`, without their extensions.
fn stems(folder: &str) -> BTreeSet<String> {
    let folder = in_repository("fuzz").join(folder);
    let listed = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    listed.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_string()).collect()
}

#[test]
fn no_target_is_forgotten() {
    let manifest: toml::Table = include_str!("../../fuzz/Cargo.toml").parse().unwrap();
    let bins = manifest["bin"].as_array().unwrap().iter();
    let targets: BTreeSet<String> = bins.map(|bin| bin["name"].as_str().unwrap().into()).collect();
    assert_eq!(stems("fuzz_targets"), targets);
    assert_eq!(stems("seeds"), targets);
    assert!(stems("dictionaries").is_subset(&targets) && stems("options").is_subset(&targets));
    targets.iter().for_each(|target| drop(seeds(target)));
    // The scripts that build and run the targets ask cargo-fuzz for their names.
    for script in [include_str!("../../.ci/lib.sh"), include_str!("../../.clusterfuzzlite/build.sh")] {
        let lines: Vec<&str> = script.lines().map(str::trim).collect();
        assert!(lines.iter().any(|line| line.ends_with(" fuzz list)")), "{script}");
        assert!(lines.contains(&"for target in $targets; do"), "{script}");
    }
    let docs = include_str!("../../docs/src/how-to/fuzzing.md");
    assert!(targets.iter().all(|target| docs.contains(&format!("\n| `{target}` |"))));
}

/// `count` inputs of random bytes.
fn random(count: u64, longest: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(move |seed| {
        let mut rng = Seed(seed).stream(Purpose::Fuzz);
        let mut bytes = vec![0; (rng.next_u32() % longest) as usize];
        rng.fill_bytes(&mut bytes);
        bytes
    })
}

fn nothing_is_found(inputs: impl Iterator<Item = Vec<u8>>, target: impl Fn(&[u8]) -> Option<Found>) {
    for bytes in inputs {
        if let Some(found) = target(&bytes) {
            panic!("{bytes:?}: {found}");
        }
    }
}

#[test]
fn the_target_of_budgets_withstands() {
    let echo = scenario::find("echo").unwrap().build;
    nothing_is_found(seeds("budgets").into_iter().chain(random(2_000, 200)), |bytes| budgets(echo, bytes));
}

#[test]
fn the_target_of_frames_withstands() {
    nothing_is_found(seeds("frames").into_iter().chain(random(2_000, 600)), frames);
}

#[test]
fn the_target_of_tokens_withstands() {
    nothing_is_found(seeds("token").into_iter().chain(random(2_000, 200)), token);
}

/// Faults of libraries that hostile frames trigger; docs/src/how-to/fuzzing.md describes each.
const KNOWN: &str = include_str!("../../docs/src/how-to/fuzzing.md");

#[test]
fn the_target_of_wire_finds_only_what_is_known() {
    let mut news = BTreeSet::new();
    for bytes in seeds("wire").into_iter().chain(random(2_000, 400)) {
        if let Some(found) = wire(&bytes)
            && !KNOWN.contains(&format!("`{}`", found.signature))
            && news.insert(found.signature.clone())
        {
            println!("{} of {:?}: {bytes:?}", found.signature, found.blame);
        }
    }
    assert!(news.is_empty(), "{news:#?}");
}

/// The sweeps above find nothing. This shows that the same functions can find failures.
#[test]
fn the_targets_find_what_is_there() {
    let found = random(2_000, 200).find_map(|bytes| budgets(bug("g04"), &bytes)).expect("g04 stalls");
    assert_eq!(found.signature, "stalled: g04");
    let known = ["resolves-to-itself", "asks-itself"].map(|seed| {
        let file = in_repository("fuzz/seeds/wire").join(seed);
        wire(&std::fs::read(file).expect("a committed seed")).expect("a known fault").signature
    });
    for signature in &known {
        assert!(KNOWN.contains(&format!("`{signature}`")), "{signature}");
    }
    assert_ne!(known[0], known[1]);
}

#[test]
fn names_of_cases_follow_what_is_in_them() {
    assert_eq!(corpus::name(b""), "2d06800538d394c2");
}
