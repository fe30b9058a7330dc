//! Choices: a run is determined by a finite sequence of small numbers.

use crate::menu::Item;
use crate::moves::Kind;
use serde::{Deserialize, Serialize};

/// One bounded number that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The number; 0 is the dullest.
    pub value: u32,
    /// Its meaning. A replay compares it to find where it diverges.
    pub of: Meaning,
}

/// The occasion of a choice: the time of the draw, and the alternatives. A token does not keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// The step that the choice led to or was a part of, counted from 1; 0 before the first step.
    pub step: u64,
    /// The value had to be below this.
    pub bound: u32,
    /// The move that the calm policy would have made, if the choice picked the next move.
    pub calm: Option<Item>,
}

/// The meaning of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Meaning {
    /// The next move or an injected fault: its kind, and the id of the actor or thing that it names.
    Item(Kind, u32),
    /// No fault was injected.
    NoFault,
    /// How many bytes of a pipe. 0 is all of them.
    Amount(u32),
    /// How a new pipe flows. 0 is freely.
    Pipe(u32),
    /// A number that a scenario asked for.
    Value,
    /// How rough the world is: a [`Level`](crate::profile::Level). 0 is still. It is a choice, so that a replay needs
    /// no profile to know which faults are possible, and so that shrinking tries calmer worlds. A world draws it before
    /// its first step; only the draws of the scenario's set-up come earlier.
    Level,
    /// How much fuel a cell burns at a time. 0 is the usual amount.
    Slice(u32),
    /// Which of WASI's freedoms a cell's host takes: the number of a set of them. 0 is none. One choice picks the whole
    /// set, so that combinations are tried too.
    Host(u32),
    /// At which fuel a cell is trapped. 0 is never.
    Trap(u32),
    /// After how many growths of its memory a cell is refused more. 0 is never.
    Refuse(u32),
    /// Moves until the next injected fault. 0 is never.
    Gap,
    /// Bytes until a pipe ends. 0 is at once.
    Bytes(u32),
    /// Which end of a pipe is told that it has ended, and how. 0 is the writer, by an error.
    Half(u32),
    /// A length of time. 0 is the shortest.
    Span,
    /// Which of the operations that a script offers. 0 is the dullest.
    Act(u32),
    /// How long an operation of fake I/O takes. 0 is no time.
    Latency(u32),
    /// Whether an operation of fake I/O fails: 1 if it does. Drawn only if its scenario allows failures.
    Failure(u32),
    /// The value of a draw of a server or a task, by its number. 0 is the dullest: no, or the first.
    Draw(u32),
    /// Which task of an actor. 0 is the task that has been ready longest.
    Task(u32),
}

impl Meaning {
    /// A small fingerprint of this meaning, which a token keeps.
    pub fn check(self) -> u8 {
        let (tag, id) = match self {
            Meaning::Item(kind, id) => (kind as u32, id),
            Meaning::Amount(pipe) => (32, pipe),
            Meaning::Pipe(pipe) => (33, pipe),
            Meaning::Value => (34, 0),
            Meaning::Level => (35, 0),
            Meaning::Slice(cell) => (36, cell),
            Meaning::Host(cell) => (48, cell),
            Meaning::Trap(cell) => (37, cell),
            Meaning::Refuse(cell) => (38, cell),
            Meaning::Gap => (39, 0),
            Meaning::Bytes(pipe) => (40, pipe),
            Meaning::Span => (41, 0),
            Meaning::Task(actor) => (42, actor),
            Meaning::NoFault => (43, 0),
            Meaning::Act(script) => (44, script),
            Meaning::Latency(operation) => (45, operation),
            Meaning::Failure(operation) => (46, operation),
            Meaning::Half(pipe) => (47, pipe),
            Meaning::Draw(draw) => (49, draw),
        };
        (tag.wrapping_mul(41).wrapping_add(id.wrapping_mul(7)) % 251) as u8
    }
}
