//! The cost of a world, compared with the same host without a simulator. Run with `cargo bench`. Only ratios within one
//! run are meaningful.

use divan::Bencher;
use divan::counter::ItemsCount;
use futures_executor::LocalPool;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use wavetank::cell::{CellSpec, Limits};
use wavetank::peer::HostInfo;
use wavetank::pipe::DEFAULT_CAPACITY_BYTES;
use wavetank::{ActorId, Entropy, Flow, Tank, TankConfig};
use wavetank_lab::{guests, scenario};
use wavetank_sim::calls::calls;
use wavetank_sim::check::engine;
use wavetank_sim::run::run_here;
use wavetank_sim::schema::PEER_SCHEMA;
use wavetank_sim::{Choices, Profile, Seed, Setup, StrategyName, World, run};
use wavetank_trace::Schema;

fn main() {
    divan::main();
}

fn setup(strategy: StrategyName, profile: Profile, seed: u64) -> Setup {
    Setup { choices: Choices::Drawn(strategy, profile), ..Setup::new(engine(), Seed(seed)) }
}

/// The host without a simulator: pipes that flow, on a `LocalPool`.
fn bare(name: &str, wasm: &[u8], is_host: bool) {
    let mut pool = LocalPool::new();
    let config = TankConfig {
        flow: Flow::Free,
        recording: false,
        entropy: Rc::new(|_: ActorId| Box::new(|bytes: &mut [u8]| bytes.fill(7)) as Entropy),
        max_cells: 1_000,
    };
    let tank = Tank::new(engine(), Rc::new(pool.spawner()), config);
    let spec = CellSpec {
        guest: tank.engine().guest(wasm).expect("a guest"),
        name: name.into(),
        args: vec![name.into()],
        env: Vec::new(),
        transport: None,
        limits: Limits::default(),
        capacity_bytes: DEFAULT_CAPACITY_BYTES,
        detached: false,
        vat: tank.vat("host"),
    };
    let serve = tank.clone();
    let started = tank.start(spec, None, |cell| {
        if is_host {
            let me = HostInfo { id: "host".into(), addrs: Vec::new() };
            wavetank::peer::host(&serve, cell, me, Vec::new())
        } else {
            wavetank::peer::executor(&serve, cell)
        }
    });
    let (cell, _stdio) = started.expect("it starts");
    pool.run_until_stalled();
    assert_eq!(cell.exit().expect("it ended").code, 0);
}

#[divan::bench_group]
mod echo {
    use super::*;

    #[divan::bench]
    fn a_bare() {
        bare("child-echo", guests::CHILD_ECHO_STDIO, false);
    }

    #[divan::bench]
    fn b_simulated_calm() {
        simulated("echo", Profile::calm(), 1);
    }

    #[divan::bench]
    fn c_simulated_swarm(bencher: Bencher<'_, '_>) {
        over_seeds(bencher, "echo");
    }

    #[divan::bench]
    fn d_simulated_swarm_without_a_thread(bencher: Bencher<'_, '_>) {
        let mut seed = 0;
        let build = scenario::find("echo").expect("a scenario").build;
        bencher.bench_local(|| {
            seed += 1;
            run_here(build, &setup(StrategyName::Random, Profile::swarm(), seed)).outcome
        });
    }
}

#[divan::bench_group]
mod pid0 {
    use super::*;

    #[divan::bench]
    fn a_bare() {
        bare("pid0", guests::PID0_STDIO, true);
    }

    #[divan::bench]
    fn b_simulated_calm() {
        simulated("pid0", Profile::calm(), 1);
    }

    #[divan::bench]
    fn c_simulated_swarm(bencher: Bencher<'_, '_>) {
        over_seeds(bencher, "pid0");
    }
}

/// A world of `pid0` with its frames and calls as text, which a sweep makes for each world.
#[divan::bench_group]
mod text {
    use super::*;

    #[divan::bench]
    fn a_without_a_schema(bencher: Bencher<'_, '_>) {
        with_text(bencher, Arc::default());
    }

    #[divan::bench]
    fn b_with_a_schema(bencher: Bencher<'_, '_>) {
        with_text(bencher, PEER_SCHEMA.clone());
    }

    fn with_text(bencher: Bencher<'_, '_>, schema: Arc<Schema>) {
        let build = scenario::find("pid0").expect("a scenario").build;
        let mut seed = 0;
        bencher.bench_local(|| {
            seed += 1;
            let setup = setup(StrategyName::Random, Profile::swarm(), seed);
            calls(&run_here(build, &Setup { schema: schema.clone(), ..setup }))
        });
    }
}

fn simulated(name: &str, profile: Profile, seed: u64) {
    let build = scenario::find(name).expect("a scenario").build;
    let ran = run(build, &setup(StrategyName::Random, profile, seed));
    assert!(ran.outcome.is_finished(), "{}", ran.outcome);
}

fn over_seeds(bencher: Bencher<'_, '_>, name: &str) {
    let mut seed = 0;
    bencher.bench_local(|| {
        seed += 1;
        simulated(name, Profile::swarm(), seed);
    });
}

/// Steps of worlds without guests: the given number of tasks, each an actor of its own, with 100,000 polls in all.
#[divan::bench(args = [10, 100, 1_000])]
fn steps(bencher: Bencher<'_, '_>, tasks: u32) {
    const POLLS: u32 = 100_000;
    let build = move |world: &mut World| {
        for task in 0..tasks {
            let vat = world.vat(&format!("v{task}"));
            let mut left = POLLS / tasks;
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
    };
    let engine = engine();
    bencher.counter(ItemsCount::new(POLLS)).bench_local(|| {
        let mut setup = Setup::new(Arc::clone(&engine), Seed(1));
        setup.max_choices = usize::MAX;
        let ran = run(build, &setup);
        assert!(ran.outcome.is_finished(), "{}", ran.outcome);
    });
}
