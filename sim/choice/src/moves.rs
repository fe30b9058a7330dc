//! The kinds of move, and the lanes that moves belong to: everything that strategies know about a world.
//!
//! Not here: a move with its amounts and times, which is applied by the simulator that owns the world.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// A new cell runs, or its stdin ends.
    Start,
    /// A task of an actor is polled.
    Poll,
    /// Bytes of a pipe become visible, or its end.
    Deliver,
    /// A pipe's writer may write more.
    Grant,
    /// The answer of a finished call goes out.
    Answer,
    /// A paused call continues, or an operation of fake I/O ends.
    Resume,
    /// An operation that a scenario offers is done.
    Act,
    /// The clock moves to the next time that somebody waits for.
    Advance,
    /// Whoever waits for a pipe's bytes is woken although there are none.
    Spur,
    /// Budget that was granted and not used is taken back.
    Shrink,
    /// A finished call's answer is held until a time.
    Delay,
    /// The next `runBytes` takes long.
    Slow,
    /// A pipe ends cleanly.
    Close,
    /// A pipe breaks.
    Reset,
    /// Both pipes of a link break.
    Cut,
    /// All delivery on a pipe stops, until it is given up.
    Mute,
    /// A pipe ends at only one of its ends, until it is given up.
    Half,
    /// The clock moves past the times that others wait for.
    Jump,
    /// A call is cancelled.
    Cancel,
    /// The next `runBytes` fails.
    Fail,
}

impl Kind {
    /// The kinds that every menu offers, in the round-robin order of the calm policy. Time comes last: it passes only
    /// when nothing else can happen.
    pub const ALL: [Kind; 8] = [
        Kind::Start,
        Kind::Poll,
        Kind::Deliver,
        Kind::Grant,
        Kind::Answer,
        Kind::Resume,
        Kind::Act,
        Kind::Advance,
    ];

    /// The kinds of fault injection: weather first, then damage.
    pub const FAULTS: [Kind; 12] = [
        Kind::Spur,
        Kind::Shrink,
        Kind::Delay,
        Kind::Slow,
        Kind::Close,
        Kind::Reset,
        Kind::Cut,
        Kind::Mute,
        Kind::Half,
        Kind::Jump,
        Kind::Cancel,
        Kind::Fail,
    ];

    /// The number of all kinds.
    pub const COUNT: usize = Kind::ALL.len() + Kind::FAULTS.len();

    /// Whether this kind injects a fault: it is not on the usual menu.
    pub fn is_fault(self) -> bool {
        self >= Kind::Spur
    }

    /// Whether it breaks something, so that a correct result may change.
    pub fn is_damage(self) -> bool {
        self >= Kind::Close
    }

    /// Its name, one word.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    fn row(self) -> &'static Row {
        let row = &TABLE[self as usize];
        debug_assert_eq!(row.kind, self);
        row
    }
}

/// All that is known of a kind of move. A new kind needs a variant, its place in [`Kind::ALL`] or [`Kind::FAULTS`], and
/// its row here.
struct Row {
    kind: Kind,
    name: &'static str,
    /// The lane of a move of this kind with an id. An injected fault belongs to the lane of the thing that it strikes.
    lane: fn(u32) -> Lane,
}

const fn row(kind: Kind, name: &'static str, lane: fn(u32) -> Lane) -> Row {
    Row { kind, name, lane }
}

fn clock(_: u32) -> Lane {
    Lane::Clock
}

/// The rows in the order of the variants.
const TABLE: [Row; Kind::COUNT] = [
    row(Kind::Start, "start", Lane::Actor),
    row(Kind::Poll, "poll", Lane::Actor),
    row(Kind::Deliver, "deliver", Lane::Pipe),
    row(Kind::Grant, "grant", Lane::Pipe),
    row(Kind::Answer, "answer", Lane::Call),
    row(Kind::Resume, "resume", Lane::Call),
    row(Kind::Act, "act", Lane::Script),
    row(Kind::Advance, "advance", clock),
    row(Kind::Spur, "spur", Lane::Pipe),
    row(Kind::Shrink, "shrink", Lane::Pipe),
    row(Kind::Delay, "delay", Lane::Call),
    row(Kind::Slow, "slow", clock),
    row(Kind::Close, "close", Lane::Pipe),
    row(Kind::Reset, "reset", Lane::Pipe),
    row(Kind::Cut, "cut", clock),
    row(Kind::Mute, "mute", Lane::Pipe),
    row(Kind::Half, "half", Lane::Pipe),
    row(Kind::Jump, "jump", clock),
    row(Kind::Cancel, "cancel", Lane::Call),
    row(Kind::Fail, "fail", clock),
];

/// A line of moves that happen one after the other. Papers about schedulers call it a thread. Strategies rank, count
/// and race lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// A vat or a cell: its start and its polls.
    Actor(u32),
    /// A pipe: its deliveries and grants.
    Pipe(u32),
    /// A call with its pauses and its answer, or an operation of fake I/O.
    Call(u32),
    /// The operations that a scenario offers.
    Script(u32),
    /// The clock.
    Clock,
}

impl Lane {
    /// The lane of a kind of move with this id.
    pub fn of(kind: Kind, id: u32) -> Lane {
        (kind.row().lane)(id)
    }

    /// The id of its thing, 0 for the clock.
    pub(crate) fn id(self) -> u32 {
        match self {
            Lane::Actor(id) | Lane::Pipe(id) | Lane::Call(id) | Lane::Script(id) => id,
            Lane::Clock => 0,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row_and_is_in_one_list() {
        let listed = Kind::ALL.into_iter().chain(Kind::FAULTS);
        for (place, (row, kind)) in TABLE.iter().zip(listed).enumerate() {
            assert_eq!((row.kind, kind as usize), (kind, place));
            assert_eq!(kind.is_fault(), place >= Kind::ALL.len());
        }
    }
}
