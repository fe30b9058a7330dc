//! Where the RPC link is: over a connection of the guest's own where the host offers one, else over stdio.

use wasip2::{
    cli::{stdin::get_stdin, stdout::get_stdout},
    io::streams::{InputStream, OutputStream},
};

use crate::Result;

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

pub use bindings::wetware::streams::streams::{Connection, ConnectionError, create_connection};

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
    /// Opens the guest's link. Once a guest: a connection is handed out once.
    ///
    /// # Errors
    ///
    /// [`Error::Connection`](crate::Error::Connection) when it was opened before.
    pub fn open() -> Result<Self> {
        match create_connection() {
            Ok(connection) => Ok(Self {
                input: connection.get_input_stream()?,
                output: connection.get_output_stream()?,
                leaves_stdio: true,
            }),
            Err(ConnectionError::NotOffered) => {
                Ok(Self { input: get_stdin(), output: get_stdout(), leaves_stdio: false })
            }
            Err(error) => Err(error.into()),
        }
    }
}
