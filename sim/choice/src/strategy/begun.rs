//! Given choices first, then drawn ones.

use super::{Request, Strategy};
use crate::choice::{Choice, Meaning};
use crate::menu::{Item, Menu};
use crate::profile::Level;

/// Uses given choices. When they have ended, another strategy goes on; it has observed the run from the first move.
///
/// A number that is too large is reduced modulo its bound, so any numbers are legal choices. A fuzzer can change them
/// without repairing them.
pub struct GivenThenDrawn {
    given: std::vec::IntoIter<u32>,
    roughest: Level,
    then: Box<dyn Strategy>,
}

impl GivenThenDrawn {
    /// Begins with these choices, in worlds no rougher than `roughest`, and goes on with `then`.
    pub fn new(given: Vec<u32>, roughest: Level, then: Box<dyn Strategy>) -> Self {
        GivenThenDrawn { given: given.into_iter(), roughest, then }
    }
}

impl Strategy for GivenThenDrawn {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        match self.given.next() {
            Some(value) => value as usize % menu.len(),
            None => self.then.pick(menu),
        }
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        let Some(value) = self.given.next() else { return self.then.draw(ask) };
        let bound = match ask {
            Request::Number { of: Meaning::Level, bound } => (*bound).min(self.roughest as u32 + 1),
            _ => ask.bound(),
        };
        value % bound
    }

    fn look(&mut self, menu: &Menu<'_>) {
        self.then.look(menu);
    }

    fn drew(&mut self, choice: Choice) {
        self.then.drew(choice);
    }

    fn went(&mut self, item: Item) {
        self.then.went(item);
    }

    fn touched(&mut self, pipe: u32) {
        self.then.touched(pipe);
    }

    fn remark(&self) -> Option<String> {
        self.then.remark()
    }
}
