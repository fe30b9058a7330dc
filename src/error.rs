//! What a caller of the tank can meet and mend.

/// Why something could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are no WebAssembly component.
    #[error("not a component: {reason}")]
    NotComponent {
        /// What the bytes are instead, as far as it can be told.
        reason: String,
    },
    /// The component is one, and larger than the engine's pool has room for.
    #[error("needs more than this host gives: {reason}")]
    TooLarge {
        /// What of it does not fit.
        reason: String,
    },
    /// The component imports what the host does not offer.
    #[error("imports what this host does not offer: {name}")]
    UnknownImport {
        /// The import, with what was wrong about it.
        name: String,
    },
    /// The component exports no `wasi:cli/run`.
    #[error("exports no wasi:cli/run: build it as a command (a binary for wasm32-wasip2), not as a library")]
    NoRun,
    /// The component's `wasi:cli/run` is something else than that.
    #[error("its wasi:cli/run is not `func() -> result`: {reason}")]
    WrongRun {
        /// What is wrong about it.
        reason: String,
    },
    /// A limit was passed.
    #[error("over the limit: {what} (the limit is {limit})")]
    Limit {
        /// What was asked for, with its amount.
        what: String,
        /// The most that is allowed.
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
        /// What wasmtime said.
        #[source]
        source: wasmtime::Error,
    },
}

/// An error's text with its causes, as an exception's reason.
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
