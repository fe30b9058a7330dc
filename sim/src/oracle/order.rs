//! Calls on one capability reach their server in the order in which they were sent.
//!
//! rpc.capnp calls it E-order: "calls made on the same capability are delivered in the order in which they were made",
//! pipelined ones included. capnp-rpc keeps it only if the tasks of one vat run first in, first out
//! (capnproto-rust#528), and has broken it (C01 of the catalogue of bugs, a plain call that overtakes streaming ones).
//!
//! The oracle compares the frames of the calls on one target of a link with the calls that came in at gates of that
//! link. A gate sees no ids, so a call is recognised by its method and by the
//! [fingerprint](wavetank_trace::fingerprint()) of its parameters. Three kinds of calls are left out: calls that are
//! alike on two targets; calls that come in more often than they were sent (a server may call itself); and calls on
//! capabilities of guests, which have no gates. A call that never comes in (cancelled, or its link broke) is no error.

use super::{Blame, Evidence, Finding, Oracle};
use crate::transcript::LinkFrames;
use std::collections::{BTreeMap, BTreeSet};
use wavetank::{Event, LinkId};
use wavetank_trace::frames::{Direction, Message, Target};

/// The identity of a call on both sides: interface, method, and fingerprint of the parameters.
type Mark = (u64, u16, u64);

/// Judges all links.
pub fn judge(evidence: &Evidence<'_>) -> Option<Finding> {
    let mut came: BTreeMap<LinkId, Vec<Mark>> = BTreeMap::new();
    let mut ups = BTreeSet::new();
    for event in evidence.events {
        match event {
            Event::LinkBorn { up, .. } => drop(ups.insert(*up)),
            // Between two vats, both ends have gates.
            Event::Called { interface, method, link, over, params, .. } if ups.contains(over) => {
                came.entry(*link).or_default().push((*interface, *method, *params));
            }
            _ => {}
        }
    }
    let is_judged = |link: &LinkFrames| {
        evidence.cell_of(link.link).is_none_or(|cell| evidence.is_judged(Oracle::Order, cell))
    };
    let mut judged = evidence.links.iter().filter(|link| is_judged(link));
    judged.find_map(|link| overtaken(link, came.get(&link.link)?))
}

/// Calls that were sent on one target, in their order.
#[derive(Default)]
struct Sent<'a> {
    calls: Vec<(Mark, &'a str)>,
    target: String,
}

fn overtaken(link: &LinkFrames, came: &[Mark]) -> Option<Finding> {
    let sent = sent(link);
    let mut targets_of: BTreeMap<Mark, (usize, usize)> = BTreeMap::new();
    for (index, Sent { calls, .. }) in sent.iter().enumerate() {
        for (mark, _) in calls {
            let (first, count) = targets_of.entry(*mark).or_insert((index, 0));
            *count = if *first == index { *count + 1 } else { usize::MAX };
        }
    }
    let mut coming: BTreeMap<Mark, usize> = BTreeMap::new();
    came.iter().for_each(|mark| *coming.entry(*mark).or_default() += 1);
    let is_clear = |index: usize, mark: &Mark| {
        targets_of.get(mark).is_some_and(|&(of, count)| {
            of == index && count != usize::MAX && coming.get(mark).is_none_or(|&came| came <= count)
        })
    };
    sent.iter().enumerate().find_map(|(index, Sent { calls, target })| {
        let mut left = calls.iter().filter(|(mark, _)| is_clear(index, mark));
        // The calls are in order if those that came in are those that were sent, with some left out.
        let late =
            came.iter().filter(|mark| is_clear(index, mark)).find(|mark| !left.any(|(of, _)| of == *mark))?;
        let method = calls.iter().find(|(mark, _)| mark == late).map_or("a call", |(_, method)| method);
        Some(Finding {
            oracle: Oracle::Order,
            who: link.cell.to_string(),
            blame: Blame::Library("capnp-rpc"),
            what: format!("on the link of {}, {method} came in after a call that was sent later", link.cell),
            detail: vec![format!("both on {target}: {}", named(calls))],
        })
    })
}

/// Calls to the host by target. An id means another target after it was given back and used again.
fn sent(link: &LinkFrames) -> Vec<Sent<'_>> {
    let mut sent: Vec<Sent<'_>> = Vec::new();
    let mut current: BTreeMap<Target, usize> = BTreeMap::new();
    for frame in &link.frames {
        match (&frame.message, frame.direction) {
            (Message::Call(call), Direction::Up) => {
                let index = *current.entry(call.target.clone()).or_insert_with(|| {
                    sent.push(Sent { target: call.target.to_string(), ..Sent::default() });
                    sent.len() - 1
                });
                let mark = (call.interface_id, call.method_id, call.fingerprint);
                sent[index].calls.push((mark, &call.method));
                forget(&mut current, call.question.id);
            }
            (Message::Bootstrap { question }, Direction::Up) => forget(&mut current, question.id),
            (Message::Release { import, .. }, Direction::Up) => {
                current.remove(&Target::Import(import.clone()));
            }
            _ => {}
        }
    }
    sent
}

/// A question's number is used again, so calls on its answer from now on have another target.
fn forget(current: &mut BTreeMap<Target, usize>, question: u32) {
    current.retain(|target, _| !matches!(target, Target::Answer(on) if on.question.id == question));
}

fn named(calls: &[(Mark, &str)]) -> String {
    const SHOWN: usize = 8;
    let mut names: Vec<&str> = calls.iter().take(SHOWN).map(|(_, method)| *method).collect();
    if calls.len() > SHOWN {
        names.push("…");
    }
    names.join(", ")
}
