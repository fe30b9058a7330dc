//! A trace for <https://ui.perfetto.dev>: a track for each party, a slice for each poll and call, a flow for each
//! message, counters for pipes.
//!
//! The format is a protobuf message, `perfetto.protos.Trace`. Few of its fields are needed, so they are written by hand;
//! the numbers are those of perfetto's `trace_packet.proto`, `track_event.proto` and `track_descriptor.proto`.
//!
//! The time of a trace is the number of the step, as so many microseconds, because most steps take no virtual time. The
//! virtual time is an argument of each slice.

use crate::model::{MessageKind, NoteKind, Run};

/// The time between two steps in the trace, in nanoseconds.
const STEP_NS: u64 = 1_000;

/// The sequence that all packets belong to.
const SEQUENCE: u64 = 1;

/// The clock of the trace: `BUILTIN_CLOCK_BOOTTIME`.
const BOOTTIME: u64 = 6;

/// The type of a track event.
#[derive(Clone, Copy)]
enum Type {
    Begin = 1,
    End = 2,
    Instant = 3,
    Counter = 4,
}

/// The run as a `perfetto.protos.Trace`.
pub fn perfetto(run: &Run) -> Vec<u8> {
    let mut trace = Trace::default();
    let text = |place: u32| run.texts.get(place as usize).map(String::as_str).unwrap_or_default();
    for (place, lane) in run.lanes.iter().enumerate() {
        trace.track(party_track(place as u32), &lane.name, place as u64, false);
        trace.track(calls_track(place as u32), &format!("{}: calls", lane.name), place as u64, false);
    }
    for (place, pipe) in run.pipes.iter().enumerate() {
        trace.track(pipe_track(place as u64), &format!("{}: bytes in it", pipe.name), 1_000, true);
    }
    let mut events: Vec<Event> = Vec::new();
    for (place, step_text) in run.steps.text.iter().enumerate() {
        let step = place as u64 + 1;
        let Some(lane) = run.steps.lane.get(place).and_then(|lane| u32::try_from(*lane).ok()) else {
            continue;
        };
        let track = party_track(lane);
        let now_ns = run.steps.now_ns.get(place).copied();
        let name = text(*step_text).to_string();
        events.push(Event { virtual_ns: now_ns, ..Event::new(at(step), Type::Begin, track, name) });
        events.push(Event::new(at(step) + STEP_NS - 1, Type::End, track, String::new()));
    }
    for (place, message) in run.messages.iter().enumerate() {
        let name = text(message.short).to_string();
        let flow = Some(place as u64 + 1);
        // A slice must enclose the end of a flow.
        let sent = at(message.sent) + place_within(place);
        let track = calls_track(message.from);
        events.push(Event { flow, ..Event::new(sent, Type::Instant, track, format!("sends {name}")) });
        if let Some(received) = message.received {
            let received = (at(received) + place_within(place)).max(sent + 1);
            let track = calls_track(message.to);
            events.push(Event {
                ends_flow: flow,
                ..Event::new(received, Type::Instant, track, format!("gets {name}"))
            });
        }
        if message.kind == MessageKind::Abort {
            events.push(Event::new(sent, Type::Instant, party_track(message.from), name));
        }
    }
    for note in &run.notes {
        if let (true, Ok(lane)) = (note.kind != NoteKind::Call, u32::try_from(note.lane)) {
            let name = text(note.text).to_string();
            events.push(Event::new(at(note.step), Type::Instant, party_track(lane), name));
        }
    }
    for group in run.shots.pipes.chunks_exact(7) {
        let [step, pipe, staged, visible] = [group[0], group[1], group[2], group[3]];
        let counted = Some((staged + visible) as i64);
        let event = Event::new(at(step), Type::Counter, pipe_track(pipe), String::new());
        events.push(Event { counted, ..event });
    }
    events.sort_by_key(|event| event.at_ns);
    for event in &events {
        trace.event(event);
    }
    trace.bytes
}

/// The time of a step in the trace, in nanoseconds.
fn at(step: u64) -> u64 {
    step * STEP_NS
}

/// A place within a step, so that the messages of one step keep their order.
fn place_within(place: usize) -> u64 {
    place as u64 % (STEP_NS / 2)
}

fn party_track(lane: u32) -> u64 {
    0x1000 + u64::from(lane) * 2
}

fn calls_track(lane: u32) -> u64 {
    party_track(lane) + 1
}

fn pipe_track(pipe: u64) -> u64 {
    0x1_0000_0000 + pipe
}

struct Event {
    at_ns: u64,
    kind: Type,
    track: u64,
    name: String,
    flow: Option<u64>,
    ends_flow: Option<u64>,
    counted: Option<i64>,
    virtual_ns: Option<u64>,
}

impl Event {
    fn new(at_ns: u64, kind: Type, track: u64, name: String) -> Self {
        Event { at_ns, kind, track, name, flow: None, ends_flow: None, counted: None, virtual_ns: None }
    }
}

/// Packets of a trace, as bytes.
#[derive(Default)]
struct Trace {
    bytes: Vec<u8>,
    /// Whether the first packet was written, which begins the sequence.
    has_begun: bool,
}

impl Trace {
    /// Adds a `TrackDescriptor`, field 60 of a packet.
    fn track(&mut self, uuid: u64, name: &str, order: u64, is_counter: bool) {
        let mut track = Message::default();
        track.varint(1, uuid);
        track.text(2, name);
        if is_counter {
            track.message(8, &Message::default());
        }
        track.varint(12, order);
        let mut packet = Message::default();
        packet.message(60, &track);
        self.packet(packet);
    }

    /// Adds a `TrackEvent`, field 11 of a packet.
    fn event(&mut self, event: &Event) {
        let mut track_event = Message::default();
        if let Some(virtual_ns) = event.virtual_ns {
            let mut annotation = Message::default();
            annotation.text(10, "virtual_ns");
            annotation.varint(3, virtual_ns);
            track_event.message(4, &annotation);
        }
        track_event.varint(9, event.kind as u64);
        track_event.varint(11, event.track);
        if !event.name.is_empty() {
            track_event.text(23, &event.name);
        }
        if let Some(counted) = event.counted {
            track_event.varint(30, counted as u64);
        }
        if let Some(flow) = event.flow {
            track_event.fixed64(47, flow);
        }
        if let Some(flow) = event.ends_flow {
            track_event.fixed64(48, flow);
        }
        let mut packet = Message::default();
        packet.varint(8, event.at_ns);
        packet.message(11, &track_event);
        packet.varint(58, BOOTTIME);
        self.packet(packet);
    }

    fn packet(&mut self, mut packet: Message) {
        packet.varint(10, SEQUENCE);
        if !self.has_begun {
            // SEQ_INCREMENTAL_STATE_CLEARED
            packet.varint(13, 1);
            self.has_begun = true;
        }
        let mut trace = Message::default();
        trace.message(1, &packet);
        self.bytes.extend(trace.0);
    }
}

/// A protobuf message.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn raw(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number as u8 & 0x7f) | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn varint(&mut self, field: u64, number: u64) {
        self.raw(field << 3);
        self.raw(number);
    }

    fn fixed64(&mut self, field: u64, number: u64) {
        self.raw(field << 3 | 1);
        self.0.extend(number.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.raw(field << 3 | 2);
        self.raw(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Message) {
        self.bytes(field, &message.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_fields_are_written_as_protobuf_says() {
        let mut message = Message::default();
        message.varint(1, 300);
        message.text(2, "hi");
        message.fixed64(47, 1);
        let bytes = [0x08, 0xac, 0x02, 0x12, 2, b'h', b'i', 0xf9, 0x02, 1, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(message.0, bytes);
    }
}
