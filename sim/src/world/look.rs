//! Looks at a world between two steps.

use super::World;
use crate::moves::Move;
use crate::transcript::Names;
use crate::view::{CallView, CellView, TaskView, WorldView};
use std::collections::BTreeMap;
use std::sync::Arc;
use wavetank::pipe::PipeView;
use wavetank::{ActorId, Blocked, Event, GateId, Guest, LinkId, PipeId};
use wavetank_choice::menu::Item;
use wavetank_choice::moves::Kind;

impl World {
    /// Whether this is the step to stop after. If so, it also looks at the world. Draws nothing.
    pub(super) fn is_far_enough(&mut self) -> bool {
        self.take_shot();
        let is_there = self.until == Some(self.transcript.steps.len() as u64);
        if is_there && self.view.is_none() {
            self.view = Some(self.look());
        }
        is_there
    }

    /// The components that ran, by cell.
    pub(crate) fn guests(&self) -> Vec<(Arc<str>, Arc<Guest>)> {
        self.tank.cells().iter().map(|cell| (cell.name().clone(), cell.guest().clone())).collect()
    }

    fn look(&mut self) -> WorldView {
        let names = self.names();
        let pipes = self.shared.pipes();
        let words = |on: Vec<Blocked>| on.into_iter().map(|on| waited_for(on, &pipes)).collect::<Vec<_>>();
        let last = self.transcript.steps.last();
        let mut view = WorldView {
            step: self.transcript.steps.len() as u64,
            last: last.map(|step| names.moved(step.moved)),
            now_ns: self.shared.now_ns(),
            timers_ns: self.shared.timers_ns(),
            tasks: Vec::new(),
            cells: Vec::new(),
            calls: self.open_calls(&names),
            next: self.next_words(&names),
            pipes: Vec::new(),
        };
        for task in self.executor.tasks() {
            let actor = ActorId(task.actor);
            let mut on = self.shared.blocked(actor);
            on.extend(self.shared.waited_for_by(task.waker));
            on.sort();
            on.dedup();
            let mut waits_on = words(on);
            waits_on.extend(self.shared.undecided_of(task.waker).into_iter().map(|id| names.awaited(id)));
            if self.shared.is_unborn(actor) {
                waits_on = vec!["its start".into()];
            }
            view.tasks.push(TaskView {
                name: task.name.into(),
                actor: names.actor(actor),
                is_background: task.whose.is_background(),
                is_ready: task.is_ready,
                waits_on,
            });
        }
        let handles = self.handles();
        for cell in self.tank.cells() {
            let id = cell.id();
            let held = handles.iter().filter(|((of, _), many)| *of == id && **many > 0);
            view.cells.push(CellView {
                name: cell.name().clone(),
                is_started: !self.shared.is_unborn(id),
                exit: cell.exit().as_deref().cloned(),
                blocked_in: self.shared.blocked_in(id),
                waits_on: words(self.shared.blocked(id)),
                fuel: 0,
                handles: held.map(|((_, kind), many)| (kind.clone(), *many)).collect(),
            });
        }
        self.end_cells();
        for (cell, seen) in self.tank.cells().iter().zip(&mut view.cells) {
            seen.fuel = cell.exit().map_or(0, |exit| exit.fuel);
        }
        view.pipes = pipes.into_iter().filter(|pipe| pipe.reader_open || pipe.writer_open).collect();
        view
    }

    /// Ends all cells, in the usual order. A living cell does not tell its fuel until its end, because its store
    /// belongs to its own task. Afterwards the world can only be dropped.
    fn end_cells(&mut self) {
        for cell in self.tank.cells() {
            cell.kill();
        }
        self.executor.look();
        while let Some(cell) =
            self.tank.cells().iter().map(|cell| cell.id().0).find(|id| self.executor.ready().contains(*id))
        {
            self.executor.poll(cell);
        }
    }

    /// The number of handles by cell and kind.
    fn handles(&self) -> BTreeMap<(ActorId, String), usize> {
        let mut handles: BTreeMap<(ActorId, String), usize> = BTreeMap::new();
        for event in &self.transcript.events {
            match event {
                Event::HandleBorn { cell, kind, .. } => {
                    *handles.entry((*cell, kind.to_string())).or_default() += 1;
                }
                Event::HandleDropped { cell, kind, .. } => {
                    let many = handles.entry((*cell, kind.to_string())).or_default();
                    *many = many.saturating_sub(1);
                }
                _ => {}
            }
        }
        handles
    }

    fn open_calls(&self, names: &Names) -> Vec<CallView> {
        let steps = &self.transcript.steps;
        let step_of = |event: usize| steps.partition_point(|step| step.caused.end <= event) as u64;
        let mut cells: BTreeMap<LinkId, Arc<str>> = BTreeMap::new();
        let mut born: BTreeMap<GateId, (usize, String)> = BTreeMap::new();
        for (at, event) in self.transcript.events.iter().enumerate() {
            match event {
                Event::LinkBorn { link, cell, .. } => {
                    cells.insert(*link, names.actor(*cell));
                }
                Event::Called { gate, link, .. } => {
                    let asker = cells.get(link).map_or_else(|| link.to_string(), |cell| cell.to_string());
                    born.insert(*gate, (at, asker));
                }
                Event::Asked { gate, .. } => {
                    born.insert(*gate, (at, "the host".into()));
                }
                _ => {}
            }
        }
        let view = |(gate, state): (GateId, String)| {
            let (at, asker) = born.get(&gate)?;
            // The events of step 1 have place 0.
            let age_steps = (steps.len() as u64).saturating_sub(step_of(*at) + 1);
            Some(CallView { name: names.call(gate), asker: asker.clone(), age_steps, state })
        };
        self.call_states().into_iter().filter_map(view).collect()
    }

    /// The calls that were made and not answered, each with its state in words.
    pub(super) fn call_states(&self) -> Vec<(GateId, String)> {
        let late: BTreeMap<GateId, u64> =
            self.shared.late_answers().into_iter().map(|(until_ns, gate)| (gate, until_ns)).collect();
        let waits: Vec<u32> = self.shared.ready_sets(|ready_sets| ready_sets.answerable.iter().collect());
        let paused: Vec<u32> = self.shared.ready_sets(|ready_sets| ready_sets.resumable.iter().collect());
        let mut calls = Vec::new();
        for gate in self.shared.calls().into_iter().map(GateId) {
            let state = match late.get(&gate) {
                Some(until_ns) => format!("done, its answer is held until {until_ns} ns"),
                None if waits.contains(&gate.0) => "done, its answer waits".into(),
                None if self.shared.waits_behind(gate) => {
                    "done, its answer waits for a streaming call's".into()
                }
                None if paused.contains(&gate.0) => "its server woke itself and waits for a resume".into(),
                None => "its server works".into(),
            };
            calls.push((gate, state));
        }
        calls
    }

    fn next_words(&self, names: &Names) -> Vec<String> {
        self.menu_items().into_iter().map(|item| names.moved(self.moved_by(item))).collect()
    }

    /// The move that an item of the menu stands for, if nothing is drawn.
    pub(super) fn moved_by(&self, Item { kind, id }: Item) -> Move {
        match kind {
            Kind::Start => Move::Start(id),
            Kind::Poll => Move::Poll(id),
            Kind::Deliver => Move::Deliver(id, self.shared.deliverable_bytes(PipeId(id))),
            Kind::Grant => Move::Grant(id, self.shared.grantable_bytes(PipeId(id))),
            Kind::Answer => Move::Answer(id),
            Kind::Resume => Move::Resume(id),
            Kind::Act => Move::Act(id, 0),
            _ => {
                let timer_ns = self.shared.next_timer_ns();
                Move::Advance(timer_ns.unwrap_or_default().max(self.shared.now_ns()))
            }
        }
    }

    /// The items of the next menu; the calm policy's is first.
    pub(super) fn menu_items(&self) -> Vec<Item> {
        let timer_ns = self.shared.next_timer_ns();
        let is_due = self.shared.is_timer_due();
        self.with_sets(|sets| {
            let menu = self.calm.menu(sets, timer_ns.is_some());
            menu.with_time_due(is_due).items().collect()
        })
    }
}

pub(super) fn waited_for(on: Blocked, pipes: &[PipeView]) -> String {
    let name = |pipe: PipeId| &pipes[pipe.index()].name;
    match on {
        Blocked::Reading(pipe) => format!("bytes from {}", name(pipe)),
        Blocked::Writing(pipe) => format!("budget for {}", name(pipe)),
        Blocked::Until(at_ns) => format!("the time {at_ns} ns"),
    }
}
