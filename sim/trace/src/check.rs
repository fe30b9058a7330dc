//! The pointers of a frame, checked without a schema, so that a fault has a place.
//!
//! capnp's reader says what is wrong with a message, but not where. This follows every pointer from the root on and
//! stops at the first that cannot be right. See <https://capnproto.org/encoding.html>.
//!
//! Not here: texts that are no UTF-8, and values that a schema does not allow. Those show at their fields.

/// Pointers within pointers that are followed, at most: the limit of capnp's reader.
const MAX_DEPTH: u32 = 64;

/// The first thing in a frame that cannot be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The place of the pointer, in bytes from the frame's start.
    pub at: usize,
    /// The reason.
    pub reason: String,
}

/// The first fault among the pointers of a whole frame, segment table included.
#[must_use]
pub fn first_fault(frame: &[u8]) -> Option<Fault> {
    let mut check =
        Check { segments: segments(frame), frame, words_left: frame.len() as u64 / 2 + (64 << 10) };
    if check.segments.first().is_none_or(|&(_, words)| words == 0) {
        return Some(Fault { at: 0, reason: "its first segment is empty, so it has no root".to_owned() });
    }
    check.pointer(Place { segment: 0, word: 0 }, 0).err()
}

/// The segments by their first byte and their length in words.
fn segments(frame: &[u8]) -> Vec<(usize, usize)> {
    let word32 = |at: usize| {
        let four = frame.get(at * 4..at * 4 + 4)?;
        Some(u32::from_le_bytes(four.try_into().ok()?) as usize)
    };
    let count = word32(0).unwrap_or(0) + 1;
    let mut start = (1 + count).next_multiple_of(2) * 4;
    let mut segments = Vec::new();
    for words in (1..=count).map_while(word32) {
        segments.push((start, words));
        start += words * 8;
    }
    segments
}

/// A word of a segment.
#[derive(Clone, Copy)]
struct Place {
    segment: usize,
    word: usize,
}

struct Check<'f> {
    frame: &'f [u8],
    segments: Vec<(usize, usize)>,
    /// Words that may still be visited. A message whose pointers lead to one place again and again is stopped.
    words_left: u64,
}

impl Check<'_> {
    fn pointer(&mut self, place: Place, depth: u32) -> Result<(), Fault> {
        let bits = self.word(place);
        if bits == 0 {
            return Ok(());
        }
        match bits & 3 {
            2 => self.far(place, bits, depth),
            3 if bits & 0xffff_ffff == 3 => Ok(()),
            3 => self.err(place, "a pointer of an unknown kind"),
            _ => self.object(place, place.segment, self.target(place, bits), bits, depth),
        }
    }

    /// The word that a pointer's offset leads to. It may lie outside the segment.
    fn target(&self, place: Place, bits: u64) -> i64 {
        place.word as i64 + 1 + i64::from((bits as u32).cast_signed() >> 2)
    }

    fn far(&mut self, place: Place, bits: u64, depth: u32) -> Result<(), Fault> {
        let is_double = bits >> 2 & 1 == 1;
        let segment = (bits >> 32) as usize;
        let word = (bits as u32 >> 3) as usize;
        let pad = Place { segment, word };
        let Some(&(_, words)) = self.segments.get(segment) else {
            return self.err(place, format!("a far pointer into segment {segment}, which is not there"));
        };
        if word + usize::from(is_double) >= words {
            return self.err(place, "a far pointer to outside its segment");
        }
        let landing = self.word(pad);
        if !is_double {
            if landing & 3 == 2 {
                return self.err(pad, "a far pointer leads to another far pointer");
            }
            return self.pointer(pad, depth);
        }
        if landing & 7 != 2 {
            return self.err(pad, "a double far pointer does not lead to a far pointer");
        }
        let tag = Place { segment, word: word + 1 };
        let tag_bits = self.word(tag);
        if tag_bits & 3 > 1 || tag_bits as u32 >> 2 != 0 {
            return self.err(tag, "the second word of a double far pointer describes no object");
        }
        let segment = (landing >> 32) as usize;
        if segment >= self.segments.len() {
            return self.err(pad, format!("a far pointer into segment {segment}, which is not there"));
        }
        self.object(pad, segment, i64::from(landing as u32 >> 3), tag_bits, depth)
    }

    /// A struct or a list that lies at `start`. `place` is the pointer that says so.
    fn object(
        &mut self,
        place: Place,
        segment: usize,
        start: i64,
        bits: u64,
        depth: u32,
    ) -> Result<(), Fault> {
        if depth >= MAX_DEPTH {
            return self.err(place, format!("pointers are nested more than {MAX_DEPTH} deep"));
        }
        if bits & 3 == 0 {
            let data = (bits >> 32 & 0xffff) as usize;
            let pointers = (bits >> 48) as usize;
            let start = self.room(place, "struct", segment, start, (data + pointers) as u64)?;
            return self.pointers(Place { segment, word: start + data }, pointers, depth);
        }
        let count = bits >> 35;
        let width = match bits >> 32 & 7 {
            0 => 0,
            1 => 1,
            2 => 8,
            3 => 16,
            4 => 32,
            5 => 64,
            6 => {
                let start = self.room(place, "list", segment, start, count)?;
                return self.pointers(Place { segment, word: start }, count as usize, depth);
            }
            _ => return self.structs(place, segment, start, count, depth),
        };
        self.room(place, "list", segment, start, (count * width).div_ceil(64)).map(drop)
    }

    /// A list of structs of `words` words, with a tag in front that describes them.
    fn structs(
        &mut self,
        place: Place,
        segment: usize,
        start: i64,
        words: u64,
        depth: u32,
    ) -> Result<(), Fault> {
        let start = self.room(place, "list", segment, start, words + 1)?;
        let tag = Place { segment, word: start };
        let bits = self.word(tag);
        if bits & 3 != 0 {
            return self.err(tag, "the elements of a list are no structs");
        }
        let count = u64::from(bits as u32 >> 2);
        let data = (bits >> 32 & 0xffff) as usize;
        let pointers = (bits >> 48) as usize;
        if count * (data + pointers) as u64 > words {
            return self.err(tag, "a list's elements need more words than it has");
        }
        if pointers == 0 {
            return Ok(());
        }
        for element in 0..count as usize {
            let word = start + 1 + element * (data + pointers) + data;
            self.pointers(Place { segment, word }, pointers, depth)?;
        }
        Ok(())
    }

    fn pointers(&mut self, first: Place, count: usize, depth: u32) -> Result<(), Fault> {
        for at in 0..count {
            self.pointer(Place { segment: first.segment, word: first.word + at }, depth + 1)?;
        }
        Ok(())
    }

    /// The start of an object of `words` words, if it lies in its segment.
    fn room(
        &mut self,
        place: Place,
        what: &str,
        segment: usize,
        start: i64,
        words: u64,
    ) -> Result<usize, Fault> {
        let end = start.checked_add_unsigned(words);
        let has = self.segments[segment].1;
        match (usize::try_from(start), end.map(usize::try_from)) {
            (Ok(start), Some(Ok(end))) if end <= has => {
                let Some(left) = self.words_left.checked_sub(words + 1) else {
                    return self.err(place, "the same words are pointed to again and again");
                };
                self.words_left = left;
                Ok(start)
            }
            _ => self.err(
                place,
                format!(
                    "a {what} of {words} words at word {start} of segment {segment}, which has {has} words"
                ),
            ),
        }
    }

    fn byte(&self, place: Place) -> usize {
        self.segments[place.segment].0 + place.word * 8
    }

    fn word(&self, place: Place) -> u64 {
        let at = self.byte(place);
        let bytes = self.frame.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    }

    fn err<T>(&self, place: Place, reason: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { at: self.byte(place), reason: reason.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(words: &[u64]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0, 0];
        bytes.extend((words.len() as u32).to_le_bytes());
        words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        bytes
    }

    #[test]
    fn a_fault_has_the_place_of_its_pointer() {
        let one_pointer = 1 << 48;
        for (words, at, reason) in [
            (&[][..], 0, "its first segment is empty, so it has no root"),
            (&[0x0001_0001_0000_0000, 8], 8, "a struct of 2 words at word 1 of segment 0, which has 2 words"),
            (
                &[one_pointer, 0x0000_0012_0000_0001],
                16,
                "a list of 1 words at word 2 of segment 0, which has 2 words",
            ),
            (&[one_pointer, 0xb], 16, "a pointer of an unknown kind"),
            (&[one_pointer, 2 | 3 << 32], 16, "a far pointer into segment 3, which is not there"),
            (&[one_pointer, 2 | 7 << 3], 16, "a far pointer to outside its segment"),
            (&[one_pointer, 0x0000_0007_0000_0001, 1], 24, "the elements of a list are no structs"),
            (
                &[one_pointer, 0x0000_0007_0000_0001, 8 | 1 << 32],
                24,
                "a list's elements need more words than it has",
            ),
            (&[0xfffc | 0xffff_0000 | one_pointer], 8, "pointers are nested more than 64 deep"),
        ] {
            let found = first_fault(&frame(words));
            assert_eq!(found, Some(Fault { at, reason: reason.to_owned() }), "{words:x?}");
        }
        let null = frame(&[0]);
        assert_eq!(first_fault(&null), None);
    }
}
