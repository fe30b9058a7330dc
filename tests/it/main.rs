//! One binary for all integration tests: one link, one engine.

mod bare;
mod bugs;
mod calls;
mod canary;
mod conformance;
mod explain;
mod faults;
mod fuzz;
mod hostile;
mod known;
mod library;
mod manifests;
mod offered;
mod oracles;
mod own_schema;
mod pauses;
mod peer;
mod replay;
mod shrinking;
mod snapshots;
mod streaming;
mod structure;
mod transport;
mod vats;
mod wasi;
mod waves;
