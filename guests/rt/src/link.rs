//! The transport of the RPC link: a connection of the guest's own, or the guest's stdin and stdout.
//!
//! The guest chooses by the function that it calls. The linker drops bindings that nothing calls. So a guest that calls
//! only [`Link::over_stdio`] does not import `wetware:streams`. The host looks at that import to choose the transport.

use wasip2::{
    cli::{stdin::get_stdin, stdout::get_stdout},
    io::streams::{InputStream, OutputStream},
};

mod bindings {
    #![allow(missing_docs, unsafe_op_in_unsafe_fn)]
    wit_bindgen::generate!({
        path: "wit",
        world: "wetware:streams/guest",
        with: {
            "wasi:io/error@0.2.9": wasip2::io::error,
            "wasi:io/poll@0.2.9": wasip2::io::poll,
            "wasi:io/streams@0.2.9": wasip2::io::streams,
        },
    });
}

pub use bindings::wetware::streams::streams::{Connection, create_connection};

/// The two streams of a guest's link.
pub struct Link {
    /// The bytes that the host sends.
    pub input: InputStream,
    /// The bytes that go to the host.
    pub output: OutputStream,
    /// Whether the link has streams of its own, so that stdin and stdout are free for the guest.
    pub leaves_stdio: bool,
}

impl Link {
    /// Opens the guest's connection. A guest can do that once: a second call traps. It also traps if the host runs the
    /// guest's RPC over stdio.
    pub fn over_connection() -> Self {
        let connection = create_connection();
        Self {
            input: connection.get_input_stream(),
            output: connection.get_output_stream(),
            leaves_stdio: true,
        }
    }

    /// Uses stdin and stdout for the link.
    pub fn over_stdio() -> Self {
        Self { input: get_stdin(), output: get_stdout(), leaves_stdio: false }
    }
}
