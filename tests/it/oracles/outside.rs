//! Wakes from outside the world, and a runtime beside it.

use super::*;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::task::{Poll, Waker};
use wavetank_sim::world::RuntimeBeside;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    Own,
    Other,
}

/// A task that is woken once.
#[expect(clippy::disallowed_methods, reason = "it wakes a task from a thread outside of the world")]
fn is_woken_by(world: &mut World, thread: Thread) {
    world.task("waits", async move {
        let mut is_woken = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut is_woken, true) {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone();
            match thread {
                Thread::Own => waker.wake(),
                Thread::Other => std::thread::spawn(move || waker.wake()).join().expect("it does not panic"),
            }
            Poll::Pending
        })
        .await;
    });
}

#[test]
fn a_task_that_another_thread_wakes_waits_for_something_outside() {
    let finding = violated(|world| is_woken_by(world, Thread::Other), 1);
    assert_eq!(finding.oracle, Oracle::Outside);
    assert_eq!(finding.what, "task `waits` waits for something outside the world: another thread woke it");
    assert_eq!(finding.blame, Blame::Task { vat: None, task: "waits".into() });
    finished(|world: &mut World| is_woken_by(world, Thread::Own), &setup(1));
    let switched_off = |world: &mut World| {
        world.without(Oracle::Outside, "the thread is part of the test");
        is_woken_by(world, Thread::Other);
    };
    finished(switched_off, &setup(1));
}

/// A runtime that has one alarm clock, and nothing else.
#[derive(Default)]
struct Alarms {
    now_ns: Cell<u64>,
    wakers: RefCell<BTreeMap<u64, Waker>>,
    is_entered: Cell<bool>,
    spawned: RefCell<Option<LocalBoxFuture<'static, ()>>>,
    breach: RefCell<Option<String>>,
}

impl Alarms {
    /// Waits for a time, in nanoseconds.
    async fn until(&self, at_ns: u64) {
        std::future::poll_fn(|cx| {
            assert!(self.is_entered.get(), "a step is made inside the context");
            if self.now_ns.get() >= at_ns {
                return Poll::Ready(());
            }
            self.wakers.borrow_mut().insert(at_ns, cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl RuntimeBeside for Alarms {
    fn within(&self, step: &mut dyn FnMut()) {
        self.is_entered.set(true);
        step();
        self.is_entered.set(false);
    }

    fn spawned(&self) -> Option<LocalBoxFuture<'static, ()>> {
        self.spawned.take()
    }

    fn breach(&self) -> Option<String> {
        self.breach.take()
    }

    fn set_time(&self, now_ns: u64) {
        self.now_ns.set(now_ns);
        let later = self.wakers.borrow_mut().split_off(&(now_ns + 1));
        self.wakers.replace(later).into_values().for_each(Waker::wake);
    }

    fn pass_time(&self, limit_ns: Option<u64>) -> Option<u64> {
        let next = self.wakers.borrow().keys().next().copied();
        let to_ns = next.into_iter().chain(limit_ns).min()?;
        self.set_time(to_ns);
        Some(to_ns)
    }

    fn works_outside(&self) -> Option<String> {
        None
    }
}

fn alarms(world: &World) -> Rc<Alarms> {
    let alarms: Rc<Alarms> = Rc::default();
    world.run_beside(alarms.clone());
    alarms
}

#[test]
fn the_clock_of_a_runtime_beside_the_world_goes_with_the_worlds() {
    for seed in 0..50 {
        let run = finished(
            |world: &mut World| {
                let alarms = alarms(world);
                let clock = world.clock();
                world.task("the world's", async move { clock.sleep(3_000).await });
                let now = world.clock();
                world.task("the runtime's", async move {
                    alarms.until(2_000).await;
                    alarms.until(5_000).await;
                    assert_eq!(now.now_ns(), alarms.now_ns.get());
                });
            },
            &setup(seed),
        );
        assert_eq!(run.virtual_ns, 5_000, "seed {seed}");
    }
}

#[test]
fn tasks_of_a_runtime_beside_the_world_need_not_end() {
    let scenario = |world: &mut World| {
        let runtime = alarms(world);
        let alarms = runtime.clone();
        let endless = async move {
            for at_ns in (1_000..).step_by(1_000) {
                alarms.until(at_ns).await;
            }
        };
        world.task("spawns", async move {
            runtime.spawned.replace(Some(endless.boxed_local()));
            runtime.until(10_500).await;
        });
    };
    for seed in 0..20 {
        let run = finished(scenario, &setup(seed));
        assert!((10_500..20_000).contains(&run.virtual_ns), "seed {seed}: {} ns", run.virtual_ns);
    }
}

#[test]
fn a_breach_of_a_runtime_names_the_task() {
    let finding = violated(
        |world| {
            let alarms = alarms(world);
            world.task("dices", async move { drop(alarms.breach.replace(Some("threw dice".into()))) });
        },
        1,
    );
    assert_eq!((finding.oracle, &*finding.what), (Oracle::Outside, "task `dices` threw dice"));
}
