//! The portfolio: seeds divided among strategies, for no strategy wins everywhere.

use super::StrategyName;
use crate::seed::Seed;

/// Which strategy takes a seed: the place of `seed % 16`. Neighbours differ, so that any sixteen seeds in a row
/// meet all of them, and few already meet most.
///
/// Random walks have the most seeds: they need no estimate and favour nothing. The uniform ones have nearly as
/// many: where something is hidden in few of many orders they are far ahead. PCT has what is hidden behind few
/// constraints among many steps, and at depth 1 what is hidden behind one long wait.
pub const PARTS: [StrategyName; 16] = [
    StrategyName::Random,
    StrategyName::Urw,
    StrategyName::Pct(Some(1)),
    StrategyName::Surw,
    StrategyName::Random,
    StrategyName::Urw,
    StrategyName::Pct(None),
    StrategyName::Random,
    StrategyName::Surw,
    StrategyName::Urw,
    StrategyName::Random,
    StrategyName::Pos,
    StrategyName::Surw,
    StrategyName::Random,
    StrategyName::Urw,
    StrategyName::Pct(None),
];

/// The strategy that takes a seed.
pub fn part(seed: Seed) -> StrategyName {
    PARTS[(seed.0 % PARTS.len() as u64) as usize].clone()
}
