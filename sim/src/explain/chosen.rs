//! Choices in words: the choice at each step, and the calm policy's move in its place.

use crate::moves::Move;
use crate::run::Run;
use crate::transcript::{Names, count};
use crate::world::{SLICES, SMALL_CAPACITY_BYTES, trap_fuel};
use std::collections::BTreeMap;
use wavetank::{ActorId, Freedoms, GateId, PipeId};
use wavetank_choice::choice::{Choice, Meaning, Occasion};
use wavetank_choice::menu::Item;
use wavetank_choice::moves::Kind;
use wavetank_choice::profile::Level;

/// Each step at which a choice was not 0, with its number; 0 is the set-up.
pub(super) fn chosen(run: &Run, names: &Names) -> Vec<(u64, String)> {
    let moves = run.moves();
    let mut by_step: BTreeMap<u64, Vec<(Choice, Occasion)>> = BTreeMap::new();
    let mut lines = Vec::new();
    let mut values = 0;
    for (&choice, &occasion) in run.choices.iter().zip(&run.occasions) {
        if choice.of == Meaning::Value {
            values += 1;
            if choice.value > 0 {
                let says =
                    format!("set up: value {values} is {} of 0 to {}", choice.value, occasion.bound - 1);
                lines.push((0, says));
            }
        } else if choice.value > 0 {
            by_step.entry(occasion.step).or_default().push((choice, occasion));
        }
    }
    for (&step, drawn) in &by_step {
        lines.extend(at_step(step, drawn, &moves, names).map(|says| (step, says)));
    }
    lines
}

fn at_step(step: u64, drawn: &[(Choice, Occasion)], moves: &[Move], names: &Names) -> Option<String> {
    let moved = step.checked_sub(1).and_then(|at| moves.get(at as usize));
    let mut says = match moved {
        Some(&moved) => {
            let injected = if moved.kind().is_fault() { "injected: " } else { "" };
            format!("step {step}: {injected}{}", names.moved(moved))
        }
        // The choice was for a step that never came.
        None if step > 0 => return None,
        None => "set up".into(),
    };
    let mut matters = false;
    let mut conditions = Vec::new();
    for &(Choice { value, of }, occasion) in drawn {
        match of {
            // The fault's own move shows when it came. A fault that never came changed nothing.
            Meaning::Gap | Meaning::NoFault => continue,
            Meaning::Item(kind, _) if !kind.is_fault() => says += &ahead_of(occasion, step, moves, names),
            Meaning::Amount(_) => {
                let of = occasion.bound - u32::from(moved.is_some_and(|moved| moved.kind() == Kind::Grant));
                says += &format!(" (of {of})");
            }
            _ => conditions.extend(condition(of, value, names)),
        }
        matters = true;
    }
    if !conditions.is_empty() {
        says += &format!("; {}", conditions.join(", "));
    }
    matters.then_some(says)
}

/// The move that the calm policy would have made instead, and the step at which it came.
fn ahead_of(occasion: Occasion, step: u64, moves: &[Move], names: &Names) -> String {
    let Some(calm) = occasion.calm else { return String::new() };
    match next_of(moves, step as usize, calm) {
        Some(at) => format!(", ahead of {} (step {})", names.moved(moves[at]), at + 1),
        None => format!(" instead of: {}", bare(calm, names)),
    }
}

/// The place of an item's next move, from a place on.
pub(super) fn next_of(moves: &[Move], from: usize, item: Item) -> Option<usize> {
    (from..moves.len()).find(|&at| moves[at].kind() == item.kind && moves[at].id() == item.id)
}

/// An item that never became a move, in words.
fn bare(Item { kind, id }: Item, names: &Names) -> String {
    match kind {
        Kind::Start => names.moved(Move::Start(id)),
        Kind::Poll => names.moved(Move::Poll(id)),
        Kind::Deliver => format!("deliver any more of {}", names.pipe(PipeId(id))),
        Kind::Grant => format!("grant any more to {}", names.pipe(PipeId(id))),
        Kind::Answer => names.moved(Move::Answer(id)),
        Kind::Resume => names.moved(Move::Resume(id)),
        Kind::Act => format!("act by script {id}"),
        _ => "advance the clock".into(),
    }
}

/// A setting of a world, a pipe or a cell, in words.
fn condition(of: Meaning, value: u32, names: &Names) -> Option<String> {
    let actor = |id| names.actor(ActorId(id));
    Some(match of {
        Meaning::Pipe(pipe) => {
            let small = if value > 1 {
                format!(" and small ({})", count(SMALL_CAPACITY_BYTES))
            } else {
                String::new()
            };
            format!("{} is held{small}", names.pipe(PipeId(pipe)))
        }
        Meaning::Level => match Level::of(value) {
            Level::Still => return None,
            Level::Weather => "there is weather".into(),
            Level::Damage => "damage may be done".into(),
            Level::Disorder => "damage may be done, and a vat's tasks run in any order".into(),
        },
        Meaning::Slice(cell) => {
            format!(
                "{} burns {} fuel at a time",
                actor(cell),
                SLICES[(value as usize - 1).min(SLICES.len() - 1)]
            )
        }
        Meaning::Host(cell) => {
            format!("the host of {}: {}", actor(cell), Freedoms::of(value).words().join("; "))
        }
        Meaning::Trap(cell) => format!("{} is trapped at {} fuel", actor(cell), trap_fuel(value - 1)),
        Meaning::Refuse(cell) => format!("{} is refused memory after {} growths", actor(cell), value - 1),
        // The move itself says it.
        _ => return None,
    })
}

/// A setting of a world, a pipe or a cell as it would be with a lower choice, to follow "it passes"; `None` if the
/// lower choice is no setting.
pub(super) fn setting_undone(run: &Run, at: usize, lower: u32, names: &Names) -> Option<String> {
    let Choice { value, of } = run.choices[at];
    let actor = |id| names.actor(ActorId(id));
    Some(match of {
        Meaning::Pipe(pipe) => format!("if {} is not held", names.pipe(PipeId(pipe))),
        Meaning::Slice(cell) => format!("if {} burns as much fuel at a time as usual", actor(cell)),
        Meaning::Host(cell) => {
            let left_out = Freedoms::of(value & !lower).words().join("; ");
            format!("if the host of {} does not do this: {left_out}", actor(cell))
        }
        Meaning::Trap(cell) => format!("if {} is not trapped at {} fuel", actor(cell), trap_fuel(value - 1)),
        Meaning::Refuse(cell) => format!("if {} is not refused memory", actor(cell)),
        Meaning::Value => {
            let before = run.choices[..at].iter().filter(|choice| choice.of == Meaning::Value).count();
            format!("if value {} is {lower} instead of {value}", before + 1)
        }
        Meaning::Latency(operation) => format!("if {} takes no time", names.call(GateId(operation))),
        Meaning::Failure(operation) => format!("if {} does not fail", names.call(GateId(operation))),
        Meaning::Draw(draw) => {
            let (draw, step) = (GateId(draw), run.occasions[at].step);
            format!("if {} is {} at step {step}", names.draw(draw), names.drawn(draw, lower))
        }
        Meaning::Act(script) => format!("if script {script} does its operation {lower} instead of {value}"),
        Meaning::Task(vat) => {
            let step = run.occasions[at].step;
            format!("if the tasks of {} run in their order at step {step}", actor(vat))
        }
        _ => return None,
    })
}
