//! The Cap'n Proto schema: generated code, and the request it was generated from.

/// The code generator request of `capnp/peer.capnp`: the names of all interfaces, methods and fields, which
/// generated code does not carry at run time.
pub const REQUEST: &[u8] = include_bytes!("../capnp/peer.cgr");

/// The code generated from [`REQUEST`].
#[expect(missing_docs, reason = "generated")]
#[allow(clippy::all, clippy::disallowed_types, reason = "generated")]
pub mod peer_capnp {
    include!(concat!(env!("OUT_DIR"), "/peer_capnp.rs"));
}
