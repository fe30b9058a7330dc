//! Coverage that costs a world nothing: features of a run, hashed after the run from its transcript and from the state
//! of the world at its end.
//!
//! A feature is a number that stands for something that a run did. Two runs with the same features look alike to a
//! fuzzer. The choice of features follows greybox fuzzing of schedules (Wolff, Shi, Duck, Mathur, Roychoudhury,
//! "Greybox Fuzzing for Concurrency Testing", ASPLOS 2024), which uses pairs of a read and the write it reads from, and
//! AFL, which counts how often something happened by powers of two.

use crate::moves::Move;
use crate::run::Run;
use crate::signature::signature;
use std::collections::{BTreeMap, HashMap};
use wavetank::pipe::PipeView;
use wavetank::{Event, PipeId};
use wavetank_choice::moves::{Kind, Lane};
use wavetank_trace::frames::{Frame, Message, Outcome, Resolution};
use wavetank_trace::ledger::Ledger;

/// The features of a run, in ascending order.
pub fn features(run: &Run) -> Vec<u64> {
    let mut seen = Seen::default();
    seen.moves(run);
    seen.switches(run);
    seen.bytes(run);
    seen.frames(run);
    seen.end(run);
    seen.finish()
}

/// The kinds of features, each with a number of its own.
#[derive(Clone, Copy)]
enum Facts {
    Pair,
    GaveWay,
    WentOn,
    Caused,
    Read,
    Held,
    Frame,
    Open,
    Ended,
    Blocked,
    Tasks,
    Fuel,
    Failure,
    Length,
    Time,
    Kinds,
    Fault,
}

#[derive(Default)]
struct Seen {
    /// Features without a count.
    facts: Vec<u64>,
    /// Features with a count: roughly how often it happened is part of the feature.
    counted: Vec<u64>,
}

impl Seen {
    fn fact(&mut self, about: Facts, parts: &[u64]) {
        self.facts.push(hash(about, parts));
    }

    fn count(&mut self, about: Facts, parts: &[u64]) {
        self.counted.push(hash(about, parts));
    }

    /// Which kinds of moves on which lanes followed each other, and which events each caused.
    fn moves(&mut self, run: &Run) {
        let transcript = &run.transcript;
        let mut kinds = [0_u64; Kind::COUNT];
        let mut before = (u64::MAX, u64::MAX);
        for step in &transcript.steps {
            let kind = step.moved.kind();
            kinds[kind as usize] += 1;
            let now = (kind as u64, class(lane(step.moved)));
            self.count(Facts::Pair, &[before.0, before.1, now.0, now.1]);
            before = now;
            let mut last = 0;
            for event in &transcript.events[step.caused.clone()] {
                let what = sort(event);
                if what != last {
                    self.count(Facts::Caused, &[now.1, last, what]);
                    last = what;
                }
            }
        }
        for (kind, made) in kinds.into_iter().enumerate().filter(|(_, made)| *made > 0) {
            self.fact(Facts::Kinds, &[kind as u64, log2(made)]);
        }
        self.fact(Facts::Length, &[log2(transcript.steps.len() as u64)]);
        self.fact(Facts::Time, &[log2(run.virtual_ns)]);
    }

    /// After which of its moves a lane gave way to another lane, and at which of its moves the other went on. The two
    /// are separate features, and the numbers of moves go into coarse classes; otherwise every run would be new.
    fn switches(&mut self, run: &Run) {
        let mut made: BTreeMap<Lane, u64> = BTreeMap::new();
        let mut before: Option<(Lane, u64)> = None;
        for step in &run.transcript.steps {
            let now = lane(step.moved);
            let nth = made.entry(now).or_default();
            *nth += 1;
            if let Some((last, last_nth)) = before.filter(|(last, _)| *last != now) {
                self.fact(Facts::GaveWay, &[class(last), bucket(last_nth), class(now)]);
                self.fact(Facts::WentOn, &[class(last), class(now), bucket(*nth)]);
            }
            before = Some((now, *nth));
        }
    }

    /// For each read: the number of bytes, the number of writes they came from, and whether more bytes were there. Also
    /// how full pipes became.
    fn bytes(&mut self, run: &Run) {
        let mut pipes: BTreeMap<PipeId, Flow> = BTreeMap::new();
        for event in &run.transcript.events {
            match event {
                Event::Wrote { pipe, bytes } => {
                    let flow = pipes.entry(*pipe).or_default();
                    flow.writes.push_back(bytes.len());
                    flow.held += bytes.len();
                    flow.most = flow.most.max(flow.held);
                }
                Event::Read { pipe, bytes } => {
                    let flow = pipes.entry(*pipe).or_default();
                    let (of, leaves) = flow.read(*bytes);
                    let parts = [class_of(pipe.0), log2(*bytes as u64), of.min(3), u64::from(leaves)];
                    self.count(Facts::Read, &parts);
                }
                _ => {}
            }
        }
        for (pipe, flow) in pipes {
            self.fact(Facts::Held, &[class_of(pipe.0), log2(flow.most as u64)]);
        }
    }

    /// For each link direction: the kinds of frames, each with the state of the RPC tables before it.
    fn frames(&mut self, run: &Run) {
        for (place, link) in (0..).zip(&*run.frames()) {
            let place = class_of(place);
            let mut ledger = Ledger::default();
            for frame in &link.frames {
                let from = frame.direction;
                let (mine, theirs) = (ledger.counts(from), ledger.counts(from.reversed()));
                let (kind, state) = (kind_of(frame), state_of(&ledger, frame));
                let way = from as u64;
                self.fact(Facts::Frame, &[place, way, kind, state]);
                let open = [mine.0, mine.1, theirs.0, theirs.1].map(|count| log2(count as u64));
                self.fact(Facts::Open, &[way, kind, open[0] << 8 | open[1], open[2] << 8 | open[3]]);
                ledger.apply(frame);
            }
        }
    }

    /// The state of everything at the end, and the outcome.
    fn end(&mut self, run: &Run) {
        for (place, cell) in (0..).zip(&run.facts.cells) {
            let place = class_of(place);
            match &cell.exit {
                Some(exit) => {
                    self.fact(Facts::Ended, &[place, exit.code as u64]);
                    self.fact(Facts::Fuel, &[place, fourths(exit.fuel)]);
                }
                None => {
                    let import = cell.blocked_in.map_or(0, |import| text(&import.to_string()));
                    self.fact(Facts::Blocked, &[place, import, cell.blocked.len() as u64]);
                }
            }
        }
        let holding = |pipe: &&PipeView| pipe.staged_bytes + pipe.visible_bytes > 0;
        let held = run.facts.pipes.iter().filter(holding).count() as u64;
        self.fact(Facts::Tasks, &[log2(run.facts.tasks.len() as u64), log2(held)]);
        for (fault, count) in &run.faults {
            self.fact(Facts::Fault, &[*fault as u64, log2(u64::from(*count))]);
        }
        if let Some(failure) = signature(&run.outcome) {
            self.fact(Facts::Failure, &[text(&failure.to_string())]);
        }
    }

    fn finish(mut self) -> Vec<u64> {
        self.counted.sort_unstable();
        for same in self.counted.chunk_by(|a, b| a == b) {
            self.facts.push(mix(same[0], bucket(same.len() as u64)));
        }
        self.facts.sort_unstable();
        self.facts.dedup();
        self.facts
    }
}

/// Bytes on their way through a pipe.
#[derive(Default)]
struct Flow {
    writes: std::collections::VecDeque<usize>,
    held: usize,
    most: usize,
}

impl Flow {
    /// Takes bytes out; gives the number of writes they came from, and whether some bytes are left.
    fn read(&mut self, bytes: usize) -> (u64, bool) {
        self.held = self.held.saturating_sub(bytes);
        let (mut left, mut writes) = (bytes, 0);
        while left > 0
            && let Some(first) = self.writes.front_mut()
        {
            writes += 1;
            if *first > left {
                *first -= left;
                break;
            }
            left -= *first;
            self.writes.pop_front();
        }
        (writes, !self.writes.is_empty())
    }
}

fn lane(moved: Move) -> Lane {
    Lane::of(moved.kind(), moved.id())
}

/// The class of a lane. Lanes that were born late share a class, by powers of two.
fn class(lane: Lane) -> u64 {
    match lane {
        Lane::Actor(id) => 1 << 32 | class_of(id),
        Lane::Pipe(id) => 2 << 32 | class_of(id),
        Lane::Call(id) => 3 << 32 | class_of(id),
        Lane::Script(id) => 4 << 32 | class_of(id),
        Lane::Clock => 5 << 32,
    }
}

fn class_of(id: u32) -> u64 {
    if id < 32 { u64::from(id) } else { 32 + log2(u64::from(id)) }
}

/// Classes of a count or a place in the style of AFL: small numbers, powers of two, and many.
fn bucket(number: u64) -> u64 {
    match number {
        0..4 => number,
        4..8 => 4,
        8..16 => 5,
        16..32 => 6,
        32..128 => 7,
        _ => 8,
    }
}

/// The length of a number in bits.
fn log2(number: u64) -> u64 {
    u64::from(u64::BITS - number.leading_zeros())
}

/// The length of a number with two more bits, which split each power of two into quarters.
fn fourths(number: u64) -> u64 {
    let bits = log2(number);
    if bits < 3 { number } else { 4 * bits + (number >> (bits - 3) & 3) }
}

/// The kind of an event, for the events that tell runs apart.
fn sort(event: &Event) -> u64 {
    match event {
        Event::CellBorn { .. } => 1,
        Event::LinkBorn { .. } => 2,
        Event::Wrote { .. } => 3,
        Event::Read { .. } => 4,
        Event::Closed { lost_bytes, .. } => 5 + u64::from(*lost_bytes > 0),
        Event::Reset { .. } => 7,
        Event::Ended { .. } => 8,
        Event::Withheld { .. } => 9,
        Event::HalfBroken { .. } => 18,
        Event::HandleBorn { kind, .. } => 32 + *kind as u64,
        Event::HandleDropped { kind, .. } => 64 + *kind as u64,
        Event::Called { method, .. } => mix(10, u64::from(*method)),
        Event::Asked { method, .. } => mix(11, u64::from(*method)),
        Event::Done { .. } => 12,
        Event::Cancelled { .. } => 13,
        Event::CellEnded { .. } => 14,
        Event::LinkEnded { error, .. } => 15 + u64::from(error.is_some()),
        Event::Streams { .. } => 18,
        Event::IoBegun { .. } => 19,
        Event::IoEnded { fails, .. } => 20 + u64::from(*fails),
        Event::IoDropped { .. } => 22,
        Event::DrawBegun { .. } => 23,
        Event::Drawn { value, .. } => mix(24, u64::from(*value)),
        Event::DrawDropped { .. } => 25,
        _ => 17,
    }
}

fn text(text: &str) -> u64 {
    twox_hash::XxHash3_64::oneshot(text.as_bytes())
}

fn kind_of(frame: &Frame) -> u64 {
    match &frame.message {
        Message::Bootstrap { .. } => 1,
        Message::Call(call) => mix(2, u64::from(call.method_id)),
        Message::Return(answer) => match &answer.outcome {
            Outcome::Results(results) => mix(3, results.caps.len().min(2) as u64),
            Outcome::Exception(exception) => mix(4, text(&format!("{:?}", exception.kind))),
            Outcome::Canceled => 5,
            _ => 6,
        },
        Message::Finish { release_result_caps, .. } => 7 + u64::from(*release_result_caps),
        Message::Resolve { resolution: Resolution::Cap(_), .. } => 9,
        Message::Resolve { .. } => 10,
        Message::Release { references, .. } => mix(11, log2(u64::from(*references))),
        Message::Disembargo { .. } => 12,
        Message::Abort(_) => 13,
        Message::Unimplemented(_) => 14,
        Message::Provide { .. } => mix(15, text("provide")),
        Message::Accept { .. } => mix(15, text("accept")),
        Message::Join { .. } => mix(15, text("join")),
        Message::Other(name) => mix(15, text(name)),
        Message::Garbled(_) => 16,
        Message::Closed { pending_bytes } => 17 + u64::from(*pending_bytes > 0),
    }
}

/// The state of the question that a frame is about.
fn state_of(ledger: &Ledger, frame: &Frame) -> u64 {
    let (asker, id) = match &frame.message {
        Message::Return(answer) => (frame.direction.reversed(), answer.question.id),
        Message::Finish { question, .. } => (frame.direction, question.id),
        Message::Call(call) => match &call.target {
            wavetank_trace::frames::Target::Answer(answer) => (frame.direction, answer.question.id),
            wavetank_trace::frames::Target::Import(_) => return 5,
        },
        _ => return 6,
    };
    ledger.question(asker, id).map_or(0, |state| 1 + state as u64)
}

fn hash(about: Facts, parts: &[u64]) -> u64 {
    parts.iter().fold(about as u64 + 1, |hash, part| mix(hash, *part))
}

/// Mixes a part into a hash with the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
fn mix(hash: u64, part: u64) -> u64 {
    let mut mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(part);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// The features seen so far, and the number of runs of each.
#[derive(Default)]
pub struct Coverage {
    runs: HashMap<u64, u32>,
}

impl Coverage {
    /// Records the features of a run; gives those that are new.
    pub fn take(&mut self, features: &[u64]) -> Vec<u64> {
        let mut new = Vec::new();
        for &feature in features {
            let runs = self.runs.entry(feature).or_default();
            *runs = runs.saturating_add(1);
            if *runs == 1 {
                new.push(feature);
            }
        }
        new
    }

    /// Number of features seen.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether no feature was seen.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Number of runs that had a feature.
    pub fn runs_of(&self, feature: u64) -> u32 {
        self.runs.get(&feature).copied().unwrap_or(0)
    }
}
