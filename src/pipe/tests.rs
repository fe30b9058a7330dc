//! Tests of a pipe alone, free and held.

use super::*;
use std::ops::{Deref, DerefMut};

/// A pipe with one handle on its writing end.
struct One {
    pipe: Pipe,
    writer: WriterId,
}

fn pipe(capacity_bytes: usize, held: bool) -> One {
    let mut pipe = Pipe::new("test".into(), capacity_bytes, held);
    let writer = pipe.add_handle();
    One { pipe, writer }
}

impl One {
    fn free_to(freedoms: Freedoms, held: bool) -> Self {
        let mut one = pipe(8, held);
        one.take_freedoms(freedoms);
        one
    }

    fn check_write(&mut self) -> Permit {
        self.pipe.check_write(self.writer)
    }

    fn write(&mut self, bytes: &'static [u8]) -> Result<WriteOutcome, WriteError> {
        self.pipe.write(self.writer, Bytes::from_static(bytes))
    }

    fn flush(&mut self) {
        self.pipe.flush(self.writer).expect("the pipe is open");
    }
}

impl Deref for One {
    type Target = Pipe;

    fn deref(&self) -> &Pipe {
        &self.pipe
    }
}

impl DerefMut for One {
    fn deref_mut(&mut self) -> &mut Pipe {
        &mut self.pipe
    }
}

fn bytes(bytes: &'static [u8]) -> ReadOutcome {
    ReadOutcome::Bytes(Bytes::from_static(bytes))
}

fn refused(asked_bytes: usize, granted_bytes: usize, why: PermitError) -> Result<WriteOutcome, WriteError> {
    Err(WriteError::Overrun { asked_bytes, granted_bytes, why })
}

#[test]
fn a_free_pipe_flows_up_to_its_capacity() {
    let mut pipe = pipe(4, false);
    assert_eq!(pipe.check_write(), Permit::Bytes(4));
    pipe.write(b"abcd").unwrap();
    assert_eq!(pipe.check_write(), Permit::Bytes(0));
    assert_eq!(pipe.read(3), ReadOutcome::Bytes(Bytes::from_static(b"abc")));
    assert_eq!(pipe.check_write(), Permit::Bytes(3));
    pipe.close_writer();
    assert_eq!(pipe.read(9), ReadOutcome::Bytes(Bytes::from_static(b"d")));
    assert_eq!(pipe.read(9), ReadOutcome::End);
}

#[test]
fn a_held_pipe_waits_for_grants_and_deliveries() {
    let mut pipe = pipe(8, true);
    assert!(!pipe.grantable(), "nobody asked yet");
    assert_eq!(pipe.check_write(), Permit::Bytes(0));
    assert!(pipe.grantable());
    pipe.grant(5);
    assert_eq!(pipe.check_write(), Permit::Bytes(5));
    pipe.write(b"abc").unwrap();
    assert_eq!(pipe.read(9), ReadOutcome::Nothing);
    pipe.deliver(2);
    assert_eq!(pipe.read(9), ReadOutcome::Bytes(Bytes::from_static(b"ab")));
    pipe.close_writer();
    pipe.deliver(9);
    assert_eq!(pipe.read(9), ReadOutcome::Bytes(Bytes::from_static(b"c")));
    assert_eq!(pipe.read(9), ReadOutcome::Nothing, "the end is delivered like bytes");
    assert!(pipe.deliverable());
    pipe.deliver(0);
    assert_eq!(pipe.read(9), ReadOutcome::End);
    assert!(!pipe.deliverable());
}

#[test]
fn a_grant_is_not_taken_back_and_not_exceeded() {
    let mut pipe = pipe(8, true);
    pipe.check_write();
    pipe.grant(5);
    assert_eq!(pipe.check_write(), Permit::Bytes(5));
    pipe.shape(1, true);
    assert_eq!(pipe.write(b"abcdef"), refused(6, 5, PermitError::TooLong));
    assert!(pipe.write(b"abcde").is_ok());
}

#[test]
fn a_write_without_check_write_is_an_overrun() {
    let mut pipe = pipe(8, false);
    assert_eq!(pipe.write(b"a"), refused(1, 0, PermitError::NeverAsked));
    assert!(pipe.write(b"").is_ok(), "no bytes need no permit");
}

#[test]
fn after_a_flush_the_budget_is_zero_until_all_is_delivered() {
    let mut pipe = pipe(8, true);
    pipe.check_write();
    pipe.grant(8);
    pipe.check_write();
    pipe.write(b"ab").unwrap();
    pipe.flush();
    assert_eq!(pipe.check_write(), Permit::Bytes(0));
    pipe.deliver(1);
    assert_eq!(pipe.check_write(), Permit::Bytes(0));
    pipe.deliver(1);
    assert_eq!(pipe.check_write(), Permit::Bytes(6));
}

#[test]
fn a_reset_is_seen_at_both_ends_and_counts_what_it_lost() {
    let mut pipe = pipe(8, false);
    pipe.check_write();
    pipe.write(b"abc").unwrap();
    assert_eq!(pipe.reset(), 3);
    assert_eq!(pipe.check_write(), Permit::Broken);
    assert_eq!(pipe.read(1), ReadOutcome::Broken);
}

#[test]
fn reading_joins_pieces_and_splits_them() {
    let mut pipe = pipe(8, false);
    for piece in [&b"ab"[..], &b"cd"[..], &b"ef"[..]] {
        pipe.check_write();
        pipe.write(piece).unwrap();
    }
    assert_eq!(pipe.read(5), ReadOutcome::Bytes(Bytes::from_static(b"abcde")));
    assert_eq!(pipe.read(5), ReadOutcome::Bytes(Bytes::from_static(b"f")));
}

#[test]
fn a_writer_that_was_told_0_is_woken_when_its_pipe_is_set_free() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;
    struct Told(AtomicBool);
    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let told = Arc::new(Told(AtomicBool::new(false)));
    let mut pipe = pipe(8, true);
    assert_eq!(pipe.check_write(), Permit::Bytes(0));
    pipe.wait_writable(&told.clone().into());
    pipe.shape(8, false);
    assert!(told.0.load(Ordering::Relaxed));
    assert_eq!(pipe.check_write(), Permit::Bytes(8));
}

fn half(end: End, ending: Ending) -> HalfBreak {
    HalfBreak { end, ending }
}

#[test]
fn a_pipe_broken_for_its_writer_still_reads_and_never_ends() {
    for held in [false, true] {
        let mut pipe = pipe(8, held);
        pipe.check_write();
        pipe.grant(8);
        pipe.check_write();
        pipe.write(b"abc").unwrap();
        assert_eq!(pipe.half_break(half(End::Writer, Ending::Reset)), 0);
        let writer = pipe.writer;
        assert!(!pipe.is_live() && pipe.pipe.writable(writer));
        assert_eq!(pipe.check_write(), Permit::Broken);
        assert_eq!(pipe.write(b"d"), Err(WriteError::Broken));
        pipe.deliver(3);
        assert_eq!(pipe.read(9), bytes(b"abc"));
        pipe.close_writer();
        assert!(!pipe.deliverable(), "its end stays a secret");
        assert_eq!((pipe.read(9), pipe.readable()), (ReadOutcome::Nothing, false));
        pipe.reset();
        assert_eq!(pipe.read(9), ReadOutcome::Broken);
    }
}

#[test]
fn a_pipe_broken_for_its_reader_takes_what_there_is_room_for() {
    for (ending, told) in [(Ending::Reset, ReadOutcome::Broken), (Ending::Close, ReadOutcome::End)] {
        let mut pipe = pipe(4, false);
        pipe.check_write();
        pipe.write(b"abc").unwrap();
        assert_eq!(pipe.half_break(half(End::Reader, ending)), 3, "what was not read is lost");
        assert!(pipe.readable());
        assert_eq!(pipe.read(9), told);
        pipe.close_reader();
        assert_eq!(pipe.check_write(), Permit::Bytes(4), "the writer notices nothing");
        pipe.write(b"defg").unwrap();
        assert_eq!((pipe.check_write(), pipe.read(9)), (Permit::Bytes(0), told));
        assert_eq!(pipe.reset(), 4);
        assert_eq!(pipe.check_write(), Permit::Broken);
    }
}

// ---- permits belong to handles

#[test]
fn two_handles_may_each_write_what_they_were_permitted() {
    for held in [false, true] {
        let mut pipe = pipe(8, held);
        let other = pipe.add_handle();
        pipe.check_write();
        pipe.grant(8);
        assert_eq!((pipe.check_write(), pipe.pipe.check_write(other)), (Permit::Bytes(8), Permit::Bytes(8)));
        assert!(pipe.write(b"abcdefgh").is_ok());
        assert!(pipe.pipe.write(other, Bytes::from_static(b"ijklmnop")).is_ok(), "held: {held}");
        assert_eq!(pipe.view().permits, 2);
        assert_eq!((pipe.check_write(), pipe.pipe.check_write(other)), (Permit::Bytes(0), Permit::Bytes(0)));
    }
}

#[test]
fn a_permit_holds_until_the_next_write_of_its_handle_however_late() {
    let mut pipe = pipe(8, true);
    let other = pipe.add_handle();
    pipe.check_write();
    pipe.grant(6);
    assert_eq!(pipe.check_write(), Permit::Bytes(6));
    pipe.shrink(1);
    assert_eq!(pipe.pipe.check_write(other), Permit::Bytes(1));
    assert!(pipe.pipe.write(other, Bytes::from_static(b"x")).is_ok());
    pipe.pipe.flush(other).unwrap();
    assert!(pipe.write(b"abcdef").is_ok());
}

#[test]
fn a_flush_of_one_handle_does_not_block_another() {
    let mut pipe = pipe(8, true);
    let other = pipe.add_handle();
    pipe.check_write();
    pipe.grant(8);
    pipe.check_write();
    pipe.write(b"ab").unwrap();
    pipe.flush();
    assert_eq!((pipe.check_write(), pipe.pipe.check_write(other)), (Permit::Bytes(0), Permit::Bytes(6)));
    assert!(!pipe.pipe.writable(pipe.writer));
    assert!(pipe.pipe.writable(other));
}

#[test]
fn a_permit_ends_with_its_handle() {
    let mut pipe = pipe(8, false);
    pipe.check_write();
    let writer = pipe.writer;
    pipe.drop_handle(writer);
    assert_eq!(pipe.write(b"a"), refused(1, 0, PermitError::NeverAsked));
}

#[test]
fn a_write_while_a_flush_is_under_way_is_refused() {
    let mut pipe = pipe(8, true);
    pipe.check_write();
    pipe.grant(8);
    pipe.check_write();
    pipe.write(b"ab").unwrap();
    pipe.flush();
    assert_eq!(pipe.write(b"c"), refused(1, 0, PermitError::Flushing));
    pipe.deliver(2);
    assert!(pipe.write(b"c").is_ok(), "the flush is done, and some of the permit is left");
}

// ---- freedoms

#[test]
fn a_permit_may_be_good_for_one_write() {
    let one_write = Freedoms { one_write_a_permit: true, ..Freedoms::default() };
    let mut pipe = One::free_to(one_write, false);
    pipe.check_write();
    assert!(pipe.write(b"a").is_ok());
    assert!(pipe.write(b"").is_ok());
    assert_eq!(pipe.write(b"b"), refused(1, 0, PermitError::Spent));
    pipe.check_write();
    pipe.flush();
    assert_eq!(pipe.write(b"b"), refused(1, 0, PermitError::Flushing));
    pipe.check_write();
    assert!(pipe.write(b"b").is_ok());
}

#[test]
fn unflushed_bytes_may_stay_while_there_is_budget() {
    let keeps = Freedoms { keeps_unflushed: true, ..Freedoms::default() };
    type Release = fn(&mut One);
    let releases: [(&str, Release); 4] = [
        ("a flush", |pipe| pipe.flush()),
        ("the end of the handle", |pipe| {
            let writer = pipe.writer;
            pipe.drop_handle(writer);
        }),
        ("the end of the stream", |pipe| pipe.close_writer()),
        ("no more budget", |pipe| {
            pipe.check_write();
            pipe.write(b"cdefgh").unwrap();
        }),
    ];
    for held in [false, true] {
        for (what, release) in releases {
            let mut pipe = One::free_to(keeps, held);
            pipe.check_write();
            pipe.grant(8);
            pipe.check_write();
            pipe.write(b"ab").unwrap();
            assert!(!pipe.deliverable());
            assert_eq!((pipe.read(2), pipe.view().unflushed_bytes), (ReadOutcome::Nothing, 2), "{what}");
            release(&mut pipe);
            assert_eq!(pipe.deliverable(), held, "{what}");
            pipe.deliver(8);
            assert_eq!((pipe.read(2), pipe.view().unflushed_bytes), (bytes(b"ab"), 0), "{what}");
        }
    }
}

#[test]
fn a_read_may_give_half_of_what_is_there() {
    let mut pipe = One::free_to(Freedoms { short_reads: true, ..Freedoms::default() }, false);
    pipe.check_write();
    pipe.write(b"abcde").unwrap();
    for piece in [&b"abc"[..], b"d", b"e"] {
        assert_eq!(pipe.read(9), bytes(piece));
    }
    assert_eq!(pipe.read(9), ReadOutcome::Nothing);
}
