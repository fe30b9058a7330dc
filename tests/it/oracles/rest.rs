//! Rest: the party at fault for a stall.

use super::*;

#[track_caller]
fn stall(build: impl Fn(&mut World) + Send + Sync) -> Blame {
    let blames: Vec<Blame> = (0..10)
        .map(|seed| match run(&build, &setup(seed)).outcome {
            Outcome::Stalled(graph) => graph.blame,
            other => panic!("seed {seed}: {other}"),
        })
        .collect();
    assert!(blames.iter().all(|blame| *blame == blames[0]), "{blames:?}");
    blames[0].clone()
}

#[test]
fn a_call_that_its_server_holds_is_that_servers_fault() {
    let blame = stall(|world| {
        world.cell("child-echo", guests::CHILD_ECHO_STDIO).serve(mute()).spawn();
    });
    assert_eq!(blame, Blame::Capability { vat: None, call: "Executor.echo".into() });
}

#[test]
fn a_server_that_nobody_ends_is_the_scenarios_fault() {
    let blame = stall(|world| {
        world.cell("server", guests::SERVER).serve(peer::executor(world)).spawn();
    });
    let nobody = Blame::Scenario("nobody ends server or gives it what it waits for".into());
    assert_eq!(blame, nobody.guessed());
}

#[test]
fn a_task_that_does_not_end_is_the_scenarios_fault() {
    let blame = stall(|world| world.task("patience", std::future::pending()));
    assert_eq!(blame.to_string(), "the scenario's task \"patience\"");
}

#[test]
fn a_guest_that_does_not_answer_is_to_blame() {
    // The guest has no RPC and reads its stdin for ever, so the call to its capability never arrives.
    let blame = stall(|world| {
        let server = world.cell("server", guests::SERVER).serve(mute()).spawn();
        let exported: executor::Client = server.exported();
        let relay = world.cell("relay", guests::RELAY).serve(exported.client).spawn();
        let asked: executor::Client = relay.exported();
        world.task("caller", async move {
            let mut request = asked.echo_request();
            request.get().set_message("hello");
            let _ = request.send().promise.await;
            std::future::pending().await
        });
    });
    assert_eq!(blame, guest("relay").guessed());
}

#[test]
fn whose_fault_it_is_stands_in_the_detail() {
    let run = run(|world| world.task("patience", std::future::pending()), &setup(0));
    assert_eq!(run.outcome.detail()[0], "blame: the scenario's task \"patience\"");
    let run = finished(scenario("echo"), &setup(0));
    assert_eq!((run.outcome.blame(), run.outcome.detail()), (None, Vec::new()));
}
