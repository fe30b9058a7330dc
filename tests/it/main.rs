//! One binary for all integration tests: one link, one engine.

mod bare;
mod calls;
mod common;
mod manifests;
mod peer;
mod replay;
mod snapshots;
mod vats;
mod wasi;
mod waves;
