//! How hostile guests, peers and files are handled: docs/src/reference/hostile.md, one test for each line.
//!
//! The tests of the command (flags and files that it reads) are in sim/lab/tests/command/hostile.rs.

mod cells;
mod components;
mod peers;

use capnp::message::{Builder, HeapAllocator};
use capnp::serialize;
use capnp::traits::{HasTypeId, ImbueMut};
use capnp_rpc::rpc_capnp::message;
use futures::future::{Either, select};
use std::collections::BTreeSet;
use std::fs;
use std::rc::Rc;
use wavetank::cell::{Cause, ExitRecord};
use wavetank::guard::{MAX_CAPS, MAX_FRAMES};
use wavetank::schema::peer_capnp::executor;
use wavetank::stdio::KEPT_BYTES;
use wavetank::{Event, PipeReader, PipeWriter, RawLink, TrapClass};
use wavetank_lab::guests;
use wavetank_sim::oracle::{Blame, Oracle};
use wavetank_sim::world::CellHandle;
use wavetank_sim::{Limits, Outcome, Run, Setup, Transport, World, peer, run};
use wavetank_tests::{in_repository, round_robin, setup};

const MIB: u64 = 1024 * 1024;

fn exit_of(run: &Run) -> &ExitRecord {
    run.cells[0].1.as_ref().expect("it has ended")
}

/// The error that the link ended with.
fn link_end(run: &Run) -> Option<&str> {
    run.transcript.events.iter().find_map(|event| match event {
        Event::LinkEnded { error: Some(error), .. } => Some(&**error),
        _ => None,
    })
}

/// The names of the tests in a source file.
fn tests_in(file: &str) -> BTreeSet<String> {
    let source = fs::read_to_string(in_repository(file)).expect("a source file");
    let mut lines = source.lines();
    let mut tests = BTreeSet::new();
    while let Some(line) = lines.next() {
        if line.trim() == "#[test]" {
            let name =
                lines.find_map(|line| line.strip_prefix("fn ")).and_then(|line| line.split('(').next());
            tests.insert(name.expect("a test is a function").to_string());
        }
    }
    tests
}

#[test]
fn every_line_of_the_table_is_a_test_and_every_test_a_line() {
    let table = fs::read_to_string(in_repository("docs/src/reference/hostile.md"));
    let table = table.expect("the table");
    let mut told = BTreeSet::new();
    for line in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", who, tries, gets, bound, test, ""] = cells[..] else { panic!("five cells: {line}") };
        if who == "who" {
            continue;
        }
        assert!([who, tries, gets, bound, test].iter().all(|cell| !cell.is_empty()), "{line}");
        for test in test.split(", ") {
            assert!(told.insert(test.trim_matches('`').to_string()), "{test} stands there twice");
        }
    }
    let files = ["cells", "components", "peers"].map(|of| format!("tests/it/hostile/{of}.rs"));
    let files = files.iter().map(String::as_str).chain(["sim/lab/tests/command/hostile.rs"]);
    let tests: BTreeSet<String> = files.flat_map(tests_in).collect();
    assert_eq!(told, tests);
}
