//! Hostile flags, files and host capabilities: a test for each of their rows in docs/src/reference/hostile.md.

use crate::common::wavetank;
use std::path::{Path, PathBuf};
use wavetank_lab::guests;

/// A file for this test.
fn file(name: &str, bytes: &[u8]) -> String {
    let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    std::fs::create_dir_all(&folder).expect("a folder for tests");
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("a file for a test");
    path.to_str().expect("plain names").to_string()
}

#[track_caller]
fn refused(args: &[&str], hint: &str) {
    let (code, out, err) = wavetank(args);
    assert_eq!((code, &*out), (2, ""), "{args:?}: {err}");
    assert!(err.contains(hint), "{args:?}: {err}");
    assert!(!err.contains("panicked"), "{args:?}: {err}");
}

#[test]
fn tokens_of_junk_are_refused() {
    for token in
        ["", "wt1", "wt1...", "wt1.pid0.7.", "wt1.pid0.99999999999999999999.AAAA", "\u{1f980}.\u{1f980}"]
    {
        refused(&["replay", token], "token");
    }
    refused(&["replay", &"wt1.".repeat(20_000)], "token");
}

#[test]
fn flags_of_junk_are_refused() {
    for shard in ["0/1", "2/1", "1/0", "x/3", "1/18446744073709551616", "1/3/5"] {
        refused(&["run", "echo", "--shard", shard], "--shard");
    }
    refused(&["run", "echo", "--seeds", "0..99999999999999999999"], "A..B");
    refused(&["run", "echo", "--hang-after", "soon"], "30s, 10m or 2h");
    refused(&["run", "echo", "--strategy", &"x".repeat(100_000)], "strategy");
    refused(&["run", "echo", "--profile", "/dev/null/x.toml"], "profile");
}

#[test]
fn all_seeds_there_are_stop_with_the_time() {
    let (code, out, _) = wavetank(&["run", "echo", "--seeds", "0..18446744073709551615", "--time", "1s"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("of 18446744073709551615 (stopped early)"), "{out}");
}

#[test]
fn profiles_of_junk_are_refused() {
    for (name, bytes) in
        [("noise.toml", &[0xff; 100][..]), ("deep.toml", &[b'['; 100_000]), ("no.toml", b"level = 7")]
    {
        refused(&["run", "echo", "--profile", &file(name, bytes)], "profile");
    }
}

#[test]
fn lines_of_junk_are_not_merged() {
    let heading = r#"{"sweep":{"schema":2,"scenario":"x","title":"x","replay_args":"","strategy":"x","profile":"x","canary":false,"shrink":true,"first_seed":0,"seed_count":18446744073709551615,"shard":"1/10000"}}"#;
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("empty.json", Vec::new(), "nothing to merge"),
        ("noise.json", [0xff; 1000].into(), "torn"),
        ("noise-line.json", b"\xff\xff\n".to_vec(), "line 1 is none of"),
        ("deep.json", [vec![b'['; 1_000_000], b"\n".to_vec()].concat(), "line 1 is none of"),
        ("headless.json", b"{\"summary\":{},\"timing\":{\"milliseconds\":1}}\n".to_vec(), "heading"),
        ("version.json", format!("{heading}\n").replace("\"schema\":2", "\"schema\":9").into(), "version 9"),
        ("shard.json", format!("{heading}\n").replace("1/10000", "9/1").into(), "not a shard"),
    ];
    for (name, bytes, hint) in cases {
        refused(&["merge", &file(name, bytes)], hint);
    }
    // A heading that promises more seeds and shards than there can be: it is reported, and the seeds are not counted
    // one by one.
    let (code, _, err) = wavetank(&["merge", &file("vast.json", format!("{heading}\n").as_bytes())]);
    assert_eq!(code, 2);
    assert!(err.contains("shard 2/10000 is missing"), "{err}");
    assert!(err.contains("shard 1/10000 ran 0 of its 1844674407370956 seeds"), "{err}");
}

#[cfg(unix)]
#[test]
fn devices_without_end_are_not_read_to_their_end() {
    refused(&["run", "/dev/zero", "--seeds", "0..2"], "/dev/zero: it is larger than");
    refused(&["merge", "/dev/zero"], "/dev/zero: line 1 is none of");
    let (_, account, _) = wavetank(&["run", "echo", "--seed", "3"]);
    let token = account.trim_end().rsplit(' ').next().expect("a token");
    refused(&["replay", token, "--guest", "child-echo=/dev/zero"], "/dev/zero: it is larger than");
}

/// Asserts that no output controls a terminal, or a program that reads lines of a log as commands.
#[track_caller]
fn is_harmless(out: &str) {
    assert!(!out.contains(|c: char| c.is_control() && c != '\n'), "{out:?}");
    let lines = out.lines().map(str::trim_start);
    let commands: Vec<&str> = lines.filter(|line| line.starts_with("::")).collect();
    assert!(commands.iter().all(|line| line.starts_with("::error title=")), "{commands:?}");
}

#[test]
fn names_and_words_of_a_guest_steer_nothing() {
    // The name of a function in the component itself.
    let (from, to) = (b"__main_void", b"\n::error x\x1b");
    let mut wasm = guests::FAULT_DROP.to_vec();
    let places: Vec<usize> = (0..wasm.len()).filter(|&at| wasm[at..].starts_with(from)).collect();
    for at in places {
        wasm[at..at + from.len()].copy_from_slice(to);
    }
    let path = file("names.wasm", &wasm);
    for flags in [&["--seeds", "0..2"][..], &["--seed", "0"]] {
        let (code, out, _) = wavetank(&[&["run", &path, "--github"], flags].concat());
        assert_eq!(code, 1, "{out}");
        is_harmless(&out);
        assert!(out.contains("  in \\n::error x\\u{1b}\n"), "{out}");
    }
    // The guest's words on stderr.
    let path = file("words.wasm", guests::PROBE);
    for flags in [&["--seeds", "0..2"][..], &["--seed", "0"]] {
        let (code, out, _) = wavetank(&[&["run", &path], flags, &["--", "\n::error x::\u{1b}[31m"]].concat());
        assert_eq!(code, 1, "{out}");
        is_harmless(&out);
        assert!(out.contains("words stderr | ::error x::\\u{1b}[31m\n"), "{out}");
    }
}

#[test]
fn a_capability_that_never_returns_is_told_as_hung_and_the_sweep_goes_on() {
    let args = ["run", "fault-hang", "--seeds", SEEDS, "--jobs", "1", "--hang-after", "10s"];
    let (code, out, _) = wavetank(&args);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("hung: the process said nothing for 10 s"), "{out}");
    assert!(out.contains("3 seeds, 2 finished, 1 hung"), "{out}");
    // The token draws the choices again. It cannot be replayed here, because it would hang.
    assert!(out.contains(" replay wt1.fault-hang."), "{out}");
}

#[test]
fn a_capability_that_aborts_is_told_as_aborted_and_the_sweep_goes_on() {
    let (code, out, _) = wavetank(&["run", "fault-abort", "--seeds", SEEDS, "--jobs", "1"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("aborted: the process died (signal: 6 (SIGABRT)"), "{out}");
    assert!(out.contains("3 seeds, 1 aborted, 2 finished"), "{out}");
}

/// One of these seeds draws the fault.
const SEEDS: &str = "22..25";
