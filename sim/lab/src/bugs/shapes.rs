//! The shapes that papers compare schedulers on, after SCTBench (Thomson, Donaldson, Betts, PPoPP 2014) and the
//! programs of later papers on random scheduling.
//!
//! Each task runs on its own vat, and each yield separates two steps: a step is one poll.

use super::Way::{self, Buggy};
use super::{steps, task, yield_now};
use futures::channel::oneshot;
use futures::lock::Mutex;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use wavetank_sim::world::World;

/// Two deposits; the task that makes the second checks the balance.
pub(super) fn account(world: &mut World, way: Way) {
    let (balance, made) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    for (name, amount) in [("t0", 10), ("t1", 20)] {
        let (balance, made) = (balance.clone(), made.clone());
        task(world, name, async move {
            let before = balance.get();
            if way == Buggy {
                yield_now().await;
            }
            balance.set(before + amount);
            yield_now().await;
            made.set(made.get() + 1);
            if made.get() == 2 {
                assert_eq!(balance.get(), 30, "a deposit was lost");
            }
        });
    }
}

pub(super) fn abba(world: &mut World, way: Way) {
    let (a, b) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
    let second = if way == Buggy { [b.clone(), a.clone()] } else { [a.clone(), b.clone()] };
    for (name, locks) in [("t0", [a, b]), ("t1", second)] {
        task(world, name, async move {
            let _outer = locks[0].lock().await;
            yield_now().await;
            let _inner = locks[1].lock().await;
            yield_now().await;
        });
    }
}

/// `count` tasks: the last starts the others one by one and then looks. Each of the others makes two writes, whose
/// values agree before and after. To fail, the last task must make all its starts and look before any started task has
/// finished both writes: the task that starts last must finish first.
pub(super) fn reorder(world: &mut World, way: Way, count: usize) {
    let (a, b) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let starts = started(world, count - 1, || {
        let (a, b) = (a.clone(), b.clone());
        async move {
            a.set(1);
            if way == Buggy {
                yield_now().await;
            }
            b.set(-1);
        }
    });
    task(world, "last", async move {
        start_all(starts).await;
        assert_eq!(a.get() + b.get(), 0, "seen between the two writes");
    });
}

/// `count` tasks: all but one write a value in two stages, each stage under its own lock; the last starts them and then
/// reads both.
pub(super) fn twostage(world: &mut World, way: Way, count: usize) {
    let (first, second) = (Rc::new(Mutex::new(0)), Rc::new(Mutex::new(0)));
    let starts = started(world, count - 1, || {
        let (first, second) = (first.clone(), second.clone());
        async move {
            let mut stage = first.lock().await;
            yield_now().await;
            *stage = 1;
            let value = *stage;
            if way == Buggy {
                drop(stage);
                yield_now().await;
            }
            let mut stage = second.lock().await;
            yield_now().await;
            *stage = value + 1;
        }
    });
    task(world, "last", async move {
        start_all(starts).await;
        let stage = first.lock().await;
        let value = *stage;
        if way == Buggy {
            drop(stage);
            yield_now().await;
        }
        if value != 0 {
            assert_eq!(*second.lock().await, value + 1, "the second stage does not follow from the first");
        }
    });
}

/// One task takes `count` steps; another takes one step that must not fall upon one particular step of the first.
pub(super) fn needle(world: &mut World, way: Way, count: u32) {
    let at = Rc::new(Cell::new(0));
    let (done, end) = oneshot::channel();
    let step = at.clone();
    task(world, "hay", async move {
        for now in 1..=count {
            step.set(now);
            yield_now().await;
        }
        let _ = done.send(());
    });
    task(world, "needle", async move {
        if way == Way::Mended {
            let _ = end.await;
        }
        assert_ne!(at.get(), count / 2, "upon the needle");
    });
}

/// One task takes `count` steps, another takes one; the short one must not come after the whole of the long one.
pub(super) fn longshort(world: &mut World, way: Way, count: u32) {
    let over = Rc::new(Cell::new(false));
    let (came, come) = oneshot::channel();
    let ends = over.clone();
    task(world, "long", async move {
        steps(count).await;
        if way == Way::Mended {
            let _ = come.await;
        }
        ends.set(true);
    });
    task(world, "short", async move {
        assert!(!over.get(), "the long was over before the short began");
        let _ = came.send(());
    });
}

const BUFFER_ITEMS: usize = 1;
const ITEMS_EACH: u32 = 3;

/// Two producers and two consumers wait on one condition, and each wakes one waiter, which may be one of its own kind.
pub(super) fn bounded_buffer(world: &mut World, way: Way) {
    let buffer = Rc::new(RefCell::new(VecDeque::new()));
    let changed = Rc::new(Condition::default());
    for (name, produces) in [("p0", true), ("p1", true), ("c0", false), ("c1", false)] {
        let (buffer, changed) = (buffer.clone(), changed.clone());
        task(world, name, async move {
            for item in 0..ITEMS_EACH {
                let must_wait = || {
                    if produces { buffer.borrow().len() == BUFFER_ITEMS } else { buffer.borrow().is_empty() }
                };
                while must_wait() {
                    changed.wait().await;
                }
                if produces {
                    buffer.borrow_mut().push_back(item);
                } else {
                    buffer.borrow_mut().pop_front();
                }
                let woken = if way == Buggy { 1 } else { usize::MAX };
                changed.notify(woken);
                yield_now().await;
            }
        });
    }
}

/// A condition variable: the longest waiter is woken first.
#[derive(Default)]
struct Condition(RefCell<VecDeque<oneshot::Sender<()>>>);

impl Condition {
    async fn wait(&self) {
        let (wake, woken) = oneshot::channel();
        self.0.borrow_mut().push_back(wake);
        let _ = woken.await;
    }

    fn notify(&self, most: usize) {
        let mut waiting = self.0.borrow_mut();
        let count = most.min(waiting.len());
        for wake in waiting.drain(..count) {
            let _ = wake.send(());
        }
    }
}

const DINERS: usize = 3;

/// Mended: the last takes the right fork first.
pub(super) fn philosophers(world: &mut World, way: Way) {
    let forks: Vec<_> = (0..DINERS).map(|_| Rc::new(Mutex::new(()))).collect();
    for diner in 0..DINERS {
        let mut hands = [forks[diner].clone(), forks[(diner + 1) % DINERS].clone()];
        if way == Way::Mended && diner == DINERS - 1 {
            hands.reverse();
        }
        task(world, &format!("t{diner}"), async move {
            let _one = hands[0].lock().await;
            yield_now().await;
            let _other = hands[1].lock().await;
            yield_now().await;
        });
    }
}

/// Adds tasks that wait until they are started.
fn started<F>(world: &World, count: usize, make: impl Fn() -> F) -> Vec<oneshot::Sender<()>>
where
    F: Future<Output = ()> + 'static,
{
    let one = |number| {
        let (start, started) = oneshot::channel();
        let work = make();
        task(world, &format!("t{number}"), async move {
            let _ = started.await;
            work.await;
        });
        start
    };
    (0..count).map(one).collect()
}

/// Starts the tasks in turn, one per step.
async fn start_all(starts: Vec<oneshot::Sender<()>>) {
    for start in starts {
        let _ = start.send(());
        yield_now().await;
    }
}
