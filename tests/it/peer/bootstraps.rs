//! `Process`: the capability that a guest exports.

use super::*;

#[test]
fn a_process_gives_the_capability_that_its_guest_exports() {
    let mut family = Family::new();
    let child = family.child(guests::SERVER, &["server"]);
    let exported = family.bare.run(child.bootstrap()).unwrap();
    assert_eq!(family.bare.run(echo(&exported, "guest")).unwrap(), "Echo: guest");
    let refused = run_bytes(&exported, guests::SERVER, &With::default());
    let refused = family.bare.run(refused).err().expect("this guest only echoes");
    assert_eq!(refused.kind, ErrorKind::Unimplemented);
}

#[test]
fn a_bootstrap_capability_outlives_the_process_it_came_from() {
    let mut family = Family::new();
    let child = family.child(guests::SERVER, &["server"]);
    let exported = family.bare.run(child.bootstrap()).unwrap();
    drop(child.process);
    family.bare.rest();
    assert_eq!(family.bare.run(echo(&exported, "still")).unwrap(), "Echo: still");
}

#[test]
fn a_bootstrap_after_the_end_is_an_exception_and_so_are_calls_on_one_from_before() {
    let mut family = Family::new();
    let child = family.child(guests::SERVER, &["server"]);
    let exported = family.bare.run(child.bootstrap()).unwrap();
    let (kill, late) = (child.kill(), child.process.clone());
    // All in one future after the end, so that the end of the link may not have been noticed yet.
    let late = family.bare.run(async move {
        kill.await.unwrap();
        late.bootstrap_request().send().promise.await.map(drop)
    });
    fails(late, "the cell's link has ended");
    fails(family.bare.run(child.bootstrap()), "the cell's link has ended");
    let call = family.bare.run(echo(&exported, "anybody?")).unwrap_err();
    assert_eq!(call.kind, ErrorKind::Disconnected);
}

#[test]
fn a_bootstrap_after_the_links_end_is_an_exception_though_the_cell_lives() {
    let mut family = Family::new();
    // The child takes no connection, and sleeps.
    let child = family.child(guests::PROBE, &["probe", "sleep", &HOUR_NS.to_string()]);
    family.bare.tank.shared().reset(child.cell.link().unwrap().up());
    family.bare.rest();
    assert_eq!(code(&child.cell), None);
    fails(family.bare.run(child.bootstrap()), "the cell's link has ended");
}

#[test]
fn a_call_on_a_guest_that_never_speaks_ends_with_the_guest() {
    let mut family = Family::new();
    let child = family.child(guests::PROBE, &["probe", "sleep", &HOUR_NS.to_string()]);
    let exported = family.bare.run(child.bootstrap()).expect("a promise");
    let call = family.bare.begin(echo(&exported, "anybody?"));
    family.bare.advance(HOUR_NS);
    assert_eq!(code(&child.cell), Some(0));
    let call = ended(call).expect("it is answered").unwrap_err();
    assert_eq!(call.kind, ErrorKind::Disconnected);
}
