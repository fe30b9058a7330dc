//! One binary for all integration tests: one link, one engine.

mod bare;
mod bugs;
mod calls;
mod canary;
mod common;
mod conformance;
mod faults;
mod hostile;
mod manifests;
mod offered;
mod oracles;
mod pauses;
mod peer;
mod replay;
mod snapshots;
mod streaming;
mod transport;
mod vats;
mod wasi;
mod waves;
