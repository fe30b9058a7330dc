//! The chooser: asks a strategy for each choice and records it.

use crate::choice::{Choice, Meaning, Occasion};
use crate::menu::{Item, Menu, PossibleFaults};
use crate::strategy::{Request, Strategy};

/// Draws choices from a strategy and records them, up to a bound. After that every choice is 0.
pub struct Chooser {
    strategy: Box<dyn Strategy>,
    record: Vec<Choice>,
    occasions: Vec<Occasion>,
    step: u64,
    max_choices: usize,
}

impl Chooser {
    /// Makes a chooser that asks `strategy` at most `max_choices` times.
    pub fn new(strategy: Box<dyn Strategy>, max_choices: usize) -> Self {
        Chooser { strategy, record: Vec::new(), occasions: Vec::new(), step: 0, max_choices }
    }

    /// Sets the number of the current step.
    pub fn at_step(&mut self, step: u64) {
        self.step = step;
    }

    /// Whether the calm phase has begun.
    pub fn is_calm(&self) -> bool {
        self.record.len() >= self.max_choices
    }

    /// Picks from a menu, which is not empty. If the menu has only one item, no choice is recorded.
    pub fn pick(&mut self, menu: &Menu<'_>) -> Item {
        if !self.is_calm() {
            self.strategy.look(menu);
        }
        if menu.len() <= 1 || self.is_calm() {
            let item = menu.item(0);
            self.strategy.went(item);
            return item;
        }
        let picked = self.strategy.pick(menu);
        assert!(picked < menu.len(), "a strategy picked item {picked} of a menu of {}", menu.len());
        let item = menu.item(picked);
        let calm = if picked == 0 { item } else { menu.item(0) };
        self.note(picked as u32, Meaning::Item(item.kind, item.id), menu.len() as u32, Some(calm));
        self.strategy.went(item);
        item
    }

    /// Draws the injected fault that comes next, if any.
    pub fn fault(&mut self, faults: &PossibleFaults) -> Option<Item> {
        if faults.is_empty() || self.is_calm() {
            return None;
        }
        let picked = self.strategy.draw(&Request::Fault(faults)) as usize;
        assert!(picked < faults.len(), "a strategy drew fault {picked} of {}", faults.len());
        let item = faults.item(picked);
        self.note(
            picked as u32,
            item.map_or(Meaning::NoFault, |item| Meaning::Item(item.kind, item.id)),
            faults.len() as u32,
            None,
        );
        item
    }

    /// Draws a number below `bound`; 0 is the dullest.
    pub fn draw(&mut self, of: Meaning, bound: u32) -> u32 {
        if bound <= 1 || self.is_calm() {
            return 0;
        }
        let value = self.strategy.draw(&Request::Number { of, bound });
        assert!(value < bound, "a strategy drew {value} of {bound}");
        self.note(value, of, bound, None);
        value
    }

    /// Draws whether something happens that happens `times` times in `among`. It is recorded as 1 if it does, and as 0,
    /// which is the dullest, if it does not. If there is no doubt, nothing is recorded.
    pub fn chance(&mut self, of: Meaning, times: u32, among: u32) -> bool {
        if times >= among {
            return true;
        }
        if times == 0 || self.is_calm() {
            return false;
        }
        let value = self.strategy.draw(&Request::Chance { of, times, among });
        assert!(value < 2, "a strategy drew {value} of no and yes");
        self.note(value, of, 2, None);
        value == 1
    }

    /// Tells the strategy that the move just made touched a pipe.
    pub fn touched(&mut self, pipe: u32) {
        self.strategy.touched(pipe);
    }

    fn note(&mut self, value: u32, of: Meaning, bound: u32, calm: Option<Item>) {
        let choice = Choice { value, of };
        self.strategy.drew(choice);
        self.record.push(choice);
        self.occasions.push(Occasion { step: self.step, bound, calm });
    }

    /// Returns the choices, their occasions and the strategy's remark. Zeros at the end of the choices are removed,
    /// because they have no effect.
    pub fn finish(&mut self) -> (Vec<Choice>, Vec<Occasion>, Option<String>) {
        let mut choices = std::mem::take(&mut self.record);
        let mut occasions = std::mem::take(&mut self.occasions);
        while choices.last().is_some_and(|choice| choice.value == 0) {
            choices.pop();
        }
        occasions.truncate(choices.len());
        (choices, occasions, self.strategy.remark())
    }
}
