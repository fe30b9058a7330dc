//! Which methods stream. A client has no means to wait for a streaming call's Return: what it awaits is flow control
//! alone. So nothing can be asked of it that it could know only by that Return.

use super::Evidence;
use crate::calls::PEER_SCHEMA;
use std::collections::BTreeSet;
use wavetank::Event;

/// The methods of which a gate found out that they stream; those of known schemas are in the schemas.
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
