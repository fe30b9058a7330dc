//! The command in CI: JSON lines, shards and their merge, JUnit, annotations.

use crate::common::{folder, name, wavetank};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("the file was written")
}

/// The lines of a file without the parts that differ in every sweep.
fn lines(path: &Path) -> Vec<Value> {
    let text = read(path);
    let mut lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let last = lines.last_mut().and_then(Value::as_object_mut).expect("a summary");
    assert!(last.remove("timing").is_some());
    lines
}

/// A report without its speed.
fn untimed(report: &str) -> String {
    let cut = |line: &str| line.split(" of virtual time, ").next().unwrap_or(line).to_string();
    report.lines().map(cut).collect::<Vec<_>>().join("\n")
}

/// Runs a sweep on one machine, or one shard of it; gives its exit code and report.
fn sweep(args: &[&str], shard: Option<&str>, json: &Path, junit: &Path) -> (i32, String) {
    let shard: Vec<&str> = shard.iter().flat_map(|shard| ["--shard", shard]).collect();
    let files = ["--json", name(json), "--junit", name(junit)];
    let (code, out, _) = wavetank(&[&["run"], args, &shard, &files].concat());
    (code, untimed(&out))
}

#[test]
fn shards_in_any_order_merge_to_what_one_machine_gives() {
    let folder = folder("shards");
    let at = |name: &str| folder.join(name);
    // Failures of several kinds, some of which are shrunk.
    let args = ["fault-drop", "--seeds", "18446744073709551600..18446744073709551615", "--profile", "harsh"];
    let other = ["pid0", "--seeds", "3..40", "--profile", "harsh"];
    for args in [args, other] {
        let one = sweep(&args, None, &at("one.json"), &at("one.xml"));
        for shard in ["1", "2", "3", "4"] {
            sweep(&args, Some(&format!("{shard}/4")), &at(&format!("{shard}.json")), &at("shard.xml"));
        }
        // The second shard comes twice.
        let files = ["3.json", "2.json", "4.json", "1.json", "2.json"].map(at);
        let mut merge = vec!["merge", "--json"];
        let (json, junit) = (at("merged.json"), at("merged.xml"));
        merge.extend([name(&json), "--junit", name(&junit)]);
        merge.extend(files.iter().map(|file| name(file)));
        let (code, out, err) = wavetank(&merge);
        assert_eq!((code, untimed(&out), &*err), (one.0, one.1, ""));
        assert_eq!(lines(&json), lines(&at("one.json")));
        assert_eq!(read(&junit), read(&at("one.xml")));
    }
}

#[cfg(unix)]
#[test]
fn a_shard_killed_half_way_and_run_again_merges_to_what_one_machine_gives() {
    let folder = folder("killed");
    let at = |name: &str| folder.join(name);
    let args = ["chain", "--seeds", "0..45", "--profile", "harsh"];
    let one = sweep(&args, None, &at("one.json"), &at("one.xml"));
    let start = |shard: &str, json: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wavetank-lab"));
        command.arg("run").args(args).args(["--jobs", "1", "--shard", shard, "--json", name(json)]);
        command
            .env("WAVETANK_FAILURES", "")
            .env_remove("GITHUB_ACTIONS")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().expect("wavetank runs")
    };
    let mut killed = start("2/3", &at("killed.json"));
    let others = [("1/3", "1.json"), ("3/3", "3.json")].map(|(shard, json)| start(shard, &at(json)));
    while read_if_there(&at("killed.json")).lines().count() < 4 {
        assert_eq!(killed.try_wait().expect("a status"), None, "it ended before it was killed");
        std::thread::yield_now();
    }
    killed.kill().expect("it is killed");
    killed.wait().expect("it has ended");
    for mut other in others {
        other.wait().expect("it ends");
    }
    // Cut the file as if its writer had been killed in the middle of a line.
    let mut torn = read(&at("killed.json"));
    torn.truncate(torn.len() - 20);
    std::fs::write(at("killed.json"), torn).expect("a file");

    let merge = |files: &[&str]| {
        let files: Vec<PathBuf> = files.iter().map(|file| at(file)).collect();
        let mut args = vec!["merge", "--json"];
        let (json, junit) = (at("merged.json"), at("merged.xml"));
        args.extend([name(&json), "--junit", name(&junit)]);
        args.extend(files.iter().map(|file| name(file)));
        wavetank(&args)
    };
    let (code, _, err) = merge(&["3.json", "killed.json"]);
    assert_ne!(code, 0);
    assert!(err.contains("killed.json: its last line is torn"), "{err}");
    assert!(err.contains("shard 1/3 is missing: run it with --shard 1/3"), "{err}");
    assert!(err.contains("shard 2/3 ran "), "{err}");

    let again = start("2/3", &at("again.json")).wait().expect("it ends");
    assert!(again.code().is_some());
    let (code, out, err) = merge(&["3.json", "killed.json", "again.json", "1.json"]);
    assert_eq!((code, untimed(&out)), one);
    // Only the torn line is reported.
    assert_eq!(err.lines().count(), 1, "{err}");
    assert_eq!(lines(&at("merged.json")), lines(&at("one.json")));
    assert_eq!(read(&at("merged.xml")), read(&at("one.xml")));
}

fn read_if_there(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn files_of_two_sweeps_are_not_merged() {
    let folder = folder("two-sweeps");
    let (one, two, xml) = (folder.join("one.json"), folder.join("two.json"), folder.join("x.xml"));
    sweep(&["echo", "--seeds", "0..4"], Some("1/2"), &one, &xml);
    sweep(&["echo", "--seeds", "0..5"], Some("2/2"), &two, &xml);
    let (code, out, err) = wavetank(&["merge", name(&one), name(&two)]);
    assert_eq!((code, &*out), (2, ""));
    assert!(err.contains("another sweep"), "{err}");
}

#[test]
fn a_failure_is_an_annotation_where_github_runs_it() {
    let run = |github: Option<&str>, flag: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wavetank-lab"));
        command.args(["run", "fault-drop", "--seeds", "0..6", "--no-shrink"]).args(flag);
        command
            .env("WAVETANK_FAILURES", "")
            .env_remove("GITHUB_ACTIONS")
            .envs(github.map(|is| ("GITHUB_ACTIONS", is)));
        String::from_utf8(command.output().expect("wavetank runs").stdout).expect("text")
    };
    let annotations =
        |out: String| out.lines().filter(|line| line.starts_with("::")).map(String::from).collect();
    let there: Vec<String> = annotations(run(Some("true"), &[]));
    assert_eq!(there.len(), 1, "six seeds fail alike: {there:?}");
    let expected = "::error title=fault-drop%3A trapped (resource has children)%3A fault-drop%2C in fault_drop%3A%3Amain";
    assert!(there[0].starts_with(expected), "{there:?}");
    assert!(there[0].contains("%0Areplay: "), "{there:?}");
    assert_eq!(annotations(run(None, &["--github"])), there);
    assert_eq!(annotations(run(None, &[])), Vec::<String>::new());
}

/// An annotation has the place of a panic only if its file is below the current folder, because only then can GitHub
/// show it.
#[test]
fn an_annotation_carries_the_place_of_a_panic_if_its_file_is_here() {
    let folder = folder("places");
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wavetank-lab"));
        command.args(["run", "bug-reorder_3", "--seed", "5", "--github", "--no-keep"]).current_dir(&folder);
        let out = String::from_utf8(command.output().expect("wavetank runs").stdout).expect("text");
        out.lines().find(|line| line.starts_with("::error ")).expect("an annotation").to_string()
    };
    assert!(run().starts_with("::error title="), "{}", run());
    std::fs::create_dir_all(folder.join("sim/lab/src/bugs")).expect("a folder for a test");
    std::fs::write(folder.join("sim/lab/src/bugs/shapes.rs"), "").expect("a file for a test");
    assert!(run().starts_with("::error file=sim/lab/src/bugs/shapes.rs,line="), "{}", run());
}

#[test]
fn junit_has_no_case_for_seeds_that_there_are_not() {
    let folder = folder("junit");
    let xml = |scenario: &str| {
        let xml = folder.join(format!("{scenario}.xml"));
        sweep(&[scenario, "--seeds", "0..3"], None, &folder.join("lines.json"), &xml);
        read(&xml)
    };
    assert!(!xml("fault-drop").contains("that finished"), "{}", xml("fault-drop"));
    assert!(xml("fault-drop").contains("<testsuite name=\"fault-drop\" tests=\"3\" failures=\"3\""));
    assert!(xml("echo").contains("name=\"3 seeds that finished\""), "{}", xml("echo"));
}

/// The command writes the lines that docs/src/reference/json.md documents, with the same keys.
#[test]
fn the_documented_lines_are_those_that_are_written() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let doc = read(&root.join("docs/src/reference/json.md"));
    let block = doc.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let told: Vec<Value> = block.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let json = folder("documented").join("lines.json");
    sweep(&["fault-drop", "--seeds", "0..2"], None, &json, &json.with_extension("xml"));
    let written: Vec<Value> =
        read(&json).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(told.iter().map(keys).collect::<Vec<_>>(), written.iter().map(keys).collect::<Vec<_>>());
    // The tables of the document describe each key.
    for key in written.iter().flat_map(keys) {
        assert!(doc.contains(&format!("`{key}`")), "docs/src/reference/json.md does not tell of {key}");
    }
}

/// The keys of a line and of its parts. In maps that count by name, the names are not keys.
fn keys(line: &Value) -> BTreeSet<String> {
    let Some(object) = line.as_object() else { return BTreeSet::new() };
    let by_name = ["outcomes", "behaviours", "faults"];
    let inner =
        object.iter().filter(|(key, _)| !by_name.contains(&key.as_str())).flat_map(|(_, value)| keys(value));
    object.keys().cloned().chain(inner).collect()
}
