//! Cap'n Proto RPC traffic as plain data.
//!
//! - [`frames`]: the messages of one link as plain data. A [`Decoder`] makes them from bytes, with the names of a
//!   [`schema`].
//! - [`ledger`]: the RPC tables of both sides, derived from the frames.
//! - [`calls`]: the calls of one link, without ids, frames and time.
//! - [`redact`]: paths to values that a snapshot leaves out.
//! - [`listing()`]: a schema as text.
//! - [`session`]: sessions that were captured elsewhere, by any implementation.
//! - [`fingerprint()`]: a number that distinguishes parameters of calls.
//!
//! Not here: where the bytes come from.

#![forbid(unsafe_code)]

/// The path of this file, by which panics in this crate are recognised.
#[doc(hidden)]
pub const THIS_FILE: &str = file!();

pub mod calls;
pub mod check;
pub mod decoder;
mod fingerprint;
pub mod frames;
pub mod ledger;
mod listing;
pub mod redact;
pub mod schema;
pub mod session;
pub mod unpack;

pub use decoder::Decoder;
pub use fingerprint::fingerprint;
pub use listing::listing;
pub use redact::Redactions;
pub use schema::Schema;
pub use session::decode_session;
