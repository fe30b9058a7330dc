//! The schema of our own capabilities, and schemas of users on top of it.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use wavetank_trace::Schema;
use wavetank_trace::schema::Error;

/// The schema of the host's own capabilities, and of those that native vats serve each other.
pub static PEER_SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let load =
        |request| Schema::from_request(request).expect("a request that our own code was generated from");
    let mut schema = load(wavetank::schema::REQUEST);
    schema.extend(load(wavetank::schema::VATS_REQUEST));
    Arc::new(schema)
});

/// A schema that was extended before.
struct Extended {
    base: Arc<Schema>,
    request: &'static [u8],
    result: Arc<Schema>,
}

/// A schema with the tables of a request on top of it. Each is made once per process, because a scenario asks for it in
/// every world.
pub(crate) fn extended(base: &Arc<Schema>, request: &'static [u8]) -> Result<Arc<Schema>, Error> {
    static MADE: Mutex<Vec<Extended>> = Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let is_it = |one: &&Extended| Arc::ptr_eq(&one.base, base) && std::ptr::eq(one.request, request);
    if let Some(found) = made.iter().find(is_it) {
        return Ok(found.result.clone());
    }
    let mut schema = (**base).clone();
    schema.extend(Schema::from_request(request)?);
    let result = Arc::new(schema);
    made.push(Extended { base: base.clone(), request, result: result.clone() });
    Ok(result)
}
