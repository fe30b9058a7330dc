//! Cuts the bytes of one direction into whole frames.
//!
//! A frame on a stream is a segment table and the segments it announces, padded to words
//! (<https://capnproto.org/encoding.html#serialization-over-a-stream>). Nothing is read inside the segments here.

/// Segments of a frame, at most. The limit is that of capnp's own reader.
const MAX_SEGMENTS: u32 = 512;
/// Words of segments that a frame may announce, at most: 128 MiB, the limit of the host's links.
const MAX_WORDS: u64 = 16 << 20;

/// The bytes of one direction that belong to no whole frame yet.
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that earlier pieces used.
    used_bytes: usize,
    /// Set by a segment table that cannot be right. The start of the next frame is then unknown for good, and further
    /// bytes are only counted.
    lost_bytes: Option<usize>,
}

/// A piece that the splitter found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A whole frame, segment table included.
    Whole(&'a [u8]),
    /// A segment table that no frame can have. Nothing comes after it.
    Garbled {
        /// The bytes of the table that show it.
        bytes: usize,
        /// The reason.
        reason: String,
    },
}

impl Splitter {
    /// Takes the next bytes of the direction.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(lost_bytes) = &mut self.lost_bytes {
            *lost_bytes += bytes.len();
            return;
        }
        self.buffer.drain(..self.used_bytes);
        self.used_bytes = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next piece, or `None` until more bytes are pushed. The pieces do not depend on how the bytes were
    /// cut into pushes.
    pub fn next_piece(&mut self) -> Option<Piece<'_>> {
        if self.lost_bytes.is_some() {
            return None;
        }
        let rest = &self.buffer[self.used_bytes..];
        match frame_bytes(rest) {
            Ok(Some(len)) if len <= rest.len() => {
                self.used_bytes += len;
                Some(Piece::Whole(&rest[..len]))
            }
            Ok(_) => None,
            Err((bytes, reason)) => {
                self.lost_bytes = Some(0);
                Some(Piece::Garbled { bytes, reason })
            }
        }
    }

    /// The number of pushed bytes that belong to no whole frame.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len() - self.used_bytes + self.lost_bytes.unwrap_or(0)
    }
}

/// The length of the frame at the start of `bytes`, once its segment table is there.
fn frame_bytes(bytes: &[u8]) -> Result<Option<usize>, (usize, String)> {
    let word32 = |index: usize| {
        let four = bytes.get(index * 4..index * 4 + 4)?;
        Some(u32::from_le_bytes(four.try_into().ok()?))
    };
    let Some(last_segment) = word32(0) else { return Ok(None) };
    if last_segment >= MAX_SEGMENTS {
        return Err((4, format!("a segment table of {} segments", u64::from(last_segment) + 1)));
    }
    let segments = last_segment as usize + 1;
    // The count and the sizes, 4 bytes each, padded to a word.
    let table_bytes = (1 + segments).next_multiple_of(2) * 4;
    if bytes.len() < table_bytes {
        return Ok(None);
    }
    let words: u64 = (1..=segments).filter_map(word32).map(u64::from).sum();
    if words > MAX_WORDS {
        return Err((table_bytes, format!("a segment table that announces {words} words")));
    }
    Ok(Some(table_bytes + words as usize * 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_whole_with_its_last_byte() {
        // Two segments of 1 and 0 words, then the count of the next table.
        let bytes = [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0];
        let mut splitter = Splitter::default();
        splitter.push(&bytes[..23]);
        assert_eq!(splitter.next_piece(), None);
        splitter.push(&bytes[23..]);
        assert_eq!(splitter.next_piece(), Some(Piece::Whole(&bytes[..24])));
        assert_eq!(splitter.next_piece(), None);
        assert_eq!(splitter.pending_bytes(), 2);
    }

    #[test]
    fn absurd_segment_tables_end_the_direction() {
        for (table, bytes, reason) in [
            (&[0, 2, 0, 0][..], 4, "a segment table of 513 segments"),
            (&[0xff; 4], 4, "a segment table of 4294967296 segments"),
            (&[0, 0, 0, 0, 1, 0, 0, 1], 8, "a segment table that announces 16777217 words"),
        ] {
            let mut splitter = Splitter::default();
            splitter.push(table);
            splitter.push(&[0; 8]);
            assert_eq!(splitter.next_piece(), Some(Piece::Garbled { bytes, reason: reason.to_owned() }));
            assert_eq!(splitter.next_piece(), None);
            assert_eq!(splitter.pending_bytes(), table.len() + 8);
        }
    }
}
