//! A runtime beside the world's executor, such as tokio, whose servers run in this world.
//!
//! Code that was written for a runtime finds it through thread-locals: it spawns tasks there and sets timers there. So
//! the world enters the runtime's context for each step, takes over the tasks that were spawned in the step, and keeps
//! the runtime's clock and its own together.
//!
//! **Time.** Some runtimes can go to their next deadline but cannot name it. So the world does not ask for it. When the
//! clock is to move, the world lets the runtime's clock run to its next deadline, but no further than the world's own
//! next one, and follows. Until the runtime has shown that nobody waits for a time there, the clock stays on the menu.
//! If a strategy picks it in vain, it picks again. Once all cells and all tasks that must end have ended, time no longer
//! passes for the runtime's sake: a server's housekeeping would go on for ever.
//!
//! Not here: any runtime. `wavetank-tokio` is one.

use super::World;
use crate::executor::TaskOwner;
use crate::moves::Move;
use crate::oracle::{Blame, outside};
use crate::outcome::Outcome;
use crate::panics::{self, Caught};
use futures::future::LocalBoxFuture;
use std::rc::Rc;
use wavetank::ActorId;

/// A runtime that servers of this world were written for. See [`World::run_beside`].
pub trait RuntimeBeside {
    /// Calls `step` once, inside the runtime's context.
    fn within(&self, step: &mut dyn FnMut());

    /// Takes the tasks that were spawned since the last call, as one future that runs them all.
    fn spawned(&self) -> Option<LocalBoxFuture<'static, ()>>;

    /// Whether something happened in the last step that the world can neither control nor repeat: the end of a sentence
    /// about whoever was polled.
    fn breach(&self) -> Option<String>;

    /// Moves the runtime's clock forward to `now_ns`, in nanoseconds since the world's start, and wakes those whose time
    /// has come.
    fn set_time(&self, now_ns: u64);

    /// Moves the runtime's clock forward to its next deadline, or to `limit_ns` if that comes first, and wakes those
    /// whose time has come. It may stop earlier if it cannot go so far at once. Returns the new time; `None`, and
    /// nothing has changed, if there is neither a deadline nor a limit.
    fn pass_time(&self, limit_ns: Option<u64>) -> Option<u64>;

    /// Whether work of the runtime is on another thread, as a sentence. It is asked when the world has stalled, and may
    /// move the runtime's clock.
    fn works_outside(&self) -> Option<String>;
}

/// The runtime beside a world.
#[derive(Clone)]
pub(super) struct Beside {
    runtime: Rc<dyn RuntimeBeside>,
    /// Nobody waits for a time there, and nothing has run since this was found out.
    has_no_timer: bool,
}

impl World {
    /// Lets servers run that were written for another runtime. The world enters its context for each step, runs its
    /// tasks as tasks of the actor that spawned them, and keeps its clock and the virtual clock together.
    ///
    /// # Panics
    /// If there is a runtime beside this world already.
    #[track_caller]
    pub fn run_beside(&self, runtime: Rc<dyn RuntimeBeside>) {
        let before = self.beside.replace(Some(Beside { runtime, has_no_timer: false }));
        assert!(before.is_none(), "a world has at most one runtime beside it");
    }

    pub(super) fn runtime_beside(&self) -> Option<Rc<dyn RuntimeBeside>> {
        self.beside.borrow().as_ref().map(|beside| beside.runtime.clone())
    }

    /// Whether time may have to pass for the runtime beside this world.
    pub(super) fn may_wait_beside(&self) -> bool {
        self.beside.borrow().as_ref().is_some_and(|beside| !beside.has_no_timer) && self.must_go_on()
    }

    /// Whether a cell or a task has not ended that must end.
    pub(super) fn must_go_on(&self) -> bool {
        self.executor.tasks().any(|task| task.whose.must_end())
            || self.tank.cells().iter().any(|cell| cell.exit().is_none())
    }

    fn note_timers_beside(&self, has_no_timer: bool) {
        if let Some(beside) = &mut *self.beside.borrow_mut() {
            beside.has_no_timer = has_no_timer;
        }
    }

    /// The time to which the clock moves next, if it moves: at most `limit_ns`. The clock of the runtime beside this
    /// world is there already.
    pub(super) fn passed_time(&self, limit_ns: Option<u64>) -> Option<u64> {
        let Some(runtime) = self.runtime_beside().filter(|_| self.may_wait_beside()) else { return limit_ns };
        let mut reached_ns = None;
        loop {
            let Some(at_ns) = runtime.pass_time(limit_ns) else {
                self.note_timers_beside(true);
                return reached_ns;
            };
            reached_ns = Some(at_ns);
            if limit_ns.is_some_and(|limit_ns| at_ns >= limit_ns) || self.executor.has_woken() {
                return reached_ns;
            }
        }
    }

    /// Brings the clock of the runtime beside this world to the world's time.
    pub(super) fn set_time_beside(&self) {
        if let Some(runtime) = self.runtime_beside() {
            runtime.set_time(self.shared.now_ns());
        }
    }

    /// Takes over the tasks that were spawned in the step `moved`, or in the scenario's set-up.
    pub(super) fn take_spawned(&mut self, moved: Option<Move>) {
        let Some(runtime) = self.runtime_beside() else { return };
        self.note_timers_beside(false);
        let Some(tasks) = runtime.spawned() else { return };
        let (actor, by) = match moved {
            Some(Move::Poll(actor) | Move::PollAt(actor, _)) => {
                (actor, self.executor.last_polled().map_or("a task", |(name, _)| name).to_string())
            }
            _ => (self.host.0, "the scenario".into()),
        };
        let tasks = Box::pin(self.shared.in_background(tasks));
        self.executor.spawner().spawn(&format!("spawned by {by}"), actor, TaskOwner::Beside, tasks);
        self.executor.look();
    }

    /// The finding if something outside this world has decided in the step that was made.
    pub(super) fn decided_outside(&self, moved: Move) -> Option<Outcome> {
        let breach = self.runtime_beside().and_then(|runtime| runtime.breach());
        if let Some(breach) = breach {
            let task = self.executor.last_polled().map_or("a task", |(name, _)| name).to_string();
            let vat = match moved {
                Move::Poll(actor) | Move::PollAt(actor, _) => self.party(ActorId(actor)).vat(),
                _ => None,
            };
            return self.outside(outside::decides(Blame::Task { vat, task }, &breach));
        }
        self.woken_from_outside()
    }

    /// The panic of a task of the runtime beside this world. The runtime caught it, and gives it to whoever waits for the
    /// task; it would be lost if nobody does.
    pub(super) fn panicked_beside(&self, moved: Move) -> Option<Outcome> {
        let (Move::Poll(actor) | Move::PollAt(actor, _)) = moved else { return None };
        let (task, _) = self.executor.last_polled().filter(|(_, whose)| *whose == TaskOwner::Beside)?;
        let Caught { message, at, blame } = panics::caught_on_its_way()?;
        let vat = self.party(ActorId(actor)).vat();
        let is_scenarios = matches!(blame, Blame::Scenario(_));
        let blame = if is_scenarios { Blame::Task { vat, task: task.into() } } else { blame };
        Some(Outcome::Panicked { message, at, blame })
    }

    /// The finding if another thread has woken a task of this world.
    pub(super) fn woken_from_outside(&self) -> Option<Outcome> {
        let call = self.shared.woken_from_outside().and_then(|call| self.server_of(call, &[]));
        let party = call.or_else(|| {
            let task = self.executor.woken_from_outside()?;
            Some(Blame::Task { vat: self.party(ActorId(task.actor)).vat(), task: task.name.into() })
        })?;
        self.outside(outside::waits(party, "another thread woke it"))
    }

    /// The finding if this world has stalled while the runtime beside it works on another thread.
    pub(super) fn stalled_outside(&self, blame: &Blame) -> Option<Outcome> {
        let works = self.runtime_beside()?.works_outside();
        // The other thread may have come to its end just now.
        works.map_or_else(
            || self.woken_from_outside(),
            |works| self.outside(outside::waits(blame.clone(), &works)),
        )
    }

    fn outside(&self, finding: crate::oracle::Finding) -> Option<Outcome> {
        let is_on = !self.without.borrow().contains_key(&finding.oracle);
        is_on.then_some(Outcome::Violated(finding))
    }
}
