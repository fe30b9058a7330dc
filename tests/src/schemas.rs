//! Schemas as users have them: none of the product knows these types.

/// The request of `schemas/contacts.capnp`.
pub const CONTACTS: &[u8] = include_bytes!("../schemas/contacts.cgr");
/// The request of `schemas/market.capnp`.
pub const MARKET: &[u8] = include_bytes!("../schemas/market.cgr");
/// The request of `schemas/sums.capnp`.
pub const SUMS: &[u8] = include_bytes!("../schemas/sums.cgr");

/// The code generated from [`CONTACTS`].
#[expect(missing_docs, reason = "generated")]
#[allow(clippy::all, clippy::disallowed_types, reason = "generated")]
pub mod contacts_capnp {
    include!(concat!(env!("OUT_DIR"), "/contacts_capnp.rs"));
}

/// The code generated from [`MARKET`].
#[expect(missing_docs, reason = "generated")]
#[allow(clippy::all, clippy::disallowed_types, reason = "generated")]
pub mod market_capnp {
    include!(concat!(env!("OUT_DIR"), "/market_capnp.rs"));
}

/// The code generated from [`SUMS`].
#[expect(missing_docs, reason = "generated")]
#[allow(clippy::all, clippy::disallowed_types, reason = "generated")]
pub mod sums_capnp {
    include!(concat!(env!("OUT_DIR"), "/sums_capnp.rs"));
}
