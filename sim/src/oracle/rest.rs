//! Rest: it decides whether a world in which nothing can happen any more has finished, or whether somebody still waits.
//! If somebody does, it says who waits for what, and whose fault that is.
//!
//! A world has finished when its cells, the tasks of the scenario and the host's own tasks have ended. The tasks of
//! links between two vats do not count, because such a link has no end of its own.
//!
//! The wait-for graph is shown whole, because a stall has many sides (G04, G06, G09 and H01 of the catalogue of bugs: a
//! call that never leaves, a writer left out of the poll set, a log that nobody reads, a peer that never speaks). The
//! blame goes to a party that could have gone on and did not. The signs are tried from the surest on: a cell that did
//! not flush its output, a cell that was not woken, one that leaves bytes or budget unused, a call that its server
//! holds, a call that its guest does not answer. If there is no such sign, the last cell to wait decides: the blame
//! goes to the party that it waits for.

use super::{Blame, CellFacts, Evidence, Party, TaskFacts};
use crate::executor::TaskOwner;
use crate::outcome::{Wait, WaitGraph};
use crate::transcript::LinkFrames;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use wavetank::peer::{BYTE_STREAM, PROCESS};
use wavetank::pipe::PipeView;
use wavetank::{ActorId, Blocked, Event, GateId, LinkId, Role};
use wavetank_trace::frames::{Direction, Message, Question};
use wavetank_trace::ledger::{Entry, Ledger, QuestionState};

/// The wait-for graph of a world at rest; `None` if all cells and tasks have ended.
pub(crate) fn stalled(evidence: &Evidence<'_>) -> Option<WaitGraph> {
    let living: Vec<&CellFacts> = evidence.cells.iter().filter(|cell| cell.exit.is_none()).collect();
    // A link between two vats has no end of its own.
    let must_end = |task: &&TaskFacts| task.whose.must_end();
    if living.is_empty() && !evidence.tasks.iter().any(|task| must_end(&task)) {
        return None;
    }
    let on = |blocked: &Blocked| match *blocked {
        Blocked::Reading(id) => format!("bytes from {}", evidence.pipe_name(id)),
        Blocked::Writing(id) => format!("budget for {}", evidence.pipe_name(id)),
        Blocked::Until(at_ns) => format!("the time {at_ns} ns"),
    };
    let waits = living
        .iter()
        .map(|cell| Wait { who: cell.name.to_string(), on: cell.blocked.iter().map(on).collect() });
    let pipes =
        living.iter().flat_map(|cell| &cell.pipes).filter_map(|id| holding(&evidence.pipes[id.index()]));
    // A living cell's own task and those of its link and streams are left out, because the cell's line covers them.
    let is_said =
        |task: &TaskFacts| served_by(task).is_some_and(|served| living.iter().any(|cell| cell.id == served));
    let tasks = evidence.tasks.iter().filter(must_end).filter(|task| !is_said(task));
    let owed = owed(evidence);
    let cycle = cycle(evidence, &owed);
    // The line of the cycle says who waits for whom in it.
    let on_cycle = |owed: &&Owed<'_>| cycle.iter().flatten().any(|on| std::ptr::eq(*on, *owed));
    let mut calls: Vec<String> = owed.iter().filter(|owed| !on_cycle(owed)).map(Owed::line).collect();
    calls.extend(cycle.as_deref().map(cycle_line));
    Some(WaitGraph {
        steps: evidence.steps.len() as u64,
        blame: blame(evidence, &living, &owed, cycle.as_deref()),
        cells: waits.collect(),
        calls,
        pipes: pipes.collect(),
        tasks: tasks.map(task_line).collect(),
    })
}

/// The cell, or the vat at the far end of a link, for which a task of the host works.
fn served_by(task: &TaskFacts) -> Option<ActorId> {
    match task.whose {
        TaskOwner::Host(Role::Cell(actor) | Role::LinkOf(actor) | Role::StdioOf(actor)) => Some(actor),
        _ => None,
    }
}

fn holding(pipe: &PipeView) -> Option<String> {
    let PipeView { name, staged_bytes, unflushed_bytes, visible_bytes, budget_bytes, .. } = pipe;
    let held = staged_bytes + visible_bytes;
    if held == 0 && !pipe.writer_waits {
        return None;
    }
    let reader = match (pipe.reader_open, pipe.reader_waits) {
        (false, _) => ", its reader is gone",
        (true, false) => ", nobody reads it",
        (true, true) => "",
    };
    let unflushed = match unflushed_bytes {
        0 => String::new(),
        bytes => format!(", {bytes} of them were never flushed"),
    };
    Some(format!("{name} holds {held} bytes{unflushed}, budget {budget_bytes}{reader}"))
}

fn task_line(task: &TaskFacts) -> String {
    match &task.vat {
        Some(vat) => format!("task {:?} of vat {vat} has not ended", task.name),
        None => format!("task {:?} has not ended", task.name),
    }
}

/// A call that was asked and not answered, on a connection that is up.
struct Owed<'a> {
    link: &'a LinkFrames,
    asker: Direction,
    creditor: Party,
    debtor: Party,
    question: Question,
    call: Arc<str>,
    /// Whether it came in at a server that has not answered yet.
    is_at_server: bool,
}

impl Owed<'_> {
    /// Whether one party waits for one other party. The host is more than one: its servers work side by side.
    fn is_wait_of_one_party(&self, evidence: &Evidence<'_>) -> bool {
        let is_received = match &self.debtor {
            Party::Host => false,
            Party::Vat(_) => self.is_at_server,
            Party::Cell(_) => self.is_read_by_cell(evidence),
        };
        is_received && self.creditor != Party::Host
    }

    /// Whether a cell owes the answer and has read everything on its link.
    fn is_read_by_cell(&self, evidence: &Evidence<'_>) -> bool {
        let link =
            evidence.cells.iter().filter_map(|cell| cell.link).find(|(link, ..)| *link == self.link.link);
        self.asker == Direction::Down
            && link.is_some_and(|(.., down)| {
                let view = &evidence.pipes[down.index()];
                view.visible_bytes + view.staged_bytes == 0
            })
    }

    /// The place among the events at which the call was written as a whole.
    fn asked_at(&self, evidence: &Evidence<'_>) -> Option<usize> {
        let (_, up, down) = evidence.cell_of(self.link.link)?.link?;
        let pipe = if self.asker == Direction::Up { up } else { down };
        let mut left_bytes = 0;
        for frame in self.link.frames.iter().filter(|frame| frame.direction == self.asker) {
            left_bytes += frame.bytes;
            if matches!(&frame.message, Message::Call(call) if call.question == self.question) {
                break;
            }
        }
        evidence.events.iter().position(|event| match event {
            Event::Wrote { pipe: written, bytes } if *written == pipe => {
                left_bytes = left_bytes.saturating_sub(bytes.len());
                left_bytes == 0
            }
            _ => false,
        })
    }

    fn line(&self) -> String {
        format!("{} owes {} the answer to {} {}", self.debtor, self.creditor, self.question, self.call)
    }
}

fn owed<'a>(evidence: &Evidence<'a>) -> Vec<Owed<'a>> {
    let open = open_calls(evidence);
    let mut owed = Vec::new();
    for link in evidence.links {
        let mut ledger = Ledger::default();
        link.frames.iter().for_each(|frame| ledger.apply(frame));
        if ledger.is_aborted() || is_over(evidence, link.link) {
            continue;
        }
        let ends = evidence.ends.get(link.link.0 as usize);
        let far = ends.map_or_else(|| Party::Cell(link.cell.clone()), |ends| ends.far.clone());
        let near = ends.map_or(Party::Host, |ends| ends.near.clone());
        for entry in ledger.open() {
            let Entry::Question { asker, question, call, method, state: QuestionState::Asked } = entry else {
                continue;
            };
            let (creditor, debtor) = match asker {
                Direction::Up => (far.clone(), near.clone()),
                Direction::Down => (near.clone(), far.clone()),
            };
            let is_at_server = open.values().any(|at| {
                at.link == link.link && Some((at.interface, at.method)) == method && at.direction == asker
            });
            owed.push(Owed { link, asker, creditor, debtor, question, call, is_at_server });
        }
    }
    owed
}

/// Whether nobody waits for answers on a link any more. One of its RPC systems has ended, and all its questions with
/// it.
fn is_over(evidence: &Evidence<'_>, link: LinkId) -> bool {
    evidence
        .events
        .iter()
        .any(|event| matches!(event, Event::LinkEnded { link: ended, .. } if *ended == link))
}

/// Calls that wait for each other in a circle: each is asked by the one who owes the answer to the call before.
///
/// A vat owes an answer once the call is at its server; a cell, once it has read everything on its link. The host is
/// left out, because one of its servers may wait while another goes on.
fn cycle<'a>(evidence: &Evidence<'_>, owed: &'a [Owed<'a>]) -> Option<Vec<&'a Owed<'a>>> {
    let edges: Vec<&Owed<'_>> = owed.iter().filter(|owed| owed.is_wait_of_one_party(evidence)).collect();
    edges.iter().find_map(|first| circle_from(first, &edges))
}

/// Who waits for whom in the circle that [`stalled`] tells of; empty if there is none.
pub(crate) fn parties_of_cycle(evidence: &Evidence<'_>) -> Vec<(Party, Party)> {
    let owed = owed(evidence);
    let cycle = cycle(evidence, &owed).unwrap_or_default();
    cycle.iter().map(|owed| (owed.creditor.clone(), owed.debtor.clone())).collect()
}

/// A shortest circle that begins with this call.
fn circle_from<'a>(first: &'a Owed<'a>, edges: &[&'a Owed<'a>]) -> Option<Vec<&'a Owed<'a>>> {
    let mut paths = VecDeque::from([vec![first]]);
    let mut reached = BTreeSet::from([&first.debtor]);
    while let Some(path) = paths.pop_front() {
        let last = path[path.len() - 1];
        if last.debtor == first.creditor {
            return Some(path);
        }
        for edge in edges.iter().filter(|edge| edge.creditor == last.debtor) {
            if reached.insert(&edge.debtor) {
                paths.push_back([path.clone(), vec![edge]].concat());
            }
        }
    }
    None
}

fn cycle_line(path: &[&Owed<'_>]) -> String {
    let waits = path
        .iter()
        .map(|owed| format!("{} waits for {} ({} {})", owed.creditor, owed.debtor, owed.question, owed.call));
    format!("cycle: {}", waits.collect::<Vec<_>>().join(", "))
}

/// Whose fault it is. The rules that see a party that could go on come first. From [`unanswered`] on, the rules only
/// see who is left to wait for, which is a guess.
fn blame(
    evidence: &Evidence<'_>,
    living: &[&CellFacts],
    owed: &[Owed<'_>],
    cycle: Option<&[&Owed<'_>]>,
) -> Blame {
    unflushed(evidence, living)
        .or_else(|| asleep(evidence, living))
        .or_else(|| idle(evidence, living))
        .or_else(|| cycle.map(blame_of_cycle))
        .or_else(|| held_call(evidence, owed))
        .or_else(|| stdin_left_open(evidence, living, owed))
        .or_else(|| output_unread(evidence, living))
        .or_else(|| unanswered(evidence, living, owed).map(Blame::guessed))
        .or_else(|| last_to_wait(evidence, living).map(Blame::guessed))
        .or_else(|| scenarios_task(evidence, living))
        .unwrap_or(Blame::Unknown)
}

/// A cell that waits and has written bytes that it did not flush. Its host may keep them for ever.
fn unflushed(evidence: &Evidence<'_>, living: &[&CellFacts]) -> Option<Blame> {
    let keeps =
        |cell: &&&CellFacts| cell.pipes.iter().any(|pipe| evidence.pipes[pipe.index()].unflushed_bytes > 0);
    living.iter().find(keeps).map(|cell| cell.blame())
}

/// A cell that waits for something that is already there was not woken.
fn asleep(evidence: &Evidence<'_>, living: &[&CellFacts]) -> Option<Blame> {
    let came = |blocked: &Blocked| match *blocked {
        Blocked::Reading(pipe) => evidence.visible_bytes(pipe) > 0,
        Blocked::Writing(pipe) => {
            let pipe = &evidence.pipes[pipe.index()];
            pipe.budget_bytes > 0 && pipe.staged_bytes == 0
        }
        Blocked::Until(_) => false,
    };
    living.iter().any(|cell| cell.blocked.iter().any(came)).then_some(Blame::Tank)
}

/// A cell that does not use what it has. Either it does not wait for its link although bytes are visible there. Or it
/// has budget for the rest of a frame that it began, or for a write that was once refused, and does not write.
fn idle(evidence: &Evidence<'_>, living: &[&CellFacts]) -> Option<Blame> {
    let idles = |cell: &&&CellFacts| {
        let Some((link, up, down)) = cell.link else { return false };
        let begun =
            evidence.links.iter().find(|of| of.link == link).is_some_and(|of| of.pending_up_bytes > 0);
        let leaves_bytes =
            evidence.visible_bytes(down) > 0 && !cell.blocked.contains(&Blocked::Reading(down));
        let up_view = &evidence.pipes[up.index()];
        let leaves_budget = (begun || up_view.writer_refused)
            && up_view.budget_bytes > 0
            && !cell.blocked.contains(&Blocked::Writing(up));
        leaves_bytes || leaves_budget
    };
    living.iter().find(idles).map(|cell| cell.blame())
}

/// All parties of a cycle. It is a guess if one is a cell, since a cell may serve one call while it waits for another.
fn blame_of_cycle(path: &[&Owed<'_>]) -> Blame {
    let blame = Blame::Cycle(path.iter().map(|owed| owed.creditor.clone()).collect());
    let is_of_vats = path.iter().all(|owed| owed.creditor.vat().is_some());
    if is_of_vats { blame } else { blame.guessed() }
}

/// A call that came in at a server of a vat and is not done. Calls that wait for a cell by their nature are skipped, so
/// that the blame can go to that cell. Of a chain of calls it is the last: a vat that waits for another vat itself is
/// only passed over if nobody else holds a call. `None` if the last of the chain is a cell: one that has read a call,
/// which the party with the held call made after it had got that one.
fn held_call(evidence: &Evidence<'_>, owed: &[Owed<'_>]) -> Option<Blame> {
    let open = open_calls(evidence);
    let held: Vec<&AtServer> =
        open.values().filter(|call| ![PROCESS, BYTE_STREAM].contains(&call.interface)).collect();
    let waits_itself = |call: &AtServer| {
        let asks = |owed: &Owed<'_>| Some(&owed.creditor) == call.server.as_ref() && owed.is_at_server;
        call.server.as_ref().and_then(Party::vat).is_some() && owed.iter().any(asks)
    };
    let held = held.iter().find(|call| !waits_itself(call)).or(held.first())?;
    let asks_a_cell = |owed: &Owed<'_>| {
        Some(&owed.creditor) == held.server.as_ref()
            && owed.is_read_by_cell(evidence)
            && owed.asked_at(evidence).is_some_and(|asked_at| asked_at > held.called_at)
    };
    if owed.iter().any(asks_a_cell) {
        return None;
    }
    let call = evidence.schema.method_name(held.interface, held.method);
    Some(Blame::Capability { vat: held.server.as_ref().and_then(Party::vat), call })
}

/// A call at its server.
struct AtServer {
    interface: u64,
    method: u16,
    link: LinkId,
    /// The direction of the asker.
    direction: Direction,
    server: Option<Party>,
    /// The place among the events at which it came in.
    called_at: usize,
}

/// Calls at their servers, by gate.
fn open_calls(evidence: &Evidence<'_>) -> BTreeMap<GateId, AtServer> {
    let mut open = BTreeMap::new();
    for (called_at, event) in evidence.events.iter().enumerate() {
        match event {
            Event::Called { gate, interface, method, link, over, .. } => {
                let ends = evidence.ends.get(link.0 as usize);
                let is_up = ends.is_none_or(|ends| ends.up == *over);
                let call = AtServer {
                    interface: *interface,
                    method: *method,
                    link: *link,
                    direction: if is_up { Direction::Up } else { Direction::Down },
                    server: ends.map(|ends| ends.server(*over).clone()),
                    called_at,
                };
                open.insert(*gate, call);
            }
            Event::Done { gate } | Event::Cancelled { gate } => {
                open.remove(gate);
            }
            _ => {}
        }
    }
    open
}

/// A cell that waits for its stdin, which is its own and which nobody closed, and that has no question open on its
/// link. The one who started it could end the wait.
fn stdin_left_open(evidence: &Evidence<'_>, living: &[&CellFacts], owed: &[Owed<'_>]) -> Option<Blame> {
    let waits = |cell: &&&CellFacts| {
        let link = cell.link.map(|(link, ..)| link);
        let Some(&stdin) = cell.pipes.first() else { return false };
        let is_link = cell.link.is_some_and(|(_, _, down)| down == stdin);
        let asked = owed.iter().any(|owed| Some(owed.link.link) == link && owed.asker == Direction::Up);
        !is_link
            && !asked
            && cell.blocked.contains(&Blocked::Reading(stdin))
            && evidence.pipes.get(stdin.index()).is_some_and(|pipe| pipe.writer_open)
    };
    living.iter().rev().find(waits).map(|cell| starter_of(evidence, cell))
}

/// A cell that waits only until somebody reads its stdout or stderr, which is full. The blame goes to the one who
/// started it.
fn output_unread(evidence: &Evidence<'_>, living: &[&CellFacts]) -> Option<Blame> {
    let waits = |cell: &&&CellFacts| {
        let is_full_output = |blocked: &Blocked| match *blocked {
            Blocked::Writing(pipe) => {
                let is_link = cell.link.is_some_and(|(_, up, _)| up == pipe);
                let view = evidence.pipes.get(pipe.index());
                !is_link
                    && view.is_some_and(|view| {
                        view.budget_bytes == 0 && view.visible_bytes > 0 && view.reader_open
                    })
            }
            _ => false,
        };
        !cell.blocked.is_empty() && cell.blocked.iter().all(is_full_output)
    };
    living.iter().rev().find(waits).map(|cell| starter_of(evidence, cell))
}

/// A cell that was asked, has read everything, and waits for more instead of answering.
fn unanswered(evidence: &Evidence<'_>, living: &[&CellFacts], owed: &[Owed<'_>]) -> Option<Blame> {
    let owes = |cell: &&&CellFacts| {
        let Some((link, _, down)) = cell.link else { return false };
        let down = &evidence.pipes[down.index()];
        let asked = |owed: &Owed<'_>| owed.link.link == link && owed.asker == Direction::Down;
        down.visible_bytes + down.staged_bytes == 0 && owed.iter().any(asked)
    };
    // The youngest comes first, because an older one may owe its answer because of it.
    living.iter().rev().find(owes).map(|cell| cell.blame())
}

/// The youngest living cell waits for somebody, and nobody younger is left to wait for.
fn last_to_wait(evidence: &Evidence<'_>, living: &[&CellFacts]) -> Option<Blame> {
    let cell = living.last()?;
    let Some((link, up, down)) = cell.link else { return Some(starter_of(evidence, cell)) };
    let frames = evidence.links.iter().find(|of| of.link == link).map_or(&[][..], |of| &of.frames);
    let asked = frames.iter().any(|frame| {
        frame.direction == Direction::Up
            && matches!(frame.message, Message::Bootstrap { .. } | Message::Call(_))
    });
    let waits_for = |of: &dyn Fn(Blocked) -> bool| cell.blocked.iter().any(|&blocked| of(blocked));
    if waits_for(&|blocked| blocked == Blocked::Reading(down)) && asked {
        // It has the answers to all its questions, and neither asks more nor ends.
        return Some(cell.blame());
    }
    if waits_for(&|blocked| blocked == Blocked::Writing(up)) {
        return None;
    }
    Some(starter_of(evidence, cell))
}

/// The one who must end a cell that serves, or that waits for bytes or for a reader of its stdio: the one who started
/// it.
fn starter_of(evidence: &Evidence<'_>, cell: &CellFacts) -> Blame {
    match cell.parent.and_then(|parent| evidence.cell(parent)).filter(|parent| parent.exit.is_none()) {
        Some(parent) => parent.blame(),
        None => Blame::Scenario(format!("nobody ends {} or gives it what it waits for", cell.name)),
    }
}

/// A task of the scenario that has not ended. This is a guess, unless the task is all that is left.
fn scenarios_task(evidence: &Evidence<'_>, living: &[&CellFacts]) -> Option<Blame> {
    let mut tasks = evidence.tasks.iter().filter(|task| task.whose == TaskOwner::Scenario);
    let task = tasks.next()?;
    let blame = Blame::Task { vat: task.vat.clone(), task: task.name.clone() };
    let is_alone = living.is_empty() && tasks.next().is_none();
    Some(if is_alone { blame } else { blame.guessed() })
}
