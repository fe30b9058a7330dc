//! Runs servers that were written for tokio's [`LocalSet`] in a [`World`], unchanged, as long as they await only what
//! the world gives them: `spawn_local`, `tokio::sync`, and `tokio::time` on the virtual clock.
//!
//! ```
//! use std::time::Duration;
//! use tokio::time::{Instant, sleep};
//! use wavetank_sim::{World, check};
//!
//! check("sleeps", |world: &mut World| {
//!     wavetank_tokio::install(world);
//!     world.task("sleeper", async {
//!         // tokio's Instant: inside a world it is virtual time.
//!         let before = Instant::now();
//!         let nap = tokio::task::spawn_local(sleep(Duration::from_secs(10)));
//!         nap.await.expect("it does not panic");
//!         assert_eq!(before.elapsed(), Duration::from_secs(10));
//!     });
//! })
//! .no_failures()
//! .run();
//! ```
//!
//! # How it works
//!
//! All of it relies on how tokio 1.54 works inside. Its tests say so if another version differs.
//!
//! **Context.** tokio finds its runtime and its `LocalSet` through thread-locals. A world has a thread to itself, so each
//! step is made inside the context of a runtime of this world. A server's method is polled by the world as ever. It is
//! not inside `block_on`, so nothing can park.
//!
//! **Tasks.** Each step has a `LocalSet` of its own. If something was spawned there, the set becomes a task of the world,
//! in the queue of the vat or cell that spawned it, and the next step gets a new set. So the world interleaves the tasks
//! that were spawned in different steps. Tasks that were spawned in one poll share a set, and so do the tasks that they
//! spawn. A poll of the set runs all of its ready tasks in the order in which they were woken, as tokio does in
//! production. See the [`World`]'s rules for the order of tasks of one vat.
//!
//! **Time.** [`clock`] keeps tokio's paused clock and the virtual clock together.
//!
//! **Random order.** [`order`] makes `tokio::select!` repeat, or reports it.
//!
//! # What is not here
//!
//! - *Sockets, files, signals.* The runtime has no I/O driver. A socket panics with tokio's own message, and the report
//!   names the call or the task. `spawn_blocking`, and all that uses it (`tokio::fs`, lookups of names), ends the run as
//!   "… waits for something outside the world".
//! - *`tokio::spawn`.* Its tasks may move between threads. The run ends with a finding that names who spawned it.
//! - *Numbers of tasks.* tokio counts them for the whole process. A server that prints a `tokio::task::Id` prints another
//!   one in each run.

#![forbid(unsafe_code)]

mod clock;
mod order;

use clock::Clock;
use order::Order;
use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake};
use tokio::task::LocalSet;
use wavetank_sim::World;
use wavetank_sim::world::RuntimeBeside;

/// tokio in one world. Clones are the same.
#[derive(Clone)]
pub struct Tokio(Rc<Inner>);

struct Inner {
    clock: Clock,
    order: RefCell<Order>,
    next: RefCell<NextSet>,
    breach: RefCell<Option<String>>,
}

/// Lets servers and tasks of this world use tokio.
///
/// It draws one choice: the order of the branches of `select!`. The dullest is to begin with the first branch each time.
///
/// # Panics
/// If the world has a runtime beside it already, or if it is called while the world runs.
#[track_caller]
pub fn install(world: &World) -> Tokio {
    let tokio = Tokio(Rc::new(Inner {
        clock: Clock::start(),
        order: RefCell::new(Order::new(world.draw(order::PATTERNS))),
        next: RefCell::new(NextSet::new()),
        breach: RefCell::default(),
    }));
    world.run_beside(tokio.0.clone());
    tokio
}

impl Tokio {
    /// Runs a part of the scenario's set-up inside tokio: it may spawn tasks and make timers. Tasks of the world and
    /// servers need no such call.
    ///
    /// ```
    /// use wavetank_sim::{World, check};
    ///
    /// check("counts", |world: &mut World| {
    ///     let tokio = wavetank_tokio::install(world);
    ///     let counted = tokio.within(|| tokio::task::spawn_local(async { 1 + 1 }));
    ///     world.task("reader", async { assert_eq!(counted.await.expect("it does not panic"), 2) });
    /// })
    /// .no_failures()
    /// .run();
    /// ```
    pub fn within<R>(&self, set_up: impl FnOnce() -> R) -> R {
        self.0.enter(set_up)
    }
}

impl Inner {
    /// Calls `step` inside the context of the runtime and of the next set.
    fn enter<R>(&self, step: impl FnOnce() -> R) -> R {
        self.order.borrow_mut().prepare();
        let result = {
            let _runtime = self.clock.enter();
            let _set = self.next.borrow().set.enter();
            step()
        };
        if let Some(breach) = self.order.borrow_mut().settle() {
            self.breach.replace(Some(breach));
        }
        if self.clock.has_spawned() {
            self.breach.replace(Some(
                "called `tokio::spawn`, whose tasks may move between threads: call `tokio::task::spawn_local`".into(),
            ));
        }
        result
    }
}

impl RuntimeBeside for Inner {
    fn within(&self, step: &mut dyn FnMut()) {
        self.enter(step);
    }

    fn spawned(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        if !self.next.borrow().was_given.0.load(Ordering::Relaxed) {
            return None;
        }
        let NextSet { set, .. } = self.next.replace(NextSet::new());
        Some(Box::pin(set))
    }

    fn breach(&self) -> Option<String> {
        self.breach.take()
    }

    fn set_time(&self, now_ns: u64) {
        self.clock.set(now_ns);
    }

    fn pass_time(&self, limit_ns: Option<u64>) -> Option<u64> {
        self.clock.pass(limit_ns)
    }

    fn works_outside(&self) -> Option<String> {
        self.clock.is_held_by_another_thread().then(|| {
            "`spawn_blocking` works on another thread (`tokio::fs` and lookups of names use it)".into()
        })
    }
}

/// The set that takes the tasks of the next step.
struct NextSet {
    set: LocalSet,
    /// Whether it was given a task.
    was_given: Arc<Flag>,
}

/// A waker that only notes that it was called.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl NextSet {
    fn new() -> Self {
        let mut set = LocalSet::new();
        let was_given = Arc::new(Flag::default());
        // An empty set ends at its first poll. It keeps the waker, and calls it when a task is spawned.
        let is_empty = pin!(&mut set).poll(&mut Context::from_waker(&was_given.clone().into()));
        assert!(is_empty.is_ready(), "a new set has no task");
        NextSet { set, was_given }
    }
}
