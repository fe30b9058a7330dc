//! Each oracle fires on the fault that it looks for, and is silent on the mended twin.
//!
//! If only the tank itself could cause a fault, the oracle gets a doctored transcript of a good run; the untouched
//! transcript is the twin.

mod blocking;
mod books;
mod exit;
mod invariants;
mod ledger;
mod livelock;
mod order;
mod orphans;
mod outside;
mod panics;
mod rest;

use capnp::capability::{FromClientHook, Promise};
use std::rc::Rc;
use wavetank::cell::{Cause, CellSpec, ExitRecord};
use wavetank::schema::peer_capnp::{executor, process};
use wavetank::{Event, TrapClass};
use wavetank_lab::guests;
use wavetank_sim::moves::Move;
use wavetank_sim::oracle::{Blame, Evidence, Finding, Oracle};
use wavetank_sim::outcome::Outcome;
use wavetank_sim::transcript::{LinkFrames, Transcript};
use wavetank_sim::{Limits, Run, Transport, World, peer, run};
use wavetank_tests::{finished, round_robin, scenario, setup};
use wavetank_trace::frames::{Direction, Exception, ExceptionKind, Frame, Message, Outcome as Answer};

fn guest(name: &str) -> Blame {
    Blame::Guest(name.into())
}

/// The finding that a scenario ends with.
#[track_caller]
fn violated(build: impl Fn(&mut World) + Send + Sync, seed: u64) -> Finding {
    match run(build, &setup(seed)).outcome {
        Outcome::Violated(finding) => finding,
        other => panic!("seed {seed}: {other} {:?}", other.detail()),
    }
}

type Judge = fn(&Evidence<'_>) -> Option<Finding>;

/// The finding of an oracle on a run with a changed transcript.
fn doctored(run: &Run, judge: Judge, doctor: impl FnOnce(&mut Transcript)) -> Option<Finding> {
    let frames = run.frames();
    let mut transcript = run.transcript.clone();
    doctor(&mut transcript);
    judge(&Evidence { steps: &transcript.steps, events: &transcript.events, ..Evidence::of(run, &frames) })
}

/// The finding of an oracle on a run with changed frames.
fn reframed(run: &Run, judge: Judge, doctor: impl FnOnce(&mut Vec<LinkFrames>)) -> Option<Finding> {
    let mut links = run.frames().to_vec();
    doctor(&mut links);
    judge(&Evidence::of(run, &links))
}

fn untouched(run: &Run, judge: Judge) -> Option<Finding> {
    judge(&Evidence::of(run, &run.frames()))
}

/// An executor that takes calls and answers none.
struct Mute;

impl executor::Server for Mute {
    async fn echo(
        self: Rc<Self>,
        _: executor::EchoParams,
        _: executor::EchoResults,
    ) -> Result<(), capnp::Error> {
        Promise::from_future(std::future::pending()).await
    }
}

fn mute() -> capnp::capability::Client {
    capnp_rpc::new_client::<executor::Client, _>(Mute).client
}
