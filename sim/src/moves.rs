//! Moves: everything that can happen next.

use std::fmt;
use wavetank::pipe::HalfBreak;

/// One thing that can happen next, with the actor or the thing it touches.
///
/// The first eleven happen in every world. The others are *gusts*: they happen only where a strategy asks for
/// one. Of these, [`Kind::is_damage`] tells what breaks things from what is only weather.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Move {
    /// Let a new cell run. How its pipes flow, and what is done to it, is drawn here.
    Start(u32),
    /// Poll the task of an actor that has been ready longest.
    Poll(u32),
    /// Poll another ready task of an actor: its place in the actor's queue, 0 being the one ready longest. Only
    /// in a world without the order of a vat's own tasks.
    PollAt(u32, u32),
    /// Make staged bytes of a pipe visible, or its end.
    Deliver(u32, usize),
    /// Let a pipe's writer write more; 0 wakes it and lets it write nothing.
    Grant(u32, usize),
    /// Let a finished call's answer go out.
    Answer(u32),
    /// Let a call go on whose server woke itself.
    Resume(u32),
    /// Let an operation of fake I/O end well, so many nanoseconds from now; 0 is at once.
    Complete(u32, u64),
    /// Let an operation of fake I/O fail, so many nanoseconds from now; 0 is at once.
    Refuse(u32, u64),
    /// Do one of the operations that a scenario offers: by which it offers them, and which.
    Act(u32, u32),
    /// Move the clock to the next time that somebody waits for, in nanoseconds.
    Advance(u64),

    /// End the stdin of a cell whose host has nothing to say: nothing but time could pass. Never drawn.
    HangUp(u32),

    /// Wake whoever waits for a pipe's bytes, though there are none.
    Spur(u32),
    /// Take budget back that was granted and not used, down to so many bytes.
    Shrink(u32, usize),
    /// Let a finished call's answer wait until a time, in nanoseconds.
    Delay(u32, u64),
    /// Let the next `runBytes` take so long, in nanoseconds.
    Slow(u64),

    /// End a pipe cleanly once so many more bytes were written.
    Close(u32, usize),
    /// Break a pipe once so many more bytes were written.
    Reset(u32, usize),
    /// Break both pipes of a link, by the one that leads from the cell.
    Cut(u32),
    /// Deliver nothing on a pipe any more, its end included. It is given up at a time, in nanoseconds.
    Mute(u32, u64),
    /// End a pipe at one of its ends only. It is given up at a time, in nanoseconds.
    Half(u32, HalfBreak, u64),
    /// Give up a pipe that is mute or half broken: it breaks, and its link with it. Never drawn: its time has come.
    GiveUp(u32),
    /// Move the clock on, past whatever others wait for, to a time in nanoseconds.
    Jump(u64),
    /// Cancel a call, by its number.
    Cancel(u32),
    /// Let the next `runBytes` fail.
    Fail,
}

/// A kind of move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The kinds that every menu offers, in the order that the calm policy goes round. Time passes last: only
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

    /// The kinds of gusts: weather, then damage.
    pub const GUSTS: [Kind; 12] = [
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

    /// All kinds there are.
    pub const COUNT: usize = Kind::ALL.len() + Kind::GUSTS.len();

    /// Whether it happens only where a strategy asks for it.
    pub fn is_gust(self) -> bool {
        self >= Kind::Spur
    }

    /// Whether it breaks something: a correct result may change by it.
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

impl Move {
    /// What kind of move it is.
    pub fn kind(self) -> Kind {
        match self {
            Move::Start(_) | Move::HangUp(_) => Kind::Start,
            Move::Poll(_) | Move::PollAt(..) => Kind::Poll,
            Move::Deliver(..) => Kind::Deliver,
            Move::Grant(..) => Kind::Grant,
            Move::Answer(_) => Kind::Answer,
            Move::Resume(_) | Move::Complete(..) | Move::Refuse(..) => Kind::Resume,
            Move::Act(..) => Kind::Act,
            Move::Advance(_) => Kind::Advance,
            Move::Spur(_) => Kind::Spur,
            Move::Shrink(..) => Kind::Shrink,
            Move::Delay(..) => Kind::Delay,
            Move::Slow(_) => Kind::Slow,
            Move::Close(..) => Kind::Close,
            Move::Reset(..) => Kind::Reset,
            Move::Cut(_) => Kind::Cut,
            Move::Mute(..) | Move::GiveUp(_) => Kind::Mute,
            Move::Half(..) => Kind::Half,
            Move::Jump(_) => Kind::Jump,
            Move::Cancel(_) => Kind::Cancel,
            Move::Fail => Kind::Fail,
        }
    }

    /// The id of what it touches; 0 where there is only one such thing.
    pub fn id(self) -> u32 {
        match self {
            Move::Start(id)
            | Move::HangUp(id)
            | Move::Poll(id)
            | Move::PollAt(id, _)
            | Move::Deliver(id, _)
            | Move::Grant(id, _)
            | Move::Answer(id)
            | Move::Resume(id)
            | Move::Complete(id, _)
            | Move::Refuse(id, _)
            | Move::Act(id, _)
            | Move::Spur(id)
            | Move::Shrink(id, _)
            | Move::Delay(id, _)
            | Move::Close(id, _)
            | Move::Reset(id, _)
            | Move::Cut(id)
            | Move::Mute(id, _)
            | Move::Half(id, ..)
            | Move::GiveUp(id)
            | Move::Cancel(id) => id,
            Move::Advance(_) | Move::Slow(_) | Move::Jump(_) | Move::Fail => 0,
        }
    }
}

/// A line of moves that happen one after the other: what a thread is to those who wrote about schedulers.
/// Strategies rank, count and race these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// A vat or a cell: its start and its polls.
    Actor(u32),
    /// A pipe: its deliveries and grants.
    Pipe(u32),
    /// A call: its pauses and its answer; or an operation of fake I/O.
    Call(u32),
    /// What a scenario does.
    Script(u32),
    /// The clock.
    Clock,
}

impl Lane {
    /// The lane that a kind of move with this id belongs to. Gusts belong to the lane of what they strike.
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
