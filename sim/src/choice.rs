//! Choices: the finite sequence of small numbers that a run consists of.

use crate::menu::Menu;
use crate::moves::Kind;
use crate::strategy::Strategy;

/// One bounded number that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What was drawn: 0 is the dullest.
    pub value: u32,
    /// What it meant, so that a replay can tell where it left the track.
    pub of: Of,
}

/// What a choice was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The next move: its kind, and the actor or thing it names.
    Item(Kind, u32),
    /// How many bytes of a pipe.
    Amount(u32),
    /// How a new pipe flows.
    Pipe(u32),
    /// What a scenario asked for.
    Value,
}

impl Of {
    /// A small fingerprint: what a token keeps of it.
    pub fn check(self) -> u8 {
        let (tag, id) = match self {
            Of::Item(kind, id) => (kind as u32, id),
            Of::Amount(pipe) => (16, pipe),
            Of::Pipe(pipe) => (17, pipe),
            Of::Value => (18, 0),
        };
        (tag.wrapping_mul(41).wrapping_add(id.wrapping_mul(7)) % 251) as u8
    }
}

/// Draws choices from a strategy and records them, up to a bound; after it every choice is 0.
pub struct Chooser {
    strategy: Box<dyn Strategy>,
    record: Vec<Choice>,
    max_choices: usize,
}

impl Chooser {
    /// A chooser that asks `strategy` at most `max_choices` times.
    pub fn new(strategy: Box<dyn Strategy>, max_choices: usize) -> Self {
        Chooser { strategy, record: Vec::new(), max_choices }
    }

    /// Whether the calm phase has begun.
    pub fn is_calm(&self) -> bool {
        self.record.len() >= self.max_choices
    }

    /// Picks from a menu: an index below `menu.len()`. A menu of one item is no choice.
    pub fn pick(&mut self, menu: &Menu) -> usize {
        if menu.len() <= 1 || self.is_calm() {
            return 0;
        }
        let picked = self.strategy.pick(menu);
        assert!(picked < menu.len(), "a strategy picked item {picked} of a menu of {}", menu.len());
        picked
    }

    /// Writes down what a pick turned out to mean.
    pub fn picked(&mut self, menu: &Menu, item: usize, kind: Kind, id: u32) {
        if menu.len() > 1 && !self.is_calm() {
            self.note(item as u32, Of::Item(kind, id));
        }
    }

    /// Draws a number below `bound` that says how much; 0 is all.
    pub fn amount(&mut self, pipe: u32, bound: u32) -> u32 {
        if bound <= 1 || self.is_calm() {
            return 0;
        }
        let value = self.strategy.amount(bound);
        assert!(value < bound, "a strategy drew {value} of {bound}");
        self.note(value, Of::Amount(pipe));
        value
    }

    /// Draws a number below `bound` that says how a pipe flows; 0 is freely.
    pub fn pipe(&mut self, pipe: u32, bound: u32) -> u32 {
        if bound <= 1 || self.is_calm() {
            return 0;
        }
        let value = self.strategy.pipe(bound);
        assert!(value < bound, "a strategy drew {value} of {bound}");
        self.note(value, Of::Pipe(pipe));
        value
    }

    /// Draws a number below `bound` for a scenario.
    pub fn value(&mut self, bound: u32) -> u32 {
        if bound <= 1 || self.is_calm() {
            return 0;
        }
        let value = self.strategy.value(bound);
        assert!(value < bound, "a strategy drew {value} of {bound}");
        self.note(value, Of::Value);
        value
    }

    fn note(&mut self, value: u32, of: Of) {
        let choice = Choice { value, of };
        self.strategy.drew(choice);
        self.record.push(choice);
    }

    /// What was drawn, without the zeros at its end, which mean nothing; and what the strategy has to say.
    pub fn finish(&mut self) -> (Vec<Choice>, Option<String>) {
        let mut choices = std::mem::take(&mut self.record);
        while choices.last().is_some_and(|choice| choice.value == 0) {
            choices.pop();
        }
        (choices, self.strategy.remark())
    }
}
