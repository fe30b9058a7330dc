//! Cases whose fault is in a guest: the inputs of each guest, and the result it must have.

use super::{Way, steps, task};
use crate::guests;
use capnp_rpc::new_client;
use std::rc::Rc;
use wavetank::cell::Stdio;
use wavetank::cell::{Cell, CellSpec};
use wavetank::pipe::{Ending, HalfBreak};
use wavetank::schema::peer_capnp::executor;
use wavetank::{ActorId, Clock, End, Tank};
use wavetank_sim::world::{Bootstrap, CellBuilder, World, peer};
use wavetank_sim::{Limits, Transport};

const SECOND_NS: u64 = 1_000_000_000;

// ---- the cases of guests/bugs

/// Fuel limit for guests that may burn all of it; a mended guest takes a hundredth.
const LITTLE_FUEL: u64 = 200_000_000;

pub(super) fn permit(world: &mut World, way: Way) {
    cell(world, way, "g02").spawn().expect_exit(0);
}

pub(super) fn echoes(world: &mut World, way: Way, case: &str) {
    cell(world, way, case).spawn().expect_exit(0);
}

/// A case without any RPC.
pub(super) fn timers(world: &mut World, way: Way) {
    cell(world, way, "g03-timers").spawn().expect_exit(0);
}

/// The child fails, so its parent must fail too.
pub(super) fn failing_child(world: &mut World, way: Way) {
    let guest = cell(world, way, "g20").stdin(guests::BUGS).spawn();
    // The faulty guest exits with 0; finding that is left to an oracle.
    if way == Way::Mended {
        guest.expect_exit(1);
    }
}

pub(super) fn many_children(world: &mut World, way: Way) {
    cell(world, way, "g21").stdin(guests::CHILD_TINY).spawn().expect_exit(0);
}

/// Some call fails if the world is damaged.
pub(super) fn failing_link(world: &mut World, way: Way) {
    world.invite_damage();
    cell(world, way, "g22").spawn().expect_exit(0);
}

/// Three calls, each of which depends on the one before.
pub(super) fn few_echoes(world: &mut World, way: Way, id: &str, case: &str) {
    let cell = world.cell(id, guests::BUGS).args([case, word(way), "3"]);
    cell.transport(Transport::Connection).serve(peer::executor(world)).spawn().expect_exit(0);
}

/// Writes of the guest to its link fail from the start. Some time later the rest of the link breaks. The guest must
/// report that it failed.
pub(super) fn half_broken_link(world: &mut World, way: Way) {
    let half = HalfBreak { end: End::Writer, ending: Ending::Reset };
    let seconds = 1 + u64::from(world.draw(4));
    let mut guest = cell(world, way, "g16").keep_stdin().spawn();
    guest.expect_exit(1);
    let stdin = guest.stdin().expect("stdin is the guest's own");
    let link = guest.cell().link().expect("a started cell has its link");
    let (shared, clock) = (world.tank().shared().clone(), world.clock());
    shared.half_break(link.up(), half);
    world.task("test", async move {
        let _ = stdin.write(b"abc".to_vec().into()).await;
        stdin.close();
        clock.sleep(seconds * SECOND_NS).await;
        shared.reset(link.up());
        shared.reset(link.down());
    });
}

/// The link breaks after half a minute. The guest must report that it failed.
pub(super) fn heartbeat(world: &mut World, way: Way) {
    let guest = cell(world, way, "g17").spawn();
    guest.expect_exit(1);
    let link = guest.cell().link().expect("a started cell has its link");
    let (shared, clock) = (world.tank().shared().clone(), world.clock());
    world.task("test", async move {
        clock.sleep(30 * SECOND_NS).await;
        shared.reset(link.up());
        shared.reset(link.down());
    });
}

/// The answer takes a second.
pub(super) fn late_answer(world: &mut World, way: Way) {
    let late: executor::Client = new_client(Late(world.clock()));
    cell(world, way, "g07").stdin(b"hello").serve(late.client).spawn().expect_exit(0);
}

/// The link breaks; stdin stays for another second.
pub(super) fn dead_link(world: &mut World, way: Way) {
    let mut guest = cell(world, way, "g08").keep_stdin().spawn();
    guest.expect_exit(0);
    let stdin = guest.stdin().expect("stdin is the guest's own");
    let (shared, clock) = (world.tank().shared().clone(), world.clock());
    let up = guest.cell().link().expect("a started cell has its link").up();
    world.task("test", async move {
        let _ = stdin.write(b"abc".to_vec().into()).await;
        shared.reset(up);
        clock.sleep(SECOND_NS).await;
        stdin.close();
    });
}

pub(super) fn loud_child(world: &mut World, way: Way) {
    cell(world, way, "g09").stdin(guests::BUGS).spawn().expect_exit(0);
}

/// The guest counts its stdin. The launcher drops the far ends after some steps, and the writer holds only a weak
/// reference to its end. Mended: the writer holds a strong reference.
pub(super) fn dropped_stdio(world: &mut World, way: Way) {
    let guest = world.cell("g10", guests::BUGS).args(["g11", "mended"]).transport(Transport::Connection);
    let mut guest = guest.keep_stdin().serve(peer::executor(world)).spawn();
    guest.expect_exit(0).expect_stdout("3 bytes");
    let stdin = guest.stdin().expect("stdin is the guest's own");
    let held = (way == Way::Mended).then(|| stdin.clone());
    let far_end = Rc::downgrade(&stdin);
    task(world, "writer", async move {
        steps(2).await;
        if let Some(stdin) = far_end.upgrade() {
            stdin.write(b"abc".to_vec().into()).await.expect("the guest reads");
        }
        drop(held);
    });
    task(world, "launcher", async move {
        steps(3).await;
        drop(stdin);
    });
}

pub(super) fn counted_stdin(world: &mut World, way: Way, case: &str) {
    cell(world, way, case).stdin(&[b'.'; 10_000]).spawn().expect_exit(0).expect_stdout("10000 bytes");
}

/// The host closes stdin only after the guest has answered its call.
pub(super) fn quiet_stdin(world: &mut World, way: Way) {
    let mut guest = cell(world, way, "g12").keep_stdin().spawn();
    guest.expect_exit(0);
    let stdin = guest.stdin().expect("stdin is the guest's own");
    let exported: executor::Client = guest.exported();
    world.task("test", async move {
        let mut request = exported.echo_request();
        request.get().set_message("hello");
        let answer = request.send().promise;
        stdin.write(b"abc".to_vec().into()).await.expect("the guest reads");
        answer.await.expect("the guest serves until its stdin ends");
        stdin.close();
    });
}

/// The length of the line is drawn: two of the six lengths are too long.
pub(super) fn log_line(world: &mut World, way: Way) {
    let lengths = [80, 4000, 4095, 4096, 4097, 20_000];
    let length = lengths[world.draw(lengths.len() as u32) as usize];
    cell(world, way, "g13").args([length.to_string()]).spawn().expect_exit(0).expect_stderr("log ...");
}

pub(super) fn failing_call(world: &mut World, way: Way) {
    cell(world, way, "g14").spawn().expect_exit(1);
}

pub(super) fn prints(world: &mut World, way: Way, case: &str) {
    cell(world, way, case).spawn().expect_exit(0).expect_stdout("body");
}

/// The guest's stdin comes in pieces, with steps of other tasks between them.
pub(super) fn pieces_of_stdin(world: &mut World, way: Way) {
    let mut guest = cell(world, way, "g26").keep_stdin().spawn();
    guest.expect_exit(0).expect_stdout("100 bytes");
    let stdin = guest.stdin().expect("stdin is the guest's own");
    task(world, "writer", async move {
        for _ in 0..20 {
            steps(10).await;
            // The buggy guest leaves early.
            let _ = stdin.write(b"piece".to_vec().into()).await;
        }
        stdin.close();
    });
}

/// A guest that waits by polling in a loop; the way decides whether the awaited thing ever comes.
pub(super) fn waits(world: &mut World, way: Way, case: &str) {
    cell(world, way, case).spawn().expect_exit(0).expect_stdout("it came");
}

/// Mended: the bytes come after ten milliseconds.
pub(super) fn waits_for_bytes(world: &mut World, way: Way) {
    let mut guest = cell(world, way, "wait-bytes").keep_stdin().spawn();
    guest.expect_exit(0).expect_stdout("it came");
    let stdin = guest.stdin().expect("stdin is the guest's own");
    let clock = world.clock();
    let exit = guest.cell().clone();
    world.task("writer", async move {
        if way == Way::Mended {
            clock.sleep(SECOND_NS / 100).await;
            // In a damaged world the guest's stdin may be gone.
            let _ = stdin.write(b"it".to_vec().into()).await;
        }
        exit.wait().await;
    });
}

pub(super) fn framed_stdin(world: &mut World, way: Way) {
    let sizes = [5_usize, 1000, 1, 3000, 251];
    let frame = |size: &usize| {
        let body = (0..251_u8).cycle().take(*size);
        (*size as u64).to_le_bytes().into_iter().chain(body).collect::<Vec<u8>>()
    };
    let bytes: Vec<u8> = sizes.iter().flat_map(frame).collect();
    cell(world, way, "g15").stdin(&bytes).spawn().expect_exit(0).expect_stdout("5 frames");
}

pub(super) fn computation(world: &mut World, way: Way) {
    let limits = Limits { fuel: LITTLE_FUEL, ..Limits::default() };
    cell(world, way, "hot").limits(limits).spawn().expect_exit(0);
}

fn cell<'w>(world: &'w World, way: Way, case: &str) -> CellBuilder<'w> {
    let cell = world.cell(case, guests::BUGS).args([case, word(way)]);
    cell.transport(Transport::Connection).serve(peer::executor(world))
}

fn word(way: Way) -> &'static str {
    match way {
        Way::Buggy => "buggy",
        Way::Mended => "mended",
    }
}

// ---- the cases of guests/faults; their mended twins are guests that do a similar job correctly

pub(super) fn fault_handle(world: &mut World, way: Way) {
    match way {
        Way::Buggy => spawn_fault(world, "fault-handle", guests::FAULT_HANDLE),
        Way::Mended => counted_stdin(world, way, "g11"),
    }
}

pub(super) fn fault_overwrite(world: &mut World, way: Way) {
    match way {
        Way::Buggy => spawn_fault(world, "fault-overwrite", guests::FAULT_OVERWRITE),
        Way::Mended => permit(world, way),
    }
}

pub(super) fn fault_drop(world: &mut World, way: Way) {
    match way {
        Way::Buggy => spawn_fault(world, "fault-drop", guests::FAULT_DROP),
        Way::Mended => counted_stdin(world, way, "g11"),
    }
}

pub(super) fn fault_spin(world: &mut World, way: Way) {
    match way {
        Way::Buggy => spawn_fault(world, "fault-spin", guests::FAULT_SPIN),
        Way::Mended => spawn_fault(world, "child-echo", guests::CHILD_ECHO_STDIO),
    }
}

fn spawn_fault(world: &World, name: &str, wasm: &[u8]) {
    let executor: Bootstrap = peer::executor(world);
    world.cell(name, wasm).serve(executor).spawn().expect_exit(0);
}

/// Starts a cell next to those of the scenario, over a connection; the first argument is its name.
pub(super) fn start(tank: &Tank, vat: ActorId, wasm: &[u8], args: &[&str]) -> (Cell, Stdio) {
    let spec = CellSpec {
        guest: tank.engine().guest(wasm).expect("a built guest"),
        name: args[0].into(),
        args: args.iter().map(|arg| arg.to_string()).collect(),
        env: Vec::new(),
        transport: Some(Transport::Connection),
        limits: Limits::default(),
        capacity_bytes: wavetank::pipe::DEFAULT_CAPACITY_BYTES,
        detached: false,
        vat,
    };
    tank.start(spec, None, |cell| wavetank::peer::executor(tank, cell)).expect("room for a cell")
}

/// An Executor that answers late.
struct Late(Clock);

impl executor::Server for Late {
    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> Result<(), capnp::Error> {
        self.0.sleep(SECOND_NS).await;
        let message = params.get()?.get_message()?.to_str()?;
        results.get().set_response(format!("Echo: {message}"));
        Ok(())
    }
}
