//! The Cap'n Proto schemas: generated code, and the requests it was generated from.

/// The code generator request of `capnp/peer.capnp`: the names of all interfaces, methods and fields, which
/// generated code does not carry at run time.
pub const REQUEST: &[u8] = include_bytes!("../capnp/peer.cgr");

/// The code generated from [`REQUEST`].
#[expect(missing_docs, reason = "generated")]
#[allow(clippy::all, clippy::disallowed_types, reason = "generated")]
pub mod peer_capnp {
    include!(concat!(env!("OUT_DIR"), "/peer_capnp.rs"));
}

/// The code generator request of `capnp/vats.capnp`: the calls between native vats in a simulation.
pub const VATS_REQUEST: &[u8] = include_bytes!("../capnp/vats.cgr");

/// The code generated from [`VATS_REQUEST`].
#[expect(missing_docs, reason = "generated")]
#[allow(clippy::all, clippy::disallowed_types, reason = "generated")]
pub mod vats_capnp {
    include!(concat!(env!("OUT_DIR"), "/vats_capnp.rs"));
}

/// The code generated from `capnp/sink.capnp`: a user's own schema, for tests of streaming calls.
#[doc(hidden)]
#[allow(clippy::all, clippy::disallowed_types, reason = "generated")]
pub mod sink_capnp {
    include!(concat!(env!("OUT_DIR"), "/sink_capnp.rs"));
}
