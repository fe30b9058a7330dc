//! Far ends of a link that break the protocol.

use super::*;
use capnp::message::ReaderOptions;
use wavetank_trace::frames::{Frame, Message, Outcome as Answer};

/// The host's server on a wire: it answers `echo`, and never answers `runBytes`, so that this keeps its parameters.
struct Server;

impl executor::Server for Server {
    async fn run_bytes(
        self: Rc<Self>,
        params: executor::RunBytesParams,
        _: executor::RunBytesResults,
    ) -> Result<(), capnp::Error> {
        std::future::pending::<()>().await;
        drop(params);
        Ok(())
    }

    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> Result<(), capnp::Error> {
        let message = params.get()?.get_message()?.to_str()?;
        results.get().set_response(message);
        Ok(())
    }
}

/// Sends these bytes to a host, and reads the host's output until all is sent. The link then ends.
fn say(bytes: Vec<u8>) -> Run {
    let talk = |input: PipeReader, output: PipeWriter, bytes: Vec<u8>| async move {
        // The write fails if the host has stopped listening.
        let saying = Box::pin(async move { output.give(bytes.into()).await });
        let hearing = Box::pin(async { while let Ok(Some(_)) = input.take(usize::MAX).await {} });
        match select(saying, hearing).await {
            Either::Left((_, hearing)) => hearing.await,
            Either::Right(_) => {}
        }
    };
    wired(move |world, RawLink { input, output, .. }| world.task("peer", talk(input, output, bytes.clone())))
}

/// Sends these bytes, and ends the link when it has received so many frames.
fn say_until_heard(bytes: Vec<u8>, frames: usize) -> Run {
    wired(move |world, RawLink { input, output, .. }| {
        let bytes = bytes.clone();
        world.task("peer", async move {
            output.give(bytes.into()).await.expect("the host hears all of it");
            let mut heard = Vec::new();
            while whole_frames(&heard) < frames {
                let piece = input.take(usize::MAX).await.expect("the link is open");
                heard.extend(piece.expect("there is more to hear"));
            }
            drop(output);
            while let Ok(Some(_)) = input.take(usize::MAX).await {}
        });
    })
}

fn whole_frames(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while serialize::read_message(&mut bytes, ReaderOptions::new()).is_ok() {
        count += 1;
    }
    count
}

fn wired(far_end: impl Fn(&World, RawLink) + Sync) -> Run {
    let build = |world: &mut World| {
        let served = capnp_rpc::new_client::<executor::Client, _>(Server);
        let wire = world.wire("peer", served.client);
        far_end(world, wire);
    };
    run(build, &setup(1))
}

/// One frame.
fn frame(fill: impl FnOnce(message::Builder<'_>)) -> Vec<u8> {
    let mut builder = Builder::new_default();
    fill(builder.init_root());
    bytes_of(&builder)
}

fn bytes_of(builder: &Builder<HeapAllocator>) -> Vec<u8> {
    let mut bytes = Vec::new();
    serialize::write_message(&mut bytes, builder).expect("memory");
    bytes
}

/// A frame of one segment with these words.
fn words(words: &[u64]) -> Vec<u8> {
    let head = [(words.len() as u64) << 32];
    head.iter().chain(words).flat_map(|word| word.to_le_bytes()).collect()
}

fn bootstrap(question: u32) -> Vec<u8> {
    frame(|message| message.init_bootstrap().set_question_id(question))
}

/// A call of `echo` (method 1) or `runBytes` (method 0) on the answer to the bootstrap question 0.
fn call(question: u32, method: u16, fill: impl FnOnce(capnp_rpc::rpc_capnp::call::Builder<'_>)) -> Vec<u8> {
    frame(|message| {
        let mut call = message.init_call();
        call.set_question_id(question);
        call.set_interface_id(executor::Client::TYPE_ID);
        call.set_method_id(method);
        call.reborrow().init_target().init_promised_answer().set_question_id(0);
        fill(call);
    })
}

fn nothing() -> capnp::capability::Client {
    capnp_rpc::new_client::<executor::Client, _>(Server).client
}

/// Asserts how a run ended, for one line of the document.
#[track_caller]
fn ends(run: &Run, reason: &str) {
    match &run.outcome {
        Outcome::Finished => {}
        // Frames that no correct side sends are reported as such, and blamed on this side.
        Outcome::Violated(finding) => {
            assert_eq!((finding.oracle, &finding.blame), (Oracle::Ledger, &Blame::Guest("peer".into())));
        }
        other => panic!("{other} {:?}", other.detail()),
    }
    let steps = run.transcript.steps.len();
    assert!(steps < 100_000, "{steps}");
    assert!(run.facts.tasks.iter().all(|task| !task.name.starts_with("rpc ")), "{:?}", run.facts.tasks);
    let said = format!("{} {:?}", link_end(run).unwrap_or_default(), run.outcome.detail());
    let heard = format!("{said} {}", transcript(run));
    assert!(heard.contains(reason), "{reason:?} is not in {heard}");
}

fn transcript(run: &Run) -> String {
    let frames = run.frames();
    frames.iter().flat_map(|link| &link.frames).map(|frame| format!("{frame}\n")).collect()
}

#[test]
fn absurd_segment_tables_end_the_link() {
    ends(&say(vec![0xff; 64]), "segments");
    ends(&say([511_u32.to_le_bytes(), [0xff; 4]].concat()), "segments");
    let mut most = 510_u32.to_le_bytes().to_vec();
    most.extend([0xff; 4 * 511]);
    ends(&say(most), "too large");
}

#[test]
fn a_frame_of_32_gibibytes_announced_ends_the_link() {
    ends(&say([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff].into()), "too large");
}

#[test]
fn a_frame_of_100_megabytes_announced_and_not_sent_ends_with_the_wire() {
    let mut bytes = 0_u32.to_le_bytes().to_vec();
    bytes.extend(12_500_000_u32.to_le_bytes());
    let run = wired(move |world, RawLink { input, output, .. }| {
        let bytes = bytes.clone();
        world.task("peer", async move {
            let _ = output.give(bytes.into()).await;
            drop(output);
            while let Ok(Some(_)) = input.take(usize::MAX).await {}
        });
    });
    ends(&run, "Premature end of file");
}

#[test]
fn noise_ends_the_link() {
    // The same noise each time: once inside a frame, and once alone.
    let noise: Vec<u64> = (1..200_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    ends(&say(words(&noise)), "out-of-bounds pointer");
    let alone = say(noise.iter().flat_map(|word| word.to_be_bytes()).collect());
    ends(&alone, "");
    assert!(link_end(&alone).is_some(), "{}", transcript(&alone));
}

#[test]
fn deep_nesting_ends_the_link_and_overflows_no_stack() {
    // Root: the message, with one data word and one pointer; kind 99, which does not exist; then pointers, each to a
    // struct of one pointer right behind it.
    let mut deep = vec![1 << 32 | 1 << 48, 99];
    deep.extend(std::iter::repeat_n(1 << 48, 100_000));
    ends(&say(words(&deep)), "too deeply-nested");
}

#[test]
fn a_pointer_bomb_is_copied_up_to_the_traversal_limit_and_no_further() {
    // A list of 200 pointers to one list of 200 pointers, and so on: 200⁴ if it is walked.
    const WIDE: u64 = 200;
    let list = |words_away: i64| 1 | (((words_away as u64) << 2) & 0xffff_ffff) | (6 | WIDE << 3) << 32;
    let mut bomb = vec![1 << 32 | 1 << 48, 99, list(0)];
    for level in 0..4_u64 {
        for place in 0..WIDE {
            let away = (WIDE - place - 1) as i64;
            bomb.push(if level == 3 { 0 } else { list(away) });
        }
    }
    ends(&say(words(&bomb)), "Read limit exceeded");
}

#[test]
fn a_table_of_sixteen_million_capabilities_ends_the_link() {
    let mut bytes = bootstrap(0);
    bytes.extend(call(1, 0, |call| {
        call.init_params().init_cap_table(MAX_CAPS + 1);
    }));
    ends(&say(bytes), "capabilities in one frame");
    // The same in 14 words, because a list of structs of no size takes no room.
    let at = |words_away: u64, data: u64, pointers: u64| words_away << 2 | data << 32 | pointers << 48;
    let count = 16_000_000;
    #[rustfmt::skip]
    let call = words(&[
        // The message, of kind call; the call: question 1, method 0; its target, and its parameters.
        at(0, 1, 1), 2, at(0, 3, 3), 1, executor::Client::TYPE_ID, 0, at(2, 1, 1), at(3, 0, 2), 0,
        // Export 0; no content; the table: its words, its tag with the count.
        0, 0, 0, 1 | 7 << 32, count << 2,
    ]);
    ends(&say([bootstrap(0), call].concat()), "over the limit: 16000000 capabilities in one frame");
}

#[test]
fn capabilities_that_there_are_not_end_the_link() {
    let mut bytes = bootstrap(0);
    bytes.extend(call(1, 1, |mut call| call.reborrow().init_target().set_imported_cap(u32::MAX)));
    ends(&say(bytes), "not a current export");
    let mut bytes = bootstrap(0);
    bytes.extend(frame(|message| {
        let mut release = message.init_release();
        release.set_id(77);
        release.set_reference_count(1);
    }));
    ends(&say(bytes), "invalid export");
}

#[test]
fn a_release_of_more_than_was_given_ends_the_link() {
    let mut bytes = bootstrap(0);
    bytes.extend(frame(|message| message.init_release().set_reference_count(u32::MAX)));
    ends(&say(bytes), "below zero");
}

#[test]
fn returns_to_questions_never_asked_end_the_link() {
    let bytes = frame(|message| {
        let mut answer = message.init_return();
        answer.set_answer_id(123_456);
        answer.init_results();
    });
    ends(&say(bytes), "Invalid question ID");
}

#[test]
fn a_question_asked_twice_ends_the_link() {
    ends(&say([bootstrap(0), bootstrap(0)].concat()), "already in use");
    let calls = [bootstrap(0), call(1, 0, |_| ()), call(1, 0, |_| ())].concat();
    ends(&say(calls), "in-use question id");
}

#[test]
fn a_promise_that_resolves_to_itself_harms_nobody() {
    use capnp_rpc::rpc_capnp::resolve;
    let mut bytes = bootstrap(0);
    // The host holds the promise as long as it holds the parameters.
    bytes.extend(call(1, 0, |call| call.init_params().init_cap_table(1).get(0).set_sender_promise(7)));
    bytes.extend(frame(|message| {
        let mut resolve: resolve::Builder<'_> = message.init_resolve();
        resolve.set_promise_id(7);
        resolve.init_cap().set_sender_promise(7);
    }));
    bytes.extend(call(2, 1, |call| call.init_params().init_cap_table(1).get(0).set_sender_promise(7)));
    bytes.extend(frame(|message| {
        let mut disembargo = message.init_disembargo();
        disembargo.reborrow().init_target().init_promised_answer().set_question_id(0);
        disembargo.init_context().set_sender_loopback(3);
    }));
    ends(&say(bytes), "does not point back to the sender");
}

#[test]
fn a_bootstrap_answered_with_something_else_is_an_exception() {
    let run = wired(|world, RawLink { link, input, output }| {
        world.task("asker", async move {
            let client = executor::Client { client: link.bootstrap().await.expect("a promise") };
            let answer = client.echo_request().send().promise.await;
            assert!(answer.is_err(), "a text was called");
        });
        world.task("peer", async move {
            // Whatever the host asks, the answer to question 0 is a struct and not a capability.
            let _ = input.take(usize::MAX).await;
            let answer = frame(|message| {
                let mut answer = message.init_return();
                answer.set_answer_id(0);
                let content = answer.init_results().init_content();
                content.init_as::<executor::echo_results::Builder<'_>>().set_response("no capability");
            });
            let _ = output.give(answer.into()).await;
            let _ = input.take(usize::MAX).await;
            drop(output);
            while let Ok(Some(_)) = input.take(usize::MAX).await {}
        });
    });
    ends(&run, "");
    assert!(run.outcome.is_finished(), "{}", run.outcome);
}

#[test]
fn a_pipeline_of_an_answer_without_the_capability_panics_in_capnp_rpc() {
    // The host asks for a process, gets an answer that holds a text in its place, and looks for the process in it.
    let run = wired(|world, RawLink { link, input, output }| {
        world.task("asker", async move {
            let client = executor::Client { client: link.bootstrap().await.expect("a link") };
            let sent = client.run_bytes_request().send();
            let _ = sent.promise.await;
            let _ = sent.pipeline.get_process();
        });
        world.task("peer", async move {
            let answer = |question: u32, cap: bool| {
                frame(|message| {
                    let mut answer = message.init_return();
                    answer.set_answer_id(question);
                    let results = answer.init_results();
                    if cap {
                        let mut results = results;
                        let mut table = Vec::new();
                        let mut content = results.reborrow().init_content();
                        content.imbue_mut(&mut table);
                        content.set_as_capability(nothing().hook);
                        results.init_cap_table(1).get(0).set_sender_hosted(0);
                    } else {
                        let content = results.init_content();
                        content.init_as::<executor::echo_results::Builder<'_>>().set_response("no process");
                    }
                })
            };
            let _ = input.take(usize::MAX).await;
            let _ = output.give(answer(0, true).into()).await;
            let _ = output.give(answer(1, false).into()).await;
            while let Ok(Some(_)) = input.take(usize::MAX).await {}
        });
    });
    let Outcome::Panicked { at, blame, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(*blame, Blame::Library("capnp-rpc"));
    assert!(at.starts_with("capnp-rpc-0.27.3/src/rpc.rs:"), "{at}");
}

#[test]
fn calls_on_what_is_no_capability_are_exceptions() {
    let mut bytes = [bootstrap(0), call(1, 1, |_| ())].concat();
    bytes.extend(call(2, 1, |call| {
        let mut answer = call.init_target().init_promised_answer();
        answer.set_question_id(1);
        answer.init_transform(1).get(0).set_get_pointer_field(0);
    }));
    // The answers to q0, q1 and q2.
    let run = say_until_heard(bytes, 3);
    ends(&run, "");
    let is_exception = |frame: &Frame| match &frame.message {
        Message::Return(answer) => answer.question.id == 2 && matches!(answer.outcome, Answer::Exception(_)),
        _ => false,
    };
    let links = run.frames();
    assert!(links.iter().flat_map(|link| &link.frames).any(is_exception), "{}", transcript(&run));
}

#[test]
fn a_peer_that_asks_and_never_reads_loses_its_link() {
    let run = wired(|world, RawLink { input, output, .. }| {
        world.task("peer", async move {
            let mut question = 0;
            while output.give(bootstrap(question).into()).await.is_ok() {
                question += 1;
            }
            assert!(question as usize <= 2 * MAX_FRAMES, "{question}");
            drop(input);
        });
    });
    ends(&run, "wait to be read by the far end");
}

#[test]
fn a_peer_that_keeps_ever_more_calls_open_loses_its_link() {
    let run = wired(|world, RawLink { input, output, .. }| {
        let reading = async move { while let Ok(Some(_)) = input.take(usize::MAX).await {} };
        world.task("reader", reading);
        world.task("peer", async move {
            let _ = output.give(bootstrap(0).into()).await;
            let mut question = 1;
            while output.give(call(question, 0, |_| ()).into()).await.is_ok() {
                question += 1;
            }
            assert!(question as usize <= 2 * MAX_FRAMES, "{question}");
        });
    });
    ends(&run, "frames of the far end that are in use");
}
