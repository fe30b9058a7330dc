//! What is shared between cells, vats and whoever drives them: pipes, clock, starts and gates.
//!
//! wasmtime wants `Send` of all that a store holds, and capnp-rpc is `Rc` throughout: this is the border, and
//! the one lock. Nobody waits for it, for there is one thread.
//!
//! For each kind of thing that could happen next there is a set of ids, kept up to date by those who cause
//! the change: a driver counts them and picks the nth, and never makes a list.

mod calls;
mod pauses;
mod pipes;
mod starts;
mod time;
mod waits;

pub(crate) use waits::{Asked, WaitBegun};
pub use waits::{IDLE_CALLS_PER_TURN, LOOK_NS};

use crate::event::Event;
use crate::freedoms::Freedoms;
use crate::ids::{ActorId, GateId, LinkId, PipeId};
use crate::pipe::Pipe;
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The shared state of one tank. Clones are the same fabric.
#[derive(Clone)]
pub struct Fabric(Arc<Mutex<State>>);

/// Who is at the ends of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkEnds {
    /// The cell or vat at the far end, which writes into the pipe up.
    pub far: ActorId,
    /// The vat at the near end, which writes into the pipe down.
    pub near: ActorId,
    /// The pipe up, which brings calls to the near end.
    pub up: PipeId,
}

struct State {
    held: bool,
    recording: bool,
    pipes: Vec<Pipe>,
    deliverable: RoaringBitmap,
    grantable: RoaringBitmap,
    unborn: RoaringBitmap,
    starts: BTreeMap<ActorId, Waker>,
    answerable: RoaringBitmap,
    resumable: RoaringBitmap,
    gates: Vec<Gate>,
    /// By streaming call, the finished calls whose gates wait for its own.
    behind: BTreeMap<u32, Vec<GateId>>,
    /// Methods, by interface and ordinal, of which it is known whether they stream.
    streams: BTreeMap<(u64, u16), bool>,
    operations: BTreeMap<u32, pauses::Operation>,
    /// Operations that end at a time.
    slow_operations: BTreeSet<(u64, u32)>,
    /// Moves that were begun.
    turn: u64,
    /// Calls that came in and whose answer has not gone out.
    calls: RoaringBitmap,
    /// Answers that wait for a time.
    late: BTreeSet<(u64, u32)>,
    orders: BTreeMap<ActorId, Orders>,
    spawning: Spawning,
    actors: u32,
    links: Vec<LinkEnds>,
    /// Bytes that were read of a pipe only to be thrown away.
    discarded_bytes: BTreeMap<PipeId, usize>,
    now_ns: u64,
    /// Time that the cell which runs now has spent with looking at it: the next move adds it to the clock.
    booked_ns: u64,
    timer_ids: u32,
    timers: BTreeMap<(u64, u32), Option<Waker>>,
    blocked: BTreeMap<ActorId, (Import, Vec<Blocked>)>,
    /// What cells do when they ask for news and are woken.
    habits: BTreeMap<ActorId, Habits>,
    /// Cells whose stdin and stdout turned out to be their own, and who have no other link.
    without_link: BTreeSet<ActorId>,
    events: Vec<Event>,
}

/// How a cell asks for news, and what wakes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// How often it asked for news or moved bytes.
    pub calls: u64,
    /// How often in a row it asked for news (`ready`, `poll`, `check-write`, `read`, `now`) and moved no byte and
    /// did not wait: a guest that blocks in `poll` never gets beyond a few.
    pub idle_calls: u64,
    /// How many of these asked for the time: they read a clock, heard that a time has not come, or polled and
    /// nothing but times had come.
    pub looks: u64,
    /// Its idle calls but for handles that it gave back.
    questions: u64,
    /// Turns in which it wrote to its link after a timer alone had woken it. (A turn is what a cell does between
    /// two waits.)
    pub timed_writes: u64,
    /// Turns in which it wrote to its link although it had been woken for nothing from a wait for a time: no time had
    /// passed since it went to wait, it had read nothing, and it had not been out of budget. So it could have written
    /// before it waited.
    pub late_writes: u64,
    /// Turns in which it read its link after a timer alone had woken it, although bytes were there and it had not
    /// waited for them.
    pub timed_reads: u64,
    /// Whether it has ever waited for its link's bytes.
    pub waited_for_link: bool,
    /// What began this turn.
    woken: Woken,
    /// It has written to its link in this turn.
    has_written: bool,
}

/// What began a cell's turn, until it reads something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Woken {
    /// Something came.
    #[default]
    ByNews,
    /// A timer, and nothing else.
    ByTime,
    /// The same, while bytes of its link were there that it did not wait for.
    ByTimeBesideBytes,
    /// Nothing: the readiness was spurious.
    ForNothing,
}

#[derive(Default)]
struct Gate {
    open: bool,
    cut: bool,
    /// The streaming call whose gate must be opened first.
    after: Option<GateId>,
    waker: Option<Waker>,
    cut_waker: Option<Waker>,
    /// Lets its server go on, which woke itself.
    paused: Option<Waker>,
}

/// What a cell is told before it starts. Nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Fuel it burns in one poll, instead of its limit's.
    pub fuel_slice: Option<u64>,
    /// The fuel at which it is trapped, if it comes so far.
    pub trap_at_fuel: Option<u64>,
    /// Growths of its memory until it is refused more.
    pub memory_growths: Option<u32>,
    /// Freedoms of WASI's text that its host takes.
    pub freedoms: Freedoms,
}

/// What the next `runBytes` meets.
#[derive(Default)]
struct Spawning {
    fails: u32,
    slow_ns: Option<u64>,
}

/// What could happen next, by kind: sets of ids, kept up to date by those who cause the change.
pub struct Offers<'a> {
    /// Cells that wait to be started: ids of [`ActorId`].
    pub startable: &'a RoaringBitmap,
    /// Pipes that have something to deliver: ids of [`PipeId`].
    pub deliverable: &'a RoaringBitmap,
    /// Pipes whose writer was told 0 and that have room: ids of [`PipeId`].
    pub grantable: &'a RoaringBitmap,
    /// Finished calls whose answers wait: ids of [`GateId`].
    pub answerable: &'a RoaringBitmap,
    /// Calls whose server woke itself, and operations of fake I/O: ids of [`GateId`].
    pub resumable: &'a RoaringBitmap,
}

/// The blocking import that a cell is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Import {
    /// `wasi:io/poll.poll`: it waits for any of a list.
    Poll,
    /// Another one, which waits for one thing, by its name in WIT.
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

/// What a cell waits for inside a blocking import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocked {
    /// Bytes, or the end, of a pipe.
    Reading(PipeId),
    /// Budget for a pipe, or that a flush is done.
    Writing(PipeId),
    /// A virtual time, in nanoseconds since the start.
    Until(u64),
}

impl Blocked {
    /// The pipe that is waited for.
    pub fn pipe(self) -> Option<PipeId> {
        match self {
            Blocked::Reading(pipe) | Blocked::Writing(pipe) => Some(pipe),
            Blocked::Until(_) => None,
        }
    }
}

impl Fabric {
    /// A fabric whose things happen by themselves, or, `held`, only when told. Events are kept while `recording`.
    pub(crate) fn new(held: bool, recording: bool) -> Self {
        Fabric(Arc::new(Mutex::new(State {
            held,
            recording,
            pipes: Vec::new(),
            deliverable: RoaringBitmap::new(),
            grantable: RoaringBitmap::new(),
            unborn: RoaringBitmap::new(),
            starts: BTreeMap::new(),
            answerable: RoaringBitmap::new(),
            resumable: RoaringBitmap::new(),
            gates: Vec::new(),
            behind: BTreeMap::new(),
            streams: BTreeMap::new(),
            operations: BTreeMap::new(),
            slow_operations: BTreeSet::new(),
            turn: 0,
            calls: RoaringBitmap::new(),
            late: BTreeSet::new(),
            orders: BTreeMap::new(),
            spawning: Spawning::default(),
            actors: 0,
            links: Vec::new(),
            discarded_bytes: BTreeMap::new(),
            now_ns: 0,
            booked_ns: 0,
            timer_ids: 0,
            timers: BTreeMap::new(),
            blocked: BTreeMap::new(),
            habits: BTreeMap::new(),
            without_link: BTreeSet::new(),
            events: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether things happen only when told.
    pub fn is_held(&self) -> bool {
        self.state().held
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.state().recording
    }

    /// Moves all that happened since the last call to the end of `into`.
    pub fn drain_events(&self, into: &mut Vec<Event>) {
        into.append(&mut self.state().events);
    }

    pub(crate) fn record(&self, event: Event) {
        self.state().record(event);
    }

    /// Looks at what could happen next. Must not call the fabric again meanwhile.
    pub fn offers<R>(&self, look: impl FnOnce(&Offers<'_>) -> R) -> R {
        let state = self.state();
        look(&Offers {
            startable: &state.unborn,
            deliverable: &state.deliverable,
            grantable: &state.grantable,
            answerable: &state.answerable,
            resumable: &state.resumable,
        })
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

    /// Who is at the ends of each link, by its id.
    pub fn links(&self) -> Vec<LinkEnds> {
        self.state().links.clone()
    }

    pub(crate) fn new_pipe(&self, name: &str, capacity_bytes: usize) -> PipeId {
        let mut state = self.state();
        let id = PipeId(state.pipes.len() as u32);
        let name: Arc<str> = name.into();
        let held = state.held;
        state.record(Event::PipeBorn { pipe: id, name: name.clone(), capacity_bytes });
        state.pipes.push(Pipe::new(name, capacity_bytes, held));
        id
    }
}

impl State {
    fn record(&mut self, event: Event) {
        if self.recording {
            self.events.push(event);
        }
    }

    /// Changes a pipe, then says anew what could happen to it next.
    fn with_pipe<R>(&mut self, id: PipeId, change: impl FnOnce(&mut Pipe) -> R) -> R {
        let pipe = &mut self.pipes[id.index()];
        let result = change(pipe);
        set(&mut self.deliverable, id, pipe.deliverable());
        set(&mut self.grantable, id, pipe.grantable());
        result
    }
}

fn set(ids: &mut RoaringBitmap, id: PipeId, member: bool) {
    if member {
        ids.insert(id.0);
    } else {
        ids.remove(id.0);
    }
}
