//! One binary for all integration tests: one link, one engine.

mod common;
mod manifests;
mod replay;
mod snapshots;
mod waves;

