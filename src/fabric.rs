//! What is shared between cells, vats and whoever drives them: pipes, clock, starts and gates.
//!
//! wasmtime wants `Send` of all that a store holds, and capnp-rpc is `Rc` throughout: this is the border, and
//! the one lock. Nobody waits for it, for there is one thread.
//!
//! For each kind of thing that could happen next there is a set of ids, kept up to date by those who cause
//! the change: a driver counts them and picks the nth, and never makes a list.

use crate::event::{End, Event};
use crate::ids::{ActorId, GateId, LinkId, PipeId};
use crate::pipe::{Ending, Permit, Pipe, PipeView, Refused, Taken, Written};
use bytes::Bytes;
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The shared state of one tank. Clones are the same fabric.
#[derive(Clone)]
pub struct Fabric(Arc<Mutex<State>>);

struct State {
    held: bool,
    recording: bool,
    pipes: Vec<Pipe>,
    deliverable: RoaringBitmap,
    grantable: RoaringBitmap,
    unborn: RoaringBitmap,
    starts: BTreeMap<ActorId, Waker>,
    answerable: RoaringBitmap,
    gates: Vec<Gate>,
    /// Calls that came in and whose answer has not gone out.
    calls: RoaringBitmap,
    /// Answers that wait for a time.
    late: BTreeSet<(u64, u32)>,
    orders: BTreeMap<ActorId, Orders>,
    spawning: Spawning,
    actors: u32,
    links: u32,
    now_ns: u64,
    timer_ids: u32,
    timers: BTreeMap<(u64, u32), Option<Waker>>,
    blocked: BTreeMap<ActorId, (&'static str, Vec<Blocked>)>,
    /// What cells do when they ask for news and are woken.
    habits: BTreeMap<ActorId, Habits>,
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
    /// How often in a row it wrote to its link in a turn that a timer alone had begun, and never waited without a
    /// timer in between.
    pub timed_writes: u64,
    /// Its last `poll` ended because of a timer alone.
    woken_by_time: bool,
    /// It has written to its link since its last `poll`.
    turn_counted: bool,
}

#[derive(Default)]
struct Gate {
    open: bool,
    cut: bool,
    waker: Option<Waker>,
    cut_waker: Option<Waker>,
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
            gates: Vec::new(),
            calls: RoaringBitmap::new(),
            late: BTreeSet::new(),
            orders: BTreeMap::new(),
            spawning: Spawning::default(),
            actors: 0,
            links: 0,
            now_ns: 0,
            timer_ids: 0,
            timers: BTreeMap::new(),
            blocked: BTreeMap::new(),
            habits: BTreeMap::new(),
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
        })
    }

    // ---- births

    pub(crate) fn new_actor(&self) -> ActorId {
        let mut state = self.state();
        state.actors += 1;
        ActorId(state.actors - 1)
    }

    pub(crate) fn new_link(&self) -> LinkId {
        let mut state = self.state();
        state.links += 1;
        LinkId(state.links - 1)
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

    // ---- pipes, from their ends

    pub(crate) fn check_write(&self, pipe: PipeId) -> Permit {
        self.state().with_pipe(pipe, Pipe::check_write)
    }

    pub(crate) fn write(&self, pipe: PipeId, bytes: Bytes) -> Result<(), Refused> {
        let mut state = self.state();
        let wrote = bytes.clone();
        let (written, muted) = state.with_pipe(pipe, |p| (p.write(bytes), p.is_muted()));
        let Written { taken_bytes: bytes, ended } = written?;
        if bytes > 0 {
            state.record(Event::Wrote { pipe, bytes: wrote.slice(..bytes) });
        }
        if muted && bytes > 0 {
            state.record(Event::Withheld { pipe, bytes });
        }
        if let Some((ending, lost_bytes)) = ended {
            state.record(Event::Ended { pipe, ending, lost_bytes });
        }
        Ok(())
    }

    pub(crate) fn flush(&self, pipe: PipeId) {
        self.state().with_pipe(pipe, Pipe::flush);
    }

    pub(crate) fn poll_writable(&self, pipe: PipeId, cx: &mut Context<'_>) -> Poll<()> {
        self.state().with_pipe(pipe, |p| {
            if p.writable() {
                return Poll::Ready(());
            }
            p.wait_writable(cx.waker());
            Poll::Pending
        })
    }

    pub(crate) fn read(&self, pipe: PipeId, max_bytes: usize) -> Taken {
        let mut state = self.state();
        let taken = state.with_pipe(pipe, |p| p.read(max_bytes));
        if let Taken::Bytes(bytes) = &taken {
            let bytes = bytes.len();
            state.record(Event::Read { pipe, bytes });
        }
        taken
    }

    pub(crate) fn poll_readable(&self, pipe: PipeId, cx: &mut Context<'_>) -> Poll<()> {
        self.state().with_pipe(pipe, |p| {
            if p.readable() {
                return Poll::Ready(());
            }
            p.wait_readable(cx.waker());
            Poll::Pending
        })
    }

    pub(crate) fn close(&self, pipe: PipeId, end: End) {
        let mut state = self.state();
        let lost_bytes = state.with_pipe(pipe, |p| match end {
            End::Reader => p.close_reader(),
            End::Writer => {
                p.close_writer();
                0
            }
        });
        state.record(Event::Closed { pipe, end, lost_bytes });
    }

    // ---- pipes, from outside

    /// Sets a pipe's capacity, in bytes, and whether it waits for deliveries and grants.
    pub fn shape(&self, pipe: PipeId, capacity_bytes: usize, held: bool) {
        self.state().with_pipe(pipe, |p| p.shape(capacity_bytes, held));
    }

    /// Bytes that a delivery could move; 0 where only the end is left to deliver.
    pub fn deliverable_bytes(&self, pipe: PipeId) -> usize {
        self.state().pipes[pipe.index()].deliverable_bytes()
    }

    /// Makes up to `bytes` staged bytes visible, or the end of the pipe where none are left.
    pub fn deliver(&self, pipe: PipeId, bytes: usize) {
        self.state().with_pipe(pipe, |p| p.deliver(bytes));
    }

    /// Bytes that a grant could give.
    pub fn grantable_bytes(&self, pipe: PipeId) -> usize {
        self.state().pipes[pipe.index()].grantable_bytes()
    }

    /// Lets the writer write up to `bytes` more, as far as there is room.
    pub fn grant(&self, pipe: PipeId, bytes: usize) {
        self.state().with_pipe(pipe, |p| p.grant(bytes));
    }

    /// Breaks a pipe at both ends: readers and writers get an error.
    pub fn reset(&self, pipe: PipeId) {
        let mut state = self.state();
        let lost_bytes = state.with_pipe(pipe, Pipe::reset);
        state.record(Event::Reset { pipe, lost_bytes });
    }

    /// Whether whoever waits to read a pipe could be woken for nothing.
    pub fn is_spurrable(&self, pipe: PipeId) -> bool {
        self.state().pipes[pipe.index()].spurrable()
    }

    /// Wakes whoever waits to read a pipe, though there may be nothing to read.
    pub fn spur(&self, pipe: PipeId) {
        self.state().with_pipe(pipe, Pipe::spur);
    }

    /// Bytes of a pipe's budget that could be taken back.
    pub fn shrinkable_bytes(&self, pipe: PipeId) -> usize {
        self.state().pipes[pipe.index()].shrinkable_bytes()
    }

    /// Leaves a pipe's writer at most `bytes` of its budget. What `check-write` has said stays true until it is
    /// asked again.
    pub fn shrink(&self, pipe: PipeId, bytes: usize) {
        self.state().with_pipe(pipe, |p| p.shrink(bytes));
    }

    /// Whether a pipe has both its ends, and was not told to end or to fall mute.
    pub fn is_live(&self, pipe: PipeId) -> bool {
        self.state().pipes[pipe.index()].is_live()
    }

    /// Ends a pipe once `bytes` more were written to it; 0 is now.
    pub fn end_after(&self, pipe: PipeId, bytes: usize, ending: Ending) {
        let mut state = self.state();
        if let Some(lost_bytes) = state.with_pipe(pipe, |p| p.cut(bytes, ending)) {
            state.record(Event::Ended { pipe, ending, lost_bytes });
        }
    }

    /// Delivers nothing on a pipe any more, its end included.
    pub fn mute(&self, pipe: PipeId) {
        let mut state = self.state();
        let bytes = state.with_pipe(pipe, |p| {
            p.mute();
            p.deliverable_bytes()
        });
        if bytes > 0 {
            state.record(Event::Withheld { pipe, bytes });
        }
    }

    /// The numbers of all pipes, by id.
    pub fn pipes(&self) -> Vec<PipeView> {
        self.state().pipes.iter().map(Pipe::view).collect()
    }

    /// A pipe's numbers.
    pub fn pipe(&self, pipe: PipeId) -> PipeView {
        self.state().pipes[pipe.index()].view()
    }

    // ---- starts

    pub(crate) fn hold_start(&self, cell: ActorId) {
        let mut state = self.state();
        if state.held {
            state.unborn.insert(cell.0);
        }
    }

    pub(crate) fn poll_started(&self, cell: ActorId, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if !state.unborn.contains(cell.0) {
            return Poll::Ready(());
        }
        state.starts.insert(cell, cx.waker().clone());
        Poll::Pending
    }

    /// Tells a cell something before it starts; later it has no effect.
    pub fn order(&self, cell: ActorId, orders: Orders) {
        self.state().orders.insert(cell, orders);
    }

    /// What a cell was told before it started.
    pub fn orders(&self, cell: ActorId) -> Orders {
        self.state().orders.get(&cell).copied().unwrap_or_default()
    }

    /// Lets the next `runBytes` fail.
    pub fn fail_spawn(&self) {
        self.state().spawning.fails += 1;
    }

    /// Lets the next `runBytes` take `by_ns` nanoseconds longer.
    pub fn slow_spawn(&self, by_ns: u64) {
        self.state().spawning.slow_ns = Some(by_ns);
    }

    pub(crate) fn take_slow_spawn(&self, parent: ActorId) -> Option<u64> {
        let mut state = self.state();
        let by_ns = state.spawning.slow_ns.take()?;
        state.record(Event::SpawnSlowed { parent, by_ns });
        Some(by_ns)
    }

    pub(crate) fn take_failed_spawn(&self, parent: ActorId) -> bool {
        let mut state = self.state();
        if state.spawning.fails == 0 {
            return false;
        }
        state.spawning.fails -= 1;
        state.record(Event::SpawnFailed { parent });
        true
    }

    /// Whether a cell waits for its start.
    pub fn is_unborn(&self, cell: ActorId) -> bool {
        self.state().unborn.contains(cell.0)
    }

    /// Lets a new cell run.
    pub fn start(&self, cell: ActorId) {
        let mut state = self.state();
        state.unborn.remove(cell.0);
        if let Some(waker) = state.starts.remove(&cell) {
            waker.wake();
        }
    }

    // ---- gates

    pub(crate) fn new_gate(&self, link: LinkId, (interface, method): (u64, u16), params: u64) -> GateId {
        let mut state = self.state();
        let gate = GateId(state.gates.len() as u32);
        let open = !state.held;
        state.gates.push(Gate { open, ..Gate::default() });
        state.calls.insert(gate.0);
        state.record(Event::Called { gate, interface, method, link, params });
        gate
    }

    /// A call that the host makes and that can be cancelled.
    pub(crate) fn new_asked(&self, interface: u64, method: u16) -> GateId {
        let mut state = self.state();
        let call = GateId(state.gates.len() as u32);
        state.gates.push(Gate { open: true, ..Gate::default() });
        state.calls.insert(call.0);
        state.record(Event::Asked { gate: call, interface, method });
        call
    }

    pub(crate) fn poll_answered(&self, gate: GateId, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        let slot = &mut state.gates[gate.index()];
        if slot.open {
            return Poll::Ready(());
        }
        let first = slot.waker.is_none();
        slot.waker = Some(cx.waker().clone());
        if first {
            state.answerable.insert(gate.0);
            state.record(Event::Done { gate });
        }
        Poll::Pending
    }

    pub(crate) fn poll_cut(&self, gate: GateId, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        let slot = &mut state.gates[gate.index()];
        if slot.cut {
            return Poll::Ready(());
        }
        slot.cut_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn cancel_answer(&self, gate: GateId) {
        let mut state = self.state();
        state.forget_call(gate);
        state.record(Event::Cancelled { gate });
    }

    pub(crate) fn answered(&self, gate: GateId) {
        self.state().forget_call(gate);
    }

    /// Calls that came in and whose answer has not gone out: ids of [`GateId`].
    pub fn calls(&self) -> Vec<u32> {
        self.state().calls.iter().collect()
    }

    /// Cancels a call: its server's work is dropped where it stands, and its caller gets an exception.
    pub fn cut_call(&self, gate: GateId) {
        let mut state = self.state();
        let slot = &mut state.gates[gate.index()];
        slot.cut = true;
        let waker = slot.cut_waker.take();
        state.record(Event::CallCut { gate });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Lets a finished call's answer wait until a time, in nanoseconds since the start.
    pub fn delay_answer(&self, gate: GateId, until_ns: u64) {
        let mut state = self.state();
        if state.answerable.remove(gate.0) {
            state.late.insert((until_ns, gate.0));
        }
    }

    /// Lets a finished call's answer go out.
    pub fn answer(&self, gate: GateId) {
        let mut state = self.state();
        state.forget_call(gate);
        let slot = &mut state.gates[gate.index()];
        slot.open = true;
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    }

    // ---- clock

    /// Virtual time in nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        self.state().now_ns
    }

    pub(crate) fn new_timer(&self) -> u32 {
        let mut state = self.state();
        state.timer_ids += 1;
        state.timer_ids - 1
    }

    pub(crate) fn poll_timer(&self, deadline_ns: u64, timer: u32, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.now_ns >= deadline_ns {
            return Poll::Ready(());
        }
        state.timers.insert((deadline_ns, timer), Some(cx.waker().clone()));
        Poll::Pending
    }

    pub(crate) fn drop_timer(&self, deadline_ns: u64, timer: u32) {
        self.state().timers.remove(&(deadline_ns, timer));
    }

    /// The earliest time that somebody waits for, in nanoseconds since the start.
    pub fn next_timer_ns(&self) -> Option<u64> {
        let state = self.state();
        let timer = state.timers.keys().next().map(|(deadline, _)| *deadline);
        let late = state.late.first().map(|(until, _)| *until);
        timer.into_iter().chain(late).min()
    }

    /// The times that somebody waits for, the next first.
    pub fn timers_ns(&self) -> Vec<u64> {
        self.state().timers.keys().map(|(deadline, _)| *deadline).collect()
    }

    /// The times until which answers are held, each with its gate.
    pub fn late_answers(&self) -> Vec<(u64, GateId)> {
        self.state().late.iter().map(|&(until, gate)| (until, GateId(gate))).collect()
    }

    /// What would wake a task, by its waker: what it waits for itself, not what a part of it with a waker of its
    /// own does.
    pub fn waited_for_by(&self, waker: &Waker) -> Vec<Blocked> {
        let state = self.state();
        let mut on = Vec::new();
        for (id, pipe) in (0..).zip(&state.pipes) {
            let (reads, writes) = pipe.is_waited_for_by(waker);
            on.extend(reads.then_some(Blocked::Reading(PipeId(id))));
            on.extend(writes.then_some(Blocked::Writing(PipeId(id))));
        }
        let is_its = |held: &Option<Waker>| held.as_ref().is_some_and(|held| held.will_wake(waker));
        on.extend(
            state.timers.iter().filter(|(_, held)| is_its(held)).map(|((at, _), _)| Blocked::Until(*at)),
        );
        on
    }

    /// Moves the clock to `to_ns`, never back, and wakes whoever waited for a time up to then.
    pub fn advance(&self, to_ns: u64) {
        let mut state = self.state();
        state.now_ns = state.now_ns.max(to_ns);
        let now = state.now_ns;
        while let Some(entry) = state.timers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            if let Some(waker) = entry.remove() {
                waker.wake();
            }
        }
        while let Some(&(until, gate)) = state.late.first().filter(|(until, _)| *until <= now) {
            state.late.remove(&(until, gate));
            state.answerable.insert(gate);
        }
    }

    // ---- who waits on what

    pub(crate) fn block(&self, cell: ActorId, import: &'static str, on: Vec<Blocked>) {
        self.state().blocked.insert(cell, (import, on));
    }

    pub(crate) fn unblock(&self, cell: ActorId) {
        self.state().blocked.remove(&cell);
    }

    /// Counts a call by which a cell asked for news and got none; `productive` ones start the count anew.
    pub(crate) fn count_call(&self, cell: ActorId, productive: bool) {
        let mut state = self.state();
        let habits = state.habits.entry(cell).or_default();
        habits.calls += 1;
        habits.idle_calls = if productive { 0 } else { habits.idle_calls + 1 };
    }

    /// Notes why a cell's `poll` ended, and whether a timer was in its list at all.
    pub(crate) fn woke(&self, cell: ActorId, by_time: bool, had_timer: bool) {
        let mut state = self.state();
        let habits = state.habits.entry(cell).or_default();
        (habits.woken_by_time, habits.turn_counted) = (by_time, false);
        if !had_timer {
            habits.timed_writes = 0;
        }
    }

    /// Notes that a cell wrote to its link.
    pub(crate) fn wrote_to_link(&self, cell: ActorId) {
        let mut state = self.state();
        let habits = state.habits.entry(cell).or_default();
        // All that it writes in one turn counts once, and not against itself.
        match (habits.woken_by_time, habits.turn_counted) {
            (true, false) => habits.timed_writes += 1,
            (true, true) => {}
            (false, _) => habits.timed_writes = 0,
        }
        habits.turn_counted = true;
    }

    /// How a cell asks for news, and what wakes it.
    pub fn habits(&self, cell: ActorId) -> Habits {
        self.state().habits.get(&cell).copied().unwrap_or_default()
    }

    /// The [`idle_calls`](Habits::idle_calls) of a cell.
    pub fn idle_calls(&self, cell: ActorId) -> u64 {
        self.habits(cell).idle_calls
    }

    /// What a cell waits for inside a blocking import; empty while it runs or waits to be polled.
    pub fn blocked(&self, cell: ActorId) -> Vec<Blocked> {
        self.state().blocked.get(&cell).map(|(_, on)| on.clone()).unwrap_or_default()
    }

    /// Whether a cell waits for a pipe inside another import than `poll`.
    pub fn somebody_blocks_outside_poll(&self) -> bool {
        let state = self.state();
        state
            .blocked
            .values()
            .any(|(import, on)| *import != "poll" && on.iter().any(|on| on.pipe().is_some()))
    }

    /// The blocking import that a cell is inside, by its name in WIT.
    pub fn blocked_in(&self, cell: ActorId) -> Option<&'static str> {
        self.state().blocked.get(&cell).map(|(import, _)| *import)
    }
}

impl State {
    fn record(&mut self, event: Event) {
        if self.recording {
            self.events.push(event);
        }
    }

    fn forget_call(&mut self, gate: GateId) {
        self.calls.remove(gate.0);
        self.answerable.remove(gate.0);
        self.late.retain(|(_, late)| *late != gate.0);
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
