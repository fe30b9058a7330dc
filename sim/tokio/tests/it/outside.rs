//! Servers that wait for something outside the world.

use crate::support::{ask, serve};
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;
use wavetank_sim::oracle::{Blame, Finding, Oracle};
use wavetank_sim::outcome::Outcome;
use wavetank_sim::{Run, World, check};

/// A run in which a server does something with tokio.
fn run<A: Future<Output = String> + 'static>(answer: impl Fn(String) -> A + Clone + Sync + 'static) -> Run {
    let scenario = move |world: &mut World| {
        wavetank_tokio::install(world);
        let (client, server) = serve(world, answer.clone());
        world.task_of(client, "asker", async move {
            ask(&server, "hello").await;
        });
    };
    check("goes outside", scenario).no_failures().run_seed(1)
}

fn server() -> Blame {
    Blame::Capability { vat: Some("server".into()), call: "Executor.echo".into() }
}

fn finding(run: &Run) -> &Finding {
    let Outcome::Violated(finding) = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(finding.oracle, Oracle::Outside);
    finding
}

#[test]
fn a_socket_panics_with_the_name_of_its_call() {
    let run = run(|word| async move {
        let _ = tokio::net::TcpStream::connect("127.0.0.1:9").await;
        word
    });
    let Outcome::Panicked { message, blame, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert!(message.contains("IO is disabled"), "{message}");
    assert_eq!(*blame, server());
}

#[test]
fn a_thread_that_never_answers() {
    let run = run(|word| async move {
        let (held, never) = mpsc::channel::<()>();
        // Neither end is dropped, so the thread works until the process ends.
        std::mem::forget(held);
        tokio::task::spawn_blocking(move || never.recv())
            .await
            .expect("it never ends")
            .expect("nor is it sent");
        word
    });
    let finding = finding(&run);
    assert!(
        finding
            .what
            .starts_with("call `Executor.echo` waits for something outside the world: `spawn_blocking`"),
        "{}",
        finding.what
    );
    assert_eq!(finding.blame, server());
}

#[test]
fn a_thread_that_answers_at_once() {
    // It ends before the world has come to rest or after that. Both are reported.
    let run = run(|word| async move {
        tokio::fs::metadata(".").await.expect("it is there");
        word
    });
    let finding = finding(&run);
    assert!(
        finding.what.starts_with("call `Executor.echo` waits for something outside the world: "),
        "{}",
        finding.what
    );
    assert_eq!(finding.blame, server());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it is a timer of a library that the world does not know")]
fn a_foreign_timer_that_wakes_a_task() {
    let scenario = |world: &mut World| {
        wavetank_tokio::install(world);
        world.task("sleeper", async {
            std::future::poll_fn(|cx| {
                let waker = cx.waker().clone();
                std::thread::spawn(move || waker.wake()).join().expect("it does not panic");
                Poll::<()>::Pending
            })
            .await;
        });
    };
    let run = check("wakes", scenario).no_failures().run_seed(1);
    let finding = finding(&run);
    assert_eq!(finding.what, "task `sleeper` waits for something outside the world: another thread woke it");
    assert_eq!(finding.blame, Blame::Task { vat: None, task: "sleeper".into() });
}

#[test]
fn a_foreign_timer_that_has_not_come_yet() {
    let run = run(|_| std::future::pending());
    let Outcome::Stalled(graph) = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(graph.blame, server());
    assert!(run.outcome.detail().join("\n").contains("or for something outside the world"), "{graph}");
}

#[test]
fn a_task_that_may_move_between_threads() {
    let run = run(|word| async move {
        tokio::spawn(async {});
        tokio::time::sleep(Duration::from_millis(1)).await;
        word
    });
    let finding = finding(&run);
    assert!(finding.what.contains("called `tokio::spawn`"), "{}", finding.what);
    assert!(
        matches!(&finding.blame, Blame::Task { vat: Some(vat), .. } if vat == "server"),
        "{:?}",
        finding.blame
    );
}
