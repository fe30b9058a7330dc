//! The judgement: what is looked at while a world runs, and what when it rests.

use super::World;
use crate::calls::PEER_SCHEMA;
use crate::executor::Whose;
use crate::moves::Move;
use crate::oracle::livelock::{Polled, Watch, Who};
use crate::oracle::{Blame, CellFacts, Evidence, Facts, Finding, TaskFacts, blocking, rest};
use crate::outcome::Outcome;
use crate::profile::Level;
use crate::transcript::LinkFrames;
use std::collections::BTreeSet;
use std::sync::Arc;
use wavetank::cell::{Cause, Cell, ExitRecord, Limits};
use wavetank::{ActorId, Event, TrapClass};

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

/// What a scenario lets a cell and its children do.
#[derive(Clone, Copy, Default)]
pub(super) struct Leave {
    pub(super) keeps_time: bool,
    pub(super) may_fail: bool,
}

/// What a scenario says must hold after every step.
pub(super) struct Invariant {
    pub(super) name: String,
    pub(super) holds: Holds,
}

type Holds = Box<dyn Fn(&World) -> Result<(), String>>;

impl World {
    /// Looks on before a move is made: whether somebody blocks where only time could help.
    pub(super) fn before(&self, moved: Move) -> Option<Outcome> {
        let Move::Advance(_) = moved else { return None };
        let is_rest = self.with_sets(|sets| {
            [sets.start, sets.poll, sets.deliver, sets.grant, sets.answer].iter().all(|set| set.is_empty())
        });
        if !is_rest || !self.fabric.somebody_blocks_outside_poll() {
            return None;
        }
        let facts = self.facts();
        blocking::judge_before_time(&Evidence::from_facts(&facts, &[])).map(Outcome::Violated)
    }

    /// Looks on after a move was made.
    pub(super) fn after(&self, moved: Move, caused: bool, watch: &mut Watch) -> Option<Outcome> {
        if let Move::Poll(actor) | Move::PollAt(actor, _) = moved {
            let is_ready = self.executor.ready().contains(actor);
            let polled = Polled { actor, caused, is_ready, habits: self.fabric.habits(ActorId(actor)) };
            let found = watch.polled(polled, || self.who(ActorId(actor)));
            if found.is_some() {
                return found;
            }
        } else {
            watch.moved();
        }
        self.broken_invariant()
    }

    fn who(&self, actor: ActorId) -> Who {
        let Some(cell) = self.tank.cell(actor) else {
            return Who {
                name: "a task of the host".into(),
                limits: None,
                keeps_time: false,
                blame: match self.executor.waiting().find(|(_, whose)| *whose == Whose::Scenario) {
                    Some((task, _)) => Blame::Scenario(format!("perhaps its task {task:?}")),
                    None => Blame::Tank,
                },
            };
        };
        Who {
            name: cell.name().to_string(),
            limits: Some(Limits {
                // It may have been told to burn less at a time than its limits say.
                fuel_slice: self.fabric.orders(actor).fuel_slice.unwrap_or(cell.limits().fuel_slice),
                ..cell.limits().clone()
            }),
            keeps_time: self.leave_of(actor).keeps_time,
            blame: Blame::Guest(cell.name().to_string()),
        }
    }

    /// What a cell may do: what its root was allowed, for children inherit it.
    fn leave_of(&self, cell: ActorId) -> Leave {
        let leave = self.leave.borrow();
        let mut of = cell;
        loop {
            if let Some(leave) = leave.get(&of) {
                return *leave;
            }
            let parent = self.transcript.events.iter().find_map(|event| match event {
                Event::CellBorn { cell, parent, .. } if *cell == of => *parent,
                _ => None,
            });
            match parent {
                Some(parent) => of = parent,
                None => return Leave::default(),
            }
        }
    }

    fn broken_invariant(&self) -> Option<Outcome> {
        self.invariants.borrow().iter().find_map(|Invariant { name, holds }| {
            let wrong = holds(self).err()?;
            let step = self.transcript.steps.len();
            Some(Outcome::Violated(Finding {
                oracle: "invariant",
                who: name.clone(),
                blame: Blame::Scenario(format!("its invariant {name:?} says so")),
                what: format!("{name:?} does not hold after step {step}: {wrong}"),
                detail: Vec::new(),
            }))
        })
    }

    /// Judges a world at rest.
    pub(super) fn judge(&self) -> Outcome {
        // What was damaged need not come to its usual end, but to an end.
        if !self.weather.is_damaged()
            && let Some(trapped) = self.unexpected_trap()
        {
            return trapped;
        }
        let (facts, frames) = (self.facts(), self.frames());
        let transcript = &self.transcript;
        let evidence = Evidence {
            steps: &transcript.steps,
            events: &transcript.events,
            ..Evidence::from_facts(&facts, &frames)
        };
        if let Some(finding) = evidence.wrong() {
            return Outcome::Violated(finding);
        }
        let stalled = rest::stalled(&evidence);
        if !self.weather.is_damaged() && self.weather.level() < Level::Disorder {
            let at_rest = self.at_rest.borrow();
            let wrong = at_rest.iter().find_map(|wrong| wrong(&self.transcript, stalled.is_some()));
            if let Some(finding) = wrong {
                return Outcome::Violated(finding);
            }
        }
        if let Some(graph) = stalled {
            return Outcome::Stalled(graph);
        }
        let unmet = || {
            let is_struck =
                |cell: &Cell| evidence.cell(cell.id()).is_some_and(|cell| evidence.is_struck(cell));
            let expectations = self.expectations.borrow();
            expectations.iter().filter(|expected| !is_struck(&expected.cell)).find_map(|e| self.check(e))
        };
        unmet().or_else(|| evidence.left()).map_or(Outcome::Finished, Outcome::Violated)
    }

    fn frames(&self) -> Arc<[LinkFrames]> {
        self.frames.get_or_init(|| self.transcript.frames(&PEER_SCHEMA).into()).clone()
    }

    /// How everything stands now.
    pub(crate) fn facts(&self) -> Facts {
        let cells = self.tank.cells();
        // What was struck and what depends on it cannot be told apart from outside: all of a world is held to
        // less once anything in it was damaged.
        let struck =
            if self.weather.is_damaged() { cells.iter().map(Cell::id).collect() } else { BTreeSet::new() };
        let mut facts = Facts { pipes: self.fabric.pipes(), struck, ..Facts::default() };
        let mut parents = self.transcript.events.iter().filter_map(|event| match event {
            Event::CellBorn { cell, parent, .. } => Some((*cell, *parent)),
            _ => None,
        });
        let leave = self.leave.borrow();
        for cell in cells {
            let id = cell.id();
            let parent = parents.find(|(born, _)| *born == id).and_then(|(_, parent)| parent);
            let inherited = || parent.and_then(|parent| facts.cells.iter().find(|cell| cell.id == parent));
            let may_fail = match leave.get(&id) {
                Some(leave) => leave.may_fail,
                None => inherited().is_some_and(|parent| parent.may_fail),
            };
            facts.cells.push(CellFacts {
                id,
                name: cell.name().clone(),
                parent,
                is_scenarios: leave.contains_key(&id),
                transport: cell.transport(),
                limits: cell.limits().clone(),
                pipes: cell.pipes().into(),
                link: cell.link().map(|link| (link.id(), link.up(), link.down())),
                exit: cell.exit().as_deref().cloned(),
                blocked_in: self.fabric.blocked_in(id),
                blocked: self.fabric.blocked(id),
                may_fail,
            });
        }
        let task = |(name, whose): (&str, Whose)| TaskFacts { name: name.into(), whose };
        facts.tasks = self.executor.waiting().map(task).collect();
        facts
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

    fn check(&self, Expectation { cell, what }: &Expectation) -> Option<Finding> {
        let name = cell.name();
        let exit = cell.exit()?;
        let wrong = |oracle, what| Finding {
            oracle,
            who: name.to_string(),
            blame: Blame::Guest(name.to_string()),
            what,
            detail: Vec::new(),
        };
        match what {
            Expected::Code(code) if exit.code == *code => None,
            Expected::Code(code) => {
                Some(wrong("exit", format!("{name} exited with {}, expected {code}", exit.code)))
            }
            Expected::Trap(class) => match &exit.cause {
                Cause::Trapped(trap) if trap.class == *class => None,
                _ => {
                    Some(wrong("exit", format!("{name} exited with {}, expected a trap: {class}", exit.code)))
                }
            },
            Expected::Output(stream, text) => {
                let output = self.output(cell, *stream);
                let says = || format!("{name} wrote {output:?}, expected {text:?} in it");
                (!output.contains(text)).then(|| wrong("output", says()))
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
