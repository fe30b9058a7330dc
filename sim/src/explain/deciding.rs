//! The deciding change: the smallest change of a failing run that alone makes it pass.
//!
//! Each candidate is tried in a run of its own. That run [follows](Follow) the moves and draws of the failing one, with
//! one thing undone. Before that, a run without any change must fail in the same way. So the change is the only
//! intended difference between the two runs. The candidates, the surest explanation first:
//!
//! 1. one fault or one piece of weather: a wake-up for nothing, an operation that fails, a draw of a server,
//!    a freedom of a host;
//! 2. one amount of bytes: all of them instead of some;
//! 3. one order: a move that was made before the one that the calm policy would have made;
//! 4. one setting: a held pipe, a small fuel slice, a value of the scenario.
//!
//! In each group the latest comes first, because it is the nearest to the failure. The flow of pipes and the fuel that
//! a cell burns at a time also decide which moves there are. So if an order was chosen as well, these settings prove
//! nothing and are not tried.
//!
//! An order is changed by one move that comes earlier or later, and all others stay as they were. A run in which that
//! could not be done exactly proves nothing. If only orders were chosen, or nothing at all, the order of every two moves
//! is tried that are at most [`NEAREST`] steps apart, the nearest first. If no single change makes the run pass, none is
//! named.

use super::Rerun;
use super::chosen::{next_of, setting_undone};
use crate::moves::Move;
use crate::run::Run;
use crate::signature::signature;
use crate::transcript::Names;
use std::collections::BTreeSet;
use std::fmt;
use wavetank::Freedoms;
use wavetank_choice::choice::{Choice, Meaning};
use wavetank_choice::menu::Item;
use wavetank_choice::strategy::Follow;

/// The smallest change that makes a failing run pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deciding {
    /// The change.
    pub change: Change,
    /// The change in words, to follow "it passes".
    says: String,
}

/// A change of one thing in a run. Steps are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A fault or a piece of weather is left out.
    Without {
        /// The step at which it came.
        step: usize,
        /// The move that injected it.
        moved: Move,
    },
    /// A move takes all bytes instead of some.
    Whole {
        /// The step.
        step: usize,
        /// The move.
        moved: Move,
    },
    /// A move is made after another instead of before it.
    After {
        /// The move that came first in the failing run, and its step.
        first: (usize, Move),
        /// The move that comes first after the change, and its step.
        second: (usize, Move),
    },
    /// A setting has its usual value.
    Setting(Meaning),
}

impl Change {
    /// The steps of two moves whose order is changed.
    fn exchanged(self) -> Option<(usize, usize)> {
        match self {
            Change::After { first, second } => Some((first.0, second.0)),
            _ => None,
        }
    }
}

impl fmt::Display for Deciding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it passes {}", self.says)
    }
}

impl Deciding {
    /// The steps of the failing run that the change is about, from 1.
    pub fn steps(&self) -> Vec<usize> {
        match self.change {
            Change::Without { step, .. } | Change::Whole { step, .. } => vec![step],
            Change::After { first, second } => vec![first.0, second.0],
            Change::Setting(_) => Vec::new(),
        }
    }
}

/// Steps between two moves whose order is changed, at most.
const NEAREST: usize = 4;

/// Steps that the search may take in all. If a run is long, there are few tries.
const SEARCH_STEPS: usize = 500_000;

/// Finds the deciding change in at most `budget_runs` runs. Gives the run that passes too.
pub(super) fn deciding(
    run: &Run,
    names: &Names,
    budget_runs: usize,
    again: Rerun<'_>,
) -> Option<(Deciding, Run)> {
    let moves = run.moves();
    let budget_runs = budget_runs.min(SEARCH_STEPS / moves.len().max(1));
    let search = Search { run, moves: &moves, names, again };
    if budget_runs < 2 || !search.fails_unchanged() {
        return None;
    }
    let tried = |candidate: Candidate| search.passing(&candidate).map(|passing| (candidate, passing));
    let (found, passing) = search.candidates().take(budget_runs - 1).find_map(tried)?;
    Some((Deciding { change: found.change, says: search.says(found) }, passing))
}

/// The plan for the run of a candidate: moves to make as far as they can be made, and the draws.
struct Plan<'a> {
    moves: Vec<Item>,
    draws: &'a [Choice],
    /// So many of the moves must be made exactly in this order, or the run proves nothing about the change.
    exactly: usize,
}

struct Search<'a> {
    run: &'a Run,
    moves: &'a [Move],
    names: &'a Names,
    again: Rerun<'a>,
}

/// A change with the plan of the run that tries it.
struct Candidate {
    change: Change,
    difference: Difference,
}

/// How the run of a candidate differs from the failing one.
enum Difference {
    /// Other draws, with the change in words.
    Draws { draws: Vec<Choice>, says: String },
    /// The second move is made just before the first one.
    LaterFirst,
    /// The first move is made just after the second one.
    EarlierLast,
}

impl Search<'_> {
    fn fails_unchanged(&self) -> bool {
        let unchanged = Plan { moves: items(self.moves), draws: &self.run.choices, exactly: 0 };
        let again = self.run(&unchanged);
        signature(&again.outcome) == signature(&self.run.outcome)
    }

    /// The run of a candidate, if it passes.
    fn passing(&self, candidate: &Candidate) -> Option<Run> {
        let plan = self.plan(candidate);
        let again = self.run(&plan);
        let made = items(&again.moves());
        let is_exact = made.get(..plan.exactly) == Some(&plan.moves[..plan.exactly]);
        (again.outcome.is_finished() && is_exact).then_some(again)
    }

    fn plan<'b>(&'b self, candidate: &'b Candidate) -> Plan<'b> {
        let mut order = self.moves.to_vec();
        let mut exactly = 0;
        if let Change::After { first, second } = candidate.change {
            let exchanged = &mut order[first.0 - 1..second.0];
            match candidate.difference {
                Difference::LaterFirst => exchanged.rotate_right(1),
                Difference::EarlierLast => exchanged.rotate_left(1),
                Difference::Draws { .. } => {}
            }
            exactly = items(&order[..second.0]).len();
        }
        let draws = match &candidate.difference {
            Difference::Draws { draws, .. } => draws,
            Difference::LaterFirst | Difference::EarlierLast => &self.run.choices,
        };
        Plan { moves: items(&order), draws, exactly }
    }

    fn says(&self, candidate: Candidate) -> String {
        match (candidate.change, candidate.difference) {
            (_, Difference::Draws { says, .. }) => says,
            (Change::After { first, second }, _) => format!(
                "if step {} ({}) comes after step {} ({})",
                first.0,
                self.names.moved(first.1),
                second.0,
                self.names.moved(second.1)
            ),
            _ => String::new(),
        }
    }

    fn run(&self, plan: &Plan<'_>) -> Run {
        let follow = Follow::new(plan.moves.clone(), plan.draws);
        (self.again)(&move || Box::new(follow.clone()))
    }

    /// The candidates in the order in which they are tried.
    fn candidates(&self) -> impl Iterator<Item = Candidate> {
        let mut faults = Vec::new();
        let mut amounts = Vec::new();
        let mut orders = Vec::new();
        let mut settings = Vec::new();
        let mut flows = Vec::new();
        for at in (0..self.run.choices.len()).rev() {
            let Choice { value, of } = self.run.choices[at];
            if value == 0 {
                continue;
            }
            match of {
                Meaning::Item(kind, _) if kind.is_fault() => faults.extend(self.without_fault(at)),
                Meaning::Item(..) => orders.extend(self.calm_orders(at)),
                Meaning::Amount(_) => amounts.extend(self.whole_amount(at)),
                // Details of an injected fault, which is undone as a whole.
                Meaning::Gap
                | Meaning::NoFault
                | Meaning::Bytes(_)
                | Meaning::Half(_)
                | Meaning::Span
                | Meaning::Level => {}
                Meaning::Failure(_)
                | Meaning::Draw(_)
                | Meaning::Trap(_)
                | Meaning::Refuse(_)
                | Meaning::Host(_) => {
                    faults.extend(self.usual_setting(at));
                }
                Meaning::Pipe(_) | Meaning::Slice(_) => flows.extend(self.usual_setting(at)),
                _ => settings.extend(self.usual_setting(at)),
            }
        }
        if orders.is_empty() {
            settings.append(&mut flows);
        }
        let is_order_only = faults.is_empty() && amounts.is_empty() && settings.is_empty();
        let mut candidates = faults;
        candidates.append(&mut amounts);
        candidates.append(&mut orders);
        candidates.append(&mut settings);
        let tried: BTreeSet<(usize, usize)> =
            candidates.iter().filter_map(|tried| tried.change.exchanged()).collect();
        let farthest = if is_order_only { NEAREST } else { 0 };
        let near = (1..=farthest).flat_map(|apart| self.exchanged_at(apart));
        let near = near.filter(move |candidate| {
            candidate.change.exchanged().is_none_or(|exchanged| !tried.contains(&exchanged))
        });
        candidates.into_iter().chain(near)
    }

    /// The run without the fault that was injected at a step.
    fn without_fault(&self, at: usize) -> Option<Candidate> {
        let (step, moved) = self.step_of(at)?;
        let mut choices = self.run.choices.clone();
        choices[at] = Choice { value: 0, of: Meaning::NoFault };
        let says = format!("without step {step} ({})", self.names.moved(moved));
        Some(self.drawn_otherwise(Change::Without { step, moved }, says, choices))
    }

    /// The run with all bytes moved at a step.
    fn whole_amount(&self, at: usize) -> Option<Candidate> {
        let (step, moved) = self.step_of(at)?;
        let mut choices = self.run.choices.clone();
        choices[at].value = 0;
        let all = self.run.occasions[at].bound - u32::from(matches!(moved, Move::Grant(..)));
        let says = format!("if step {step} ({}) is of all {all}", self.names.moved(moved));
        Some(self.drawn_otherwise(Change::Whole { step, moved }, says, choices))
    }

    /// The run with a setting at its usual value. If a host has several freedoms, one of them is left out at a time.
    fn usual_setting(&self, at: usize) -> Vec<Candidate> {
        let Choice { value, of } = self.run.choices[at];
        let values: Vec<u32> = match of {
            Meaning::Host(_) => {
                let bits = (0..Freedoms::SETS.ilog2()).map(|bit| 1 << bit);
                bits.filter(|bit| value & bit != 0).map(|bit| value & !bit).collect()
            }
            _ => vec![0],
        };
        let mut candidates = Vec::new();
        for lower in values {
            let mut choices = self.run.choices.clone();
            choices[at].value = lower;
            if let Some(says) = setting_undone(self.run, at, lower, self.names) {
                candidates.push(self.drawn_otherwise(Change::Setting(of), says, choices));
            }
        }
        candidates
    }

    /// The runs with a move after the one that the calm policy would have made instead.
    fn calm_orders(&self, at: usize) -> Vec<Candidate> {
        let occasion = self.run.occasions[at];
        let calm = occasion.calm.and_then(|calm| {
            let one = (occasion.step as usize).checked_sub(1)?;
            Some((one, next_of(self.moves, one + 1, calm)?))
        });
        calm.map_or_else(Vec::new, |(one, other)| self.exchanged(one, other))
    }

    /// The runs in which the order of two moves this far apart is changed.
    fn exchanged_at(&self, apart: usize) -> impl Iterator<Item = Candidate> {
        (apart..self.moves.len()).rev().flat_map(move |at| self.exchanged(at - apart, at))
    }

    /// The two runs with two moves of different lanes in the other order: the later one is made just before the
    /// earlier one, or the earlier one just after the later one. All other moves stay in their order.
    fn exchanged(&self, one: usize, other: usize) -> Vec<Candidate> {
        let (first, second) = (self.moves[one], self.moves[other]);
        let lanes = item(first).zip(item(second)).map(|(first, second)| (first.lane(), second.lane()));
        if lanes.is_none_or(|(first, second)| first == second) {
            return Vec::new();
        }
        let change = Change::After { first: (one + 1, first), second: (other + 1, second) };
        [Difference::LaterFirst, Difference::EarlierLast]
            .map(|difference| Candidate { change, difference })
            .into()
    }

    fn drawn_otherwise(&self, change: Change, says: String, choices: Vec<Choice>) -> Candidate {
        Candidate { change, difference: Difference::Draws { draws: choices, says } }
    }

    /// The number and the move of the step that a choice was a part of.
    fn step_of(&self, at: usize) -> Option<(usize, Move)> {
        let step = self.run.occasions[at].step as usize;
        Some((step, *self.moves.get(step.checked_sub(1)?)?))
    }
}

/// The menu item of a move; `None` for injected faults, which are on no menu.
fn item(moved: Move) -> Option<Item> {
    (!moved.kind().is_fault()).then(|| Item { kind: moved.kind(), id: moved.id() })
}

fn items(moves: &[Move]) -> Vec<Item> {
    moves.iter().copied().filter_map(item).collect()
}
