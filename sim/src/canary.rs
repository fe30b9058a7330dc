//! The canary: it repeats a run and compares the two, so that determinism is tested and not assumed.
//!
//! A second run of the same seed, on a thread of its own like the first, must match it step for step. So must a third
//! run whose guests are interpreted by Pulley, wasmtime's other engine. A difference shows that the machine leaks into
//! a world: a wall clock, an address, hash keys or counters from elsewhere. There is one exception. The depth at which
//! a stack overflows depends on the engine, so a run with such a trap is not compared with Pulley's.

use crate::outcome::{ComparedWith, Divergence, Outcome};
use crate::run::{Run, Setup, run};
use crate::transcript::Transcript;
use crate::world::World;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use wavetank::cell::{Cause, ExitRecord};
use wavetank::{Compiler, Engine, EngineConfig, TrapClass};

/// The engine of the third run, which all canaries of a process share; `None` if Pulley is not available.
pub fn pulley() -> Option<Arc<Engine>> {
    static PULLEY: OnceLock<Option<Arc<Engine>>> = OnceLock::new();
    let config = EngineConfig { compiler: Compiler::Pulley, cache: true, ..EngineConfig::default() };
    PULLEY.get_or_init(|| Engine::new(&config).ok()).clone()
}

/// Runs a scenario two or three times and returns the first run. Its outcome becomes [`Outcome::Diverged`] if another
/// run differs from it.
pub fn run_compared(scenario: impl Fn(&mut World) + Sync, setup: &Setup) -> Run {
    let mut first = run(&scenario, setup);
    let second = run(&scenario, setup);
    if !compare(&mut first, &second, ComparedWith::SecondRun) || overflowed(&first) {
        return first;
    }
    if let Some(engine) = pulley() {
        let third = run(&scenario, &Setup { engine, ..setup.clone() });
        if !overflowed(&third) {
            compare(&mut first, &third, ComparedWith::Pulley);
        }
    }
    first
}

/// Compares a run with another and notes it. Returns whether they are the same.
fn compare(first: &mut Run, other: &Run, against: ComparedWith) -> bool {
    first.compared.push(against);
    let differs = difference(first, other);
    if let Some((step, first_saw, other_saw)) = differs {
        let divergence = Divergence { step: step as u64, against, first: first_saw, other: other_saw };
        first.outcome = Outcome::Diverged(divergence);
        return false;
    }
    true
}

fn overflowed(run: &Run) -> bool {
    let of_cell = |exit: &ExitRecord| matches!(&exit.cause, Cause::Trapped(trap) if trap.class == TrapClass::StackOverflow);
    run.cells.iter().any(|(_, exit)| exit.as_ref().is_some_and(of_cell))
}

/// The first step in which two runs differ, with the text of each side.
fn difference(one: &Run, other: &Run) -> Option<(usize, String, String)> {
    if let Some((step, one_saw, other_saw)) = in_transcripts(one, other) {
        let or_end = |saw: Option<String>, run: &Run| saw.unwrap_or_else(|| run.outcome.to_string());
        return Some((step, or_end(one_saw, one), or_end(other_saw, other)));
    }
    let last = one.transcript.steps.len();
    let (one, other) = (ends(one), ends(other));
    let longest = one.len().max(other.len());
    let line = |lines: &[String], at| lines.get(at).map_or(NOTHING, String::as_str).to_string();
    let at = (0..longest).find(|&at| one.get(at) != other.get(at))?;
    Some((last, line(&one, at), line(&other, at)))
}

/// The results of a run, one per line.
fn ends(run: &Run) -> Vec<String> {
    let choice = |(number, choice)| format!("choice {number} is {choice:?}");
    let cell = |(name, exit): &(Arc<str>, Option<ExitRecord>)| match exit {
        Some(exit) => format!("{name} ended with {exit:?}"),
        None => format!("{name} has not ended"),
    };
    let mut lines = vec![run.outcome.to_string()];
    lines.extend(run.outcome.detail());
    lines.extend((1..).zip(&run.choices).map(choice));
    lines.extend(run.cells.iter().map(cell));
    lines.push(format!("{} ns of virtual time", run.virtual_ns));
    lines
}

const NOTHING: &str = "nothing more in this step";

/// The first step in which two transcripts differ, with the text of each side; `None` for a transcript that has ended.
fn in_transcripts(one_run: &Run, other_run: &Run) -> Option<(usize, Option<String>, Option<String>)> {
    let (one, other) = (&one_run.transcript, &other_run.transcript);
    if one == other {
        return None;
    }
    let says = |run: &Run, step: usize| {
        let step = run.transcript.steps.get(step.wrapping_sub(1))?;
        Some(run.names().moved(step.moved))
    };
    let steps = one.steps.len().max(other.steps.len());
    (0..=steps).find_map(|step| {
        let moved = |transcript: &Transcript| {
            step.checked_sub(1).map(|at| transcript.steps.get(at).map(|step| step.moved))
        };
        if moved(one) != moved(other) {
            return Some((step, says(one_run, step), says(other_run, step)));
        }
        let (mine, theirs) = (events(one, step), events(other, step));
        let longest = mine.len().max(theirs.len());
        let event = |transcript: &Transcript, range: &Range<usize>, at: usize| {
            range.clone().nth(at).map(|at| transcript.events[at].clone())
        };
        let at = (0..longest).find(|&at| event(one, &mine, at) != event(other, &theirs, at))?;
        let saw = |run: &Run, range: &Range<usize>| {
            let last = range.end == run.transcript.events.len();
            let event = range.clone().nth(at).map(|at| run.transcript.event_text(at, &run.schema));
            event.or_else(|| (!last).then(|| NOTHING.to_string()))
        };
        Some((step, saw(one_run, &mine), saw(other_run, &theirs)))
    })
}

/// The events of a step. Step 0 holds the events before the first move.
fn events(transcript: &Transcript, step: usize) -> Range<usize> {
    match step.checked_sub(1) {
        None => 0..transcript.steps.first().map_or(transcript.events.len(), |step| step.caused.start),
        Some(at) => transcript.steps.get(at).map_or(0..0, |step| step.caused.clone()),
    }
}
