//! The methods that stream. A client cannot wait for a streaming call's Return: it can only await flow control. So
//! nothing can be asked of it that it could know only by that Return.

use super::Evidence;
use crate::schema::PEER_SCHEMA;
use std::collections::BTreeSet;
use wavetank::Event;

/// The methods that a gate found to stream. For known schemas, the schema says it.
pub(super) struct Streams(BTreeSet<(u64, u16)>);

impl Streams {
    pub(super) fn of(evidence: &Evidence<'_>) -> Self {
        let found = evidence.events.iter().filter_map(|event| match event {
            Event::Streams { interface, method } => Some((*interface, *method)),
            _ => None,
        });
        Streams(found.collect())
    }

    /// Whether a method streams, given its interface's id and its ordinal.
    pub(super) fn has(&self, method: (u64, u16)) -> bool {
        self.0.contains(&method) || PEER_SCHEMA.streams(method.0, method.1)
    }
}
