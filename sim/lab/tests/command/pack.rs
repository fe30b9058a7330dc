//! `wavetank pack`, and the replay of a pack where nothing else is.

use crate::common::{command_in, folder, name, output, wavetank_in};
use std::fs;
use std::path::{Path, PathBuf};
use wavetank_lab::guests;

/// The only file in the folder of saved failures.
fn kept(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder.join("wavetank-failures")).expect("it was saved");
    let files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// Packs the saved failure of a folder; gives the pack, alone in a folder of its own.
fn packed(folder: &Path, args: &[&str]) -> PathBuf {
    let file = kept(folder);
    let (code, out, err) = wavetank_in(folder, &[&["pack", name(&file)], args].concat());
    assert_eq!((code, &*err), (0, ""), "{out}");
    let pack = file.with_extension("tar.zst");
    let pack = folder.join(pack.file_name().expect("a name"));
    assert!(
        out.starts_with(&format!("packed: {}, ", name(pack.file_name().map(Path::new).expect("a name")))),
        "{out}"
    );
    let empty = folder.join("empty");
    fs::create_dir_all(&empty).expect("a folder for a test");
    fs::rename(pack, empty.join("it.tar.zst")).expect("it was written");
    empty
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|file| file.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_pack_replays_in_an_empty_folder_and_always_has_the_same_bytes() {
    let folder = folder("scenario");
    assert_eq!(wavetank_in(&folder, &["run", "fault-drop", "--seed", "3"]).0, 1);
    let empty = packed(&folder, &[]);
    let first = fs::read(empty.join("it.tar.zst")).expect("a pack");
    assert_eq!(fs::read(packed(&folder, &[]).join("it.tar.zst")).expect("a pack"), first);
    let (code, out, err) = wavetank_in(&empty, &["replay", "it.tar.zst"]);
    assert_eq!((code, &*err), (1, ""), "{out}");
    assert!(out.starts_with("it.tar.zst: kept of fault-drop, seed 3: trapped: "), "{out}");
    assert!(out.contains("\nreproduced: "), "{out}");
    assert!(out.ends_with("\nstill fails: trapped: fault-drop, resource has children\n"), "{out}");
    // Nothing is unpacked onto the disk.
    assert_eq!(names(&empty), ["it.tar.zst"]);
    // A pack is known by what it is, whatever its name.
    fs::rename(empty.join("it.tar.zst"), empty.join("attachment")).expect("it is there");
    let (code, out, _) = wavetank_in(&empty, &["replay", "attachment", "--steps"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("  poll fault-drop\n"), "{out}");
    let (code, out, _) = wavetank_in(&empty, &["replay", "attachment", "--until", "0"]);
    assert_eq!(code, 0, "{out}");
    let (code, _, err) = wavetank_in(&empty, &["pack", "attachment"]);
    assert_eq!(code, 2);
    assert!(err.contains("it is a pack already"), "{err}");
}

/// The component, its arguments and the user's schema are inside. The files that the failure names are gone.
#[test]
fn a_component_and_its_schema_go_with_the_pack() {
    let folder = folder("component");
    fs::write(folder.join("till.wasm"), guests::TILL).expect("a file for a test");
    fs::write(folder.join("till.cgr"), include_bytes!("../../../../guests/till/till.cgr"))
        .expect("a file for a test");
    let run = ["run", "./till.wasm", "--schema", "till.cgr", "--seed", "3"];
    assert_eq!(wavetank_in(&folder, &run).0, 1);
    let empty = packed(&folder, &[]);
    for file in ["till.wasm", "till.cgr"] {
        fs::remove_file(folder.join(file)).expect("it is there");
    }
    let (code, out, err) = wavetank_in(&empty, &["replay", "it.tar.zst"]);
    assert_eq!((code, &*err), (1, ""), "{out}");
    assert!(out.contains("Shop.closed") && !out.contains("@0x"), "{out}");
    assert!(out.contains("\nreproduced: ") && out.contains("\nstill fails: "), "{out}");
    for more in [&["--wasm", "till.wasm"][..], &["--schema", "till.cgr"], &["--", "x"]] {
        let (code, out, err) = wavetank_in(&empty, &[&["replay", "it.tar.zst"], more].concat());
        assert_eq!((code, &*out), (2, ""), "{err}");
        assert!(err.contains("a pack holds its component"), "{err}");
    }
}

#[test]
fn what_would_be_another_failure_is_not_packed() {
    let folder = folder("changed");
    fs::write(folder.join("mine.wasm"), guests::FAULT_DROP).expect("a file for a test");
    assert_eq!(wavetank_in(&folder, &["run", "./mine.wasm", "--seed", "3", "--no-shrink"]).0, 1);
    fs::write(folder.join("mine.wasm"), guests::FAULT_HANDLE).expect("a file for a test");
    let file = kept(&folder);
    let (code, out, err) = wavetank_in(&folder, &["pack", name(&file)]);
    assert_eq!((code, &*out), (2, ""), "{err}");
    assert!(err.contains("its guest mine changed since: build that one again"), "{err}");
    // The one that failed is elsewhere by now.
    fs::write(folder.join("old.wasm"), guests::FAULT_DROP).expect("a file for a test");
    let (code, out, err) =
        wavetank_in(&folder, &["pack", name(&file), "--wasm", "old.wasm", "--out", "old.tar.zst"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    let (code, out, _) = wavetank_in(&folder, &["replay", "old.tar.zst"]);
    assert_eq!(code, 1, "{out}");
    for (args, hint) in [
        (&["pack", "nowhere.toml"][..], "nowhere.toml: "),
        (&["pack", "mine.wasm"], "not a failure that wavetank kept"),
        (&["pack", name(&file), "--wasm", "old.wasm", "--out", "no/folder/x"], "--out that can be written"),
    ] {
        let (code, out, err) = wavetank_in(&folder, args);
        assert_eq!((code, &*out), (2, ""), "{err}");
        assert!(err.contains(hint), "{hint}: {err}");
    }
}

/// A pack that does not tell what it is, or is no whole pack. The format's own tests have many more.
#[test]
fn what_is_no_whole_pack_is_refused() {
    let folder = folder("broken");
    assert_eq!(wavetank_in(&folder, &["run", "fault-drop", "--seed", "3", "--no-shrink"]).0, 1);
    let pack = fs::read(packed(&folder, &[]).join("it.tar.zst")).expect("a pack");
    let mut damaged = pack.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for (bytes, hint) in [
        (&b""[..], "it is empty"),
        (b"version = 1\n", "not a pack that `wavetank pack` made"),
        (&pack[..pack.len() - 1], "cut short"),
        (&pack[..pack.len() / 2], "cut short"),
        (&damaged, "damaged"),
    ] {
        fs::write(folder.join("x.tar.zst"), bytes).expect("a file for a test");
        let (code, out, err) = wavetank_in(&folder, &["replay", "x.tar.zst"]);
        assert_eq!((code, &*out), (2, ""), "{hint}: {err}");
        assert!(err.starts_with("wavetank: x.tar.zst: ") && err.contains(hint), "{hint}: {err}");
    }
    let (code, out, err) = wavetank_in(&folder, &["replay", "nowhere.tar.zst"]);
    assert_eq!((code, &*out), (2, ""), "{err}");
    assert!(err.contains("name a pack that `wavetank pack` made"), "{err}");
    fs::create_dir(folder.join("a.tar.zst")).expect("a folder for a test");
    let (code, _, err) = wavetank_in(&folder, &["replay", "a.tar.zst"]);
    assert_eq!(code, 2);
    assert!(err.contains("not a file"), "{err}");
}

/// The output of the pack on stdout is the same file.
#[test]
fn a_pack_goes_to_stdout_too() {
    let folder = folder("stdout");
    assert_eq!(wavetank_in(&folder, &["run", "fault-drop", "--seed", "3", "--no-shrink"]).0, 1);
    let file = kept(&folder);
    let pack = fs::read(packed(&folder, &[]).join("it.tar.zst")).expect("a pack");
    let ran = command_in(&folder).args(["pack", name(&file), "--out", "-"]).output().expect("it runs");
    assert!(ran.status.success());
    assert_eq!(ran.stdout, pack);
    assert!(output(command_in(&folder).args(["pack", name(&file), "--out", "-"])).2.contains("packed: -"));
}
