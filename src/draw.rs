//! The values that a draw may have. The draws themselves are in the shared state.

use std::sync::Arc;

/// The values that a draw may have: the numbers below [`bound`](Self::bound), of which 0 is the dullest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrawRange {
    /// 0 for no and 1 for yes. It is yes `times` times in `of`.
    Chance {
        /// How often it is yes.
        times: u32,
        /// In how many draws.
        of: u32,
    },
    /// A number below this, which is at least 1. All are equally likely.
    Below(u32),
    /// The place of an option; they are given in words, and there is at least one. All are equally likely.
    Options(Arc<[Arc<str>]>),
}

impl DrawRange {
    /// Every value is below this.
    pub fn bound(&self) -> u32 {
        match self {
            DrawRange::Chance { .. } => 2,
            DrawRange::Below(bound) => *bound,
            DrawRange::Options(options) => u32::try_from(options.len()).unwrap_or(u32::MAX),
        }
    }

    /// A value, in words.
    pub fn words(&self, value: u32) -> String {
        match self {
            DrawRange::Chance { .. } => if value == 0 { "no" } else { "yes" }.into(),
            DrawRange::Below(_) => value.to_string(),
            DrawRange::Options(options) => {
                options.get(value as usize).map_or_else(|| value.to_string(), |option| option.to_string())
            }
        }
    }
}
