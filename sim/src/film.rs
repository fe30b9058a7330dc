//! The state of a world after each of its steps, as plain data. A report page shows one of them at each place of its slider.
//!
//! A world fills it in if [`Setup::films`](crate::Setup::films) asks for it. It takes room for what changed, not for
//! the whole world at each step. Not here: the moves and events themselves, which are in the transcript, and fuel, which
//! a cell tells only at its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use wavetank::{ActorId, GateId, PipeId};

/// A world after each step, as differences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Film {
    /// The texts that the shots refer to, each once.
    pub texts: Vec<Arc<str>>,
    /// Every task that ever lived, in order of birth.
    pub tasks: Vec<FilmedTask>,
    /// One for each step; the first is of the world before the first step.
    pub shots: Vec<Shot>,
}

/// The place of a text in [`Film::texts`].
pub type TextId = u32;

/// A task of a film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilmedTask {
    /// Its name.
    pub name: Arc<str>,
    /// The vat or cell in whose queue it stands.
    pub actor: ActorId,
}

/// The differences between a world after a step and after the step before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shot {
    /// The clock, in nanoseconds.
    pub now_ns: u64,
    /// Pipes that changed.
    pub pipes: Vec<PipeState>,
    /// Tasks that changed, by their place in [`Film::tasks`]; `None` for a task that ended.
    pub tasks: Vec<(u32, Option<Waiting>)>,
    /// Calls that changed: the state in words, `None` once a call is no longer open.
    pub calls: Vec<(GateId, Option<TextId>)>,
    /// Cells whose blocking import changed; `None` for a cell that is in none.
    pub blocked_in: Vec<(ActorId, Option<TextId>)>,
    /// The moves that could happen next; the calm policy's move is first.
    pub menu: Vec<TextId>,
    /// How many more could happen than [`menu`](Self::menu) has.
    pub more: u32,
    /// The place in the menu of the move that happened next, if it was on the menu.
    pub chosen: Option<u32>,
}

/// A pipe between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeState {
    /// The pipe.
    pub pipe: PipeId,
    /// Bytes that were written and not yet delivered.
    pub staged_bytes: usize,
    /// Bytes that were delivered and not yet read.
    pub visible_bytes: usize,
    /// Bytes that a writer may write.
    pub budget_bytes: usize,
    /// The most bytes that it holds.
    pub capacity_bytes: usize,
    /// Whether it waits for deliveries and grants.
    pub held: bool,
    /// Whether it delivers nothing any more.
    pub muted: bool,
    /// Whether a reader waits for bytes.
    pub reader_waits: bool,
    /// Whether a writer waits for budget.
    pub writer_waits: bool,
    /// Whether the reading end is open.
    pub reader_open: bool,
    /// Whether the writing end is open.
    pub writer_open: bool,
}

/// The state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What it waits for.
    pub on: WaitingOn,
    /// The same in words.
    pub text: TextId,
}

/// What a task waits for, as far as it can be seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitingOn {
    /// Nothing: it could be polled now.
    Ready,
    /// Something that cannot be seen from outside, such as an answer.
    Unseen,
    /// Bytes.
    Bytes,
    /// Room in a pipe.
    Budget,
    /// A time.
    Time,
    /// The start of its cell.
    Start,
}

/// Moves of a menu that a shot keeps, at most.
pub const SHOWN_MENU: usize = 40;

/// Collects texts, each once.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    all: Vec<Arc<str>>,
    places: BTreeMap<Arc<str>, TextId>,
}

impl Texts {
    pub(crate) fn place(&mut self, text: &str) -> TextId {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.all.len() as TextId;
        let text: Arc<str> = text.into();
        self.all.push(text.clone());
        self.places.insert(text, place);
        place
    }

    pub(crate) fn into_all(self) -> Vec<Arc<str>> {
        self.all
    }
}
