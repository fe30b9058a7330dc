//! The code that the attribute [`test`](macro@crate::test) calls. Not for users.

use crate::check::{Check, check};
use crate::guest_panic::SourceLine;
use crate::worker::marker::Marker;
use crate::world::World;
use std::fmt;
use wavetank_choice::profile::Profile;
use wavetank_choice::strategy::StrategyName;

/// A check of a function with the attribute. `mark` is a [`Marker`] as text.
///
/// # Panics
/// If it is no mark.
// The mark must stay in the binary as it is, and so be read at run time.
#[inline(never)]
pub fn marked<F: Fn(&mut World) + Sync>(mark: &'static str, scenario: F) -> Check<F> {
    let mark = Marker::read(std::hint::black_box(mark)).expect("the attribute writes marks");
    let at = SourceLine { file: mark.file.clone(), line: mark.line };
    check(&mark.name(), scenario).made_at(at)
}

/// What a function with the attribute may return.
pub trait Returned {
    /// Panics if it is an error.
    fn end(self);
}

impl Returned for () {
    fn end(self) {}
}

impl<T: Returned, E: fmt::Debug> Returned for Result<T, E> {
    #[track_caller]
    fn end(self) {
        match self {
            Ok(returned) => returned.end(),
            Err(e) => panic!("the scenario returned an error: {e:?}"),
        }
    }
}

/// The seeds that the attribute names: a range, or a number of seeds from 0 on.
pub trait Seeds {
    /// The range.
    fn range(self) -> std::ops::Range<u64>;
}

impl Seeds for std::ops::Range<u64> {
    fn range(self) -> std::ops::Range<u64> {
        self
    }
}

impl Seeds for u64 {
    fn range(self) -> std::ops::Range<u64> {
        0..self
    }
}

/// The profile with a name, or of a file.
///
/// # Panics
/// If there is no such profile.
pub fn profile(name: &str) -> Profile {
    name.parse().unwrap_or_else(|e| panic!("#[wavetank_sim::test(profile = {name:?})]: {e}"))
}

/// The strategy with a name.
///
/// # Panics
/// If there is no such strategy.
pub fn strategy(name: &str) -> StrategyName {
    name.parse().unwrap_or_else(|e| panic!("#[wavetank_sim::test(strategy = {name:?})]: {e}"))
}
