//! The scenario `vats`: its generator reaches everything, and its oracles see what is planted.

use crate::common::{engine, finished, scenario, setup};
use capnp::message::ReaderOptions;
use capnp::serialize;
use capnp_rpc::rpc_capnp::{disembargo, message};
use futures::{AsyncRead, AsyncWrite};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use wavetank::link::Streams;
use wavetank_sim::outcome::Outcome;
use wavetank_sim::vats::{Kind, Vats};
use wavetank_sim::{Choices, Profile, Run, Seed, Setup, StrategyName, World, run};

#[test]
fn no_choices_at_all_is_a_dull_run_that_passes() {
    for name in ["vats", "vats-2", "vats-plain"] {
        let dull = Setup { choices: Choices::Given(Vec::new()), ..setup(0) };
        finished(scenario(name), &dull);
    }
}

#[test]
fn every_kind_of_operation_is_reached() {
    let reached = Mutex::new(BTreeSet::new());
    for seed in 0..600 {
        let here = std::sync::Arc::new(Mutex::new(BTreeSet::new()));
        let told = here.clone();
        run(
            move |world: &mut World| {
                let told = told.clone();
                let told = move |kind, _: &str| {
                    told.lock().unwrap().insert(kind);
                };
                Vats::new().told(told).build(world);
            },
            &held(seed),
        );
        reached.lock().unwrap().extend(here.lock().unwrap().iter().copied());
    }
    let reached = reached.into_inner().unwrap();
    let missed: Vec<Kind> =
        Kind::ALL.into_iter().filter(|kind| *kind != Kind::AtHome && !reached.contains(kind)).collect();
    assert_eq!(missed, []);
}

#[test]
fn plain_traffic_agrees_with_the_direct_graph_under_calm() {
    let mut finished = 0;
    for seed in 0..300 {
        let calm = Setup {
            choices: Choices::Drawn(StrategyName::default(), Profile::calm()),
            ..Setup::new(engine(), Seed(seed))
        };
        match run(scenario("vats-plain"), &calm).outcome {
            Outcome::Finished => finished += 1,
            // The one known fault that so little brings out: K03.
            Outcome::Violated(finding) if finding.oracle.starts_with("order") => {}
            other => panic!("seed {seed}: {other}"),
        }
    }
    assert!(finished > 290, "{finished} of 300");
}

/// What a doctored end does to the frames that its RPC system sends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doctor {
    /// Answers the first end's own Disembargo at once, without asking the other end: no embargo ever holds.
    NoEmbargo,
    /// Drops the first Release.
    OneRelease,
}

#[test]
fn a_vat_without_embargoes_is_caught() {
    let caught = caught(Doctor::NoEmbargo, 3000, &[Kind::Swap, Kind::Call, Kind::Call, Kind::Call]);
    println!("without embargoes: caught by {caught:?}");
    assert!(caught.iter().any(|(_, oracle)| oracle.starts_with("order")), "{caught:?}");
}

#[test]
fn one_release_that_is_dropped_is_caught() {
    let caught = caught(Doctor::OneRelease, 50, &Kind::PLAIN);
    println!("with a Release dropped: caught by {caught:?}");
    assert!(caught.iter().any(|(_, oracle)| *oracle == "table"), "{caught:?}");
}

/// The seeds that fail with a doctored end and pass without, and what saw it.
fn caught(doctor: Doctor, seeds: u64, kinds: &'static [Kind]) -> Vec<(u64, &'static str)> {
    let world = move |doctor: Option<Doctor>| {
        move |world: &mut World| {
            let vats = Vats::new().count(2).kinds(kinds);
            let over = move |_, _, streams| match doctor {
                Some(doctor) => doctored(doctor, streams),
                None => streams,
            };
            vats.over(over).build(world);
        }
    };
    let oracle = |run: &Run| match &run.outcome {
        Outcome::Violated(finding) => Some(finding.oracle),
        _ => None,
    };
    let mut caught = Vec::new();
    for seed in 0..seeds {
        if let Some(oracle) = oracle(&run(world(Some(doctor)), &held(seed)))
            && run(world(None), &held(seed)).outcome.is_finished()
        {
            caught.push((seed, oracle));
        }
    }
    caught
}

/// A setup in which no pipe flows freely: what crosses is on its way for a while.
fn held(seed: u64) -> Setup {
    let weights = [("deliver".to_string(), 1), ("act".to_string(), 4)].into();
    let profile = Profile { held_pipes: 1, weights, ..Profile::swarm() };
    Setup { choices: Choices::Drawn(StrategyName::default(), profile), ..setup(seed) }
}

/// What both directions of a doctored end share.
#[derive(Default)]
struct Chart {
    /// Frames that the RPC system is to read, though nobody sent them.
    injected: VecDeque<Vec<u8>>,
    reader: Option<Waker>,
    dropped: bool,
}

fn doctored(doctor: Doctor, (input, output): Streams) -> Streams {
    let chart = Rc::new(RefCell::new(Chart::default()));
    let reader = Reader { input, chart: chart.clone(), frames: Frames::default(), ready: VecDeque::new() };
    let writer = Writer { output, chart, doctor, frames: Frames::default(), out: VecDeque::new() };
    (Box::new(reader), Box::new(writer))
}

/// Bytes, taken apart into whole frames.
#[derive(Default)]
struct Frames(Vec<u8>);

impl Frames {
    fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.0.extend(bytes);
        let mut whole = Vec::new();
        loop {
            let mut rest = &self.0[..];
            if serialize::read_message(&mut rest, ReaderOptions::new()).is_err() {
                return whole;
            }
            let length = self.0.len() - rest.len();
            whole.push(self.0.drain(..length).collect());
        }
    }
}

struct Writer {
    output: Box<dyn AsyncWrite + Unpin>,
    chart: Rc<RefCell<Chart>>,
    doctor: Doctor,
    frames: Frames,
    out: VecDeque<u8>,
}

impl Writer {
    /// Whether a frame is to go on.
    fn passes(&self, frame: &[u8]) -> bool {
        let parsed = serialize::read_message(&mut &frame[..], ReaderOptions::new()).expect("a whole frame");
        let chart = &mut *self.chart.borrow_mut();
        match parsed.get_root::<message::Reader<'_>>().expect("a root").which() {
            Ok(message::Release(_)) if self.doctor == Doctor::OneRelease && !chart.dropped => {
                chart.dropped = true;
                false
            }
            Ok(message::Disembargo(disembargo)) if self.doctor == Doctor::NoEmbargo => {
                let context = disembargo.expect("a disembargo").get_context().which().expect("a context");
                let disembargo::context::SenderLoopback(id) = context else { return true };
                let mut answer = capnp::message::Builder::new_default();
                let root = answer.init_root::<message::Builder<'_>>().init_disembargo();
                root.init_context().set_receiver_loopback(id);
                chart.injected.push_back(serialize::write_message_to_words(&answer));
                if let Some(reader) = chart.reader.take() {
                    reader.wake();
                }
                false
            }
            _ => true,
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        for frame in self.frames.push(bytes) {
            if self.passes(&frame) {
                self.out.extend(frame);
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.out.is_empty() {
            let (bytes, _) = this.out.as_slices();
            let written = futures::ready!(Pin::new(&mut this.output).poll_write(cx, bytes))?;
            this.out.drain(..written);
        }
        Pin::new(&mut this.output).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        futures::ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.output).poll_close(cx)
    }
}

struct Reader {
    input: Box<dyn AsyncRead + Unpin>,
    chart: Rc<RefCell<Chart>>,
    frames: Frames,
    /// Of whole frames: what was injected goes between them.
    ready: VecDeque<u8>,
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        while this.ready.is_empty() {
            this.chart.borrow_mut().reader = Some(cx.waker().clone());
            if let Some(frame) = this.chart.borrow_mut().injected.pop_front() {
                this.ready.extend(frame);
                break;
            }
            let mut bytes = [0; 4096];
            let read = futures::ready!(Pin::new(&mut this.input).poll_read(cx, &mut bytes))?;
            if read == 0 {
                return Poll::Ready(Ok(0));
            }
            for frame in this.frames.push(&bytes[..read]) {
                this.ready.extend(frame);
            }
        }
        let (bytes, _) = this.ready.as_slices();
        let length = bytes.len().min(into.len());
        into[..length].copy_from_slice(&bytes[..length]);
        this.ready.drain(..length);
        Poll::Ready(Ok(length))
    }
}
