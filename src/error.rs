//! The errors that a caller of the tank can meet and fix.

/// Why something could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a WebAssembly component.
    #[error("not a component: {reason}")]
    NotComponent {
        /// A description of the bytes, or the message of the engine that refused them.
        reason: String,
    },
    /// It is a component, but it does not fit into the engine's pool.
    #[error("needs more than this host gives: {reason}")]
    TooLarge {
        /// The part that does not fit.
        reason: String,
    },
    /// The component imports something that the host does not offer.
    #[error("imports what this host does not offer: {name}")]
    UnknownImport {
        /// The import, and the problem with it.
        name: String,
    },
    /// The component exports no `wasi:cli/run`.
    #[error("exports no wasi:cli/run: build it as a command (a binary for wasm32-wasip2), not as a library")]
    NoRun,
    /// The component's `wasi:cli/run` has another type.
    #[error("its wasi:cli/run is not `func() -> result`: {reason}")]
    WrongRun {
        /// The problem with it.
        reason: String,
    },
    /// A limit was exceeded.
    #[error("over the limit: {what} (the limit is {limit})")]
    Limit {
        /// The request, with its amount.
        what: String,
        /// The largest amount that is allowed.
        limit: u64,
    },
    /// The cell that this executor belongs to has ended.
    #[error("the cell that this executor belongs to has ended: {name}")]
    Ended {
        /// That cell's name.
        name: String,
    },
    /// The WebAssembly engine could not be set up.
    #[error("the WebAssembly engine could not be set up")]
    Engine {
        /// Wasmtime's error.
        #[source]
        source: wasmtime::Error,
    },
}

/// Turns an error, with its causes, into the reason of an exception.
pub(crate) fn exception(error: &Error) -> capnp::Error {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    capnp::Error::failed(text)
}
