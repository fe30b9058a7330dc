//! Snapshots of the messages on the links: the contract, not the schedule.

use wavetank_sim::Setup;
use wavetank_sim::snapshot::{View, text};
use wavetank_tests::{finished, in_repository, round_robin, scenario};

/// Compares with `snapshots/NAME.snap`.
#[track_caller]
pub(crate) fn check(name: &str, text: &str) {
    let (family, name) = name.split_once('/').expect("family/name");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(in_repository("snapshots").join(family));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Pipes that can hold a whole component. Each end writes all its messages before the other is polled, so a message
/// that was sent without waiting for an answer comes before that answer.
const ROOMY_BYTES: usize = 4 * 1024 * 1024;

fn frames(name: &str) -> String {
    let setup = Setup { capacity_bytes: ROOMY_BYTES, ..round_robin() };
    text(&finished(scenario(name), &setup), View::Frames)
}

#[test]
fn echo() {
    check("frames/echo", &frames("echo"));
}

#[test]
fn pid0_pipelines_three_calls_before_any_return() {
    let frames = frames("pid0");
    let at = |what: &str| frames.find(what).unwrap_or_else(|| panic!("{what}\n{frames}"));
    assert!(at("Process.wait ()") < at("← return"), "{frames}");
    check("frames/pid0", &frames);
}

#[test]
fn pid0_over_a_connection_says_the_same() {
    // The child inside is built for the same transport as its parent, so its bytes differ.
    let same = |frames: String| -> String {
        let is_childs = |line: &&str| !line.contains("Executor.runBytes (wasm");
        frames.lines().filter(is_childs).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(same(frames("pid0-streams")), same(frames("pid0")));
}

#[test]
fn chain() {
    check("frames/chain", &frames("chain"));
}
