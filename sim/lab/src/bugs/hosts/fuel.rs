//! H08 and H09: hosts that meter their cells themselves. The metered program is a task, because a cell of the tank gets
//! its fuel once, before it starts, and nobody can add to it.

use crate::bugs::Way::{self, Buggy};
use crate::bugs::{steps, task};
use futures::StreamExt;
use futures::channel::mpsc;
use std::cell::Cell;
use std::rc::Rc;
use wavetank_sim::world::{World, yield_now};

// ---- H08

const TICK_NS: u64 = 10_000_000;

/// Fuel for one tick, and the fuel that the cell needs in all.
const GRANT: u32 = 4;
const NEED: u32 = 10;

/// A cell that burned its grant before the next tick is killed. Mended: it waits for the tick.
pub(in crate::bugs) fn tick_grants(world: &mut World, way: Way) {
    let (grant, mut grants) = mpsc::unbounded();
    let clock = world.clock();
    task(world, "ticker", async move {
        while grant.unbounded_send(GRANT).is_ok() {
            clock.sleep(TICK_NS).await;
        }
    });
    let died = Rc::new(Cell::new(false));
    let dies = died.clone();
    world.invariant("a cell that may run never dies of fuel", move |_| {
        if died.get() { Err("it was killed between two ticks".into()) } else { Ok(()) }
    });
    task(world, "cell", async move {
        let mut fuel = grants.next().await.expect("a grant before the first step");
        for _ in 0..NEED {
            if fuel == 0 {
                let granted = match way {
                    Buggy => grants.try_recv().ok(),
                    Way::Mended => grants.next().await,
                };
                let Some(granted) = granted else { return dies.set(true) };
                fuel = granted;
            }
            fuel -= 1;
            yield_now().await;
        }
    });
}

// ---- H09

/// The fuel that a cell may burn in all, and the fuel that it burns each time its host resumes it.
const BUDGET: u32 = 25;
const BURST: u32 = 10;

/// The host resumes a cell for the events that arrived meanwhile, and gives it a full budget each time. Mended: it
/// gives the rest of the budget.
pub(in crate::bugs) fn refilled_budget(world: &mut World, way: Way) {
    let (send, mut events) = mpsc::unbounded();
    task(world, "events", async move {
        for event in 0..4 {
            steps(2).await;
            let _ = send.unbounded_send(event);
        }
    });
    let consumed = Rc::new(Cell::new(0));
    let burned = consumed.clone();
    world.invariant("consumed within budget", move |_| {
        let consumed = consumed.get();
        if consumed <= BUDGET { Ok(()) } else { Err(format!("{consumed} of {BUDGET} units are burned")) }
    });
    task(world, "cell", async move {
        let mut fuel = BUDGET;
        while events.next().await.is_some() {
            while events.try_recv().is_ok() {}
            if way == Buggy {
                fuel = BUDGET;
            }
            // The cell ends when its fuel runs out.
            let burns = fuel.min(BURST);
            burned.set(burned.get() + burns);
            fuel -= burns;
            if fuel == 0 {
                return;
            }
        }
    });
}
