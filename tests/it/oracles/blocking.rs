//! Guests that block while others wait for them.

use super::*;
use wavetank_sim::oracle::blocking;

/// A child with a connection blocks on its stdin to the end, which comes after an hour or never. If `asked`, a caller
/// asks for its exported capability.
fn reads_on(asked: bool, ends: bool) -> impl Fn(&mut World) + Send + Sync {
    const HOUR_NS: u64 = 3_600_000_000_000;
    move |world| {
        let parent = world.cell("parent", guests::SERVER).transport(Transport::Connection);
        let parent = parent.serve(mute()).spawn();
        let served = wavetank::peer::executor(world.tank(), parent.cell());
        let (cell, clock) = (parent.cell().clone(), world.clock());
        world.task("starter", async move {
            let executor: executor::Client = served.cast_to();
            let mut request = executor.run_bytes_request();
            request.get().set_wasm(guests::BUGS);
            request.get().set_args(&["child", "g11", "mended"][..]).expect("texts");
            let started = request.send().promise.await.expect("it starts");
            let process: process::Client = started.get().expect("results").get_process().expect("one");
            drop(started);
            let bootstrap = process.bootstrap_request().send().promise;
            let bootstrap = async move {
                if asked {
                    let _ = bootstrap.await;
                }
                std::future::pending::<()>().await;
            };
            let end = async {
                if !ends {
                    std::future::pending::<()>().await;
                }
                clock.sleep(HOUR_NS).await;
            };
            futures::future::select(Box::pin(bootstrap), Box::pin(end)).await;
            drop(process);
            clock.sleep(1).await;
            cell.kill();
        });
    }
}

#[test]
fn who_blocks_on_stdin_while_its_link_has_bytes_is_to_blame() {
    let blocks = |run: Run| {
        let Outcome::Violated(finding) = run.outcome else { panic!("{}", run.outcome) };
        assert_eq!((finding.oracle, &finding.blame), (Oracle::Blocking, &guest("child")));
        let start = "child is inside pollable.block on child stdin while ";
        assert!(finding.what.starts_with(start), "{finding:?}");
    };
    // The calm policy lets time pass only when nothing else can happen, so the fault is found before the hour is over.
    let calm = run(reads_on(true, true), &round_robin());
    assert_eq!(calm.virtual_ns, 0);
    blocks(calm);
    for seed in 0..10 {
        blocks(run(reads_on(true, false), &setup(seed)));
        finished(reads_on(false, true), &setup(seed));
    }
}

#[test]
fn a_poll_that_leaves_the_link_out_is_found_at_rest() {
    let run = run(reads_on(true, false), &setup(1));
    let mut run = run.clone();
    let slow = &mut run.facts.cells[1];
    assert_eq!(&*slow.name, "child");
    slow.blocked_in = Some(wavetank::Import::Poll);
    assert!(untouched(&run, blocking::judge).expect("bytes wait").what.contains("inside poll"));
    let (_, _, down) = run.facts.cells[1].link.expect("a link");
    run.facts.cells[1].blocked.push(wavetank::Blocked::Reading(down));
    assert_eq!(untouched(&run, blocking::judge), None);
}
