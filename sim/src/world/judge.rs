//! The judgement: whether a world spins, and at rest whether everything expected of it holds.

use super::World;
use crate::outcome::Outcome;
use crate::profile::Level;
use crate::rest;
use std::sync::Arc;
use wavetank::cell::{Cause, Cell, ExitRecord};
use wavetank::{ActorId, TrapClass};

/// Calls in a row by which a cell asks for news, gets none and does not wait, until it counts as spinning.
/// A guest that blocks in `wasi:io/poll` makes a handful.
const IDLE_CALLS: u64 = 10_000;

/// Polls in a row that cause nothing, until the one polled counts as spinning: a task of the host that wakes
/// itself for ever. A cell that computes is not meant: its fuel bounds it.
const IDLE_POLLS: u64 = 1_000_000;

/// What a scenario says must hold at the end.
pub(super) struct Expectation {
    pub(super) cell: Cell,
    pub(super) what: Expected,
}

pub(super) enum Expected {
    Code(i32),
    Trap(TrapClass),
    Output(Stream, String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl World {
    pub(super) fn spinning(&self, actor: ActorId, idle_polls: u64) -> Option<Outcome> {
        let calls = self.fabric.idle_calls(actor);
        if calls >= IDLE_CALLS {
            let who = self.tank.cell(actor).map_or_else(String::new, |cell| cell.name().to_string());
            let evidence =
                format!("asked {calls} times in a row for news that were not there, without blocking");
            return Some(Outcome::Spinning { who, evidence });
        }
        if idle_polls >= IDLE_POLLS && self.tank.cell(actor).is_none() {
            let evidence = format!("was polled {idle_polls} times in a row and did nothing");
            return Some(Outcome::Spinning { who: "a task of the host".into(), evidence });
        }
        None
    }

    /// Judges a world at rest.
    pub(super) fn judge(&self) -> Outcome {
        // What was damaged need not come to its usual end, but to an end.
        let damaged = self.weather.is_damaged();
        if let (false, Some(trapped)) = (damaged, self.unexpected_trap()) {
            return trapped;
        }
        let stalled = rest::stalled(&self.tank, &self.executor, &self.transcript);
        if !damaged && self.weather.level() < Level::Disorder {
            let at_rest = self.at_rest.borrow();
            let wrong = at_rest.iter().find_map(|wrong| wrong(&self.transcript, stalled.is_some()));
            if let Some((oracle, what)) = wrong {
                return Outcome::Violated { oracle, what };
            }
        }
        if let Some(graph) = stalled {
            return Outcome::Stalled(graph);
        }
        if damaged {
            return Outcome::Finished;
        }
        let broken = self.expectations.borrow().iter().find_map(|expected| self.check(expected));
        broken.map_or(Outcome::Finished, |(oracle, what)| Outcome::Violated { oracle, what })
    }

    fn unexpected_trap(&self) -> Option<Outcome> {
        let expectations = self.expectations.borrow();
        let is_expected = |cell: &Cell, class| {
            expectations
                .iter()
                .any(|e| e.cell.id() == cell.id() && matches!(e.what, Expected::Trap(c) if c == class))
        };
        self.tank.cells().iter().find_map(|cell| match cell.exit().as_deref() {
            Some(ExitRecord { cause: Cause::Trapped(trap), .. }) if !is_expected(cell, trap.class) => {
                Some(Outcome::Trapped { cell: cell.name().to_string(), trap: trap.clone() })
            }
            _ => None,
        })
    }

    fn check(&self, Expectation { cell, what }: &Expectation) -> Option<(&'static str, String)> {
        let name = cell.name();
        let exit = cell.exit()?;
        match what {
            Expected::Code(code) if exit.code == *code => None,
            Expected::Code(code) => {
                Some(("exit", format!("{name} exited with {}, expected {code}", exit.code)))
            }
            Expected::Trap(class) => match &exit.cause {
                Cause::Trapped(trap) if trap.class == *class => None,
                _ => Some(("exit", format!("{name} exited with {}, expected a trap: {class}", exit.code))),
            },
            Expected::Output(stream, text) => {
                let output = self.output(cell, *stream);
                let says = || format!("{name} wrote {output:?}, expected {text:?} in it");
                (!output.contains(text)).then(|| ("output", says()))
            }
        }
    }

    fn output(&self, cell: &Cell, stream: Stream) -> String {
        let roots = self.roots.borrow();
        let stdio = roots.iter().find(|(root, _)| root.id() == cell.id()).map(|(_, stdio)| stdio);
        let output = stdio.and_then(|stdio| match stream {
            Stream::Stdout => stdio.stdout.clone(),
            Stream::Stderr => Some(stdio.stderr.clone()),
        });
        output.map_or_else(String::new, |output| String::from_utf8_lossy(&output.kept()).into_owned())
    }

    /// How every cell ended, in order of birth.
    pub(crate) fn cells(&self) -> Vec<(Arc<str>, Option<ExitRecord>)> {
        let ended = |cell: &Cell| (cell.name().clone(), cell.exit().as_deref().cloned());
        self.tank.cells().iter().map(ended).collect()
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.fabric.now_ns()
    }
}
