//! Budget is a promise, and room has an end: a pipe never holds more bytes than its capacity, and no write was longer
//! than its grant. If several handles of one pipe had a permit at the same time, each may use its own permit, so the
//! capacity counts once per permit.
//!
//! `wasi:io/streams` on `check-write`: it "returns the number of bytes permitted for the next call to write", and a
//! longer `write` traps. So a guest that writes too much is a trap (G02 of the catalogue of bugs, a write over the
//! number from `check-write`). This oracle checks that the tank keeps the same book. The book is kept from the moves
//! alone: the writer of a held pipe has the last grant, less the bytes that it wrote since.

use super::{Blame, Evidence, Finding, Oracle};
use crate::moves::Move;
use wavetank::{ActorId, Event, PipeId};

#[derive(Clone, Default)]
struct PipeTotals {
    /// Bytes that it may hold, at most.
    capacity: usize,
    held: usize,
    /// Bytes granted and not yet written.
    granted: usize,
}

/// Judges all pipes.
pub fn judge(evidence: &Evidence<'_>) -> Option<Finding> {
    let mut books = vec![PipeTotals::default(); evidence.pipes.len()];
    let mut done = 0;
    for step in evidence.steps {
        let before = take(evidence, &mut books, done..step.caused.start);
        if before.is_some() {
            return before;
        }
        match step.moved {
            Move::Grant(pipe, bytes) => {
                if let Some(book) = books.get_mut(pipe as usize) {
                    book.granted = bytes;
                }
            }
            Move::Start(cell) => shape(evidence, &mut books, ActorId(cell)),
            _ => {}
        }
        let after = take(evidence, &mut books, step.caused.clone());
        if after.is_some() {
            return after;
        }
        done = step.caused.end;
    }
    take(evidence, &mut books, done..evidence.events.len())
}

/// The flow of a cell's pipes is drawn when the cell starts. Bytes that are in a pipe by then stay, and so does the
/// budget that its writer was promised.
fn shape(evidence: &Evidence<'_>, books: &mut [PipeTotals], cell: ActorId) {
    for pipe in evidence.cell(cell).map_or(&[][..], |cell| &cell.pipes) {
        if let (Some(book), Some(view)) = (books.get_mut(pipe.index()), evidence.pipes.get(pipe.index())) {
            book.capacity = view.capacity_bytes.max(book.held + book.granted);
        }
    }
}

fn take(evidence: &Evidence<'_>, books: &mut [PipeTotals], range: std::ops::Range<usize>) -> Option<Finding> {
    evidence.events.get(range)?.iter().find_map(|event| match event {
        Event::PipeBorn { pipe, capacity_bytes, .. } => {
            let book = books.get_mut(pipe.index())?;
            // A pipe between two vats was shaped at once.
            book.capacity = (*capacity_bytes).max(evidence.pipes[pipe.index()].capacity_bytes);
            None
        }
        Event::Wrote { pipe, bytes } => {
            let (book, view) = (books.get_mut(pipe.index())?, evidence.pipes.get(pipe.index())?);
            book.held += bytes.len();
            let is_judged = || evidence.is_pipe_judged(Oracle::Budget, *pipe);
            // Other handles may have used the grant, because each was told of all of it.
            if view.held && view.permits <= 1 && bytes.len() > book.granted && is_judged() {
                let (wrote, granted) = (bytes.len(), book.granted);
                let what =
                    format!("{wrote} bytes were written into {} where {granted} were granted", view.name);
                return Some(finding(&view.name, what));
            }
            book.granted = book.granted.saturating_sub(bytes.len());
            let (held, capacity) = (book.held, book.capacity.saturating_mul(view.permits.max(1)));
            let what = || format!("{} held {held} bytes, and its capacity is {capacity}", view.name);
            (held > capacity && is_judged()).then(|| finding(&view.name, what()))
        }
        Event::Read { pipe, bytes } => free(books, *pipe, *bytes),
        Event::Closed { pipe, lost_bytes, .. }
        | Event::Reset { pipe, lost_bytes }
        | Event::HalfBroken { pipe, lost_bytes, .. } => free(books, *pipe, *lost_bytes),
        _ => None,
    })
}

fn free(books: &mut [PipeTotals], pipe: PipeId, bytes: usize) -> Option<Finding> {
    let book = books.get_mut(pipe.index())?;
    book.held = book.held.saturating_sub(bytes);
    None
}

fn finding(pipe: &str, what: String) -> Finding {
    Finding { oracle: Oracle::Budget, who: pipe.into(), blame: Blame::Tank, what, detail: Vec::new() }
}
