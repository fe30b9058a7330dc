//! Tests of `wavetank-trace` on the traffic of two real RPC systems.

mod frames;
mod ledger;
mod schema;
mod session;
mod traffic;
