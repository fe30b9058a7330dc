//! Helpers that several chapters need.

use std::sync::{Arc, OnceLock};
use wavetank::{Allocator, Engine, EngineConfig};
use wavetank_sim::calls::PEER_SCHEMA;
use wavetank_sim::{Choices, Profile, Run, Seed, Setup, StrategyName, World, run, scenario};

/// The engine that all tests share, because compiling a guest takes a while.
pub(crate) fn engine() -> Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| engine_with(Allocator::Pooling)).clone()
}

pub(crate) fn engine_with(allocator: Allocator) -> Arc<Engine> {
    Engine::new(&EngineConfig { allocator, cache: true, ..EngineConfig::default() }).expect("an engine")
}

pub(crate) fn setup(seed: u64) -> Setup {
    Setup::new(engine(), Seed(seed))
}

pub(crate) fn round_robin() -> Setup {
    Setup { choices: Choices::Drawn(StrategyName::RoundRobin, Profile::calm()), ..setup(0) }
}

/// The function that builds a built-in scenario.
pub(crate) fn scenario(name: &str) -> impl Fn(&mut World) + Copy + Send + Sync {
    scenario::find(name).expect("a built-in scenario").build
}

/// Runs a world, and requires that it finishes.
#[track_caller]
pub(crate) fn finished(build: impl Fn(&mut World) + Sync, setup: &Setup) -> Run {
    let run = run(build, setup);
    assert!(
        run.outcome.is_finished(),
        "seed {}: {}\n{}",
        run.seed,
        run.outcome,
        run.transcript.steps_text(&PEER_SCHEMA)
    );
    run
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
