//! Where the RPC link is: over a connection of the guest's own, or over its stdin and stdout.
//!
//! The guest says which one by what it calls. A guest that only ever calls [`Link::over_stdio`] does not import
//! `wetware:streams`: the linker drops bindings that nothing calls. The host decides by that import.

use wasip2::{
    cli::{stdin::get_stdin, stdout::get_stdout},
    io::streams::{InputStream, OutputStream},
};

mod bindings {
    #![allow(missing_docs, unsafe_op_in_unsafe_fn)]
    wit_bindgen::generate!({
        path: "../../wit",
        world: "wetware:streams/guest",
        with: {
            "wasi:io/error@0.2.9": wasip2::io::error,
            "wasi:io/poll@0.2.9": wasip2::io::poll,
            "wasi:io/streams@0.2.9": wasip2::io::streams,
        },
    });
}

pub use bindings::wetware::streams::streams::{Connection, create_connection};

/// The two streams of a guest's link, and what they are.
pub struct Link {
    /// What the peer sends.
    pub input: InputStream,
    /// What goes to the peer.
    pub output: OutputStream,
    /// Whether the link has streams of its own, so that stdin and stdout are the guest's.
    pub leaves_stdio: bool,
}

impl Link {
    /// Opens the guest's connection. Once in a guest.
    ///
    /// Traps if it is called a second time, and if the host runs the guest's RPC over stdio.
    pub fn over_connection() -> Self {
        let connection = create_connection();
        Self {
            input: connection.get_input_stream(),
            output: connection.get_output_stream(),
            leaves_stdio: true,
        }
    }

    /// Takes stdin and stdout for the link.
    pub fn over_stdio() -> Self {
        Self { input: get_stdin(), output: get_stdout(), leaves_stdio: false }
    }
}
