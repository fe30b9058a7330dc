//! The order of the messages of two directions.
//!
//! If the capture says when each message came, that is the order. Otherwise a message follows those of the other side
//! that must have come before it:
//!
//! - an answer its question, and a question with an id that was used before the last answer to that id,
//! - whatever mentions or releases a capability the message that described it,
//! - the end of an embargo its beginning, and a message that is sent back the message itself.
//!
//! Two more things are not certain but likely: a Finish comes after its Return, unless that says that the call was
//! canceled; and an Abort comes last. Among messages that may come next, answers come first, then what tidies up, then
//! new questions; so a call stands beside its answer. Messages of one direction keep their order. If the messages at
//! both heads wait for each other, as in a capture that begins in the middle, the likely is given up first.

use std::collections::{BTreeMap, VecDeque};

use super::gist::{Began, Gist, gist};
use super::stream::Piece;
use crate::frames::Direction;

type Merged = Vec<(Direction, Piece)>;

/// Merges by the moments of the pieces. A piece without a moment marks the end of its direction.
pub(super) fn by_tick(up: Vec<Piece>, down: Vec<Piece>) -> Merged {
    let mut merged: Merged = Vec::new();
    let up = up.into_iter().map(|piece| (Direction::Up, piece));
    merged.extend(up.chain(down.into_iter().map(|piece| (Direction::Down, piece))));
    merged.sort_by_key(|(_, piece)| piece.tick.map_or(u64::MAX, |tick| tick.number));
    merged
}

/// Merges by causality.
pub(super) fn by_cause(up: Vec<Piece>, down: Vec<Piece>) -> Merged {
    let mut sides = [Queue::new(up), Queue::new(down)];
    let mut merged = Vec::new();
    loop {
        let ranks = [rank(&sides, 0), rank(&sides, 1)];
        let next = match ranks {
            [None, None] => return merged,
            [Some(_), None] => 0,
            [None, Some(_)] => 1,
            [Some(up), Some(down)] => usize::from(down < up),
        };
        let (gist, piece) = take(&mut sides, next);
        enter(&mut sides, next, gist);
        merged.push((if next == 0 { Direction::Up } else { Direction::Down }, piece));
    }
}

/// How soon the message at the head of a side comes. The lowest comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Answer,
    Tidying,
    Question,
    /// Something that likely comes first is still to come.
    Unlikely,
    /// Something that must come first is still to come.
    Wrong,
}

/// The messages of one side that are still to come, and the tables that follow from those that came.
#[derive(Default)]
struct Queue {
    pieces: VecDeque<(Gist, Piece)>,
    /// How often each thing is mentioned in the messages that are still to come.
    left: Left,
    /// The side's questions by id.
    questions: BTreeMap<u32, Question>,
    /// References to the side's exports.
    exports: BTreeMap<u32, u64>,
    /// The side's messages by kind and id.
    sent: BTreeMap<(u16, u32), u64>,
    /// The side's embargoes that have not ended.
    embargoes: BTreeMap<u32, u64>,
    /// The side's promises that were resolved.
    resolved: BTreeMap<u32, u64>,
}

#[derive(Default)]
struct Left {
    answers: BTreeMap<u32, VecDeque<bool>>,
    finishes: BTreeMap<u32, u64>,
    exports: BTreeMap<u32, u64>,
    sent: BTreeMap<(u16, u32), u64>,
    embargoes: BTreeMap<u32, u64>,
    resolves: BTreeMap<u32, u64>,
}

/// A question of one id. The id may be used again.
#[derive(Default)]
struct Question {
    asked: u64,
    answered: u64,
    finished: u64,
    /// The asker's exports in the latest call.
    params: Vec<u32>,
    /// The answerer's exports in the latest answer.
    results: Vec<u32>,
}

impl Queue {
    fn new(pieces: Vec<Piece>) -> Self {
        let mut queue = Self::default();
        for piece in pieces {
            let gist = piece.content.as_ref().map_or_else(|_| Gist::default(), |frame| gist(frame));
            let left = &mut queue.left;
            if let Some(id) = gist.answers {
                left.answers.entry(id).or_default().push_back(gist.is_canceled);
            }
            for (counts, id) in [
                (&mut left.finishes, gist.finishes),
                (&mut left.embargoes, gist.begins),
                (&mut left.resolves, gist.resolves),
            ] {
                add(counts, id);
            }
            gist.exports.iter().for_each(|id| add(&mut left.exports, Some(*id)));
            add(&mut left.sent, Some(gist.kind));
            queue.pieces.push_back((gist, piece));
        }
        queue
    }
}

fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, key: Option<K>) {
    if let Some(key) = key {
        *counts.entry(key).or_default() += 1;
    }
}

fn sub<K: Ord>(counts: &mut BTreeMap<K, u64>, key: Option<K>, by: u64) {
    if let Some(key) = key
        && let Some(count) = counts.get_mut(&key)
    {
        *count = count.saturating_sub(by);
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

fn has<K: Ord>(counts: &BTreeMap<K, u64>, key: K) -> bool {
    counts.get(&key).is_some_and(|count| *count > 0)
}

/// How soon the next message of a side comes; `None` if there is none.
fn rank(sides: &[Queue; 2], side: usize) -> Option<Rank> {
    let (mine, other) = (&sides[side], &sides[1 - side]);
    let (gist, _) = mine.pieces.front()?;
    if must_wait(gist, mine, other) {
        return Some(Rank::Wrong);
    }
    if likely_waits(gist, mine, other) {
        return Some(Rank::Unlikely);
    }
    Some(match gist {
        Gist { answers: Some(_), .. } => Rank::Answer,
        Gist { asks: Some(_), .. } => Rank::Question,
        _ => Rank::Tidying,
    })
}

fn must_wait(gist: &Gist, mine: &Queue, other: &Queue) -> bool {
    if let Some(id) = gist.answers {
        let asked = other.questions.get(&id).is_some_and(|question| question.asked > question.answered);
        // Kinds 2, 3, 9, 10 and 11 ask.
        let comes = [2, 3, 9, 10, 11].iter().any(|kind| has(&other.left.sent, (*kind, id)));
        if !asked && comes {
            return true;
        }
    }
    if let Some(id) = gist.asks {
        let is_open = mine.questions.get(&id).is_some_and(|question| question.asked > question.answered);
        if is_open && other.left.answers.get(&id).is_some_and(|left| !left.is_empty()) {
            return true;
        }
    }
    let described = |id: &u32| has(&other.exports, *id) || !has(&other.left.exports, *id);
    if !gist.imports.iter().all(described) {
        return true;
    }
    if let Some((id, references)) = gist.releases {
        let held = other.exports.get(&id).copied().unwrap_or(0);
        if held < u64::from(references) && has(&other.left.exports, id) {
            return true;
        }
    }
    if let Some(id) = gist.ends
        && !has(&other.embargoes, id)
        && has(&other.left.embargoes, id)
    {
        return true;
    }
    gist.echoes.is_some_and(|kind| !has(&other.sent, kind) && has(&other.left.sent, kind))
}

fn likely_waits(gist: &Gist, mine: &Queue, other: &Queue) -> bool {
    let answer_comes = |id: u32| {
        let is_open = mine.questions.get(&id).is_some_and(|question| question.asked > question.answered);
        let next = other.left.answers.get(&id).and_then(|left| left.front());
        is_open && next.is_some_and(|is_canceled| !is_canceled)
    };
    if gist.finishes.is_some_and(answer_comes) {
        return true;
    }
    if gist.is_canceled
        && let Some(id) = gist.answers
        && has(&other.left.finishes, id)
        && other.questions.get(&id).is_some_and(|question| question.finished <= question.answered)
    {
        return true;
    }
    match gist.began_by {
        Some(Began::Answer(id)) if answer_comes(id) => return true,
        Some(Began::Promise(id)) if !has(&other.resolved, id) && has(&other.left.resolves, id) => {
            return true;
        }
        _ => {}
    }
    gist.is_abort && other.pieces.front().is_some_and(|(head, _)| !head.is_abort)
}

/// Takes the next message of a side.
fn take(sides: &mut [Queue; 2], side: usize) -> (Gist, Piece) {
    let mine = &mut sides[side];
    let (gist, piece) = mine.pieces.pop_front().expect("a side with a rank has a message");
    let left = &mut mine.left;
    if let Some(answers) = gist.answers.and_then(|id| left.answers.get_mut(&id)) {
        answers.pop_front();
    }
    sub(&mut left.finishes, gist.finishes, 1);
    sub(&mut left.embargoes, gist.begins, 1);
    sub(&mut left.resolves, gist.resolves, 1);
    gist.exports.iter().for_each(|id| sub(&mut left.exports, Some(*id), 1));
    sub(&mut left.sent, Some(gist.kind), 1);
    (gist, piece)
}

/// Enters a message into the tables.
fn enter(sides: &mut [Queue; 2], side: usize, gist: Gist) {
    let [up, down] = sides;
    let (mine, other) = if side == 0 { (up, down) } else { (down, up) };
    add(&mut mine.sent, Some(gist.kind));
    add(&mut mine.embargoes, gist.begins);
    sub(&mut other.embargoes, gist.ends, 1);
    add(&mut mine.resolved, gist.resolves);
    for id in &gist.exports {
        add(&mut mine.exports, Some(*id));
    }
    if let Some((id, references)) = gist.releases {
        sub(&mut other.exports, Some(id), references.into());
    }
    if let Some(id) = gist.answers {
        let question = other.questions.entry(id).or_default();
        question.answered += 1;
        if gist.gives_back {
            let params = std::mem::take(&mut question.params);
            params.into_iter().for_each(|id| sub(&mut other.exports, Some(id), 1));
        }
        if let Some(question) = other.questions.get_mut(&id) {
            question.results.clone_from(&gist.exports);
        }
    }
    if let Some(id) = gist.asks {
        let question = mine.questions.entry(id).or_default();
        question.asked += 1;
        question.params.clone_from(&gist.exports);
        question.results.clear();
    }
    if let Some(id) = gist.finishes {
        let question = mine.questions.entry(id).or_default();
        question.finished += 1;
        if gist.gives_back {
            let results = std::mem::take(&mut question.results);
            results.into_iter().for_each(|id| sub(&mut other.exports, Some(id), 1));
        }
    }
}
