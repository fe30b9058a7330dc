//! The transcript: a run, written down.
//!
//! It holds no address, no hash key and no wall time, so two runs of one seed have the same transcript.

use crate::moves::Move;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use twox_hash::{XxHash3_64, XxHash3_128};
use wavetank::pipe::Ending;
use wavetank::{ActorId, DrawRange, End, Event, GateId, LinkId, PipeId, escape_control};
use wavetank_trace::Decoder;
use wavetank_trace::Redactions;
use wavetank_trace::frames::{Direction, Frame};
use wavetank_trace::schema::Schema;

/// All moves of a run, and the events that each of them caused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The moves, in order. Events from before the first move come before its events.
    pub steps: Vec<Step>,
    /// The events, in order.
    pub events: Vec<Event>,
}

/// One move and its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The move.
    pub moved: Move,
    /// The events that it caused: indexes into [`Transcript::events`].
    pub caused: Range<usize>,
}

/// One link's frames.
#[derive(Clone, Debug)]
pub struct LinkFrames {
    /// The link.
    pub link: LinkId,
    /// The cell at its far end.
    pub cell: Arc<str>,
    /// The vat at its near end.
    pub host: Arc<str>,
    /// Its frames, in the order in which their last bytes were written.
    pub frames: Vec<Frame>,
    /// Bytes from the cell that belong to no complete frame yet.
    pub pending_up_bytes: usize,
}

/// One link's frames with the steps at which they were written.
#[derive(Clone, Debug)]
pub(crate) struct LinkTrace {
    /// The cell at its far end. Between two vats, it is the first of them.
    pub(crate) cell: Arc<str>,
    /// Whether a cell is at its far end.
    pub(crate) is_of_cell: bool,
    /// The pipe from the cell to its host.
    pub(crate) up: PipeId,
    /// The pipe from the host to the cell.
    pub(crate) down: PipeId,
    /// The frames, in the order in which their last bytes were written. Each comes with the number of that step; 0 is
    /// before the first.
    pub(crate) frames: Vec<(u64, Frame)>,
    /// Bytes from the cell that belong to no complete frame yet.
    pub(crate) pending_up_bytes: usize,
    /// Bytes to the cell that belong to no complete frame yet.
    pub(crate) pending_down_bytes: usize,
}

impl Transcript {
    /// The XXH3 hash (128 bits) of the whole transcript. It is equal for equal runs. It is XXH3 because every byte of a
    /// run is hashed for every seed. Guests, manifests and the checksums of tokens use SHA-256.
    pub fn digest(&self) -> [u8; 16] {
        let mut hash = Hash(XxHash3_128::new());
        let mut written = 0;
        for step in &self.steps {
            self.hash_events(&mut hash, written..step.caused.start);
            hash.line(format_args!("{:?}", step.moved));
            self.hash_events(&mut hash, step.caused.clone());
            written = step.caused.end;
        }
        self.hash_events(&mut hash, written..self.events.len());
        hash.0.finish_128().to_be_bytes()
    }

    fn hash_events(&self, hash: &mut Hash, range: Range<usize>) {
        for event in &self.events[range] {
            match event {
                Event::Wrote { pipe, bytes } => {
                    hash.line(format_args!("wrote {pipe} {}", bytes.len()));
                    hash.0.write(bytes);
                }
                // Without its near end, which older versions did not note: their digests stay valid.
                Event::LinkBorn { link, cell, near: _, up, down } => hash.line(format_args!(
                    "LinkBorn {{ link: {link:?}, cell: {cell:?}, up: {up:?}, down: {down:?} }}"
                )),
                other => hash.line(format_args!("{other:?}")),
            }
        }
    }

    /// The frames of each link, in order of the links' birth.
    pub fn frames(&self, schema: &Arc<Schema>) -> Vec<LinkFrames> {
        let names = Names::of(&self.events, schema);
        let mut links: Vec<LinkFrames> = Vec::new();
        let mut wires = LinkDecoders::of(&self.events);
        for event in &self.events {
            if let Event::LinkBorn { link, cell, near, .. } = event
                && !wires.none.contains(link)
            {
                links.push(LinkFrames {
                    link: *link,
                    cell: names.actor(*cell),
                    host: names.actor(*near),
                    frames: Vec::new(),
                    pending_up_bytes: 0,
                });
            }
            let (index, frames) = wires.take(event, schema, &names);
            if let Some(link) = links.get_mut(index) {
                link.frames.extend(frames);
            }
        }
        for (link, decoder) in links.iter_mut().zip(&wires.decoders) {
            link.pending_up_bytes = decoder.pending_bytes(Direction::Up);
        }
        links
    }

    /// The frames of each link with their steps, in order of the links' birth.
    pub(crate) fn links(&self, schema: &Arc<Schema>) -> Vec<LinkTrace> {
        let names = Names::of(&self.events, schema);
        let cells: BTreeSet<ActorId> = self
            .events
            .iter()
            .filter_map(|event| match event {
                Event::CellBorn { cell, .. } => Some(*cell),
                _ => None,
            })
            .collect();
        let mut links: Vec<LinkTrace> = Vec::new();
        let mut wires = LinkDecoders::of(&self.events);
        let mut step = 0;
        for (at, event) in self.events.iter().enumerate() {
            while self.steps.get(step).is_some_and(|next| next.caused.start <= at) {
                step += 1;
            }
            if let Event::LinkBorn { link, cell, up, down, .. } = event
                && !wires.none.contains(link)
            {
                links.push(LinkTrace {
                    cell: names.actor(*cell),
                    is_of_cell: cells.contains(cell),
                    up: *up,
                    down: *down,
                    frames: Vec::new(),
                    pending_up_bytes: 0,
                    pending_down_bytes: 0,
                });
            }
            let (index, frames) = wires.take(event, schema, &names);
            if let Some(link) = links.get_mut(index) {
                link.frames.extend(frames.into_iter().map(|frame| (step as u64, frame)));
            }
        }
        for (link, decoder) in links.iter_mut().zip(&wires.decoders) {
            link.pending_up_bytes = decoder.pending_bytes(Direction::Up);
            link.pending_down_bytes = decoder.pending_bytes(Direction::Down);
        }
        links
    }

    /// One event in words, followed by the frames that it completes or, if there are none, by a digest of its bytes.
    pub(crate) fn event_text(&self, index: usize, schema: &Arc<Schema>) -> String {
        let names = Names::of(&self.events, schema);
        let mut wires = LinkDecoders::of(&self.events);
        let mut frames = Vec::new();
        for event in &self.events[..=index] {
            frames = wires.take(event, schema, &names).1;
        }
        let mut text = names.event(&self.events[index]);
        match &self.events[index] {
            Event::Wrote { bytes, .. } if frames.is_empty() => {
                let _ = write!(text, ", digest {:016x}", XxHash3_64::oneshot(bytes));
            }
            _ => {}
        }
        for frame in frames {
            let _ = write!(text, "; {frame}");
        }
        text
    }

    /// Every move and its events, one per line. Below the bytes of a link stand the frames that they complete.
    pub fn steps_text(&self, schema: &Arc<Schema>) -> String {
        self.redacted_steps_text(schema, &Redactions::default())
    }

    /// The same without the values that these paths lead to.
    pub fn redacted_steps_text(&self, schema: &Arc<Schema>, redactions: &Redactions) -> String {
        let names = Names::of(&self.events, schema);
        let mut text = String::new();
        let mut wires = LinkDecoders::of(&self.events);
        let mut lines = |heading: &str, events: &[Event]| {
            let _ = writeln!(text, "{heading}");
            for event in events {
                let _ = writeln!(text, "        {}", names.event(event));
                for frame in wires.take(event, schema, &names).1 {
                    let _ = writeln!(text, "          {}", redactions.frame(&frame));
                }
            }
        };
        let first = self.steps.first().map_or(self.events.len(), |step| step.caused.start);
        lines("    0  set up", &self.events[..first]);
        for (number, step) in (1..).zip(&self.steps) {
            let heading = format!("{number:>5}  {}", names.moved(step.moved));
            lines(&heading, &self.events[step.caused.clone()]);
        }
        text
    }
}

/// The decoders of the links, which take events as they come.
#[derive(Default)]
struct LinkDecoders {
    decoders: Vec<Decoder>,
    by_pipe: BTreeMap<PipeId, (usize, Direction)>,
    /// Links over pipes that turned out to be the cell's own.
    none: BTreeSet<LinkId>,
}

impl LinkDecoders {
    fn of(events: &[Event]) -> Self {
        let none = events.iter().filter_map(|event| match event {
            Event::StdioOwned { link, .. } => Some(*link),
            _ => None,
        });
        LinkDecoders { none: none.collect(), ..LinkDecoders::default() }
    }

    /// The frames that an event completes, with the place of their link in the order of birth.
    fn take(&mut self, event: &Event, schema: &Arc<Schema>, names: &Names) -> (usize, Vec<Frame>) {
        let of = |pipe: &PipeId| self.by_pipe.get(pipe).copied();
        match event {
            Event::LinkBorn { link, cell, near, up, down } if !self.none.contains(link) => {
                let index = self.decoders.len();
                self.by_pipe.insert(*up, (index, Direction::Up));
                self.by_pipe.insert(*down, (index, Direction::Down));
                let (cell, host) = (names.actor(*cell), names.actor(*near));
                self.decoders.push(Decoder::between(&cell, &host, schema.clone()));
                (index, Vec::new())
            }
            Event::Wrote { pipe, bytes } => of(pipe).map_or_else(Default::default, |(index, direction)| {
                (index, self.decoders[index].push(direction, bytes))
            }),
            Event::Closed { pipe, end: End::Writer, .. } => of(pipe)
                .map_or_else(Default::default, |(index, direction)| {
                    (index, vec![self.decoders[index].close(direction)])
                }),
            _ => Default::default(),
        }
    }
}

struct Hash(XxHash3_128);

impl Hash {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        let _ = self.write_fmt(line);
        self.0.write(b"\n");
    }
}

impl Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// Names of actors, pipes and calls, as the events and a schema give them.
#[derive(Debug, Default)]
pub struct Names {
    schema: Arc<Schema>,
    actors: BTreeMap<ActorId, Arc<str>>,
    pipes: BTreeMap<PipeId, Arc<str>>,
    calls: BTreeMap<GateId, String>,
    draws: BTreeMap<GateId, (Arc<str>, DrawRange)>,
}

impl Names {
    /// Collects all names from the events.
    pub fn of(events: &[Event], schema: &Arc<Schema>) -> Self {
        let mut names = Names::default();
        names.note(events, schema);
        names
    }

    /// Adds the names of further events.
    pub(crate) fn note(&mut self, events: &[Event], schema: &Arc<Schema>) {
        self.schema = schema.clone();
        for event in events {
            match event {
                Event::VatBorn { vat: id, name } | Event::CellBorn { cell: id, name, .. } => {
                    self.actors.insert(*id, name.clone());
                }
                Event::PipeBorn { pipe, name, .. } => {
                    self.pipes.insert(*pipe, name.clone());
                }
                Event::Called { gate, interface, method, .. } | Event::Asked { gate, interface, method } => {
                    self.calls.insert(*gate, schema.method_name(*interface, *method));
                }
                Event::IoBegun { operation, what } => {
                    self.calls.insert(*operation, what.to_string());
                }
                Event::DrawBegun { draw, what, range } => {
                    self.draws.insert(*draw, (what.clone(), range.clone()));
                }
                _ => {}
            }
        }
    }

    /// An actor's name.
    pub fn actor(&self, actor: ActorId) -> Arc<str> {
        self.actors.get(&actor).cloned().unwrap_or_else(|| actor.to_string().into())
    }

    /// A pipe's name.
    pub fn pipe(&self, pipe: PipeId) -> Arc<str> {
        self.pipes.get(&pipe).cloned().unwrap_or_else(|| pipe.to_string().into())
    }

    /// A served call, by its gate and its method.
    pub(crate) fn call(&self, gate: GateId) -> String {
        self.calls.get(&gate).map_or_else(|| gate.to_string(), |method| format!("{gate} {method}"))
    }

    /// A draw, by its name.
    pub(crate) fn draw(&self, draw: GateId) -> String {
        let name = self.draws.get(&draw).map(|(name, _)| escape_control(name));
        name.map_or_else(|| format!("the draw {draw}"), |name| format!("the draw `{name}`"))
    }

    /// A draw or an operation that somebody waits for, by its name.
    pub(crate) fn awaited(&self, id: GateId) -> String {
        if self.draws.contains_key(&id) { self.draw(id) } else { self.call(id) }
    }

    /// A value of a draw, in words.
    pub(crate) fn drawn(&self, draw: GateId, value: u32) -> String {
        let range = self.draws.get(&draw).map(|(_, range)| range);
        let words = range.map_or_else(|| value.to_string(), |range| range.words(value));
        escape_control(&words).to_string()
    }

    /// A move, in words.
    pub fn moved(&self, moved: Move) -> String {
        match moved {
            Move::Start(cell) => format!("start {}", self.actor(ActorId(cell))),
            Move::Poll(actor) => format!("poll {}", self.actor(ActorId(actor))),
            Move::Deliver(pipe, 0) => format!("deliver the end of {}", self.pipe(PipeId(pipe))),
            Move::Deliver(pipe, bytes) => format!("deliver {} of {}", count(bytes), self.pipe(PipeId(pipe))),
            Move::Grant(pipe, bytes) => format!("grant {} to {}", count(bytes), self.pipe(PipeId(pipe))),
            Move::Answer(gate) => format!("answer {}", self.call(GateId(gate))),
            Move::Resume(id) if self.draws.contains_key(&GateId(id)) => {
                format!("decide {}", self.draw(GateId(id)))
            }
            Move::Draw(id, value) => {
                format!("{}: {}", self.draw(GateId(id)), self.drawn(GateId(id), value))
            }
            Move::Resume(gate) => format!("resume {}", self.call(GateId(gate))),
            Move::Complete(id, 0) => format!("complete {}", self.call(GateId(id))),
            Move::Complete(id, in_ns) => format!("complete {} in {in_ns} ns", self.call(GateId(id))),
            Move::Refuse(id, 0) => format!("let {} fail", self.call(GateId(id))),
            Move::Refuse(id, in_ns) => format!("let {} fail in {in_ns} ns", self.call(GateId(id))),
            Move::Act(script, operation) => format!("act: operation {operation} of script {script}"),
            Move::Advance(to_ns) => format!("advance the clock to {to_ns} ns"),
            Move::HangUp(cell) => {
                format!("end the stdin of {}: its host has nothing to ask", self.actor(ActorId(cell)))
            }
            Move::PollAt(actor, place) => {
                format!("poll {}, the task at place {place}", self.actor(ActorId(actor)))
            }
            Move::Spur(pipe) => format!("wake the reader of {} for nothing", self.pipe(PipeId(pipe))),
            Move::Shrink(pipe, bytes) => {
                format!("take budget back from {}, down to {}", self.pipe(PipeId(pipe)), count(bytes))
            }
            Move::Delay(gate, to_ns) => format!("hold {} until {to_ns} ns", self.call(GateId(gate))),
            Move::Slow(by_ns) => format!("let the next runBytes take {by_ns} ns"),
            Move::Close(pipe, bytes) => format!("end {}{}", self.pipe(PipeId(pipe)), after(bytes)),
            Move::Reset(pipe, bytes) => format!("break {}{}", self.pipe(PipeId(pipe)), after(bytes)),
            Move::Cut(pipe) => format!("cut the link of {}", self.pipe(PipeId(pipe))),
            Move::Mute(pipe, until_ns) => format!("mute {} until {until_ns} ns", self.pipe(PipeId(pipe))),
            Move::Half(pipe, half, until_ns) => {
                format!("end {} for its {} only, until {until_ns} ns", self.pipe(PipeId(pipe)), half.end)
            }
            Move::GiveUp(pipe) => format!("give up {}: it breaks, and its link", self.pipe(PipeId(pipe))),
            Move::Jump(to_ns) => format!("let the clock jump to {to_ns} ns"),
            Move::Cancel(gate) => format!("cancel {}", self.call(GateId(gate))),
            Move::Fail => "let the next runBytes fail".into(),
        }
    }

    /// An event, in words.
    pub fn event(&self, event: &Event) -> String {
        match event {
            Event::VatBorn { name, .. } => format!("born: vat {name}"),
            Event::CellBorn { parent: None, name, .. } => format!("born: cell {name}"),
            Event::CellBorn { parent: Some(parent), name, .. } => {
                format!("born: cell {name}, child of {}", self.actor(*parent))
            }
            Event::PipeBorn { name, .. } => format!("born: pipe {name}"),
            Event::LinkBorn { link, cell, .. } => format!("born: link {link} to {}", self.actor(*cell)),
            Event::StdioOwned { cell, link } => {
                format!("no link: {link}, stdin and stdout of {} are its own", self.actor(*cell))
            }
            Event::Wrote { pipe, bytes } => format!("wrote {} into {}", count(bytes.len()), self.pipe(*pipe)),
            Event::Read { pipe, bytes } => format!("read {} from {}", count(*bytes), self.pipe(*pipe)),
            Event::Closed { pipe, end, lost_bytes: 0 } => format!("closed: {end} of {}", self.pipe(*pipe)),
            Event::Closed { pipe, end, lost_bytes } => {
                format!("closed: {end} of {}, {} lost", self.pipe(*pipe), count(*lost_bytes))
            }
            Event::Reset { pipe, lost_bytes } => {
                format!("reset: {}, {} lost", self.pipe(*pipe), count(*lost_bytes))
            }
            Event::HandleBorn { cell, kind, handle } => {
                format!("born: {kind} {handle} of {}", self.actor(*cell))
            }
            Event::HandleDropped { cell, kind, handle } => {
                format!("dropped: {kind} {handle} of {}", self.actor(*cell))
            }
            Event::Called { gate, .. } => format!("called: {}", self.call(*gate)),
            Event::Asked { gate, .. } => format!("asked by the host: {}", self.call(*gate)),
            Event::Done { gate } => format!("done: {}, its answer waits", self.call(*gate)),
            Event::Streams { interface, method } => {
                format!("{} streams", self.schema.method_name(*interface, *method))
            }
            Event::IoBegun { operation, .. } => format!("begun: {}", self.call(*operation)),
            Event::IoEnded { operation, fails: false } => format!("completed: {}", self.call(*operation)),
            Event::IoEnded { operation, fails: true } => format!("failed: {}", self.call(*operation)),
            Event::IoDropped { operation } => format!("dropped: {}", self.call(*operation)),
            Event::DrawBegun { draw, .. } => format!("asked for: {}", self.draw(*draw)),
            Event::Drawn { draw, value } => format!("drawn: {}", self.drawn(*draw, *value)),
            Event::DrawDropped { draw } => format!("dropped: {}", self.draw(*draw)),
            Event::Cancelled { gate } => format!("cancelled: {}", self.call(*gate)),
            Event::CellEnded { cell, code, fuel } => {
                format!("ended: cell {} with code {code}, {fuel} fuel burned", self.actor(*cell))
            }
            Event::LinkEnded { link, error: None } => format!("ended: link {link}"),
            Event::LinkEnded { link, error: Some(error) } => {
                format!("ended: link {link}: {}", escape_control(error))
            }
            Event::Ended { pipe, ending, lost_bytes } => {
                let how = if *ending == Ending::Close { "ended" } else { "broken" };
                format!("{how}: {}, {} lost", self.pipe(*pipe), count(*lost_bytes))
            }
            Event::HalfBroken { pipe, half, lost_bytes } => {
                let how = if half.ending == Ending::Close { "ended" } else { "broken" };
                format!("{how} for its {} only: {}, {} lost", half.end, self.pipe(*pipe), count(*lost_bytes))
            }
            Event::Withheld { pipe, bytes } => format!("withheld: {} by {}", count(*bytes), self.pipe(*pipe)),
            Event::TrappedByOrder { cell } => format!("trapped by order: {}", self.actor(*cell)),
            Event::MemoryRefused { cell } => format!("refused more memory: {}", self.actor(*cell)),
            Event::SpawnFailed { parent } => format!("failed by order: runBytes of {}", self.actor(*parent)),
            Event::SpawnSlowed { parent, by_ns } => {
                format!("slowed by {by_ns} ns: runBytes of {}", self.actor(*parent))
            }
            Event::CallCut { gate } => format!("cancelled by order: {}", self.call(*gate)),
            other => format!("{other:?}"),
        }
    }
}

fn after(bytes: usize) -> String {
    if bytes == 0 { " at once".into() } else { format!(" after {} more", count(bytes)) }
}

pub(crate) fn count(bytes: usize) -> String {
    if bytes == 1 { "1 byte".into() } else { format!("{bytes} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_at_the_end_of_a_link_stays_on_its_line() {
        let ended = |error: &str| {
            Names::default().event(&Event::LinkEnded { link: LinkId(1), error: Some(error.into()) })
        };
        assert!(ended("gone\n::error::x \u{1b}[2J").ends_with(": gone\\n::error::x \\u{1b}[2J"));
        assert!(ended("it said \"no\"").ends_with(": it said \"no\""));
    }
}
