//! Output of the command to readers that go away, to full devices, to files of every kind, and back into a shell.

use crate::common::{command, folder, name, output, wavetank};
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use wavetank_lab::guests;

fn replay_line(account: &str) -> &str {
    account.lines().find_map(|line| line.trim().strip_prefix("replay: ")).expect("a line that replays")
}

/// Commands that print something, one of each kind.
const PRINTING: [&[&str]; 4] = [
    &["list"],
    &["run", "fault-drop", "--seed", "3"],
    &["run", "echo", "--seeds", "0..4", "--jobs", "1"],
    &["run", "echo", "--strategy", "exhaustive:all", "--seeds", "0..2"],
];

#[test]
fn a_reader_that_has_gone_ends_the_command_quietly() {
    for args in PRINTING {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let both = writer.try_clone().expect("the same pipe");
        let (code, _, err) = output(command().args(args).stdout(writer));
        assert_eq!((code, &*err), (141, ""), "{args:?}");
        let ran = command().args(args).stdout(both.try_clone().expect("the same pipe")).stderr(both).status();
        assert_eq!(ran.expect("it runs").code(), Some(141), "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_told() {
    for args in PRINTING {
        let full = File::options().write(true).open("/dev/full").expect("a device that is always full");
        let (code, _, err) = output(command().args(args).stdout(full));
        assert_eq!(code, 2, "{args:?}");
        assert!(err.starts_with("wavetank: stdout: No space left on device"), "{args:?}: {err}");
    }
}

/// The lines of a file that are JSON, and the other lines.
fn lines(path: &Path) -> (Vec<Value>, String) {
    let text = fs::read_to_string(path).expect("text");
    let (json, others): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('{'));
    (json.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect(), others.join("\n"))
}

#[cfg(unix)]
#[test]
fn a_link_is_written_through() {
    use std::os::unix::fs::symlink;
    let folder = folder("links");
    let (link, target, other) = (folder.join("link"), folder.join("target"), folder.join("other"));
    let args = ["run", "echo", "--seeds", "0..3", "--jobs", "2"];
    for begun in [false, true] {
        if begun {
            fs::write(&target, "of before").expect("a file for a test");
        }
        let _ = fs::remove_file(&link);
        symlink(&target, &link).expect("a link");
        assert_eq!(wavetank(&[&args[..], &["--json", name(&link)]].concat()).0, 0);
        assert!(link.is_symlink());
        let (json, _) = lines(&target);
        let seeds: Vec<_> = json.iter().filter_map(|line| line["seed"].as_u64()).collect();
        assert_eq!((json.len(), seeds), (5, vec![0, 1, 2]));
        symlink(&other, folder.join("merged")).expect("a link");
        assert_eq!(wavetank(&["merge", name(&target), "--json", name(&folder.join("merged"))]).0, 0);
        assert_eq!(lines(&other).0[..4], json[..4]);
        fs::remove_file(folder.join("merged")).expect("it is still there");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn stdout_takes_json_and_report_one_after_the_other_where_it_is_a_file() {
    let folder = folder("stdout");
    // A link like /dev/stdout must not be replaced, and no line may be lost.
    let (link, file) = (folder.join("stdout"), folder.join("file"));
    std::os::unix::fs::symlink("/proc/self/fd/1", &link).expect("a link");
    let stdout = File::create(&file).expect("a file for a test");
    let args = ["run", "echo", "--seeds", "0..3", "--jobs", "1", "--json", name(&link)];
    assert!(command().args(args).stdout(stdout).status().expect("it runs").success());
    assert!(link.is_symlink());
    let (json, report) = lines(&file);
    assert_eq!(json.len(), 5);
    assert!(json[0]["sweep"].is_object() && json[4]["summary"].is_object());
    assert!(report.starts_with("echo: 3 seeds, 3 finished\n"), "{report}");
}

#[test]
fn a_file_that_cannot_be_made_is_told_before_the_work() {
    let nowhere = folder("nowhere").join("no/file");
    for (args, flag) in [
        (&["run", "bug-g06", "--seeds", "0..20"][..], "--junit"),
        (&["run", "bug-g06", "--seeds", "0..20"], "--json"),
        (&["bugs", "--cases", "g01", "--bases", "1", "--twin-seeds", "1"], "--csv"),
        (&["bugs", "--cases", "g01", "--bases", "1", "--twin-seeds", "1"], "--markdown"),
    ] {
        let (code, out, err) = wavetank(&[args, &[flag, name(&nowhere)]].concat());
        assert_eq!((code, &*out, err.lines().count()), (2, "", 1), "{flag}: {err}");
        assert!(err.contains(&format!("name a file for {flag} that can be written")), "{err}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_fills_up_loses_nothing_else() {
    let json = folder("full").join("lines.json");
    let args = ["run", "fault-drop", "--seeds", "0..3", "--junit", "/dev/full", "--json", name(&json)];
    let (code, out, err) = wavetank(&args);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("/dev/full: No space left on device"), "{err}");
    assert!(out.contains("fault-drop: 3 seeds, 3 trapped"), "{out}");
    assert!(lines(&json).0.last().is_some_and(|line| line["summary"].is_object()));
    let (code, out, _) = wavetank(&["run", "echo", "--seeds", "0..3", "--junit", "/dev/full"]);
    assert_eq!(code, 2, "{out}");
}

#[cfg(unix)]
#[test]
fn the_line_that_replays_is_read_back_by_a_shell() {
    let folder = folder("my files");
    let path = folder.join("it's mine.wasm");
    fs::write(&path, guests::PROBE).expect("a file for a test");
    let json = folder.join("lines.json");
    let args = ["a b", "it's", "$HOME", "", "*", "a\tb\nc"];
    // The guest does not know such arguments.
    let (code, account, _) = wavetank(&[&["run", name(&path), "--seed", "0", "--"], &args[..]].concat());
    assert_eq!(code, 1, "{account}");
    let swept =
        ["run", name(&path), "--seeds", "0..1", "--no-shrink", "--json", name(&json), "--env", "A=b 'c'"];
    let (code, report, _) = wavetank(&[&swept[..], &["--"], &args].concat());
    assert_eq!(code, 1, "{report}");
    for text in [&account, &report] {
        let line = replay_line(text);
        // Not every sh supports $'…' yet.
        let mut shell = Command::new("bash");
        shell.args(["-c", line]);
        let (code, out, err) = output(&mut shell);
        assert_eq!((code, &*err), (1, ""), "{line}");
        assert!(out.contains("reproduced: "), "{out}");
    }
    let replay_args = lines(&json).0[0]["sweep"]["replay_args"].as_str().expect("text").to_string();
    assert!(replay_line(&report).ends_with(&replay_args), "{replay_args}");
}

#[test]
fn a_short_sweep_says_nothing_on_its_way_and_a_long_one_nine_times() {
    let lines = |seeds| {
        let (code, _, err) = wavetank(&["run", "echo", "--seeds", seeds, "--jobs", "1"]);
        assert_eq!(code, 0);
        err.lines().count()
    };
    assert_eq!((lines("0..10"), lines("0..200")), (0, 9));
}

#[test]
fn what_is_listed_stands_in_columns() {
    let (_, list, _) = wavetank(&["list"]);
    let columns = list.lines().filter(|line| line.starts_with("  ")).map(|line| {
        let name = line.trim_start().find(' ').expect("a name and what it is") + 2;
        line[name..].find(|c| c != ' ').expect("what it is") + name
    });
    let columns: std::collections::BTreeSet<usize> = columns.collect();
    assert_eq!(columns.len(), 1, "{list}");
}

#[test]
fn numbers_are_told_as_people_say_them() {
    let (code, out, _) = wavetank(&["run", "echo", "--seeds", "7..8"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("echo: 1 seed, 1 finished\n"), "{out}");
    let (_, out, _) = wavetank(&["run", "echo", "--seeds", "0..9", "--time", "0s", "--jobs", "1"]);
    assert!(out.contains("of 9 (stopped early)") && !out.contains("()"), "{out}");
    let path = folder("slow").join("probe.wasm");
    fs::write(&path, guests::PROBE).expect("a file for a test");
    let sleeps = ["--", "sleep", "5400000000000"];
    let (_, out, _) =
        wavetank(&[&["run", name(&path), "--seed", "0", "--profile", "calm"], &sleeps[..]].concat());
    assert!(out.contains(" choices, 1 h 30 min of virtual time\n"), "{out}");
}

#[test]
fn calls_frames_and_steps_are_printed_together() {
    let (_, account, _) = wavetank(&["run", "echo", "--seed", "3"]);
    let token = replay_line(&account).rsplit(' ').next().expect("a token");
    let one = |flag| wavetank(&["replay", token, flag]).1;
    let all = wavetank(&["replay", token, "--steps", "--calls", "--frames"]).1;
    for flag in ["--steps", "--calls", "--frames"] {
        let (told, _) = one(flag)
            .split_once("\necho: ")
            .map(|(told, rest)| (told.to_string(), rest.to_string()))
            .expect("and what came of it");
        assert!(told.lines().count() > 2, "{flag}: {told}");
        assert!(all.contains(&told), "{flag}");
    }
}

#[test]
fn one_seed_is_an_annotation_too() {
    let run = |args: &[&str]| {
        let (code, out, _) = wavetank(&[&["run", "fault-drop"], args].concat());
        assert_eq!(code, 1);
        out.lines().filter(|line| line.starts_with("::error title=fault-drop")).count()
    };
    assert_eq!(run(&["--seed", "3", "--github"]), 1);
    assert_eq!(run(&["--seed", "3"]), 0);
    assert_eq!(run(&["--strategy", "exhaustive:1", "--github"]), 1);
}

/// A sweep that is told to end leaves nothing behind but its results.
#[cfg(target_os = "linux")]
#[test]
fn a_sweep_ends_as_cleanly_on_sigterm_as_on_ctrl_c() {
    let json = folder("term").join("lines.json");
    let args = ["run", "echo", "--seeds", "0..100000000", "--jobs", "2", "--json", name(&json)];
    let sweep = command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    while fs::read_to_string(&json).unwrap_or_default().lines().count() < 4 {
        std::thread::yield_now();
    }
    let kill = Command::new("kill").args(["-TERM", &sweep.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    let ended = sweep.wait_with_output().expect("it ends");
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert_eq!((ended.status.code(), &*err), (Some(0), ""), "{out}");
    assert!(out.contains("of 100000000 (stopped early)"), "{out}");
    assert!(lines(&json).0.last().is_some_and(|line| line["summary"].is_object()));
}

#[cfg(target_os = "linux")]
#[test]
fn processes_of_a_sweep_that_was_killed_end_without_a_word() {
    let json = folder("killed").join("lines.json");
    let args = ["run", "echo", "--seeds", "0..100000000", "--jobs", "2", "--json", name(&json)];
    let mut sweep =
        command().args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
    while fs::read_to_string(&json).unwrap_or_default().lines().count() < 4 {
        assert_eq!(sweep.try_wait().expect("a status"), None, "it ended before it was killed");
        std::thread::yield_now();
    }
    sweep.kill().expect("it is killed");
    // Stderr stays open until the last of its processes has ended.
    let ended = sweep.wait_with_output().expect("it has ended");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

/// The replay line that is printed for one way to call the command.
fn line_of(command: &mut Command) -> String {
    let (_, account, err) =
        output(command.args(["run", "fault-drop", "--seed", "3"]).env("WAVETANK_FAILURES", ""));
    assert!(account.contains("replay: "), "{account}{err}");
    replay_line(&account).to_string()
}

#[cfg(unix)]
#[test]
fn the_line_that_replays_calls_the_command_as_it_was_called() {
    let folder = folder("called");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_wavetank-lab"), folder.join("my tank")).expect("a link");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_wavetank-lab"), folder.join("wavetank")).expect("a link");
    let path = format!("{}:{}", name(&folder), "/usr/bin:/bin");
    // The variables that a test of another package passes to its processes.
    let other = [("CARGO", "/c/cargo"), ("CARGO_PKG_NAME", "other"), ("CARGO_MANIFEST_DIR", "/c")];
    for (call, start) in [
        ("wavetank", "wavetank replay wt1."),
        ("./my tank", "'./my tank' replay wt1."),
        (name(&folder.join("wavetank")), "/"),
    ] {
        let mut called = Command::new(call);
        called.envs(other).env("PATH", &path).current_dir(&folder);
        let line = line_of(&mut called);
        assert!(line.starts_with(start), "{call}: {line}");
        let mut shell = Command::new("sh");
        let (code, out, err) = output(shell.args(["-c", &line]).env("PATH", &path).current_dir(&folder));
        assert_eq!(code, 1, "{line}: {err}");
        assert!(out.contains("reproduced: "), "{out}");
    }
}

#[cfg(unix)]
#[test]
fn the_line_that_replays_calls_cargo_if_cargo_ran_the_command() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let profile =
        if env!("CARGO_BIN_EXE_wavetank-lab").contains("/release/") { "--release" } else { "--profile=dev" };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", profile, "--"]).current_dir(root);
    let line = line_of(&mut cargo);
    let start = if profile == "--release" {
        "cargo run --release -- replay wt1."
    } else {
        "cargo run -- replay wt1."
    };
    assert!(line.starts_with(start), "{line}");
    let (code, out, err) = output(Command::new("sh").args(["-c", &line]).current_dir(root));
    assert_eq!(code, 1, "{line}: {err}");
    assert!(out.contains("reproduced: "), "{out}");
}

#[test]
fn stdout_is_left_to_data_if_a_dash_names_it() {
    for flag in ["--json", "--junit"] {
        let args = ["run", "fault-drop", "--seeds", "0..3", "--jobs", "1", flag, "-"];
        let (code, out, err) = wavetank(&args);
        assert_eq!(code, 1, "{err}");
        assert!(err.contains("fault-drop: 3 seeds, 3 trapped\n"), "{err}");
        if flag == "--json" {
            let lines: Vec<Value> =
                out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            assert!(lines[0]["sweep"].is_object() && lines[5]["summary"].is_object(), "{out}");
        } else {
            assert!(out.starts_with("<?xml") && out.ends_with("</testsuites>\n"), "{out}");
        }
    }
    let (code, out, err) = wavetank(&["run", "echo", "--json", "-", "--junit", "-"]);
    assert_eq!((code, &*out), (2, ""));
    assert!(err.contains("--json and --junit name the same file: -"), "{err}");
    let json = folder("dash").join("lines.json");
    assert_eq!(wavetank(&["run", "fault-drop", "--seeds", "0..3", "--json", name(&json)]).0, 1);
    let (code, out, err) = wavetank(&["merge", name(&json), "--json", "-"]);
    assert_eq!((code, out), (1, fs::read_to_string(&json).expect("text")), "{err}");
}

#[test]
fn colours_are_for_who_wants_them() {
    let coloured = |args: &[&str], env: &[(&str, &str)]| {
        let mut command = command();
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        let (code, out, err) =
            output(command.args(["run", "fault-drop"]).args(args).envs(env.iter().copied()));
        assert_eq!(code, 1, "{err}");
        out.contains("\u{1b}[31m")
    };
    for what in [&["--seed", "3"][..], &["--seeds", "0..2"]] {
        for (color, env, expected) in [
            (&[][..], &[][..], false),
            (&["--color", "always"], &[], true),
            (&["--color", "auto"], &[("CLICOLOR_FORCE", "1")], true),
            (&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
            (&["--color", "always"], &[("NO_COLOR", "1")], true),
            (&["--color", "never"], &[("CLICOLOR_FORCE", "1")], false),
        ] {
            assert_eq!(coloured(&[what, color].concat(), env), expected, "{what:?} {color:?} {env:?}");
        }
    }
}

#[test]
fn the_end_of_a_sweep_tells_each_way_of_failing_once_and_names_it_last() {
    let (code, out, err) = wavetank(&["run", "fault-drop", "--seeds", "3..33", "--jobs", "2"]);
    assert_eq!(code, 1, "{err}");
    assert!(out.starts_with("seed 3: trapped: fault-drop, resource has children\n"), "{out}");
    assert!(out.contains("\n  29 more seeds fail in the same way: 4 to 32\n"), "{out}");
    assert_eq!(out.matches("replay: ").count(), 1, "{out}");
    assert_eq!(out.matches("\n  in fault_drop::main\n").count(), 1, "{out}");
    let last = "\n1 distinct failure\n  30 seeds, first 3: trapped (resource has children): fault-drop, in fault_drop::main\n";
    assert!(out.ends_with(last), "{out}");
}

#[test]
fn a_name_that_does_not_exist_is_answered_with_the_closest() {
    for (args, closest) in [
        (&["run", "ecko"][..], "echo"),
        (&["run", "bug-aba"], "bug-abba"),
        (&["run", "echo", "--strategy", "randon"], "random"),
        (&["run", "echo", "--profile", "harhs"], "harsh"),
        (&["run", "echo", "--without", "resource=why"], "resources"),
        (&["bugs", "--cases", "aba"], "abba"),
    ] {
        let (code, _, err) = wavetank(args);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(&format!("; did you mean {closest}?")), "{args:?}: {err}");
    }
    let (_, _, err) = wavetank(&["run", "echo", "--profile", "zzzz"]);
    assert!(!err.contains("did you mean"), "{err}");
}

#[test]
fn the_stderr_of_a_component_is_printed_once() {
    let path = folder("once").join("probe.wasm");
    fs::write(&path, guests::PROBE).expect("a file for a test");
    // The guest does not know such an argument, and says so.
    let (code, out, _) = wavetank(&["run", name(&path), "--seed", "0", "--", "nonsense"]);
    assert_eq!(code, 1, "{out}");
    let said: Vec<&str> = out.lines().filter(|line| line.contains("probe stderr | ")).collect();
    let distinct: std::collections::BTreeSet<&str> = said.iter().map(|line| line.trim()).collect();
    assert!(!said.is_empty() && distinct.len() == said.len(), "{out}");
}

#[test]
fn a_bug_benchmark_that_gives_up_before_a_target_has_not_missed_it() {
    let args = ["bugs", "--cases", "needle_100", "--strategies", "portfolio", "--bases", "1", "--cap", "1"];
    let (code, out, err) = wavetank(&[&args[..], &["--twin-seeds", "1"]].concat());
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("| 3000: given up before |"), "{out}");
    assert!(out.contains("Targets met by the portfolio: 0 of 0."), "{out}");
}

#[test]
fn a_reader_of_json_that_has_gone_ends_the_command_quietly() {
    for flag in ["--json", "--junit"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let args = ["run", "echo", "--seeds", "0..4", "--jobs", "1", flag, "-"];
        let (code, _, err) = output(command().args(args).stdout(writer));
        assert_eq!((code, &*err), (141, ""), "{flag}");
    }
}
