//! Scenarios that each show one known fault of a library (docs/src/reference/known-faults.md), as short as possible.
//!
//! No guest is needed: a link joins two vats, `asker` and `giver`.

use capnp::capability::{Client, FromClientHook, get_resolved_cap};
use capnp::message::ReaderOptions;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, twoparty};
use std::rc::Rc;
use wavetank::ActorId;
use wavetank::schema::peer_capnp::executor;
use wavetank_sim::world::World;

/// An executor that gives out processes without an owner, and may fill in its results twice.
struct Giver {
    twice: bool,
}

impl executor::Server for Giver {
    async fn run_bytes(
        self: Rc<Self>,
        _: executor::RunBytesParams,
        mut results: executor::RunBytesResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_process(giver(false).cast_to());
        if self.twice {
            // It changes its mind and gives no process after all.
            let mut none = capnp::message::Builder::new_default();
            none.init_root::<executor::run_bytes_results::Builder<'_>>();
            results.set(none.get_root_as_reader()?)?;
        }
        Ok(())
    }

    async fn echo(
        self: Rc<Self>,
        _: executor::EchoParams,
        _: executor::EchoResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}

fn giver(twice: bool) -> Client {
    capnp_rpc::new_client::<executor::Client, _>(Giver { twice }).client
}

/// The asker, and its client of the giver, which is a promise at first.
fn asker(world: &World, twice: bool) -> (ActorId, executor::Client) {
    let (asker, giving) = (world.vat("asker"), world.vat("giver"));
    let [client, _] = world.join("asker and giver", [(asker, giver(false)), (giving, giver(twice))]);
    (asker, executor::Client { client })
}

/// A server that fills in its results again although they already hold a capability.
pub(super) fn overwrite(world: &mut World) {
    let (asker, giver) = asker(world, true);
    world.task_of(asker, "asker", async move {
        let _ = giver.run_bytes_request().send().promise.await;
    });
}

/// A client that waits until a bootstrap capability is resolved.
pub(super) fn resolve(world: &mut World) {
    let (asker, giver) = asker(world, false);
    world.task_of(asker, "get_resolved_cap of a bootstrap capability", async move {
        get_resolved_cap(giver).await;
    });
}

/// A client that asks late whether a promised capability has resolved. It keeps the pipeline all the while.
pub(super) fn resolved(world: &mut World) {
    let (asker, giver) = asker(world, false);
    world.task_of(asker, "when_resolved of a capability that has resolved", async move {
        // The first answer shows that the link is up; then calls go straight to it.
        let _ = giver.echo_request().send().promise.await;
        let direct = giver.as_client_hook().get_resolved().expect("an answer came over the link");
        let sent = executor::Client::new(direct).run_bytes_request().send();
        let process = sent.pipeline.get_process();
        sent.promise.await.expect("a process");
        assert!(process.as_client_hook().get_resolved().is_some(), "it has resolved");
        let _ = process.as_client_hook().when_resolved().await;
        drop(sent.pipeline);
    });
}

/// A call over an RPC system that was dropped without a disconnect before.
pub(super) fn dropped(world: &mut World) {
    let asker = world.vat("asker");
    let (input, output) = (futures::io::empty(), futures::io::sink());
    let network = twoparty::VatNetwork::new(input, output, Side::Client, ReaderOptions::new());
    let mut system = RpcSystem::new(Box::new(network), None);
    let giver: executor::Client = system.bootstrap(Side::Server);
    drop(system);
    world.task_of(asker, "a call over an RPC system that was dropped", async move {
        let _ = giver.echo_request().send().promise.await;
    });
}
