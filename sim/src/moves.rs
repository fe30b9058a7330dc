//! Moves: everything that can happen next.

use std::fmt;

/// One thing that can happen next, with the actor or the thing it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Move {
    /// Let a new cell run. How its pipes flow is drawn here.
    Start(u32),
    /// Poll the task of an actor that has been ready longest.
    Poll(u32),
    /// Make staged bytes of a pipe visible, or its end.
    Deliver(u32, usize),
    /// Let a pipe's writer write more.
    Grant(u32, usize),
    /// Let a finished call's answer go out.
    Answer(u32),
    /// Move the clock to the next time that somebody waits for, in nanoseconds.
    Advance(u64),
}

/// A kind of move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// [`Move::Start`]
    Start,
    /// [`Move::Poll`]
    Poll,
    /// [`Move::Deliver`]
    Deliver,
    /// [`Move::Grant`]
    Grant,
    /// [`Move::Answer`]
    Answer,
    /// [`Move::Advance`]
    Advance,
}

impl Kind {
    /// All kinds, in the order that the calm policy goes round. Time passes last: only when nothing else can
    /// happen.
    pub const ALL: [Kind; 6] =
        [Kind::Start, Kind::Poll, Kind::Deliver, Kind::Grant, Kind::Answer, Kind::Advance];
}

impl Move {
    /// What kind of move it is.
    pub fn kind(self) -> Kind {
        match self {
            Move::Start(_) => Kind::Start,
            Move::Poll(_) => Kind::Poll,
            Move::Deliver(..) => Kind::Deliver,
            Move::Grant(..) => Kind::Grant,
            Move::Answer(_) => Kind::Answer,
            Move::Advance(_) => Kind::Advance,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Start => "start",
            Kind::Poll => "poll",
            Kind::Deliver => "deliver",
            Kind::Grant => "grant",
            Kind::Answer => "answer",
            Kind::Advance => "advance",
        })
    }
}
