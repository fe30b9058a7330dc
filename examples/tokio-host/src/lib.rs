//! A box office that runs on tokio's `LocalSet`.

#[allow(missing_docs, reason = "it is generated")]
pub mod office_capnp {
    include!(concat!(env!("OUT_DIR"), "/office_capnp.rs"));
}

mod office;

pub use office::open;

/// The request that names the schema's interfaces, methods and fields in reports.
pub static SCHEMA: &[u8] = include_bytes!("../office.cgr");
