//! Guests that take more than is allowed, or misuse their handles.

use super::*;

/// The conditions of a guest's run.
struct Trial {
    limits: Limits,
    setup: Setup,
    stdin: Vec<u8>,
}

impl Default for Trial {
    fn default() -> Self {
        Trial { limits: Limits::default(), setup: setup(1), stdin: Vec::new() }
    }
}

impl Trial {
    fn of(limits: Limits) -> Self {
        Trial { limits, ..Trial::default() }
    }

    /// Runs a case of the guest `hostile`.
    fn run(&self, case: &str, expect: impl Fn(&CellHandle<'_>) + Sync) -> Run {
        let build = |world: &mut World| {
            let cell = world.cell("hostile", guests::HOSTILE).args([case]).limits(self.limits.clone());
            let cell = cell.stdin(&self.stdin).transport(Transport::Connection);
            // These guests leave their children on purpose.
            let cell = cell.may_leave_children();
            expect(&cell.serve(peer::executor(world)).spawn());
        };
        run(build, &self.setup)
    }

    /// Runs a case that traps.
    #[track_caller]
    fn traps(&self, case: &str, class: TrapClass) -> Run {
        let run = self.run(case, |_| ());
        let Outcome::Trapped { trap, .. } = &run.outcome else { panic!("{}", run.outcome) };
        assert_eq!(trap.class, class, "{}", trap.message);
        run
    }

    #[track_caller]
    fn finishes(&self, case: &str, stdout: &str) -> Run {
        let run = self.run(case, |cell| {
            cell.expect_exit(0).expect_stdout(stdout);
        });
        assert!(run.outcome.is_finished(), "{} {:?}", run.outcome, run.outcome.detail());
        run
    }
}

fn count(run: &Run, which: impl Fn(&Event) -> bool) -> usize {
    run.transcript.events.iter().filter(|event| which(event)).count()
}

#[test]
fn a_loop_without_end_is_told_as_spinning() {
    let limits = Limits { quiet_fuel: 50_000_000, ..Limits::default() };
    let run = Trial { setup: round_robin(), ..Trial::of(limits) }.run("loop", |_| ());
    let Outcome::Spinning { who, blame, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!((&**who, blame), ("hostile", &Blame::Guest("hostile".into())));
    assert!(run.transcript.steps.len() < 1_000);
}

#[test]
fn a_loop_ends_with_its_fuel() {
    const FUEL: u64 = 20_000_000;
    let run = Trial::of(Limits { fuel: FUEL, ..Limits::default() }).traps("loop", TrapClass::OutOfFuel);
    assert_eq!(exit_of(&run).fuel, FUEL);
}

#[test]
fn a_stack_that_overflows_is_a_trap() {
    Trial::default().traps("recurse", TrapClass::StackOverflow);
}

#[test]
fn memory_grows_to_its_limit_and_no_further() {
    const PAGE_BYTES: u64 = 64 * 1024;
    let grown_bytes = |memory_bytes: u64| {
        let limits = Limits { memory_bytes: memory_bytes as usize, ..Limits::default() };
        let run = Trial::of(limits).finishes("grow", "refused after");
        let said = crate::wasi::written(&run, "hostile stdout");
        let pages = said.lines().find_map(|line| line.strip_prefix("refused after ")?.strip_suffix(" pages"));
        PAGE_BYTES * pages.expect("a count").parse::<u64>().expect("a number")
    };
    // The guest has some memory at its start.
    let grown = grown_bytes(32 * MIB);
    assert!((30 * MIB..32 * MIB).contains(&grown), "{grown}");
    assert_eq!(grown - grown_bytes(16 * MIB), 16 * MIB);
}

#[test]
fn growth_that_is_refused_without_end_is_told_as_spinning() {
    let limits = Limits { quiet_fuel: 50_000_000, ..Limits::default() };
    let run = Trial::of(limits).run("regrow", |_| ());
    assert!(matches!(run.outcome, Outcome::Spinning { .. }), "{}", run.outcome);
}

#[test]
fn a_million_pollables_are_too_many_handles() {
    let run = Trial::default().traps("pollables", TrapClass::TooManyHandles);
    let born = count(&run, |event| matches!(event, Event::HandleBorn { .. }));
    // Each pollable takes a second place, for the thing it waits for.
    assert_eq!(2 * born, Limits::default().handles);
}

#[test]
fn a_million_resources_are_too_many_handles() {
    let run = Trial::default().traps("resources", TrapClass::TooManyHandles);
    let born = count(&run, |event| matches!(event, Event::HandleBorn { .. }));
    assert_eq!(born, Limits::default().handles);
}

#[test]
fn handles_taken_and_given_back_without_end_are_told_as_spinning() {
    let run = Trial::default().run("churn", |_| ());
    assert!(matches!(run.outcome, Outcome::Spinning { .. }), "{}", run.outcome);
    // The livelock is found at the end of a slice in which nothing else could happen. A slice makes about ten thousand
    // handles, and under some strategies it takes a while until all others have had their turn.
    assert!(run.transcript.events.len() < 4_000_000, "{}", run.transcript.events.len());
}

#[test]
fn a_poll_list_of_a_hundred_thousand_is_a_trap() {
    Trial::default().traps("poll-list", TrapClass::TooManyHandles);
}

#[test]
fn a_poll_list_of_sixteen_million_is_a_trap_before_it_is_copied() {
    let run = Trial::default().traps("poll-list-huge", TrapClass::AskedTooMuch);
    let Outcome::Trapped { trap, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert!(trap.message.starts_with("too much data is being copied"), "{}", trap.message);
}

#[test]
fn a_write_of_four_gibibytes_is_out_of_bounds() {
    Trial::default().traps("write-4g", TrapClass::OutOfBounds);
}

#[test]
fn four_gibibytes_of_zeros_are_a_write_over_budget() {
    Trial::default().traps("zeroes-4g", TrapClass::WriteOverBudget);
}

#[test]
fn a_read_of_four_gibibytes_gives_what_there_is() {
    let stdin = vec![7; 1000];
    Trial { stdin, setup: round_robin(), ..Trial::default() }.finishes("read-4g", "1000 bytes");
}

#[test]
fn four_gibibytes_of_random_bytes_are_a_trap() {
    Trial::default().traps("random-4g", TrapClass::AskedTooMuch);
}

#[test]
fn a_log_without_end_is_told_as_a_flood() {
    let setup = Setup { max_record_bytes: 8 * MIB, ..setup(1) };
    let run = Trial { setup, ..Trial::default() }.run("flood-stderr", |_| ());
    let Outcome::Violated(finding) = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!((finding.oracle, &finding.blame), (Oracle::Flood, &Blame::Guest("hostile".into())));
    assert!(finding.what.contains("hostile stderr"), "{}", finding.what);
    let written: u64 = run.transcript.events.iter().map(wavetank_sim::oracle::flood::bytes_of).sum();
    assert!(written < 9 * MIB, "{written}");
    let stderr = run.facts.pipes.iter().find(|pipe| &*pipe.name == "hostile stderr").expect("a stderr");
    assert!(stderr.staged_bytes + stderr.visible_bytes <= KEPT_BYTES);
}

#[test]
fn a_guest_that_asks_and_never_reads_loses_its_link() {
    let run = Trial::default().run("flood-link", |_| ());
    assert_eq!(exit_of(&run).code, 1, "{}", run.outcome);
    let calls = link_end(&run).expect("its link ended in an error");
    assert!(calls.contains("wait to be read by the far end"), "{calls}");
}

#[test]
fn junk_to_run_is_refused_with_the_reason() {
    let run = Trial::default().finishes("run-junk", "these bytes are not WebAssembly");
    assert_eq!(run.cells.len(), 1);
}

#[test]
fn a_hundred_megabytes_to_run_are_over_the_limit() {
    let run = Trial::default().finishes("run-100mb", "over the limit: 100000000 bytes of a component");
    assert_eq!(run.cells.len(), 1);
}

#[test]
fn a_fork_bomb_ends_at_the_cells_that_may_live() {
    let setup = Setup { max_cells: 12, ..round_robin() };
    let run = Trial { stdin: guests::HOSTILE.into(), setup, ..Trial::default() }.run("fork", |_| ());
    assert!(run.outcome.is_finished(), "{}", run.outcome);
    assert_eq!(run.cells.len(), 12);
}

#[test]
fn a_fork_bomb_of_detached_children_ends_at_the_cells_that_may_be_started() {
    let setup = Setup { max_cells: 8, ..round_robin() };
    let run = Trial { stdin: guests::HOSTILE.into(), setup, ..Trial::default() }.run("fork-detached", |_| ());
    assert!(run.outcome.is_finished(), "{}", run.outcome);
    assert_eq!(run.cells.len(), 80);
}

#[test]
fn detached_children_count_among_their_parents() {
    let limits = Limits { children: 3, ..Limits::default() };
    let setup = Setup { max_cells: 8, ..round_robin() };
    let trial = Trial { stdin: guests::HOSTILE.into(), limits, setup };
    let run = trial.run("fork-detached", |cell| {
        cell.expect_stdout("refused after 3");
    });
    assert!(run.outcome.is_finished(), "{}", run.outcome);
}
