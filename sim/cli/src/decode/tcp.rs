//! The TCP streams of a capture: which there are, and the bytes of both directions of one, put together again.
//!
//! Segments may come twice, overlap, and come in another order. If a segment is missing, the direction ends there,
//! because nobody can tell where the next message begins.

use super::pcap::Packet;
use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use wavetank_trace::frames::Direction;
use wavetank_trace::session::{Session, Tick};

/// A stream.
#[derive(Clone, Debug)]
pub(super) struct Stream<'f> {
    /// The side that opened it or, if the capture does not show that, the one that sent first.
    client: SocketAddr,
    server: SocketAddr,
    is_opened: bool,
    segments: Vec<Segment<'f>>,
}

#[derive(Clone, Copy, Debug)]
struct Segment<'f> {
    direction: Direction,
    tick: Tick,
    sequence: u32,
    is_syn: bool,
    /// The bytes that were sent. The capture may have fewer.
    sent_bytes: u32,
    bytes: &'f [u8],
}

/// The streams of a capture, in the order in which they begin, and what else there was.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams<'f> {
    pub(super) streams: Vec<Stream<'f>>,
    /// Packets of other protocols.
    pub(super) others: usize,
    /// Fragments of IP packets, which are not put together.
    pub(super) fragments: usize,
    /// The link types that are not known, of packets that were passed over.
    pub(super) unknown_links: BTreeMap<u16, usize>,
}

/// What a packet is to TCP.
enum Seen<'f> {
    Tcp { from: SocketAddr, to: SocketAddr, segment: Segment<'f>, acknowledges: bool },
    Fragment,
    UnknownLink,
    Other,
}

/// Sorts packets into streams.
pub(super) fn streams<'f>(packets: &[Packet<'f>]) -> Streams<'f> {
    let mut found = Streams::default();
    let mut latest: BTreeMap<(SocketAddr, SocketAddr), usize> = BTreeMap::new();
    for (number, packet) in packets.iter().enumerate() {
        let tick = Tick { number: number as u64, ns: packet.ns };
        let (from, to, mut segment, acknowledges) = match look(packet, tick) {
            Seen::Tcp { from, to, segment, acknowledges } => (from, to, segment, acknowledges),
            Seen::Fragment => {
                found.fragments += 1;
                continue;
            }
            Seen::UnknownLink => {
                *found.unknown_links.entry(packet.link).or_default() += 1;
                continue;
            }
            Seen::Other => {
                found.others += 1;
                continue;
            }
        };
        let key = (from.min(to), from.max(to));
        let opens = segment.is_syn && !acknowledges;
        let begins_again = |at: &usize| opens && found.streams[*at].is_begun_otherwise(segment.sequence);
        let known = latest.get(&key).copied().filter(|at| !begins_again(at));
        let at = known.unwrap_or_else(|| {
            let is_answer = segment.is_syn && acknowledges;
            let (client, server) = if is_answer { (to, from) } else { (from, to) };
            let is_opened = segment.is_syn;
            found.streams.push(Stream { client, server, is_opened, segments: Vec::new() });
            latest.insert(key, found.streams.len() - 1);
            found.streams.len() - 1
        });
        let stream = &mut found.streams[at];
        segment.direction = if from == stream.client { Direction::Up } else { Direction::Down };
        stream.segments.push(segment);
    }
    found
}

/// Finds the TCP segment in a packet.
fn look<'f>(packet: &Packet<'f>, tick: Tick) -> Seen<'f> {
    let bytes = packet.bytes;
    let of_type = |kind: Option<&[u8]>, header: usize| {
        let kind = EtherType(u16::from_be_bytes(kind?.try_into().ok()?));
        Some(LaxSlicedPacket::from_ether_type(kind, bytes.get(header..)?))
    };
    let sliced = match packet.link {
        // BSD loopback, with the address family in front.
        0 | 108 => bytes.get(4..).and_then(|ip| LaxSlicedPacket::from_ip(ip).ok()),
        1 => LaxSlicedPacket::from_ethernet(bytes).ok(),
        // Raw IP.
        12 | 14 | 101 | 228 | 229 => LaxSlicedPacket::from_ip(bytes).ok(),
        // Linux cooked, both versions.
        113 => of_type(bytes.get(14..16), 16),
        276 => of_type(bytes.get(..2), 20),
        _ => return Seen::UnknownLink,
    };
    let Some(sliced) = sliced else { return Seen::Other };
    let (from, to, is_fragment, ip_bytes): (IpAddr, IpAddr, bool, usize) = match &sliced.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let addresses = (header.source_addr().into(), header.destination_addr().into());
            let header_bytes = usize::from(header.ihl()) * 4;
            let announced = usize::from(header.total_len()).saturating_sub(header_bytes);
            (addresses.0, addresses.1, ip.is_payload_fragmented(), announced)
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let addresses = (header.source_addr().into(), header.destination_addr().into());
            (addresses.0, addresses.1, ip.is_payload_fragmented(), usize::from(header.payload_length()))
        }
        _ => return Seen::Other,
    };
    if is_fragment {
        return Seen::Fragment;
    }
    let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else { return Seen::Other };
    // Extension headers of IPv6 count as sent bytes only if the packet was cut, and then the direction ends anyway.
    let header_bytes = tcp.header_slice().len();
    let sent = if packet.is_cut { ip_bytes.saturating_sub(header_bytes) } else { tcp.payload().len() };
    Seen::Tcp {
        from: SocketAddr::new(from, tcp.source_port()),
        to: SocketAddr::new(to, tcp.destination_port()),
        acknowledges: tcp.ack(),
        segment: Segment {
            direction: Direction::Up,
            tick,
            sequence: tcp.sequence_number(),
            is_syn: tcp.syn(),
            sent_bytes: sent.max(tcp.payload().len()) as u32,
            bytes: tcp.payload(),
        },
    }
}

impl Stream<'_> {
    /// Whether a SYN with this number opens another stream between the same addresses.
    fn is_begun_otherwise(&self, sequence: u32) -> bool {
        !self.segments.iter().any(|segment| segment.is_syn && segment.sequence == sequence)
    }

    /// Captured bytes of a direction. Bytes that were sent twice count twice.
    fn bytes(&self, direction: Direction) -> usize {
        let of = self.segments.iter().filter(|segment| segment.direction == direction);
        of.map(|segment| segment.bytes.len()).sum()
    }

    /// Whether anything was sent.
    pub(super) fn is_used(&self) -> bool {
        self.segments.iter().any(|segment| segment.sent_bytes > 0)
    }

    /// Puts the bytes of both directions together, in the order in which they became whole.
    pub(super) fn replay(&self, session: &mut Session) {
        let mut sides = [Direction::Up, Direction::Down].map(|direction| Assembly::new(self, direction));
        for segment in &self.segments {
            let side = &mut sides[usize::from(segment.direction == Direction::Down)];
            side.take(segment, session);
        }
        for side in sides {
            side.end(session);
        }
    }
}

/// One direction that is put together.
struct Assembly<'f> {
    direction: Direction,
    /// The sequence number of byte 0.
    first: u32,
    /// Bytes that are together.
    done: u64,
    /// Segments that came before what stands in front of them, by their first byte.
    waiting: BTreeMap<u64, &'f [u8]>,
    /// The first byte of a segment that the capture cut, once it was reached.
    cut: BTreeMap<u64, u64>,
}

impl<'f> Assembly<'f> {
    fn new(stream: &Stream<'f>, direction: Direction) -> Self {
        let of = || stream.segments.iter().filter(|segment| segment.direction == direction);
        let syn = of().find(|segment| segment.is_syn).map(|syn| syn.sequence.wrapping_add(1));
        let earliest = || {
            let data = of().filter(|segment| segment.sent_bytes > 0).map(|segment| segment.sequence);
            // The numbers wrap around.
            data.reduce(|one, other| if other.wrapping_sub(one) > 1 << 31 { other } else { one })
        };
        let first = syn.or_else(earliest).unwrap_or(0);
        Self { direction, first, done: 0, waiting: BTreeMap::new(), cut: BTreeMap::new() }
    }

    fn take(&mut self, segment: &Segment<'f>, session: &mut Session) {
        if segment.sent_bytes == 0 {
            return;
        }
        let start = if segment.is_syn { segment.sequence.wrapping_add(1) } else { segment.sequence };
        // The distance to what is done, which may lie a little behind or ahead.
        let ahead = start.wrapping_sub(self.first.wrapping_add(self.done as u32)).cast_signed();
        let Some(start) = self.done.checked_add_signed(ahead.into()) else { return };
        if (segment.bytes.len() as u32) < segment.sent_bytes {
            self.cut.insert(start + segment.bytes.len() as u64, start + u64::from(segment.sent_bytes));
        }
        if self.waiting.get(&start).is_none_or(|known| known.len() < segment.bytes.len()) {
            self.waiting.insert(start, segment.bytes);
        }
        while let Some((&start, bytes)) = self.waiting.first_key_value() {
            if start > self.done {
                break;
            }
            let known = (self.done - start) as usize;
            if let Some(new) = bytes.get(known..).filter(|new| !new.is_empty()) {
                session.push_at(self.direction, segment.tick, new);
                self.done += new.len() as u64;
            }
            self.waiting.pop_first();
        }
    }

    fn end(self, session: &mut Session) {
        let done = self.done;
        if self.cut.range(..=done).any(|(at, end)| *at == done && *end > done) {
            let reason = format!("the capture cut a packet off after byte {done}: capture whole packets");
            session.lose(self.direction, format!("{reason}; the rest is left out"));
        } else if let Some((next, _)) = self.waiting.first_key_value() {
            let missing = next - done;
            let reason = format!("the capture lacks {missing} bytes from byte {done} of the stream on");
            session.lose(self.direction, format!("{reason}; the rest is left out"));
        }
    }
}

impl fmt::Display for Stream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stream { client, server, is_opened, .. } = self;
        let (up, down) = (self.bytes(Direction::Up), self.bytes(Direction::Down));
        let begun = if *is_opened { "" } else { ", begun before the capture" };
        write!(f, "{client} → {server}, {up} bytes →, {down} bytes ←{begun}")
    }
}
