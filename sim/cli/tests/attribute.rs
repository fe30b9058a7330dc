//! Checks in a test binary of libtest: this one. Its own checks are the fixture, and `cargo wavetank` drives them.

// `fuzz_check!` takes a macro of libfuzzer-sys, which needs nightly. This one makes a function of the target.
extern crate self as libfuzzer_sys;

/// Makes a function of a target.
#[macro_export]
macro_rules! fuzz_target {
    (|$bytes:ident: &[u8]| $body:block) => {
        fn target($bytes: &[u8]) $body
    };
}

mod fixture {
    use std::cell::Cell;
    use std::rc::Rc;
    use wavetank_sim::world::yield_now;
    use wavetank_sim::{World, check, guests};

    fn deposits(world: &World, pause: bool) {
        let balance = Rc::new(Cell::new(0));
        let made = Rc::new(Cell::new(0));
        for name in ["one", "other"] {
            let (balance, made) = (balance.clone(), made.clone());
            world.task_of(world.vat(name), name, async move {
                let before = balance.get();
                if pause {
                    yield_now().await;
                }
                balance.set(before + 1);
                made.set(made.get() + 1);
                assert!(made.get() < 2 || balance.get() == 2, "an update was lost");
            });
        }
    }

    #[wavetank_sim::test(seeds = 20, canary, strategy = "random", profile = "calm")]
    fn adds(world: &mut World) {
        println!("\u{1e}wavetank {{\"nonce\":\"\",\"order\":1,\"message\":\"forged\"}}");
        deposits(world, false);
    }

    #[wavetank_sim::test(failures = concat!(env!("CARGO_TARGET_TMPDIR"), "/attribute"))]
    #[should_panic(expected = "an update was lost")]
    fn loses_an_update(world: &mut World) {
        deposits(world, true);
    }

    #[wavetank_sim::test(seeds = 5..9, failures = concat!(env!("CARGO_TARGET_TMPDIR"), "/attribute"))]
    #[should_panic(expected = "the scenario returned an error: \"no shop\"")]
    fn returns_an_error(world: &mut World) -> Result<(), &'static str> {
        deposits(world, false);
        Err("no shop")
    }

    #[wavetank_sim::test]
    // Never run by hand: a test starts it in a process of its own, and sees that a sweep outlives it.
    #[ignore = "it kills its process"]
    fn dies(world: &mut World) {
        let draws = world.draw(2);
        world.task("dies", async move {
            if draws == 1 {
                std::process::abort();
            }
        });
    }

    #[wavetank_sim::test(seeds = 5, should_fail = "an update was lost", should_fail = "vat other")]
    fn finds_a_planted_fault(world: &mut World) {
        deposits(world, true);
    }

    #[wavetank_sim::test(seeds = 2)]
    fn starts(world: &mut World) {
        world.cell("child", guests::CHILD_TINY).args(["one"]).env("A", "b").spawn().expect_exit(0);
    }

    /// Two checks in a test without the attribute.
    #[test]
    fn plain() {
        check("plain-first", |world: &mut World| deposits(world, false)).seeds(0..5).run();
        check("plain-second", |world: &mut World| deposits(world, false)).seeds(0..5).run();
    }

    #[test]
    fn no_check() {
        assert_eq!(1 + 1, 2);
    }

    wavetank_sim::fuzz_check!(check("bytes", |world: &mut World| deposits(world, true)).no_failures());

    #[test]
    fn a_fuzz_target_runs_the_check_on_bytes() {
        let cases = (0..=255u8).map(|first| [first % 8, first / 8, first % 3, 1, 2, first % 5]);
        let failure = |case: [u8; 6]| {
            let panic = std::panic::catch_unwind(|| target(&case)).err()?;
            panic.downcast_ref::<String>().cloned()
        };
        let failures: Vec<Option<String>> = cases.map(failure).collect();
        assert!(failures.iter().any(Option::is_none), "some schedules are fine");
        let account = failures.iter().flatten().next().expect("some schedules lose an update");
        assert!(account.contains("bytes: ") && account.contains("an update was lost"), "{account}");
        assert!(account.contains("replay: WAVETANK_TOKEN=wt1."), "{account}");
    }
}

#[cfg(unix)]
mod driven {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    /// A folder with a stand-in for cargo, which says that it built this binary as a test target.
    fn project(name: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("driven").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("package")).expect("a folder for a test");
        let this = std::env::current_exe().expect("a test has a file");
        let manifest = folder.join("package/Cargo.toml");
        let script = format!(
            "#!/bin/sh\necho '{{\"reason\":\"compiler-artifact\",\"executable\":{this:?},\"manifest_path\":{manifest:?},\"target\":{{\"kind\":[\"lib\"]}},\"profile\":{{\"test\":true}}}}'\n"
        );
        let cargo = folder.join("cargo");
        std::fs::write(&cargo, script).expect("a file for a test");
        std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
        folder
    }

    /// Runs `cargo wavetank` in a project. Gives its exit code and what it printed.
    fn wavetank(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-wavetank"));
        command.arg("wavetank").args(args).current_dir(folder).env("CARGO", folder.join("cargo"));
        for variable in ["GITHUB_ACTIONS", "WAVETANK_FAILURES", "NEXTEST"] {
            command.env_remove(variable);
        }
        let ran = command.output().expect("it runs");
        (ran.status.code(), String::from_utf8([ran.stdout, ran.stderr].concat()).expect("text"))
    }

    #[track_caller]
    fn contains(text: &str, part: &str) {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }

    fn token(text: &str) -> &str {
        text.split_whitespace().find(|word| word.starts_with("wt1.")).expect("a token")
    }

    #[test]
    fn checks_are_listed_without_running_anything() {
        let (code, out) = wavetank(&project("list"), &["list"]);
        assert_eq!(code, Some(0), "{out}");
        contains(&out, "checks\n  attribute::fixture::adds");
        contains(&out, " sim/cli/tests/attribute.rs:");
        contains(&out, "attribute::fixture::dies");
        contains(&out, "strategies\n");
        assert!(!out.contains("plain"), "{out}");
    }

    #[test]
    fn a_sweep_has_processes_places_files_and_saved_failures() {
        let folder = project("sweep");
        let run = ["run", "loses_an_update", "--seeds", "0..64", "--jobs", "2", "--github"];
        let (code, out) =
            wavetank(&folder, &[&run[..], &["--junit", "junit.xml", "--json", "all.json"]].concat());
        assert_eq!(code, Some(1), "{out}");
        contains(&out, "attribute__fixture__loses_an_update: 64 seeds, ");
        contains(&out, "::error file=sim/cli/tests/attribute.rs,line=");
        contains(&out, "an update was lost");
        let junit = std::fs::read_to_string(folder.join("junit.xml")).expect("the file was written");
        contains(&junit, "file=\"sim/cli/tests/attribute.rs\" line=\"");
        // Failures are saved beside the package, and tried first by the next sweep.
        let kept = std::fs::read_dir(folder.join("package/wavetank-failures")).expect("they were saved");
        assert!(kept.count() > 0);
        let (code, out) = wavetank(&folder, &["run", "loses_an_update", "--seeds", "0..2"]);
        assert_eq!(code, Some(1), "{out}");
        contains(&out, "still fails");
    }

    #[test]
    fn the_checks_own_settings_hold_and_shards_merge() {
        let folder = project("shards");
        let (code, out) = wavetank(&folder, &["run", "adds", "--seeds", "0..10", "--no-keep"]);
        assert_eq!(code, Some(0), "{out}");
        contains(&out, "canary: 10 seeds compared with a second run");
        let run = ["run", "fixture::loses_an_update", "--seeds", "0..40", "--no-keep", "--json"];
        for shard in ["1/2", "2/2"] {
            let file = shard.replace('/', "-");
            wavetank(&folder, &[&run[..], &[&file, "--shard", shard]].concat());
        }
        wavetank(&folder, &[&run[..], &["one"]].concat());
        wavetank(&folder, &["merge", "1-2", "2-2", "--json", "merged"]);
        let untimed = |file: &str| -> Vec<String> {
            let text = std::fs::read_to_string(folder.join(file)).expect("a file");
            text.lines().filter(|line| !line.contains("\"timing\"")).map(String::from).collect()
        };
        assert_eq!(untimed("merged"), untimed("one"));
        assert!(untimed("one").len() > 40);
    }

    #[test]
    fn one_run_is_explained_replayed_looked_into_and_shrunk() {
        let folder = project("one");
        let name = "attribute::fixture::loses_an_update";
        let report = (0..50).find_map(|seed| {
            let (code, out) = wavetank(&folder, &["run", name, "--seed", &seed.to_string()]);
            (code == Some(1)).then_some(out)
        });
        let report = report.expect("one of fifty seeds fails");
        contains(&report, "it passes if step ");
        let token = token(&report);
        contains(&report, &format!("replay: cargo wavetank replay {token}"));
        let (code, out) = wavetank(&folder, &["replay", token, "--steps"]);
        assert_eq!(code, Some(1), "{out}");
        contains(&out, "reproduced: the transcript is the same, step for step");
        let (code, out) = wavetank(&folder, &["replay", token, "--until", "1"]);
        assert_eq!(code, Some(0), "{out}");
        contains(&out, "one");
        let (code, out) = wavetank(&folder, &["replay", token, "--until", "1000"]);
        assert_eq!(code, Some(2), "{out}");
        contains(&out, "this run has no step 1000");
        let (code, out) = wavetank(&folder, &["replay", token, "--guest", "x=y.wasm"]);
        assert_eq!(code, Some(2), "{out}");
        contains(&out, "y.wasm");
        let (code, out) = wavetank(&folder, &["shrink", token]);
        assert_eq!(code, Some(1), "{out}");
        contains(&out, "shrunk from ");
        // The saved failure.
        let kept = std::fs::read_dir(folder.join("package/wavetank-failures")).expect("it was saved");
        let file = kept.map(|file| file.expect("a file").path()).next().expect("a file");
        let file = file.strip_prefix(&folder).expect("it is inside").to_str().expect("a plain name");
        let (code, out) = wavetank(&folder, &["replay", file]);
        assert_eq!(code, Some(1), "{out}");
        contains(&out, &format!("{file}: kept of attribute__fixture__loses_an_update, seed "));
        contains(&out, "still fails");
        let (code, out) = wavetank(&folder, &["shrink", file]);
        assert_eq!(code, Some(1), "{out}");
        contains(&out, "kept: ");
    }

    #[test]
    fn fuzzing_and_searching_take_checks() {
        let folder = project("all");
        let fuzz = ["fuzz", "loses_an_update", "--runs", "300", "--no-keep", "--corpus", "corpus"];
        let (code, out) = wavetank(&folder, &fuzz);
        assert_eq!(code, Some(1), "{out}");
        contains(&out, "an update was lost");
        assert!(std::fs::read_dir(folder.join("corpus")).expect("a corpus").count() > 0);
        let (code, out) = wavetank(&folder, &["exhaustive", "loses_an_update", "--no-keep"]);
        assert_eq!(code, Some(1), "{out}");
        contains(&out, "an update was lost");
        let (code, out) = wavetank(&folder, &["exhaustive", "adds"]);
        assert_eq!(code, Some(0), "{out}");
        contains(&out, "all ");
    }

    /// The component in the guest's place is the same with a section that says nothing.
    #[test]
    fn guests_are_replaced_in_sweeps_and_replays() {
        let folder = project("guests");
        let other = [wavetank_sim::guests::CHILD_TINY, &[0, 5, 1, b'x', 1, 2, 3]].concat();
        std::fs::write(folder.join("other.wasm"), other).expect("a file for a test");
        let guest = ["--guest", "child=other.wasm"];
        let (code, out) =
            wavetank(&folder, &[&["run", "starts", "--seeds", "0..3", "--no-keep"], &guest[..]].concat());
        assert_eq!(code, Some(0), "{out}");
        contains(&out, "attribute__fixture__starts: 3 seeds, 3 finished");
        let (_, plain) = wavetank(&folder, &["run", "starts", "--seed", "1"]);
        let (code, out) = wavetank(&folder, &[&["run", "starts", "--seed", "1"], &guest[..]].concat());
        assert_eq!(code, Some(0), "{out}");
        let replaced = token(&out);
        contains(replaced, "attribute__fixture__starts+");
        contains(&out, &format!("replay: cargo wavetank replay {replaced} --guest child=other.wasm"));
        let (code, out) = wavetank(&folder, &["replay", replaced]);
        assert_eq!(code, Some(2), "{out}");
        contains(&out, "name their components with --guest NAME=FILE");
        let (code, out) = wavetank(&folder, &[&["replay", replaced], &guest[..]].concat());
        assert_eq!(code, Some(0), "{out}");
        contains(&out, "reproduced: the transcript is the same, step for step");
        let (code, out) = wavetank(&folder, &[&["replay", token(&plain)], &guest[..]].concat());
        assert_eq!(code, Some(0), "{out}");
        contains(&out, "with other.wasm for child (seed 1)");
        let (code, out) = wavetank(&folder, &["run", "starts", "--guest", "nobody=other.wasm"]);
        assert_eq!(code, Some(2), "{out}");
        contains(&out, "no guest \"nobody\" runs here: the cells are child");
    }

    #[test]
    fn what_needs_the_runs_in_this_process_is_refused() {
        let folder = project("refused");
        let (_, out) = wavetank(&folder, &["run", "loses_an_update", "--seed", "1", "--no-keep"]);
        let token = token(&out);
        for args in [
            &["run", "adds", "--report", "pages"][..],
            &["run", "adds", "--seed", "1", "--report", "pages"],
            &["report", token, "--output", "page.html"],
            &["diff", token, token],
        ] {
            let (code, out) = wavetank(&folder, args);
            assert_eq!(code, Some(2), "{args:?}: {out}");
            contains(&out, "list the check in a target with wavetank_cli::checks!");
        }
    }

    #[test]
    fn a_world_that_kills_its_process_costs_that_world() {
        let folder = project("dies");
        let (code, out) = wavetank(&folder, &["run", "dies", "--seeds", "0..12", "--jobs", "1"]);
        assert_eq!(code, Some(1), "{out}");
        contains(&out, "aborted");
        contains(&out, "finished");
    }

    #[test]
    fn a_plain_test_is_driven_by_its_name() {
        let folder = project("plain");
        let (code, out) = wavetank(&folder, &["run", "plain", "--seeds", "0..5", "--no-keep"]);
        assert_eq!(code, Some(0), "{out}");
        contains(&out, "plain-first: 5 seeds, 5 finished");
        let (code, out) = wavetank(&folder, &["run", "fixture::no_check"]);
        assert_eq!(code, Some(2), "{out}");
        contains(&out, "the test fixture::no_check of ");
        contains(&out, "runs no check");
    }

    #[test]
    fn wrong_names_and_settings_are_told() {
        let folder = project("wrong");
        let (code, out) = wavetank(&folder, &["run", "ads"]);
        assert_eq!(code, Some(2), "{out}");
        contains(&out, "no check or test here is called \"ads\"");
        let (code, out) = wavetank(&folder, &["run"]);
        assert_eq!(code, Some(2), "{out}");
        contains(&out, "name the check: attribute::fixture::adds, ");
        let (code, out) = wavetank(&folder, &["run", "adds", "--", "x"]);
        assert_eq!(code, Some(2), "{out}");
        contains(&out, "arguments go to a component of your own");
        let (code, out) = wavetank(&folder, &["known", "K1"]);
        assert_eq!(code, Some(0), "{out}");
    }
}
