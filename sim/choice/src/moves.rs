//! The kinds of move, and the lanes that moves belong to: everything that strategies know about a world.
//!
//! Not here: a move with its amounts and times, which is applied by the simulator that owns the world.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// [`Move::Start`] and [`Move::HangUp`]
    Start,
    /// [`Move::Poll`] and [`Move::PollAt`]
    Poll,
    /// [`Move::Deliver`]
    Deliver,
    /// [`Move::Grant`]
    Grant,
    /// [`Move::Answer`]
    Answer,
    /// [`Move::Resume`], [`Move::Complete`] and [`Move::Refuse`]
    Resume,
    /// [`Move::Act`]
    Act,
    /// [`Move::Advance`]
    Advance,
    /// [`Move::Spur`]
    Spur,
    /// [`Move::Shrink`]
    Shrink,
    /// [`Move::Delay`]
    Delay,
    /// [`Move::Slow`]
    Slow,
    /// [`Move::Close`]
    Close,
    /// [`Move::Reset`]
    Reset,
    /// [`Move::Cut`]
    Cut,
    /// [`Move::Mute`] and [`Move::GiveUp`]
    Mute,
    /// [`Move::Half`]
    Half,
    /// [`Move::Jump`]
    Jump,
    /// [`Move::Cancel`]
    Cancel,
    /// [`Move::Fail`]
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
        match self {
            Kind::Start => "start",
            Kind::Poll => "poll",
            Kind::Deliver => "deliver",
            Kind::Grant => "grant",
            Kind::Answer => "answer",
            Kind::Resume => "resume",
            Kind::Act => "act",
            Kind::Advance => "advance",
            Kind::Spur => "spur",
            Kind::Shrink => "shrink",
            Kind::Delay => "delay",
            Kind::Slow => "slow",
            Kind::Close => "close",
            Kind::Reset => "reset",
            Kind::Cut => "cut",
            Kind::Mute => "mute",
            Kind::Half => "half",
            Kind::Jump => "jump",
            Kind::Cancel => "cancel",
            Kind::Fail => "fail",
        }
    }
}

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
    /// The lane of a kind of move with this id. An injected fault belongs to the lane of the thing that it strikes.
    pub fn of(kind: Kind, id: u32) -> Lane {
        match kind {
            Kind::Start | Kind::Poll => Lane::Actor(id),
            Kind::Deliver
            | Kind::Grant
            | Kind::Spur
            | Kind::Shrink
            | Kind::Close
            | Kind::Reset
            | Kind::Mute
            | Kind::Half => Lane::Pipe(id),
            Kind::Answer | Kind::Resume | Kind::Delay | Kind::Cancel => Lane::Call(id),
            Kind::Act => Lane::Script(id),
            Kind::Advance | Kind::Jump | Kind::Slow | Kind::Cut | Kind::Fail => Lane::Clock,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
