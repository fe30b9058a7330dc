//! The random order of `tokio::select!` repeats.

use crate::support::{ask, serve};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Mutex;
use tokio::sync::mpsc;
use wavetank_sim::oracle::{Blame, Oracle};
use wavetank_sim::outcome::Outcome;
use wavetank_sim::{Run, World, check};

/// The orders that were seen.
static MERGED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A server that merges three channels, whose messages are all there at once, and says in which order it saw them.
fn merges(world: &mut World, rounds: usize, pauses: bool) {
    wavetank_tokio::install(world);
    let (client, server) = serve(world, move |_| async move {
        let (to_first, mut first) = mpsc::unbounded_channel();
        let (to_second, mut second) = mpsc::unbounded_channel();
        let (to_third, mut third) = mpsc::unbounded_channel();
        for _ in 0..rounds {
            to_first.send('a').unwrap();
            to_second.send('b').unwrap();
            to_third.send('c').unwrap();
        }
        let mut seen = String::new();
        for _ in 0..rounds {
            if pauses {
                tokio::task::yield_now().await;
            }
            seen.push(tokio::select! {
                Some(next) = first.recv() => next,
                Some(next) = second.recv() => next,
                Some(next) = third.recv() => next,
            });
        }
        seen
    });
    world.task_of(client, "asker", async move {
        let seen = ask(&server, "merge").await;
        assert_eq!(seen.len(), rounds);
        MERGED.lock().unwrap().insert(seen);
    });
}

fn run(seed: u64) -> Run {
    check("merges", |world: &mut World| merges(world, 6, true)).no_failures().run_seed(seed)
}

/// Builds a runtime, which moves tokio's counter of this process on.
fn disturb() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        tokio::select! { () = async {} => {}, () = async {} => {} }
    });
}

const SEEDS: u64 = 1_000;

/// Set in the second process. It is never set by hand.
const SECOND: &str = "WAVETANK_TOKIO_SECOND_PROCESS";

#[test]
#[expect(clippy::disallowed_methods, reason = "it starts itself again, and must know that it did")]
fn a_thousand_seeds_run_the_same_twice_and_in_another_process() {
    let mut digests = String::new();
    let mut different = BTreeSet::new();
    for seed in 0..SEEDS {
        let first = run(seed);
        assert!(first.outcome.is_finished(), "seed {seed}: {}", first.outcome);
        disturb();
        let digest = first.transcript.digest();
        assert_eq!(run(seed).transcript.digest(), digest, "seed {seed}");
        different.insert(digest);
        digests += &format!("{digest:?} ");
    }
    assert!(different.len() > 100, "{} different runs", different.len());
    println!("digests: {digests}");
    if std::env::var_os(SECOND).is_some() {
        return;
    }
    let second = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "order::a_thousand_seeds_run_the_same_twice_and_in_another_process", "--nocapture"])
        .env(SECOND, "1")
        .output()
        .unwrap();
    let said = String::from_utf8(second.stdout).unwrap();
    assert!(second.status.success(), "{said}");
    assert!(said.contains(&digests), "another process runs some seed otherwise");
}

#[test]
fn seeds_draw_different_orders() {
    (0..50).for_each(|seed| drop(run(seed)));
    let merged = MERGED.lock().unwrap();
    // It may begin with each of the branches but the middle one, and go on with either.
    let begins = |with: &str| merged.iter().any(|order| order.starts_with(with));
    assert!(["aa", "ac", "ca", "cc"].into_iter().all(begins), "{merged:?}");
    assert!(merged.len() > 5, "{merged:?}");
}

#[test]
fn a_step_that_draws_too_often_is_reported_by_name() {
    let run = check("merges", |world: &mut World| merges(world, 5, false)).no_failures().run_seed(3);
    let Outcome::Violated(finding) = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(finding.oracle, Oracle::Outside);
    assert!(finding.what.contains("drew 5 random orders in one step"), "{}", finding.what);
    assert!(finding.what.contains("write `biased;`"), "{}", finding.what);
    assert!(
        matches!(&finding.blame, Blame::Task { vat: Some(vat), .. } if vat == "server"),
        "{:?}",
        finding.blame
    );
}

#[test]
fn biased_always_repeats() {
    let scenario = |world: &mut World| {
        wavetank_tokio::install(world);
        let (client, server) = serve(world, |_| async move {
            let (sending, mut receiving) = mpsc::unbounded_channel();
            (0..100).for_each(|number| sending.send(number).unwrap());
            drop(sending);
            let mut sum = 0;
            loop {
                tokio::select! {
                    biased;
                    next = receiving.recv() => match next {
                        Some(number) => sum += number,
                        None => return sum.to_string(),
                    },
                    () = std::future::pending() => {}
                }
            }
        });
        world.task_of(client, "asker", async move { assert_eq!(ask(&server, "sum").await, "4950") });
    };
    check("biased", scenario).seeds(0..20).canary(true).no_failures().run();
}
