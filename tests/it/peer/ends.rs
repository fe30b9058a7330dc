//! `Process`: exit codes, waits and kills, and which ends cause others.

use super::*;

#[test]
fn a_process_gives_the_code_its_cell_exited_with() {
    let mut family = Family::new();
    for wanted in [0, 1, 7, 255] {
        let child = family.child(guests::PROBE, &["probe", "exit", &wanted.to_string()]);
        assert_eq!(family.code(&child), wanted);
    }
}

#[test]
fn a_process_gives_134_after_a_trap() {
    let mut family = Family::new();
    for (damage, class) in [("trap", TrapClass::Unreachable), ("recurse", TrapClass::StackOverflow)] {
        let child = family.child(guests::PROBE, &["probe", damage]);
        assert_eq!(family.code(&child), 134);
        let exit = child.cell.exit().unwrap();
        assert!(matches!(&exit.cause, Cause::Trapped(trap) if trap.class == class), "{:?}", exit.cause);
    }
}

#[test]
fn a_kill_gives_137_and_returns_when_the_cell_has_ended() {
    let mut family = Family::new();
    let child = family.child(guests::SERVER, &["server"]);
    let cell = child.cell.clone();
    let kill = child.kill();
    let seen = family.bare.run(async move {
        kill.await.unwrap();
        code(&cell)
    });
    assert_eq!(seen, Some(137));
    assert_eq!(child.cell.exit().unwrap().cause, Cause::Killed);
    assert_eq!(family.code(&child), 137);
}

#[test]
fn a_kill_after_the_end_keeps_the_code() {
    let mut family = Family::new();
    let child = family.child(guests::PROBE, &["probe", "exit", "7"]);
    assert_eq!(family.code(&child), 7);
    family.bare.run(child.kill()).unwrap();
    assert_eq!(family.code(&child), 7);
}

#[test]
fn a_cell_that_spins_is_killed_too() {
    let limits = Limits { fuel_slice: 10_000, ..Limits::default() };
    let mut family = Family::of(|spec| CellSpec { limits, ..spec });
    let started = run_bytes(&family.executor, guests::FAULT_SPIN, &With::default());
    let tank = family.bare.tank.clone();
    // All in one future, because the pool never rests while the child spins.
    let code = family.bare.run(async move {
        let process = started.await?;
        let spinning = tank.cells()[1].id();
        std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if tank.shared().idle_calls(spinning) > 1000 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        process.kill_request().send().promise.await?;
        Ok::<_, capnp::Error>(process.wait_request().send().promise.await?.get()?.get_exit_code())
    });
    assert_eq!(code.unwrap(), 137);
}

#[test]
fn any_number_may_wait_and_a_wait_that_is_given_up_loses_nothing() {
    let mut family = Family::new();
    let child = family.child(guests::SERVER, &["server"]);
    let mut waits: Vec<RemoteHandle<_>> = (0..4).map(|_| family.bare.begin(child.wait())).collect();
    drop(waits.remove(1));
    drop(waits.remove(0));
    assert_eq!(code(&child.cell), None);
    family.bare.run(child.kill()).unwrap();
    let codes = family.bare.run(join_all(waits));
    assert_eq!(codes.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [137, 137]);
    assert_eq!(family.code(&child), 137, "and after the end");
}

#[test]
fn the_only_wait_may_be_given_up() {
    let mut family = Family::new();
    let child = family.child(guests::SERVER, &["server"]);
    drop(family.bare.begin(child.wait()));
    family.bare.rest();
    family.bare.run(child.kill()).unwrap();
    assert_eq!(family.code(&child), 137);
}

#[test]
fn dropping_a_process_does_not_end_its_cell() {
    let mut family = Family::new();
    let Child { process, cell } = family.child(guests::SERVER, &["server"]);
    drop(process);
    family.bare.rest();
    assert_eq!(code(&cell), None);
}

#[test]
fn a_call_that_is_given_up_leaves_its_child_to_its_parent() {
    let mut family = Family::new();
    let started = run_bytes(&family.executor, guests::SERVER, &With::default());
    drop(family.bare.begin(started));
    family.bare.rest();
    let child = family.bare.tank.cells()[1].clone();
    assert_eq!(code(&child), None);
    family.parent.kill();
    family.bare.rest();
    assert_eq!(code(&child), Some(137));
}

#[test]
fn a_parents_end_kills_its_children_youngest_first_and_spares_the_detached() {
    for by_link in [false, true] {
        let mut family = Family::new();
        for name in ["eldest", "detached", "middle", "youngest"] {
            let with = With { args: &[name], detached: name == "detached", ..With::default() };
            family.child_with(guests::SERVER, &with);
        }
        family.bare.events();
        if by_link {
            family.bare.tank.shared().reset(family.parent.link().unwrap().down());
        } else {
            family.parent.kill();
        }
        family.bare.rest();
        assert_eq!(family.bare.ends(), ["youngest", "middle", "eldest", "parent"]);
        let detached = family.bare.tank.cells()[2].clone();
        assert_eq!(code(&detached), None);
        detached.kill();
        family.bare.rest();
        assert_eq!(family.bare.ends(), ["detached"]);
    }
}

#[test]
fn a_chain_of_children_is_ended_leaf_first() {
    let mut family = Family::new();
    let mut executor = family.executor.clone();
    for name in ["child", "grandchild", "leaf"] {
        let born = family.child_of(&executor, guests::SERVER, &With { args: &[name], ..With::default() });
        executor = executor_of(&family.bare, &born.cell);
    }
    family.bare.events();
    let cells = family.bare.tank.cells();
    cells[2].kill();
    family.bare.rest();
    assert_eq!(family.bare.ends(), ["leaf", "grandchild"]);
    family.parent.kill();
    family.bare.rest();
    assert_eq!(family.bare.ends(), ["child", "parent"]);
}

#[test]
fn a_wait_is_answered_after_the_children_have_ended() {
    let mut family = Family::new();
    let child = family.child(guests::SERVER, &["child"]);
    let executor = executor_of(&family.bare, &child.cell);
    let leaf = family.child_of(&executor, guests::SERVER, &With::default()).cell;
    let wait = child.wait();
    let seen = family.bare.begin(async move {
        wait.await.unwrap();
        code(&leaf)
    });
    child.cell.kill();
    family.bare.rest();
    assert_eq!(ended(seen), Some(Some(137)));
}
