//! Draws: numbers that an application asks its driver for while it runs. Each is answered by a move.

use super::SharedState;
use crate::draw::DrawRange;
use crate::event::Event;
use crate::ids::GateId;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A draw that somebody waits for.
pub(super) struct Draw {
    range: DrawRange,
    value: Option<u32>,
    waker: Waker,
}

impl Draw {
    pub(super) fn is_open(&self) -> bool {
        self.value.is_none()
    }

    pub(super) fn wakes(&self, waker: &Waker) -> bool {
        self.waker.will_wake(waker)
    }
}

impl SharedState {
    /// Begins a draw and puts it on the menu. Draws, operations and gates are numbered together. `what` names it in
    /// transcripts.
    pub fn begin_draw(&self, what: &Arc<str>, range: DrawRange, waker: &Waker) -> GateId {
        let mut state = self.state();
        let id = state.new_gate_id();
        let draw = Draw { range: range.clone(), value: None, waker: waker.clone() };
        state.pauses.draws.insert(id.0, draw);
        state.offer(id);
        state.record(Event::DrawBegun { draw: id, what: what.clone(), range });
        id
    }

    /// The values that an open draw may have. `None` if `id` names something else.
    pub fn draw_range(&self, id: GateId) -> Option<DrawRange> {
        self.state().pauses.draws.get(&id.0).map(|draw| draw.range.clone())
    }

    /// Decides an open draw and wakes the task that waits for it. Does nothing if it was decided before.
    pub fn decide_draw(&self, id: GateId, value: u32) {
        let mut state = self.state();
        if !state.pauses.resumable.remove(id.0) {
            return;
        }
        let Some(draw) = state.pauses.draws.get_mut(&id.0) else { return };
        draw.value = Some(value);
        let waker = draw.waker.clone();
        state.record(Event::Drawn { draw: id, value });
        drop(state);
        waker.wake();
    }

    /// The value of a draw once it is decided.
    ///
    /// # Panics
    /// If there is no such draw, or if it was dropped.
    pub fn poll_draw(&self, id: GateId, cx: &mut Context<'_>) -> Poll<u32> {
        let mut state = self.state();
        let draw = state.pauses.draws.get_mut(&id.0).expect("a draw is there until it is dropped");
        match draw.value {
            Some(value) => Poll::Ready(value),
            None => {
                draw.waker.clone_from(cx.waker());
                Poll::Pending
            }
        }
    }

    /// Forgets a draw, because nobody waits for it any more.
    pub fn drop_draw(&self, id: GateId) {
        let mut state = self.state();
        state.pauses.resumable.remove(id.0);
        if state.pauses.draws.remove(&id.0).is_some_and(|draw| draw.is_open()) {
            state.record(Event::DrawDropped { draw: id });
        }
    }
}
