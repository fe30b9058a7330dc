//! The functions that libFuzzer calls: each takes bytes and gives the failure that they lead to, if any.
//!
//! The targets in `fuzz/` only call these functions, and so do the tests that run them without libFuzzer.

use crate::guests;
use crate::wire::{self, Input, Peer};
use capnp::capability::{Client, FromClientHook};
use capnp_rpc::new_client;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use wavetank::cell::{CellSpec, Limits, Transport};
use wavetank::schema::peer_capnp::{executor, host};
use wavetank::{PipeReader, PipeWriter};
use wavetank_choice::profile::Profile;
use wavetank_choice::seed::Seed;
use wavetank_choice::strategy::StrategyName;
use wavetank_choice::token::Token;
use wavetank_sim::check::engine;
use wavetank_sim::fuzz::input;
use wavetank_sim::guest_panic::{GuestPanic, SourceLine};
use wavetank_sim::oracle::{Blame, Oracle};
use wavetank_sim::outcome::Outcome;
use wavetank_sim::run::{Choices, Run, Setup, run};
use wavetank_sim::schema::PEER_SCHEMA;
use wavetank_sim::transcript::LinkFrames;
use wavetank_sim::world::{World, yield_now};
use wavetank_trace::Decoder;
use wavetank_trace::frames::{Direction, Frame, Message, Outcome as Answer};
use wavetank_trace::ledger::Ledger;

/// A failure that an input led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The failure signature: an outcome and a place, without numbers that follow the bytes.
    pub signature: String,
    /// The party at fault.
    pub blame: Option<Blame>,
    /// The full account.
    pub account: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.signature, self.account)
    }
}

/// Maximum number of steps of a world made from hostile bytes: if it takes more, it hangs.
const MAX_STEPS: u64 = 200_000;

/// Takes bytes as the choices of a scenario, in worlds where a correct guest is never blamed.
pub fn budgets(scenario: impl Fn(&mut World) + Sync, bytes: &[u8]) -> Option<Found> {
    let choices = Choices::GivenThenDrawn {
        given: input::decode(bytes),
        then: StrategyName::RoundRobin,
        seed: Seed(0),
        profile: Profile::swarm(),
    };
    let run = run(scenario, &Setup { choices, ..Setup::new(engine(), Seed(0)) });
    run.outcome.is_news().then(|| {
        found(&run, wavetank_sim::signature::signature(&run.outcome).expect("it failed").to_string())
    })
}

/// Feeds bytes to the decoder of transcripts, and the decoded frames to the ledger. The first byte says how the bytes
/// are cut, which way they go, and whether they are frames already or are made into frames.
pub fn frames(bytes: &[u8]) -> Option<Found> {
    let mut input = Input(bytes);
    let how = input.byte();
    let made = if how & 1 == 0 { input.0.to_vec() } else { wire::frames(input.0) };
    let mut decoder = Decoder::new(PEER_SCHEMA.clone());
    let mut ledger = Ledger::default();
    let (mut whole, mut pieces) = (Vec::new(), Vec::new());
    let direction = if how & 2 == 0 { Direction::Up } else { Direction::Down };
    for piece in made.chunks(1 + usize::from(how >> 2)) {
        pieces.extend(decoder.push(direction, piece));
    }
    let mut again = Decoder::new(PEER_SCHEMA.clone());
    whole.extend(again.push(direction, &made));
    for frame in &pieces {
        ledger.apply(frame);
        let _ = frame.to_string();
    }
    let _ = (ledger.open(), ledger.cancelled(), ledger.violations().len());
    (pieces != whole).then(|| Found {
        signature: "frames: how bytes are cut changes what they say".into(),
        blame: Some(Blame::Tank),
        account: format!("{} frames in pieces, {} at once", pieces.len(), whole.len()),
    })
}

/// Feeds a text to the parser of tokens: a token that it reads must be the same after it is written and read again.
pub fn token(bytes: &[u8]) -> Option<Found> {
    let text = std::str::from_utf8(bytes).ok()?;
    let token: Token = text.parse().ok()?;
    let again = token.to_string().parse();
    (again.as_ref() != Ok(&token)).then(|| Found {
        signature: "token: what is written does not read back".into(),
        blame: Some(Blame::Tank),
        account: format!("{text:?} is {token:?}, and that {again:?}"),
    })
}

/// The opponent of a hostile peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opponent {
    /// A vat of the host, which serves and makes calls.
    Vat,
    /// A guest that serves.
    Server,
    /// A guest that serves and makes calls to its host.
    Relay,
}

/// Maximum number of frames: the state of the protocol is small.
const MAX_FRAMES: usize = 200;

/// Runs a hostile peer against a vat or a cell. The first byte selects the opponent, the second how many of the next
/// bytes are choices of the world; the other bytes are what the peer sends.
pub fn wire(bytes: &[u8]) -> Option<Found> {
    let (against, run) = wired(bytes);
    judge(against, &run)
}

/// The run of a hostile peer.
pub fn wired(bytes: &[u8]) -> (Opponent, Run) {
    let mut input = Input(bytes);
    let against = match input.byte() % 8 {
        0 => Opponent::Server,
        1 | 2 => Opponent::Relay,
        _ => Opponent::Vat,
    };
    let len = usize::from(input.byte() % 64).min(input.0.len());
    let (choices, says) = input.0.split_at(len);
    let choices = Choices::GivenThenDrawn {
        given: input::decode(choices),
        then: StrategyName::RoundRobin,
        seed: Seed(0),
        profile: Profile::calm(),
    };
    let setup = Setup { choices, max_steps: MAX_STEPS, ..Setup::new(engine(), Seed(0)) };
    (against, run(|world| play(world, against, says), &setup))
}

fn play(world: &mut World, against: Opponent, says: &[u8]) {
    let far = world.vat("peer");
    let (sends, to, from) = match against {
        Opponent::Vat => {
            let vat = world.vat("vat");
            let (peer, to, from) =
                world.wire_to("wire", far, (vat, new_client::<host::Client, _>(Serves).client));
            world.task_of(vat, "caller", calls(peer));
            (Direction::Up, to, from)
        }
        Opponent::Server | Opponent::Relay => {
            let (name, wasm) = match against {
                Opponent::Relay => ("relay", guests::RELAY),
                _ => ("server", guests::SERVER),
            };
            let spec = CellSpec {
                guest: world.tank().engine().guest(wasm).expect("a built guest"),
                name: name.into(),
                args: vec![name.into()],
                env: Vec::new(),
                transport: Some(Transport::Connection),
                limits: Limits::default(),
                capacity_bytes: wavetank::pipe::DEFAULT_CAPACITY_BYTES,
                detached: false,
                vat: far,
            };
            let (_, _, to, from) = world.tank().start_wired(spec).expect("room for a cell");
            (Direction::Down, to, from)
        }
    };
    let peer = Rc::new(RefCell::new(Peer::new(sends)));
    world.task_of(far, "hears", hears(peer.clone(), from));
    world.task_of(far, "speaks", speaks(peer, to, says.to_vec()));
}

/// Reads until the other side has ended.
async fn hears(peer: Rc<RefCell<Peer>>, from: PipeReader) {
    while let Ok(Some(bytes)) = from.take(64 * 1024).await {
        peer.borrow_mut().hear(&bytes);
    }
}

/// Sends the frames that the bytes lead to, each after some steps, and ends.
async fn speaks(peer: Rc<RefCell<Peer>>, to: PipeWriter, says: Vec<u8>) {
    let mut input = Input(&says);
    for _ in 0..MAX_FRAMES {
        if input.is_over() {
            break;
        }
        for _ in 0..input.byte() % 8 {
            yield_now().await;
        }
        let bytes = peer.borrow_mut().speak(&mut input);
        if to.give(bytes.into()).await.is_err() {
            break;
        }
    }
}

/// Calls the peer's capabilities, as promises and after they resolve, and holds on to some of them meanwhile.
async fn calls(peer: Client) {
    let peer: host::Client = peer.cast_to();
    let mut held = Vec::new();
    for _ in 0..3 {
        let sent = peer.executor_request().send();
        let promised = sent.pipeline.get_executor();
        let (early, late) = (echo(&promised), sent.promise.await);
        let _ = early.await;
        let _ = echo(&promised).await;
        if let Ok(answer) = late
            && let Ok(executor) = answer.get().and_then(|results| results.get_executor())
        {
            let _ = echo(&executor).await;
        }
        held.push(promised);
    }
}

fn echo(executor: &executor::Client) -> impl Future<Output = Result<(), capnp::Error>> + use<> {
    let mut request = executor.echo_request();
    request.get().set_message("hello");
    let answer = request.send().promise;
    async move { answer.await.map(drop) }
}

/// The server of the vat.
#[derive(Clone)]
struct Serves;

impl host::Server for Serves {
    async fn id(self: Rc<Self>, _: host::IdParams, mut results: host::IdResults) -> Result<(), capnp::Error> {
        results.get().set_peer_id("vat");
        Ok(())
    }

    async fn executor(
        self: Rc<Self>,
        _: host::ExecutorParams,
        mut results: host::ExecutorResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_executor(new_client((*self).clone()));
        Ok(())
    }
}

impl executor::Server for Serves {
    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> Result<(), capnp::Error> {
        // Do not answer at once, so that a Finish may come first.
        yield_now().await;
        let message = params.get()?.get_message()?.to_str()?;
        results.get().set_response(message);
        Ok(())
    }
}

/// Finds faults that are faults however a peer behaves: a panic, a trap, a hang. Frames that break the rules of the
/// protocol are no fault here, because the hostile peer sends some.
fn judge(against: Opponent, run: &Run) -> Option<Found> {
    let expected = [Oracle::Ledger, Oracle::Order, Oracle::Exit, Oracle::Output];
    match &run.outcome {
        Outcome::Panicked { message, at, .. } => {
            return Some(found(
                run,
                format!("{against:?}: panicked at {}: {}", place(at), first_line(message)),
            ));
        }
        Outcome::Trapped { panic, .. } => {
            let at = panic.as_ref().and_then(|panic| panic.at.as_ref());
            let at = at.map(SourceLine::to_string).unwrap_or_default();
            let signature = match panic {
                Some(GuestPanic { message, .. }) => {
                    format!("{against:?}: panicked at {}: {}", place(&at), first_line(message))
                }
                None => format!("{against:?}: {}", run.outcome),
            };
            let mut found = found(run, signature);
            if at.contains("capnp-rpc-") {
                found.blame = Some(Blame::Library("capnp-rpc"));
            } else if at.contains("capnp-0") {
                found.blame = Some(Blame::Library("capnp"));
            }
            return Some(found);
        }
        Outcome::Spinning { .. } | Outcome::StepLimit { .. } => {
            let failure = wavetank_sim::signature::signature(&run.outcome).expect("it failed");
            return Some(found(run, format!("{against:?}: {failure}")));
        }
        Outcome::Violated(finding) if !expected.contains(&finding.oracle) => {
            return Some(found(run, format!("{against:?}: {}", finding.oracle)));
        }
        _ => {}
    }
    let cells = run.facts.cells.iter().filter(|cell| cell.exit.is_none()).map(|cell| cell.name.to_string());
    let tasks = run.facts.tasks.iter().map(|task| task.name.to_string());
    let left: Vec<String> = cells.chain(tasks).collect();
    (!left.is_empty()).then(|| {
        let taken = if takes_from_another(run) { ", an answer taken from another question" } else { "" };
        found(run, format!("{against:?}: hangs: {}{taken}", left.join(", ")))
    })
}

/// Whether an answer refers to the answer of another question.
fn takes_from_another(run: &Run) -> bool {
    run.frames().iter().flat_map(|link| &link.frames).any(|frame| match &frame.message {
        Message::Return(answer) => matches!(answer.outcome, Answer::TakeFromOtherQuestion(_)),
        _ => false,
    })
}

fn found(run: &Run, signature: String) -> Found {
    let mut account = format!("{}\n", run.outcome);
    run.outcome.detail().iter().for_each(|line| account += &format!("  {line}\n"));
    for link in &*run.frames() {
        let LinkFrames { frames, .. } = link;
        frames.iter().for_each(|frame: &Frame| account += &format!("  {frame}\n"));
    }
    Found { signature, blame: run.outcome.blame(), account }
}

/// A place in a crate, without the path before the crate's folder and without the column.
fn place(at: &str) -> String {
    let from = at.find("capnp-").unwrap_or(0);
    at[from..].splitn(3, ':').take(2).collect::<Vec<_>>().join(":")
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().filter(|c| !c.is_ascii_digit()).collect()
}
