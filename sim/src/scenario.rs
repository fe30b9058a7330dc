//! Scenarios by their names.

use crate::guests;
use crate::world::{World, peer};
use wavetank::cell::Transport;

/// A named function that builds a world.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name: small letters, digits, dashes and underscores.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Whether a correct tank always finishes it. If not, its guest or a library has a fault.
    pub clean: bool,
    /// Whether `wavetank list` names it.
    pub is_listed: bool,
    /// Builds its world.
    pub build: fn(&mut World),
}

/// The scenarios that every command knows.
pub const DEMOS: [Scenario; 3] = [
    Scenario {
        name: "pid0",
        summary: "pid0 boots over stdio and starts child-echo",
        clean: true,
        is_listed: true,
        build: pid0,
    },
    Scenario {
        name: "pid0-streams",
        summary: "the same over a wetware:streams connection",
        clean: true,
        is_listed: true,
        build: pid0_streams,
    },
    Scenario {
        name: "echo",
        summary: "child-echo alone: two concurrent echoes",
        clean: true,
        is_listed: true,
        build: echo,
    },
];

fn pid0(world: &mut World) {
    world.cell("pid0", guests::PID0_STDIO).serve(peer::host(world)).spawn().expect_exit(0).expect_rpc();
}

fn pid0_streams(world: &mut World) {
    let pid0 = world.cell("pid0", guests::PID0).transport(Transport::Connection);
    pid0.serve(peer::host(world)).spawn().expect_exit(0).expect_rpc();
}

fn echo(world: &mut World) {
    let child = world.cell("child-echo", guests::CHILD_ECHO_STDIO).serve(peer::executor(world)).spawn();
    child.expect_exit(0).expect_stderr("CHILD_OK").expect_rpc();
}
