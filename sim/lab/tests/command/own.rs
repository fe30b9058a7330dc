//! The inputs of a component of one's own, and components of one's own in place of a scenario's guests.

#[cfg(unix)]
use crate::common::{command_in, output};
use crate::common::{folder, wavetank_in};
use std::fs;
use std::path::Path;
use wavetank_lab::guests;

/// The words of the line that replays, from `replay` on.
fn replay_words(account: &str) -> Vec<String> {
    let line = account.lines().find_map(|line| line.trim().strip_prefix("replay: "));
    let words = line.expect("a line that replays").split(' ').skip_while(|word| *word != "replay");
    words.map(String::from).collect()
}

/// Runs the command in a folder; gives its exit code, and its stdout before its stderr.
fn ran(folder: &Path, args: &[impl AsRef<str>]) -> (i32, String) {
    let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
    let (code, out, err) = wavetank_in(folder, &args);
    (code, out + &err)
}

#[track_caller]
fn ends(folder: &Path, line: &str, with: (i32, &str)) -> String {
    let (code, out) = ran(folder, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(code, with.0, "{line}: {out}");
    assert!(out.contains(with.1), "{line}: {out}");
    out
}

/// A folder with `probe.wasm`, and `in.txt` for its stdin.
#[track_caller]
fn with_probe(test: &str) -> std::path::PathBuf {
    let folder = folder(test);
    fs::write(folder.join("probe.wasm"), guests::PROBE).expect("a file for a test");
    fs::write(folder.join("in.txt"), "some typed text").expect("a file for a test");
    folder
}

#[test]
fn inputs_reach_the_component_and_the_line_that_replays_carries_them() {
    let folder = with_probe("inputs");
    let out = ends(
        &folder,
        "run ./probe.wasm --seed 3 --stdin in.txt --env A=b --env C=d=e -- 1",
        (0, r#"env: [("A", "b"), ("C", "d=e")]"#),
    );
    assert!(out.contains("some typed text"), "{out}");
    let words = replay_words(&out);
    let (code, again) = ran(&folder, &words);
    assert_eq!(code, 0, "{again}");
    assert!(again.contains("reproduced: "), "{again}");
    // Other inputs are told, and tried.
    let others = "the arguments, --env, --stdin or --serve are others than the token's";
    let without: Vec<&String> = words.iter().filter(|word| !["--env", "A=b"].contains(&&***word)).collect();
    let fewer: Vec<&str> = without.iter().map(|word| &***word).filter(|word| *word != "C=d=e").collect();
    assert!(ran(&folder, &fewer).1.contains(others));
    fs::write(folder.join("in.txt"), "another text, and more of it").expect("a file for a test");
    let (code, changed) = ran(&folder, &words);
    assert_eq!(code, 3, "{changed}");
    assert!(changed.contains(others) && changed.contains("diverged"), "{changed}");
}

#[test]
fn an_exit_code_may_be_expected_and_a_kept_failure_holds_the_inputs() {
    let folder = with_probe("exit");
    ends(&folder, "run ./probe.wasm --seeds 0..6 --jobs 2 --expect-exit 3 -- exit 3", (0, "6 finished"));
    let out = ends(
        &folder,
        "run ./probe.wasm --seeds 0..3 --stdin in.txt --env A=b --expect-exit 4 -- exit 3",
        (1, "probe exited with 3, expected 4"),
    );
    let kept = out.lines().find_map(|line| line.split_once("the first as ")).expect("they are kept").1;
    let kept = format!("wavetank-failures/{kept}");
    ends(&folder, &format!("replay {kept}"), (1, "still fails: "));
    ends(&folder, &format!("replay {kept} --env A=c"), (2, "leave them out"));
    // The next sweep of the same inputs tries them first; a sweep of others does not.
    let same = "run ./probe.wasm --seeds 0..1 --stdin in.txt --env A=b --expect-exit 4 --no-shrink -- exit 3";
    ends(&folder, same, (1, "tried first: 3 fail"));
    fs::write(folder.join("in.txt"), "another text").expect("a file for a test");
    ends(&folder, same, (1, "its stdin in.txt changed since: tried all the same"));
    let other = "run ./probe.wasm --seeds 0..1 --env A=b --expect-exit 3 -- exit 3";
    assert!(!ends(&folder, other, (0, "1 finished")).contains("tried first"));
}

#[test]
fn shards_merge_only_if_they_have_the_same_inputs() {
    let folder = with_probe("shards");
    let shard = |number: u8, file: &str| {
        let line = format!(
            "run ./probe.wasm --seeds 0..6 --no-keep --shard {number}/2 --json {file} --stdin in.txt -- 1"
        );
        ends(&folder, &line, (0, "3 seeds, 3 finished"))
    };
    shard(1, "one");
    shard(2, "two");
    ends(&folder, "merge one two", (0, "6 seeds, 6 finished"));
    fs::write(folder.join("in.txt"), "another text").expect("a file for a test");
    shard(2, "other");
    ends(&folder, "merge one other", (2, "it is of another sweep"));
}

#[test]
fn the_host_serves_what_it_is_told() {
    let folder = folder("serve");
    fs::write(folder.join("child.wasm"), guests::CHILD_ECHO).expect("a file for a test");
    ends(&folder, "run ./child.wasm --seeds 0..6 --expect-rpc --serve executor", (0, "6 finished"));
    for serve in ["none", "host"] {
        let out = ends(
            &folder,
            &format!("run ./child.wasm --seed 1 --no-keep --expect-rpc --serve {serve}"),
            (1, "blame: "),
        );
        let words = replay_words(&out);
        assert!(words.windows(2).any(|pair| pair == ["--serve", serve]), "{words:?}");
        assert!(ran(&folder, &words).1.contains("reproduced: "));
    }
}

#[test]
fn wrong_inputs_are_refused_with_what_to_do() {
    let folder = with_probe("refused");
    fs::write(folder.join("pid0.wasm"), guests::PID0).expect("a file for a test");
    for (line, hint) in [
        ("run ./probe.wasm --stdin -", "cannot be replayed"),
        ("run ./probe.wasm --stdin nowhere.txt", "nowhere.txt: "),
        ("run ./probe.wasm --stdin .", "it is not a file"),
        ("run ./probe.wasm --env A", "not NAME=VALUE: \"A\""),
        ("run ./probe.wasm --env =b", "not NAME=VALUE"),
        ("run ./probe.wasm --expect-exit 300", "300 is not in 0..=255"),
        ("run ./probe.wasm --serve everything", "invalid value 'everything'"),
        ("run echo --stdin in.txt", "--stdin is for a component of your own, and echo is a scenario"),
        ("run echo --early-close", "--early-close is for a component of your own"),
        ("run ./pid0.wasm --transport stdio", "--transport stdio does not fit ./pid0.wasm"),
        ("fuzz ./pid0.wasm --runs 3 --transport stdio", "leave --transport out"),
        ("exhaustive ./pid0.wasm --transport stdio", "leave --transport out"),
        ("run echo --guest child-echo", "not NAME=FILE: \"child-echo\""),
        ("run echo --guest child-echo=in.txt", "in.txt: "),
        ("run echo --guest a=in.txt --guest a=in.txt", "--guest names a twice"),
    ] {
        let out = ends(&folder, line, (2, hint));
        assert!(!out.contains("panicked"), "{out}");
    }
    #[cfg(unix)]
    for stream in ["/dev/zero", "/dev/stdin", "/proc/self/fd/0"] {
        let mut command = command_in(&folder);
        command.stdin(fs::File::open(folder.join("in.txt")).expect("it was written"));
        let (code, out, err) = output(command.args(["run", "./probe.wasm", "--stdin", stream]));
        assert_eq!((code, &*out), (2, ""), "{err}");
        assert!(err.contains("it is not a file"), "{err}");
    }
}

/// `child-echo` that prints another text at its end.
fn louder() -> Vec<u8> {
    let mut wasm = guests::CHILD_ECHO_STDIO.to_vec();
    let places: Vec<usize> = (0..wasm.len() - 8).filter(|&at| wasm[at..].starts_with(b"CHILD_OK")).collect();
    for at in places {
        wasm[at..at + 8].copy_from_slice(b"CHILD_NO");
    }
    wasm
}

#[test]
fn a_changed_guest_goes_under_a_whole_sweep() {
    let folder = folder("guest");
    fs::write(folder.join("new.wasm"), louder()).expect("a file for a test");
    let sweep = "run echo --seeds 0..8 --jobs 2 --guest child-echo=new.wasm";
    let out = ends(&folder, sweep, (1, "8 violated"));
    let words = replay_words(&out);
    assert!(words[1].starts_with("wt1.echo+"), "{words:?}");
    let (code, again) = ran(&folder, &words);
    assert_eq!(code, 1, "{again}");
    assert!(again.contains("reproduced: "), "{again}");
    // The token says that a guest was replaced.
    let token = &words[1];
    ends(&folder, &format!("replay {token}"), (2, "name their components with --guest NAME=FILE"));
    ends(&folder, &format!("replay {token} --guest child-echo=new.wasm --until 3"), (0, "step 3"));
    ends(&folder, &format!("shrink {token} --guest child-echo=new.wasm --no-keep"), (1, "shrunk from "));
    // What is kept holds the guest. A replay may compare it with a mended one.
    let kept = out.lines().find_map(|line| line.split_once("the first as ")).expect("they are kept").1;
    let kept = format!("wavetank-failures/{kept}");
    ends(&folder, &format!("replay {kept}"), (1, "still fails: "));
    fs::write(folder.join("good.wasm"), guests::CHILD_ECHO_STDIO).expect("a file for a test");
    ends(&folder, &format!("replay {kept} --guest child-echo=good.wasm"), (0, "now: finished"));
    // The next sweep tries them first, with the guest as it is now.
    assert!(!ends(&folder, "run echo --seeds 0..2", (0, "2 finished")).contains("tried first"));
    fs::write(folder.join("new.wasm"), guests::CHILD_ECHO_STDIO).expect("a file for a test");
    ends(&folder, sweep, (0, "tried first: 0 fail"));
}

#[test]
fn a_changed_guest_goes_under_every_search() {
    let folder = folder("searches");
    fs::write(folder.join("new.wasm"), louder()).expect("a file for a test");
    for line in [
        "fuzz echo --runs 3 --no-keep --guest child-echo=new.wasm",
        "exhaustive echo --runs 3 --no-keep --guest child-echo=new.wasm",
        "run pid0 --seed 1 --no-keep --guest child-echo=new.wasm",
    ] {
        let (code, out) = ran(&folder, &line.split(' ').collect::<Vec<_>>());
        if line.starts_with("run pid0") {
            // Its child says nothing that it expects.
            assert_eq!(code, 0, "{out}");
        } else {
            assert_eq!(code, 1, "{out}");
        }
        let again = ran(&folder, &replay_words(&out)).1;
        assert!(again.contains("reproduced: "), "{line}: {again}");
    }
    let unknown = ends(&folder, "run pid0 --guest helper=new.wasm", (2, "no guest \"helper\" runs here"));
    assert!(unknown.contains("the cells are pid0, child-echo"), "{unknown}");
}
