//! Bytes are kept: every byte written into a pipe was read, was lost when its reader went, or is still there. And
//! nothing is read before it was written.
//!
//! A pipe carries bytes in order and neither makes nor loses any (`wasi:io/streams`: an output-stream's bytes are
//! "written to the destination" in order). This is the tank's own promise, so a finding is the tank's fault.

use super::{Blame, Evidence, Finding, Oracle};
use wavetank::{Event, PipeId};

/// The totals of one pipe, from its events.
#[derive(Clone, Copy, Default)]
struct PipeTotals {
    written: u64,
    read: u64,
    lost: u64,
}

/// Judges all pipes.
pub fn judge(evidence: &Evidence<'_>) -> Option<Finding> {
    let mut books = vec![PipeTotals::default(); evidence.pipes.len()];
    for event in evidence.events {
        let (pipe, change): (&PipeId, fn(&mut PipeTotals) -> &mut u64) = match event {
            Event::Wrote { pipe, .. } => (pipe, |book| &mut book.written),
            Event::Read { pipe, .. } => (pipe, |book| &mut book.read),
            Event::Closed { pipe, .. }
            | Event::Reset { pipe, .. }
            | Event::Ended { pipe, .. }
            | Event::HalfBroken { pipe, .. } => (pipe, |book| &mut book.lost),
            _ => continue,
        };
        let bytes = match event {
            Event::Wrote { bytes, .. } => bytes.len(),
            Event::Read { bytes, .. } => *bytes,
            Event::Closed { lost_bytes, .. }
            | Event::Reset { lost_bytes, .. }
            | Event::Ended { lost_bytes, .. }
            | Event::HalfBroken { lost_bytes, .. } => *lost_bytes,
            _ => 0,
        };
        let Some(book) = books.get_mut(pipe.index()) else { continue };
        *change(book) += bytes as u64;
        if book.read + book.lost > book.written && evidence.is_pipe_judged(Oracle::Bytes, *pipe) {
            let PipeTotals { written, read, lost } = *book;
            let what = format!(
                "{read} bytes were read from {} and {lost} lost when {written} had been written",
                evidence.pipe_name(*pipe)
            );
            return Some(finding(evidence, *pipe, what));
        }
    }
    books.iter().zip(evidence.pipes).zip(0..).find_map(|((book, view), pipe)| {
        let held = (view.staged_bytes + view.visible_bytes) as u64;
        let PipeTotals { written, read, lost } = *book;
        let what = || {
            format!(
                "{written} bytes were written into {}: {read} were read, {lost} lost, and {held} are there",
                view.name
            )
        };
        let is_wrong = written != read + lost + held && evidence.is_pipe_judged(Oracle::Bytes, PipeId(pipe));
        is_wrong.then(|| finding(evidence, PipeId(pipe), what()))
    })
}

fn finding(evidence: &Evidence<'_>, pipe: PipeId, what: String) -> Finding {
    let who = evidence.pipe_name(pipe);
    Finding { oracle: Oracle::Bytes, who, blame: Blame::Tank, what, detail: Vec::new() }
}
