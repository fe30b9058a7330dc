//! Tasks of a scenario: those that must end, and those in the background.
//!
//! A background task need not end: a janitor, a heartbeat, a queue's consumer. While anything else is unfinished, it
//! works like any other task. Once nothing else is left to do, the world comes to rest without it:
//!
//! - No time passes for its timers, and its operations of fake I/O and its draws are not decided any more.
//! - It does what it can do without them, so that a consumer empties its queue, but gets [`LAST_POLLS`] polls at most.
//!   So a loop of calls comes to an end too.
//!
//! "Nothing else" means: all cells and all tasks that must end have ended, and no script offers an operation. Tasks that
//! a runtime beside the world spawned are background tasks too.

use super::World;
use crate::executor::{Spawner, TaskOwner};
use crate::moves::Move;
use futures::FutureExt;
use wavetank::{ActorId, SharedState};

/// Polls that background tasks get after everything else has ended.
pub(super) const LAST_POLLS: u64 = 1_000;

/// Gives tasks to a world, also while it runs: a server may hold it. Clones are the same and cheap.
///
/// ```
/// use std::time::Duration;
/// use wavetank_sim::{World, check};
///
/// check("spawns", |world: &mut World| {
///     let (tasks, clock) = (world.tasks(), world.clock());
///     world.task("parent", async move {
///         tasks.background("heartbeat", {
///             let clock = clock.clone();
///             async move {
///                 loop {
///                     clock.sleep(Duration::from_secs(1)).await;
///                 }
///             }
///         });
///         tasks.task("child", async move { clock.sleep(Duration::from_secs(3)).await });
///     });
/// })
/// .no_failures()
/// .run();
/// ```
#[derive(Clone)]
pub struct Tasks {
    vat: ActorId,
    spawner: Spawner,
    shared: SharedState,
}

impl Tasks {
    /// Adds a task. The world is at rest only after it has ended.
    pub fn task(&self, name: &str, task: impl Future<Output = ()> + 'static) {
        self.spawner.spawn(name, self.vat.0, TaskOwner::Scenario, task.boxed_local());
    }

    /// Adds a background task: one that need not end.
    pub fn background(&self, name: &str, task: impl Future<Output = ()> + 'static) {
        let task = self.shared.in_background(task);
        self.spawner.spawn(name, self.vat.0, TaskOwner::Background, task.boxed_local());
    }
}

impl World {
    /// Gives tasks to the host, also while the world runs.
    pub fn tasks(&self) -> Tasks {
        self.tasks_of(self.host)
    }

    /// Gives tasks to a vat, also while the world runs.
    pub fn tasks_of(&self, vat: ActorId) -> Tasks {
        Tasks { vat, spawner: self.executor.spawner(), shared: self.shared.clone() }
    }

    /// Adds a background task of the host: one that need not end. If it waits for ever, that is no stall; if it panics,
    /// the run fails. Once nothing else is left to do, the world comes to rest without it: no time passes for its sake,
    /// and its I/O and its draws are not decided any more. Work that must be done by the end belongs in a
    /// [`task`](World::task).
    ///
    /// ```
    /// use std::time::Duration;
    /// use wavetank_sim::{World, check};
    ///
    /// let run = check("keeps house", |world: &mut World| {
    ///     let clock = world.clock();
    ///     world.background("janitor", async move {
    ///         loop {
    ///             clock.sleep(Duration::from_secs(1)).await;
    ///         }
    ///     });
    ///     let clock = world.clock();
    ///     world.task("work", async move { clock.sleep(Duration::from_secs(5)).await });
    /// })
    /// .run_seed(1);
    /// assert!(run.outcome.is_finished(), "{}", run.outcome);
    /// ```
    pub fn background(&self, name: &str, task: impl Future<Output = ()> + 'static) {
        self.tasks().background(name, task);
    }

    /// Adds a background task of a vat. See [`background`](World::background).
    pub fn background_of(&self, vat: ActorId, name: &str, task: impl Future<Output = ()> + 'static) {
        self.tasks_of(vat).background(name, task);
    }

    /// Leaves background tasks aside if nothing else is left to do, and takes them up again if there is.
    pub(super) fn rest_background(&mut self) {
        if !self.executor.has_background() {
            return;
        }
        let rests = self.acting.is_empty() && !self.must_go_on();
        self.shared.rest_background(rests);
        if !rests {
            self.last_polls = 0;
        }
        self.executor.park_background(self.last_polls >= LAST_POLLS);
    }

    /// Counts a poll of a background task after everything else has ended.
    pub(super) fn count_last_poll(&mut self, moved: Move) {
        let is_poll = matches!(moved, Move::Poll(_) | Move::PollAt(..));
        if is_poll && self.executor.last_polled().is_some_and(|(_, whose)| whose.is_background()) {
            self.last_polls += 1;
        }
    }
}
