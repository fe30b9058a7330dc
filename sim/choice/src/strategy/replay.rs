//! Replays the choices of an earlier run.

use super::{Request, Strategy};
use crate::choice::Choice;
use crate::menu::Menu;

/// Replays the choices of an earlier run. Past their end the run is calm.
pub struct Replay {
    choices: std::vec::IntoIter<(u32, Option<u8>)>,
    expected: Option<u8>,
    drawn: usize,
    left_track: Option<String>,
}

impl Replay {
    /// Replays values, each with the fingerprint of its original meaning if that is known.
    pub fn new(choices: Vec<(u32, Option<u8>)>) -> Self {
        Replay { choices: choices.into_iter(), expected: None, drawn: 0, left_track: None }
    }

    /// The next value, or the largest allowed one if the value is too large now.
    fn next(&mut self, bound: usize) -> u32 {
        let Some((value, expected)) = self.choices.next() else {
            self.expected = None;
            return 0;
        };
        self.expected = expected;
        let last = (bound - 1) as u32;
        if value > last && self.left_track.is_none() {
            self.left_track = Some(format!("choice {} was {value}, of {bound} now", self.drawn + 1));
        }
        value.min(last)
    }
}

impl Strategy for Replay {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        self.next(menu.len()) as usize
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        self.next(ask.bound() as usize)
    }

    fn drew(&mut self, choice: Choice) {
        self.drawn += 1;
        let differs = self.expected.is_some_and(|expected| expected != choice.of.check());
        if differs && self.left_track.is_none() {
            self.left_track =
                Some(format!("choice {} means {:?} now, and another thing then", self.drawn, choice.of));
        }
    }

    fn remark(&self) -> Option<String> {
        self.left_track.clone()
    }
}
