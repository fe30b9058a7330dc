//! Surveys: what is known of a scenario before a strategy sets out.

use super::{Ask, Strategy};
use crate::menu::{Item, Menu};
use crate::moves::Lane;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What is known of a scenario before a strategy sets out: how many moves of each lane its dullest run takes.
/// Some strategies need an estimate of it. It is a fact of the scenario, so a seed still names one run.
///
/// Lanes are told apart by ids, and ids follow births: where a run's births come in another order, the estimate
/// of one lane is held for that of another, and a strategy is less even than it might be, but no less sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// By lane, its moves.
    pub moves: BTreeMap<Lane, u32>,
    /// By lane, the one after whose move it could move for the first time.
    pub parents: BTreeMap<Lane, Lane>,
}

impl Survey {
    /// All its moves.
    pub fn len(&self) -> u32 {
        self.moves.values().fold(0, |sum, moves| sum.saturating_add(*moves))
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }
}

/// Always item 0, and looks about: makes a [`Survey`].
pub struct Surveyor {
    survey: Arc<Mutex<Survey>>,
    last: Option<Lane>,
}

impl Surveyor {
    /// One that writes into `survey`.
    pub fn new(survey: Arc<Mutex<Survey>>) -> Self {
        Surveyor { survey, last: None }
    }
}

impl Strategy for Surveyor {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        let mut survey = self.survey.lock().unwrap_or_else(PoisonError::into_inner);
        for lane in menu.items().map(Item::lane) {
            see(&mut survey, lane, self.last);
        }
        0
    }

    fn draw(&mut self, _: &Ask<'_>) -> u32 {
        0
    }

    fn went(&mut self, item: Item) {
        let mut survey = self.survey.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = item.lane();
        see(&mut survey, lane, self.last);
        *survey.moves.entry(lane).or_default() += 1;
        self.last = Some(lane);
    }
}

fn see(survey: &mut Survey, lane: Lane, after: Option<Lane>) {
    if survey.moves.contains_key(&lane) {
        return;
    }
    survey.moves.insert(lane, 0);
    if let Some(parent) = after {
        survey.parents.insert(lane, parent);
    }
}
