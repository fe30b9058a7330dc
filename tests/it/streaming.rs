//! Streaming calls: their answers keep their place, and nobody is blamed for not waiting for them.
//!
//! The schema belongs to a user: neither gates nor oracles know which of its methods stream.

use capnp::Error;
use capnp::capability::FromClientHook;
use std::cell::Cell;
use std::rc::Rc;
use wavetank::schema::sink_capnp::{sink, source};
use wavetank::{Clock, Event};
use wavetank_lab::guests;
use wavetank_sim::oracle::{Blame, Oracle};
use wavetank_sim::world::yield_now;
use wavetank_sim::{Choices, Outcome, Profile, Run, Setup, StrategyName, World, run};
use wavetank_tests::{finished, setup};
use wavetank_trace::frames::{Direction, Message, Question};

/// How a sink takes its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// At once, and it reads the parameters.
    Quick,
    /// At once, without reading the parameters.
    Blind,
    /// At once, by a function that is not `async`.
    Plain,
    /// After two pauses.
    Pausing,
    /// After a millisecond.
    Slow,
    /// The third piece fails at once.
    Fails,
    /// The third piece fails after a pause.
    FailsLate,
}

const SORTS: [Sort; 5] = [Sort::Quick, Sort::Blind, Sort::Plain, Sort::Pausing, Sort::Slow];
const FAILING: [Sort; 2] = [Sort::Fails, Sort::FailsLate];

struct Taker {
    sort: Sort,
    clock: Clock,
    total: Cell<u32>,
}

impl Taker {
    async fn take(self: Rc<Self>, params: Option<sink::PushParams>) -> Result<(), Error> {
        match self.sort {
            Sort::Pausing | Sort::FailsLate => {
                yield_now().await;
                yield_now().await;
            }
            Sort::Slow => self.clock.sleep(1_000_000).await,
            _ => {}
        }
        let number = match params {
            Some(params) => params.get()?.get_number(),
            None => self.total.get(),
        };
        assert_eq!(number, self.total.get(), "a stream in order");
        if number == 2 && FAILING.contains(&self.sort) {
            return Err(Error::failed("the third fails".into()));
        }
        self.total.set(number + 1);
        Ok(())
    }
}

impl sink::Server for Taker {
    fn push(self: Rc<Self>, params: sink::PushParams) -> impl Future<Output = Result<(), Error>> + 'static {
        let is_plain = self.sort == Sort::Plain;
        let counts = self.clone();
        if is_plain {
            counts.total.set(counts.total.get() + 1);
        }
        let params = (!matches!(self.sort, Sort::Plain | Sort::Blind)).then_some(params);
        async move { if is_plain { Ok(()) } else { self.take(params).await } }
    }

    async fn done(self: Rc<Self>, _: sink::DoneParams, mut results: sink::DoneResults) -> Result<(), Error> {
        results.get().set_total(self.total.get());
        Ok(())
    }

    async fn note(self: Rc<Self>, _: sink::NoteParams, _: sink::NoteResults) -> Result<(), Error> {
        Ok(())
    }
}

struct Start(sink::Client);

impl source::Server for Start {
    async fn sink(
        self: Rc<Self>,
        _: source::SinkParams,
        mut results: source::SinkResults,
    ) -> Result<(), Error> {
        results.get().set_sink(self.0.clone());
        Ok(())
    }
}

fn streams(way: &'static str, sort: Sort) -> impl Fn(&mut World) + Send + Sync {
    move |world| {
        let taker = Taker { sort, clock: world.clock(), total: Cell::new(0) };
        let start: source::Client = capnp_rpc::new_client(Start(capnp_rpc::new_client(taker)));
        let guest = world.cell("streamer", guests::STREAMER).args([way]);
        // A guest that asks for the end learns that the stream failed; a guest that does not ask cannot know.
        let is_told = FAILING.contains(&sort) && way != "exit";
        guest.serve(start.client).spawn().expect_exit(i32::from(is_told));
    }
}

fn under(profile: Profile, seed: u64) -> Setup {
    Setup { choices: Choices::Drawn(StrategyName::Portfolio, profile), ..setup(seed) }
}

const SEEDS: u64 = 60;

/// Setups of both profiles. A calm profile varies only the order of events, and the answers raced most there.
fn setups() -> impl Iterator<Item = Setup> {
    [Profile::swarm(), Profile::calm()]
        .into_iter()
        .flat_map(|profile| (0..SEEDS).map(move |seed| under(profile.clone(), seed)))
}

#[track_caller]
fn is_clean(way: &'static str, sort: Sort) {
    for setup in setups() {
        let run = run(streams(way, sort), &setup);
        assert!(run.outcome.is_finished(), "{way}, {sort:?}, seed {}: {}", run.seed, run.outcome);
        answers_keep_their_place(&run, sort);
    }
}

/// The answers to all calls on the sink go out in the order in which the calls came in.
#[track_caller]
fn answers_keep_their_place(run: &Run, sort: Sort) {
    let links = run.frames();
    let mut asked = Vec::new();
    let mut answered = Vec::new();
    for frame in links.iter().flat_map(|link| &link.frames) {
        match (&frame.message, frame.direction) {
            (Message::Call(call), Direction::Up) if call.interface_id == SINK => asked.push(call.question),
            (Message::Return(answer), Direction::Down) if asked.contains(&answer.question) => {
                answered.push(answer.question);
            }
            _ => {}
        }
    }
    // After a failed stream no further call begins: the errors of the waiting calls race, even without gates.
    let ordered = if FAILING.contains(&sort) { answered.len().min(3) } else { answered.len() };
    // Calls that were cut off by the end of the guest have no answer.
    assert_eq!(answered[..ordered], asked[..ordered], "{sort:?}, seed {}", run.seed);
}

/// The id of `Sink`.
const SINK: u64 = <sink::Client as capnp::traits::HasTypeId>::TYPE_ID;

#[test]
fn a_stream_that_is_awaited_to_its_end_is_clean() {
    for sort in SORTS {
        is_clean("done", sort);
        is_clean("pipelined", sort);
    }
}

#[test]
fn a_stream_whose_end_nobody_asks_for_is_clean() {
    for sort in SORTS {
        is_clean("exit", sort);
    }
}

#[test]
fn a_stream_that_fails_is_clean() {
    for sort in FAILING {
        is_clean("done", sort);
        is_clean("pipelined", sort);
    }
}

/// The faulty twins: a call that could have been awaited, and whose promise is kept for ever. From outside, `note`
/// differs from a streaming call only in its server's actions.
#[test]
fn a_kept_promise_of_a_call_that_does_not_stream_is_found() {
    for way in ["leak", "leak-note"] {
        for sort in SORTS {
            for profile in [Profile::swarm(), Profile::calm()] {
                let found = (0..SEEDS).find_map(|seed| {
                    match run(streams(way, sort), &under(profile.clone(), seed)).outcome {
                        Outcome::Violated(finding) => Some(finding),
                        Outcome::Finished => None,
                        other => panic!("{way}, {sort:?}: {other}"),
                    }
                });
                let finding = found.unwrap_or_else(|| panic!("{way}, {sort:?}, {profile}: not found"));
                assert_eq!(
                    (finding.oracle, &finding.blame),
                    (Oracle::Ledger, &Blame::Guest("streamer".into()))
                );
                assert!(finding.what.contains("never returned"), "{}", finding.what);
            }
        }
    }
}

#[test]
fn gates_find_out_which_methods_stream() {
    for sort in SORTS.into_iter().chain(FAILING) {
        for setup in setups().step_by(7) {
            let run = run(streams("exit", sort), &setup);
            let streams = run.transcript.events.iter().filter_map(|event| match event {
                Event::Streams { interface, method } => Some((*interface, *method)),
                _ => None,
            });
            assert_eq!(streams.collect::<Vec<_>>(), [(SINK, 0)], "{sort:?}, seed {}", run.seed);
        }
    }
}

/// Two capabilities of one object, from two answers: a stream on one, and other calls on both.
fn on_two_capabilities(world: &mut World) {
    let taker = Taker { sort: Sort::Quick, clock: world.clock(), total: Cell::new(0) };
    let start: source::Client = capnp_rpc::new_client(Start(capnp_rpc::new_client(taker)));
    let (caller, server) = (world.vat("caller"), world.vat("server"));
    let nothing = capnp_rpc::new_broken_cap(Error::failed("nothing is served on this end".into()));
    let [seen, _] = world.join("line", [(caller, nothing), (server, start.client)]);
    let seen = source::Client::new(seen.hook);
    world.task_of(caller, "caller", async move {
        let sink = async || {
            let answer = seen.sink_request().send().promise.await.unwrap();
            answer.get().unwrap().get_sink().unwrap()
        };
        let (one, other) = (sink().await, sink().await);
        for number in 0..2 {
            let mut request = one.push_request();
            request.get().set_number(number);
            request.send().await.unwrap();
        }
        let notes = [other.note_request().send().promise, one.note_request().send().promise];
        for note in notes {
            note.await.unwrap();
        }
    });
}

#[test]
fn one_object_is_one_stream_and_other_answers_still_vary() {
    let mut reversed = 0;
    for seed in 0..100 {
        let run = finished(on_two_capabilities, &setup(seed));
        let links = run.frames();
        let mut calls: Vec<(Question, usize)> = Vec::new();
        let mut answers = Vec::new();
        let mut sent = 0;
        for frame in links.iter().flat_map(|link| &link.frames) {
            match &frame.message {
                Message::Call(call) if call.interface_id == SINK => {
                    calls.push((call.question, sent));
                    sent += 1;
                }
                Message::Return(answer) => {
                    answers.extend(calls.iter().find(|(question, _)| *question == answer.question).copied());
                    calls.retain(|(question, _)| *question != answer.question);
                }
                _ => {}
            }
        }
        let places: Vec<usize> = answers.iter().map(|(_, place)| *place).collect();
        assert_eq!(places[..2], [0, 1], "seed {seed}: the stream comes first");
        reversed += u32::from(places[2..] == [3, 2]);
    }
    assert!(reversed > 5, "{reversed} of 100 seeds answer the second note first");
}
