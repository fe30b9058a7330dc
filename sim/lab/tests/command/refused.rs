//! Refusals of the command and their messages: flags that would do nothing, and files that cannot be meant.

use crate::common::{folder, wavetank_in};
use std::fs;
use std::path::Path;
use wavetank_lab::guests;
use wavetank_sim::check;

#[track_caller]
fn refused(folder: &Path, args: &[&str], hint: &str) {
    let (code, out, err) = wavetank_in(folder, args);
    assert_eq!((code, &*out), (2, ""), "{args:?}: {err}");
    assert!(err.contains(hint), "{args:?}: {err}");
}

/// The token of a run of echo.
fn token(folder: &Path) -> String {
    let (_, account, _) = wavetank_in(folder, &["run", "echo", "--seed", "3", "--no-keep"]);
    account.trim_end().rsplit(' ').next().expect("a token").to_string()
}

#[test]
fn no_run_at_all_is_no_success() {
    let folder = folder("none");
    refused(&folder, &["run", "echo", "--shard", "100/100", "--seeds", "0..10"], "shard 100/100 has no seed");
    refused(&folder, &["fuzz", "echo", "--runs", "0"], "not a number from 1 on");
    for none in ["0", "0s"] {
        refused(&folder, &["fuzz", "echo", "--seconds", none], "no time at all");
    }
    refused(&folder, &["run", "echo", "--hang-after", "0s"], "no time at all");
    let empty = std::panic::catch_unwind(|| check("nothing", |_| ()).seeds(5..5).no_failures().run());
    let message = empty.expect_err("it panics").downcast::<String>().expect("a message");
    assert_eq!(*message, "nothing: there is no seed to run in 5..5");
}

#[test]
fn shards_with_seeds_merge_without_those_that_have_none() {
    let folder = folder("shards");
    for shard in ["1", "2"] {
        let args = ["run", "echo", "--seeds", "0..2", "--shard", &format!("{shard}/3"), "--json", shard];
        assert_eq!(wavetank_in(&folder, &args).0, 0);
    }
    refused(&folder, &["run", "echo", "--seeds", "0..2", "--shard", "3/3"], "of which there are 2");
    let (code, out, err) = wavetank_in(&folder, &["merge", "1", "2"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
}

#[test]
fn a_flag_that_would_be_ignored_is_refused() {
    let folder = folder("ignored");
    let token = token(&folder);
    refused(&folder, &["run", "echo", "--transport", "stdio"], "echo is a scenario");
    refused(&folder, &["fuzz", "echo", "--transport", "connection"], "echo is a scenario");
    refused(&folder, &["run", "echo", "--expect-rpc"], "--expect-rpc is for a component of your own");
    refused(&folder, &["replay", &token, "--transport", "stdio"], "leave out --transport");
    refused(&folder, &["replay", &token, "--", "argument"], "leave out --transport");
    refused(&folder, &["shrink", &token, "--transport", "stdio"], "leave out --transport");
    refused(&folder, &["run", "echo", "--no-keep", "--prune"], "none are kept");
    refused(&folder, &["run", "echo", "--seed-from", ""], "is there such a variable?");
    for flag in [&["--junit", "x"][..], &["--shard", "1/2"], &["--jobs", "2"], &["--prune"], &["--canary"]] {
        let args = [&["run", "echo", "--strategy", "exhaustive"], flag].concat();
        refused(&folder, &args, &format!("takes no {}", flag[0]));
    }
    // A saved failure names its own component and settings.
    fs::write(folder.join("mine.wasm"), guests::FAULT_DROP).expect("a file for a test");
    let kept = |scenario| {
        let (_, out, _) = wavetank_in(&folder, &["run", scenario, "--seed", "3", "--no-shrink"]);
        out.lines().find_map(|line| line.strip_prefix("  kept: ")).expect("it is kept").to_string()
    };
    let (built_in, own) = (kept("fault-drop"), kept("./mine.wasm"));
    for command in ["replay", "shrink"] {
        refused(&folder, &[command, &built_in, "--wasm", "./mine.wasm"], "kept of the scenario fault-drop");
        refused(&folder, &[command, &own, "--transport", "stdio"], "leave them out");
        refused(&folder, &[command, &own, "--", "argument"], "leave them out");
    }
    assert_eq!(wavetank_in(&folder, &["replay", &own, "--wasm", "./mine.wasm"]).0, 1);
}

#[test]
fn one_file_is_not_written_twice_nor_read_and_written() {
    let folder = folder("twice");
    let twice = [
        (&["run", "echo", "--seeds", "0..2"][..], "--json", "--junit"),
        (&["bugs", "--cases", "g01"], "--csv", "--markdown"),
    ];
    for (args, one, other) in twice {
        refused(&folder, &[args, &[one, "f", other, "./f"]].concat(), "name the same file");
        assert!(!folder.join("f").exists());
    }
    assert_eq!(wavetank_in(&folder, &["run", "echo", "--seeds", "0..2", "--json", "a"]).0, 0);
    let before = fs::read(folder.join("a")).expect("it was written");
    for flag in ["--json", "--junit"] {
        refused(&folder, &["merge", "a", flag, "./a"], "it is to be merged");
    }
    assert_eq!(fs::read(folder.join("a")).expect("it is there"), before);
}

#[test]
fn numbers_and_times_are_refused_in_plain_words() {
    let folder = folder("numbers");
    for seed in ["-1", "--canary"] {
        refused(&folder, &["run", "echo", "--seed", seed], &format!("not a seed: {seed:?}"));
    }
    refused(&folder, &["fuzz", "echo", "--seed", "-1"], "not a seed: \"-1\"");
    refused(&folder, &["run", "echo", "--seeds", "-1..3"], "not a range of seeds: \"-1..3\"");
    for seconds in ["1.5", "soon", ""] {
        refused(&folder, &["fuzz", "echo", "--seconds", seconds], "30s, 10m or 2h");
    }
    refused(&folder, &["bugs", "--cap", "0"], "not a number from 1 on: \"0\"");
    refused(&folder, &["shrink", "wt1.x", "--runs", "0"], "not a number from 1 on: \"0\"");
    let (code, out, _) = wavetank_in(&folder, &["fuzz", "echo", "--seconds", "1s", "--no-keep"]);
    assert_eq!(code, 0, "{out}");
}

#[test]
fn a_token_of_a_check_is_for_its_test() {
    let folder = folder("check");
    let token = check("blocks_here", |_| ()).run_seed(3).token("blocks_here").to_string();
    for command in ["replay", "shrink"] {
        let hint = format!("WAVETANK_TOKEN={token} cargo test blocks_here\n");
        refused(&folder, &[command, &token], &hint);
    }
}

#[test]
fn a_kept_failure_is_read_whatever_its_name() {
    let folder = folder("names");
    let (_, out, _) = wavetank_in(&folder, &["run", "fault-drop", "--seed", "3"]);
    let file = out.lines().find_map(|line| line.strip_prefix("  kept: ")).expect("it is kept");
    fs::copy(folder.join(file), folder.join("copied")).expect("a file for a test");
    for name in ["copied", "./copied"] {
        let (code, out, err) = wavetank_in(&folder, &["replay", name]);
        assert_eq!((code, &*err), (1, ""), "{out}");
        assert!(out.starts_with(&format!("{name}: kept of fault-drop, seed 3: ")), "{out}");
    }
    refused(&folder, &["replay", "./nowhere"], "./nowhere: ");
    refused(&folder, &["replay", "nowhere"], "not a token");
}

#[test]
fn a_case_of_the_benchmark_goes_by_both_its_names() {
    let folder = folder("cases");
    let of = |case| {
        let args = ["bugs", "--cases", case, "--strategies", "random", "--bases", "1", "--twin-seeds", "1"];
        let (code, out, _) = wavetank_in(&folder, &args);
        assert_eq!(code, 0, "{out}");
        out
    };
    assert_eq!(of("abba"), of("bug-abba"));
    refused(&folder, &["bugs", "--cases", "bug-nowhere"], "no case is called \"bug-nowhere\"");
}

#[test]
fn shrinking_without_time_says_so() {
    let folder = folder("time");
    let (_, account, _) =
        wavetank_in(&folder, &["run", "fault-drop", "--seed", "3", "--no-keep", "--no-shrink"]);
    let token = account.trim_end().rsplit(' ').next().expect("a token");
    refused(&folder, &["shrink", token, "--time", "0s"], "its time is used up before the first run: --time");
}
