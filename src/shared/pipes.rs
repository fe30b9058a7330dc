//! Pipes: the operations of their ends, and the operations of a driver from outside.

use super::SharedState;
use crate::event::Event;
use crate::freedoms::Freedoms;
use crate::ids::PipeId;
use crate::pipe::{
    End, Ending, HalfBreak, Permit, Pipe, PipeView, ReadOutcome, WriteError, WriteOutcome, WriterId,
};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::task::{Context, Poll};

impl SharedState {
    // ---- pipes, from their ends

    /// Makes a handle on a pipe's writing end. Each handle has its own permit.
    pub(crate) fn new_writer(&self, pipe: PipeId) -> WriterId {
        self.state().pipes.all[pipe.index()].add_handle()
    }

    pub(crate) fn drop_writer(&self, pipe: PipeId, writer: WriterId) {
        self.state().with_pipe(pipe, |p| p.drop_handle(writer));
    }

    pub(crate) fn check_write(&self, pipe: PipeId, writer: WriterId) -> Permit {
        self.state().with_pipe(pipe, |p| p.check_write(writer))
    }

    pub(crate) fn write(&self, pipe: PipeId, writer: WriterId, bytes: Bytes) -> Result<(), WriteError> {
        let mut state = self.state();
        let wrote = bytes.clone();
        let (written, muted) = state.with_pipe(pipe, |p| (p.write(writer, bytes), p.is_muted()));
        let WriteOutcome { taken_bytes: bytes, ended } = written?;
        if bytes > 0 {
            state.record(Event::Wrote { pipe, bytes: wrote.slice(..bytes) });
        }
        if muted && bytes > 0 {
            state.record(Event::Withheld { pipe, bytes });
        }
        if let Some((ending, lost_bytes)) = ended {
            state.record(Event::Ended { pipe, ending, lost_bytes });
        }
        Ok(())
    }

    /// Whether a handle may write this many bytes.
    pub(crate) fn check_permit(
        &self,
        pipe: PipeId,
        writer: WriterId,
        bytes: usize,
    ) -> Result<(), WriteError> {
        self.state().pipes.all[pipe.index()].check_permit(writer, bytes)
    }

    /// Asks for a flush. Fails if the stream is not open.
    pub(crate) fn flush(&self, pipe: PipeId, writer: WriterId) -> Result<(), WriteError> {
        self.state().with_pipe(pipe, |p| p.flush(writer))
    }

    pub(crate) fn poll_writable(&self, pipe: PipeId, writer: WriterId, cx: &mut Context<'_>) -> Poll<()> {
        self.state().with_pipe(pipe, |p| {
            if p.writable(writer) {
                return Poll::Ready(());
            }
            p.wait_writable(cx.waker());
            Poll::Pending
        })
    }

    pub(crate) fn read(&self, pipe: PipeId, max_bytes: usize) -> ReadOutcome {
        let mut state = self.state();
        let taken = state.with_pipe(pipe, |p| p.read(max_bytes));
        if let ReadOutcome::Bytes(bytes) = &taken {
            let bytes = bytes.len();
            state.record(Event::Read { pipe, bytes });
        }
        taken
    }

    pub(crate) fn poll_readable(&self, pipe: PipeId, cx: &mut Context<'_>) -> Poll<()> {
        self.state().with_pipe(pipe, |p| {
            if p.readable() {
                return Poll::Ready(());
            }
            p.wait_readable(cx.waker());
            Poll::Pending
        })
    }

    pub(crate) fn close(&self, pipe: PipeId, end: End) {
        let mut state = self.state();
        let lost_bytes = state.with_pipe(pipe, |p| match end {
            End::Reader => p.close_reader(),
            End::Writer => {
                p.close_writer();
                0
            }
        });
        state.record(Event::Closed { pipe, end, lost_bytes });
    }

    // ---- pipes, from outside

    /// Sets a pipe's capacity, in bytes, and whether it waits for deliveries and grants.
    pub fn shape(&self, pipe: PipeId, capacity_bytes: usize, held: bool) {
        self.state().with_pipe(pipe, |p| p.shape(capacity_bytes, held));
    }

    /// Sets which of WASI's freedoms the host takes for a pipe.
    pub(crate) fn take_freedoms(&self, pipe: PipeId, freedoms: Freedoms) {
        self.state().with_pipe(pipe, |p| p.take_freedoms(freedoms));
    }

    /// Bytes that a delivery could move; 0 if only the end is left to deliver.
    pub fn deliverable_bytes(&self, pipe: PipeId) -> usize {
        self.state().pipes.all[pipe.index()].deliverable_bytes()
    }

    /// Makes up to `bytes` staged bytes visible, or the end of the pipe if no staged bytes are left.
    pub fn deliver(&self, pipe: PipeId, bytes: usize) {
        self.state().with_pipe(pipe, |p| p.deliver(bytes));
    }

    /// Bytes that a grant could give.
    pub fn grantable_bytes(&self, pipe: PipeId) -> usize {
        self.state().pipes.all[pipe.index()].grantable_bytes()
    }

    /// Lets the writer write up to `bytes` more, as far as there is room.
    pub fn grant(&self, pipe: PipeId, bytes: usize) {
        self.state().with_pipe(pipe, |p| p.grant(bytes));
    }

    /// Breaks a pipe at both ends: readers and writers get an error.
    pub fn reset(&self, pipe: PipeId) {
        let mut state = self.state();
        let lost_bytes = state.with_pipe(pipe, Pipe::reset);
        state.record(Event::Reset { pipe, lost_bytes });
    }

    /// Whether a spurious wake is possible: a task waits to read the pipe and there is nothing to read.
    pub fn is_spurrable(&self, pipe: PipeId) -> bool {
        self.state().pipes.all[pipe.index()].spurrable()
    }

    /// Wakes the tasks that wait to read a pipe, though there may be nothing to read.
    pub fn spur(&self, pipe: PipeId) {
        self.state().with_pipe(pipe, Pipe::spur);
    }

    /// Bytes of a pipe's budget that could be taken back.
    pub fn shrinkable_bytes(&self, pipe: PipeId) -> usize {
        self.state().pipes.all[pipe.index()].shrinkable_bytes()
    }

    /// Cuts the budget of a pipe's writer down to at most `bytes`. The last answer of `check-write` stays valid until
    /// it is asked again.
    pub fn shrink(&self, pipe: PipeId, bytes: usize) {
        self.state().with_pipe(pipe, |p| p.shrink(bytes));
    }

    /// Whether a pipe has both its ends, and was neither ended nor muted, nor ordered to end.
    pub fn is_live(&self, pipe: PipeId) -> bool {
        self.state().pipes.all[pipe.index()].is_live()
    }

    /// Ends a pipe once `bytes` more were written to it; 0 means now.
    pub fn end_after(&self, pipe: PipeId, bytes: usize, ending: Ending) {
        let mut state = self.state();
        if let Some(lost_bytes) = state.with_pipe(pipe, |p| p.cut(bytes, ending)) {
            state.record(Event::Ended { pipe, ending, lost_bytes });
        }
    }

    /// Ends a pipe at one of its ends only. The other end notices nothing until the pipe is [reset](Self::reset).
    pub fn half_break(&self, pipe: PipeId, half: HalfBreak) {
        let mut state = self.state();
        let lost_bytes = state.with_pipe(pipe, |p| p.half_break(half));
        state.record(Event::HalfBroken { pipe, half, lost_bytes });
    }

    /// Stops all delivery on a pipe, its end included.
    pub fn mute(&self, pipe: PipeId) {
        let mut state = self.state();
        let bytes = state.with_pipe(pipe, |p| {
            p.mute();
            p.deliverable_bytes()
        });
        if bytes > 0 {
            state.record(Event::Withheld { pipe, bytes });
        }
    }

    pub(crate) fn note_discarded(&self, pipe: PipeId, bytes: usize) {
        if bytes > 0 {
            *self.state().pipes.discarded_bytes.entry(pipe).or_default() += bytes;
        }
    }

    /// How many bytes of output the host threw away because nobody had asked for them, for each pipe with any.
    pub fn discarded_bytes(&self) -> BTreeMap<PipeId, usize> {
        self.state().pipes.discarded_bytes.clone()
    }

    /// The numbers of all pipes, by id.
    pub fn pipes(&self) -> Vec<PipeView> {
        self.state().pipes.all.iter().map(Pipe::view).collect()
    }

    /// A pipe's numbers.
    pub fn pipe(&self, pipe: PipeId) -> PipeView {
        self.state().pipes.all[pipe.index()].view()
    }
}
