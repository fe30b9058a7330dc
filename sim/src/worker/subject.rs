//! The scenario that a worker or a command works on.

use crate::explain::Explanation;
use crate::fuzz::search::Proposal;
use crate::guests;
use crate::harness::Harness;
use crate::run::{Choices, Run};
use crate::saved::{self, Retry, SavedFailure, Setting};
use crate::world::World;
use std::sync::mpsc;
use std::time::Duration;
use wavetank_choice::profile::{Profile, ProfileError};
use wavetank_choice::seed::Seed;

/// A scenario under a setup, with all that its reports name.
pub trait Subject {
    /// The scenario.
    type Scenario: Fn(&mut World) + Sync;

    /// Its name in tokens.
    fn name(&self) -> &str;

    /// Its name for people.
    fn title(&self) -> &str;

    /// The command as the user called it, for lines that name it.
    fn command(&self) -> &str;

    /// The line that replays a token.
    fn replay_line(&self, token: &str) -> String;

    /// The scenario under its setup.
    fn harness(&self) -> &Harness<Self::Scenario>;

    /// The same, to be changed.
    fn harness_mut(&mut self) -> &mut Harness<Self::Scenario>;

    /// The setting that is saved with each failure.
    fn setting(&self, seed: Seed) -> Setting;

    /// Whether reports show the output of the cells.
    fn shows_output(&self) -> bool {
        false
    }

    /// Built guests that a user may name.
    fn guests(&self) -> &[(&'static str, &'static [u8])] {
        guests::ALL
    }

    /// Runs it under a seed with these choices, and repeats and compares the run if `compares`. It says so if guests
    /// are compiled for long.
    fn run_with(&self, seed: Seed, choices: Choices, compares: bool) -> Run;

    /// Runs it under a seed.
    fn run(&self, seed: Seed) -> Run {
        self.run_with(seed, self.harness().choices().clone(), self.harness().is_comparing())
    }

    /// Runs it once under a seed with other choices.
    fn replay(&self, seed: Seed, choices: Choices) -> Run {
        self.run_with(seed, choices, false)
    }

    /// Makes a run that a fuzzer's search asks for.
    fn run_proposed(&self, seed: Seed, proposal: &Proposal, profile: &Profile) -> Run {
        self.replay(seed, proposal.choices(profile))
    }

    /// Retries a saved failure of it.
    ///
    /// # Errors
    /// [`ProfileError`] if only the profile's file could give the choices, and that file no longer exists.
    fn retry(&self, kept: &SavedFailure) -> Result<Retry, ProfileError> {
        let replay = |choices| self.run_with(kept.seed, choices, kept.setting.canary);
        saved::retry(kept, &self.setting(kept.seed), replay)
    }

    /// Replaces one component by another from here on.
    ///
    /// # Errors
    /// The engine's reason if the other component cannot start.
    fn replace(&mut self, old: &[u8], new: &[u8]) -> Result<(), wavetank::Error> {
        let engine = self.harness().engine().replacing(old, new)?;
        self.harness_mut().base_mut().engine = engine;
        Ok(())
    }

    /// The setting of a failure that a fuzzer found. Drawn anew, its seed gives another run.
    fn setting_of_found(&self, seed: Seed) -> Setting {
        Setting { strategy: None, profile: None, ..self.setting(seed) }
    }

    /// Explains a failure, with at most `budget_runs` runs.
    fn explain(&self, run: &Run, budget_runs: usize) -> Explanation {
        self.harness().explain(run, budget_runs)
    }
}

/// How long guests may compile before anybody says so.
pub const COMPILES_UNTOLD: Duration = Duration::from_secs(1);

/// Does work that may take long, and calls `say` if it takes longer than `patience`.
pub fn said_if_long<T>(patience: Duration, say: impl FnOnce() + Send, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (done, waits) = mpsc::channel::<()>();
        scope.spawn(move || {
            if waits.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                say();
            }
        });
        let result = work();
        drop(done);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_said_while_it_does() {
        let (say, said) = mpsc::channel();
        // The work ends only after `say` was called.
        let ended = said_if_long(Duration::ZERO, || say.send(()).expect("it is heard"), || said.recv());
        assert_eq!(ended, Ok(()));
        assert_eq!(said_if_long(Duration::MAX, || unreachable!("it takes no time"), || 3), 3);
    }
}
