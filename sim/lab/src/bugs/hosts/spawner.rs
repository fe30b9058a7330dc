//! H03 and H04: an Executor of the host's own, and the fate of the child it starts.

use super::{Served, linked_to};
use crate::bugs::Way::{self, Buggy};
use crate::bugs::cells::start;
use crate::bugs::steps;
use crate::guests;
use capnp_rpc::new_client;
use futures::channel::oneshot;
use futures::future::{Either, FutureExt, select};
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use wavetank::schema::peer_capnp::{executor, process};
use wavetank::{ActorId, Tank};
use wavetank_sim::world::World;

/// The caller starts a child and drops its kill channel. Mended: only an order kills the child.
pub(in crate::bugs) fn dropped_process(world: &mut World, way: Way) {
    let vat = world.vat("spawner");
    let spawner = Spawner { tank: world.tank().clone(), vat, way, fault: Fault::DroppedSender };
    let (peer, caller) = linked_to(world, vat, new_client::<executor::Client, _>(spawner).client);
    world.task_of(caller, "caller", async move {
        let peer: executor::Client = peer;
        let started = peer.run_bytes_request().send().promise.await;
        drop(started.expect("a child"));
    });
}

/// The caller cancels the spawn after some steps, or kills the child it was given. Mended: the holder of a cell that is
/// on its way ends the cell when it is dropped.
pub(in crate::bugs) fn cancelled_spawn(world: &mut World, way: Way) {
    let vat = world.vat("spawner");
    let spawner = Spawner { tank: world.tank().clone(), vat, way, fault: Fault::Orphan };
    let (peer, caller) = linked_to(world, vat, new_client::<executor::Client, _>(spawner).client);
    world.task_of(caller, "caller", async move {
        let peer: executor::Client = peer;
        let started = peer.run_bytes_request().send().promise;
        if let Either::Left((started, _)) = select(pin!(started), pin!(steps(6))).await {
            let child = started.expect("a child").get().and_then(|results| results.get_process());
            let killed = child.expect("a child").kill_request().send().promise.await;
            killed.expect("the child is killed");
        }
    });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    DroppedSender,
    Orphan,
}

/// An Executor that always starts the same child.
struct Spawner {
    tank: Tank,
    vat: ActorId,
    way: Way,
    fault: Fault,
}

impl executor::Server for Spawner {
    async fn run_bytes(
        self: Rc<Self>,
        _: executor::RunBytesParams,
        mut results: executor::RunBytesResults,
    ) -> Served {
        let process = match self.fault {
            Fault::DroppedSender => self.start_brief(),
            Fault::Orphan => {
                let (cell, _stdio) = start(&self.tank, self.vat, guests::SERVER, &["child"]);
                let process = Process::Held(Guard { cell, kills: self.way == Way::Mended });
                // The rest of a spawn takes some steps, such as opening logs and announcing the name.
                steps(3).await;
                process
            }
        };
        results.get().set_process(new_client(process));
        Ok(())
    }
}

impl Spawner {
    /// A child that ends by itself, unless a message on its channel ends it first.
    fn start_brief(&self) -> Process {
        let (cell, _stdio) = start(&self.tank, self.vat, guests::CHILD_ECHO, &["child"]);
        let (kill, order) = oneshot::channel::<()>();
        let way = self.way;
        let watch = async move {
            let ordered = order.await;
            if way == Buggy || ordered.is_ok() {
                cell.kill();
            }
            let exit = cell.wait().await.expect("the host outlives its cells");
            assert_eq!(exit.code, if ordered.is_ok() { 137 } else { 0 }, "nobody ordered its end");
        };
        self.tank.spawn("watch", self.vat, watch.boxed_local());
        Process::Channel(Cell::new(Some(kill)))
    }
}

enum Process {
    Channel(Cell<Option<oneshot::Sender<()>>>),
    Held(Guard),
}

/// Holds a cell, and may end the cell when it is dropped.
struct Guard {
    cell: wavetank::cell::Cell,
    kills: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.kills {
            self.cell.kill();
        }
    }
}

impl process::Server for Process {
    async fn kill(self: Rc<Self>, _: process::KillParams, _: process::KillResults) -> Served {
        match &*self {
            Process::Channel(kill) => {
                if let Some(kill) = kill.take() {
                    let _ = kill.send(());
                }
            }
            Process::Held(guard) => guard.cell.kill(),
        }
        Ok(())
    }
}
