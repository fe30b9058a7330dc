//! Sessions that were captured elsewhere: every field, every cut, and bytes that make no sense.

use capnp::message::{Builder, HeapAllocator};
use capnp_rpc::rpc_capnp::{exception, message};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use wavetank_trace::decode_session;
use wavetank_trace::frames::{Direction, Message};
use wavetank_trace::schema::Schema;
use wavetank_trace::session::{Decoded, Options, Order, Packing, Session};

use crate::traffic::{Handout, Manner, Session as Traffic, peer_schema};

fn frame(build: impl FnOnce(message::Builder)) -> Vec<u8> {
    let mut builder = Builder::new(HeapAllocator::new());
    build(builder.init_root());
    capnp::serialize::write_message_to_words(&builder)
}

fn decoded(up: &[u8], down: &[u8], options: Options) -> Decoded {
    let mut session = Session::new(peer_schema(), options);
    session.push(Direction::Up, up);
    session.push(Direction::Down, down);
    session.finish()
}

fn lines(decoded: &Decoded) -> Vec<String> {
    decoded.entries.iter().map(|entry| format!("{} {entry}", entry.byte)).collect()
}

/// The bytes of a real session in both directions, with calls back and promises.
fn real() -> (Vec<u8>, Vec<u8>) {
    let mut traffic = Traffic::new(Manner { executor: Handout::Promise, asks_back: true });
    let executor = traffic.take_executor();
    let mut run = executor.run_bytes_request();
    run.get().set_wasm(&[7; 500]);
    let process = run.send().pipeline.get_process();
    let back = process.bootstrap_request().send();
    let mut echo = executor.echo_request();
    echo.get().set_message("early");
    let early = echo.send();
    traffic.settle();
    traffic.exit(3);
    drop((back, early, process));
    traffic.settle();
    let mut echo = executor.echo_request();
    echo.get().set_message("late");
    traffic.spawn(async move { drop(echo.send().promise.await) });
    traffic.settle();
    drop(executor);
    traffic.leave();
    let of = |wanted| {
        let written = traffic.written();
        written.iter().filter(|(way, _)| *way == wanted).flat_map(|(_, bytes)| bytes.clone()).collect()
    };
    (of(Direction::Up), of(Direction::Down))
}

#[test]
fn every_kind_and_field_of_the_protocol_is_printed() {
    let set_exception = |mut exception: exception::Builder| {
        exception.set_reason("why");
        exception.set_type(exception::Type::Overloaded);
        exception.set_trace("where");
        exception.set_obsolete_is_callers_fault(true);
        exception.set_obsolete_durability(2);
    };
    let table: Vec<(Vec<u8>, &str, &[&str])> = vec![
        (
            frame(|m| {
                let mut bootstrap = m.init_bootstrap();
                bootstrap.set_question_id(1);
                bootstrap.init_deprecated_object_id().set_as("id").expect("a text");
            }),
            "→ bootstrap  q1, deprecatedObjectId = \"id\"",
            &["questionId = 1"],
        ),
        (
            frame(|m| {
                let mut call = m.init_call();
                call.set_question_id(2);
                call.set_interface_id(0xabcd);
                call.set_method_id(9);
                call.set_allow_third_party_tail_call(true);
                call.set_no_promise_pipelining(true);
                call.set_only_promise_pipeline(true);
                let mut answer = call.reborrow().init_target().init_promised_answer();
                answer.set_question_id(1);
                let mut ops = answer.init_transform(2);
                ops.reborrow().get(0).set_noop(());
                ops.reborrow().get(1).set_get_pointer_field(4);
                let mut params = call.reborrow().init_params();
                params.reborrow().init_content().set_as("hi").expect("a text");
                let mut caps = params.init_cap_table(6);
                caps.reborrow().get(0).set_none(());
                caps.reborrow().get(1).set_sender_hosted(1);
                caps.reborrow().get(2).set_sender_promise(2);
                caps.reborrow().get(3).set_receiver_hosted(3);
                caps.reborrow().get(4).init_receiver_answer().set_question_id(1);
                let mut third = caps.reborrow().get(5);
                third.set_attached_fd(5);
                let mut third = third.init_third_party_hosted();
                third.set_vine_id(6);
                third.init_id().set_as("far").expect("a text");
                call.init_send_results_to().init_third_party().set_as("them").expect("a text");
            }),
            "→ call       q2 on q1.ptr4 @0x000000000000abcd.method9 (\"hi\"), results to a third party, \
             allowThirdPartyTailCall = true, noPromisePipelining = true, onlyPromisePipeline = true, \
             id = \"far\", attachedFd = 5, thirdParty = \"them\"",
            &["senderHosted = 1", "senderPromise = 2", "receiverHosted = 3", "vineId = 6", "noop = void"],
        ),
        (
            frame(|m| {
                let mut call = m.init_call();
                call.set_question_id(3);
                call.reborrow().init_target().set_imported_cap(8);
                call.init_send_results_to().set_yourself(());
            }),
            "→ call       q3 on server's capability (export 8) @0x0000000000000000.method0 (null), \
             results to yourself",
            &["importedCap = 8", "yourself = void"],
        ),
        (
            frame(|m| {
                let mut answer = m.init_return();
                answer.set_answer_id(7);
                answer.set_no_finish_needed(true);
                answer.set_release_param_caps(false);
                answer.init_accept_from_third_party().set_as("them").expect("a text");
            }),
            "→ return     q? (id 7) unknown accepted from a third party, needs no finish, \
             acceptFromThirdParty = \"them\"",
            &["answerId = 7", "noFinishNeeded = true", "releaseParamCaps = false"],
        ),
        (
            frame(|m| m.init_return().set_take_from_other_question(3)),
            "→ return     q? (id 0) unknown taken from q3, releasing params",
            &["takeFromOtherQuestion = 3"],
        ),
        (
            frame(|m| m.init_return().set_results_sent_elsewhere(())),
            "→ return     q? (id 0) unknown sent elsewhere, releasing params",
            &["resultsSentElsewhere = void"],
        ),
        (
            frame(|m| m.init_return().set_canceled(())),
            "→ return     q? (id 0) unknown canceled, releasing params",
            &["canceled = void"],
        ),
        (
            frame(|m| set_exception(m.init_return().init_exception())),
            "→ return     q? (id 0) unknown overloaded \"why\"",
            &["trace = \"where\"", "obsoleteIsCallersFault = true", "obsoleteDurability = 2"],
        ),
        (
            frame(|m| {
                let mut finish = m.init_finish();
                finish.set_question_id(3);
                finish.set_release_result_caps(false);
                finish.set_require_early_cancellation_workaround(false);
            }),
            "→ finish     q3, requireEarlyCancellationWorkaround = false",
            &["releaseResultCaps = false"],
        ),
        (
            frame(|m| {
                let mut resolve = m.init_resolve();
                resolve.set_promise_id(2);
                resolve.init_cap().set_receiver_hosted(3);
            }),
            "→ resolve    promise of client's capability 2 to server's capability (export 3)",
            &["promiseId = 2"],
        ),
        (
            frame(|m| {
                let mut release = m.init_release();
                release.set_id(3);
                release.set_reference_count(4);
            }),
            "→ release    server's capability (export 3) ×4",
            &["referenceCount = 4"],
        ),
        (
            frame(|m| {
                let mut disembargo = m.init_disembargo();
                disembargo.reborrow().init_target().set_imported_cap(3);
                disembargo.init_context().set_provide(5);
            }),
            "→ disembargo server's capability (export 3) of a third party, provide = 5",
            &["importedCap = 3"],
        ),
        (
            frame(|m| {
                let mut disembargo = m.init_disembargo();
                disembargo.reborrow().init_target().set_imported_cap(3);
                disembargo.init_context().set_accept(());
            }),
            "→ disembargo server's capability (export 3) of a third party, accept = void",
            &[],
        ),
        (
            frame(|m| {
                let mut provide = m.init_provide();
                provide.set_question_id(4);
                provide.reborrow().init_target().set_imported_cap(3);
                provide.init_recipient().set_as("carol").expect("a text");
            }),
            "→ provide    q4 of server's capability (export 3) to \"carol\"",
            &["questionId = 4"],
        ),
        (
            frame(|m| {
                let mut accept = m.init_accept();
                accept.set_question_id(5);
                accept.set_embargo(true);
                accept.init_provision().set_as("token").expect("a text");
            }),
            "→ accept     q5 of \"token\", after an embargo",
            &["embargo = true"],
        ),
        (
            frame(|m| {
                let mut join = m.init_join();
                join.set_question_id(6);
                join.reborrow().init_target().init_promised_answer().set_question_id(5);
                join.init_key_part().set_as("part").expect("a text");
            }),
            "→ join       q6 on q5 with \"part\"",
            &["keyPart = \"part\""],
        ),
        (
            frame(|m| m.init_obsolete_save().set_as("ref").expect("a text")),
            "→ other      obsoleteSave, (obsoleteSave = \"ref\")",
            &[],
        ),
        (
            frame(|m| m.init_obsolete_delete().set_as("ref").expect("a text")),
            "→ other      obsoleteDelete, (obsoleteDelete = \"ref\")",
            &[],
        ),
        (
            frame(|m| m.init_unimplemented().init_finish().set_question_id(1)),
            "→ unimplemented: finish     q? (id 1) releasing",
            &["questionId = 1"],
        ),
        (frame(|m| set_exception(m.init_abort())), "→ abort      overloaded \"why\"", &["trace = \"where\""]),
    ];
    let up: Vec<u8> = table.iter().flat_map(|(bytes, ..)| bytes.clone()).collect();
    let decoded = decoded(&up, &[], Options::default());
    assert_eq!(decoded.order, Order::OneDirection);
    for ((_, line, fields), entry) in table.iter().zip(&decoded.entries) {
        // What a stack trace adds is tested with the frames.
        assert!(entry.to_string().starts_with(line), "{entry}\n{line}");
        let all = entry.fields.as_ref().expect("a message").to_string();
        for field in *fields {
            assert!(all.contains(field), "{all} lacks {field}");
        }
        assert!(!entry.is_malformed(), "{entry}");
    }
    assert_eq!(decoded.entries.len(), table.len());
}

#[test]
fn what_a_newer_protocol_adds_is_printed_by_its_number() {
    // A Finish of two data words, and a message of kind 99: no schema of today has either.
    let mut newer = vec![0, 0, 0, 0, 5, 0, 0, 0];
    for word in [0x0001_0001_0000_0000_u64, 4, 0x0000_0002_0000_0000, 1, 0xbeef] {
        newer.extend(word.to_le_bytes());
    }
    newer.extend([0, 0, 0, 0, 3, 0, 0, 0]);
    for word in [0x0001_0001_0000_0000_u64, 99, 0] {
        newer.extend(word.to_le_bytes());
    }
    assert_eq!(
        decode_session(&Schema::default(), &newer, &[]),
        "→ finish     q? (id 1) releasing, unknown = {0, 48879}\n\
         → other      message of an unknown kind, (union = 99)\n"
    );
}

#[test]
fn a_captured_session_reads_like_the_live_one() {
    let (up, down) = real();
    let decoded = decoded(&up, &down, Options::default());
    assert_eq!(decoded.order, Order::Causal);
    assert_eq!(decoded.client.packing, Packing::Unpacked);
    let mut seen: Vec<u64> = Vec::new();
    for entry in &decoded.entries {
        match &entry.frame.message {
            Message::Call(call) => seen.push(call.question.number),
            Message::Return(answer) => {
                assert!(answer.call.is_some(), "an answer before its question: {entry}");
                assert!(
                    seen.contains(&answer.question.number) || answer.call.as_deref() == Some("bootstrap")
                );
            }
            Message::Garbled(reason) => panic!("{reason}"),
            _ => {}
        }
        assert!(!entry.to_string().contains("q?") && !entry.to_string().contains("(export"), "{entry}");
        assert!(!entry.is_malformed(), "{entry}");
    }
    assert!(seen.len() > 4, "{:#?}", lines(&decoded));
}

#[test]
fn every_cut_gives_the_same_entries() {
    let (up, down) = real();
    for packing in [Packing::Unpacked, Packing::Packed] {
        let stream = |bytes: &[u8]| if packing == Packing::Packed { pack(bytes) } else { bytes.to_vec() };
        let (up, down) = (stream(&up), stream(&down));
        let whole = decoded(&up, &down, Options::default());
        assert_eq!((whole.client.packing, whole.server.packing), (packing, packing));
        for cut in (0..up.len()).step_by(7).chain([1, 2, 3, up.len() - 1]) {
            let mut session = Session::new(peer_schema(), Options::default());
            session.push(Direction::Up, &up[..cut]);
            session.push(Direction::Down, &down[..cut.min(down.len())]);
            session.push(Direction::Up, &up[cut..]);
            session.push(Direction::Down, &down[cut.min(down.len())..]);
            assert_eq!(session.finish(), whole, "cut at {cut}");
        }
        let mut bytewise = Session::new(peer_schema(), Options::default());
        up.chunks(1).for_each(|byte| bytewise.push(Direction::Up, byte));
        down.chunks(1).for_each(|byte| bytewise.push(Direction::Down, byte));
        assert_eq!(bytewise.finish(), whole);
    }
}

/// Packs a stream of whole words, without runs.
fn pack(stream: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    for word in stream.chunks(8) {
        let is_set = |at: usize| u8::from(word[at] != 0) << at;
        let tag = (0..8).map(is_set).sum();
        packed.push(tag);
        packed.extend(word.iter().filter(|byte| **byte != 0));
        if tag == 0 || tag == 0xff {
            packed.push(0);
        }
    }
    packed
}

#[test]
fn a_malformed_message_has_the_byte_and_the_reason() {
    let bootstrap = frame(|m| m.init_bootstrap().set_question_id(3));
    let mut torn = bootstrap.clone();
    // The pointer to the Bootstrap leads out of the message.
    torn[24] = 0xfc;
    let stream = [&bootstrap[..], &torn, &bootstrap, &[1, 0, 0, 0xff, 9, 9, 9, 9]].concat();
    let lines = lines(&decoded(&stream, &[], Options::default()));
    let len = bootstrap.len();
    assert_eq!(lines[0], "0 → bootstrap  q1");
    assert!(lines[1].starts_with(&format!("{len} → garbled    at byte {}: ", len + 24)), "{}", lines[1]);
    assert!(lines[1].contains("of segment 0, which has"), "{}", lines[1]);
    assert_eq!(lines[2], format!("{} → bootstrap  q2", 2 * len));
    let at = 3 * len;
    assert_eq!(lines[3], format!("{at} → garbled    at byte {at}: a segment table of 4278190082 segments"));

    let cut = self::lines(&decoded(&stream[..len + 20], &[], Options::default()));
    let ends = format!("{len} → ends       inside a message that begins at byte {len}, after 20 bytes of it");
    assert_eq!(cut[1], ends);
}

#[test]
fn hostile_bytes_never_panic_and_stay_within_bounds() {
    let (up, down) = real();
    let mut draw = ChaCha8Rng::seed_from_u64(20);
    let mut malformed = 0;
    for round in 0..400 {
        let mut bytes = if round % 2 == 0 { up.clone() } else { pack(&up) };
        for _ in 0..=draw.next_u32() % 4 {
            let at = draw.next_u32() as usize % bytes.len();
            match draw.next_u32() % 4 {
                0 => bytes[at] ^= 1 << (draw.next_u32() % 8),
                1 => bytes[at] = draw.next_u32() as u8,
                2 => bytes.truncate(at.max(1)),
                _ => drop(bytes.splice(at..at, [0xff, 0, 0xff])),
            }
        }
        let options = Options { is_whole: round % 3 == 0, ..Options::default() };
        let decoded = decoded(&bytes, &down, options);
        malformed += decoded.entries.iter().filter(|entry| entry.is_malformed()).count();
        let printed: usize = decoded.entries.iter().map(|entry| entry.to_string().len()).sum();
        assert!(printed < 1 << 22, "{printed} bytes");
    }
    assert!(malformed > 100, "{malformed}");
    for _ in 0..200 {
        let mut noise = vec![0; draw.next_u32() as usize % 300];
        draw.fill_bytes(&mut noise);
        decoded(&noise, &noise, Options::default());
    }
    // One packed byte for 2,040 zeros: a hundred thousand empty frames in a kilobyte.
    let zeros = [0u8, 0xff].repeat(500);
    let bomb = decoded(&zeros, &[], Options { packing: Some(Packing::Packed), ..Options::default() });
    assert!(bomb.entries.len() < 2_000, "{}", bomb.entries.len());
    assert!(lines(&bomb).last().is_some_and(|line| line.ends_with("the rest is left out")));
}

#[test]
fn one_direction_alone_and_an_empty_capture_are_decoded() {
    let (_, down) = real();
    let alone = decoded(&[], &down, Options::default());
    assert_eq!(alone.order, Order::OneDirection);
    assert!(alone.entries.len() > 3 && alone.client.messages == 0);
    assert_eq!(decode_session(&Schema::default(), &[], &[]), "");
}

#[test]
fn packed_bytes_say_where_they_stand_in_the_file() {
    let frames =
        [frame(|m| m.init_bootstrap().set_question_id(3)), frame(|m| m.init_finish().set_question_id(3))];
    let bytes = pack(&frames.concat());
    let decoded = decoded(&bytes, &[], Options::default());
    let places: Vec<_> = decoded.entries.iter().map(|entry| (entry.byte, entry.packed_byte)).collect();
    assert_eq!(places, [(0, Some(0)), (frames[0].len() as u64, Some(pack(&frames[0]).len() as u64))]);
}

#[test]
fn calls_are_the_same_whole_or_cut() {
    let mut traffic = Traffic::new(Manner::default());
    let executor = traffic.take_executor();
    let mut echo = executor.echo_request();
    echo.get().set_message("x".repeat(5_000));
    let echo = echo.send();
    let mut run = executor.run_bytes_request();
    run.get().set_wasm(&[7; 40]);
    let run = run.send();
    traffic.settle();
    let up: Vec<u8> = traffic
        .written()
        .iter()
        .filter(|(way, _)| *way == Direction::Up)
        .flat_map(|(_, bytes)| bytes.clone())
        .collect();
    drop((echo, run));
    let text = |is_whole| lines(&decoded(&up, &[], Options { is_whole, ..Options::default() })).join("\n");
    assert!(
        text(false).contains("… (5000 bytes") || text(false).contains("(5000 bytes, "),
        "{}",
        text(false)
    );
    assert!(text(true).contains(&"x".repeat(5_000)) && text(true).contains(&"07".repeat(40)));
}
