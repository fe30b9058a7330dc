//! The portfolio: seeds are divided among strategies, because no strategy wins everywhere.

use super::StrategyName;
use crate::seed::Seed;

/// The strategies by `seed % 16`. Neighbours differ, so any sixteen seeds in a row use all of them, and a few seeds
/// already use most.
///
/// `Random` has the most seeds (5), because it needs no estimate and favours nothing. `Urw` has 4 and `Surw` has 3,
/// because uniform walks are far ahead if only few of many orders fail. PCT (3) finds bugs that need few constraints
/// among many steps, and at depth 1 bugs behind one long wait.
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

/// The strategy for a seed.
pub fn part(seed: Seed) -> StrategyName {
    PARTS[(seed.0 % PARTS.len() as u64) as usize].clone()
}
