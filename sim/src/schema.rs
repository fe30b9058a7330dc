//! The schema of our own capabilities.

use std::sync::{Arc, LazyLock};
use wavetank_trace::Schema;

/// The schema of the host's own capabilities, and of those that native vats serve each other.
pub static PEER_SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let load =
        |request| Schema::from_request(request).expect("a request that our own code was generated from");
    let mut schema = load(wavetank::schema::REQUEST);
    schema.extend(load(wavetank::schema::VATS_REQUEST));
    Arc::new(schema)
});
