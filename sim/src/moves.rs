//! Moves: everything that can happen next, with amounts and times.

use wavetank::pipe::HalfBreak;
use wavetank_choice::moves::Kind;

/// One thing that can happen next, with the actor or the thing that it touches.
///
/// The moves up to [`Move::HangUp`] need no fault injection. The others inject faults, and most of them happen only if
/// a strategy asks for one. [`Kind::is_damage`] separates those that break
/// something from those that are only weather.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Move {
    /// Let a new cell run. This move also draws how the cell's pipes flow and which faults may strike it.
    Start(u32),
    /// Poll the task of an actor that has been ready longest.
    Poll(u32),
    /// Poll another ready task of an actor, by its place in the actor's queue; place 0 has been ready longest. This
    /// happens only in a world that does not keep the order of a vat's own tasks.
    PollAt(u32, u32),
    /// Make staged bytes of a pipe visible, or its end.
    Deliver(u32, usize),
    /// Let a pipe's writer write more. With 0 the writer is woken but may write nothing.
    Grant(u32, usize),
    /// Send the answer of a finished call.
    Answer(u32),
    /// Let a paused call continue. Its server has woken itself.
    Resume(u32),
    /// Complete an operation of fake I/O after this many nanoseconds; 0 is at once.
    Complete(u32, u64),
    /// Fail an operation of fake I/O after this many nanoseconds; 0 is at once.
    Refuse(u32, u64),
    /// Decide a draw that a server or a task waits for, with its value.
    Draw(u32, u32),
    /// Do one of the operations that a scenario offers: the script that offers it, and the operation.
    Act(u32, u32),
    /// Move the clock to the next time that somebody waits for, in nanoseconds.
    Advance(u64),

    /// End the stdin of a cell whose host has nothing to say. It happens when nothing but time could pass. Never drawn.
    HangUp(u32),

    /// Wake whoever waits for a pipe's bytes, although there are none.
    Spur(u32),
    /// Take back budget that was granted and not used, down to this many bytes.
    Shrink(u32, usize),
    /// Hold a finished call's answer until a time, in nanoseconds.
    Delay(u32, u64),
    /// Let the next `runBytes` take this long, in nanoseconds.
    Slow(u64),

    /// End a pipe cleanly after this many more bytes.
    Close(u32, usize),
    /// Break a pipe after this many more bytes.
    Reset(u32, usize),
    /// Break both pipes of a link. The id is that of the pipe that leads from the cell.
    Cut(u32),
    /// Stop all delivery on a pipe, its end included. The pipe is given up at a time, in nanoseconds.
    Mute(u32, u64),
    /// End a pipe at only one of its ends. The pipe is given up at a time, in nanoseconds.
    Half(u32, HalfBreak, u64),
    /// Give up a pipe that is mute or half broken: it breaks, and its link with it. Never drawn: it happens when its
    /// time comes.
    GiveUp(u32),
    /// Move the clock to a time in nanoseconds, past the times that others wait for.
    Jump(u64),
    /// Cancel a call, by its number.
    Cancel(u32),
    /// Let the next `runBytes` fail.
    Fail,
}

impl Move {
    /// The kind of the move.
    pub fn kind(self) -> Kind {
        match self {
            Move::Start(_) | Move::HangUp(_) => Kind::Start,
            Move::Poll(_) | Move::PollAt(..) => Kind::Poll,
            Move::Deliver(..) => Kind::Deliver,
            Move::Grant(..) => Kind::Grant,
            Move::Answer(_) => Kind::Answer,
            Move::Resume(_) | Move::Complete(..) | Move::Refuse(..) | Move::Draw(..) => Kind::Resume,
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

    /// The id of the thing that the move touches; 0 if there is only one such thing.
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
            | Move::Draw(id, _)
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
