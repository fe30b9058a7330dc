//! Shards from the environment, and what merge says of shards that are missing or doubled.

use crate::common::{command, folder, name, output, wavetank};
use std::fs;
use std::path::Path;

/// Runs one task of a sweep of `echo` where these variables are set.
fn task(shard: &str, set: &[(&str, &str)], json: &Path) -> (i32, String, String) {
    let mut task = command();
    for variable in [
        "JOB_COMPLETION_INDEX",
        "SLURM_ARRAY_TASK_ID",
        "CI_NODE_INDEX",
        "BUILDKITE_PARALLEL_JOB",
        "HQ_TASK_ID",
    ] {
        task.env_remove(variable);
    }
    task.args(["run", "echo", "--seeds", "0..12", "--jobs", "1", "--shard", shard, "--json", name(json)]);
    output(task.envs(set.iter().copied()))
}

#[test]
fn tasks_of_an_engine_find_their_shards_and_merge() {
    let folder = folder("engine");
    let files: Vec<_> = ["0", "1", "2"].map(|index| folder.join(format!("{index}.json"))).into();
    for (index, json) in ["0", "1", "2"].into_iter().zip(&files) {
        let set = [("JOB_COMPLETION_INDEX", index), ("JOB_COMPLETIONS", "3")];
        let (code, out, err) = task("env", &set, json);
        assert_eq!(code, 0, "{out}{err}");
        let says = format!("by Kubernetes: JOB_COMPLETION_INDEX={index}, JOB_COMPLETIONS=3)");
        assert!(err.contains(&says), "{err}");
    }
    let (code, out, err) = wavetank(&["merge", name(&files[0]), name(&files[1]), name(&files[2])]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(out.contains("echo: 12 seeds, 12 finished"), "{out}");
    // One was never started.
    let (code, _, err) = wavetank(&["merge", name(&files[0]), name(&files[2])]);
    assert_eq!((code, &*err), (2, "wavetank: shard 2/3 is missing: run it with --shard 2/3\n"));
    // Two tasks had the same number.
    let copy = folder.join("copy.json");
    fs::copy(&files[0], &copy).expect("a file for a test");
    let (code, _, err) = wavetank(&["merge", name(&files[0]), name(&copy), name(&files[2])]);
    assert_eq!(code, 2);
    let doubled = format!("shard 1/3 ran in full 2 times, as in {} and {}", name(&files[0]), name(&copy));
    assert!(err.contains(&doubled) && err.contains("shard 2/3 is missing"), "{err}");
}

#[test]
fn an_environment_that_does_not_add_up_is_refused_before_anything_runs() {
    let folder = folder("refused");
    let json = folder.join("x.json");
    for (shard, set, hint) in [
        ("env", &[][..], "none of JOB_COMPLETION_INDEX (Kubernetes)"),
        (
            "env",
            &[("CI_NODE_INDEX", "5"), ("CI_NODE_TOTAL", "4")],
            "GitLab says CI_NODE_INDEX=5, CI_NODE_TOTAL=4",
        ),
        ("env", &[("HQ_TASK_ID", "5")], "state it as env/N"),
        ("env/x", &[("HQ_TASK_ID", "5")], "not a shard"),
    ] {
        let (code, out, err) = task(shard, set, &json);
        assert_eq!((code, &*out), (2, ""), "{err}");
        assert!(err.contains(hint), "{hint}: {err}");
    }
    assert!(!json.exists());
}

/// A killed sweep does not tell its time, so there is no speed either.
#[test]
fn a_merge_of_killed_shards_tells_no_speed() {
    let folder = folder("killed");
    let (json, merged) = (folder.join("whole.json"), folder.join("merged.json"));
    assert_eq!(task("1/1", &[], &json).0, 0);
    let text = fs::read_to_string(&json).expect("it was written");
    let (killed, _) = text.split_once("{\"summary\"").expect("a summary");
    fs::write(&json, killed).expect("a file for a test");
    let (code, out, _) = wavetank(&["merge", name(&json), "--json", name(&merged)]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains(" of virtual time\n") && !out.contains("worlds/s"), "{out}");
    let merged = fs::read_to_string(&merged).expect("it was written");
    assert!(merged.contains("\"worlds_per_second\":null"), "{merged}");
    // Such a file can be merged again.
    assert_eq!(wavetank(&["merge", name(&folder.join("merged.json"))]).0, 0);
}

#[test]
fn a_seed_of_another_shard_is_refused() {
    let folder = folder("foreign");
    let json = folder.join("x.json");
    assert_eq!(task("1/3", &[], &json).0, 0);
    let text =
        fs::read_to_string(&json).expect("it was written").replace("\"shard\":\"1/3\"", "\"shard\":\"2/3\"");
    fs::write(&json, text).expect("a file for a test");
    let (code, out, err) = wavetank(&["merge", name(&json)]);
    assert_eq!((code, &*out), (2, ""));
    assert!(err.contains("seed 0 is none of its shard, 2/3"), "{err}");
}

/// Ten thousand shards of few seeds, of which one is there: named in a few lines, and in no time.
#[test]
fn many_missing_shards_are_told_in_few_lines() {
    let folder = folder("many");
    let json = folder.join("x.json");
    assert_eq!(task("1/12", &[], &json).0, 0);
    let text = fs::read_to_string(&json).expect("it was written");
    let text = text
        .replace("\"shard\":\"1/12\"", "\"shard\":\"1/10000\"")
        .replace("\"seed_count\":12", "\"seed_count\":400000");
    fs::write(&json, text).expect("a file for a test");
    let (code, _, err) = wavetank(&["merge", name(&json)]);
    assert_eq!(code, 2);
    assert_eq!(err.lines().count(), 21, "{err}");
    assert!(err.ends_with("… and 9980 more shards are missing or incomplete\n"), "{err}");
}

#[cfg(unix)]
#[test]
fn a_fifo_that_nobody_writes_is_refused() {
    let folder = folder("fifo");
    let fifo = folder.join("x.json");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs");
    assert!(made.success());
    for args in [&["merge", name(&fifo)][..], &["run", name(&fifo), "--seed", "0"]] {
        let (code, out, err) = wavetank(args);
        assert_eq!((code, &*out), (2, ""), "{err}");
        assert!(err.contains("it is a FIFO"), "{err}");
    }
}
