//! `wavetank bugs --reports`: how often failure reports name the planted cause.

use crate::benchmark::BugsArgs;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use wavetank_cli::terminal::{self, Stop};
use wavetank_cli::{FOUND, engine};
use wavetank_lab::bugs::Case;
use wavetank_lab::bugs::triggers::{Named, Trigger, named};

/// The planted cause must make up at least this many percent of all changes that are named.
const TARGET_PERCENT: usize = 90;

/// At least this many percent of all failures must blame the holder of the planted fault.
const BLAME_TARGET_PERCENT: usize = 95;

/// Measures the cases, prints the table, and fails if the target is missed.
pub(crate) fn reports(args: &BugsArgs, cases: &[&Case]) -> Result<ExitCode, Stop> {
    let engine = engine()?;
    let failures = usize::try_from(args.bases).unwrap_or(usize::MAX);
    let next = AtomicUsize::new(0);
    let measured: Mutex<BTreeMap<usize, Named>> = Mutex::default();
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or_else(cores, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(place) else { return };
                    let named = named(case, failures, args.cap, &engine);
                    terminal::note(format_args!("{}: {} failures explained\n", case.id, named.failures));
                    measured.lock().unwrap_or_else(PoisonError::into_inner).insert(place, named);
                }
            });
        }
    });
    let measured = measured.into_inner().unwrap_or_else(PoisonError::into_inner);
    let rows: Vec<(&Case, &Named)> = measured.iter().map(|(place, named)| (cases[*place], named)).collect();
    let total = Total::of(&rows);
    terminal::print(table(&rows))?;
    terminal::print(total.to_string())?;
    Ok(if total.is_met() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

fn table(rows: &[(&Case, &Named)]) -> String {
    let mut text = String::from(
        "| case | fault | failures | named rightly | silent | named otherwise | blamed rightly | blamed otherwise |\n",
    );
    text += "|---|---|---|---|---|---|---|---|\n";
    for (case, Named { failures, right, silent, wrong, blamed, blamed_otherwise }) in rows {
        let first = |others: &[String]| others.first().map_or_else(String::new, |first| format!(": {first}"));
        let _ = writeln!(
            text,
            "| {} | {} | {failures} | {right} | {silent} | {}{} | {blamed} | {}{} |",
            case.id,
            case.summary,
            wrong.len(),
            first(wrong),
            blamed_otherwise.len(),
            first(blamed_otherwise)
        );
    }
    text
}

/// The sums over all cases.
#[derive(Default)]
struct Total {
    failures: usize,
    right: usize,
    wrong: usize,
    blamed: usize,
    /// Failures that happen under every schedule, so that no single choice causes them.
    always: usize,
    /// Of those failures, the ones for which no change is named.
    silent_of_always: usize,
}

impl Total {
    fn of(rows: &[(&Case, &Named)]) -> Self {
        let mut total = Total::default();
        for (case, named) in rows {
            total.failures += named.failures;
            total.right += named.right;
            total.wrong += named.wrong.len();
            total.blamed += named.blamed;
            if case.trigger == Trigger::Always {
                total.always += named.failures;
                total.silent_of_always += named.silent;
            }
        }
        total
    }

    fn is_met(&self) -> bool {
        self.is_named_rightly() && self.is_blamed_rightly()
    }

    fn is_named_rightly(&self) -> bool {
        self.right * 100 >= (self.right + self.wrong) * TARGET_PERCENT
    }

    fn is_blamed_rightly(&self) -> bool {
        self.blamed * 100 >= self.failures * BLAME_TARGET_PERCENT
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = self.right + self.wrong;
        let caused = self.failures - self.always;
        writeln!(f)?;
        writeln!(
            f,
            "Of {} failures, {} fail under every schedule; nothing is named for {} of them.",
            self.failures, self.always, self.silent_of_always
        )?;
        writeln!(
            f,
            "For the other {caused} the planted cause is named {} times. Of all {named} changes that are named, {} are the planted cause (target: {TARGET_PERCENT} %): {}.",
            self.right,
            self.right,
            if self.is_named_rightly() { "met" } else { "missed" }
        )?;
        writeln!(
            f,
            "{} of {} failures blame who holds the planted fault (target: {BLAME_TARGET_PERCENT} %): {}.",
            self.blamed,
            self.failures,
            if self.is_blamed_rightly() { "met" } else { "missed" }
        )
    }
}
