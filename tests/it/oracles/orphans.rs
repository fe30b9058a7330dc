//! Cells without a holder.

use super::*;
use wavetank_sim::oracle::orphans;

fn starts_for_nobody(world: &mut World, kept: bool) {
    let tank = world.tank().clone();
    let spec = CellSpec {
        guest: tank.engine().guest(guests::SERVER).expect("a guest"),
        name: "stray".into(),
        args: vec!["stray".into()],
        env: Vec::new(),
        transport: None,
        limits: Limits::default(),
        capacity_bytes: 4096,
        detached: false,
        vat: world.vat("its own"),
    };
    world.cell("child-echo", guests::CHILD_ECHO_STDIO).serve(peer::executor(world)).spawn().expect_exit(0);
    world.task("starter", async move {
        let (cell, _stdio) = tank.start(spec, None, |_| mute()).expect("room");
        if !kept {
            cell.kill();
        }
    });
}

#[test]
fn a_cell_that_was_started_for_nobody_and_lives_on_is_an_orphan() {
    for seed in 0..10 {
        let finding = violated(|world| starts_for_nobody(world, true), seed);
        assert_eq!((finding.oracle, &*finding.who), (Oracle::Orphans, "stray"));
        assert_eq!(finding.blame, Blame::Capability { vat: None, call: "that started stray".into() });
        finished(|world: &mut World| starts_for_nobody(world, false), &setup(seed));
    }
}

#[test]
fn a_child_that_outlives_its_parent_is_the_tanks_fault() {
    let run = finished(scenario("chain"), &setup(2));
    assert_eq!(untouched(&run, orphans::judge), None);
    let ends = |transcript: &Transcript| -> Vec<usize> {
        let is_end = |at: &usize| matches!(transcript.events[*at], Event::CellEnded { .. });
        (0..transcript.events.len()).filter(is_end).collect()
    };
    let swap = |transcript: &mut Transcript| {
        let ends = ends(transcript);
        transcript.events.swap(ends[0], ends[1]);
    };
    let finding = doctored(&run, orphans::judge, swap).expect("the last but one ended first");
    assert_eq!(finding.blame, Blame::Tank);
    assert!(finding.what.contains(" outlives its parent "), "{}", finding.what);
    let detached = doctored(&run, orphans::judge, |transcript| {
        swap(transcript);
        for event in &mut transcript.events {
            if let Event::CellBorn { detached, .. } = event {
                *detached = true;
            }
        }
    });
    assert_eq!(detached, None);
}
