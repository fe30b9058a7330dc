//! One binary for all integration tests: one link, one engine.

mod bare;
mod bugs;
mod calls;
mod canary;
mod common;
mod faults;
mod hostile;
mod manifests;
mod oracles;
mod peer;
mod replay;
mod snapshots;
mod vats;
mod wasi;
mod waves;
