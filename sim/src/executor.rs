//! The executor: it polls a task when told to, and knows which actors could be polled.
//!
//! Between actors the ready set is ordered by id, not by who woke first. Within one actor, tasks run first in, first
//! out, because capnp-rpc's order of calls depends on it (capnproto-rust#528).
//!
//! Not here: the choice of who runs next. It is made outside.

use futures::future::LocalBoxFuture;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread::ThreadId;
use wavetank::{IdSet, Role};

/// Tasks of many actors on one thread.
#[derive(Default)]
pub struct Executor {
    tasks: Vec<Option<Task>>,
    queues: Vec<VecDeque<u32>>,
    ready: IdSet,
    woken: WokenTasks,
    spawned: Rc<RefCell<Vec<Spawned>>>,
    /// There is or was a background task.
    has_background: bool,
    /// Background tasks are not polled. Those that were woken wait here.
    parks_background: bool,
    parked: Vec<u32>,
    /// The task that is being polled. If it panicked, it stays here.
    polled: Option<u32>,
    /// The task that was polled last: its name and owner.
    last_polled: Option<(Rc<str>, TaskOwner)>,
}

/// The tasks that were woken, shared with their wakers.
type WokenTasks = Arc<Mutex<Woken>>;

#[derive(Default)]
struct Woken {
    /// Ids of those that were woken since the last look, in order.
    tasks: Vec<u32>,
    /// The first that was woken by another thread.
    from_outside: Option<u32>,
}

/// Who asked for a task. Each task carries this with it, because names of tasks are for people and decide nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskOwner {
    /// The host's own machinery, with the task's role there.
    Host(Role),
    /// A runtime beside the world. Its tasks need not end.
    Beside,
    /// The scenario, for a task in the background. It need not end.
    Background,
    /// The scenario. Its tasks must end before its world has finished.
    Scenario,
}

impl TaskOwner {
    /// Whether a world has finished only after the task has ended. A link between two vats has no end of its own, and
    /// neither has a background task.
    pub fn must_end(self) -> bool {
        !matches!(self, TaskOwner::Host(Role::BetweenVats(_))) && !self.is_background()
    }

    /// Whether it is a task in the background: nobody waits for its end, and it may go on for ever.
    pub fn is_background(self) -> bool {
        matches!(self, TaskOwner::Beside | TaskOwner::Background)
    }

    /// Whether the scenario wrote it.
    pub(crate) fn is_scenarios(self) -> bool {
        matches!(self, TaskOwner::Scenario | TaskOwner::Background)
    }
}

/// A task that has not ended.
pub struct LiveTask<'a> {
    /// Its number in order of birth, from 0.
    pub id: u32,
    /// Its name.
    pub name: &'a str,
    /// The actor in whose queue it stands.
    pub actor: u32,
    /// Who asked for it.
    pub whose: TaskOwner,
    /// Whether it could be polled now.
    pub is_ready: bool,
    /// The waker of the task.
    pub waker: &'a Waker,
}

struct Task {
    name: Rc<str>,
    actor: u32,
    whose: TaskOwner,
    future: LocalBoxFuture<'static, ()>,
    signal: Arc<TaskWaker>,
    waker: Waker,
}

struct Spawned {
    name: Rc<str>,
    actor: u32,
    whose: TaskOwner,
    future: LocalBoxFuture<'static, ()>,
}

/// A task's waker. Wakers must be `Send`, although everything here is on one thread.
struct TaskWaker {
    task: u32,
    /// The thread of the world.
    home: ThreadId,
    queued: AtomicBool,
    woken: WokenTasks,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        if std::thread::current().id() != self.home {
            woken.from_outside.get_or_insert(self.task);
        }
        if !self.queued.swap(true, Ordering::Relaxed) {
            woken.tasks.push(self.task);
        }
    }
}

/// Takes new tasks, even while a task is being polled.
#[derive(Clone)]
pub struct Spawner(Rc<RefCell<Vec<Spawned>>>);

impl Spawner {
    /// Takes a task of `actor`. The task is ready after the executor's next look.
    pub fn spawn(&self, name: &str, actor: u32, whose: TaskOwner, future: LocalBoxFuture<'static, ()>) {
        self.0.borrow_mut().push(Spawned { name: name.into(), actor, whose, future });
    }
}

impl<'a> LiveTask<'a> {
    fn of(task: &'a Task) -> Self {
        LiveTask {
            id: task.signal.task,
            name: &task.name,
            actor: task.actor,
            whose: task.whose,
            is_ready: task.signal.queued.load(Ordering::Relaxed),
            waker: &task.waker,
        }
    }
}

impl Executor {
    /// A handle that takes new tasks.
    pub fn spawner(&self) -> Spawner {
        Spawner(self.spawned.clone())
    }

    /// Takes in the tasks that were spawned or woken since the last look.
    pub fn look(&mut self) {
        for Spawned { name, actor, whose, future } in self.spawned.take() {
            let task = self.tasks.len() as u32;
            let signal = Arc::new(TaskWaker {
                task,
                home: std::thread::current().id(),
                queued: AtomicBool::new(true),
                woken: self.woken.clone(),
            });
            let waker = signal.clone().into();
            self.has_background |= whose.is_background();
            self.tasks.push(Some(Task { name, actor, whose, future, signal, waker }));
            self.enqueue(task, actor);
        }
        let woken = std::mem::take(&mut self.woken().tasks);
        for task in woken {
            // A task may be woken after its end.
            if let Some(Some(Task { actor, .. })) = self.tasks.get(task as usize) {
                self.enqueue(task, *actor);
            }
        }
    }

    fn enqueue(&mut self, task: u32, actor: u32) {
        if self.parks_background && self.is_background(task) {
            self.parked.push(task);
            return;
        }
        let needed = actor as usize + 1;
        if self.queues.len() < needed {
            self.queues.resize_with(needed, VecDeque::new);
        }
        self.queues[actor as usize].push_back(task);
        self.ready.insert(actor);
    }

    fn is_background(&self, task: u32) -> bool {
        self.tasks[task as usize].as_ref().is_some_and(|task| task.whose.is_background())
    }

    /// Whether there is or was a background task.
    pub(crate) fn has_background(&self) -> bool {
        self.has_background
    }

    /// Polls no background task from now on, or polls them again.
    pub(crate) fn park_background(&mut self, parks: bool) {
        if std::mem::replace(&mut self.parks_background, parks) == parks {
            return;
        }
        for task in std::mem::take(&mut self.parked) {
            if let Some(Task { actor, .. }) = self.tasks[task as usize] {
                self.enqueue(task, actor);
            }
        }
        if parks {
            let queues = std::mem::take(&mut self.queues);
            self.ready.clear();
            for (actor, queue) in (0..).zip(queues) {
                queue.into_iter().for_each(|task| self.enqueue(task, actor));
            }
        }
    }

    fn woken(&self) -> MutexGuard<'_, Woken> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a task was woken since the last look.
    pub(crate) fn has_woken(&self) -> bool {
        !self.woken().tasks.is_empty()
    }

    /// The first task that was woken by another thread, if it has not ended.
    pub(crate) fn woken_from_outside(&self) -> Option<LiveTask<'_>> {
        let task = self.woken().from_outside?;
        self.tasks.get(task as usize)?.as_ref().map(LiveTask::of)
    }

    /// The task that was polled last, which may have ended: its name and owner.
    pub(crate) fn last_polled(&self) -> Option<(&str, TaskOwner)> {
        self.last_polled.as_ref().map(|(name, whose)| (&**name, *whose))
    }

    /// The actors that have a task to poll.
    pub fn ready(&self) -> &IdSet {
        &self.ready
    }

    /// Tells `each` the actors that became ready, or ceased to be, since the last call: [`IdSet::take_changes`].
    pub(crate) fn take_changes(&mut self, each: impl FnMut(u32)) -> bool {
        self.ready.take_changes(each)
    }

    /// The number of ready tasks of an actor.
    pub fn queued(&self, actor: u32) -> usize {
        self.queues.get(actor as usize).map_or(0, VecDeque::len)
    }

    /// Polls the task of `actor` that has been ready longest. Returns whether there was one.
    pub fn poll(&mut self, actor: u32) -> bool {
        self.poll_at(actor, 0)
    }

    /// Polls the task of `actor` at a place in its queue; place 0 has been ready longest. Returns whether there was
    /// one.
    pub fn poll_at(&mut self, actor: u32, place: usize) -> bool {
        let Some(queue) = self.queues.get_mut(actor as usize) else { return false };
        let Some(id) = queue.remove(place) else { return false };
        if queue.is_empty() {
            self.ready.remove(actor);
        }
        let slot = &mut self.tasks[id as usize];
        if let Some(task) = slot {
            task.signal.queued.store(false, Ordering::Relaxed);
            let mut context = Context::from_waker(&task.waker);
            self.polled = Some(id);
            self.last_polled = Some((task.name.clone(), task.whose));
            if task.future.as_mut().poll(&mut context).is_ready() {
                // Dropped here, inside the move that ended it.
                *slot = None;
            }
            self.polled = None;
        }
        self.look();
        true
    }

    /// The tasks that have not ended, in order of birth.
    pub fn tasks(&self) -> impl Iterator<Item = LiveTask<'_>> {
        self.tasks.iter().flatten().map(LiveTask::of)
    }

    /// The task that panicked while it was polled.
    pub fn broken_off(&self) -> Option<LiveTask<'_>> {
        self.tasks.get(self.polled? as usize)?.as_ref().map(LiveTask::of)
    }

    /// Drops all tasks, youngest first, including those that are spawned meanwhile.
    pub fn clear(&mut self) {
        loop {
            self.look();
            let Some(last) = self.tasks.iter().rposition(Option::is_some) else { break };
            self.tasks[last] = None;
        }
        self.ready.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::task::Poll;

    fn noting(log: &Rc<RefCell<Vec<u32>>>, what: u32) -> LocalBoxFuture<'static, ()> {
        let log = log.clone();
        async move { log.borrow_mut().push(what) }.boxed_local()
    }

    #[test]
    fn an_actors_tasks_run_first_in_first_out() {
        let mut executor = Executor::default();
        let log = Rc::default();
        for what in 0..3 {
            executor.spawner().spawn("t", 5, TaskOwner::Host(Role::Other), noting(&log, what));
        }
        executor.look();
        while executor.poll(5) {}
        assert_eq!(*log.borrow(), [0, 1, 2]);
        assert_eq!(executor.tasks().count(), 0);
        assert!(executor.ready().is_empty());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "it wakes a task from a thread outside of the world")]
    fn a_wake_from_another_thread_is_noticed() {
        let mut executor = Executor::default();
        let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
        let seen = waker.clone();
        let task = poll_fn(move |cx| {
            seen.replace(Some(cx.waker().clone()));
            Poll::Pending
        });
        executor.spawner().spawn("waits", 0, TaskOwner::Scenario, task.boxed_local());
        executor.look();
        executor.poll(0);
        waker.borrow().as_ref().unwrap().wake_by_ref();
        assert!(executor.has_woken());
        assert!(executor.woken_from_outside().is_none(), "it was woken from its own thread");
        let outside = waker.take().unwrap();
        std::thread::spawn(move || outside.wake()).join().unwrap();
        assert_eq!(executor.woken_from_outside().map(|task| task.name), Some("waits"));
    }

    #[test]
    fn a_task_that_wakes_itself_stays_ready_and_is_queued_once() {
        let mut executor = Executor::default();
        let polls = Rc::new(Cell::new(0));
        let counted = polls.clone();
        let task = poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            cx.waker().wake_by_ref();
            cx.waker().wake_by_ref();
            if counted.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
        });
        executor.spawner().spawn("t", 0, TaskOwner::Host(Role::Other), task.boxed_local());
        executor.look();
        let mut turns = 0;
        while executor.poll(0) {
            turns += 1;
        }
        // The task was woken in its last poll. The queue entry finds it gone, and nothing is polled.
        assert_eq!((polls.get(), turns), (3, 3));
    }

    #[test]
    fn clear_drops_youngest_first() {
        struct Noting(Rc<RefCell<Vec<u32>>>, u32);
        impl Drop for Noting {
            fn drop(&mut self) {
                self.0.borrow_mut().push(self.1);
            }
        }
        let mut executor = Executor::default();
        let log: Rc<RefCell<Vec<u32>>> = Rc::default();
        for what in 0..3 {
            let held = Noting(log.clone(), what);
            let task = async move {
                let _held = held;
                std::future::pending::<()>().await;
            };
            executor.spawner().spawn("t", what, TaskOwner::Host(Role::Other), task.boxed_local());
        }
        executor.clear();
        assert_eq!(*log.borrow(), [2, 1, 0]);
    }
}
