//! The traffic on the links of a failure: the frames that matter, and in words the things that are missing.
//!
//! The frames that matter are those around the deciding change and those of calls that failed or have no answer. After
//! them come the last frames of the link. Each frame is shown with the step at which its last byte was written.

use crate::oracle::{Blame, Party};
use crate::run::Run;
use crate::transcript::LinkTrace;
use std::collections::BTreeSet;
use std::sync::Arc;
use wavetank::PipeId;
use wavetank_trace::frames::{Direction, Frame, Message, Outcome as Answer, Question};
use wavetank_trace::ledger::{Entry, Ledger, QuestionState};

/// Links that are shown, at most.
const SHOWN_LINKS: usize = 3;

/// Frames that are shown of all links together.
const SHOWN_FRAMES: usize = 8;

/// The name of the host in reports.
pub(super) const HOST: &str = "the host";

/// Stands for frames that are not shown.
const GAP: &str = "  …";

/// If more links than this are shown, gaps are not marked: the explanation must fit on a screen.
const MARKED_LINKS: usize = 2;

/// Calls without an answer that are named, per link.
const SHOWN_OPEN_CALLS: usize = 3;

/// The lines of the links of the cells concerned. If no cell is concerned, as between vats, see [`of_vats`].
pub(super) fn lines(run: &Run, concerned: &BTreeSet<&str>, steps: &[usize]) -> Vec<String> {
    let all = run.transcript.links(&run.schema);
    let shown = shown(run, &all, concerned);
    let each = (SHOWN_FRAMES / shown.len().max(1)).max(1);
    let marks_gaps = shown.len() <= MARKED_LINKS;
    let mut lines = Vec::new();
    for link in shown {
        let frames = frames_of(run, link, steps, each);
        lines.extend(frames.into_iter().filter(|line| marks_gaps || line != GAP));
        lines.extend(in_words(link, run));
    }
    lines
}

/// The other facts of the run that concern the same links.
pub(super) fn causes(run: &Run, concerned: &BTreeSet<&str>) -> Vec<String> {
    let all = run.transcript.links(&run.schema);
    super::causes::causes(run, &shown(run, &all, concerned), concerned)
}

fn shown<'a>(run: &Run, all: &'a [LinkTrace], concerned: &BTreeSet<&str>) -> Vec<&'a LinkTrace> {
    let is_shown = |link: &&LinkTrace| concerned.contains(&*link.cell) && !link.frames.is_empty();
    let mut shown: Vec<&LinkTrace> = all.iter().filter(is_shown).collect();
    if shown.is_empty() {
        shown = of_vats(run, all);
    }
    shown.truncate(SHOWN_LINKS);
    shown
}

/// The links that matter for a failure between vats: first those with an open call or a failure, then those of the vat
/// that is to blame. All links if there are none of these.
fn of_vats<'a>(run: &Run, all: &'a [LinkTrace]) -> Vec<&'a LinkTrace> {
    let blame = run.outcome.blame();
    let blamed = blame.as_ref().and_then(|blame| match blame.party().0 {
        Blame::Capability { vat, .. } | Blame::Task { vat, .. } => vat.as_deref(),
        _ => None,
    });
    let is_of_blamed = |link: &LinkTrace| {
        let (far, near) = names_of_ends(run, link);
        blamed.is_some_and(|vat| vat == far || vat == near)
    };
    let speaking = || all.iter().filter(|link| !link.frames.is_empty());
    let is_unfinished = |link: &&LinkTrace| !open_calls(link).is_empty() || fails(link);
    let mut links: Vec<&LinkTrace> = all.iter().filter(is_unfinished).collect();
    links.extend(speaking().filter(|link| !is_unfinished(link) && is_of_blamed(link)));
    if links.is_empty() { speaking().collect() } else { links }
}

/// The names of the parties at the far and the near end of a link.
pub(super) fn names_of_ends(run: &Run, link: &LinkTrace) -> (String, String) {
    let name = |party: &Party| match party {
        Party::Host => HOST.to_string(),
        Party::Vat(name) | Party::Cell(name) => name.to_string(),
    };
    let ends = run.facts.ends.iter().find(|ends| ends.up == link.up);
    ends.map_or_else(|| (link.cell.to_string(), HOST.into()), |ends| (name(&ends.far), name(&ends.near)))
}

fn frames_of(run: &Run, link: &LinkTrace, steps: &[usize], most: usize) -> Vec<String> {
    let all = link.frames.len();
    let places = places_of_interest(link, steps, most);
    let which = if places.len() == all { "all".into() } else { format!("{} of", places.len()) };
    let frames = if all == 1 { "frame" } else { "frames" };
    let title = if link.is_of_cell {
        format!("link of {}", link.cell)
    } else {
        let (far, near) = names_of_ends(run, link);
        format!("link between {far} and {near}")
    };
    let (from, to) = if link.is_of_cell {
        ("the cell".to_string(), "the host".to_string())
    } else {
        names_of_ends(run, link)
    };
    let mut lines =
        vec![format!("{title}, {which} {all} {frames} with their steps (→ to {to}, ← to {from})")];
    let mut next = 0;
    for place in places {
        if place > next {
            lines.push(GAP.into());
        }
        let (step, frame) = &link.frames[place];
        lines.push(format!("  {step:>4} {frame}"));
        next = place + 1;
    }
    if next < all && next > 0 {
        lines.push(GAP.into());
    }
    lines
}

/// The places of the frames to show, ascending.
fn places_of_interest(link: &LinkTrace, steps: &[usize], most: usize) -> Vec<usize> {
    let all = link.frames.len();
    let mut chosen = BTreeSet::new();
    let mut choose = |place: usize| {
        if place < all && chosen.len() < most {
            chosen.insert(place);
        }
    };
    let open: BTreeSet<(Direction, u32)> = open_calls(link)
        .into_iter()
        .map(|(asker, question, _)| (asker, question.id))
        .take(SHOWN_OPEN_CALLS)
        .collect();
    for (place, (_, frame)) in link.frames.iter().enumerate() {
        if asks(frame).is_some_and(|question| open.contains(&(frame.direction, question.id))) {
            choose(place);
        }
    }
    let failed = (0..all).rev().find(|&place| is_failure(&link.frames[place].1));
    if let Some(place) = failed {
        choose(place);
        choose_call_of(link, place, &mut choose);
    }
    for &step in steps {
        // The last frame before the step, and the first frame from the step on.
        let after = link.frames.partition_point(|(written, _)| (*written as usize) < step);
        choose(after);
        if let Some(before) = after.checked_sub(1) {
            choose(before);
        }
    }
    (0..all).rev().for_each(&mut choose);
    chosen.into_iter().collect()
}

/// Chooses the call that a Return answers.
fn choose_call_of(link: &LinkTrace, place: usize, choose: &mut impl FnMut(usize)) {
    let (_, Frame { direction, message: Message::Return(answer), .. }) = &link.frames[place] else { return };
    let asked = |(_, frame): &(u64, Frame)| {
        frame.direction == direction.reversed() && asks(frame) == Some(answer.question)
    };
    if let Some(call) = link.frames[..place].iter().rposition(asked) {
        choose(call);
    }
}

fn asks(frame: &Frame) -> Option<Question> {
    match &frame.message {
        Message::Bootstrap { question } => Some(*question),
        Message::Call(call) => Some(call.question),
        _ => None,
    }
}

fn is_failure(frame: &Frame) -> bool {
    match &frame.message {
        Message::Abort(_) | Message::Garbled(_) => true,
        Message::Return(answer) => matches!(answer.outcome, Answer::Exception(_)),
        _ => false,
    }
}

fn fails(link: &LinkTrace) -> bool {
    link.frames.iter().any(|(_, frame)| is_failure(frame))
}

/// Calls that were never answered, on a link that was not aborted, in the order of their ids. Each has the asker, the
/// question and the method.
fn open_calls(link: &LinkTrace) -> Vec<(Direction, Question, Arc<str>)> {
    let mut ledger = Ledger::default();
    link.frames.iter().for_each(|(_, frame)| ledger.apply(frame));
    if ledger.is_aborted() {
        return Vec::new();
    }
    let mut open = Vec::new();
    for entry in ledger.open() {
        if let Entry::Question { asker, question, call, state: QuestionState::Asked, .. } = entry {
            open.push((asker, question, call));
        }
    }
    open
}

/// The things that are missing on a link, a sentence each.
fn in_words(link: &LinkTrace, run: &Run) -> Vec<String> {
    let mut lines = Vec::new();
    let open = open_calls(link);
    for (_, question, call) in open.iter().take(SHOWN_OPEN_CALLS) {
        lines.push(format!("  {question} {call} was never answered"));
    }
    if open.len() > SHOWN_OPEN_CALLS {
        lines.push(format!("  … {} more calls were never answered", open.len() - SHOWN_OPEN_CALLS));
    }
    for (pipe, pending_bytes) in [(link.up, link.pending_up_bytes), (link.down, link.pending_down_bytes)] {
        let Some(view) = run.facts.pipes.get(pipe.index()) else { continue };
        if pending_bytes > 0 {
            lines.push(format!(
                "  {pending_bytes} bytes of a frame were written to {}, and never the rest",
                view.name
            ));
        }
        if view.unflushed_bytes > 0 {
            let frames = frames_within(link, pipe, view.unflushed_bytes);
            lines.push(format!(
                "  the last {} bytes written to {} were never flushed{frames}",
                view.unflushed_bytes, view.name
            ));
        } else if view.staged_bytes > 0 {
            let frames = frames_within(link, pipe, view.staged_bytes);
            lines.push(format!(
                "  the last {} bytes written to {} were never delivered{frames}",
                view.staged_bytes, view.name
            ));
        }
        if view.visible_bytes > 0 && view.reader_open {
            let frames = frames_within(link, pipe, view.visible_bytes + view.staged_bytes);
            lines.push(format!("  {} bytes of {} were never read{frames}", view.visible_bytes, view.name));
        }
        if view.writer_refused && view.writer_open && view.budget_bytes > 0 && !view.writer_waits {
            lines.push(format!(
                "  the writer of {} was once refused room, has room now and does not wait for it: a frame may never have been sent",
                view.name
            ));
        }
    }
    lines
}

/// The frames that the last bytes of a pipe belong to.
fn frames_within(link: &LinkTrace, pipe: PipeId, bytes: usize) -> String {
    let direction = if pipe == link.up { Direction::Up } else { Direction::Down };
    let mut left = bytes;
    let mut frames: Vec<String> = Vec::new();
    for (_, frame) in link.frames.iter().rev().filter(|(_, frame)| frame.direction == direction) {
        if left == 0 || frame.bytes == 0 {
            continue;
        }
        left = left.saturating_sub(frame.bytes);
        frames.push(short(frame));
    }
    frames.reverse();
    if frames.is_empty() { String::new() } else { format!(": {}", frames.join(", ")) }
}

/// A frame without its payload.
fn short(frame: &Frame) -> String {
    match &frame.message {
        Message::Call(call) => format!("call {} {}", call.question, call.method),
        Message::Return(answer) => format!("return {}", answer.question),
        message => {
            let text = message.to_string();
            text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
        }
    }
}
