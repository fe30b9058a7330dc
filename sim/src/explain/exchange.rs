//! The exchange: two steps of different lanes that make a failing run pass where they come the other way round.
//!
//! Each try is a run that [follows](Follow) the failing one's moves with the later of two made first. First tried
//! are the choices that are left, each against the move that the calm policy would have made; then neighbours, the
//! last first.

use super::Again;
use super::chosen::{moves, next_of};
use crate::choice::Of;
use crate::menu::Item;
use crate::moves::Move;
use crate::run::Run;
use crate::strategy::Follow;
use crate::transcript::Names;
use std::fmt;

/// Two steps that make a run pass where they come the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The earlier one's number, from 1, and what it was.
    pub first: (usize, String),
    /// The later one's.
    pub second: (usize, String),
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((first, one), (second, other)) = (&self.first, &self.second);
        write!(f, "it passes where step {first} ({one}) comes after step {second} ({other})")
    }
}

/// Steps that looking may take: few tries where a run is long.
const EXCHANGE_STEPS: usize = 500_000;

pub(super) fn exchange(run: &Run, names: &Names, budget_runs: usize, again: Again<'_>) -> Option<Exchange> {
    let moves = moves(run);
    let budget_runs = budget_runs.min(EXCHANGE_STEPS / moves.len().max(1));
    let passes = |&(one, other): &(usize, usize)| {
        let followed = Follow::new(exchanged(&moves, one, other), &run.choices);
        let again = again(&move || Box::new(followed.clone()));
        let made = self::moves(&again);
        // Only where the later one could be made then at all.
        let later = item(moves[other]);
        again.outcome.is_finished() && made.get(one).copied().and_then(item) == later
    };
    let (one, other) = pairs(run, &moves).into_iter().take(budget_runs).find(passes)?;
    let told = |at: usize| (at + 1, names.moved(moves[at]));
    Some(Exchange { first: told(one), second: told(other) })
}

/// What a menu calls a move; `None` of gusts, which are on no menu.
fn item(moved: Move) -> Option<Item> {
    (!moved.kind().is_gust()).then(|| Item { kind: moved.kind(), id: moved.id() })
}

/// Places of two moves that could be made the other way round.
fn pairs(run: &Run, moves: &[Move]) -> Vec<(usize, usize)> {
    let lane = |at: usize| item(moves[at]).map(Item::lane);
    let may = |&(one, other): &(usize, usize)| {
        lane(one).is_some() && lane(other).is_some() && lane(one) != lane(other)
    };
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (choice, occasion) in run.choices.iter().zip(&run.occasions).rev() {
        if let (Of::Item(..), Some(calm), 1..) = (choice.of, occasion.calm, choice.value)
            && let Some(one) = (occasion.step as usize).checked_sub(1)
            && let Some(other) = next_of(moves, one + 1, calm)
        {
            pairs.push((one, other));
        }
    }
    let neighbours = (1..moves.len()).rev().map(|at| (at - 1, at));
    pairs.extend(neighbours);
    pairs.retain(may);
    let mut seen = std::collections::BTreeSet::new();
    pairs.retain(|pair| seen.insert(*pair));
    pairs
}

/// The moves with a later one made just before an earlier one.
fn exchanged(moves: &[Move], one: usize, other: usize) -> Vec<Item> {
    let mut order: Vec<Move> = moves.to_vec();
    let later = order.remove(other);
    order.insert(one, later);
    order.into_iter().filter_map(item).collect()
}
