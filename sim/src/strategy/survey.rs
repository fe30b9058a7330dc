//! Surveys: what is known of a scenario before a strategy sets out.

use super::{Ask, Strategy};
use crate::menu::{Item, Menu};
use crate::moves::Lane;
use std::collections::{BTreeMap, BTreeSet};
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
    /// By lane, whenever it could move and could not before: how many moves it had made, and the lane after
    /// whose move it was.
    pub wakes: BTreeMap<Lane, Vec<(u32, Lane)>>,
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
    /// Who could move when it was looked last.
    could: BTreeSet<Lane>,
    looked: bool,
    last: Option<Lane>,
}

impl Surveyor {
    /// One that writes into `survey`.
    pub fn new(survey: Arc<Mutex<Survey>>) -> Self {
        Surveyor { survey, could: BTreeSet::new(), looked: false, last: None }
    }

    fn look(&mut self, can: BTreeSet<Lane>) {
        let mut survey = self.survey.lock().unwrap_or_else(PoisonError::into_inner);
        for &lane in can.difference(&self.could) {
            let made = *survey.moves.entry(lane).or_default();
            if let Some(by) = self.last.filter(|by| *by != lane) {
                survey.wakes.entry(lane).or_default().push((made, by));
            }
        }
        self.could = can;
        self.looked = true;
    }
}

impl Strategy for Surveyor {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        self.look(menu.items().map(Item::lane).collect());
        0
    }

    fn draw(&mut self, _: &Ask<'_>) -> u32 {
        0
    }

    fn went(&mut self, item: Item) {
        let lane = item.lane();
        if !self.looked {
            // A menu of one item is no choice, and not shown.
            self.look([lane].into());
        }
        self.looked = false;
        let mut survey = self.survey.lock().unwrap_or_else(PoisonError::into_inner);
        *survey.moves.entry(lane).or_default() += 1;
        self.last = Some(lane);
    }
}
