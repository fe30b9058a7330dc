//! Lets time pass although something else could happen.

use crate::menu::Menu;
use crate::seed::below;
use rand_chacha::ChaCha8Rng;

/// Whether a seed's clock runs ahead, and how often.
///
/// A clock that runs ahead of everything else is legal, but rare. In three seeds of four, time passes only when nothing
/// else can happen. So the promises of a strategy about orders are not diluted.
pub(super) struct Time {
    one_in: u32,
}

impl Time {
    pub(super) fn new(rng: &mut ChaCha8Rng) -> Self {
        Time { one_in: if below(rng, 4) == 0 { 4 << below(rng, 5) } else { 0 } }
    }

    /// How many items there are besides that of the clock, which is the last one unless a time is due. `None` if time
    /// passes now.
    pub(super) fn others(&self, menu: &Menu<'_>, rng: &mut ChaCha8Rng) -> Option<usize> {
        // A time that is due is a move like any other.
        if !menu.could_time_run_ahead() {
            return Some(menu.len());
        }
        let passes = self.one_in > 0 && below(rng, self.one_in) == 0;
        (!passes).then(|| menu.len() - 1)
    }
}
