//! The `wavetank` command, as its users meet it.

use std::process::Command;
use wavetank_sim::scenario;

/// Runs it; gives its exit code, stdout and stderr.
fn wavetank(args: &[&str]) -> (i32, String, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_wavetank")).args(args).output().expect("wavetank runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (ran.status.code().expect("an exit code"), text(ran.stdout), text(ran.stderr))
}

#[track_caller]
fn finds_nothing(args: &[&str]) -> String {
    let (code, out, err) = wavetank(args);
    assert_eq!((code, &*err), (0, ""), "{out}");
    out
}

fn replay_token(account: &str) -> &str {
    let line = account.lines().find_map(|line| line.trim().strip_prefix("replay: "));
    line.and_then(|line| line.rsplit(' ').next()).expect("an account ends with the line that replays it")
}

#[test]
fn two_processes_give_the_same_token_and_with_it_the_same_transcript_digest() {
    for scenario in scenario::ALL.iter().filter(|scenario| scenario.clean) {
        let args = ["run", scenario.name, "--seed", "7"];
        let [first, again] = [(); 2].map(|()| finds_nothing(&args));
        assert_eq!(first, again);
    }
}

#[test]
fn the_printed_line_replays() {
    let account = finds_nothing(&["run", "pid0", "--seed", "7"]);
    let token = replay_token(&account);
    let frames = finds_nothing(&["replay", token]);
    assert!(frames.contains("reproduced"), "{frames}");
    assert!(frames.contains("Executor.runBytes (wasm = Data("), "{frames}");
    let steps = finds_nothing(&["replay", token, "--steps"]);
    for what in ["poll pid0", "born: cell child-echo, child of pid0", "dropped: pollable", "closed: writer"] {
        assert!(steps.contains(what), "{what}\n{steps}");
    }
}

#[test]
fn a_replay_of_a_failure_fails_again() {
    let (code, account, _) = wavetank(&["run", "fault-drop", "--seed", "3"]);
    assert_eq!(code, 1);
    assert!(account.contains("trapped: fault-drop, resource has children"), "{account}");
    let (code, again, _) = wavetank(&["replay", replay_token(&account)]);
    assert_eq!(code, 1);
    assert!(again.contains("reproduced"), "{again}");
}

#[test]
fn wrong_usage_says_what_to_do_and_exits_with_2() {
    let cases: &[(&[&str], &str)] = &[
        (&["run", "pid1"], "`wavetank list`"),
        (&["run", "pid0", "--seed", "x"], "not a seed"),
        (&["run", "pid0", "--seeds", "9..3"], "write A..B with A below B"),
        (&["run", "pid0", "--strategy", "luck"], "random"),
        (&["replay", "pid0"], "not a token"),
        (&["replay", "wt9.pid0.7.AAAA"], "version"),
        (&["replay", "wt1.pid0.7.AAAA"], "damaged"),
        (&["walk"], "Usage"),
        (&[], "Usage"),
    ];
    for (args, hint) in cases {
        let (code, out, err) = wavetank(args);
        assert_eq!((code, &*out), (2, ""), "{args:?}");
        assert!(err.contains(hint), "{args:?}: {err}");
    }
}

#[test]
fn the_list_names_every_scenario() {
    let list = finds_nothing(&["list"]);
    for scenario in scenario::ALL {
        assert!(list.contains(scenario.name) && list.contains(scenario.summary), "{list}");
    }
}
