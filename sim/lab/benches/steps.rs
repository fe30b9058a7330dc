//! The cost of a step by strategy, in worlds without guests of 10 to 10,000 tasks. Run with `cargo bench --bench steps`.
//! Only ratios within one run are meaningful.

#![expect(clippy::float_arithmetic, reason = "figures of a benchmark, which no run depends on")]

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use wavetank_sim::check::engine;
use wavetank_sim::run::run_here;
use wavetank_sim::{Choices, Profile, Seed, Setup, StrategyName, World, survey};

/// Steps of one measured run, at least.
const STEPS: u32 = 200_000;

/// Runs of which the quickest counts.
const RUNS: u32 = 3;

/// The sizes of worlds, in tasks.
const SIZES: [u32; 4] = [10, 100, 1_000, 10_000];

fn main() {
    let names = ["random", "pct:3", "pos", "urw", "surw"];
    println!("ns for a step, and beside a step of `random` in a world of the same size");
    print!("{:<10}", "tasks");
    for size in SIZES {
        print!("{size:>18}");
    }
    println!("{:>18}", "most beside fewest");
    let mut random = Vec::new();
    for name in names {
        let strategy: StrategyName = name.parse().expect("a strategy");
        let costs: Vec<f64> = SIZES.iter().map(|&tasks| step_ns(&strategy, tasks)).collect();
        if random.is_empty() {
            random.clone_from(&costs);
        }
        print!("{name:<10}");
        for (cost, random) in costs.iter().zip(&random) {
            print!("{:>18}", format!("{cost:.0} ({:.2})", cost / random));
        }
        println!("{:>18.2}", costs[SIZES.len() - 1] / costs[0]);
    }
}

/// The time of a step in nanoseconds: that of a long run less that of a short one, so that births and ends of tasks do
/// not count.
fn step_ns(strategy: &StrategyName, tasks: u32) -> f64 {
    let polls = (STEPS / tasks).max(20);
    let (long, short) = (seconds(strategy, tasks, 2 * polls), seconds(strategy, tasks, polls));
    (long - short) * 1e9 / f64::from(tasks * polls)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn seconds(strategy: &StrategyName, tasks: u32, polls: u32) -> f64 {
    let build = |world: &mut World| spinning(world, tasks, polls);
    let mut setup = Setup::new(engine(), Seed(1));
    setup.max_choices = usize::MAX;
    setup.choices = Choices::Drawn(strategy.clone(), Profile::swarm());
    setup.survey = Some(Arc::new(survey(build, &setup)));
    let once = |_| {
        // The time that is measured. The world does not see it.
        let begun = Instant::now();
        let ran = run_here(build, &setup);
        let taken = begun.elapsed().as_secs_f64();
        assert!(ran.outcome.is_finished(), "{}", ran.outcome);
        taken
    };
    (0..RUNS).map(once).fold(f64::INFINITY, f64::min)
}

/// Tasks that wake themselves, each an actor of its own.
fn spinning(world: &mut World, tasks: u32, polls: u32) {
    for task in 0..tasks {
        let vat = world.vat(&format!("v{task}"));
        let mut left = polls;
        let spin = std::future::poll_fn(move |cx| {
            left -= 1;
            if left == 0 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        world.task_of(vat, "spin", spin);
    }
}
