//! Packed streams, unpacked byte by byte.
//!
//! The packing is <https://capnproto.org/encoding.html#packing>: before each word a tag with one bit for each byte that
//! is not zero; after the tag 0 the number of further words of zeros, and after the tag 0xff the number of words that
//! follow as they are.
//!
//! Not here: the question whether a stream is packed. See [`crate::session`].

/// Unpacks a stream. It never fails: every sequence of bytes is a beginning of some packed stream.
#[derive(Clone, Debug, Default)]
pub struct Unpacker {
    state: State,
    /// Bytes that were pushed so far.
    packed: u64,
    /// Bytes that came out so far.
    unpacked: u64,
    /// For each tag since the last [`Unpacker::forget`]: where its word begins, unpacked and packed.
    marks: Vec<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The next byte is a tag.
    #[default]
    Tag,
    /// In the word of a tag, at this bit of it.
    Word { tag: u8, bit: u8 },
    /// The next byte counts words of zeros.
    Zeros,
    /// The next byte counts words that follow as they are.
    Raw,
    /// So many bytes follow as they are.
    Bytes(u32),
}

impl Unpacker {
    /// Takes the next bytes and appends those that they stand for.
    pub fn push(&mut self, packed: &[u8], into: &mut Vec<u8>) {
        let before = into.len();
        let first = self.unpacked;
        for &byte in packed {
            match self.state {
                State::Tag => {
                    self.marks.push((first + (into.len() - before) as u64, self.packed));
                    self.begin_word(byte, into);
                }
                State::Word { tag, bit } => {
                    into.push(byte);
                    self.fill(tag, bit + 1, into);
                }
                State::Zeros => {
                    into.resize(into.len() + usize::from(byte) * 8, 0);
                    self.state = State::Tag;
                }
                State::Raw => {
                    self.state = if byte == 0 { State::Tag } else { State::Bytes(u32::from(byte) * 8) };
                }
                State::Bytes(left) => {
                    into.push(byte);
                    self.state = if left == 1 { State::Tag } else { State::Bytes(left - 1) };
                }
            }
            self.packed += 1;
        }
        self.unpacked += (into.len() - before) as u64;
    }

    /// The place in the packed stream of a byte of the unpacked one: that of the tag before it.
    #[must_use]
    pub fn packed_place(&self, unpacked: u64) -> u64 {
        let after = self.marks.partition_point(|(place, _)| *place <= unpacked);
        after.checked_sub(1).map_or(0, |at| self.marks[at].1)
    }

    /// Forgets the places before a byte of the unpacked stream.
    pub fn forget(&mut self, unpacked: u64) {
        let after = self.marks.partition_point(|(place, _)| *place <= unpacked);
        self.marks.drain(..after.saturating_sub(1));
    }

    /// Whether the stream may end here: not inside a word, and not before a count.
    #[must_use]
    pub fn is_between_words(&self) -> bool {
        self.state == State::Tag
    }

    fn begin_word(&mut self, tag: u8, into: &mut Vec<u8>) {
        self.fill(tag, 0, into);
    }

    /// Appends zeros up to the next byte that the tag announces.
    fn fill(&mut self, tag: u8, from: u8, into: &mut Vec<u8>) {
        for bit in from..8 {
            if tag >> bit & 1 == 1 {
                self.state = State::Word { tag, bit };
                return;
            }
            into.push(0);
        }
        self.state = match tag {
            0 => State::Zeros,
            0xff => State::Raw,
            _ => State::Tag,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKED: &[u8] = &[
        0x51, 8, 100, 6, 0x12, 1, 2, 0, 3, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 2, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0,
        0, 0, 0, 0, 2, 0x80, 9,
    ];

    #[test]
    fn every_cut_gives_the_same_bytes() {
        let mut whole = Vec::new();
        let mut unpacker = Unpacker::default();
        unpacker.push(PACKED, &mut whole);
        let words: Vec<u64> =
            whole.chunks(8).map(|word| u64::from_le_bytes(word.try_into().expect("whole words"))).collect();
        let raw = u64::from_le_bytes([1, 2, 3, 4, 5, 6, 7, 8]);
        let second = u64::from_le_bytes([2, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(
            words,
            [8 | 100 << 32 | 6 << 48, 1 << 8 | 2 << 32, 0, 0, 0, 0, raw, 1 | 1 << 56, second, 9 << 56]
        );
        assert!(unpacker.is_between_words());
        for cut in 0..=PACKED.len() {
            let mut parts = Vec::new();
            let mut unpacker = Unpacker::default();
            unpacker.push(&PACKED[..cut], &mut parts);
            unpacker.push(&PACKED[cut..], &mut parts);
            assert_eq!(parts, whole, "cut at {cut}");
            assert_eq!(unpacker.packed_place(8), 4);
            assert_eq!(unpacker.packed_place(79), 35);
        }
    }
}
