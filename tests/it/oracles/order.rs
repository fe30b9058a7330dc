//! The order of calls.

use super::*;
use wavetank_sim::oracle::order;

#[test]
fn a_call_that_overtakes_another_is_found() {
    for seed in 0..10 {
        let run = finished(scenario("echo"), &setup(seed));
        assert_eq!(untouched(&run, order::judge), None);
        let finding = doctored(&run, order::judge, |transcript| {
            let calls: Vec<usize> = (0..transcript.events.len())
                .filter(|&at| matches!(transcript.events[at], Event::Called { .. }))
                .collect();
            transcript.events.swap(calls[0], calls[1]);
        });
        let finding = finding.expect("\"two\" came in before \"one\"");
        assert_eq!(finding.blame, Blame::Library("capnp-rpc"));
        assert_eq!(
            finding.what,
            "on the link of child-echo, Executor.echo came in after a call that was sent later"
        );
    }
}

#[test]
fn calls_that_the_other_end_of_a_link_serves_are_not_those_that_went_up() {
    let run = finished(scenario("echo"), &setup(1));
    let turned = doctored(&run, order::judge, |transcript| {
        let down = transcript.events.iter().find_map(|event| match event {
            Event::LinkBorn { down, .. } => Some(*down),
            _ => None,
        });
        let mut calls = Vec::new();
        for (at, event) in transcript.events.iter_mut().enumerate() {
            if let Event::Called { over, .. } = event {
                *over = down.expect("there is a link");
                calls.push(at);
            }
        }
        transcript.events.swap(calls[0], calls[1]);
    });
    assert_eq!(turned, None);
}

#[test]
fn calls_that_are_alike_have_no_order() {
    let alike = |world: &mut World| {
        let child = world.cell("child-echo", guests::CHILD_ECHO_STDIO).args(["same", "same"]);
        child.serve(peer::executor(world)).spawn().expect_exit(0);
    };
    let run = finished(alike, &setup(1));
    let swapped = doctored(&run, order::judge, |transcript| {
        let calls: Vec<usize> = (0..transcript.events.len())
            .filter(|&at| matches!(transcript.events[at], Event::Called { .. }))
            .collect();
        transcript.events.swap(calls[0], calls[1]);
    });
    assert_eq!(swapped, None);
}

#[test]
fn every_call_of_a_clean_run_is_known_on_both_sides() {
    for name in ["echo", "pid0", "chain"] {
        let run = finished(scenario(name), &setup(1));
        let mut came: Vec<u64> = Vec::new();
        for event in &run.transcript.events {
            if let Event::Called { params, .. } = event {
                came.push(*params);
            }
        }
        let frames = run.frames();
        let sent = frames.iter().flat_map(|link| &link.frames).filter_map(|frame| match &frame.message {
            Message::Call(call) => Some(call.fingerprint),
            _ => None,
        });
        let mut sent: Vec<u64> = sent.collect();
        assert!(came.len() > 1, "{name}: {} calls", came.len());
        came.sort_unstable();
        sent.sort_unstable();
        assert_eq!(came, sent, "{name}");
    }
}
