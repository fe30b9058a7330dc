//! `Process` and `ByteStream`: a cell's stdin, stdout and stderr.

use super::*;

#[test]
fn stdio_that_carries_rpc_is_refused_and_stderr_works() {
    // The parent's RPC runs over a connection, but the child's imports decide for the child.
    let mut family = Family::new();
    let child = family.child(guests::CHILD_ECHO_STDIO, &["child", "hello"]);
    assert_eq!(child.cell.transport(), Transport::Stdio);
    fails(family.bare.run(child.stdin()), "stdin of child is its RPC transport");
    fails(family.bare.run(child.stdout()), "stdout of child is its RPC transport");
    let stderr = family.stderr(&child);
    assert_eq!(family.all(&stderr), b"CHILD_OK\n");
    assert_eq!(family.code(&child), 0);
}

#[test]
fn a_stream_is_written_closed_and_read_to_its_end() {
    let mut family = Family::new();
    let child = family.child(guests::PROBE, &["probe", "0"]);
    let (stdin, stdout) = (family.stdin(&child), family.stdout(&child));
    family.bare.run(write(&stdin, b"hello, ")).unwrap();
    family.bare.run(write(&stdin, b"")).unwrap();
    family.bare.run(write(&stdin, b"tank")).unwrap();
    assert_eq!(code(&child.cell), None, "it waits for the end");
    family.bare.run(close(&stdin)).unwrap();
    assert_eq!(family.code(&child), 0);
    let said = String::from_utf8(family.all(&stdout)).unwrap();
    assert!(said.ends_with("stdin: 11 bytes \"hello, tank\"\n"), "{said}");
    for _ in 0..2 {
        assert_eq!(family.bare.run(read(&stdout, 9)).unwrap(), b"", "the end stays the end");
    }
}

#[test]
fn a_stdin_that_all_have_dropped_has_ended() {
    let mut family = Family::new();
    let Child { process, cell } = family.child(guests::PROBE, &["probe", "0"]);
    drop(process);
    family.bare.rest();
    assert_eq!(code(&cell), Some(0));
}

#[test]
fn a_closed_stream_takes_no_more() {
    let mut family = Family::new();
    let child = family.child(guests::SERVER, &["server"]);
    let stdin = family.stdin(&child);
    family.bare.run(close(&stdin)).unwrap();
    for bytes in [&b"late"[..], b""] {
        fails(family.bare.run(write(&stdin, bytes)), "the stream is closed");
    }
    family.bare.run(close(&stdin)).expect("closing twice is no error");
    let stdout = family.stdout(&child);
    family.bare.run(close(&stdout)).unwrap();
    fails(family.bare.run(read(&stdout, 1)), "the stream is closed");
}

#[test]
fn the_stdin_of_an_ended_cell_takes_no_more() {
    let mut family = Family::new();
    let child = family.child(guests::SERVER, &["server"]);
    let stdin = family.stdin(&child);
    let blocked = family.bare.begin(write(&stdin, &[b'.'; MUCH_BYTES]));
    family.bare.run(child.kill()).unwrap();
    fails(family.bare.run(blocked), "the stream is closed");
    fails(family.bare.run(write(&stdin, b"late")), "the stream is closed");
}

#[test]
fn a_stream_goes_one_way() {
    let mut family = Family::new();
    let child = family.child(guests::SERVER, &["server"]);
    let stdin = family.stdin(&child);
    fails(family.bare.run(read(&stdin, 1)), "this stream is for writing");
    for stream in [family.stdout(&child), family.stderr(&child)] {
        fails(family.bare.run(write(&stream, b"x")), "this stream is for reading");
    }
}

#[test]
fn a_read_gives_at_least_one_byte_and_at_most_what_was_asked() {
    let mut family = Family::new();
    let child = family.child(guests::PROBE, &["probe", "0"]);
    let (stdin, stdout) = (family.stdin(&child), family.stdout(&child));
    // Claim stdout first, then write more than the pipes can hold.
    fails(family.bare.run(read(&stdout, 0)), "read of 0 bytes");
    let _feeding = family.bare.begin(feed(&stdin, &[b'x'; MUCH_BYTES]));
    let stdout_pipe = child.cell.pipes()[1];
    assert_eq!(family.bare.tank.shared().blocked(child.cell.id()), [Blocked::Writing(stdout_pipe)]);
    assert_eq!(family.bare.run(read(&stdout, 1)).unwrap().len(), 1);
    assert_eq!(family.bare.run(read(&stdout, 1000)).unwrap().len(), 1000);
    assert_eq!(family.bare.run(read(&stdout, u32::MAX)).unwrap().len(), MAX_READ_BYTES);
}

async fn feed_all(stdin: byte_stream::Client, bytes: Vec<u8>) -> Answer<()> {
    write(&stdin, &bytes).await?;
    close(&stdin).await
}

fn feed(stdin: &byte_stream::Client, bytes: &[u8]) -> impl Future<Output = Answer<()>> + use<> {
    feed_all(stdin.clone(), bytes.to_vec())
}

#[test]
fn a_read_waits_for_its_bytes_while_others_write_and_close() {
    let mut family = Family::new();
    let child = family.child(guests::PROBE, &["probe", &HOUR_NS.to_string()]);
    let (stdin, stdout) = (family.stdin(&child), family.stdout(&child));
    family.bare.run(read(&stdout, u32::MAX)).unwrap();
    // The child sleeps, so it neither writes nor reads.
    let ahead = family.bare.begin(read(&stdout, u32::MAX));
    let blocked = family.bare.begin(write(&stdin, &[b'x'; MUCH_BYTES]));
    family.bare.run(close(&stdin)).expect("closing does not wait for the write");
    let shared = family.bare.tank.shared().clone();
    let stdin_pipe = shared.pipe(child.cell.pipes()[0]);
    assert_eq!(stdin_pipe.visible_bytes, stdin_pipe.capacity_bytes, "the write is under way");
    family.bare.advance(HOUR_NS);
    assert!(!ended(ahead).expect("the read is answered").unwrap().is_empty());
    ended(blocked).expect("the write is answered").expect("a write that came before the close is taken");
    let said = String::from_utf8(family.all(&stdout)).unwrap();
    says(&said, &format!("stdin: {MUCH_BYTES} bytes"));
    assert_eq!(family.code(&child), 0);
}

#[test]
fn closing_a_stream_answers_the_read_that_waits_on_it() {
    let mut family = Family::new();
    let child = family.child(guests::SERVER, &["server"]);
    let stdout = family.stdout(&child);
    let reads = [family.bare.begin(read(&stdout, 9)), family.bare.begin(read(&stdout, 9))];
    family.bare.run(close(&stdout)).expect("closing does not wait for the reads");
    for read in reads {
        fails(ended(read).expect("it is answered"), "the stream is closed");
    }
}

#[test]
fn reads_are_answered_in_order_and_one_that_is_given_up_holds_up_nobody() {
    let mut family = Family::new();
    let child = family.child(guests::PROBE, &["probe", "0"]);
    let (stdin, stdout) = (family.stdin(&child), family.stdout(&child));
    family.bare.run(read(&stdout, u32::MAX)).unwrap();
    let mut reads: Vec<_> = (0..4).map(|_| family.bare.begin(read(&stdout, 5))).collect();
    drop(reads.remove(1));
    family.bare.run(close(&stdin)).unwrap();
    let reads: Vec<_> = reads.into_iter().map(|read| ended(read).expect("it is answered").unwrap()).collect();
    assert_eq!(reads, [b"stdin", b": 0 b", b"ytes "]);
}

#[test]
fn writes_are_taken_in_order_and_one_that_is_given_up_holds_up_nobody() {
    let mut family = Family::new();
    let child = family.child(guests::PROBE, &["probe", &HOUR_NS.to_string()]);
    let (stdin, stdout) = (family.stdin(&child), family.stdout(&child));
    let first = family.bare.begin(write(&stdin, &[b'1'; MUCH_BYTES]));
    let second = family.bare.begin(write(&stdin, b"2"));
    let third = family.bare.begin(write(&stdin, b"3"));
    drop(second);
    family.bare.run(close(&stdin)).unwrap();
    family.bare.advance(HOUR_NS);
    for write in [first, third] {
        ended(write).expect("it is answered").unwrap();
    }
    let said = String::from_utf8(family.all(&stdout)).unwrap();
    assert!(said.ends_with(&format!("stdin: {} bytes \"{}3\"\n", MUCH_BYTES + 1, "1".repeat(MUCH_BYTES))));
}

#[test]
fn output_that_nobody_asked_for_blocks_nobody_and_its_latest_bytes_are_kept() {
    let mut family = Family::new();
    let child = family.child(guests::PROBE, &["probe", "0"]);
    let stdin = family.stdin(&child);
    family.bare.run(feed(&stdin, &[b'x'; MUCH_BYTES])).unwrap();
    assert_eq!(family.code(&child), 0);
    let stdout = family.stdout(&child);
    let kept = family.all(&stdout);
    assert_eq!(kept.len(), KEPT_BYTES);
    assert!(kept.ends_with(b"xxx\"\n"), "the oldest bytes went");
}

#[test]
fn output_that_was_asked_for_is_all_there_and_the_cell_waits_for_its_reader() {
    let mut family = Family::new();
    let child = family.child(guests::PROBE, &["probe", "0"]);
    let (stdin, stdout) = (family.stdin(&child), family.stdout(&child));
    family.bare.run(feed(&stdin, &[b'x'; MUCH_BYTES])).unwrap();
    let stdout_pipe = child.cell.pipes()[1];
    assert_eq!(family.bare.tank.shared().blocked(child.cell.id()), [Blocked::Writing(stdout_pipe)]);
    let said = String::from_utf8(family.all(&stdout)).unwrap();
    assert!(said.starts_with("args: "));
    assert!(said.ends_with(&format!("stdin: {MUCH_BYTES} bytes \"{}\"\n", "x".repeat(MUCH_BYTES))));
    assert_eq!(family.code(&child), 0);
}

#[test]
fn a_reader_that_goes_away_holds_up_nobody() {
    let mut family = Family::new();
    let child = family.child(guests::PROBE, &["probe", "0"]);
    let (stdin, stdout) = (family.stdin(&child), family.stdout(&child));
    family.bare.run(feed(&stdin, &[b'x'; MUCH_BYTES])).unwrap();
    assert_eq!(code(&child.cell), None);
    drop(stdout);
    family.bare.rest();
    assert_eq!(code(&child.cell), Some(0));
}

#[test]
fn a_writer_is_told_that_nobody_reads_any_more() {
    let mut family = Family::new();
    let child = family.child(guests::PROBE, &["probe", "0"]);
    let (stdin, stdout, stderr) = (family.stdin(&child), family.stdout(&child), family.stderr(&child));
    family.bare.run(close(&stdout)).unwrap();
    family.bare.run(close(&stdin)).unwrap();
    // Rust's `println!` panics when it gets the error.
    assert_eq!(family.code(&child), 134);
    says(String::from_utf8(family.all(&stderr)).unwrap(), "failed printing to stdout");
}

#[test]
fn a_child_without_rpc_has_its_stdin_and_stdout_though_it_imports_no_connection() {
    let mut family = Family::new();
    let child = family.child(guests::CHILD_COPY, &["copy"]);
    assert_eq!(child.cell.transport(), Transport::Stdio);
    let (stdin, stdout) = (family.stdin(&child), family.stdout(&child));
    family.bare.run(write(&stdin, b"as it came")).unwrap();
    family.bare.run(close(&stdin)).unwrap();
    assert_eq!(family.all(&stdout), b"as it came");
    assert_eq!(family.code(&child), 0);
    let exported = family.bare.run(child.bootstrap());
    fails(exported, "link has ended");
}

#[test]
fn a_child_that_is_asked_for_its_capability_has_no_stdin_and_stdout_of_its_own() {
    let mut family = Family::new();
    let child = family.child(guests::RELAY_STDIO, &["relay"]);
    let exported = family.bare.run(child.bootstrap()).unwrap();
    assert_eq!(family.bare.run(echo(&exported, "hello")).unwrap(), "Echo: hello 0");
    fails(family.bare.run(child.stdin()), "stdin of relay is its RPC transport");
    fails(family.bare.run(child.stdout()), "stdout of relay is its RPC transport");
}

#[test]
fn what_was_said_of_a_parents_transport_is_not_said_of_its_children() {
    let mut family = Family::of(|spec| CellSpec { transport: Some(Transport::Connection), ..spec });
    let transport = |family: &mut Family, wasm| family.child(wasm, &["child"]).cell.transport();
    assert_eq!(transport(&mut family, guests::CHILD_ECHO_STDIO), Transport::Stdio);
    assert_eq!(transport(&mut family, guests::CHILD_ECHO), Transport::Connection);
}

#[test]
fn a_stdin_that_nobody_holds_ends_when_its_host_hangs_up() {
    let mut family = Family::new();
    let Child { process, cell } = family.child(guests::CHILD_COPY, &["copy"]);
    let silent = |family: &Family| family.bare.tank.silent_cell(u64::MAX);
    assert_eq!(silent(&family), None, "its parent may still write to it");
    drop(process);
    family.bare.rest();
    assert_eq!(code(&cell), None, "it may be a server that is asked later");
    assert_eq!(family.bare.tank.silent_cell(0), None, "it was not listened to for long");
    let copy = silent(&family).expect("it waits for what never comes");
    assert_eq!(copy, cell.id());
    family.bare.tank.hang_up(copy);
    family.bare.rest();
    assert_eq!(code(&cell), Some(0));
}
