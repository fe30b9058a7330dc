//! A shop on SQLite that speaks Cap'n Proto RPC.
//!
//! [`Store`] is its database, and [`shop::open`] its server. Nothing here knows of Wavetank: a program serves the shop on
//! any link, and the tests serve it in worlds.

pub mod shop;
mod store;

pub use store::{Hold, Price, Sale, Store};

/// Generated from `schema/shop.capnp`.
#[allow(clippy::all)]
pub mod shop_capnp {
    include!(concat!(env!("OUT_DIR"), "/shop_capnp.rs"));
}

/// The CodeGeneratorRequest of the schema, by which reports name calls and values.
pub static SCHEMA: &[u8] = include_bytes!("../schema/shop.cgr");
