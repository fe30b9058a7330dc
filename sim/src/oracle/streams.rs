//! The methods that stream. A client cannot wait for a streaming call's Return: it can only await flow control. So
//! nothing can be asked of it that it could know only by that Return.

use super::Evidence;
use std::collections::BTreeSet;
use wavetank::Event;
use wavetank_trace::Schema;

/// The methods that a gate found to stream. For known schemas, the schema says it.
pub(super) struct Streams<'a> {
    found: BTreeSet<(u64, u16)>,
    schema: &'a Schema,
}

impl<'a> Streams<'a> {
    pub(super) fn of(evidence: &Evidence<'a>) -> Self {
        let found = evidence.events.iter().filter_map(|event| match event {
            Event::Streams { interface, method } => Some((*interface, *method)),
            _ => None,
        });
        Streams { found: found.collect(), schema: evidence.schema }
    }

    /// Whether a method streams, given its interface's id and its ordinal.
    pub(super) fn has(&self, method: (u64, u16)) -> bool {
        self.found.contains(&method) || self.schema.streams(method.0, method.1)
    }
}
