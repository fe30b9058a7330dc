//! The `wavetank` command from the view of its users.

use crate::common::{command, folder, wavetank};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use wavetank_lab::{guests, scenario};

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
    for scenario in scenario::all().filter(|scenario| scenario.clean) {
        let args = ["run", scenario.name, "--seed", "7"];
        let [first, again] = [(); 2].map(|()| finds_nothing(&args));
        assert_eq!(first, again);
    }
}

#[test]
fn an_oracle_that_is_switched_off_is_told_with_its_reason() {
    let off = ["--without", "resources=std keeps its handles"];
    let sweep = finds_nothing(&[&["run", "echo", "--seeds", "0..4"], &off[..]].concat());
    assert!(sweep.contains("\n  not judged: resources (std keeps its handles)\n"), "{sweep}");
    let account = finds_nothing(&[&["run", "echo", "--seed", "7"], &off[..]].concat());
    assert!(account.contains("\n  not judged: resources (std keeps its handles)\n"), "{account}");
    assert!(account.contains(" --without 'resources=std keeps its handles'"), "{account}");
    for (wrong, says) in [
        ("resource=why", "unknown oracle \"resource\": there are livelock, "),
        ("resources", "not ORACLE=REASON"),
        ("resources=", "say why resources is switched off"),
    ] {
        let (code, _, err) = wavetank(&["run", "echo", "--without", wrong]);
        assert!(code == 2 && err.contains(says), "{wrong}: {err}");
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
    for what in [
        "poll pid0",
        "born: cell child-echo, child of pid0",
        "dropped: pollable",
        "closed: writer",
        "→ finish     q1",
        "→ release    host's bootstrap ×1",
    ] {
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
        (&["run", "pid0", "--strategy", "best"], "there are portfolio, random, "),
        (&["run", "pid0", "--strategy", "pct:0"], "as pct:3"),
        (&["run", "pid0", "--strategy", "exhaustive", "--seed", "3"], "--seeds 0..N"),
        (&["run", "pid0", "--seeds", "9..3"], "write A..B with A below B"),
        (&["run", "pid0", "--strategy", "luck"], "random"),
        (&["run", "pid0", "--profile", "storm"], "calm"),
        (&["run", "pid0", "--jobs", "0"], "0 is not in 1..=1024"),
        (&["run", "pid0", "--time", "10"], "30s, 10m or 2h"),
        (&["run", "pid0", "--", "argument"], "component of your own"),
        (&["run", "pid0", "--json", "/nowhere/at/all.json"], "name a file for --json"),
        (&["replay", "pid0"], "not a token"),
        (&["replay", "wt9.pid0.7.AAAA"], "version"),
        (&["replay", "wt1.pid0.7.AAAA"], "damaged"),
        (&["replay", "./nowhere.toml"], "name the file of a saved failure"),
        (&["shrink", "./nowhere.toml"], "name the file of a saved failure"),
        (&["merge", "./nowhere.json"], "name a file that `wavetank run --json` wrote"),
        (&["shrink", "wt1.pid0.7.AAAA"], "damaged"),
        (&["shrink", "wt1.pid0.7.AAAA", "--runs", "0"], "--runs"),
        (&["run", "pid0", "--seeds", "0..1", "--failures", "/dev/null/x"], "name a folder with --failures"),
        (&["fuzz", "pid1"], "`wavetank list`"),
        (&["fuzz", "bug-g99"], "there are bug-g01, "),
        (&["fuzz", "echo", "--seconds", "0"], "--seconds"),
        (&["fuzz", "echo", "--runs", "0"], "--runs"),
        (&["fuzz", "echo", "--runs", "1", "--minimise"], "--corpus"),
        (&["fuzz", "echo", "--runs", "1", "--corpus", "/dev/null"], "with --corpus"),
        (&["fuzz", "echo", "--runs", "1", "--corpus", "/dev/null/x"], "/dev/null/x: Not a directory"),
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
    for scenario in scenario::all() {
        assert!(list.contains(scenario.name) && list.contains(scenario.summary), "{list}");
    }
}

// ---- sweeps

/// Runs a sweep; gives its exit code, and its JSON lines without the timing.
fn json_of(args: &[&str], file: &Path) -> (i32, Vec<Value>) {
    let (code, _, _) = wavetank(&[args, &["--json", file.to_str().expect("plain names")]].concat());
    let text = std::fs::read_to_string(file).expect("the file was written");
    let mut lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let last = lines.last_mut().expect("a summary").as_object_mut().expect("an object");
    assert!(last.remove("timing").is_some());
    (code, lines)
}

#[test]
fn any_number_of_processes_gives_the_same_json_in_the_order_of_seeds() {
    let folder = folder("same-json");
    for scenario in ["pid0", "fault-drop"] {
        let of = |jobs| {
            let args = ["run", scenario, "--seeds", "100..180", "--jobs", jobs];
            json_of(&args, &folder.join(format!("{scenario}-{jobs}.json")))
        };
        let (one, two, three) = (of("1"), of("2"), of("3"));
        assert_eq!(one, two);
        assert_eq!(one, three);
        assert_eq!(one.0, i32::from(scenario == "fault-drop"));
        let seeds: Vec<u64> = one.1.iter().filter_map(|line| line["seed"].as_u64()).collect();
        assert_eq!(seeds, (100..180).collect::<Vec<_>>());
    }
}

#[test]
fn the_first_failure_is_the_lowest_seed_for_any_number_of_processes() {
    for jobs in ["1", "2"] {
        let (code, out, _) = wavetank(&["run", "fault-drop", "--seeds", "5..500", "--first", "--jobs", jobs]);
        assert_eq!(code, 1);
        assert!(out.starts_with("seed 5: trapped"), "{out}");
        assert!(out.contains("1 seed of 495 (stopped at the first failure), 1 trapped"), "{out}");
    }
}

#[test]
fn the_first_failure_of_a_kind_is_shrunk_and_its_token_replays() {
    let folder = folder("shrunk");
    let args = ["run", "fault-spin", "--seeds", "0..12", "--jobs", "2"];
    let (code, lines) = json_of(&args, &folder.join("shrunk.json"));
    assert_eq!(code, 1);
    // The heading, a line for each seed, the shrunk run, and the summary.
    assert_eq!(lines.len(), 15);
    let (found, shrunk) = (&lines[1..13], &lines[13]["shrunk"]);
    assert!(shrunk["shrunk_from"].as_u64().expect("a count") > 0, "{shrunk}");
    assert_eq!((&shrunk["choices"], &shrunk["seed"]), (&0.into(), &0.into()));
    assert!(found.iter().all(|line| line["shrunk_from"].is_null() && line["failure"] == shrunk["failure"]));
    let (code, replayed, _) = wavetank(&["replay", shrunk["token"].as_str().expect("a token"), "--calls"]);
    assert_eq!(code, 1);
    assert!(replayed.contains("reproduced"), "{replayed}");
    let (_, long) = json_of(&[&args[..], &["--no-shrink"]].concat(), &folder.join("long.json"));
    assert_eq!(long[1..13], *found);
    assert_eq!(long.len(), 14);
}

#[test]
fn a_known_fault_is_counted_apart_and_fails_nothing() {
    let (code, out, _) = wavetank(&["run", "known-resolve", "--seeds", "0..40", "--jobs", "2"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("known-resolve: 40 seeds, 40 known (K2)\n"), "{out}");
    assert!(
        out.contains("K2, a fault of capnp-rpc 0.27.3, as seed 0: `")
            && out.contains(" known K2` tells more"),
        "{out}"
    );
    let (code, account, _) = wavetank(&["run", "known-overwrite", "--seed", "3"]);
    assert_eq!(code, 0, "{account}");
    assert!(account.contains("known: K1, a fault of capnp 0.27.3"), "{account}");
    let (code, replayed, _) = wavetank(&["replay", replay_token(&account)]);
    assert_eq!(code, 0, "{replayed}");
    assert!(replayed.contains("reproduced"), "{replayed}");
}

#[test]
fn a_text_gives_other_seeds_each_time_it_changes() {
    let folder = folder("seed-from");
    let of = |text: &str, file: &str| {
        let args = ["run", "echo", "--seeds", "0..20", "--seed-from", text];
        json_of(&args, &folder.join(file)).1
    };
    assert_eq!(of("3f9c2a", "first"), of("3f9c2a", "again"));
    assert_ne!(of("3f9c2a", "first"), of("77aa01", "other"));
}

#[test]
fn out_of_time_a_sweep_ends_cleanly_with_what_it_has() {
    let (code, out, _) = wavetank(&["run", "echo", "--seeds", "0..100000000", "--time", "0s", "--jobs", "1"]);
    assert_eq!(code, 0);
    assert!(out.contains("of 100000000 (stopped early)"), "{out}");
}

#[test]
fn the_canary_says_what_it_compared() {
    let out = finds_nothing(&["run", "echo", "--seed", "3", "--canary"]);
    let compared = "compared with the second run and the run on Pulley: the same, step for step";
    assert!(out.contains(compared), "{out}");
    assert!(finds_nothing(&replay_line(&out)).contains(compared));
    let (code, out, _) = wavetank(&["run", "fault-drop", "--seeds", "0..40", "--canary", "--jobs", "2"]);
    assert_eq!(code, 1, "{out}");
    let canary = "canary: 40 seeds compared with a second run, 40 with one on Pulley too";
    assert!(out.contains(canary), "{out}");
}

#[test]
fn a_sweep_says_how_many_behaviours_it_saw() {
    let (code, out, _) = wavetank(&["run", "pid0", "--seeds", "0..60"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("pid0: 60 seeds, 60 finished"), "{out}");
    assert!(out.contains("distinct behaviours: 1 (seeds: 60)"), "{out}");
    assert!(out.contains("worlds/s"), "{out}");
}

/// Starts a sweep of some seconds and waits until one of its workers is busy; gives the sweep and that worker.
#[cfg(target_os = "linux")]
fn busy_sweep() -> (std::process::Child, String) {
    use std::process::Stdio;
    let mut sweep = command()
        .args(["run", "chain", "--seeds", "0..60", "--jobs", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("wavetank runs");
    let worker = loop {
        if let Some(worker) = children(sweep.id()).pop() {
            break worker;
        }
        assert_eq!(sweep.try_wait().expect("a status"), None, "the sweep ended before it was met");
        std::thread::yield_now();
    };
    // A process that has used so much time has compiled its guest and is in the middle of a world.
    while ticks_burned(&worker) < 40 {
        assert_eq!(sweep.try_wait().expect("a status"), None, "the sweep ended before it was well at work");
        std::thread::yield_now();
    }
    (sweep, worker)
}

/// The child processes of a process, started by any of its threads.
#[cfg(target_os = "linux")]
fn children(process: u32) -> Vec<String> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let of_thread = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children")).ok();
    let listed: Vec<String> = threads.flatten().filter_map(of_thread).collect();
    listed.iter().flat_map(|list| list.split_whitespace()).map(String::from).collect()
}

/// Processor time of a process, in ticks of the kernel (mostly 10 ms).
#[cfg(target_os = "linux")]
fn ticks_burned(process: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // After the name in brackets, user and kernel time are the 12th and 13th fields.
    let after = stat.rsplit(')').next().unwrap_or_default();
    after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

#[cfg(target_os = "linux")]
fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([name, process]).status().expect("kill runs").success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_dies_costs_one_world_and_the_sweep_goes_on() {
    // If the worker dies between two worlds, no world is lost. Then try again.
    let out = (0..5).find_map(|_| {
        let (sweep, worker) = busy_sweep();
        signal("-KILL", &worker);
        let ended = sweep.wait_with_output().expect("it ends");
        let out = String::from_utf8(ended.stdout).expect("text");
        (ended.status.code() == Some(1)).then_some(out)
    });
    let out = out.expect("one of five was killed in the middle of a world");
    assert!(out.contains("60 seeds, 1 aborted, 59 finished"), "{out}");
    assert!(out.contains("signal: 9"), "{out}");
    let (code, replayed, _) = wavetank(&["replay", replay_token(&out), "--calls"]);
    assert_eq!(code, 0, "{replayed}");
    assert!(replayed.contains("drawn again"), "{replayed}");
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_sweep_with_what_was_found_so_far() {
    let (sweep, _) = busy_sweep();
    signal("-INT", &sweep.id().to_string());
    let ended = sweep.wait_with_output().expect("it ends");
    let out = String::from_utf8(ended.stdout).expect("text");
    assert_eq!(ended.status.code(), Some(0), "{out}");
    assert!(out.contains("of 60 (stopped early)"), "{out}");
}

// ---- components of the user's own

fn file(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("a file for a test");
    path.to_str().expect("plain names").to_string()
}

/// `child-echo` with some bytes changed, as a file.
fn changed(folder: &Path, name: &str, from: &str, to: &str) -> String {
    assert_eq!(from.len(), to.len());
    let mut wasm = guests::CHILD_ECHO_STDIO.to_vec();
    let found: Vec<usize> =
        (0..wasm.len() - from.len()).filter(|&at| wasm[at..].starts_with(from.as_bytes())).collect();
    assert!(!found.is_empty(), "{from} is in the guest");
    for at in found {
        wasm[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    file(folder, name, &wasm)
}

fn replay_line(account: &str) -> Vec<&str> {
    let line = account.lines().find_map(|line| line.trim().strip_prefix("replay: "));
    line.expect("a line that replays").split(' ').skip_while(|word| *word != "replay").collect()
}

#[test]
fn a_component_of_ones_own_runs_as_pid0_and_its_output_is_shown_by_cell() {
    let folder = folder("own");
    let path = file(&folder, "mine.wasm", guests::PROBE);
    let account = finds_nothing(&["run", &path, "--seed", "7", "--", "1000"]);
    assert!(account.contains("mine stdout | "), "{account}");
    let replayed = finds_nothing(&replay_line(&account));
    assert!(replayed.contains("reproduced"), "{replayed}");
    let (code, swept, _) = wavetank(&["run", &path, "--seeds", "0..40", "--", "1000"]);
    assert_eq!(code, 0, "{swept}");
    assert!(swept.contains("40 seeds, 40 finished"), "{swept}");
}

#[test]
fn a_guest_over_stdio_runs_its_rpc_with_defaults() {
    let folder = folder("stdio");
    let path = file(&folder, "mine.wasm", guests::PID0_STDIO);
    let swept = finds_nothing(&["run", &path, "--seeds", "0..20", "--expect-rpc"]);
    assert!(swept.contains("20 seeds, 20 finished"), "{swept}");
    assert!(!swept.contains("no RPC took place"), "{swept}");
    let replayed =
        finds_nothing(&replay_line(&finds_nothing(&["run", &path, "--seed", "7", "--expect-rpc"])));
    assert!(replayed.contains("reproduced"), "{replayed}");
    let wrong = ["run", &path, "--seeds", "0..20", "--no-keep", "--transport", "connection"];
    let (code, swept, _) = wavetank(&wrong);
    assert_eq!(code, 1, "{swept}");
    assert!(swept.contains("mine speaks RPC on its stdout, but its link is the connection"), "{swept}");
    assert!(swept.contains("no RPC took place in any of 20 worlds"), "{swept}");
    assert!(swept.contains("mine never opened its connection in 20 worlds, as seed 0"), "{swept}");
}

#[test]
fn a_program_without_rpc_finishes_and_the_report_says_that_none_took_place() {
    let folder = folder("without-rpc");
    let path = file(&folder, "copy.wasm", guests::CHILD_COPY);
    let swept = finds_nothing(&["run", &path, "--seeds", "0..20"]);
    assert!(swept.contains("20 seeds, 20 finished"), "{swept}");
    assert!(swept.contains("no RPC took place in any of 20 worlds"), "{swept}");
    let account = finds_nothing(&["run", &path, "--seed", "3"]);
    assert!(account.contains("no RPC took place: not one message"), "{account}");
    let (code, swept, _) = wavetank(&["run", &path, "--seeds", "0..20", "--no-keep", "--expect-rpc"]);
    assert_eq!(code, 1, "{swept}");
    assert!(swept.contains("no call was answered over the link of copy, and RPC was expected"), "{swept}");
    assert!(swept.contains(" --expect-rpc\n"), "the line that replays says so too: {swept}");
    let (_, swept, _) = wavetank(&["run", "bug-reorder_3", "--seeds", "0..5", "--no-keep"]);
    assert!(!swept.contains("no RPC took place"), "it has no cells: {swept}");
}

#[test]
fn what_cannot_be_run_is_told_with_the_reason_and_exits_with_2() {
    let folder = folder("wrong");
    let text = file(&folder, "text.wasm", b"hello");
    let module = file(&folder, "module.wasm", b"\0asm\x01\0\0\0");
    let cut = file(&folder, "cut.wasm", &guests::CHILD_ECHO[..1000]);
    let no_run = changed(&folder, "no-run.wasm", "wasi:cli/run@", "wasi:cli/ran@");
    let unknown = changed(&folder, "unknown.wasm", "wasi:cli/environment@", "wasi:cli/environmens@");
    let cases: &[(&str, &str)] = &[
        ("./nowhere.wasm", "No such file"),
        (&text, "these bytes are not WebAssembly"),
        (&module, "this is a core module"),
        (&cut, "not a component"),
        (&no_run, "exports no wasi:cli/run"),
        (&unknown, "wasi:cli/environmens"),
    ];
    for (path, hint) in cases {
        let (code, out, err) = wavetank(&["run", path, "--seeds", "0..2"]);
        assert_eq!((code, &*out), (2, ""), "{path}: {err}");
        assert!(err.contains(hint), "{path}: {err}");
    }
}

#[test]
fn a_token_of_ones_own_component_asks_for_its_file() {
    let path = file(&folder("token"), "mine.wasm", guests::PROBE);
    let account = finds_nothing(&["run", &path, "--seed", "1", "--", "sleep", "5"]);
    let token = replay_line(&account)[1];
    let (code, _, err) = wavetank(&["replay", token]);
    assert_eq!(code, 2);
    assert!(err.contains("--wasm FILE"), "{err}");
    let (code, _, err) = wavetank(&["replay", token, "--wasm", "./nowhere.wasm"]);
    assert_eq!(code, 2);
    assert!(err.contains("nowhere.wasm"), "{err}");
}

#[test]
fn a_replay_that_diverges_says_so_and_exits_with_3() {
    let folder = folder("diverged");
    let path = file(&folder, "mine.wasm", guests::PROBE);
    let account = finds_nothing(&["run", &path, "--seed", "1", "--", "sleep", "5"]);
    let token = replay_line(&account)[1];
    // The same choices against another component.
    let other = file(&folder, "other.wasm", guests::SERVER);
    let (code, out, err) = wavetank(&["replay", token, "--wasm", &other]);
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("diverged: "), "{out}");
    assert!(err.contains("another component"), "{err}");
}

// ---- explanations, stops and fixed guests

#[test]
fn a_failing_seed_is_shrunk_and_explained() {
    let (code, out, _) = wavetank(&["run", "bug-reorder_3", "--seeds", "0..60", "--jobs", "2"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("  chosen otherwise than calmly\n    step "), "{out}");
    assert!(out.contains("  it passes if step "), "{out}");
    let seed = out.strip_prefix("seed ").and_then(|out| out.split(':').next()).expect("a failing seed");
    let (code, account, _) = wavetank(&["run", "bug-reorder_3", "--seed", seed]);
    assert_eq!(code, 1);
    assert!(account.contains(", shrunk from "), "{account}");
    let (code, replayed, _) = wavetank(&["replay", replay_token(&account)]);
    assert_eq!(code, 1);
    let pair = |text: &str| text.lines().find(|line| line.contains("it passes if")).map(str::to_string);
    assert!(pair(&account).is_some() && pair(&account) == pair(&replayed), "{account}\n{replayed}");
    let (_, long, _) = wavetank(&["run", "bug-reorder_3", "--seed", seed, "--no-shrink"]);
    assert!(!long.contains("shrunk from"), "{long}");
}

#[test]
fn explained_failures_are_the_same_for_any_number_of_processes() {
    let folder = folder("same-told");
    let of = |jobs| {
        let args = ["run", "bug-g06", "--seeds", "0..60", "--jobs", jobs];
        json_of(&args, &folder.join(format!("{jobs}.json")))
    };
    let one = of("1");
    assert_eq!(one, of("3"));
    let shrunk = one.1.iter().map(|line| &line["shrunk"]).find(|shrunk| shrunk.is_object());
    let shrunk = shrunk.expect("one is shrunk");
    let detail = shrunk["detail"].as_array().expect("lines");
    assert!(detail.iter().any(|line| line == "chosen otherwise than calmly"), "{shrunk}");
}

#[test]
fn every_case_of_the_bug_benchmark_is_listed_and_found() {
    let list = finds_nothing(&["list"]);
    for case in wavetank_lab::bugs::ALL {
        let line = list.lines().find(|line| line.contains(&format!("bug-{} ", case.id)));
        assert!(line.is_some_and(|line| line.contains(case.summary)), "{list}");
        for name in [format!("bug-{}", case.id), format!("bug-{}-mended", case.id)] {
            assert_eq!(scenario::find(&name).expect("it is found").name, name);
        }
    }
    finds_nothing(&["run", "bug-abba-mended", "--seed", "3"]);
}

#[test]
fn a_replay_stops_at_a_step_and_shows_the_world() {
    let account = finds_nothing(&["run", "pid0", "--seed", "7"]);
    let token = replay_token(&account);
    let start = finds_nothing(&["replay", token, "--until", "0"]);
    assert!(start.starts_with("before the first step\nclock: 0 ns; "), "{start}");
    assert!(start.contains("cells\n  pid0: not started; 0 fuel"), "{start}");
    assert!(start.contains("start pid0"), "{start}");
    let steps: u64 = account
        .lines()
        .find_map(|line| line.trim().split_once(" steps, "))
        .and_then(|(steps, _)| steps.parse().ok())
        .expect("how many steps");
    let middle = finds_nothing(&["replay", token, "--until", &(steps / 2).to_string()]);
    for what in
        ["\ncells\n  pid0: ", "\ntasks\n", "\npipes\n  pid0 stdin: staged ", "\nopen calls", "\nnext, one of"]
    {
        assert!(middle.contains(what), "{what}\n{middle}");
    }
    assert!(!middle.contains("pid0: blocked in poll on bytes from pid0 stdin; 0 fuel"), "{middle}");
    let end = finds_nothing(&["replay", token, "--until", &steps.to_string()]);
    assert!(end.contains("pid0: ended with 0; ") && end.contains("next, one of: none"), "{end}");
    let (code, _, err) = wavetank(&["replay", token, "--until", &(steps + 1).to_string()]);
    assert_eq!(code, 2);
    assert!(err.contains(&format!("after {steps} steps it came to its end")), "{err}");
}

#[test]
fn the_same_choices_are_tried_against_a_mended_guest() {
    let folder = folder("mended");
    let (_, account, _) = wavetank(&["run", "fault-drop", "--seed", "3"]);
    let token = replay_token(&account);
    let with = |name: &str, file: &str| wavetank(&["replay", token, "--guest", &format!("{name}={file}")]);
    let same = file(&folder, "same.wasm", guests::FAULT_DROP);
    let (code, out, _) = with("fault-drop", &same);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("still fails in the same way\n  the transcript is the same"), "{out}");
    let mended = file(&folder, "mended.wasm", guests::CHILD_ECHO_STDIO);
    let (code, out, _) = with("fault-drop", &mended);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("\nmended: finished\n  the transcript is another from step "), "{out}");
    assert!(out.contains("\n  + "), "{out}");
    let other = file(&folder, "other.wasm", guests::FAULT_HANDLE);
    let (code, out, _) = with("fault-drop", &other);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("fails otherwise: trapped: fault-drop, unknown handle"), "{out}");
    for (name, file, hint) in [
        ("pid1", &*mended, "the cells are fault-drop"),
        ("fault-drop", "./nowhere.wasm", "nowhere.wasm"),
        ("fault-drop", &*file(&folder, "text.wasm", b"hello"), "not WebAssembly"),
    ] {
        let (code, out, err) = with(name, file);
        assert_eq!((code, &*out), (2, ""), "{name}");
        assert!(err.contains(hint), "{err}");
    }
    let (code, _, err) = wavetank(&["replay", token, "--guest", "fault-drop"]);
    assert_eq!(code, 2);
    assert!(err.contains("NAME=FILE"), "{err}");
}

#[test]
fn a_guest_that_another_starts_is_replaced_too() {
    let folder = folder("child");
    let token = replay_token(&finds_nothing(&["run", "pid0", "--seed", "7"])).to_string();
    let louder = changed(&folder, "louder.wasm", "CHILD_OK", "CHILD_NO");
    let (code, out, _) = wavetank(&["replay", &token, "--guest", &format!("child-echo={louder}")]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("finished, as before\n  the transcript is another from step "), "{out}");
    // Choices that were drawn for a busy guest mean something else for a guest that does nothing.
    let tiny = file(&folder, "tiny.wasm", guests::CHILD_TINY);
    let diverged = (0..40).find_map(|seed| {
        let token = replay_token(&finds_nothing(&["run", "pid0", "--seed", &seed.to_string()])).to_string();
        let (code, out, _) = wavetank(&["replay", &token, "--guest", &format!("child-echo={tiny}")]);
        (code == 3).then_some(out)
    });
    let out = diverged.expect("one of 40 leaves its track");
    assert!(out.contains("\ndiverged at step ") && out.contains("under another schedule"), "{out}");
}

/// `exhaustive` and `run --strategy exhaustive` are two names of one search.
#[test]
fn exhaustive_is_a_command_of_its_own() {
    let said = finds_nothing(&["exhaustive", "echo", "--all", "--runs", "3"]);
    assert_eq!(said, finds_nothing(&["run", "echo", "--strategy", "exhaustive:all", "--seeds", "0..3"]));
    let (code, said, _) = wavetank(&["exhaustive", "bug-account", "--preemptions", "1"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("with at most 1 preemption, not all: the last one fails"), "{said}");
    let (code, out, err) = wavetank(&["exhaustive", "bug-account-mended", "--preemptions", "1"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(out.starts_with("all ") && out.ends_with("preemption: none fails\n"), "{out}");
    let (code, _, err) = wavetank(&["exhaustive", "echo", "--all", "--delays", "1"]);
    assert_eq!(code, 2, "{err}");
}

#[test]
fn an_exhaustive_search_says_what_it_saw() {
    let said = finds_nothing(&["run", "echo", "--strategy", "exhaustive:all", "--seeds", "0..3"]);
    assert_eq!(said, "3 schedules of `echo` without a bound, not all: none fails\n");
    let (code, said, _) = wavetank(&["run", "fault-drop", "--strategy", "exhaustive:1"]);
    assert_eq!(code, 1);
    assert!(
        said.ends_with("1 schedule of `fault-drop` with at most 1 preemption, not all: the last one fails\n"),
        "{said}"
    );
    let (code, again, _) = wavetank(&["replay", replay_token(&said)]);
    assert_eq!(code, 1);
    assert!(again.contains("reproduced"), "{again}");
}

#[test]
fn every_strategy_runs_echo_in_processes_too() {
    for name in ["portfolio", "pct", "pct:3", "pos", "urw", "surw", "bytes:0a1b2c", "round-robin"] {
        let said = finds_nothing(&["run", "echo", "--strategy", name, "--seed", "5"]);
        let (code, swept, _) = wavetank(&["run", "echo", "--strategy", name, "--seeds", "0..20"]);
        assert_eq!(code, 0, "{name}: {swept}");
        let replayed = finds_nothing(&["replay", replay_token(&said)]);
        assert!(replayed.contains("reproduced"), "{replayed}");
    }
}

// ---- fuzzing

/// The names of the files in a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let listed = std::fs::read_dir(folder).expect("a folder");
    listed.map(|file| file.expect("a file").file_name().into_string().expect("plain names")).collect()
}

#[test]
fn a_corpus_is_run_first_and_minimised_only_when_all_of_it_was() {
    let folder = folder("corpus");
    let path = folder.to_str().expect("plain names");
    let fuzz = |runs: &str, flags: &[&str]| {
        // Progress goes to stderr.
        let (code, out, err) =
            wavetank(&[&["fuzz", "echo", "--corpus", path, "--runs", runs], flags].concat());
        assert_eq!(code, 0, "{out}{err}");
        out
    };
    let first = fuzz("200", &[]);
    let cases = names(&folder);
    assert!(first.ends_with(&format!(", {} cases: 0 failures; the runs are made\n", cases.len())), "{first}");
    // Other files beside the cases do not belong to the fuzzer.
    file(&folder, "README.md", b"not a case");
    std::fs::create_dir(folder.join("more")).expect("a folder for a test");
    let all = names(&folder);
    let short = fuzz("10", &["--minimise"]);
    assert!(short.starts_with(&format!("echo: {} cases from {path}\n", cases.len() + 1)), "{short}");
    assert!(short.contains("echo: not minimised, because "), "{short}");
    assert!(names(&folder).is_superset(&all));
    let whole = fuzz("400", &["--minimise"]);
    let last = whole.lines().last().and_then(|line| line.strip_suffix(" cases do all that was done"));
    let (kept, of) = last.and_then(|line| line.strip_prefix("echo: ")?.split_once(" of ")).expect("a count");
    let [kept, of]: [usize; 2] = [kept, of].map(|count| count.parse().expect("a number"));
    let left = names(&folder);
    assert!(left.contains("README.md") && left.contains("more"), "{left:?}");
    assert!(kept < of && left.len() == kept + 2, "{kept} of {of}: {left:?}");
}

#[test]
fn the_environment_chooses_seeds_of_checks_alone() {
    let ran = |seed: &str| {
        let mut command = command();
        command.args(["run", "echo", "--seed", "3"]).env("WAVETANK_SEED", seed);
        let ran = command.output().expect("wavetank runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).expect("text")
    };
    assert!(ran("1").contains("(seed 3)"), "{}", ran("1"));
    assert_eq!(ran("1"), ran("junk"));
}

#[test]
fn samples_in_documents_are_what_is_printed() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let documents =
        [("README.md", 1), ("docs/src/tutorial/first-failure.md", 3), ("docs/src/how-to/guest-loop.md", 6)];
    for (number, (document, expected)) in documents.into_iter().enumerate() {
        // A folder for each document, because a failure that is already saved is not saved again.
        let folder = folder(&format!("document-{number}"));
        std::fs::create_dir_all(folder.join("guests/built")).expect("a folder for a test");
        file(&folder, "guests/built/server.wasm", guests::SERVER);
        let text = std::fs::read_to_string(root.join(document)).expect("a document");
        let samples: Vec<_> = text.split("$ cargo run --release -- ").skip(1).collect();
        assert_eq!(samples.len(), expected, "{document}");
        for sample in samples {
            let (line, rest) = sample.split_once('\n').expect("a command and what it prints");
            let printed = rest.split("```").next().expect("a block that ends");
            let mut command = command();
            command.env_remove("WAVETANK_FAILURES").env("CARGO", env!("CARGO")).current_dir(&folder);
            let ran = command.args(line.split(' ')).output().expect("wavetank runs");
            // This test binary may be a debug build.
            let out = String::from_utf8(ran.stdout).expect("text");
            let out = out.replace("cargo run -- replay", "cargo run --release -- replay");
            assert_eq!(out, printed, "{line}");
        }
    }
}
