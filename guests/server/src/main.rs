//! A guest that serves: it exports an Executor that can only echo, until its peer ends the link.

use std::{process::ExitCode, rc::Rc};

use peer::peer_capnp::executor;
use wavetank_guest::serve;

fn main() -> ExitCode {
    let executor: executor::Client = capnp_rpc::new_client(Echo);
    serve(executor.client)
}

struct Echo;

// `runBytes` keeps its generated default: an exception of the kind "unimplemented".
impl executor::Server for Echo {
    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> capnp::Result<()> {
        let message = params.get()?.get_message()?.to_str()?;
        results.get().set_response(format!("Echo: {message}"));
        Ok(())
    }
}
