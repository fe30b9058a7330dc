//! Tables of cases: how a process was called, and the line that is printed for it.

use super::*;

impl Files for BTreeMap<&str, &str> {
    fn exists(&self, path: &Path) -> bool {
        self.keys().any(|file| Path::new(file).starts_with(path))
    }

    fn is_same_file(&self, path: &Path, other: &Path) -> bool {
        let file = |path: &Path| self.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| *text);
        // The text of a link is the path of the file that it leads to.
        let leads_to = |path: &Path| match file(path) {
            Some(target) if target.starts_with('/') => Some(PathBuf::from(target)),
            Some(_) => Some(path.components().collect::<PathBuf>()),
            None => None,
        };
        leads_to(path).is_some_and(|path| Some(path) == leads_to(other))
    }

    fn read(&self, path: &Path) -> Option<String> {
        self.get(path.to_str()?).map(|text| text.to_string())
    }
}

/// A checkout like this one, a user's project below it, and an unrelated project.
fn files() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        (
            "/w/Cargo.toml",
            "[workspace]\nmembers = ['.', 'sim']\ndefault-members = ['.', 'sim']\n[package]\nname = 'tank'",
        ),
        ("/w/src/lib.rs", ""),
        ("/w/sim/Cargo.toml", "[package]\nname = 'sim'\ndefault-run = 'wave'\n[[bin]]\nname = 'wave'"),
        ("/w/sim/src/lib.rs", ""),
        ("/w/target/CACHEDIR.TAG", ""),
        ("/w/target/debug/wave", ""),
        ("/p/Cargo.toml", "[workspace]\nmembers = ['crates/*']\n[package]\nname = 'mine'"),
        ("/p/src/lib.rs", ""),
        ("/p/src/main.rs", ""),
        ("/p/tests/my-waves.rs", ""),
        ("/p/tests/many/main.rs", ""),
        ("/p/examples/look.rs", ""),
        ("/p/benches/speed.rs", ""),
        ("/p/target/.rustc_info.json", ""),
        ("/p/crates/sim/Cargo.toml", "[package]\nname = 'sim'"),
        ("/p/crates/sim/src/bin/wave.rs", ""),
        ("/p/crates/sim/src/bin/other.rs", ""),
        ("/bin/wave", ""),
        ("/b/my wave", ""),
        ("/b/a=b", ""),
    ])
}

fn called(words: &[&str], env: &[(&str, &str)], exe: &str, cwd: &str) -> Called {
    Called {
        args: words.iter().map(|word| word.to_string()).collect(),
        env: env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        exe: exe.into(),
        cwd: cwd.into(),
        test_thread: None,
    }
}

/// Variables of an environment.
type Env<'a> = &'a [(&'a str, &'a str)];

/// The case, its environment, arguments, executable and thread, and its line.
type TestCase<'a> = (&'a str, Env<'a>, &'a [&'a str], &'a str, Option<&'a str>, String);

/// The variables that cargo sets for a package.
fn cargo<'a>(package: &'a str, folder: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("CARGO", "/c/cargo"),
        ("CARGO_PKG_NAME", package),
        ("CARGO_MANIFEST_DIR", folder),
        ("PATH", "/usr:/bin"),
    ]
}

#[test]
fn the_command_is_printed_as_it_was_called() {
    let ours = cargo("sim", "/w/sim");
    let theirs = cargo("mine", "/p");
    let below = cargo("sim", "/p/crates/sim");
    let plain = [("PATH", "/usr:/bin")];
    let cases: &[(&str, Env<'_>, &str, &str, &str, &str)] = &[
        (
            "cargo run --release",
            &ours,
            "target/release/wave",
            "/w/target/release/wave",
            "/w",
            "cargo run --release --",
        ),
        ("cargo run", &ours, "target/debug/wave", "/w/target/debug/wave", "/w", "cargo run --"),
        (
            "another profile",
            &ours,
            "target/fast/wave",
            "/w/target/fast/wave",
            "/w",
            "cargo run --profile fast --",
        ),
        (
            "for a target",
            &ours,
            "target/t-u-v/debug/wave",
            "/w/target/t-u-v/debug/wave",
            "/w",
            "cargo run --target t-u-v --",
        ),
        (
            "in the package",
            &ours,
            "/w/target/debug/wave",
            "/w/target/debug/wave",
            "/w/sim/src",
            "cargo run --",
        ),
        (
            "from outside",
            &ours,
            "/w/target/debug/wave",
            "/w/target/debug/wave",
            "/x",
            "cargo run --manifest-path /w/sim/Cargo.toml --",
        ),
        (
            "by a name that leads to another program",
            &plain,
            "wave",
            "/w/target/debug/wave",
            "/x",
            "/w/target/debug/wave",
        ),
        (
            "from above",
            &ours,
            "w/target/debug/wave",
            "/w/target/debug/wave",
            "/",
            "cargo run --manifest-path w/sim/Cargo.toml --",
        ),
        (
            "one of many",
            &below,
            "target/debug/wave",
            "/p/target/debug/wave",
            "/p",
            "cargo run -p sim --bin wave --",
        ),
        (
            "a test of another package",
            &theirs,
            "/w/target/debug/wave",
            "/w/target/debug/wave",
            "/p",
            "/w/target/debug/wave",
        ),
        ("by name under cargo", &ours, "wave", "/bin/wave", "/w", "wave"),
        ("installed, by path under cargo", &ours, "/bin/wave", "/bin/wave", "/w", "/bin/wave"),
        ("by name", &plain, "wave", "/bin/wave", "/x", "wave"),
        ("by path", &plain, "./target/debug/wave", "/w/target/debug/wave", "/w", "./target/debug/wave"),
        ("by a name that is not on PATH", &plain, "weave", "/bin/wave", "/x", "/bin/wave"),
        ("by a path that leads nowhere now", &plain, "../bin/wave", "/bin/wave", "/x/y", "/bin/wave"),
        ("with a space", &plain, "/b/my wave", "/b/my wave", "/x", "'/b/my wave'"),
        ("like a variable", &plain, "/b/a=b", "/b/a=b", "/x", "'/b/a=b'"),
    ];
    for (case, env, arg, exe, cwd, line) in cases {
        let called = called(&[arg, "run"], env, exe, cwd);
        let folder = if *case == "one of many" { "/p/crates/sim" } else { "/w/sim" };
        let built = Built { package: "sim", folder: Path::new(folder) };
        let files = files();
        let told = cargo_run(&called, &built, &files).unwrap_or_else(|| as_called(&called, &files));
        assert_eq!(told, *line, "{case}");
    }
}

#[test]
fn a_check_is_run_again_by_what_ran_it() {
    let mine = cargo("mine", "/p");
    let nextest: Vec<_> = mine.iter().copied().chain([("NEXTEST", "1")]).collect();
    let outside: Vec<_> = mine.iter().copied().chain([("PWD", "/x")]).collect();
    let other = cargo("other", "/o");
    let test = "/p/target/debug/deps/my_waves-0123456789abcdef";
    let lib = "/p/target/debug/deps/mine-0123456789abcdef";
    let fast = "/p/target/fast/deps/many-0123456789abcdef";
    let of_test = "cargo test -p mine --test my-waves";
    let cases: &[TestCase<'_>] = &[
        ("a thread of libtest", &mine, &[], test, Some("a::b"), format!("{of_test} -- --exact a::b")),
        ("one thread", &mine, &["--test-threads", "1"], test, None, of_test.into()),
        ("one thread and a filter", &mine, &["b", "--test-threads=1"], test, None, format!("{of_test} -- b")),
        ("one exact test", &mine, &["--exact", "a::b"], test, None, format!("{of_test} -- --exact a::b")),
        (
            "from outside",
            &outside,
            &[],
            test,
            Some("b"),
            "cargo test --manifest-path /p/Cargo.toml --test my-waves -- --exact b".into(),
        ),
        (
            "release",
            &mine,
            &[],
            "/p/target/release/deps/many-0123456789abcdef",
            Some("b"),
            "cargo test --release -p mine --test many -- --exact b".into(),
        ),
        (
            "a library and a binary of one name",
            &mine,
            &[],
            lib,
            Some("b"),
            "cargo test -p mine -- --exact b".into(),
        ),
        (
            "nextest",
            &nextest,
            &["--exact", "a::b", "--nocapture"],
            fast,
            Some("main"),
            "cargo nextest run --cargo-profile fast -p mine --test many -E 'test(=a::b)'".into(),
        ),
        ("cargo test below nextest", &nextest, &[], test, Some("b"), format!("{of_test} -- --exact b")),
        (
            "a benchmark",
            &mine,
            &["--bench"],
            "/p/target/release/deps/speed-0123456789abcdef",
            None,
            "cargo bench -p mine --bench speed".into(),
        ),
        (
            "an example's test",
            &mine,
            &[],
            "/p/target/debug/examples/look-0123456789abcdef",
            Some("b"),
            "cargo test -p mine --example look -- --exact b".into(),
        ),
        (
            "an example",
            &mine,
            &["a b"],
            "/p/target/debug/examples/look",
            None,
            "cargo run -p mine --example look -- 'a b'".into(),
        ),
        ("a main program", &mine, &[], "/p/target/debug/mine", None, "cargo run -p mine --bin mine".into()),
        ("a doctest", &mine, &[], "/tmp/rustdoctestAbC/rust_out", None, "cargo test -p mine --doc".into()),
        ("without cargo", &[], &["b"], test, Some("a::b"), format!("{test} --exact a::b")),
        ("a main program without cargo", &[], &["x y"], "/b/my wave", None, "'/b/my wave' 'x y'".into()),
        ("below cargo of another package", &other, &["x"], lib, None, format!("{lib} x")),
    ];
    for (case, env, args, exe, thread, line) in cases {
        let words: Vec<&str> = [exe].into_iter().chain(args.iter()).copied().collect();
        let called = Called { test_thread: thread.map(String::from), ..called(&words, env, exe, "/p") };
        assert_eq!(test_line_among(&called, &files()), *line, "{case}");
    }
}
