//! The portfolio: seeds divided among strategies, for no strategy wins everywhere.

use super::StrategyName;
use crate::seed::Seed;

/// Which strategy takes a seed: the place of `seed % 16`. Neighbours differ, so that any sixteen seeds in a row
/// meet all of them, and few already meet most.
pub const PARTS: [StrategyName; 16] = [
    StrategyName::Random,
    StrategyName::Urw,
    StrategyName::Pct(None),
    StrategyName::Random,
    StrategyName::Surw,
    StrategyName::Pos,
    StrategyName::Urw,
    StrategyName::Random,
    StrategyName::Pct(None),
    StrategyName::Urw,
    StrategyName::Random,
    StrategyName::Surw,
    StrategyName::Pos,
    StrategyName::Urw,
    StrategyName::Random,
    StrategyName::Pct(None),
];

/// The strategy that takes a seed.
pub fn part(seed: Seed) -> StrategyName {
    PARTS[(seed.0 % PARTS.len() as u64) as usize].clone()
}
