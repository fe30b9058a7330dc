//! Scenarios that no outcome can end, because control never returns from them: a capability of the host that never
//! returns, and one that ends the process. A sweep reports them as `hung` and `aborted`. Only one seed in two shows the
//! fault, so that a sweep has other worlds to go on with.

use crate::guests;
use std::rc::Rc;
use wavetank::schema::peer_capnp::executor;
use wavetank_sim::world::World;

/// An executor whose `echo` first calls a function.
struct Server(fn());

impl executor::Server for Server {
    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> Result<(), capnp::Error> {
        (self.0)();
        let message = params.get()?.get_message()?.to_str()?;
        results.get().set_response(format!("Echo: {message}"));
        Ok(())
    }
}

pub(super) fn hang(world: &mut World) {
    echo(world, || {
        loop {
            std::hint::spin_loop();
        }
    });
}

pub(super) fn abort(world: &mut World) {
    echo(world, || std::process::abort());
}

fn echo(world: &mut World, first: fn()) {
    let first = if world.draw(2) == 1 { first } else { || () };
    let served = capnp_rpc::new_client::<executor::Client, _>(Server(first));
    let child = world.cell("child-echo", guests::CHILD_ECHO_STDIO).serve(served.client).spawn();
    child.expect_exit(0).expect_stderr("CHILD_OK");
}
