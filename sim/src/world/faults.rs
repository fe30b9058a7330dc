//! Fault injection: the faults that could be injected at a moment, their moves, and the count
//! of those that took effect. They are weather or damage.
//!
//! **Faults are not on the menu.** If each fault were an item at each step, every step would be a choice, and choice
//! sequences would be as long as runs. Instead, one choice says after how many moves the next fault comes. Another then
//! picks it from the faults that are possible at that moment; item 0 is no fault. The engine must know some faults
//! beforehand: small fuel slices, a trap at some fuel, refused memory. These are drawn when a cell is started.
//!
//! **When a fault counts.** A fault counts from the moment at which it can have an effect. For most, that is their
//! move: a mute pipe also withholds its end, so it counts although no byte was in it. Three are orders that may come to
//! nothing. They count when the tank reports that they took effect: a pipe that is to end after more bytes, a cell that
//! is to be trapped at some fuel or to be refused memory, and a `runBytes` that is to fail or to take longer.
//!
//! **How a damaged world comes to rest.** A pipe that is mute, or broken at one of its ends only, stays so for a drawn
//! virtual time, two minutes at most. Then its link breaks, as by a keep-alive's time-out. That time is an item of the
//! clock like any other timer. If a guest's timer is shorter than a millisecond, it could take millions of steps to get
//! there. So after 1,000 moves of the clock all such pipes are given up, whatever time it is.

use super::World;
use crate::moves::Move;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use wavetank::pipe::{Ending, HalfBreak};
use wavetank::{ActorId, End, Event, Freedoms, Orders, PipeId};
use wavetank_choice::choice::Meaning;
use wavetank_choice::chooser::Chooser;
use wavetank_choice::menu::{Item, PossibleFaults};
use wavetank_choice::moves::Kind;
use wavetank_choice::profile::Level;

/// A fault that was injected into a world, as sweeps count it: only if its target had begun, and only if the fault took
/// effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Fewer bytes were delivered than were there.
    ShortDelivery,
    /// Less budget was granted than there was room for.
    SmallGrant,
    /// A writer was woken and granted nothing.
    EmptyGrant,
    /// Budget was taken back.
    Shrink,
    /// A reader was woken for nothing.
    Spur,
    /// An answer was put off to a later time.
    SlowAnswer,
    /// A `runBytes` took longer.
    SlowSpawn,
    /// A cell burned small fuel slices.
    SmallSlice,
    /// A cell's host took a freedom that the text of WASI leaves it.
    FreeHost,
    /// A pipe was ended.
    Close,
    /// A pipe was broken.
    Reset,
    /// A link was broken.
    Cut,
    /// A pipe withheld the bytes written to it, and its end.
    Mute,
    /// A pipe was ended at one of its ends only.
    Half,
    /// The clock jumped.
    Jump,
    /// A call was cancelled.
    Cancel,
    /// A `runBytes` failed.
    FailedSpawn,
    /// A cell was trapped.
    Trap,
    /// A cell was refused memory.
    Refuse,
}

impl Fault {
    /// All faults: weather first, then damage.
    pub const ALL: [Fault; 19] = [
        Fault::ShortDelivery,
        Fault::SmallGrant,
        Fault::EmptyGrant,
        Fault::Shrink,
        Fault::Spur,
        Fault::SlowAnswer,
        Fault::SlowSpawn,
        Fault::SmallSlice,
        Fault::FreeHost,
        Fault::Close,
        Fault::Reset,
        Fault::Cut,
        Fault::Mute,
        Fault::Half,
        Fault::Jump,
        Fault::Cancel,
        Fault::FailedSpawn,
        Fault::Trap,
        Fault::Refuse,
    ];

    /// Whether a correct result may change by it.
    pub fn is_damage(self) -> bool {
        self >= Fault::Close
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Fault::ShortDelivery => "short delivery",
            Fault::SmallGrant => "small grant",
            Fault::EmptyGrant => "empty grant",
            Fault::Shrink => "shrunk budget",
            Fault::Spur => "spurious wake-up",
            Fault::SlowAnswer => "slow answer",
            Fault::SlowSpawn => "slow runBytes",
            Fault::SmallSlice => "small fuel slice",
            Fault::FreeHost => "unusual host",
            Fault::Close => "closed pipe",
            Fault::Reset => "reset pipe",
            Fault::Cut => "cut link",
            Fault::Mute => "mute peer",
            Fault::Half => "half-broken pipe",
            Fault::Jump => "clock jump",
            Fault::Cancel => "cancelled call",
            Fault::FailedSpawn => "failed runBytes",
            Fault::Trap => "trapped cell",
            Fault::Refuse => "refused memory",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How rough a world is, and the faults that took effect in it.
#[derive(Debug, Default)]
pub(crate) struct Weather {
    level: Level,
    /// Moves until the next fault.
    next_fault: Option<u32>,
    /// Pipes that are mute or half broken, each with the time at which it is given up.
    silent: BTreeMap<PipeId, u64>,
    /// Moves of the clock after which all of them are given up.
    patience: u32,
    refused: BTreeSet<ActorId>,
    faults: BTreeMap<Fault, u32>,
}

impl Weather {
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// The faults that took effect, and how often.
    pub(crate) fn faults(&self) -> &BTreeMap<Fault, u32> {
        &self.faults
    }

    /// Whether anything was broken.
    pub(crate) fn is_damaged(&self) -> bool {
        self.faults.keys().any(|fault| fault.is_damage())
    }

    pub(super) fn count(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// Counts the effect of an order, once the tank reports it.
    pub(super) fn see(&mut self, event: &Event) {
        match event {
            Event::Ended { ending: Ending::Close, .. } => self.count(Fault::Close),
            Event::Ended { ending: Ending::Reset, .. } => self.count(Fault::Reset),
            Event::TrappedByOrder { .. } => self.count(Fault::Trap),
            Event::MemoryRefused { cell } if self.refused.insert(*cell) => self.count(Fault::Refuse),
            Event::SpawnFailed { .. } => self.count(Fault::FailedSpawn),
            Event::SpawnSlowed { .. } => self.count(Fault::SlowSpawn),
            Event::CallCut { .. } => self.count(Fault::Cancel),
            _ => {}
        }
    }

    fn silence(&mut self, pipe: PipeId, until_ns: u64, fault: Fault) {
        self.silent.insert(pipe, until_ns);
        self.patience = PATIENCE;
        self.count(fault);
    }

    /// Notes that the clock was moved because nothing else was done.
    pub(super) fn time_passed(&mut self) {
        self.patience = self.patience.saturating_sub(1);
    }

    /// The time at which the next silent pipe is given up.
    pub(super) fn next_give_up_ns(&self) -> Option<u64> {
        self.silent.values().copied().min()
    }

    /// The move that gives up a pipe whose time has come. It is made before anything else.
    pub(super) fn give_up(&self, now_ns: u64) -> Option<Move> {
        let is_due = |until_ns: u64| until_ns <= now_ns || self.patience == 0;
        let due = self.silent.iter().find(|(_, until_ns)| is_due(**until_ns));
        due.map(|(pipe, _)| Move::GiveUp(pipe.0))
    }

    /// Whether somebody may wait for a peer that will be given up.
    pub(super) fn has_silent_pipes(&self) -> bool {
        !self.silent.is_empty()
    }
}

/// Bound of the drawn number of moves until the next fault.
const MAX_GAP: u32 = 4096;

/// Bytes until a pipe ends, at most.
const MAX_BYTES: u32 = 64 * 1024;

/// Spans of time that can be drawn, four to an octave: from 0.26 ms to 17 hours.
const SPANS: u32 = 112;

/// The first of these spans, up to two minutes: how long a silent pipe may last before it is given up.
const KEEP_ALIVE_SPANS: u32 = 76;

/// Moves of the clock after which silent pipes are given up, whatever time it is.
const PATIENCE: u32 = 1000;

/// The ways in which a pipe can be half broken, dullest first.
const HALVES: [HalfBreak; 4] = [
    HalfBreak { end: End::Writer, ending: Ending::Reset },
    HalfBreak { end: End::Reader, ending: Ending::Reset },
    HalfBreak { end: End::Writer, ending: Ending::Close },
    HalfBreak { end: End::Reader, ending: Ending::Close },
];

/// The first of these spans, up to two seconds: how long an operation of fake I/O may take.
pub(super) const LATENCIES: u32 = 52;

pub(super) fn span_ns(value: u32) -> u64 {
    u64::from(4 + value % 4) << (16 + value / 4)
}

/// Points at which a cell can be trapped, four to an octave: from 256 to 2.3 × 10^8 units of fuel.
const TRAPS: u32 = 80;

pub(crate) fn trap_fuel(value: u32) -> u64 {
    u64::from(4 + value % 4) << (6 + value / 4)
}

/// Bound of the number of memory growths after which a cell is refused more.
const GROWTHS: u32 = 32;

/// Small fuel slices, dullest first.
pub(crate) const SLICES: [u64; 3] = [100_000, 10_000, 2_000];

impl World {
    /// Draws how rough this world is.
    pub(super) fn draw_weather(&mut self, chooser: &mut Chooser) {
        let drawn = Level::of(chooser.draw(Meaning::Level, Level::COUNT));
        let invited = self.invites_damage.get() && drawn == Level::Weather;
        self.weather.level = if invited { Level::Damage } else { drawn };
        self.draw_gap(chooser);
    }

    fn draw_gap(&mut self, chooser: &mut Chooser) {
        let gap = if self.weather.level == Level::Still { 0 } else { chooser.draw(Meaning::Gap, MAX_GAP) };
        self.weather.next_fault = gap.checked_sub(1);
    }

    /// Draws the orders for a cell that is about to start: its fuel slice, its host's freedoms and its faults.
    pub(super) fn draw_orders(&mut self, cell: ActorId, chooser: &mut Chooser) {
        let mut orders = Orders::default();
        let slice = chooser.draw(Meaning::Slice(cell.0), 1 + SLICES.len() as u32);
        if slice > 0 {
            let usual = self.tank.cell(cell).map_or(u64::MAX, |cell| cell.limits().fuel_slice);
            orders.fuel_slice = Some(SLICES[slice as usize - 1].min(usual));
            self.weather.count(Fault::SmallSlice);
        }
        let host = chooser.draw(Meaning::Host(cell.0), Freedoms::SETS);
        if host > 0 {
            orders.freedoms = Freedoms::of(host);
            self.weather.count(Fault::FreeHost);
        }
        if self.weather.level >= Level::Damage {
            let trap = chooser.draw(Meaning::Trap(cell.0), 1 + TRAPS);
            orders.trap_at_fuel = trap.checked_sub(1).map(trap_fuel);
            let refused = chooser.draw(Meaning::Refuse(cell.0), 1 + GROWTHS);
            orders.memory_growths = refused.checked_sub(1);
        }
        if orders != Orders::default() {
            self.shared.order(cell, orders);
        }
    }

    /// The fault to inject now, if there is one.
    pub(super) fn next_fault(&mut self, chooser: &mut Chooser) -> Option<Move> {
        match &mut self.weather.next_fault {
            None => return None,
            Some(0) => {}
            Some(left) => {
                *left -= 1;
                return None;
            }
        }
        let faults = self.faults();
        if faults.is_empty() {
            return None;
        }
        let fault = chooser.fault(&faults).map(|item| self.fault(item, chooser));
        self.draw_gap(chooser);
        fault
    }

    /// The faults that could be injected now.
    fn faults(&self) -> PossibleFaults {
        let shared = &self.shared;
        let cells = self.tank.cells();
        let begun = |cell: &&wavetank::cell::Cell| cell.exit().is_none() && !shared.is_unborn(cell.id());
        let begun: Vec<_> = cells.iter().filter(begun).collect();
        let joined = self.joined.borrow();
        let mut pipes: Vec<PipeId> = begun.iter().flat_map(|cell| cell.pipes().iter().copied()).collect();
        pipes.extend(joined.iter().flatten());
        let those = |wanted: &dyn Fn(PipeId) -> bool| -> Vec<u32> {
            pipes.iter().filter(|&&pipe| wanted(pipe)).map(|pipe| pipe.0).collect()
        };
        let one_if = |holds: bool| if holds { vec![0] } else { Vec::new() };
        let mut faults = vec![
            (Kind::Spur, those(&|pipe| shared.is_spurrable(pipe))),
            (Kind::Shrink, those(&|pipe| shared.shrinkable_bytes(pipe) > 0)),
            (Kind::Delay, shared.ready_sets(|ready_sets| ready_sets.answerable.iter().collect())),
            (Kind::Slow, one_if(!begun.is_empty())),
        ];
        if self.weather.level >= Level::Damage {
            let live = those(&|pipe| shared.is_live(pipe));
            let links = begun.iter().filter_map(|cell| cell.link());
            let links = links.filter(|link| shared.is_live(link.up()) || shared.is_live(link.down()));
            let mut links: Vec<u32> = links.map(|link| link.up().0).collect();
            links.extend(joined.iter().map(|[up, _]| up.0).filter(|&up| shared.is_live(PipeId(up))));
            faults.extend([
                (Kind::Close, live.clone()),
                (Kind::Reset, live.clone()),
                (Kind::Cut, links),
                (Kind::Mute, live.clone()),
                (Kind::Half, live),
                (Kind::Jump, one_if(!begun.is_empty() || !joined.is_empty())),
                (Kind::Cancel, shared.calls()),
                (Kind::Fail, one_if(!begun.is_empty())),
            ]);
        }
        PossibleFaults(faults)
    }

    /// The move of a fault, with its amount drawn.
    fn fault(&self, Item { kind, id }: Item, chooser: &mut Chooser) -> Move {
        match kind {
            Kind::Delay => Move::Delay(id, self.later_ns(SPANS, chooser)),
            Kind::Jump => Move::Jump(self.later_ns(SPANS, chooser)),
            Kind::Slow => Move::Slow(span_ns(chooser.draw(Meaning::Span, SPANS))),
            Kind::Shrink => {
                let bytes = self.shared.shrinkable_bytes(PipeId(id));
                let bound = u32::try_from(bytes).unwrap_or(u32::MAX);
                Move::Shrink(id, chooser.draw(Meaning::Bytes(id), bound) as usize)
            }
            Kind::Close => Move::Close(id, chooser.draw(Meaning::Bytes(id), 1 + MAX_BYTES) as usize),
            Kind::Reset => Move::Reset(id, chooser.draw(Meaning::Bytes(id), 1 + MAX_BYTES) as usize),
            Kind::Spur => Move::Spur(id),
            Kind::Cut => Move::Cut(id),
            Kind::Mute => Move::Mute(id, self.later_ns(KEEP_ALIVE_SPANS, chooser)),
            Kind::Half => {
                let half = HALVES[chooser.draw(Meaning::Half(id), HALVES.len() as u32) as usize];
                Move::Half(id, half, self.later_ns(KEEP_ALIVE_SPANS, chooser))
            }
            Kind::Cancel => Move::Cancel(id),
            Kind::Fail => Move::Fail,
            lawful => unreachable!("{lawful} is no fault"),
        }
    }

    /// A time in the future, at the end of one of this many spans.
    fn later_ns(&self, spans: u32, chooser: &mut Chooser) -> u64 {
        self.shared.now_ns().saturating_add(span_ns(chooser.draw(Meaning::Span, spans)))
    }

    /// Makes the move of a fault.
    pub(super) fn apply_fault(&mut self, moved: Move) {
        let shared = self.shared.clone();
        match moved {
            Move::Spur(pipe) => {
                shared.spur(PipeId(pipe));
                self.weather.count(Fault::Spur);
            }
            Move::Shrink(pipe, bytes) => {
                shared.shrink(PipeId(pipe), bytes);
                self.weather.count(Fault::Shrink);
            }
            Move::Delay(gate, until_ns) => {
                shared.delay_answer(wavetank::GateId(gate), until_ns);
                self.weather.count(Fault::SlowAnswer);
            }
            Move::Slow(by_ns) => shared.slow_spawn(by_ns),
            Move::Close(pipe, bytes) => shared.end_after(PipeId(pipe), bytes, Ending::Close),
            Move::Reset(pipe, bytes) => shared.end_after(PipeId(pipe), bytes, Ending::Reset),
            Move::Cut(up) => {
                self.break_link_of(PipeId(up));
                self.weather.count(Fault::Cut);
            }
            Move::Mute(pipe, until_ns) => {
                shared.mute(PipeId(pipe));
                self.weather.silence(PipeId(pipe), until_ns, Fault::Mute);
            }
            Move::Half(pipe, half, until_ns) => {
                shared.half_break(PipeId(pipe), half);
                self.weather.silence(PipeId(pipe), until_ns, Fault::Half);
            }
            Move::GiveUp(pipe) => {
                self.weather.silent.remove(&PipeId(pipe));
                self.break_link_of(PipeId(pipe));
            }
            Move::Jump(to_ns) => {
                shared.advance(to_ns);
                self.weather.count(Fault::Jump);
            }
            Move::Cancel(call) => shared.cut_call(wavetank::GateId(call)),
            Move::Fail => shared.fail_spawn(),
            lawful => unreachable!("{lawful:?} is no fault"),
        }
    }

    /// Breaks a pipe. If it is one of a link, the other pipe of the link breaks too.
    fn break_link_of(&self, pipe: PipeId) {
        let links = self.tank.cells().into_iter().filter_map(|cell| cell.link());
        let joined = self.joined.borrow();
        let pairs = links.map(|link| [link.up(), link.down()]).chain(joined.iter().copied());
        let pair = pairs.into_iter().find(|pair| pair.contains(&pipe)).map_or_else(|| vec![pipe], Vec::from);
        for pipe in pair {
            self.shared.reset(pipe);
        }
    }
}
