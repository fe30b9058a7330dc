//! If the host names an interface and a version, it serves all its types: for each version of WASI 0.2, a component
//! starts that imports every function of every interface that the host offers.
//!
//! `tests/offered` makes the two components from the texts of `wit/`. The other versions are the same components with
//! another number, because WASI 0.2 only ever added functions, and since 0.2.9 only `exit-with-code`.

use wavetank::cell::Transport;
use wavetank_sim::World;
use wavetank_tests::{engine, finished, setup};

const AT_9: &[u8] = include_bytes!("offered/everything-0.2.9.wasm");
const AT_12: &[u8] = include_bytes!("offered/everything-0.2.12.wasm");

/// A component in which one version is changed, in all its names, to another version with as many digits.
fn renumbered(wasm: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut wasm = wasm.to_vec();
    for at in 0..wasm.len() - from.len() {
        if wasm[at..].starts_with(from.as_bytes()) {
            wasm[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    wasm
}

#[track_caller]
fn runs(component: &[u8], version: &str) {
    let guest = engine().guest(component).unwrap_or_else(|e| panic!("{version}: {e}"));
    assert_eq!(guest.transport(), Transport::Connection, "{version}");
    let build = |world: &mut World| {
        world.cell("everything", component).spawn().expect_exit(0);
    };
    finished(build, &setup(0));
}

#[test]
fn a_component_that_imports_every_function_runs_at_every_version() {
    for patch in 0..=9 {
        let version = format!("@0.2.{patch}");
        runs(&renumbered(AT_9, "@0.2.9", &version), &version);
    }
    for patch in 10..=12 {
        let version = format!("@0.2.{patch}");
        runs(&renumbered(AT_12, "@0.2.12", &version), &version);
    }
}

#[test]
fn the_components_import_everything_that_is_offered() {
    let texts = [
        include_str!("../../wit/deps/io-0.2.12.wit"),
        include_str!("../../wit/deps/cli-0.2.12.wit"),
        include_str!("../../wit/deps/clocks-0.2.12.wit"),
        include_str!("../../wit/deps/random-0.2.12.wit"),
        include_str!("../../wit/deps/filesystem-0.2.12.wit"),
        include_str!("../../wit/streams.wit"),
    ];
    let mut names = 0;
    for line in texts.iter().flat_map(|text| text.lines()) {
        let Some((name, _)) = line.trim().split_once(": func(") else { continue };
        let is_there = AT_12.windows(name.len()).any(|window| window == name.as_bytes());
        // The only interface behind a feature gate, which no version has yet.
        assert!(is_there || ["display", "utc-offset"].contains(&name), "{name}");
        names += 1;
    }
    assert!(names > 70, "{names}");
}
