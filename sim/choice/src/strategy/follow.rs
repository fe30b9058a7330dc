//! Follow: makes the moves of an earlier run by name, so that their order can be changed.
//!
//! A [`Replay`](super::Replay) repeats values, whose meaning changes as soon as one step comes at another time. Here
//! each planned move is made as soon as it is on the menu and no earlier planned move is. Amounts and all other draws
//! stay with the thing for which they were drawn.

use super::{Request, Strategy};
use crate::choice::{Choice, Meaning};
use crate::menu::{Item, Menu, PossibleFaults};
use std::collections::VecDeque;

/// Makes planned moves in their order, as far as possible. Past their end the run is calm.
#[derive(Clone)]
pub struct Follow {
    moves: VecDeque<Item>,
    faults: VecDeque<Meaning>,
    draws: Vec<Choice>,
}

/// How many planned moves are searched for one that is on the menu.
const LOOKED_THROUGH: usize = 64;

impl Follow {
    /// Follows these moves, none of which is an injected fault. Draws take their values from these choices of the same
    /// run.
    pub fn new(moves: Vec<Item>, choices: &[Choice]) -> Self {
        let is_fault = |of: Meaning| match of {
            Meaning::NoFault => true,
            Meaning::Item(kind, _) => kind.is_fault(),
            _ => false,
        };
        let faults = choices.iter().map(|choice| choice.of).filter(|&of| is_fault(of)).collect();
        let draws = choices
            .iter()
            .filter(|choice| !matches!(choice.of, Meaning::Item(..) | Meaning::NoFault))
            .copied();
        Follow { moves: moves.into(), faults, draws: draws.collect() }
    }

    fn fault(&mut self, faults: &PossibleFaults) -> u32 {
        let Some(Meaning::Item(kind, id)) = self.faults.pop_front() else { return 0 };
        (0..faults.len()).find(|&at| faults.item(at) == Some(Item { kind, id })).unwrap_or(0) as u32
    }
}

impl Strategy for Follow {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        let items: Vec<Item> = menu.items().collect();
        let place = |wanted: &Item| items.iter().position(|item| item == wanted);
        self.moves.iter().take(LOOKED_THROUGH).find_map(place).unwrap_or(0)
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        match ask {
            Request::Fault(faults) => self.fault(faults),
            Request::Number { of, .. } | Request::Chance { of, .. } => {
                let Some(at) = self.draws.iter().position(|drawn| drawn.of == *of) else { return 0 };
                self.draws.remove(at).value.min(ask.bound() - 1)
            }
        }
    }

    fn went(&mut self, item: Item) {
        let at = self.moves.iter().take(LOOKED_THROUGH).position(|planned| *planned == item);
        at.map(|at| self.moves.remove(at));
    }
}
