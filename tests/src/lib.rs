//! Helpers for tests that run worlds.

pub mod schemas;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use wavetank::{Allocator, Engine, EngineConfig};
use wavetank_lab::scenario;
use wavetank_sim::scenario::Scenario;
use wavetank_sim::{Choices, Profile, Run, Seed, Setup, StrategyName, World, run};

/// The engine that all tests share, because compiling a guest takes a while.
pub fn engine() -> Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| engine_with(Allocator::Pooling)).clone()
}

/// An engine with this allocator.
pub fn engine_with(allocator: Allocator) -> Arc<Engine> {
    Engine::new(&EngineConfig { allocator, cache: true, ..EngineConfig::default() }).expect("an engine")
}

/// A setup with this seed and the shared engine.
pub fn setup(seed: u64) -> Setup {
    Setup::new(engine(), Seed(seed))
}

/// A setup without any draws.
pub fn round_robin() -> Setup {
    Setup { choices: Choices::Drawn(StrategyName::RoundRobin, Profile::calm()), ..setup(0) }
}

/// The function that builds a built-in scenario.
pub fn scenario(name: &str) -> impl Fn(&mut World) + Copy + Send + Sync {
    scenario::find(name).expect("a built-in scenario").build
}

/// The scenarios that return from every poll. The others are for a sweep, which can give up a process.
pub fn ending() -> impl Iterator<Item = &'static Scenario> {
    scenario::all().filter(|scenario| !["fault-hang", "fault-abort"].contains(&scenario.name))
}

/// Runs a world, and requires that it finishes.
#[track_caller]
pub fn finished(build: impl Fn(&mut World) + Sync, setup: &Setup) -> Run {
    let run = run(build, setup);
    assert!(
        run.outcome.is_finished(),
        "seed {}: {}\n{}",
        run.seed,
        run.outcome,
        run.transcript.steps_text(&run.schema)
    );
    run
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file or folder of this repository, by its path from the root.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").join(path)
}
