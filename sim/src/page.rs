//! The data of a [report page](wavetank_page), out of runs.
//!
//! A page shows a run and, beside it, the run with the deciding change, which passes. Both are best
//! [filmed](crate::Setup::films), because only then the page knows the state at each step. Not here: how a page looks.

mod align;
mod lines;
mod messages;

use crate::explain::{Change, Deciding, Explanation, chosen, sentence};
use crate::film::{Film, PipeState, WaitingOn};
use crate::moves::Move;
use crate::oracle::{Evidence, Party, rest};
use crate::outcome::Outcome;
use crate::run::Run;
use crate::transcript::Names;
use lines::notes;
use messages::messages;
use std::collections::BTreeMap;
use wavetank::{ActorId, Event, GateId, LinkId, PipeId, escape_control};
use wavetank_choice::moves::Kind;
use wavetank_page::model::{self, Lane, LaneKind, Page, Pipe, Section, Shots, Steps, Task, TextId};

pub use wavetank_page::{html, mermaid, perfetto};

/// Steps of a run that a page shows, at most: the first.
pub const SHOWN_STEPS: usize = 120_000;

/// A run to make a page of.
pub struct Subject<'a> {
    /// The name of the scenario for people.
    pub title: &'a str,
    /// The run.
    pub run: &'a Run,
    /// Its explanation.
    pub explanation: &'a Explanation,
    /// The run with the deciding change, which passes.
    pub passing: Option<&'a Run>,
    /// The line that replays the run.
    pub replay: Option<String>,
}

/// The data of a page.
pub fn page(subject: &Subject<'_>) -> Page {
    let Subject { title, run, explanation, passing, replay } = subject;
    let mut runs = vec![model_of("this run", run)];
    runs.extend(passing.map(|passing| model_of("the run that passes", passing)));
    let deciding = explanation.deciding.as_ref().map(|deciding| model::Deciding {
        says: said(&deciding.to_string()),
        steps: deciding_steps(run, deciding),
    });
    let (same, differs_at) = match passing {
        Some(passing) => align::aligned(&run.transcript, &passing.transcript, SHOWN_STEPS),
        None => (Vec::new(), None),
    };
    Page {
        format: model::FORMAT,
        title: said(title),
        outcome: run.outcome.name().into(),
        failed: !run.outcome.is_finished(),
        sentence: sentence(&run.outcome),
        blame: run.outcome.blame().map(|blame| said(&blame.to_string())),
        report: sections(explanation),
        facts: facts(run),
        replay: replay.clone(),
        deciding,
        runs,
        same,
        differs_at,
    }
}

/// The steps that the deciding change is about. For a setting, it is the step that drew it.
fn deciding_steps(run: &Run, deciding: &Deciding) -> Vec<u64> {
    if let Change::Setting(of) = deciding.change {
        let drawn = run.choices.iter().zip(&run.occasions);
        let mut drawn =
            drawn.filter(|(choice, occasion)| choice.of == of && choice.value > 0 && occasion.step > 0);
        return drawn.next().map(|(_, occasion)| occasion.step).into_iter().collect();
    }
    deciding.steps().into_iter().map(|step| step as u64).collect()
}

/// A text without control characters.
fn said(text: &str) -> String {
    escape_control(text).into_owned()
}

fn sections(explanation: &Explanation) -> Vec<Section> {
    let calm =
        if explanation.is_calm { vec!["It fails although every choice is calm.".into()] } else { Vec::new() };
    let unnamed: Vec<String> = explanation.unnamed.iter().cloned().collect();
    let parts: [(&str, &[String]); 8] = [
        ("Whose fault, and what is seen", &explanation.detail),
        ("Often the cause", &explanation.causes),
        ("Chosen otherwise than calmly", &explanation.chosen),
        ("Calm", &calm),
        ("Damage", &explanation.damage),
        ("Messages that matter", &explanation.frames),
        ("The last lines of stderr", &explanation.stderr),
        ("Names", &unnamed),
    ];
    let mut sections = Vec::new();
    for (heading, lines) in parts {
        if !lines.is_empty() {
            let lines = lines.iter().map(|line| said(line)).collect();
            sections.push(Section { heading: heading.into(), lines });
        }
    }
    sections
}

fn facts(run: &Run) -> Vec<[String; 2]> {
    let steps = run.transcript.steps.len();
    let mut facts = vec![
        ["seed".into(), run.seed.to_string()],
        ["choices".into(), format!("{} ({})", run.choices.len(), said(&run.origin))],
        ["steps".into(), steps.to_string()],
        ["virtual time".into(), format!("{} ns", run.virtual_ns)],
        ["level".into(), format!("{:?}", run.level).to_lowercase()],
    ];
    if steps > SHOWN_STEPS {
        facts.push(["shown".into(), format!("the first {SHOWN_STEPS} steps")]);
    }
    let faults: Vec<String> = run.faults.iter().map(|(fault, many)| format!("{many} {fault}")).collect();
    if !faults.is_empty() {
        facts.push(["weather and damage".into(), faults.join(", ")]);
    }
    for not_judged in run.not_judged() {
        facts.push(["not judged".into(), said(&not_judged.to_string())]);
    }
    if let Some(known) = run.outcome.known() {
        facts.push(["known fault".into(), format!("{}, of {}", known.id, known.layer)]);
    }
    facts.push(["made by".into(), format!("wavetank {}", env!("CARGO_PKG_VERSION"))]);
    facts
}

/// Texts of a run, each once.
#[derive(Default)]
struct Texts {
    all: Vec<String>,
    places: BTreeMap<String, TextId>,
}

impl Texts {
    fn place(&mut self, text: &str) -> TextId {
        let text = said(text);
        if let Some(place) = self.places.get(&text) {
            return *place;
        }
        let place = self.all.len() as TextId;
        self.all.push(text.clone());
        self.places.insert(text, place);
        place
    }
}

/// The places of things on a page, by their ids in the world.
struct Index {
    lanes: BTreeMap<ActorId, u32>,
    /// The host, which is the first vat.
    host: u32,
    /// The lane of the server of a call.
    servers: BTreeMap<GateId, u32>,
    /// The ends of each pipe: the lanes of the writer and of the reader.
    ends: BTreeMap<PipeId, (u32, u32)>,
    /// The number of events before each step, and behind the last.
    starts: Vec<usize>,
}

impl Index {
    fn of(run: &Run) -> Self {
        let mut lanes = BTreeMap::new();
        let mut links: BTreeMap<LinkId, (PipeId, u32, u32)> = BTreeMap::new();
        let mut ends = BTreeMap::new();
        let mut servers = BTreeMap::new();
        for event in &run.transcript.events {
            match event {
                Event::VatBorn { vat: actor, .. } | Event::CellBorn { cell: actor, .. } => {
                    let place = lanes.len() as u32;
                    lanes.entry(*actor).or_insert(place);
                }
                Event::LinkBorn { link, cell, near, up, down } => {
                    let far = lanes.get(cell).copied().unwrap_or(0);
                    let near = lanes.get(near).copied().unwrap_or(0);
                    links.insert(*link, (*up, far, near));
                    ends.insert(*up, (far, near));
                    ends.insert(*down, (near, far));
                }
                Event::Called { gate, link, over, .. } => {
                    if let Some((up, far, near)) = links.get(link) {
                        servers.insert(*gate, if over == up { *near } else { *far });
                    }
                }
                _ => {}
            }
        }
        for cell in &run.facts.cells {
            let lane = lanes.get(&cell.id).copied().unwrap_or(0);
            for (place, pipe) in cell.pipes.iter().enumerate() {
                // stdin, stdout, stderr; the connection's pipes belong to its link.
                let own = if place == 0 { (0, lane) } else { (lane, 0) };
                ends.entry(*pipe).or_insert(own);
            }
        }
        let starts = run.transcript.steps.iter().map(|step| step.caused.start).collect();
        Index { lanes, host: 0, servers, ends, starts }
    }

    fn lane(&self, actor: ActorId) -> i32 {
        self.lanes.get(&actor).map_or(-1, |lane| *lane as i32)
    }

    /// The step that caused an event; 0 is the set-up.
    fn step_of(&self, event: usize) -> u64 {
        self.starts.partition_point(|start| *start <= event) as u64
    }

    /// The lane that a move concerns most.
    fn lane_of(&self, moved: Move) -> i32 {
        let id = moved.id();
        let end = |reader: bool| {
            let ends = self.ends.get(&PipeId(id));
            ends.map_or(-1, |(writer, read)| if reader { *read as i32 } else { *writer as i32 })
        };
        match moved.kind() {
            Kind::Start | Kind::Poll => self.lane(ActorId(id)),
            Kind::Grant | Kind::Shrink => end(false),
            Kind::Deliver | Kind::Spur | Kind::Close | Kind::Reset | Kind::Cut | Kind::Mute | Kind::Half => {
                end(true)
            }
            Kind::Answer | Kind::Resume | Kind::Delay | Kind::Cancel => {
                self.servers.get(&GateId(id)).map_or(self.host as i32, |lane| *lane as i32)
            }
            Kind::Act | Kind::Advance | Kind::Slow | Kind::Jump | Kind::Fail => -1,
        }
    }
}

fn model_of(name: &str, run: &Run) -> model::Run {
    let index = Index::of(run);
    let names = run.names();
    let mut texts = Texts::default();
    let last = run.transcript.steps.len().min(SHOWN_STEPS) as u64;
    let steps = steps(run, &index, &names, &mut texts);
    let mut messages = messages(run, &index, &mut texts);
    messages.retain(|message| message.sent <= last);
    let mut notes = notes(run, &index, &names, &mut texts);
    notes.retain(|note| note.step <= last);
    let (tasks, shots) =
        run.film.as_ref().map_or_else(Default::default, |film| shots(film, &index, &mut texts));
    model::Run {
        name: name.into(),
        sentence: sentence(&run.outcome),
        failed: !run.outcome.is_finished(),
        lanes: lanes(run, &index),
        pipes: pipes(run, &index),
        tasks,
        steps,
        messages,
        notes,
        shots,
        cycle: cycle(run, &index),
        texts: texts.all,
    }
}

fn lanes(run: &Run, index: &Index) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for (at, event) in run.transcript.events.iter().enumerate() {
        let born = index.step_of(at);
        match event {
            Event::VatBorn { name, .. } => {
                let kind = if lanes.is_empty() { LaneKind::Host } else { LaneKind::Vat };
                lanes.push(Lane { name: said(name), kind, born, ..Lane::default() });
            }
            Event::CellBorn { name, parent, .. } => {
                let parent = parent.and_then(|parent| index.lanes.get(&parent).copied());
                lanes.push(Lane { name: said(name), kind: LaneKind::Cell, parent, born, ..Lane::default() });
            }
            Event::CellEnded { cell, code, fuel } => {
                if let Some(lane) = index.lanes.get(cell).and_then(|lane| lanes.get_mut(*lane as usize)) {
                    lane.ended = Some(born);
                    lane.exit = Some(format!("ended with {code}"));
                    lane.fuel = Some(*fuel);
                }
            }
            _ => {}
        }
    }
    lanes
}

fn pipes(run: &Run, index: &Index) -> Vec<Pipe> {
    let links = run.transcript.links(&run.schema);
    let carries_rpc = |pipe: PipeId| links.iter().any(|link| link.up == pipe || link.down == pipe);
    let mut pipes = Vec::new();
    for (place, view) in run.facts.pipes.iter().enumerate() {
        let id = PipeId(place as u32);
        let ends = index.ends.get(&id);
        pipes.push(Pipe {
            name: said(&view.name),
            writer: ends.map(|ends| ends.0),
            reader: ends.map(|ends| ends.1),
            rpc: carries_rpc(id),
        });
    }
    pipes
}

fn steps(run: &Run, index: &Index, names: &Names, texts: &mut Texts) -> Steps {
    let all = Kind::ALL.into_iter().chain(Kind::FAULTS);
    let mut steps = Steps { kinds: all.clone().map(|kind| kind.name().into()).collect(), ..Steps::default() };
    steps.faults = all.filter(|kind| kind.is_fault()).map(|kind| kind as u8).collect();
    for (place, step) in run.transcript.steps.iter().take(SHOWN_STEPS).enumerate() {
        steps.text.push(texts.place(&names.moved(step.moved)));
        steps.kind.push(step.moved.kind() as u8);
        steps.lane.push(index.lane_of(step.moved));
        // The first shot is of the world before the first step.
        let shot = run.film.as_ref().and_then(|film| film.shots.get(place + 1).or(film.shots.last()));
        steps.now_ns.push(shot.map_or(0, |shot| shot.now_ns));
    }
    steps.chosen = chosen(run).into_iter().map(|(step, says)| (step, said(&says))).collect();
    steps
}

fn shots(film: &Film, index: &Index, texts: &mut Texts) -> (Vec<Task>, Shots) {
    let texts: Vec<TextId> = film.texts.iter().map(|text| texts.place(text)).collect();
    let text = |place: u32| i64::from(texts[place as usize]);
    let tasks = film.tasks.iter().map(|task| Task {
        name: said(&task.name),
        lane: index.lanes.get(&task.actor).copied().unwrap_or(index.host),
    });
    let mut shots = Shots::default();
    for (step, shot) in (0..).zip(film.shots.iter().take(SHOWN_STEPS + 1)) {
        shots.count += 1;
        for pipe in &shot.pipes {
            shots.pipes.extend([step as u64, u64::from(pipe.pipe.0)]);
            let bytes = [pipe.staged_bytes, pipe.visible_bytes, pipe.budget_bytes, pipe.capacity_bytes];
            shots.pipes.extend(bytes.map(|bytes| bytes as u64));
            shots.pipes.push(flags(pipe));
        }
        for (task, waiting) in &shot.tasks {
            let (state, says) =
                waiting.map_or((-1, 0), |waiting| (state_number(waiting.on), text(waiting.text)));
            shots.tasks.extend([step, i64::from(*task), state, says]);
        }
        for (gate, says) in &shot.calls {
            shots.calls.extend([step, i64::from(gate.0), says.map_or(-1, text)]);
        }
        for (cell, import) in &shot.blocked_in {
            shots.blocked.extend([step, i64::from(index.lane(*cell)), import.map_or(-1, text)]);
        }
        shots.menu.extend(shot.menu.iter().map(|place| texts[*place as usize]));
        shots.menu_lengths.push(shot.menu.len() as u32);
        if shot.more > 0 {
            shots.more.extend([step as u64, u64::from(shot.more)]);
        }
        shots.chosen.push(shot.chosen.map_or(-1, |place| place as i32));
    }
    (tasks.collect(), shots)
}

/// The flags in [`Shots::pipes`].
fn flags(pipe: &PipeState) -> u64 {
    let flags =
        [pipe.held, pipe.muted, pipe.reader_waits, pipe.writer_waits, !pipe.reader_open, !pipe.writer_open];
    flags.iter().enumerate().map(|(bit, is_set)| u64::from(*is_set) << bit).sum()
}

/// The number of a state in [`Shots::tasks`].
fn state_number(on: WaitingOn) -> i64 {
    match on {
        WaitingOn::Ready => 0,
        WaitingOn::Unseen => 1,
        WaitingOn::Bytes => 2,
        WaitingOn::Budget => 3,
        WaitingOn::Time => 4,
        WaitingOn::Start => 5,
    }
}

/// Who waits for whom in the cycle of a stall.
fn cycle(run: &Run, index: &Index) -> Vec<[u32; 2]> {
    if !matches!(run.outcome, Outcome::Stalled(_)) {
        return Vec::new();
    }
    let frames = run.frames();
    let mut by_name: BTreeMap<&str, u32> = BTreeMap::new();
    for event in &run.transcript.events {
        if let Event::VatBorn { vat: actor, name } | Event::CellBorn { cell: actor, name, .. } = event {
            by_name.insert(name, index.lanes.get(actor).copied().unwrap_or(index.host));
        }
    }
    let lane = |party: &Party| match party {
        Party::Host => index.host,
        Party::Vat(name) | Party::Cell(name) => by_name.get(&**name).copied().unwrap_or(index.host),
    };
    let parties = rest::parties_of_cycle(&Evidence::of(run, &frames));
    parties.iter().map(|(waits, on)| [lane(waits), lane(on)]).collect()
}
