//! Cases whose fault is in a server that pauses: during the pause, another call meets the state that the first has read
//! or borrowed.

use super::Way::{self, Buggy};
use super::{steps, yield_now};
use capnp::capability::FromClientHook;
use capnp_rpc::{new_broken_cap, new_client};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wavetank::schema::peer_capnp::executor;
use wavetank_sim::world::World;

/// Two calls count. The value that one has read before its pauses is out of date after them. Mended: it reads after
/// them.
pub(super) fn lost_update(world: &mut World, way: Way, pauses: u32) {
    let total = Rc::new(Cell::new(0));
    let counted = total.clone();
    let count = move || {
        let total = counted.clone();
        async move {
            if way == Way::Mended {
                steps(pauses).await;
            }
            let before = total.get();
            if way == Buggy {
                steps(pauses).await;
            }
            total.set(before + 1);
        }
    };
    called_by_two(world, count, move || assert_eq!(total.get(), 2, "an update was lost"));
}

/// A borrow lives across a pause. Mended: it ends before the pause.
#[expect(clippy::await_holding_refcell_ref, reason = "the fault itself")]
pub(super) fn borrow_across_pause(world: &mut World, way: Way) {
    let log = Rc::new(RefCell::new(Vec::new()));
    let written = log.clone();
    let write = move || {
        let log = written.clone();
        async move {
            let mut lines = log.borrow_mut();
            lines.push("begun");
            if way == Way::Mended {
                drop(lines);
                yield_now().await;
                lines = log.borrow_mut();
            } else {
                yield_now().await;
            }
            lines.push("ended");
        }
    };
    called_by_two(world, write, move || assert_eq!(log.borrow().len(), 4));
}

/// A payment is taken from one account, and the write that adds it to the other may fail. Mended: it is then given
/// back.
pub(super) fn failed_write(world: &mut World, way: Way) {
    let io = world.io().fails(3);
    let accounts = Rc::new((Cell::new(100), Cell::new(0)));
    let moved = accounts.clone();
    let pay = move || {
        let (io, accounts) = (io.clone(), moved.clone());
        async move {
            let (from, to) = &*accounts;
            from.set(from.get() - 10);
            match io.op("write the payment").await {
                Ok(()) => to.set(to.get() + 10),
                Err(_) if way == Way::Mended => from.set(from.get() + 10),
                Err(_) => {}
            }
        }
    };
    called_by_two(world, pay, move || assert_eq!(accounts.0.get() + accounts.1.get(), 100, "money was lost"));
}

/// A server whose answer runs some work.
struct Worker<F>(F);

impl<F, W> executor::Server for Worker<F>
where
    F: Fn() -> W + 'static,
    W: Future<Output = ()> + 'static,
{
    async fn echo(
        self: Rc<Self>,
        _: executor::EchoParams,
        _: executor::EchoResults,
    ) -> Result<(), capnp::Error> {
        (self.0)().await;
        Ok(())
    }
}

/// Serves `work` to two callers, each over its own link, who each call once; then runs `check`.
fn called_by_two<F, W>(world: &World, work: F, check: impl Fn() + 'static)
where
    F: Fn() -> W + 'static,
    W: Future<Output = ()> + 'static,
{
    let served: executor::Client = new_client(Worker(work));
    let server = world.vat("server");
    let (check, answered) = (Rc::new(check), Rc::new(Cell::new(0)));
    for name in ["first", "second"] {
        let caller = world.vat(name);
        let nothing = new_broken_cap(capnp::Error::failed("nothing is served on this end".into()));
        let [seen, _] = world.join(name, [(caller, nothing), (server, served.client.clone())]);
        let seen = executor::Client::new(seen.hook);
        let (check, answered) = (check.clone(), answered.clone());
        world.task_of(caller, name, async move {
            seen.echo_request().send().promise.await.expect("an answer");
            answered.set(answered.get() + 1);
            if answered.get() == 2 {
                check();
            }
        });
    }
}
