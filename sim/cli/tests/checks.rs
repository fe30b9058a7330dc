//! The checks of a project as their author runs them: as tests, and by the command. The project is `examples/checks.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The example, which cargo builds for the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a file");
    let profile = test.parent().and_then(Path::parent).expect("it is in deps");
    profile.join("examples/checks")
}

/// Runs the example in a folder of its own, as a shell would outside of CI. Gives its exit code and what it printed.
fn checks(folder: &Path, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(example());
    for variable in ["CARGO", "GITHUB_ACTIONS", "WAVETANK_FAILURES", "NEXTEST"] {
        command.env_remove(variable);
    }
    let ran = command.args(args).current_dir(folder).output().expect("the example runs");
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.code().expect("an exit code"), String::from_utf8(text).expect("text"))
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("checks").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder for a test");
    folder
}

#[track_caller]
fn contains(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in: {text}");
}

#[test]
fn without_a_command_it_is_a_test_binary() {
    let folder = folder("tests");
    let (code, list) = checks(&folder, &["--list", "--format", "terse"]);
    assert_eq!((code, &*list), (0, "adds: test\nloses-an-update: test\n"));
    let (code, out) = checks(&folder, &["--exact", "adds"]);
    assert_eq!(code, 0);
    contains(&out, "test adds ... ok");
    let failures = folder.join("failures");
    let mut command = Command::new(example());
    command.env("WAVETANK_FAILURES", &failures).arg("loses");
    let ran = command.output().expect("the example runs");
    assert_eq!(ran.status.code(), Some(101));
    let out = String::from_utf8([ran.stdout, ran.stderr].concat()).expect("text");
    contains(&out, "an update was lost");
    contains(&out, "-- --exact loses-an-update");
    assert_eq!(std::fs::read_dir(failures).expect("it was saved").count(), 1);
}

#[test]
fn a_sweep_runs_on_several_processes_and_names_the_place_of_the_check() {
    let folder = folder("sweep");
    let failures = ["--failures", "kept"];
    let run =
        ["run", "loses-an-update", "--seeds", "0..64", "--jobs", "2", "--github", "--junit", "junit.xml"];
    let (code, out) = checks(&folder, &[&run[..], &failures].concat());
    assert_eq!(code, 1);
    contains(&out, "loses-an-update: 64 seeds, ");
    contains(&out, "::error file=sim/cli/examples/checks.rs,line=");
    contains(&out, "an update was lost");
    let junit = std::fs::read_to_string(folder.join("junit.xml")).expect("the file was written");
    contains(&junit, "file=\"sim/cli/examples/checks.rs\" line=\"");
    // The saved failure and the token replay.
    let kept = std::fs::read_dir(folder.join("kept")).expect("it was saved").next().expect("a file");
    let kept = kept.expect("a file").path();
    let (code, out) = checks(&folder, &["replay", &kept.to_string_lossy()]);
    assert_eq!(code, 1, "{out}");
    contains(&out, "still fails");
    let token = out.lines().find_map(|line| line.strip_prefix("loses-an-update: "));
    assert!(token.is_some(), "{out}");
}

#[test]
fn one_run_is_explained_replayed_looked_into_and_shrunk() {
    let folder = folder("one");
    let seed = (0..50).find(|seed| {
        let seed = seed.to_string();
        checks(&folder, &["run", "loses-an-update", "--seed", &seed, "--no-keep"]).0 == 1
    });
    let seed = seed.expect("one of fifty seeds fails").to_string();
    let (_, report) = checks(&folder, &["run", "loses-an-update", "--seed", &seed, "--no-keep"]);
    contains(&report, "it passes if step ");
    let token = report.split_whitespace().find(|word| word.starts_with("wt1.")).expect("a token");
    contains(&report, &format!("checks replay {token}"));
    let (code, replayed) = checks(&folder, &["replay", token, "--steps"]);
    assert_eq!(code, 1);
    contains(&replayed, "reproduced: the transcript is the same, step for step");
    let (code, until) = checks(&folder, &["replay", token, "--until", "1"]);
    assert_eq!(code, 0);
    contains(&until, "one");
    let (code, shrunk) = checks(&folder, &["shrink", token, "--no-keep"]);
    assert_eq!(code, 1);
    contains(&shrunk, "shrunk from ");
}

#[test]
fn fuzzing_searching_and_canaries_take_checks() {
    let folder = folder("all");
    let (code, out) = checks(&folder, &["fuzz", "loses-an-update", "--runs", "300", "--no-keep"]);
    assert_eq!(code, 1);
    contains(&out, "an update was lost");
    let (code, out) = checks(&folder, &["exhaustive", "loses-an-update", "--no-keep"]);
    assert_eq!(code, 1);
    contains(&out, "an update was lost");
    let (code, out) = checks(&folder, &["exhaustive", "adds"]);
    assert_eq!(code, 0, "{out}");
    let (code, out) = checks(&folder, &["run", "adds", "--seeds", "0..20", "--canary"]);
    assert_eq!(code, 0);
    contains(&out, "compared with a second run");
}

#[test]
fn shards_merge_to_one_machines_result() {
    let folder = folder("shards");
    for shard in ["1/3", "2/3", "3/3"] {
        let file = format!("{}.json", shard.replace('/', "-"));
        let args =
            ["run", "loses-an-update", "--seeds", "0..60", "--shard", shard, "--json", &file, "--no-keep"];
        checks(&folder, &args);
    }
    checks(&folder, &["run", "loses-an-update", "--seeds", "0..60", "--json", "one.json", "--no-keep"]);
    checks(&folder, &["merge", "1-3.json", "2-3.json", "3-3.json", "--json", "merged.json"]);
    let untimed = |file: &str| -> Vec<String> {
        let text = std::fs::read_to_string(folder.join(file)).expect("a file");
        text.lines().filter(|line| !line.contains("\"timing\"")).map(String::from).collect()
    };
    assert_eq!(untimed("merged.json"), untimed("one.json"));
}

#[test]
fn wrong_names_are_told_with_the_right_ones() {
    let folder = folder("wrong");
    let (code, out) = checks(&folder, &["list"]);
    assert_eq!(code, 0);
    contains(&out, "checks\n  adds ");
    let (code, out) = checks(&folder, &["run", "add"]);
    assert_eq!(code, 2);
    contains(&out, "unknown check \"add\": there are adds, loses-an-update; did you mean adds?");
    let (code, out) = checks(&folder, &["run", "adds", "--", "x"]);
    assert_eq!(code, 2);
    contains(&out, "arguments go to a component of your own, and adds is a check");
}

/// A folder with a stand-in for cargo, which says that it built the example as a test target of `package`, and a test
/// binary of libtest. It fails if it is told to build anything but tests.
#[cfg(unix)]
fn project(name: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder(name);
    let package = folder.join("package");
    std::fs::create_dir_all(&package).expect("a folder for a test");
    let artifact = |executable: &Path| {
        let manifest = package.join("Cargo.toml");
        format!(
            "{{\"reason\":\"compiler-artifact\",\"executable\":{executable:?},\"manifest_path\":{manifest:?},\"target\":{{\"kind\":[\"test\"]}}}}"
        )
    };
    let plain = std::env::current_exe().expect("a test has a file");
    let script = format!(
        "#!/bin/sh\n[ \"$1 $2\" = 'test --no-run' ] || exit 7\necho '{{\"reason\":\"build-finished\"}}'\necho '{}'\necho '{}'\n",
        artifact(&plain),
        artifact(&example())
    );
    let cargo = folder.join("cargo");
    std::fs::write(&cargo, script).expect("a file for a test");
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    folder
}

#[cfg(unix)]
#[test]
fn cargo_wavetank_drives_the_target_that_holds_the_checks() {
    let folder = project("cargo");
    let cargo = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-wavetank"));
        command.arg("wavetank").args(args).current_dir(&folder).env("CARGO", folder.join("cargo"));
        command.env_remove("GITHUB_ACTIONS").env_remove("WAVETANK_FAILURES");
        let ran = command.output().expect("it runs");
        (ran.status.code(), String::from_utf8([ran.stdout, ran.stderr].concat()).expect("text"))
    };
    let (code, out) = cargo(&["list"]);
    assert_eq!(code, Some(0), "{out}");
    contains(&out, "loses-an-update sim/cli/examples/checks.rs:");
    let run = ["--test", "checks", "run", "loses-an-update", "--seeds", "0..64", "--jobs", "2", "--github"];
    let (code, out) = cargo(&run);
    assert_eq!(code, Some(1), "{out}");
    contains(&out, "::error file=sim/cli/examples/checks.rs,line=");
    let token = out.split_whitespace().find(|word| word.starts_with("wt1.")).expect("a token");
    contains(&out, &format!("cargo wavetank --test checks replay {token}"));
    let token = token.split("%0A").next().expect("a token");
    let (code, out) = cargo(&["replay", token]);
    assert_eq!(code, Some(1), "{out}");
    contains(&out, "reproduced");
    let (code, out) = cargo(&["run", "nothing"]);
    assert_eq!(code, Some(2), "{out}");
    contains(&out, "unknown check \"nothing\"");
}

/// The pack of a check holds no native code: the check itself replays it, and other commands name the test.
#[test]
fn the_failure_of_a_check_is_packed_and_replayed_by_the_check() {
    let folder = folder("pack");
    let (code, out) = checks(&folder, &["run", "loses-an-update", "--seeds", "0..64", "--failures", "kept"]);
    assert_eq!(code, 1, "{out}");
    let kept = std::fs::read_dir(folder.join("kept")).expect("it was saved").next().expect("a file");
    let kept = kept.expect("a file").path();
    let (code, out) = checks(&folder, &["pack", &kept.to_string_lossy(), "--out", "it.tar.zst"]);
    assert_eq!(code, 0, "{out}");
    let (code, out) = checks(&folder, &["replay", "it.tar.zst"]);
    assert_eq!(code, 1, "{out}");
    contains(&out, "still fails");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetank"));
    let ran = command.args(["replay", "it.tar.zst"]).current_dir(&folder).output().expect("the command runs");
    assert_eq!(ran.status.code(), Some(2));
    let told = String::from_utf8(ran.stderr).expect("text");
    contains(&told, "packed by the test loses-an-update");
    contains(&told, "cargo test loses-an-update");
}
