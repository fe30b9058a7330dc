//! Choices as bytes, and any bytes as choices: the format of a case's file, and the input that libFuzzer mutates.
//!
//! A byte below 252 is a choice of that value, because most choices are small. 252 is followed by one more byte, which
//! counts from 252 on; 253, 254 and 255 are followed by a number of two, three and four bytes, the lowest first.
//! Missing bytes at the end are 0.

const LITERALS: u32 = 252;

/// Decodes bytes into choices. Any bytes are valid.
///
/// ```
/// use wavetank_sim::fuzz::input::{decode, encode};
///
/// assert_eq!(decode(&[3, 252, 4, 253, 1, 2, 255, 9]), [3, 256, 513, 9]);
/// assert_eq!(decode(&encode(&[3, 256, 513, 70_000])), [3, 256, 513, 70_000]);
/// ```
pub fn decode(bytes: &[u8]) -> Vec<u32> {
    let mut bytes = bytes.iter().copied();
    let mut choices = Vec::new();
    while let Some(first) = bytes.next() {
        let mut number =
            |len: u32| (0..len).fold(0, |n, place| n | u32::from(bytes.next().unwrap_or(0)) << (8 * place));
        choices.push(match first {
            252 => LITERALS + number(1),
            253..=255 => number(u32::from(first) - 251),
            literal => u32::from(literal),
        });
    }
    choices
}

/// The shortest bytes that decode to these choices.
pub fn encode(choices: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(choices.len());
    for &choice in choices {
        let four = choice.to_le_bytes();
        match choice {
            0..LITERALS => bytes.push(four[0]),
            LITERALS..508 => bytes.extend([252, (choice - LITERALS) as u8]),
            508..0x1_0000 => bytes.extend([253, four[0], four[1]]),
            0x1_0000..0x100_0000 => bytes.extend([254, four[0], four[1], four[2]]),
            _ => bytes.extend([&[255], &four[..]].concat()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_all_bytes_can_be_read() {
        let edges =
            [0, 1, 251, 252, 253, 255, 256, 507, 508, 65_535, 65_536, 0xff_ffff, 0x100_0000, u32::MAX];
        assert_eq!(decode(&encode(&edges)), edges);
        for first in 0..=255 {
            for len in 0..6 {
                let bytes: Vec<u8> = std::iter::repeat_n(first, len).collect();
                let choices = decode(&bytes);
                assert_eq!(decode(&encode(&choices)), choices);
                assert!(encode(&choices).len() <= bytes.len() + 4, "never much longer: {bytes:?}");
            }
        }
    }
}
