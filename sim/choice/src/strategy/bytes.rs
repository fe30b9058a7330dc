//! Choices from bytes, for fuzzers.

use super::{Request, Strategy};
use crate::choice::Meaning;
use crate::menu::Menu;
use crate::profile::Level;

/// Reads choices from bytes. If the bound of a choice is at most 256, the choice takes one byte. Otherwise it takes as
/// many bytes as it needs, the lowest first. A number that is too large is reduced modulo its bound. Past the end
/// everything is 0, which is calm.
///
/// Small changes of the bytes are small changes of the run, and fewer bytes are fewer choices. This suits a fuzzer's
/// mutations and its minimising.
#[derive(Clone, Debug)]
pub struct Bytes {
    bytes: std::vec::IntoIter<u8>,
    roughest: Level,
}

impl Bytes {
    /// Reads choices from these bytes, in worlds up to [`Level::Weather`], in which a correct guest is never blamed.
    pub fn new(bytes: Vec<u8>) -> Self {
        Bytes { bytes: bytes.into_iter(), roughest: Level::Weather }
    }

    /// Sets how rough worlds may be.
    pub fn up_to(mut self, roughest: Level) -> Self {
        self.roughest = roughest;
        self
    }

    fn below(&mut self, bound: usize) -> usize {
        let largest = bound - 1;
        let needed = (usize::BITS - largest.leading_zeros()).div_ceil(8);
        let mut value = 0;
        for place in 0..needed {
            value |= usize::from(self.bytes.next().unwrap_or(0)) << (8 * place);
        }
        value % bound
    }
}

impl Strategy for Bytes {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        self.below(menu.len())
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        let bound = match ask {
            Request::Number { of: Meaning::Level, bound } => (*bound).min(self.roughest as u32 + 1),
            _ => ask.bound(),
        };
        self.below(bound as usize) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_takes_as_many_bytes_as_its_bound_needs_and_what_is_too_large_goes_round() {
        let mut bytes = Bytes::new(vec![9, 255, 1, 2, 3, 4, 5]);
        let of = Meaning::Value;
        let mut draw = |bound| bytes.draw(&Request::Number { of, bound });
        assert_eq!([draw(4), draw(256), draw(257), draw(70_000)], [1, 255, 0x201 % 257, 0x5_0403 % 70_000]);
        assert_eq!([draw(2), draw(1_000)], [0, 0]);
    }

    #[test]
    fn worlds_are_no_rougher_than_allowed() {
        let level = Request::Number { of: Meaning::Level, bound: Level::COUNT };
        for byte in 0..=255 {
            assert!(Bytes::new(vec![byte]).draw(&level) <= Level::Weather as u32);
        }
        assert_eq!(Bytes::new(vec![3]).up_to(Level::Disorder).draw(&level), Level::Disorder as u32);
    }
}
