//! The parts of an installed command: completions, manual pages, and the archive of a release.

use crate::common::{folder, name, wavetank};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use toml::Table;

/// The commands that `--help` lists, without `help`.
fn commands() -> BTreeSet<String> {
    let (code, out, _) = wavetank(&["--help"]);
    assert_eq!(code, 0);
    let list = out.split("\nCommands:\n").nth(1).expect("commands").split("\n\n").next().expect("an end");
    // Each line of a command is indented by two, and the rest of a long text by more.
    let lines = list.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let mut names: BTreeSet<String> =
        lines.filter_map(|line| line.split(' ').next()).map(String::from).collect();
    assert!(names.remove("help"), "{out}");
    assert!(names.contains("run") && names.contains("completions"), "{out}");
    names
}

#[test]
fn completions_offer_each_command_that_is_listed_and_no_other() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, script, err) = wavetank(&["completions", shell]);
        assert_eq!((code, &*err), (0, ""), "{shell}");
        let words: BTreeSet<&str> =
            script.split(|c: char| !c.is_alphanumeric() && !"-_".contains(c)).collect();
        for command in commands() {
            assert!(words.contains(&*command), "{shell} does not complete {command}");
        }
        for flag in ["seed-from", "no-shrink", "keep-going"] {
            let is_there = words.contains(flag) || words.contains(&*format!("--{flag}"));
            assert!(is_there, "{shell} does not complete --{flag}");
        }
        // By the name of its function in bash, and by its description elsewhere.
        for hidden in ["__worker", "arrive on stdin"] {
            assert!(!script.contains(hidden), "{shell} completes the hidden command: {hidden}");
        }
    }
}

#[cfg(unix)]
#[test]
fn bash_can_read_its_completions() {
    use std::io::Write;
    let (_, script, _) = wavetank(&["completions", "bash"]);
    let ask =
        "COMP_WORDS=(wavetank exh); COMP_CWORD=1; _wavetank wavetank exh wavetank; echo \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bash");
    let mut to_bash = bash.stdin.take().expect("a pipe");
    to_bash.write_all(format!("{script}\n{ask}\n").as_bytes()).expect("bash reads");
    drop(to_bash);
    let said = bash.wait_with_output().expect("bash ends");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "exhaustive\n");
}

#[test]
fn a_shell_that_is_unknown_is_wrong_usage() {
    for args in [&["completions"][..], &["completions", "csh"]] {
        let (code, out, err) = wavetank(args);
        assert_eq!((code, &*out), (2, ""), "{args:?}");
        assert!(err.contains("Usage: ") || err.contains("[possible values: bash, "), "{args:?}: {err}");
    }
}

#[test]
fn each_command_that_is_listed_has_a_manual_page() {
    let folder = folder("man").join("new/man1");
    let (code, out, err) = wavetank(&["man", "--out", name(&folder)]);
    assert_eq!((code, &*out, &*err), (0, "", ""));
    let written: BTreeSet<String> = fs::read_dir(&folder)
        .expect("the folder was made")
        .map(|page| page.expect("a page").file_name().into_string().expect("plain names"))
        .collect();
    let mut wanted: BTreeSet<String> =
        commands().iter().map(|command| format!("wavetank-{command}.1")).collect();
    wanted.insert("wavetank.1".into());
    assert_eq!(written, wanted);
    let page = fs::read_to_string(folder.join("wavetank-run.1")).expect("a page");
    assert!(page.contains(".TH wavetank-run 1") && page.contains("\\-\\-seed\\-from"), "{page}");
}

#[test]
fn the_manual_page_is_printed() {
    let (code, page, err) = wavetank(&["man"]);
    assert_eq!((code, &*err), (0, ""));
    assert!(page.contains(".TH wavetank 1") && page.contains("wavetank\\-exhaustive(1)"), "{page}");
    assert!(page.contains("Exit codes: ") && !page.contains("wavetank\\-worker"), "{page}");
}

#[test]
fn a_folder_for_pages_that_cannot_be_written_is_told() {
    let file = folder("no_folder").join("file");
    fs::write(&file, "").expect("a file");
    let (code, out, err) = wavetank(&["man", "--out", name(&file)]);
    assert_eq!((code, &*out), (2, ""));
    assert!(err.ends_with(": name a folder for --out that can be written\n"), "{err}");
}

/// A template of `cargo binstall`, filled in.
fn filled(template: &str, version: &str, target: &str) -> String {
    let mut text = template.to_string();
    let parts = [
        ("repo", "https://example.org/wavetank"),
        ("version", version),
        ("target", target),
        ("bin", "wavetank"),
        ("binary-ext", ""),
    ];
    for (part, value) in parts {
        text = text.replace(&format!("{{ {part} }}"), value);
    }
    assert!(!text.contains(['{', '}']), "{text}");
    text
}

/// `.github/pack.sh` packs a script that stands for the command, because a debug build is large.
#[cfg(unix)]
#[test]
fn the_archive_of_a_release_is_where_binstall_looks() {
    use std::os::unix::fs::PermissionsExt;
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("text");
    let manifest: Table = read("sim/cli/Cargo.toml").parse().expect("TOML");
    let binstall = manifest["package"]["metadata"]["binstall"].as_table().expect("a table");
    assert_eq!(binstall["pkg-fmt"].as_str(), Some("tgz"));
    let workflow = read(".github/workflows/release.yml");
    let targets: Vec<&str> =
        workflow.lines().filter_map(|line| line.trim().strip_prefix("- target: ")).collect();
    assert_eq!(targets, ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]);
    // The archives go to the release of this tag.
    assert!(
        workflow.contains(r#""$TAG" != "v$version""#) && workflow.contains(r#"gh release create "$TAG""#)
    );

    let folder = folder("archive");
    let binaries = folder.join("binaries");
    fs::create_dir_all(&binaries).expect("a folder for a test");
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_wavetank-lab"));
    for binary in ["wavetank", "cargo-wavetank"] {
        fs::write(binaries.join(binary), &script).expect("a script");
        fs::set_permissions(binaries.join(binary), fs::Permissions::from_mode(0o755)).expect("it can be run");
    }
    for target in targets {
        let packed = Command::new(root.join(".github/pack.sh"))
            .args(["1.2.3", target, name(&binaries), name(&folder)])
            .output()
            .expect("it runs");
        assert!(packed.status.success(), "{packed:?}");
        let url = filled(binstall["pkg-url"].as_str().expect("a text"), "1.2.3", target);
        let (place, archive) = url.rsplit_once('/').expect("a place");
        assert_eq!(place, "https://example.org/wavetank/releases/download/v1.2.3");
        let listed =
            Command::new("tar").arg("tzf").arg(folder.join(archive)).output().expect("the archive is there");
        let listed = String::from_utf8(listed.stdout).expect("plain names");
        let inside: BTreeSet<&str> = listed.lines().collect();
        let found = filled(binstall["bin-dir"].as_str().expect("a text"), "1.2.3", target);
        assert!(inside.contains(&*found), "{found} is not in {listed}");
        let beside = [
            "LICENSE",
            "README.md",
            "completions/wavetank.bash",
            "completions/wavetank.fish",
            "completions/_wavetank",
            "man/wavetank.1",
            "man/wavetank-run.1",
            "cargo-wavetank",
        ];
        for file in beside {
            let file = found.replace("/wavetank", &format!("/{file}"));
            assert!(inside.contains(&*file), "{file} is not in {listed}");
        }
    }
}
