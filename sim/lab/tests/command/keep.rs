//! Saved failures: how sweeps, single runs and checks save them, and how they are used later.

use crate::common::{command_in, folder, wavetank_in};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use wavetank_lab::guests;
use wavetank_sim::saved::{self, SavedFailure};
use wavetank_sim::{World, check};

/// The saved failures of a folder, all of which must be readable.
#[track_caller]
fn kept_in(folder: &Path) -> Vec<(String, SavedFailure)> {
    let read = |(path, kept): (PathBuf, Result<SavedFailure, _>)| {
        let name =
            path.strip_prefix(folder).expect("in the folder").to_str().expect("plain names").to_string();
        (name, kept.unwrap_or_else(|e: saved::SavedFailureError| panic!("{}: {e}", path.display())))
    };
    saved::read_all(folder).expect("a folder").into_iter().map(read).collect()
}

const KEPT: &str = "wavetank-failures";

/// A folder in which `fault-drop` has failed once, and the file of that failure.
fn failed_once(test: &str) -> (PathBuf, String) {
    let folder = folder(test);
    let (code, out, _) = wavetank_in(&folder, &["run", "fault-drop", "--seed", "3", "--no-shrink"]);
    assert_eq!(code, 1, "{out}");
    let line = out.lines().find_map(|line| line.strip_prefix("  kept: ")).expect("it is kept");
    (folder, line.to_string())
}

#[test]
fn a_sweep_keeps_the_lowest_seeds_of_each_way_of_failing_whoever_ran_them() {
    let of = |jobs| {
        let folder = folder(&format!("sweep-{jobs}"));
        let args = ["run", "fault-drop", "--seeds", "0..40", "--jobs", jobs];
        let (code, out, _) = wavetank_in(&folder, &args);
        assert_eq!(code, 1, "{out}");
        assert!(out.contains("  kept: 5 failures in wavetank-failures, the first as fault-drop-0-"), "{out}");
        kept_in(&folder.join(KEPT))
    };
    let (one, two) = (of("1"), of("2"));
    assert_eq!(one, two);
    let seeds: Vec<u64> = one.iter().map(|(_, kept)| kept.seed.0).collect();
    assert_eq!(seeds, [0, 1, 2, 3, 4]);
    let (_, first) = &one[0];
    assert_eq!(first.failure, "trapped (resource has children): fault-drop, in fault_drop::main");
    assert_eq!(first.shrunk.as_ref().map(|shrunk| shrunk.choices.len()), Some(0));
    assert!(first.setting.engine.starts_with("wasmtime 48."), "{}", first.setting.engine);
    assert_eq!(first.guests.keys().collect::<Vec<_>>(), ["fault-drop"]);
    assert!(one[1..].iter().all(|(_, kept)| kept.shrunk.is_none()));
}

#[test]
fn a_single_run_keeps_what_it_shows() {
    let folder = folder("shown");
    let (code, shown, _) = wavetank_in(&folder, &["run", "bug-g04", "--seed", "1"]);
    assert_eq!(code, 1);
    let (file, kept) = kept_in(&folder.join(KEPT)).pop().expect("it is kept");
    let to = kept.shrunk.expect("the smaller run too").choices.len();
    assert!(shown.contains(&format!("shrunk from {} choices to {to})", kept.original.choices)), "{shown}");
    let (code, replayed, _) = wavetank_in(&folder, &["replay", &format!("{KEPT}/{file}")]);
    assert_eq!(code, 1);
    let sentence = shown.split(" (seed").next().expect("what came of it");
    assert!(replayed.contains(&format!("\n{sentence} (seed 1)\n")), "{replayed}");
}

#[test]
fn the_next_sweep_tries_them_first_and_its_json_is_the_same() {
    let (folder, file) = failed_once("first");
    let args = ["run", "fault-drop", "--seeds", "10..30", "--json", "kept.json"];
    let (code, out, _) = wavetank_in(&folder, &args);
    assert_eq!(code, 1);
    let start =
        "kept failures of fault-drop in wavetank-failures, tried first: 1 fail, 0 mended\n  fault-drop-3-";
    assert!(out.starts_with(start), "{out}");
    assert!(out.contains(": still fails: trapped: fault-drop, resource has children\n"), "{out}");
    let (_, out, _) =
        wavetank_in(&folder, &["run", "fault-drop", "--seeds", "10..30", "--json", "not.json", "--no-keep"]);
    assert!(!out.contains("kept"), "{out}");
    let seeds = |file: &str| {
        let text = fs::read_to_string(folder.join(file)).expect("it was written");
        text.lines().filter(|line| !line.contains("timing")).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(seeds("kept.json"), seeds("not.json"));
    // The failure does not concern another scenario.
    let (code, out, _) = wavetank_in(&folder, &["run", "echo", "--seeds", "0..4"]);
    assert_eq!((code, out.contains("kept")), (0, false), "{out}");
    assert!(folder.join(file).exists());
}

#[test]
fn a_kept_failure_fails_a_sweep_that_finds_nothing_else() {
    let folder = folder("nothing-else");
    let run = |seeds: &str, flags: &[&str]| {
        wavetank_in(&folder, &[&["run", "bug-g04", "--seeds", seeds, "--jobs", "1"], flags].concat())
    };
    let passes = (0..50).find(|seed| run(&format!("{seed}..{}", seed + 1), &["--no-keep"]).0 == 0);
    let passes = passes.map(|seed| format!("{seed}..{}", seed + 1)).expect("one of 50 seeds passes");
    let (code, out, _) = wavetank_in(&folder, &["run", "bug-g04", "--seed", "1"]);
    assert_eq!(code, 1, "{out}");
    let (code, out, _) = run(&passes, &[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("tried first: 1 fail, 0 mended\n"), "{out}");
    assert!(out.contains("bug-g04: 1 seed, 1 finished\n"), "{out}");
}

#[test]
fn a_guest_that_changed_is_named_and_what_is_mended_goes_with_prune() {
    let folder = folder("mended");
    let guest = folder.join("mine.wasm");
    let run = ["run", "./mine.wasm", "--seeds", "0..3", "--jobs", "1"];
    fs::write(&guest, guests::FAULT_DROP).expect("a file for a test");
    assert_eq!(wavetank_in(&folder, &run).0, 1);
    let files = kept_in(&folder.join(KEPT));
    assert_eq!(files.len(), 3);
    let file = format!("{KEPT}/{}", files[0].0);
    // Another fault in the same file.
    fs::write(&guest, guests::FAULT_HANDLE).expect("a file for a test");
    let (code, out, _) = wavetank_in(&folder, &["replay", &file]);
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("  its guest mine changed since: tried all the same\n"), "{out}");
    assert!(out.contains("\nfails in another way now: trapped: mine, unknown handle"), "{out}");
    // No fault at all.
    fs::write(&guest, guests::PROBE).expect("a file for a test");
    let (code, out, _) = wavetank_in(&folder, &["replay", &file]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("  its guest mine changed since: tried all the same\n"), "{out}");
    assert!(out.contains("\nmended"), "{out}");
    let (code, out, _) = wavetank_in(&folder, &run);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("tried first: 0 fail, 3 mended\n"), "{out}");
    assert!(out.contains(": remove it with --prune\n    its guest mine changed since"), "{out}");
    assert_eq!(kept_in(&folder.join(KEPT)), files);
    let (code, out, _) = wavetank_in(&folder, &[&run[..], &["--prune"]].concat());
    assert_eq!(code, 0, "{out}");
    assert!(out.contains(": removed\n"), "{out}");
    assert_eq!(kept_in(&folder.join(KEPT)), []);
}

#[test]
fn a_file_replays_as_its_token_does() {
    let (folder, file) = failed_once("replay");
    let (code, out, err) = wavetank_in(&folder, &["replay", &file, "--steps"]);
    assert_eq!((code, &*err), (1, ""), "{out}");
    assert!(out.starts_with(&format!("{file}: kept of fault-drop, seed 3: trapped: ")), "{out}");
    assert!(out.contains("  poll fault-drop\n") && out.contains("\nreproduced: "), "{out}");
    assert!(out.ends_with("\nstill fails: trapped: fault-drop, resource has children\n"), "{out}");
}

#[test]
fn shrinking_alone_works_on_tokens_and_on_files() {
    let (folder, file) = failed_once("shrink");
    let before = saved::read(&folder.join(&file)).expect("it can be read");
    let (code, out, err) = wavetank_in(&folder, &["shrink", &file]);
    assert_eq!((code, &*err), (1, ""), "{out}");
    let choices = before.original.choices;
    assert!(out.contains(&format!("  shrunk from {choices} choices to 0 in ")), "{out}");
    assert!(out.contains("; nothing simpler is left to try\n"), "{out}");
    assert!(out.ends_with(&format!("  kept: {file}\n")), "{out}");
    let after = saved::read(&folder.join(&file)).expect("it can be read");
    assert!(before.shrunk.is_none() && after.shrunk.is_some());
    assert_eq!((after.setting, after.original), (before.setting, before.original.clone()));
    let token = before.original.token.to_string();
    let (code, out, _) = wavetank_in(&folder, &["shrink", &token, "--no-keep"]);
    assert_eq!(code, 1);
    assert!(out.contains(&format!("  shrunk from {choices} choices to 0 in ")), "{out}");
    assert!(!out.contains("kept"), "{out}");
    let (code, out, _) = wavetank_in(&folder, &["shrink", &token, "--no-keep", "--runs", "1"]);
    assert_eq!(code, 1);
    assert!(out.contains(" in 1 run, ") && out.contains("; its runs are used up"), "{out}");
    let (_, fine, _) = wavetank_in(&folder, &["run", "echo", "--seed", "3"]);
    let token = fine.trim_end().rsplit(' ').next().expect("a token");
    let (code, _, err) = wavetank_in(&folder, &["shrink", token]);
    assert_eq!(code, 2);
    assert!(err.contains("there is nothing to shrink"), "{err}");
}

#[test]
fn what_cannot_be_read_is_named_left_alone_and_no_success() {
    let (folder, file) = failed_once("unreadable");
    let whole = fs::read_to_string(folder.join(&file)).expect("text");
    fs::remove_file(folder.join(&file)).expect("it goes");
    let guest = folder.join("mine.wasm");
    fs::write(&guest, guests::PROBE).expect("a file for a test");
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("edited", whole.replace("fault-drop, resource", "fault-drop, no resource").into(), "edited"),
        ("cut", whole[..whole.len() / 2].into(), "cut short"),
        ("future", whole.replace("version = 1\n", "version = 7\n").into(), "its version is 7"),
        ("foreign", b"[package]\nname = \"x\"\n".into(), "not a failure that wavetank kept"),
        ("bytes", vec![0xff; 100], "not a failure that wavetank kept"),
        ("empty", Vec::new(), "not a failure that wavetank kept"),
    ];
    for (name, bytes, tells) in cases {
        // Judged by its name, the file may belong to any scenario, or to this one.
        let path = folder.join(KEPT).join(format!("{name}.toml"));
        fs::write(&path, &bytes).expect("a file for a test");
        let shown = format!("{KEPT}/{name}.toml");
        let run = ["run", "./mine.wasm", "--seeds", "0..2", "--jobs", "1", "--prune"];
        let (code, out, err) = wavetank_in(&folder, &run);
        assert_eq!(code, 2, "{out}");
        assert!(err.contains(&format!("wavetank: {shown}: ")) && err.contains(tells), "{name}: {err}");
        assert!(out.contains("2 seeds, 2 finished"), "{out}");
        for command in ["replay", "shrink"] {
            let (code, out, err) = wavetank_in(&folder, &[command, &shown]);
            assert_eq!((code, &*out), (2, ""), "{name}");
            assert!(err.contains(&shown) && err.contains(tells), "{name}: {err}");
        }
        assert_eq!(fs::read(&path).expect("it is still there"), bytes);
        fs::remove_file(&path).expect("it goes");
    }
    // A folder with such a name cannot be read either.
    fs::create_dir(folder.join(KEPT).join("folder.toml")).expect("a folder for a test");
    let (code, _, err) = wavetank_in(&folder, &["run", "echo", "--seeds", "0..2"]);
    assert_eq!(code, 2);
    assert!(err.contains("folder.toml: not a file"), "{err}");
}

#[test]
fn an_engine_that_changed_is_told() {
    let (folder, file) = failed_once("engine");
    let path = folder.join(&file);
    let mut kept = saved::read(&path).expect("it can be read");
    kept.setting.engine = "wasmtime 1.0.0, cranelift, pooling".into();
    saved::write(&folder.join(KEPT), &kept).expect("it can be written");
    let (code, out, _) = wavetank_in(&folder, &["run", "fault-drop", "--seeds", "0..1"]);
    assert_eq!(code, 1);
    assert!(out.contains("still fails"), "{out}");
    assert!(
        out.contains("    its engine was wasmtime 1.0.0, cranelift, pooling, and is wasmtime 48."),
        "{out}"
    );
}

#[test]
fn the_folder_is_chosen_by_flag_or_environment() {
    let folder = folder("chosen");
    let run = |flags: &[&str], variable: Option<&str>| {
        let mut command = command_in(&folder);
        command.args(["run", "fault-drop", "--seed", "3"]).args(flags);
        if let Some(value) = variable {
            command.env("WAVETANK_FAILURES", value);
        }
        let ran = command.output().expect("wavetank runs");
        assert_eq!(ran.status.code(), Some(1));
    };
    run(&["--no-keep"], None);
    run(&[], Some(""));
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0);
    run(&["--failures", "by-flag"], Some("by-environment"));
    assert_eq!(kept_in(&folder.join("by-flag")).len(), 1);
    run(&[], Some("by-environment"));
    assert_eq!(kept_in(&folder.join("by-environment")).len(), 1);
    assert!(!folder.join(KEPT).exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_sweep_that_is_killed_loses_nothing_that_it_found() {
    use std::process::Stdio;
    let folder = folder("killed");
    let mut sweep = command_in(&folder)
        .args(["run", "fault-drop", "--seeds", "0..100000000", "--jobs", "2"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("wavetank runs");
    let toml = || {
        let listed = fs::read_dir(folder.join(KEPT)).into_iter().flatten().flatten();
        listed.filter(|entry| entry.path().extension().is_some_and(|end| end == "toml")).count()
    };
    while toml() < 3 {
        assert_eq!(sweep.try_wait().expect("a status"), None, "the sweep ended before it was met");
        std::thread::yield_now();
    }
    // The workers end when nobody reads their output.
    sweep.kill().expect("it can be killed");
    sweep.wait().expect("a status");
    let kept = kept_in(&folder.join(KEPT));
    assert!(kept.len() >= 3, "{kept:?}");
    let (code, out, _) = wavetank_in(&folder, &["run", "fault-drop", "--seeds", "0..1", "--jobs", "1"]);
    assert_eq!(code, 1);
    assert!(out.starts_with("kept failures of fault-drop in wavetank-failures, tried first: "), "{out}");
    assert!(out.contains("fault-drop-0-"), "{out}");
}

// ---- fuzzing

/// The text after the name of a line.
#[track_caller]
fn line<'a>(out: &'a str, name: &str) -> &'a str {
    let line = out.lines().find_map(|line| line.strip_prefix(&format!("  {name}: ")));
    line.unwrap_or_else(|| panic!("no line {name:?}\n{out}"))
}

#[test]
fn what_fuzzing_finds_is_kept_and_replays_as_token_and_as_file() {
    let folder = folder("fuzz");
    let fuzz = ["fuzz", "bug-reorder_10", "--runs", "2000"];
    let (code, out, _) = wavetank_in(&folder, &fuzz);
    assert_eq!(code, 1, "{out}");
    assert!(out.starts_with("seed 0: panicked: ") && out.contains("  shrunk from "), "{out}");
    assert!(
        out.contains(": 1 failure; a failure was found\n1 distinct failure\n  1 run: panicked ("),
        "{out}"
    );
    let token = line(&out, "replay").rsplit(' ').next().expect("a token");
    let file = line(&out, "kept");
    let kept = saved::read(&folder.join(file)).expect("it can be read");
    assert_eq!(kept_in(&folder.join(KEPT)), [(file.replace("wavetank-failures/", ""), kept.clone())]);
    let shrunk = kept.shrunk.as_ref().expect("it was made smaller");
    assert!(!shrunk.choices.is_empty() && shrunk.choices.len() <= kept.original.choices);
    // The choices of the failure are given, not drawn from a seed.
    assert_eq!((&kept.setting.strategy, &kept.setting.profile, kept.tokens().len()), (&None, &None, 2));
    assert_eq!(kept.tokens()[0].to_string(), token);
    for (what, says) in [(token, "reproduced: "), (file, "\nstill fails: panicked: ")] {
        let (code, out, err) = wavetank_in(&folder, &["replay", what]);
        assert_eq!((code, &*err), (1, ""), "{out}");
        assert!(out.contains(says) && out.contains("seen between the two writes"), "{out}");
    }
    let (code, again, _) = wavetank_in(&folder, &["run", "bug-reorder_10", "--seeds", "0..1", "--jobs", "1"]);
    assert_eq!(code, 1);
    assert!(again.contains("tried first: 1 fail, 0 mended\n"), "{again}");
    let (_, out, _) = wavetank_in(&folder, &[&fuzz[..], &["--no-keep"]].concat());
    assert!(!out.contains("kept: "), "{out}");
}

#[cfg(unix)]
#[test]
fn a_campaign_ends_with_ctrl_c_and_loses_nothing_that_it_found() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;
    let folder = folder("interrupted");
    let mut fuzz = command_in(&folder)
        .args(["fuzz", "fault-drop", "--keep-going", "--seconds", "100000", "--corpus", "corpus"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("wavetank runs");
    // It reports its progress after a second.
    let mut says = BufReader::new(fuzz.stderr.take().expect("a pipe"));
    says.read_line(&mut String::new()).expect("a line");
    let kill = Command::new("kill").args(["-INT", &fuzz.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    let mut out = String::new();
    fuzz.stdout.take().expect("a pipe").read_to_string(&mut out).expect("text");
    assert_eq!(fuzz.wait().expect("a status").code(), Some(1), "{out}");
    assert!(out.contains(": 1 failure; stopped\n1 distinct failure\n"), "{out}");
    assert_eq!(kept_in(&folder.join(KEPT)).len(), 1);
    let cases = fs::read_dir(folder.join("corpus")).expect("a folder").count();
    assert!(out.contains(&format!(", {cases} cases: ")), "{cases} files\n{out}");
}

#[cfg(unix)]
#[test]
fn a_campaign_whose_world_hangs_ends_when_it_is_told() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;
    let folder = folder("hangs");
    fs::create_dir_all(folder.join("corpus")).expect("a folder");
    fs::write(folder.join("corpus").join("case"), [1, 2, 3]).expect("a file");
    let mut fuzz = command_in(&folder)
        .args(["fuzz", "fault-hang", "--seconds", "100000", "--corpus", "corpus"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("wavetank runs");
    // It handles signals from its first line on.
    let mut says = BufReader::new(fuzz.stdout.take().expect("a pipe"));
    says.read_line(&mut String::new()).expect("a line");
    let kill = Command::new("kill").args(["-INT", &fuzz.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    assert_eq!(fuzz.wait().expect("a status").code(), Some(0));
    let mut last = String::new();
    says.read_to_string(&mut last).expect("text");
    assert!(last.ends_with(": 0 failures; stopped\n"), "{last}");
}

/// The file was saved before crates, modules and types had their present names.
#[test]
fn a_failure_and_a_token_of_an_earlier_version_replay() {
    let folder = folder("old");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command/old/bug-g04-1-eb5ed0af.toml");
    let (code, out, err) = wavetank_in(&folder, &["replay", file.to_str().expect("plain names")]);
    assert_eq!((code, &*err), (1, ""), "{out}");
    assert!(out.contains("still fails: stalled after 25 steps"), "{out}");
    let token = "wt1.bug-g04.1.AN3AWIvbkpXTY2cAAUbGLexJmQXldQD1odAh";
    let (code, out, err) = wavetank_in(&folder, &["replay", token]);
    assert_eq!((code, &*err), (1, ""), "{out}");
    assert!(out.contains("reproduced: the transcript is the same, step for step"), "{out}");
}

// ---- checks

fn panic_of(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the check fails");
    panic.downcast_ref::<String>().expect("a message").clone()
}

fn draws_three(world: &mut World) {
    let drawn: Vec<u32> = (0..20).map(|_| world.draw(4)).collect();
    assert!(!drawn.contains(&3), "drew three");
}

#[test]
fn a_check_keeps_its_failure_and_tries_it_first() {
    let folder = folder("check");
    let checked =
        |scenario: fn(&mut World), seeds| check("draws", scenario).seeds(seeds).failures(&folder).run();
    let message = panic_of(|| checked(draws_three, 0..9));
    let (file, kept) = kept_in(&folder).pop().expect("it is kept");
    assert!(message.ends_with(&format!("  kept: {}\n", folder.join(&file).display())), "{message}");
    assert_eq!(kept.shrunk.as_ref().map(|shrunk| shrunk.choices.len()), Some(1));
    assert_eq!(kept.setting.scenario, "draws");
    // The check has no seed of its own to run, and still fails.
    let message = panic_of(|| checked(draws_three, 0..0));
    assert!(message.starts_with("draws: panicked: drew three (seed 0)\n"), "{message}");
    assert!(message.contains(&format!("{file}: still fails: panicked: drew three\n")), "{message}");
    checked(|_| (), 0..9);
    assert_eq!(kept_in(&folder).len(), 1, "a check removes nothing unless told to");
    check("another", |_| ()).failures(&folder).seeds(0..3).run();
    let (code, _, err) = wavetank_in(&folder, &["replay", &file]);
    assert_eq!(code, 2);
    assert!(err.contains("kept by a test: `cargo test draws` tries it again"), "{err}");
    // If the file is edited, the check does not pass.
    let text = fs::read_to_string(folder.join(&file)).expect("text");
    fs::write(folder.join(&file), text.replace("drew three", "drew four")).expect("a file for a test");
    let message = panic_of(|| checked(|_| (), 0..9));
    assert!(message.contains(&file) && message.contains("edited or damaged"), "{message}");
    assert!(folder.join(&file).exists());
}

/// A check that holds. A test below runs it in its own process, with a saved failure of its name in the folder.
#[test]
fn holds_by_now() {
    check("holds_by_now", |_| ()).seeds(0..3).run();
}

#[test]
fn the_environment_says_where_a_check_looks_and_prunes() {
    let root = folder("environment");
    let folder = root.join(KEPT);
    panic_of(|| check("holds_by_now", draws_three).failures(&folder).run());
    let (file, _) = kept_in(&folder).pop().expect("it is kept");
    let said = |variables: &[(&str, &str)]| {
        let mut test = Command::new(std::env::current_exe().expect("this test has a path"));
        test.args(["keep::holds_by_now", "--exact", "--nocapture"]).env_remove("WAVETANK_FAILURES");
        let ran = test.envs(variables.iter().copied()).output().expect("it runs");
        let err = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{err}");
        err
    };
    let (root, elsewhere) = (root.to_str().expect("plain names"), folder.to_str().expect("plain names"));
    for variable in [("CARGO_MANIFEST_DIR", root), ("WAVETANK_FAILURES", elsewhere)] {
        let err = said(&[variable]);
        assert!(err.contains(&format!("{file}: mended")), "{err}");
        assert!(err.contains("remove it with WAVETANK_PRUNE=1"), "{err}");
    }
    assert!(!said(&[("WAVETANK_FAILURES", "")]).contains("mended"));
    assert!(!said(&[("WAVETANK_FAILURES", elsewhere), ("WAVETANK_SEED", "0")]).contains("mended"));
    said(&[("WAVETANK_FAILURES", elsewhere), ("WAVETANK_PRUNE", "1")]);
    assert_eq!(kept_in(&folder), []);
}
