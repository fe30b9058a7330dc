//! Films a world: it looks after each step and keeps the changes.

use super::World;
use super::look::waited_for;
use crate::film::{Film, FilmedTask, PipeState, SHOWN_MENU, Shot, TextId, Texts, Waiting, WaitingOn};
use crate::moves::Move;
use crate::transcript::Names;
use std::collections::BTreeMap;
use wavetank::pipe::PipeView;
use wavetank::{ActorId, Blocked, GateId, PipeId};
use wavetank_choice::menu::Item;

/// A film in the making, and the state that the next shot is compared with.
#[derive(Default)]
pub(super) struct Camera {
    texts: Texts,
    tasks: Vec<FilmedTask>,
    shots: Vec<Shot>,
    names: Names,
    /// Events whose names were noted.
    noted: usize,
    /// The items of the last menu.
    menu: Vec<Item>,
    /// The place of a task in `tasks`, by its id.
    places: BTreeMap<u32, u32>,
    waits: BTreeMap<u32, Waiting>,
    pipes: Vec<PipeState>,
    calls: BTreeMap<GateId, TextId>,
    blocked_in: BTreeMap<ActorId, TextId>,
}

impl Camera {
    /// The film. `moves` are the moves that were made.
    pub(super) fn finish(self) -> Film {
        Film { texts: self.texts.into_all(), tasks: self.tasks, shots: self.shots }
    }
}

impl World {
    /// Adds a shot of the world between two steps to its film, if it is filmed. Draws nothing and changes nothing.
    pub(super) fn take_shot(&mut self) {
        let steps = self.transcript.steps.len();
        let Some(mut camera) = self.camera.take_if(|camera| camera.shots.len() == steps) else { return };
        camera.note_choice(self.transcript.steps.last().map(|step| step.moved));
        let events = &self.transcript.events[camera.noted..];
        camera.names.note(events, &self.schema.borrow());
        camera.noted = self.transcript.events.len();
        let views = self.shared.pipes();
        let mut shot = Shot { now_ns: self.shared.now_ns(), ..Shot::default() };
        self.film_tasks(&mut camera, &mut shot, &views);
        camera.film_pipes(&mut shot, &views);
        self.film_calls(&mut camera, &mut shot);
        self.film_cells(&mut camera, &mut shot);
        camera.menu = self.menu_items();
        for item in camera.menu.iter().take(SHOWN_MENU) {
            let words = camera.names.moved(self.moved_by(*item));
            shot.menu.push(camera.texts.place(&words));
        }
        shot.more = camera.menu.len().saturating_sub(SHOWN_MENU) as u32;
        camera.shots.push(shot);
        self.camera = Some(camera);
    }

    fn film_tasks(&self, camera: &mut Camera, shot: &mut Shot, pipes: &[PipeView]) {
        let mut living = BTreeMap::new();
        for task in self.executor.tasks() {
            let actor = ActorId(task.actor);
            let place = *camera.places.entry(task.id).or_insert_with(|| {
                camera.tasks.push(FilmedTask { name: task.name.into(), actor });
                camera.tasks.len() as u32 - 1
            });
            let mut blocked = self.shared.blocked(actor);
            blocked.extend(self.shared.waited_for_by(task.waker));
            blocked.sort();
            blocked.dedup();
            let (on, words) = if self.shared.is_unborn(actor) {
                (WaitingOn::Start, "waits on its start".into())
            } else if task.is_ready {
                (WaitingOn::Ready, "ready".into())
            } else if let Some(first) = blocked.first() {
                let on = match first {
                    Blocked::Reading(_) => WaitingOn::Bytes,
                    Blocked::Writing(_) => WaitingOn::Budget,
                    Blocked::Until(_) => WaitingOn::Time,
                };
                let words: Vec<String> = blocked.iter().map(|on| waited_for(*on, pipes)).collect();
                (on, format!("waits on {}", words.join(", ")))
            } else {
                (WaitingOn::Unseen, "waits".into())
            };
            living.insert(place, Waiting { on, text: camera.texts.place(&words) });
        }
        for place in camera.waits.keys().filter(|place| !living.contains_key(place)) {
            shot.tasks.push((*place, None));
        }
        for (place, waiting) in &living {
            if camera.waits.get(place) != Some(waiting) {
                shot.tasks.push((*place, Some(*waiting)));
            }
        }
        camera.waits = living;
    }

    fn film_calls(&self, camera: &mut Camera, shot: &mut Shot) {
        let mut open = BTreeMap::new();
        for (gate, state) in self.call_states() {
            open.insert(gate, camera.texts.place(&format!("{}: {state}", camera.names.call(gate))));
        }
        for gate in camera.calls.keys().filter(|gate| !open.contains_key(gate)) {
            shot.calls.push((*gate, None));
        }
        for (gate, text) in &open {
            if camera.calls.get(gate) != Some(text) {
                shot.calls.push((*gate, Some(*text)));
            }
        }
        camera.calls = open;
    }

    fn film_cells(&self, camera: &mut Camera, shot: &mut Shot) {
        let mut blocked_in = BTreeMap::new();
        for cell in self.tank.cells() {
            if let Some(import) = self.shared.blocked_in(cell.id()) {
                blocked_in.insert(cell.id(), camera.texts.place(&import.to_string()));
            }
        }
        for cell in camera.blocked_in.keys().filter(|cell| !blocked_in.contains_key(cell)) {
            shot.blocked_in.push((*cell, None));
        }
        for (cell, text) in &blocked_in {
            if camera.blocked_in.get(cell) != Some(text) {
                shot.blocked_in.push((*cell, Some(*text)));
            }
        }
        camera.blocked_in = blocked_in;
    }
}

impl Camera {
    /// Notes in the last shot which of its moves was made.
    fn note_choice(&mut self, made: Option<Move>) {
        let Some((made, shot)) = made.zip(self.shots.last_mut()) else { return };
        let item = Item { kind: made.kind(), id: made.id() };
        shot.chosen = self.menu.iter().position(|offered| *offered == item).map(|place| place as u32);
    }

    fn film_pipes(&mut self, shot: &mut Shot, views: &[PipeView]) {
        for (place, view) in views.iter().enumerate() {
            let state = PipeState {
                pipe: PipeId(place as u32),
                staged_bytes: view.staged_bytes,
                visible_bytes: view.visible_bytes,
                budget_bytes: view.budget_bytes,
                capacity_bytes: view.capacity_bytes,
                held: view.held,
                muted: view.muted,
                reader_waits: view.reader_waits,
                writer_waits: view.writer_waits,
                reader_open: view.reader_open,
                writer_open: view.writer_open,
            };
            match self.pipes.get_mut(place) {
                Some(before) if *before == state => continue,
                Some(before) => *before = state,
                None => self.pipes.push(state),
            }
            shot.pipes.push(state);
        }
    }
}
