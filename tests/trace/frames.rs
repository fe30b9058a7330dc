use std::sync::Arc;

use crate::traffic::{Handout, Manner, PEER_REQUEST, Session, executor, peer_schema};
use wavetank_trace::Decoder;
use wavetank_trace::frames::{Direction, Frame, Message};
use wavetank_trace::ledger::Ledger;
use wavetank_trace::schema::Schema;

/// The calls of pid0: it asks for a process in one go, waits for it, and calls once more.
fn boot(session: &Session) {
    let executor = session.host().executor_request().send().pipeline.get_executor();
    let mut run = executor.run_bytes_request();
    run.get().set_wasm(&[7; 500]);
    run.get().init_args(1).set(0, "child-echo");
    run.get().init_env(1).set(0, "GREETING=hello");
    let wait = run.send().pipeline.get_process().wait_request().send();
    session.spawn(async move {
        let code = wait.promise.await.expect("the child exits").get().expect("results").get_exit_code();
        let mut echo = executor.echo_request();
        echo.get().set_message(format!("it said \"{code}\""));
        echo.send().promise.await.expect("the host echoes");
    });
}

fn booted() -> Session {
    let mut session = Session::new(Manner::default());
    boot(&session);
    session.settle();
    session.exit(3);
    session.leave();
    session
}

#[test]
fn a_session_reads_like_its_program() {
    assert_eq!(
        booted().lines(0),
        [
            "→ bootstrap  q1",
            "→ call       q2 on q1 Host.executor ()",
            "→ call       q3 on q2.executor Executor.runBytes (wasm = Data(500 bytes, e08c76fb…), \
             args = [\"child-echo\"], env = [\"GREETING=hello\"], detached = false)",
            "→ call       q4 on q3.process Process.wait ()",
            "→ finish     q3 releasing",
            "← return     q1 bootstrap (host's bootstrap)",
            "← return     q2 Host.executor (executor = host's Executor)",
            "→ release    host's bootstrap ×1",
            "← return     q3 Executor.runBytes (process = host's Process)",
            "→ release    host's Executor ×1",
            "← return     q4 Process.wait (exitCode = 3), needs no finish",
            "→ call       q5 on q2.executor Executor.echo (message = \"it said \\\"3\\\"\")",
            "← return     q5 Executor.echo (response = \"Echo: it said \\\"3\\\"\"), needs no finish",
            "→ finish     q2",
            "→ finish     q1",
            "→ abort      disconnected \"client requested disconnect\"",
            "← abort      disconnected \"remote exception: client requested disconnect\"",
        ]
    );
}

#[test]
fn exceptions_and_lists_of_structs_are_spelled_out() {
    let mut session = Session::new(Manner::default());
    let connect = session.host().connect_request().send();
    let peers = session.host().peers_request().send();
    let id = session.host().id_request().send();
    session.settle();
    drop((connect, peers, id));
    session.leave();
    assert_eq!(
        session.lines(4)[1..6],
        [
            "← return     q2 Host.connect failed \"no such peer\"",
            "→ release    host's bootstrap ×1",
            "← return     q3 Host.peers (peers = [(peerId = \"b\", addrs = [\"/b\"])]), needs no finish",
            "← return     q4 Host.id unimplemented \"method host::Server::id not implemented\"",
            "→ finish     q2",
        ]
    );
}

#[test]
fn a_promise_resolves() {
    let mut session = Session::new(Manner { executor: Handout::Promise, ..Manner::default() });
    let executor = session.take_executor();
    let before = session.frames().len();
    assert_eq!(
        session.ledger().open()[1].to_string(),
        "promise of host's Executor: 1 reference, a promise never resolved"
    );
    session.exit(0);
    // Export 0, the bootstrap capability, was released: its number is used again.
    assert_eq!(
        session.lines(before),
        [
            "← resolve    promise of host's Executor to host's Executor",
            "→ release    promise of host's Executor ×1"
        ]
    );
    drop(executor);
}

#[test]
fn an_embargo_goes_out_and_comes_back() {
    let mut session = Session::new(Manner { asks_back: true, ..Manner::default() });
    let executor = session.host().executor_request().send().pipeline.get_executor();
    let process = executor.run_bytes_request().send().pipeline.get_process();
    let cap = process.bootstrap_request().send().pipeline.get_cap();
    let own: executor::Client = capnp::capability::FromClientHook::new(cap.as_cap());
    let echo = own.echo_request().send();
    session.settle();
    assert_eq!(
        session.lines(12),
        [
            "← return     q4 Process.bootstrap (cap = q6)",
            "← call       q7 on q6 Executor.echo (message = \"\")",
            "→ release    host's Process ×1",
            "← release    cell's bootstrap ×1",
            "→ disembargo q4.cap senderLoopback 0",
            "→ return     q7 Executor.echo (response = \"Echo: \"), needs no finish",
            "← disembargo q6 receiverLoopback 0",
            "← return     q5 Executor.echo (response = \"Echo: \"), needs no finish",
        ]
    );
    assert_eq!(session.ledger().violations(), []);
    drop((echo, own, cap, process, executor));
}

#[test]
fn one_byte_at_a_time_gives_the_same_frames() {
    let session = booted();
    let mut decoder = Decoder::new(peer_schema());
    let mut frames = Vec::new();
    for (direction, bytes) in session.written() {
        for byte in bytes {
            frames.extend(decoder.push(direction, &[byte]));
        }
    }
    assert_eq!(frames, session.frames());
    assert_eq!(decoder.pending_bytes(Direction::Up), 0);
    assert_eq!(decoder.close(Direction::Up).to_string(), "→ closed");
    decoder.push(Direction::Down, &[0; 5]);
    assert_eq!(decoder.close(Direction::Down).to_string(), "← closed     with 5 bytes of a frame");
}

#[test]
fn without_a_schema_numbers_stand_for_names() {
    let mut decoder = Decoder::new(Arc::default());
    let written = booted().written();
    let frames = written.iter().flat_map(|(direction, bytes)| decoder.push(*direction, bytes));
    let lines: Vec<_> = frames.map(|frame| frame.to_string()).collect();
    assert_eq!(
        lines[2],
        "→ call       q3 on q2.ptr0 @0xb45073bf89ae3949.method0 ({0, ptr0 = Data(500 bytes, e08c76fb…), \
         ptr1 = [\"child-echo\"], ptr2 = [\"GREETING=hello\"]})"
    );
    assert_eq!(lines[8], "← return     q3 @0xb45073bf89ae3949.method0 ({ptr0 = host's capability 2})");
}

#[test]
fn arbitrary_bytes_become_lines_and_never_panic() {
    let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
    let mut kinds = [0u32; 3];
    for _ in 0..4000 {
        // A frame that is correct down to its root and its kind of message, so that the readers behind it meet the
        // noise. Much of the noise is in few and low bits, for pointers that lead somewhere.
        let words = 3 + random.below(40);
        let size_of_body = random.below(5) << 32 | random.below(4) << 48;
        let mut bytes = vec![0, 0, 0, 0, words as u8, 0, 0, 0];
        bytes.extend(((1u64 << 32) | (1 << 48)).to_le_bytes());
        bytes.extend(random.below(16).to_le_bytes());
        bytes.extend(size_of_body.to_le_bytes());
        for _ in 3..words {
            let few = [u64::MAX, 0x0003_0003_0000_003f, 0x0000_00ff_0000_003f, 0x7][random.below(4) as usize];
            bytes.extend((random.next() & few).to_le_bytes());
        }
        let mut decoder = Decoder::new(peer_schema());
        for frame in judge(decoder.push(Direction::Up, &bytes)) {
            kinds[match frame.message {
                Message::Garbled(_) => 0,
                Message::Provide { .. } | Message::Accept { .. } | Message::Join { .. } => 1,
                Message::Other(_) => 1,
                _ => 2,
            }] += 1;
        }
        let noise: Vec<u8> = (0..random.below(200)).map(|_| random.next() as u8).collect();
        judge(decoder.push(Direction::Down, &noise));
    }
    assert!(kinds.iter().all(|count| *count > 100), "each kind of frame was met: {kinds:?}");
}

#[test]
fn real_frames_with_flipped_bits_never_panic() {
    let mut asks_back = Session::new(Manner { asks_back: true, executor: Handout::Promise });
    boot(&asks_back);
    asks_back.settle();
    asks_back.exit(0);
    let tapes = [booted().written(), asks_back.written()];
    let mut random = Xorshift(0x0123_4567_89ab_cdef);
    let schema = peer_schema();
    let mut kinds = [0u32; 2];
    for case in 0..4000 {
        let mut tape = tapes[case % 2].clone();
        for _ in 0..=random.below(4) {
            let (_, bytes) = &mut tape[random.below(tapes[case % 2].len() as u64) as usize];
            let bit = random.below(bytes.len() as u64 * 8) as usize;
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let mut decoder =
            Decoder::new(if case % 4 == 0 { forge_schema(&mut random) } else { schema.clone() });
        let frames = tape.iter().flat_map(|(direction, bytes)| decoder.push(*direction, bytes));
        for frame in judge(frames.collect()) {
            kinds[usize::from(matches!(frame.message, Message::Garbled(_)))] += 1;
        }
    }
    assert!(kinds.iter().all(|count| *count > 100), "whole and garbled frames were met: {kinds:?}");
}

/// The peer schema with a few bits flipped, if the result can still be read.
fn forge_schema(random: &mut Xorshift) -> Arc<Schema> {
    let mut request = PEER_REQUEST.to_vec();
    for _ in 0..4 {
        let bit = random.below(request.len() as u64 * 8) as usize;
        request[bit / 8] ^= 1 << (bit % 8);
    }
    Schema::from_request(&request).map_or_else(|_| peer_schema(), Arc::new)
}

/// Prints frames and enters them into a ledger, as users will.
fn judge(frames: Vec<Frame>) -> Vec<Frame> {
    let mut ledger = Ledger::default();
    for frame in &frames {
        ledger.apply(frame);
        assert!(!frame.to_string().contains('\n'), "one line: {frame}");
        assert!(frame.to_string().len() < 1 << 20, "a line is bounded");
    }
    ledger.open().iter().for_each(|entry| drop(entry.to_string()));
    ledger.violations().iter().for_each(|violation| drop(violation.to_string()));
    frames
}

struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
