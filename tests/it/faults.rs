//! Fault injection: every kind of fault takes effect, damaged worlds still end, and a replay needs no profile.

use std::collections::{BTreeMap, BTreeSet};
use wavetank::schema::peer_capnp::executor;
use wavetank::{Event, TrapClass};
use wavetank_choice::profile::Level;
use wavetank_lab::guests;
use wavetank_sim::moves::Move;
use wavetank_sim::world::Fault;
use wavetank_sim::{Choices, Outcome, Profile, Run, Setup, StrategyName, Transport, World, peer, run};
use wavetank_tests::{engine, finished, scenario, setup};

fn under(profile: Profile, seed: u64) -> Setup {
    Setup { choices: Choices::Drawn(StrategyName::default(), profile), ..setup(seed) }
}

fn struck<'a>(runs: impl IntoIterator<Item = &'a Run>) -> BTreeMap<Fault, u32> {
    let mut all = BTreeMap::new();
    for (fault, count) in runs.into_iter().flat_map(|run| &run.faults) {
        *all.entry(*fault).or_default() += count;
    }
    all
}

#[test]
fn under_harsh_every_kind_strikes_and_everything_ends() {
    let runs: Vec<Run> =
        (1000..2000).map(|seed| finished(scenario("pid0"), &under(Profile::harsh(), seed))).collect();
    let struck = struck(&runs);
    let missing: Vec<&Fault> = Fault::ALL.iter().filter(|fault| !struck.contains_key(fault)).collect();
    assert!(missing.is_empty(), "never struck: {missing:?} of {struck:?}");
    for run in &runs {
        assert!(run.cells.iter().all(|(_, exit)| exit.is_some()), "seed {}", run.seed);
    }
}

/// A mended guest of the bug benchmark: a clock ticks beside its calls for as long as it waits.
fn ticks(world: &mut World) {
    let cell =
        world.cell("ticks", guests::BUGS).args(["g05-late", "mended"]).transport(Transport::Connection);
    cell.serve(peer::executor(world)).spawn().expect_exit(0);
}

#[test]
fn a_damaged_world_with_a_repeating_timer_comes_to_rest() {
    let mut given_up = 0;
    for seed in 0..400 {
        let run = finished(ticks, &under(Profile::harsh(), seed));
        given_up += run.transcript.steps.iter().filter(|step| matches!(step.moved, Move::GiveUp(_))).count();
    }
    assert!(given_up > 20, "{given_up}");
}

#[test]
fn a_silent_pipe_counts_at_once_and_is_given_up_within_its_time() {
    const TWO_MINUTES_NS: u64 = 120_259_084_288;
    let mut seen = 0;
    for seed in 0..200 {
        let run = finished(scenario("cleanup"), &under(Profile::harsh(), seed));
        let mut now_ns = 0;
        for step in &run.transcript.steps {
            let until_ns = match step.moved {
                Move::Advance(to_ns) | Move::Jump(to_ns) => {
                    now_ns = to_ns.max(now_ns);
                    continue;
                }
                Move::Mute(_, until_ns) | Move::Half(.., until_ns) => until_ns,
                _ => continue,
            };
            assert!(until_ns - now_ns <= TWO_MINUTES_NS, "seed {seed}: {until_ns}");
            assert!(run.faults.contains_key(&Fault::Mute) || run.faults.contains_key(&Fault::Half));
            seen += 1;
        }
        let count =
            |of: fn(&Move) -> bool| run.transcript.steps.iter().filter(|step| of(&step.moved)).count();
        let silent = count(|moved| matches!(moved, Move::Mute(..) | Move::Half(..)));
        assert_eq!(silent, count(|moved| matches!(moved, Move::GiveUp(_))), "seed {seed}");
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn a_guest_that_ticks_for_ever_is_named_and_a_host_that_waits_is_waited_for() {
    let beats = |mended: &'static str, hours: u64| {
        move |world: &mut World| {
            let cell = world.cell("beats", guests::BUGS).args(["g17", mended]);
            let cell = cell.transport(Transport::Connection).serve(peer::executor(world)).spawn();
            let link = cell.cell().link().expect("a started cell has its link");
            let (shared, clock, cell) = (world.tank().shared().clone(), world.clock(), cell.cell().clone());
            world.task("test", async move {
                shared.reset(link.up());
                shared.reset(link.down());
                if hours > 0 {
                    clock.sleep(hours * 3600 * 1_000_000_000).await;
                    cell.kill();
                }
            });
        }
    };
    let found = run(beats("buggy", 0), &setup(0)).outcome;
    let Outcome::Spinning { who, blame, .. } = found else { panic!("{found}") };
    assert_eq!((&*who, blame.to_string()), ("beats", "the guest beats".into()));
    // Two days of virtual time, after which the host ends the guest.
    finished(beats("buggy", 48), &setup(0));
    finished(beats("mended", 0), &setup(0));
}

#[test]
fn swarm_has_weather_and_no_damage() {
    let runs: Vec<Run> =
        (0..300).map(|seed| finished(scenario("pid0"), &under(Profile::swarm(), seed))).collect();
    assert!(runs.iter().all(|run| run.level <= Level::Weather));
    let struck = struck(&runs);
    let weather: BTreeSet<Fault> = Fault::ALL.into_iter().filter(|fault| !fault.is_damage()).collect();
    assert_eq!(struck.keys().copied().collect::<BTreeSet<_>>(), weather);
}

#[test]
fn calm_does_nothing_to_a_world() {
    for seed in 0..50 {
        let run = finished(scenario("pid0"), &under(Profile::calm(), seed));
        assert_eq!((run.level, run.faults), (Level::Still, BTreeMap::new()));
    }
}

#[test]
fn a_scenario_may_invite_damage() {
    let scenario = |world: &mut World| {
        world.invite_damage();
        world.cell("pid0", guests::PID0_STDIO).serve(peer::host(world)).spawn().expect_exit(0);
    };
    let runs: Vec<Run> = (0..200).map(|seed| finished(scenario, &under(Profile::swarm(), seed))).collect();
    assert!(struck(&runs).keys().any(|fault| fault.is_damage()));
}

#[test]
fn a_damaged_run_is_replayed_from_its_choices_alone() {
    for profile in [Profile::harsh(), Profile::adversarial()] {
        let mut damaged = 0;
        for seed in 0..60 {
            let first = run(scenario("cleanup"), &under(profile.clone(), seed));
            damaged += u32::from(first.faults.keys().any(|fault| fault.is_damage()));
            let choices = first.token("cleanup").recipe.try_into().unwrap();
            let again = run(scenario("cleanup"), &Setup { choices, ..setup(seed) });
            assert_eq!(again.left_track, None);
            assert_eq!((&again.faults, again.level), (&first.faults, first.level), "seed {seed}");
            assert!(again.transcript == first.transcript, "seed {seed}");
        }
        assert!(damaged > 20, "{damaged} of 60 worlds are damaged");
    }
}

#[test]
fn only_a_disordered_world_polls_a_vats_tasks_out_of_order() {
    let polls_out_of_order = |profile: Profile| {
        (0..40).any(|seed| {
            let run = run(scenario("pid0"), &under(profile.clone(), seed));
            run.transcript.steps.iter().any(|step| matches!(step.moved, Move::PollAt(..)))
        })
    };
    assert!(polls_out_of_order(Profile::adversarial()));
    assert!(!polls_out_of_order(Profile::harsh()));
}

#[test]
fn a_cell_is_trapped_at_the_fuel_it_was_told() {
    let mut seen = 0;
    for seed in 0..300 {
        let run = run(scenario("echo"), &under(Profile::harsh(), seed));
        for event in &run.transcript.events {
            let Event::TrappedByOrder { .. } = event else { continue };
            let exit = run.cells[0].1.as_ref().expect("it has ended");
            let wavetank::cell::Cause::Trapped(trap) = &exit.cause else { panic!("{exit:?}") };
            assert_eq!((trap.class, exit.code), (TrapClass::Ordered, 134));
            assert!(exit.fuel < 1 << 29, "{}", exit.fuel);
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

/// A host that calls its guest over and over, and accepts an exception as an answer.
fn calls(world: &mut World) {
    let server = world.cell("server", guests::SERVER).transport(Transport::Connection);
    let server = server.serve(peer::executor(world)).spawn();
    let (exported, cell) = (server.exported::<executor::Client>(), server.cell().clone());
    world.task("caller", async move {
        for _ in 0..10 {
            let mut request = exported.echo_request();
            request.get().set_message("hello");
            let _ = request.send().promise.await;
        }
        cell.kill();
    });
}

#[test]
fn a_call_of_the_host_is_cancelled_by_its_caller() {
    let mut cancelled = 0;
    for seed in 0..600 {
        let run = run(calls, &Setup { engine: engine(), ..under(Profile::harsh(), seed) });
        assert!(run.outcome.is_finished(), "seed {seed}: {}", run.outcome);
        let events = &run.transcript.events;
        let cut = events.iter().filter_map(|event| match event {
            Event::CallCut { gate } => Some(*gate),
            _ => None,
        });
        let asked = |gate| events.iter().any(|e| matches!(e, Event::Asked { gate: g, .. } if *g == gate));
        cancelled += cut.filter(|gate| asked(*gate)).count();
    }
    assert!(cancelled > 5, "{cancelled}");
}
