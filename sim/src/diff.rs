//! Two runs, compared in causal order.
//!
//! Steps that do not touch the same party may come in any order without anybody noticing. So what each party noticed and
//! did is compared by itself: the messages that it sent and received, the cells that it started, its end. Two runs are
//! the same if they are so for each party, whatever the order of steps between parties. Messages are named by a numbering that follows from the messages of
//! each direction alone, so that it does not depend on the schedule either.
//!
//! A vat with several links is one party: the order in which it serves them counts. A pipe that broke and the output of a
//! cell count as parties too. Left out is what only carries messages along: polls, deliveries, budgets, handles, fuel, and the time.

use crate::explain::sentence;
use crate::run::Run;
use crate::transcript::Names;
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use wavetank::{End, Event, LinkId, PipeId, escape_control};
use wavetank_trace::frames::Direction;
use wavetank_trace::schema::Schema;
use wavetank_trace::session::{Options, Packing, Session};

/// Items of a party that are compared one by one, at most. Of a longer difference only the first item is shown.
const MAX_COMPARED: usize = 4_000;

/// Items that are shown around a change.
const CONTEXT: usize = 2;

/// Lines of one party that are shown, at most.
const SHOWN_LINES: usize = 24;

/// Something that a party noticed or did.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    /// The step at which it happened; 0 is before the first.
    step: u64,
    text: String,
    /// Whether it only came in. What a party does itself is its behaviour.
    is_arrival: bool,
}

/// What each party noticed and did, in its own order.
type Histories = BTreeMap<String, Vec<Item>>;

/// How two runs differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffVerdict {
    /// The transcripts are equal, step for step.
    Identical,
    /// Only steps that are independent of each other come in another order.
    SameInCausalOrder,
    /// Each party does the same in the same order, but something arrived earlier or later.
    OnlyArrivals,
    /// A party does something else.
    Different,
}

/// Two runs, compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDiff {
    /// The verdict.
    pub verdict: DiffVerdict,
    /// The outcomes in one sentence each.
    pub outcomes: [String; 2],
    /// The parties that differ, the one that differs first in front.
    pub parties: Vec<PartyDiff>,
    /// The number of parties that are the same.
    pub same_parties: usize,
    /// The number of items of these.
    pub same_items: usize,
}

/// One party of two runs, compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyDiff {
    /// Its name.
    pub party: String,
    /// The steps of the first item that differs in both runs; `None` if nothing is left there.
    pub steps: [Option<u64>; 2],
    /// The items, after a blank if they are the same, and after `-` or `+` if only one run has them. Long stretches that
    /// are the same are folded.
    pub lines: Vec<String>,
}

/// Compares two runs.
pub fn diff_runs(one: &Run, other: &Run) -> RunDiff {
    let (mine, theirs) = (histories(one), histories(other));
    let names: BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
    let mut diff = RunDiff {
        verdict: DiffVerdict::Identical,
        outcomes: [sentence(&one.outcome), sentence(&other.outcome)],
        parties: Vec::new(),
        same_parties: 0,
        same_items: 0,
    };
    let mut only_arrivals = true;
    for name in names {
        let none = Vec::new();
        let (mine, theirs) = (mine.get(name).unwrap_or(&none), theirs.get(name).unwrap_or(&none));
        match party_diff(name, mine, theirs) {
            Some(party) => {
                only_arrivals &= done(mine).eq(done(theirs));
                diff.parties.push(party);
            }
            None => {
                diff.same_parties += 1;
                diff.same_items += mine.len();
            }
        }
    }
    diff.parties.sort_by_key(PartyDiff::first_step);
    diff.verdict = if one.transcript == other.transcript && one.outcome == other.outcome {
        DiffVerdict::Identical
    } else if diff.outcomes[0] != diff.outcomes[1] {
        DiffVerdict::Different
    } else if diff.parties.is_empty() {
        DiffVerdict::SameInCausalOrder
    } else if only_arrivals {
        DiffVerdict::OnlyArrivals
    } else {
        DiffVerdict::Different
    };
    diff
}

/// What a party did itself.
fn done(items: &[Item]) -> impl Iterator<Item = &String> {
    items.iter().filter(|item| !item.is_arrival).map(|item| &item.text)
}

fn party_diff(party: &str, one: &[Item], other: &[Item]) -> Option<PartyDiff> {
    let same = one.iter().zip(other).take_while(|(one, other)| one.text == other.text).count();
    if same == one.len() && same == other.len() {
        return None;
    }
    let step = |items: &[Item]| items.get(same).map(|item| item.step);
    Some(PartyDiff {
        party: party.to_owned(),
        steps: [step(one), step(other)],
        lines: lines(one, other, same),
    })
}

/// The lines of a party of which the first `same` items are the same.
fn lines(one: &[Item], other: &[Item], same: usize) -> Vec<String> {
    let line = |sign: char, item: &Item| format!("{sign} {:>6}  {}", item.step, item.text);
    if one.len().max(other.len()) - same > MAX_COMPARED {
        let first = |sign, items: &[Item]| items.get(same).map(|item| line(sign, item));
        let mut lines: Vec<String> = first('-', one).into_iter().chain(first('+', other)).collect();
        lines.push(format!("… {} and {} more items", one.len() - same, other.len() - same));
        return lines;
    }
    let texts = |items: &'_ [Item]| items[same..].iter().map(|item| item.text.clone()).collect::<Vec<_>>();
    let ops: Vec<DiffOp> = capture_diff_slices(Algorithm::Myers, &texts(one), &texts(other));
    let mut all = Vec::new();
    all.extend(one[..same].iter().map(|item| (true, line(' ', item))));
    for op in &ops {
        let (tag, mine, theirs) = op.as_tag_tuple();
        if tag == DiffTag::Equal {
            all.extend(one[same..][mine].iter().map(|item| (true, line(' ', item))));
            continue;
        }
        all.extend(one[same..][mine].iter().map(|item| (false, line('-', item))));
        all.extend(other[same..][theirs].iter().map(|item| (false, line('+', item))));
    }
    let mut lines = folded(&all);
    let more = lines.len().saturating_sub(SHOWN_LINES);
    if more > 0 {
        lines.truncate(SHOWN_LINES);
        lines.push(format!("… {more} more lines"));
    }
    lines
}

/// The lines, of which those that are the same (true) are left out unless a change is near.
fn folded(all: &[(bool, String)]) -> Vec<String> {
    let is_near = |at: usize| {
        let from = at.saturating_sub(CONTEXT);
        let to = (at + CONTEXT + 1).min(all.len());
        all[from..to].iter().any(|(is_same, _)| !is_same)
    };
    let mut lines = Vec::new();
    let mut left_out = 0;
    for (at, (_, line)) in all.iter().enumerate() {
        if !is_near(at) {
            left_out += 1;
            continue;
        }
        if left_out > 0 {
            lines.push(format!("… {left_out} the same"));
            left_out = 0;
        }
        lines.push(line.clone());
    }
    if left_out > 0 {
        lines.push(format!("… {left_out} the same"));
    }
    lines
}

impl PartyDiff {
    /// The step of the first difference, in whichever run has it first.
    fn first_step(&self) -> u64 {
        self.steps.iter().flatten().copied().min().unwrap_or(u64::MAX)
    }
}

/// A link: its parties and the messages of each direction.
struct Link {
    up: Way,
    down: Way,
}

/// One direction of a link.
struct Way {
    writer: String,
    reader: String,
    /// The messages, each with the byte at which it ends.
    messages: Vec<(u64, String)>,
    written: Progress,
    read: Progress,
}

/// Bytes that passed, and the messages that are whole with them.
#[derive(Default)]
struct Progress {
    bytes: u64,
    messages: usize,
}

impl Progress {
    /// Lets more bytes pass, and returns the messages that they complete.
    fn pass(&mut self, bytes: usize, messages: &[(u64, String)]) -> Vec<String> {
        self.bytes += bytes as u64;
        let whole = messages[self.messages..].iter().take_while(|(end, _)| *end <= self.bytes);
        let whole: Vec<String> = whole.map(|(_, text)| text.clone()).collect();
        self.messages += whole.len();
        whole
    }
}

/// What each party of a run noticed and did.
fn histories(run: &Run) -> Histories {
    let names = run.names();
    let events = &run.transcript.events;
    let mut links = links(events, &names, &run.schema);
    let mut ways: BTreeMap<PipeId, (LinkId, bool)> = BTreeMap::new();
    let mut near: BTreeMap<LinkId, (String, String)> = BTreeMap::new();
    let mut histories = Histories::new();
    let mut steps = run.transcript.steps.iter().peekable();
    let mut step = 0;
    for (at, event) in events.iter().enumerate() {
        while steps.next_if(|next| next.caused.start <= at).is_some() {
            step += 1;
        }
        let mut put = |party: String, text: String, is_arrival: bool| {
            histories.entry(party).or_default().push(Item { step, text, is_arrival });
        };
        match event {
            Event::LinkBorn { link, cell, near: host, up, down } if links.contains_key(link) => {
                ways.insert(*up, (*link, true));
                ways.insert(*down, (*link, false));
                near.insert(*link, (names.actor(*host).to_string(), names.actor(*cell).to_string()));
            }
            Event::Wrote { pipe, bytes } => {
                if let Some(way) = way(&mut links, &ways, *pipe) {
                    for text in way.written.pass(bytes.len(), &way.messages) {
                        put(way.writer.clone(), format!("sends to {}: {text}", way.reader), false);
                    }
                }
            }
            Event::Read { pipe, bytes } => {
                if let Some(way) = way(&mut links, &ways, *pipe) {
                    for text in way.read.pass(*bytes, &way.messages) {
                        put(way.reader.clone(), format!("receives from {}: {text}", way.writer), true);
                    }
                }
            }
            Event::CellBorn { parent: Some(parent), .. } => {
                put(names.actor(*parent).to_string(), names.event(event), false);
            }
            // The fuel depends on how often the cell was polled.
            Event::CellEnded { cell, code, .. } => {
                put(names.actor(*cell).to_string(), format!("ends with code {code}"), false);
            }
            Event::LinkEnded { link, error } => {
                if let Some((host, cell)) = near.get(link) {
                    let error =
                        error.as_deref().map_or_else(String::new, |e| format!(": {}", escape_control(e)));
                    put(host.clone(), format!("its link to {cell} ends{error}"), false);
                }
            }
            Event::Closed { pipe, end: End::Writer, .. } => {
                if let Some(way) = way(&mut links, &ways, *pipe) {
                    put(way.writer.clone(), format!("closes its way to {}", way.reader), false);
                }
            }
            Event::Reset { pipe, .. } | Event::Ended { pipe, .. } | Event::HalfBroken { pipe, .. } => {
                put(names.pipe(*pipe).to_string(), names.event(event), false);
            }
            Event::TrappedByOrder { cell } | Event::MemoryRefused { cell } => {
                put(names.actor(*cell).to_string(), names.event(event), false);
            }
            Event::SpawnFailed { parent } | Event::SpawnSlowed { parent, .. } => {
                put(names.actor(*parent).to_string(), names.event(event), false);
            }
            _ => {}
        }
    }
    for (pipe, lines) in outputs(run, &names, &ways) {
        let items = lines.into_iter().map(|text| Item { step: 0, text, is_arrival: false });
        histories.insert(pipe, items.collect());
    }
    histories
}

fn way<'l>(
    links: &'l mut BTreeMap<LinkId, Link>,
    ways: &BTreeMap<PipeId, (LinkId, bool)>,
    pipe: PipeId,
) -> Option<&'l mut Way> {
    let (link, is_up) = ways.get(&pipe)?;
    let link = links.get_mut(link)?;
    Some(if *is_up { &mut link.up } else { &mut link.down })
}

/// The links of a run with their messages, which are numbered in causal order.
fn links(events: &[Event], names: &Names, schema: &Arc<Schema>) -> BTreeMap<LinkId, Link> {
    let mut sessions: BTreeMap<LinkId, (String, String, Session)> = BTreeMap::new();
    let mut ways = BTreeMap::new();
    for event in events {
        match event {
            Event::LinkBorn { link, cell, near, up, down } => {
                ways.insert(*up, (*link, Direction::Up));
                ways.insert(*down, (*link, Direction::Down));
                let (cell, near) = (names.actor(*cell).to_string(), names.actor(*near).to_string());
                let options = Options {
                    client: cell.clone(),
                    server: near.clone(),
                    packing: Some(Packing::Unpacked),
                    ..Options::default()
                };
                sessions.insert(*link, (cell, near, Session::new(schema.clone(), options)));
            }
            Event::StdioOwned { link, .. } => {
                sessions.remove(link);
            }
            Event::Wrote { pipe, bytes } => {
                if let Some((link, direction)) = ways.get(pipe)
                    && let Some((_, _, session)) = sessions.get_mut(link)
                {
                    session.push(*direction, bytes);
                }
            }
            _ => {}
        }
    }
    let mut links = BTreeMap::new();
    for (link, (cell, near, session)) in sessions {
        let way = |writer: &String, reader: &String| Way {
            writer: writer.clone(),
            reader: reader.clone(),
            messages: Vec::new(),
            written: Progress::default(),
            read: Progress::default(),
        };
        let mut found = Link { up: way(&cell, &near), down: way(&near, &cell) };
        for entry in session.finish().entries {
            let way = if entry.frame.direction == Direction::Up { &mut found.up } else { &mut found.down };
            way.messages.push((entry.byte + entry.frame.bytes as u64, entry.frame.message.to_string()));
        }
        links.insert(link, found);
    }
    links
}

/// The lines of text that went into pipes that are no links.
fn outputs(
    run: &Run,
    names: &Names,
    ways: &BTreeMap<PipeId, (LinkId, bool)>,
) -> BTreeMap<String, Vec<String>> {
    let mut written: BTreeMap<PipeId, Vec<u8>> = BTreeMap::new();
    for event in &run.transcript.events {
        if let Event::Wrote { pipe, bytes } = event
            && !ways.contains_key(pipe)
        {
            written.entry(*pipe).or_default().extend_from_slice(bytes);
        }
    }
    let mut outputs = BTreeMap::new();
    for (pipe, bytes) in written {
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().map(|line| escape_control(line).into_owned());
        outputs.insert(names.pipe(pipe).to_string(), lines.collect());
    }
    outputs
}

impl fmt::Display for DiffVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identical => "the same, step for step",
            Self::SameInCausalOrder => {
                "the same in causal order: only independent steps come in another order"
            }
            Self::OnlyArrivals => "everybody does the same, but something arrives earlier or later",
            Self::Different => "different",
        })
    }
}

impl fmt::Display for RunDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.verdict)?;
        let [one, other] = &self.outcomes;
        if one == other {
            writeln!(f, "  both: {one}")?;
        } else {
            writeln!(f, "- {one}\n+ {other}")?;
        }
        for (at, PartyDiff { party, steps, lines }) in self.parties.iter().enumerate() {
            let place = |step: &Option<u64>| step.map_or("its end".to_owned(), |step| format!("step {step}"));
            let first = if at == 0 { "first difference: " } else { "" };
            writeln!(f, "{first}{party}, at {} and {}", place(&steps[0]), place(&steps[1]))?;
            lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        let (parties, items) = (self.same_parties, self.same_items);
        if parties == 0 {
            return Ok(());
        }
        let parties_are = if parties == 1 { "party is" } else { "parties are" };
        writeln!(
            f,
            "{parties} {parties_are} the same, with {items} item{}",
            if items == 1 { "" } else { "s" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(texts: &[&str]) -> Vec<Item> {
        let item = |(step, text): (u64, &&str)| Item { step, text: (*text).to_owned(), is_arrival: false };
        (1..).zip(texts).map(item).collect()
    }

    #[test]
    fn what_is_the_same_is_folded_around_each_change() {
        let one = items(&["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
        let other = items(&["a", "b", "c", "d", "x", "f", "g", "h", "i"]);
        let party = party_diff("host", &one, &other).expect("they differ");
        assert_eq!(party.steps, [Some(5), Some(5)]);
        assert_eq!(
            party.lines,
            [
                "… 2 the same",
                "       3  c",
                "       4  d",
                "-      5  e",
                "+      5  x",
                "       6  f",
                "       7  g",
                "… 2 the same"
            ]
        );
        assert_eq!(party_diff("host", &one, &one), None);
    }

    #[test]
    fn a_party_that_ends_early_differs_at_its_end() {
        let party = party_diff("host", &items(&["a"]), &items(&["a", "b"])).expect("they differ");
        assert_eq!(party.steps, [None, Some(2)]);
        assert_eq!(party.lines, ["       1  a", "+      2  b"]);
    }
}
