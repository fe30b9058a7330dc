//! The state that cells, vats and their driver share: pipes, clock, starts and gates.
//!
//! wasmtime requires `Send` of everything in a store, and capnp-rpc uses `Rc` throughout. The shared state is the border
//! between them and has the only lock. Nobody ever waits for that lock, because there is only one thread.
//!
//! For each kind of move there is a set of ids, updated by the code that causes the change. A driver counts the ids and
//! picks the nth, and never builds a list.

mod background;
mod calls;
mod draws;
mod pauses;
mod pipes;
mod starts;
mod time;
mod waits;

use background::Background;
pub use background::InBackground;
use calls::Calls;
pub(crate) use calls::ServedAt;
use pauses::Pauses;
pub use pauses::{Completion, IoError};
use starts::Starts;
pub(crate) use time::NEVER_NS;
use time::Time;
use waits::Waits;
pub(crate) use waits::{Asked, WaitBegun};
pub use waits::{IDLE_CALLS_PER_TURN, LOOK_NS};

use crate::event::Event;
use crate::freedoms::Freedoms;
use crate::id_set::IdSet;
use crate::ids::{ActorId, LinkId, PipeId};
use crate::pipe::Pipe;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The shared state of one tank. Clones are the same state.
#[derive(Clone)]
pub struct SharedState(Arc<Mutex<State>>);

/// The actors at the ends of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkEnds {
    /// The cell or vat at the far end, which writes into the up pipe.
    pub far: ActorId,
    /// The vat at the near end, which writes into the down pipe.
    pub near: ActorId,
    /// The up pipe, which brings calls to the near end.
    pub up: PipeId,
}

/// Each part belongs to the file of its name, which keeps its invariants.
struct State {
    /// Things happen only on request.
    held: bool,
    recording: bool,
    events: Vec<Event>,
    actors: u32,
    links: Vec<LinkEnds>,
    pipes: Pipes,
    starts: Starts,
    calls: Calls,
    pauses: Pauses,
    background: Background,
    time: Time,
    waits: Waits,
}

/// All pipes by id.
#[derive(Default)]
struct Pipes {
    all: Vec<Pipe>,
    /// Those that have something to deliver.
    deliverable: IdSet,
    /// Those whose writer could be granted more.
    grantable: IdSet,
    /// Bytes of a pipe that were read only to be thrown away.
    discarded_bytes: BTreeMap<PipeId, usize>,
}

/// How a cell asks for news, and how it is woken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitStats {
    /// How often it asked for news or moved bytes.
    pub calls: u64,
    /// How often in a row it asked for news (`ready`, `poll`, `check-write`, `read`, `now`) without moving a byte and
    /// without waiting. A guest that blocks in `poll` never gets beyond a few.
    pub idle_calls: u64,
    /// How many of these calls asked for the time: it read a clock, heard that a time has not come yet, or polled and
    /// only timers were ready.
    pub looks: u64,
    /// Its idle calls, except those that gave a handle back.
    questions: u64,
    /// Turns in which it wrote to its link after a timer alone had woken it. (A turn is the work of a cell between two
    /// waits.)
    pub timed_writes: u64,
    /// Turns in which it wrote to its link after a spurious wake from a wait for a time. No time had passed since the
    /// wait began, it had read nothing, and it had not been out of budget. So it could have written before it waited.
    pub late_writes: u64,
    /// Turns in which it read its link after a timer alone had woken it, although bytes were there and it had not
    /// waited for them.
    pub timed_reads: u64,
    /// Whether it has ever waited for bytes of its link.
    pub waited_for_link: bool,
    /// The cause of this turn.
    woken: Woken,
    /// Whether it has written to its link in this turn.
    has_written: bool,
}

/// The cause of a cell's turn, until the cell reads something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Woken {
    /// Something arrived.
    #[default]
    ByNews,
    /// A timer, and nothing else.
    ByTime,
    /// The same as `ByTime`, and there were bytes of its link that it did not wait for.
    ByTimeBesideBytes,
    /// Nothing: the readiness was spurious.
    ForNothing,
}

/// Orders that a cell gets before it starts. By default there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Fuel that it burns in one poll, in place of the value in its limits.
    pub fuel_slice: Option<u64>,
    /// The fuel at which it is trapped, if it burns that much.
    pub trap_at_fuel: Option<u64>,
    /// How often its memory may grow before it is refused more.
    pub memory_growths: Option<u32>,
    /// The freedoms of WASI's text that its host takes.
    pub freedoms: Freedoms,
}

/// The possible next moves by kind. Each set of ids is updated by the code that causes the change.
pub struct ReadySets<'a> {
    /// Cells that wait for their start: ids of [`ActorId`].
    pub startable: &'a RoaringBitmap,
    /// Pipes that have something to deliver: ids of [`PipeId`].
    pub deliverable: &'a RoaringBitmap,
    /// Pipes that have room and whose writer was told 0: ids of [`PipeId`].
    pub grantable: &'a RoaringBitmap,
    /// Finished calls whose answers wait: ids of [`GateId`](crate::GateId).
    pub answerable: &'a RoaringBitmap,
    /// Calls whose server woke itself, operations of fake I/O, and draws: ids of [`GateId`](crate::GateId).
    pub resumable: &'a RoaringBitmap,
}

/// The kinds of possible move that have a set of ids: [`ReadySets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// A cell can start.
    Start,
    /// A pipe can deliver.
    Deliver,
    /// A pipe's writer can be granted more.
    Grant,
    /// A call can be answered.
    Answer,
    /// A call or an operation can go on.
    Resume,
}

/// A blocking import, inside which a cell waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Import {
    /// `wasi:io/poll.poll`, which waits for any of a list.
    Poll,
    /// Another import, which waits for one thing. Named as in WIT.
    Other(&'static str),
}

impl std::fmt::Display for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Import::Poll => "poll",
            Import::Other(name) => name,
        })
    }
}

/// A thing that a cell waits for inside a blocking import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocked {
    /// Bytes of a pipe, or its end.
    Reading(PipeId),
    /// Budget for a pipe, or the end of a flush.
    Writing(PipeId),
    /// A virtual time, in nanoseconds since the start.
    Until(u64),
}

impl Blocked {
    /// The pipe that it waits for.
    pub fn pipe(self) -> Option<PipeId> {
        match self {
            Blocked::Reading(pipe) | Blocked::Writing(pipe) => Some(pipe),
            Blocked::Until(_) => None,
        }
    }
}

impl SharedState {
    /// Makes a state. If `held`, things happen only on request; otherwise by themselves. Events are kept if
    /// `recording`.
    pub(crate) fn new(held: bool, recording: bool) -> Self {
        SharedState(Arc::new(Mutex::new(State {
            held,
            recording,
            events: Vec::new(),
            actors: 0,
            links: Vec::new(),
            pipes: Pipes::default(),
            starts: Starts::default(),
            calls: Calls::default(),
            pauses: Pauses::default(),
            background: Background::default(),
            time: Time::default(),
            waits: Waits::default(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether things happen only on request.
    pub fn is_held(&self) -> bool {
        self.state().held
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.state().recording
    }

    /// Moves all events since the last call to the end of `into`.
    pub fn drain_events(&self, into: &mut Vec<Event>) {
        into.append(&mut self.state().events);
    }

    pub(crate) fn record(&self, event: Event) {
        self.state().record(event);
    }

    /// Shows the possible next moves to `look`, which must not call the shared state.
    pub fn ready_sets<R>(&self, look: impl FnOnce(&ReadySets<'_>) -> R) -> R {
        let state = self.state();
        look(&ReadySets {
            startable: state.starts.unborn.ids(),
            deliverable: state.pipes.deliverable.ids(),
            grantable: state.pipes.grantable.ids(),
            answerable: state.calls.answerable.ids(),
            resumable: state.pauses.resumable.ids(),
        })
    }

    /// Tells `each` the possible moves that came or went since the last call, by the set to which they belong. A move may
    /// be told several times, and may be possible again. Returns whether these are all changes; if not, only a look at
    /// the whole sets helps.
    pub fn take_ready_changes(&self, mut each: impl FnMut(Ready, u32)) -> bool {
        let state = &mut *self.state();
        let sets = [
            (Ready::Start, &mut state.starts.unborn),
            (Ready::Deliver, &mut state.pipes.deliverable),
            (Ready::Grant, &mut state.pipes.grantable),
            (Ready::Answer, &mut state.calls.answerable),
            (Ready::Resume, &mut state.pauses.resumable),
        ];
        let mut is_all = true;
        for (ready, set) in sets {
            is_all &= set.take_changes(|id| each(ready, id));
        }
        is_all
    }

    // ---- births

    pub(crate) fn new_actor(&self) -> ActorId {
        let mut state = self.state();
        state.actors += 1;
        ActorId(state.actors - 1)
    }

    pub(crate) fn new_link(&self, ends: LinkEnds) -> LinkId {
        let mut state = self.state();
        state.links.push(ends);
        LinkId(state.links.len() as u32 - 1)
    }

    /// The actors at the ends of each link, by the link's id.
    pub fn links(&self) -> Vec<LinkEnds> {
        self.state().links.clone()
    }

    pub(crate) fn new_pipe(&self, name: &str, capacity_bytes: usize) -> PipeId {
        let mut state = self.state();
        let id = PipeId(state.pipes.all.len() as u32);
        let name: Arc<str> = name.into();
        let held = state.held;
        state.record(Event::PipeBorn { pipe: id, name: name.clone(), capacity_bytes });
        state.pipes.all.push(Pipe::new(name, capacity_bytes, held));
        id
    }
}

impl State {
    fn record(&mut self, event: Event) {
        if self.recording {
            self.events.push(event);
        }
    }

    /// Changes a pipe, and then updates the sets that say whether it can be delivered to or granted.
    fn with_pipe<R>(&mut self, id: PipeId, change: impl FnOnce(&mut Pipe) -> R) -> R {
        let pipe = &mut self.pipes.all[id.index()];
        let result = change(pipe);
        self.pipes.deliverable.set(id.0, pipe.deliverable());
        self.pipes.grantable.set(id.0, pipe.grantable());
        result
    }
}
