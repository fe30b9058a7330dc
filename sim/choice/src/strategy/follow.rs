//! Follow: makes the moves of an earlier run by name, so that their order can be changed.
//!
//! A [`Replay`](super::Replay) repeats values, whose meaning changes as soon as one step comes at another time. Here
//! each planned move is made as soon as it is on the menu and no earlier planned move is. Amounts and all other draws
//! stay with the thing for which they were drawn.

use super::{Ask, Strategy};
use crate::choice::{Choice, Of};
use crate::menu::{Gusts, Item, Menu};
use std::collections::VecDeque;

/// Makes planned moves in their order, as far as possible. Past their end the run is calm.
#[derive(Clone)]
pub struct Follow {
    moves: VecDeque<Item>,
    gusts: VecDeque<Of>,
    draws: Vec<Choice>,
}

/// How many planned moves are searched for one that is on the menu.
const LOOKED_THROUGH: usize = 64;

impl Follow {
    /// Follows these moves, none of which is an injected fault. Draws take their values from these choices of the same
    /// run.
    pub fn new(moves: Vec<Item>, choices: &[Choice]) -> Self {
        let is_gust = |of: Of| match of {
            Of::NoGust => true,
            Of::Item(kind, _) => kind.is_gust(),
            _ => false,
        };
        let gusts = choices.iter().map(|choice| choice.of).filter(|&of| is_gust(of)).collect();
        let draws = choices.iter().filter(|choice| !matches!(choice.of, Of::Item(..) | Of::NoGust)).copied();
        Follow { moves: moves.into(), gusts, draws: draws.collect() }
    }

    fn gust(&mut self, gusts: &Gusts) -> u32 {
        let Some(Of::Item(kind, id)) = self.gusts.pop_front() else { return 0 };
        (0..gusts.len()).find(|&at| gusts.item(at) == Some(Item { kind, id })).unwrap_or(0) as u32
    }
}

impl Strategy for Follow {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        let items: Vec<Item> = menu.items().collect();
        let place = |wanted: &Item| items.iter().position(|item| item == wanted);
        self.moves.iter().take(LOOKED_THROUGH).find_map(place).unwrap_or(0)
    }

    fn draw(&mut self, ask: &Ask<'_>) -> u32 {
        match ask {
            Ask::Gust(gusts) => self.gust(gusts),
            Ask::Number { of, bound } => {
                let Some(at) = self.draws.iter().position(|drawn| drawn.of == *of) else { return 0 };
                self.draws.remove(at).value.min(bound - 1)
            }
        }
    }

    fn went(&mut self, item: Item) {
        let at = self.moves.iter().take(LOOKED_THROUGH).position(|planned| *planned == item);
        at.map(|at| self.moves.remove(at));
    }
}
