//! Schemas of the user's own on the command line, and the pages of known faults.

use crate::common::{folder, wavetank_in};
use std::fs;
use std::path::{Path, PathBuf};
use wavetank_lab::guests;

const REQUEST: &[u8] = include_bytes!("../../../../guests/till/till.cgr");

/// A folder with the till, a guest whose host must have a Shop, and its schema. The host of the command has none, so
/// each run fails.
fn till(name: &str) -> PathBuf {
    let folder = folder(name);
    fs::create_dir_all(folder.join("schema")).expect("a folder for a test");
    fs::write(folder.join("till.wasm"), guests::TILL).expect("a file for a test");
    fs::write(folder.join("schema/till.cgr"), REQUEST).expect("a file for a test");
    folder
}

fn fails(folder: &Path, args: &[&str]) -> String {
    let (code, out, err) = wavetank_in(folder, args);
    assert_eq!(code, 1, "{args:?}: {out}{err}");
    out
}

#[test]
fn a_schema_names_calls_and_goes_with_the_replay() {
    let folder = till("schema-names");
    for schema in ["schema/till.cgr", "schema"] {
        let report = fails(&folder, &["run", "till.wasm", "--schema", schema, "--seed", "3"]);
        assert!(report.contains("Shop.closed") && !report.contains("@0x"), "{report}");
        assert!(report.contains(&format!(" --schema {schema} --wasm till.wasm")), "{report}");
    }
    let kept = fs::read_dir(folder.join("wavetank-failures")).expect("it was saved");
    let kept: Vec<PathBuf> = kept.map(|file| file.expect("a file").path()).collect();
    let replayed = fails(&folder, &["replay", &kept[0].to_string_lossy()]);
    assert!(replayed.contains("Shop.closed") && !replayed.contains("@0x"), "{replayed}");
    let sweep = fails(&folder, &["run", "till.wasm", "--schema", "schema", "--seeds", "0..20", "--no-keep"]);
    assert!(sweep.contains("Shop.closed") && !sweep.contains("@0x"), "{sweep}");
}

#[test]
fn without_a_schema_the_report_says_how_to_name_calls() {
    let report = fails(&till("schema-none"), &["run", "till.wasm", "--seed", "3", "--no-keep"]);
    assert!(report.contains("no schema names @0x") && report.contains("--schema FILE.cgr"), "{report}");
}

#[test]
fn what_is_no_schema_is_refused_with_a_hint() {
    let folder = till("schema-wrong");
    fs::write(folder.join("shop.capnp"), "@0xd2c1f0a86b7e4935;").expect("a file for a test");
    for (schema, hint) in [
        ("shop.capnp", "make a request of it with `capnp compile -o- shop.capnp > shop.cgr`"),
        ("nowhere.cgr", "nowhere.cgr: "),
        (".", "it holds no .cgr file"),
        ("till.wasm", "no CodeGeneratorRequest"),
    ] {
        for args in [&["run", "till.wasm", "--schema", schema][..], &["schema", schema]] {
            let (code, out, err) = wavetank_in(&folder, args);
            assert_eq!((code, &*out), (2, ""), "{args:?}: {err}");
            assert!(err.contains(hint), "{args:?}: {err}");
        }
    }
}

#[test]
fn a_schema_is_listed() {
    let (code, out, _) = wavetank_in(&till("schema-list"), &["schema", "schema"]);
    assert_eq!(code, 0);
    assert!(out.contains("interface Shop\n  price @0 (item :Text) -> (cents :UInt32)\n"), "{out}");
}

#[test]
fn known_faults_are_told() {
    let folder = folder("known");
    let (code, list, _) = wavetank_in(&folder, &["known"]);
    assert!(code == 0 && list.lines().count() > 10 && list.starts_with("K1 "), "{list}");
    let (code, page, _) = wavetank_in(&folder, &["known", "k6"]);
    assert!(code == 0 && page.starts_with("## K6: ") && !page.contains("## K7"), "{page}");
    let (code, _, err) = wavetank_in(&folder, &["known", "K99"]);
    assert!(code == 2 && err.contains("there is no known fault \"K99\""), "{err}");
}
