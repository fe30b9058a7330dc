//! The packets of a capture file: classic pcap with micro- or nanoseconds in either byte order, and pcapng.
//!
//! Both formats are a few fixed headers, so this reads them itself: a library would bring a parser framework along.
//! See <https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/> and <https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/>.

/// The largest packet that is believed, in bytes.
const MAX_PACKET_BYTES: usize = 1 << 26;

/// A packet as it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'f> {
    /// Nanoseconds since 1970.
    pub(super) ns: u64,
    /// The link type of its interface.
    pub(super) link: u16,
    /// Its bytes, from the link's header on.
    pub(super) bytes: &'f [u8],
    /// Whether the capture left out its end.
    pub(super) is_cut: bool,
}

/// The packets of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Packets<'f> {
    pub(super) packets: Vec<Packet<'f>>,
    /// The place and the reason of the first thing that cannot be read. Nothing after it was.
    pub(super) fault: Option<String>,
}

/// Reads all packets of a file.
///
/// # Errors
/// A message for the user if it is no capture file.
pub(super) fn packets(file: &[u8]) -> Result<Packets<'_>, String> {
    let magic: [u8; 4] = file.get(..4).and_then(|magic| magic.try_into().ok()).unwrap_or_default();
    match magic {
        [0xd4, 0xc3, 0xb2, 0xa1] => Classic { bytes: Bytes { file, is_big: false }, unit_ns: 1000 }.read(),
        [0xa1, 0xb2, 0xc3, 0xd4] => Classic { bytes: Bytes { file, is_big: true }, unit_ns: 1000 }.read(),
        [0x4d, 0x3c, 0xb2, 0xa1] => Classic { bytes: Bytes { file, is_big: false }, unit_ns: 1 }.read(),
        [0xa1, 0xb2, 0x3c, 0x4d] => Classic { bytes: Bytes { file, is_big: true }, unit_ns: 1 }.read(),
        [0x0a, 0x0d, 0x0d, 0x0a] => {
            Ok(Next { bytes: Bytes { file, is_big: false }, ..Next::default() }.read())
        }
        _ => Err("it is neither a pcap nor a pcapng file: save the capture as one of these".to_owned()),
    }
}

/// Numbers of a file in its byte order.
#[derive(Clone, Copy, Default)]
struct Bytes<'f> {
    file: &'f [u8],
    is_big: bool,
}

impl<'f> Bytes<'f> {
    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.file.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.file.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn slice(&self, at: usize, len: usize) -> Option<&'f [u8]> {
        self.file.get(at..at.checked_add(len)?)
    }
}

/// A classic file.
struct Classic<'f> {
    bytes: Bytes<'f>,
    /// The unit of the second half of a time, in nanoseconds.
    unit_ns: u64,
}

impl<'f> Classic<'f> {
    fn read(self) -> Result<Packets<'f>, String> {
        // The upper bits tell of checksums at the ends of packets.
        let link = self.bytes.u32(20).ok_or("the file ends inside its header")? as u16;
        let mut found = Packets::default();
        let mut at = 24;
        while at < self.bytes.file.len() {
            match self.packet(at, link) {
                Some(packet) => {
                    at += 16 + packet.bytes.len();
                    found.packets.push(packet);
                }
                None => {
                    let number = found.packets.len() + 1;
                    found.fault = Some(format!("packet {number}, at byte {at} of the file, is not whole"));
                    break;
                }
            }
        }
        Ok(found)
    }

    fn packet(&self, at: usize, link: u16) -> Option<Packet<'f>> {
        let seconds = u64::from(self.bytes.u32(at)?);
        let rest = u64::from(self.bytes.u32(at + 4)?);
        let captured = self.bytes.u32(at + 8)? as usize;
        let original = self.bytes.u32(at + 12)? as usize;
        let bytes = self.bytes.slice(at + 16, captured).filter(|_| captured <= MAX_PACKET_BYTES)?;
        let ns = seconds * 1_000_000_000 + rest * self.unit_ns;
        Some(Packet { ns, link, bytes, is_cut: captured < original })
    }
}

/// A pcapng file.
#[derive(Default)]
struct Next<'f> {
    bytes: Bytes<'f>,
    /// The interfaces of the section.
    interfaces: Vec<Interface>,
    found: Packets<'f>,
}

#[derive(Clone, Copy)]
struct Interface {
    link: u16,
    /// The exponent of its unit of time.
    unit: u8,
}

impl<'f> Next<'f> {
    fn read(mut self) -> Packets<'f> {
        let mut at = 0;
        while at < self.bytes.file.len() {
            match self.block(at) {
                Some(len) => at += len,
                None => {
                    self.found.fault = Some(format!("the block at byte {at} of the file is not whole"));
                    break;
                }
            }
        }
        self.found
    }

    /// Reads the block at a place and returns its length.
    fn block(&mut self, at: usize) -> Option<usize> {
        let is_section = self.bytes.slice(at, 4)? == [0x0a, 0x0d, 0x0d, 0x0a];
        if is_section {
            // A section says its own byte order.
            self.bytes.is_big = self.bytes.slice(at + 8, 4)? == [0x1a, 0x2b, 0x3c, 0x4d];
            self.interfaces.clear();
        }
        let kind = self.bytes.u32(at)?;
        let len = self.bytes.u32(at + 4)? as usize;
        if len < 12 || !len.is_multiple_of(4) {
            return None;
        }
        self.bytes.slice(at, len)?;
        let (body, end) = (at + 8, at + len - 4);
        if is_section {
            return Some(len);
        }
        match kind {
            1 => {
                let unit = self.time_unit(body + 8, end).unwrap_or(6);
                self.interfaces.push(Interface { link: self.bytes.u16(body)?, unit });
            }
            // An enhanced packet, or the obsolete form of it.
            2 | 6 => {
                let interface =
                    if kind == 2 { u32::from(self.bytes.u16(body)?) } else { self.bytes.u32(body)? };
                let time = u64::from(self.bytes.u32(body + 4)?) << 32 | u64::from(self.bytes.u32(body + 8)?);
                let captured = self.bytes.u32(body + 12)? as usize;
                let original = self.bytes.u32(body + 16)? as usize;
                self.packet(interface, time, (body + 20, captured, end), original)?;
            }
            3 => {
                let original = self.bytes.u32(body)? as usize;
                self.packet(0, 0, (body + 4, original.min(end - body - 4), end), original)?;
            }
            _ => {}
        }
        Some(len)
    }

    fn packet(
        &mut self,
        interface: u32,
        time: u64,
        (at, captured, end): (usize, usize, usize),
        original: usize,
    ) -> Option<()> {
        let Interface { link, unit } = *self.interfaces.get(interface as usize)?;
        if captured > end.checked_sub(at)? || captured > MAX_PACKET_BYTES {
            return None;
        }
        let bytes = self.bytes.slice(at, captured)?;
        let ns = nanoseconds(time, unit);
        self.found.packets.push(Packet { ns, link, bytes, is_cut: captured < original });
        Some(())
    }

    /// The option `if_tsresol` among the options of an interface.
    fn time_unit(&self, mut at: usize, end: usize) -> Option<u8> {
        while at + 4 <= end {
            let (code, len) = (self.bytes.u16(at)?, usize::from(self.bytes.u16(at + 2)?));
            match code {
                0 => return None,
                9 => return self.bytes.slice(at + 4, 1).map(|unit| unit[0]),
                _ => at += 4 + len.next_multiple_of(4),
            }
        }
        None
    }
}

/// A time in nanoseconds. The unit is a power of ten or, with the upper bit, of two.
fn nanoseconds(time: u64, unit: u8) -> u64 {
    let exponent = u32::from(unit & 0x7f);
    let base: u128 = if unit & 0x80 == 0 { 10 } else { 2 };
    let per_second = base.checked_pow(exponent).unwrap_or(u128::MAX);
    let ns = u128::from(time).saturating_mul(1_000_000_000) / per_second;
    u64::try_from(ns).unwrap_or(u64::MAX)
}
