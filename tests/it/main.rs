//! One binary for all integration tests: one link, one engine.

mod bare;
mod bugs;
mod calls;
mod common;
mod manifests;
mod peer;
mod replay;
mod snapshots;
mod wasi;
mod waves;
