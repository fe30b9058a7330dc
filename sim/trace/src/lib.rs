//! Cap'n Proto RPC traffic as plain data.
//!
//! - [`frames`]: the messages of one link, decoded, with the names of a [`schema`].
//! - [`ledger`]: the RPC tables of both sides, derived from the frames.
//! - [`calls`]: the calls of one link, without ids, frames and time.
//! - [`fingerprint()`]: a number that distinguishes parameters of calls.
//!
//! Not here: where the bytes come from.

#![forbid(unsafe_code)]

/// The path of this file, by which panics in this crate are recognised.
#[doc(hidden)]
pub const THIS_FILE: &str = file!();

pub mod calls;
mod fingerprint;
pub mod frames;
pub mod ledger;
pub mod schema;

pub use fingerprint::fingerprint;
pub use schema::Schema;
