//! The step after which an invariant did not hold: its move, the calls that it ended, and the calls that ended while
//! those were under way. An update that is lost across a pause shows here: two calls were under way at once, and the
//! second to end wrote what it had computed before the first ended.

use crate::oracle::Oracle;
use crate::outcome::Outcome;
use crate::run::Run;
use crate::transcript::Names;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use wavetank::{ActorId, Event, GateId, LinkId, PipeId};

/// Lines about the step and about each call, at most.
const SHOWN: usize = 3;

/// A served call.
struct Served {
    gate: GateId,
    /// Its interface and its method.
    method: (u64, u16),
    /// The number of the step in which it came in; 0 is before the first.
    called: usize,
    /// The number of the step in which its server was done or was cancelled.
    ended: Option<usize>,
    /// The vat that serves it, if a link brought it.
    server: Option<ActorId>,
    /// The party that called, if a link brought it.
    caller: Option<ActorId>,
}

/// The lines about the last step of a run that ended because an invariant does not hold.
pub(super) fn broken(run: &Run, names: &Names) -> Vec<String> {
    let Outcome::Violated(finding) = &run.outcome else { return Vec::new() };
    if finding.oracle != Oracle::Invariant {
        return Vec::new();
    }
    let Some(last) = run.transcript.steps.last() else { return Vec::new() };
    let step = run.transcript.steps.len();
    let mut lines = vec![format!("step {step} broke it: {}", names.moved(last.moved))];
    let calls = served(run);
    let mut said = Vec::new();
    for event in &run.transcript.events[last.caused.clone()] {
        match event {
            Event::Done { gate } | Event::Cancelled { gate } => {
                let how = if matches!(event, Event::Done { .. }) { "ended" } else { "was cancelled" };
                match calls.iter().find(|call| call.gate == *gate) {
                    Some(call) => said.extend(ended_call(call, how, &calls, names)),
                    None => said.push(format!("  {} {how}", names.call(*gate))),
                }
            }
            Event::Called { .. }
            | Event::Asked { .. }
            | Event::CellEnded { .. }
            | Event::LinkEnded { .. } => {
                said.push(format!("  {}", names.event(event)));
            }
            _ => {}
        }
    }
    lines.extend(said.into_iter().take(2 * SHOWN));
    lines
}

/// A call that ended in the last step, and the calls of the same server that ended while it was under way.
fn ended_call(call: &Served, how: &str, calls: &[Served], names: &Names) -> Vec<String> {
    let mut lines = vec![format!("  {} {how}, which came in at step {}", named(call, names), call.called)];
    let last = call.ended.unwrap_or(usize::MAX);
    let meanwhile = calls.iter().filter(|other| {
        let ended_meanwhile = other.ended.is_some_and(|ended| (call.called..last).contains(&ended));
        other.gate != call.gate && other.server == call.server && ended_meanwhile
    });
    let mut meanwhile: Vec<&Served> = meanwhile.collect();
    // Calls of the same method are likeliest to undo each other, and the latest are the closest to the fault.
    meanwhile.sort_by_key(|other| (other.method != call.method, Reverse(other.ended)));
    meanwhile.truncate(SHOWN);
    meanwhile.sort_by_key(|other| other.ended);
    for other in meanwhile {
        let ended = other.ended.expect("only these are left");
        lines.push(format!("  meanwhile, at step {ended}, {} ended", named(other, names)));
    }
    lines
}

/// A call and its caller.
fn named(call: &Served, names: &Names) -> String {
    match call.caller {
        Some(caller) => format!("{} of {}", names.call(call.gate), names.actor(caller)),
        None => names.call(call.gate),
    }
}

/// The parties of a link.
struct Ends {
    cell: ActorId,
    near: ActorId,
    /// The pipe from the cell to the near end.
    up: PipeId,
}

/// All served calls, in the order in which they came in.
fn served(run: &Run) -> Vec<Served> {
    let mut links: BTreeMap<LinkId, Ends> = BTreeMap::new();
    let mut calls: Vec<Served> = Vec::new();
    for (step, event) in numbered(run) {
        match event {
            Event::LinkBorn { link, cell, near, up, .. } => {
                links.insert(*link, Ends { cell: *cell, near: *near, up: *up });
            }
            Event::Called { gate, interface, method, link, over, .. } => {
                let ends = links.get(link);
                let came_up = ends.is_some_and(|ends| ends.up == *over);
                calls.push(Served {
                    gate: *gate,
                    method: (*interface, *method),
                    called: step,
                    ended: None,
                    server: ends.map(|ends| if came_up { ends.near } else { ends.cell }),
                    caller: ends.map(|ends| if came_up { ends.cell } else { ends.near }),
                });
            }
            Event::Asked { gate, interface, method } => calls.push(Served {
                gate: *gate,
                method: (*interface, *method),
                called: step,
                ended: None,
                server: None,
                caller: None,
            }),
            Event::Done { gate } | Event::Cancelled { gate } => {
                let open = calls.iter_mut().find(|call| call.gate == *gate && call.ended.is_none());
                if let Some(call) = open {
                    call.ended = Some(step);
                }
            }
            _ => {}
        }
    }
    calls
}

/// Each event with the number of the step that caused it; 0 is before the first.
fn numbered(run: &Run) -> impl Iterator<Item = (usize, &Event)> {
    let steps = &run.transcript.steps;
    let before = steps.first().map_or(run.transcript.events.len(), |step| step.caused.start);
    let set_up = run.transcript.events[..before].iter().map(|event| (0, event));
    let caused = steps.iter().enumerate().flat_map(|(at, step)| {
        run.transcript.events[step.caused.clone()].iter().map(move |event| (at + 1, event))
    });
    set_up.chain(caused)
}
