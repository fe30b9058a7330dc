//! The built-in scenarios, written with the same API that users have.

use crate::guests;
use crate::world::{World, peer};
use wavetank::cell::Transport;

/// A named function that builds a world.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name: small letters, digits and dashes.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Whether a correct tank always finishes it; otherwise its guest commits a fault.
    pub clean: bool,
    /// Builds its world.
    pub build: fn(&mut World),
}

/// All of them.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "pid0",
        summary: "pid0 boots over stdio and starts child-echo",
        clean: true,
        build: pid0,
    },
    Scenario {
        name: "pid0-streams",
        summary: "the same over a wetware:streams connection",
        clean: true,
        build: pid0_streams,
    },
    Scenario { name: "echo", summary: "child-echo alone: two concurrent echoes", clean: true, build: echo },
    Scenario { name: "chain", summary: "each guest starts the next, eight deep", clean: true, build: chain },
    Scenario {
        name: "fault-handle",
        summary: "faulty guest: a handle passed as a plain number",
        clean: false,
        build: |world| fault(world, "fault-handle", guests::FAULT_HANDLE),
    },
    Scenario {
        name: "fault-overwrite",
        summary: "faulty guest: writes more than check-write granted",
        clean: false,
        build: |world| fault(world, "fault-overwrite", guests::FAULT_OVERWRITE),
    },
    Scenario {
        name: "fault-drop",
        summary: "faulty guest: drops a stream before its pollable",
        clean: false,
        build: |world| fault(world, "fault-drop", guests::FAULT_DROP),
    },
    Scenario {
        name: "fault-spin",
        summary: "faulty guest: asks in a loop instead of blocking in poll",
        clean: false,
        build: |world| fault(world, "fault-spin", guests::FAULT_SPIN),
    },
];

/// The scenario of a name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

fn pid0(world: &mut World) {
    world.cell("pid0", guests::PID0).serve(peer::host(world)).spawn().expect_exit(0);
}

fn pid0_streams(world: &mut World) {
    let pid0 = world.cell("pid0", guests::PID0).transport(Transport::Connection);
    pid0.serve(peer::host(world)).spawn().expect_exit(0);
}

fn echo(world: &mut World) {
    let child = world.cell("child-echo", guests::CHILD_ECHO).serve(peer::executor(world)).spawn();
    child.expect_exit(0).expect_stderr("CHILD_OK");
}

/// Links that the first one starts, itself included.
const CHAIN_DEPTH: u32 = 8;

fn chain(world: &mut World) {
    let left = CHAIN_DEPTH - 1;
    let chain = world
        .cell("chain", guests::CHAIN)
        .args([left.to_string(), "root".into()])
        .stdin(guests::CHAIN)
        .transport(Transport::Connection)
        .serve(peer::host(world))
        .spawn();
    chain.expect_exit(0).expect_stdout("link 7 ok");
}

fn fault(world: &mut World, name: &str, wasm: &[u8]) {
    world.cell(name, wasm).serve(peer::executor(world)).spawn().expect_exit(0);
}
