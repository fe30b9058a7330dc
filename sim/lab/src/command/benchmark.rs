//! `wavetank bugs`: the bug benchmark.

use crate::reports;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wavetank_choice::nearest::did_you_mean;
use wavetank_cli::args::count;
use wavetank_cli::files::{Target, refuse_same};
use wavetank_cli::progress::now;
use wavetank_cli::terminal::{self, Stop};
use wavetank_cli::{FOUND, engine};
use wavetank_lab::bugs::measure::{Measured, Plan, measure};
use wavetank_lab::bugs::{self, Case};
use wavetank_sim::{Profile, StrategyName};

#[derive(clap::Args)]
pub(crate) struct BugsArgs {
    /// Cases to measure, as g06,abba [default: all]
    #[arg(long, value_delimiter = ',', value_name = "CASE,…")]
    pub(crate) cases: Vec<String>,
    /// Strategies to measure, as random,pct:3 [default: all strategies that search]
    #[arg(long, value_delimiter = ',', value_name = "STRATEGY,…")]
    pub(crate) strategies: Vec<StrategyName>,
    /// Searches for each case and strategy; with --reports, failures for each case
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) bases: u64,
    /// Executions after which a search gives up
    #[arg(long, default_value_t = 20_000, value_parser = count)]
    pub(crate) cap: u64,
    /// Runs of the mended twin for each search
    #[arg(long, default_value_t = 50)]
    pub(crate) twin_seeds: u64,
    /// Number of cases to measure in parallel [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Write a line for each case and strategy to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write the table to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Measure the failure reports instead: how often they name the planted cause
    #[arg(long, conflicts_with_all = ["strategies", "csv", "markdown", "twin_seeds"])]
    pub(crate) reports: bool,
}

/// The target of each case for the default strategy: the number of executions in the median search.
const TARGETS: [(&str, u64); 5] =
    [("reorder_10", 50), ("twostage_20", 20), ("needle_100", 3_000), ("longshort_50", 20), ("", 1_000)];

fn target(case: &str) -> u64 {
    TARGETS.iter().find(|(id, _)| *id == case || id.is_empty()).map_or(0, |(_, target)| *target)
}

/// Whether a case met its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Met,
    Missed,
    /// The searches gave up before they reached the target.
    Open,
}

impl Verdict {
    fn of(median: Option<u64>, target: u64, cap: u64) -> Self {
        match median {
            Some(median) if median <= target => Verdict::Met,
            None if cap < target => Verdict::Open,
            _ => Verdict::Missed,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Missed => "**missed**",
            Verdict::Open => "given up before",
        }
    }
}

/// One cell of the table.
struct Cell {
    measured: Measured,
    took: Duration,
}

type Table = BTreeMap<(usize, usize), Cell>;

pub(crate) fn bugs(args: &BugsArgs) -> Result<ExitCode, Stop> {
    let cases: Vec<&Case> = if args.cases.is_empty() {
        bugs::ALL.iter().collect()
    } else {
        let find = |id: &String| bugs::find(id.strip_prefix("bug-").unwrap_or(id)).ok_or_else(|| unknown(id));
        args.cases.iter().map(find).collect::<Result<_, _>>()?
    };
    if args.reports {
        return reports::reports(args, &cases);
    }
    let strategies =
        if args.strategies.is_empty() { StrategyName::searching() } else { args.strategies.clone() };
    refuse_same(&[("--csv", args.csv.as_deref()), ("--markdown", args.markdown.as_deref())])?;
    let csv_file = args.csv.as_ref().map(|path| Target::create("--csv", path)).transpose()?;
    let markdown_file = args.markdown.as_ref().map(|path| Target::create("--markdown", path)).transpose()?;
    let engine = engine()?;
    let next = AtomicUsize::new(0);
    let table: Mutex<Table> = Mutex::default();
    let jobs =
        args.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let (case, strategy) = (place / strategies.len(), place % strategies.len());
                    let Some(&bug) = cases.get(case) else { return };
                    let is_portfolio = strategies[strategy] == StrategyName::Portfolio;
                    let plan = Plan {
                        bases: args.bases,
                        cap: args.cap,
                        twin_seeds: args.twin_seeds,
                        shrinks: is_portfolio,
                    };
                    let started = now();
                    let measured = measure(bug, &strategies[strategy], &Profile::swarm(), &plan, &engine);
                    let took = started.elapsed();
                    terminal::note(format_args!(
                        "{}, {}: {}\n",
                        bug.id,
                        strategies[strategy],
                        words(&measured, args.bases)
                    ));
                    let mut table = table.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    table.insert((case, strategy), Cell { measured, took });
                }
            });
        }
    });
    let table = table.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (text, missed) = markdown(args, &cases, &strategies, &table);
    let told = match markdown_file {
        Some(file) => file.write(|file| file.write_all(text.as_bytes())),
        None => terminal::print(text),
    };
    if let Some(file) = csv_file {
        file.write(|file| file.write_all(csv(&cases, &strategies, &table).as_bytes()))?;
    }
    told?;
    let alarms: u64 = table.values().map(|cell| cell.measured.false_alarms).sum();
    if alarms > 0 {
        terminal::print(format_args!("{alarms} false alarms on mended twins\n"))?;
    }
    Ok(ExitCode::from(exit(alarms, missed)))
}

/// The exit code: a false alarm and a missed target both fail the benchmark.
fn exit(alarms: u64, missed: u64) -> u8 {
    if alarms > 0 || missed > 0 { FOUND } else { 0 }
}

fn unknown(id: &str) -> String {
    let ids: Vec<&str> = bugs::ALL.iter().map(|case| case.id).collect();
    let suggestion = did_you_mean(id, ids.iter().copied());
    format!("no case is called {id:?}: there are {}{suggestion}", ids.join(", "))
}

/// Median and P90; if not all searches found the bug, also how many did.
fn words(measured: &Measured, bases: u64) -> String {
    let number = |part| measured.within(part).map_or_else(|| "–".into(), |within| within.to_string());
    let (median, p90) = (number((1, 2)), number((9, 10)));
    let found = measured.executions.len() as u64;
    if found == bases { format!("{median} ({p90})") } else { format!("{median} ({p90}), {found} of {bases}") }
}

fn csv(cases: &[&Case], strategies: &[StrategyName], table: &Table) -> String {
    let mut text = String::from("case,strategy,median,p90,found,searches,steps,false_alarms\n");
    for ((case, strategy), Cell { measured, .. }) in table {
        let number = |part| measured.within(part).map_or_else(String::new, |within| within.to_string());
        let Measured { executions, searches, steps, false_alarms, .. } = measured;
        let (median, p90, found) = (number((1, 2)), number((9, 10)), executions.len());
        let (case, strategy) = (cases[*case].id, &strategies[*strategy]);
        let _ = writeln!(text, "{case},{strategy},{median},{p90},{found},{searches},{steps},{false_alarms}");
    }
    text
}

/// The table, and the number of missed targets.
fn markdown(args: &BugsArgs, cases: &[&Case], strategies: &[StrategyName], table: &Table) -> (String, u64) {
    let mut text = String::new();
    let names: Vec<String> = strategies.iter().map(StrategyName::to_string).collect();
    let _ = writeln!(text, "| case | fault | {} | target |", names.join(" | "));
    let _ = writeln!(text, "|---|---|{}---|", "---|".repeat(names.len()));
    let mut met = 0_u64;
    let mut judged = 0_u64;
    for (at, case) in cases.iter().enumerate() {
        let cell = |strategy| table.get(&(at, strategy)).map(|cell: &Cell| &cell.measured);
        let cells: Vec<String> =
            (0..strategies.len()).filter_map(cell).map(|measured| words(measured, args.bases)).collect();
        let portfolio = strategies.iter().position(|name| *name == StrategyName::Portfolio).and_then(cell);
        let verdict = portfolio.map_or_else(String::new, |measured| {
            let target = target(case.id);
            let verdict = Verdict::of(measured.within((1, 2)), target, args.cap);
            judged += u64::from(verdict != Verdict::Open);
            met += u64::from(verdict == Verdict::Met);
            format!("{target}: {}", verdict.word())
        });
        let _ = writeln!(text, "| {} | {} | {} | {verdict} |", case.id, case.summary, cells.join(" | "));
    }
    let alarms: u64 = table.values().map(|cell| cell.measured.false_alarms).sum();
    let twins = cases.len() as u64 * strategies.len() as u64 * args.bases * args.twin_seeds;
    let _ = writeln!(text, "\nTargets met by the portfolio: {met} of {judged}.");
    let _ = writeln!(text, "False alarms: {alarms} in {twins} runs of mended twins.");
    let mut kept: Vec<usize> = table.values().filter_map(|cell| cell.measured.kept_thousandths()).collect();
    kept.sort_unstable();
    if let Some(&median) = kept.get(kept.len().saturating_sub(1) / 2) {
        let runs: usize = table.values().flat_map(|cell| &cell.measured.shrunk).map(|(.., runs)| runs).sum();
        let failures: usize = table.values().map(|cell| cell.measured.shrunk.len()).sum();
        let _ = writeln!(
            text,
            "Shrinking keeps {}.{} % of the choices in the median case, after {} runs on the average.",
            median / 10,
            median % 10,
            runs.checked_div(failures).unwrap_or(0)
        );
    }
    let slowest = table.iter().max_by_key(|(_, cell)| cell.took);
    if let Some((&(case, strategy), cell)) = slowest {
        let (case, strategy) = (cases[case].id, &strategies[strategy]);
        terminal::note(format_args!("slowest: {case} under {strategy}, {} s\n", cell.took.as_secs()));
    }
    (text, judged - met)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_missed_only_if_it_could_be_met() {
        for (median, target, cap, verdict) in [
            (Some(20), 20, 100, Verdict::Met),
            (Some(21), 20, 100, Verdict::Missed),
            (None, 20, 100, Verdict::Missed),
            (None, 20, 20, Verdict::Missed),
            (None, 20, 19, Verdict::Open),
            (Some(1), 20, 1, Verdict::Met),
        ] {
            assert_eq!(Verdict::of(median, target, cap), verdict, "{median:?} of {target}, cap {cap}");
        }
    }

    #[test]
    fn a_false_alarm_and_a_missed_target_fail_the_benchmark() {
        assert_eq!([(0, 0), (1, 0), (0, 1)].map(|(alarms, missed)| exit(alarms, missed)), [0, FOUND, FOUND]);
    }
}
