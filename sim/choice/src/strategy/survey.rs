//! Surveys: facts about a scenario that are collected before a strategy runs.

use super::possible::Possible;
use super::{Request, Strategy};
use crate::menu::{Item, Menu};
use crate::moves::Lane;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Facts about a scenario that are collected before a strategy runs: how many moves of each lane its dullest run takes.
/// Some strategies need this as an estimate. It depends on the scenario alone, so a seed still names one run.
///
/// Lanes are identified by ids, and ids follow births. If births come in another order in some run, the estimate of one
/// lane is used for another. The strategy is then less even than it could be, but still sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The moves of each lane.
    pub moves: BTreeMap<Lane, u32>,
    /// For each lane, an entry for each time that it became able to move: how many moves it had made, and the lane that
    /// moved just before.
    pub wakes: BTreeMap<Lane, Vec<(u32, Lane)>>,
}

impl Survey {
    /// The number of all its moves.
    pub fn len(&self) -> u32 {
        self.moves.values().fold(0, |sum, moves| sum.saturating_add(*moves))
    }

    /// Whether it holds no facts.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }
}

/// Always picks item 0 and observes the run to make a [`Survey`].
pub struct Surveyor {
    survey: Arc<Mutex<Survey>>,
    possible: Possible,
    /// Whether time could pass at the last look.
    could_time_pass: bool,
    last: Option<Lane>,
}

impl Surveyor {
    /// Makes a surveyor that writes into `survey`.
    pub fn new(survey: Arc<Mutex<Survey>>) -> Self {
        Surveyor { survey, possible: Possible::default(), could_time_pass: false, last: None }
    }
}

impl Strategy for Surveyor {
    fn look(&mut self, menu: &Menu<'_>) {
        let mut survey = self.survey.lock().unwrap_or_else(PoisonError::into_inner);
        let mut can_move = |lane: Lane| {
            let made = *survey.moves.entry(lane).or_default();
            if let Some(by) = self.last.filter(|by| *by != lane) {
                survey.wakes.entry(lane).or_default().push((made, by));
            }
        };
        self.possible.look_at_lanes(menu, |lane, is_able| {
            if is_able {
                can_move(lane);
            }
        });
        let can_time_pass = menu.is_time_due() || menu.could_time_run_ahead();
        if can_time_pass && !self.could_time_pass {
            can_move(Lane::Clock);
        }
        self.could_time_pass = can_time_pass;
    }

    fn pick(&mut self, _: &Menu<'_>) -> usize {
        0
    }

    fn draw(&mut self, _: &Request<'_>) -> u32 {
        0
    }

    fn went(&mut self, item: Item) {
        let lane = item.lane();
        let mut survey = self.survey.lock().unwrap_or_else(PoisonError::into_inner);
        *survey.moves.entry(lane).or_default() += 1;
        self.last = Some(lane);
    }
}
