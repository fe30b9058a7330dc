//! The built-in scenarios, written with the same API that users have.

mod cut;
mod known;

use crate::vats::{Kind, Vats};
use crate::{bugs, guests};
use std::sync::OnceLock;
use wavetank::cell::Transport;
use wavetank_sim::scenario::{DEMOS, Scenario};
use wavetank_sim::world::{CellBuilder, World, peer};

/// The scenarios that are only here, without those of the bug benchmark.
const OWN: &[Scenario] = &[
    Scenario {
        name: "chain",
        summary: "each guest starts the next, eight deep",
        clean: true,
        is_listed: true,
        build: chain,
    },
    Scenario {
        name: "crowd",
        summary: "32 children, all started in one breath",
        clean: true,
        is_listed: true,
        build: crowd,
    },
    Scenario {
        name: "pipeline",
        summary: "calls on promised capabilities, through relays three deep",
        clean: true,
        is_listed: true,
        build: pipeline,
    },
    Scenario {
        name: "backpressure",
        summary: "readers slower than their writers, both ways, 1 byte to 1 MB",
        clean: true,
        is_listed: true,
        build: backpressure,
    },
    Scenario {
        name: "full-duplex",
        summary: "512 KiB to a child and back at the same time",
        clean: true,
        is_listed: true,
        build: full_duplex,
    },
    Scenario {
        name: "cleanup",
        summary: "streams, capabilities and children let go of in every order",
        clean: true,
        is_listed: true,
        build: cleanup,
    },
    Scenario {
        name: "vats",
        summary: "two to four native vats that do at random every legal thing",
        // capnp-rpc 0.27.3 has faults that lawful traffic triggers: docs/src/reference/known-faults.md.
        clean: false,
        is_listed: true,
        build: |world| Vats::new().build(world),
    },
    Scenario {
        name: "vats-2",
        summary: "the same with two vats",
        clean: false,
        is_listed: true,
        build: |world| Vats::new().count(2).build(world),
    },
    Scenario {
        name: "vats-plain",
        summary: "the same with plain calls, capabilities and releases only",
        clean: false,
        is_listed: true,
        build: |world| Vats::new().kinds(&Kind::PLAIN).build(world),
    },
    Scenario {
        name: "vats-ends",
        summary: "the same with ends without a word, and objects that act when they end",
        clean: false,
        is_listed: true,
        build: |world| Vats::new().ends().build(world),
    },
    Scenario {
        name: "fault-handle",
        summary: "faulty guest: a handle passed as a plain number",
        clean: false,
        is_listed: true,
        build: |world| fault(world, "fault-handle", guests::FAULT_HANDLE),
    },
    Scenario {
        name: "fault-overwrite",
        summary: "faulty guest: writes more than check-write granted",
        clean: false,
        is_listed: true,
        build: |world| fault(world, "fault-overwrite", guests::FAULT_OVERWRITE),
    },
    Scenario {
        name: "fault-drop",
        summary: "faulty guest: drops a stream before its pollable",
        clean: false,
        is_listed: true,
        build: |world| fault(world, "fault-drop", guests::FAULT_DROP),
    },
    Scenario {
        name: "fault-spin",
        summary: "faulty guest: asks in a loop instead of blocking in poll",
        clean: false,
        is_listed: true,
        build: |world| fault(world, "fault-spin", guests::FAULT_SPIN),
    },
    Scenario {
        name: "fault-hang",
        summary: "faulty host: a capability that loops for ever inside one poll",
        clean: false,
        is_listed: true,
        build: cut::hang,
    },
    Scenario {
        name: "fault-abort",
        summary: "faulty host: a capability that aborts the process",
        clean: false,
        is_listed: true,
        build: cut::abort,
    },
    Scenario {
        name: "known-overwrite",
        summary: "known fault: results that hold a capability are filled in anew",
        clean: false,
        is_listed: true,
        build: known::overwrite,
    },
    Scenario {
        name: "known-resolve",
        summary: "known fault: a bootstrap capability never says that it has resolved",
        clean: false,
        is_listed: true,
        build: known::resolve,
    },
    Scenario {
        name: "known-resolved",
        summary: "known fault: a capability that has resolved never says so to who asks late",
        clean: false,
        is_listed: true,
        build: known::resolved,
    },
    Scenario {
        name: "known-dropped",
        summary: "known fault: calls over an RPC system that was dropped never end",
        clean: false,
        is_listed: true,
        build: known::dropped,
    },
];

/// All scenarios except those of the bug benchmark: those that every command knows come first.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    DEMOS.iter().chain(OWN)
}

/// The scenario with this name, including those of the [bug benchmark](crate::bugs).
pub fn find(name: &str) -> Option<&'static Scenario> {
    all().chain(of_bugs()).find(|scenario| scenario.name == name)
}

/// The cases of the bug benchmark: each as `bug-ID`, and its mended twin as `bug-ID-mended`.
pub fn of_bugs() -> &'static [Scenario] {
    static OF_BUGS: OnceLock<Vec<Scenario>> = OnceLock::new();
    OF_BUGS.get_or_init(|| bugs::ALL.iter().flat_map(both_ways).collect())
}

fn both_ways(case: &bugs::Case) -> [Scenario; 2] {
    // Leaked once, because names of scenarios live as long as the program.
    let name = |end| -> &'static str { Box::leak(format!("bug-{}{end}", case.id).into_boxed_str()) };
    let buggy =
        Scenario { name: name(""), summary: case.summary, clean: false, is_listed: true, build: case.buggy };
    let mended =
        Scenario { name: name("-mended"), clean: true, is_listed: false, build: case.mended, ..buggy };
    [buggy, mended]
}

/// Number of links in the chain, including the first.
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

fn crowd(world: &mut World) {
    world.cell("crowd", guests::CROWD).serve(peer::host(world)).spawn().expect_exit(0).expect_rpc();
}

fn pipeline(world: &mut World) {
    world.cell("pipeline", guests::PIPELINE).serve(peer::host(world)).spawn().expect_exit(0).expect_rpc();
}

fn backpressure(world: &mut World) {
    connected(world, "backpressure", guests::BACKPRESSURE).spawn().expect_exit(0);
}

fn full_duplex(world: &mut World) {
    connected(world, "full-duplex", guests::FULL_DUPLEX).spawn().expect_exit(0);
}

fn cleanup(world: &mut World) {
    // Some of the things that it drops are children.
    let cleanup = connected(world, "cleanup", guests::CLEANUP).may_leave_children();
    cleanup.stdin(b"abc").spawn().expect_exit(0);
    let leave = connected(world, "leave", guests::CLEANUP).may_leave_children();
    leave.args(["leave"]).spawn().expect_exit(0);
}

/// A first guest over a connection, so that the stdin and stdout of its children are free for bytes.
fn connected<'w>(world: &'w World, name: &str, wasm: &'w [u8]) -> CellBuilder<'w> {
    world.cell(name, wasm).transport(Transport::Connection).serve(peer::host(world))
}

fn fault(world: &mut World, name: &str, wasm: &[u8]) {
    world.cell(name, wasm).serve(peer::executor(world)).spawn().expect_exit(0);
}
