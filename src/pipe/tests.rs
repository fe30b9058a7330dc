//! A pipe alone, free and held.

use super::*;

fn pipe(capacity_bytes: usize, held: bool) -> Pipe {
    Pipe::new("test".into(), capacity_bytes, held)
}

#[test]
fn a_free_pipe_flows_up_to_its_capacity() {
    let mut pipe = pipe(4, false);
    assert_eq!(pipe.check_write(), Permit::Bytes(4));
    pipe.write(Bytes::from_static(b"abcd")).unwrap();
    assert_eq!(pipe.check_write(), Permit::Bytes(0));
    assert_eq!(pipe.read(3), Taken::Bytes(Bytes::from_static(b"abc")));
    assert_eq!(pipe.check_write(), Permit::Bytes(3));
    pipe.close_writer();
    assert_eq!(pipe.read(9), Taken::Bytes(Bytes::from_static(b"d")));
    assert_eq!(pipe.read(9), Taken::End);
}

#[test]
fn a_held_pipe_waits_for_grants_and_deliveries() {
    let mut pipe = pipe(8, true);
    assert!(!pipe.grantable(), "nobody asked yet");
    assert_eq!(pipe.check_write(), Permit::Bytes(0));
    assert!(pipe.grantable());
    pipe.grant(5);
    assert_eq!(pipe.check_write(), Permit::Bytes(5));
    pipe.write(Bytes::from_static(b"abc")).unwrap();
    assert_eq!(pipe.read(9), Taken::Nothing);
    pipe.deliver(2);
    assert_eq!(pipe.read(9), Taken::Bytes(Bytes::from_static(b"ab")));
    pipe.close_writer();
    pipe.deliver(9);
    assert_eq!(pipe.read(9), Taken::Bytes(Bytes::from_static(b"c")));
    assert_eq!(pipe.read(9), Taken::Nothing, "the end is delivered like bytes");
    assert!(pipe.deliverable());
    pipe.deliver(0);
    assert_eq!(pipe.read(9), Taken::End);
    assert!(!pipe.deliverable());
}

#[test]
fn a_grant_is_not_taken_back_and_not_exceeded() {
    let mut pipe = pipe(8, true);
    pipe.check_write();
    pipe.grant(5);
    assert_eq!(pipe.check_write(), Permit::Bytes(5));
    pipe.shape(1, true);
    let overrun = Refused::Overrun { asked_bytes: 6, granted_bytes: 5 };
    assert_eq!(pipe.write(Bytes::from_static(b"abcdef")), Err(overrun));
    assert!(pipe.write(Bytes::from_static(b"abcde")).is_ok());
}

#[test]
fn a_write_without_check_write_is_an_overrun() {
    let mut pipe = pipe(8, false);
    assert!(pipe.write(Bytes::from_static(b"a")).is_err());
}

#[test]
fn after_a_flush_the_budget_is_zero_until_all_is_delivered() {
    let mut pipe = pipe(8, true);
    pipe.check_write();
    pipe.grant(8);
    pipe.check_write();
    pipe.write(Bytes::from_static(b"ab")).unwrap();
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
    pipe.write(Bytes::from_static(b"abc")).unwrap();
    assert_eq!(pipe.reset(), 3);
    assert_eq!(pipe.check_write(), Permit::Broken);
    assert_eq!(pipe.read(1), Taken::Broken);
}

#[test]
fn reading_joins_pieces_and_splits_them() {
    let mut pipe = pipe(8, false);
    for piece in [&b"ab"[..], b"cd", b"ef"] {
        pipe.check_write();
        pipe.write(Bytes::from_static(piece)).unwrap();
    }
    assert_eq!(pipe.read(5), Taken::Bytes(Bytes::from_static(b"abcde")));
    assert_eq!(pipe.read(5), Taken::Bytes(Bytes::from_static(b"f")));
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
