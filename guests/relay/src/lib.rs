//! A guest between two others: it exports an Executor that starts children through the relay's own host, and
//! so one level deeper. It serves until its peer ends the link.
//!
//! Its `echo` answers with `Echo: `, the message, a blank and the number of earlier echoes. So a caller sees
//! in which order its calls arrived, whatever the order of the answers.

use std::{
    cell::{Cell, OnceCell},
    process::ExitCode,
    rc::Rc,
};

use peer::peer_capnp::executor;
use wavetank_guest::{link::Link, session::serve_beside};

/// Relays over this link until the link ends.
pub fn relay(link: Link) -> ExitCode {
    let relay = Rc::new(Relay::default());
    let exported: executor::Client = capnp_rpc::new_client_from_rc(relay.clone());
    serve_beside(link, exported.client, move |host| {
        let fresh = relay.host.set(host).is_ok();
        assert!(fresh, "a session takes its peer once");
    })
}

#[derive(Default)]
struct Relay {
    host: OnceCell<executor::Client>,
    echoes: Cell<u32>,
}

impl executor::Server for Relay {
    /// Answers at once with a process that is only promised so far. So calls on that process follow the call
    /// that starts it.
    async fn run_bytes(
        self: Rc<Self>,
        params: executor::RunBytesParams,
        mut results: executor::RunBytesResults,
    ) -> capnp::Result<()> {
        let host = self.host.get().expect("the host is known before the first call");
        let mut request = host.run_bytes_request();
        request.set(params.get()?)?;
        results.get().set_process(request.send().pipeline.get_process());
        Ok(())
    }

    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> capnp::Result<()> {
        let message = params.get()?.get_message()?.to_str()?;
        let before = self.echoes.replace(self.echoes.get() + 1);
        results.get().set_response(format!("Echo: {message} {before}"));
        Ok(())
    }
}
