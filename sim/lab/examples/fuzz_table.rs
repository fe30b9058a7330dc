//! Counts how many executions it takes to find the first failure of each case of the bug benchmark: the median over ten
//! base seeds, by random walks, by the portfolio, and by the fuzzer. A case is left out if random walks find it at once
//! under every base seed, or if only a comparison of two runs shows it.
//!
//! `cargo run --release -p wavetank-lab --example fuzz_table [MOST] [CASE..]`. MOST defaults to 5000.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use wavetank_choice::strategy::Survey;
use wavetank_lab::bugs::{ALL, Case};
use wavetank_sim::check::engine;
use wavetank_sim::fuzz::Fuzzer;
use wavetank_sim::{Choices, Profile, Seed, Setup, StrategyName, run, survey};

const BASES: u64 = 10;

/// The distance between two base seeds: more seeds than any campaign takes.
const APART: u64 = 1_000_000;

#[derive(Clone)]
struct Row {
    id: &'static str,
    /// The median of each strategy; `None` if it is beyond the number of executions tried.
    medians: [Option<u64>; 3],
    found: [usize; 3],
}

fn main() {
    let mut args = std::env::args().skip(1);
    let most: u64 = args.next().map_or(5_000, |most| most.parse().expect("a number of executions"));
    let ids: Vec<String> = args.collect();
    let cases = ALL.iter().filter(|case| ids.is_empty() || ids.iter().any(|id| id == case.id));
    let cases: Vec<&Case> = cases.filter(|case| !case.is_compared).collect();
    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<(usize, Row)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(at) else { return };
                    if let Some(row) = row(case, most) {
                        eprintln!("{}", line(&row, most));
                        rows.lock().unwrap().push((at, row));
                    }
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|(at, _)| *at);
    println!("| case | random | portfolio | fuzz |\n| --- | ---: | ---: | ---: |");
    for (_, row) in &rows {
        println!("{}", line(row, most));
    }
    let median = |of: usize| median(rows.iter().map(|(_, row)| row.medians[of]).collect());
    let medians = [median(0), median(1), median(2)];
    let better = |a: Option<u64>, b: Option<u64>| a.unwrap_or(u64::MAX) < b.unwrap_or(u64::MAX);
    let wins = rows.iter().filter(|(_, row)| better(row.medians[2], row.medians[0])).count();
    let losses = rows.iter().filter(|(_, row)| better(row.medians[0], row.medians[2])).count();
    println!("| median of {} cases | {} |", rows.len(), medians.map(|m| number(m, most)).join(" | "));
    println!("\nfuzz needs fewer than random in {wins}, more in {losses}");
}

fn row(case: &Case, most: u64) -> Option<Row> {
    let setup = |seed| Setup::new(engine(), Seed(seed));
    let survey = Arc::new(survey(case.buggy, &setup(0)));
    let by = |strategy: StrategyName| -> Vec<Option<u64>> {
        (0..BASES).map(|base| drawn(case, &strategy, base * APART, most, &survey)).collect()
    };
    let random = by(StrategyName::Random);
    if random.iter().all(|first| *first == Some(1)) {
        return None;
    }
    let fuzz = (0..BASES).map(|base| {
        let mut fuzzer = Fuzzer::new(case.buggy, &setup(base * APART), &Profile::swarm());
        (1..=most).find(|_| fuzzer.step().found.is_some())
    });
    let firsts = [random, by(StrategyName::Portfolio), fuzz.collect()];
    let found = firsts.clone().map(|firsts| firsts.iter().flatten().count());
    Some(Row { id: case.id, medians: firsts.map(median), found })
}

fn drawn(case: &Case, strategy: &StrategyName, base: u64, most: u64, survey: &Arc<Survey>) -> Option<u64> {
    (1..=most).find(|nth| {
        let choices = Choices::Drawn(strategy.clone(), Profile::swarm());
        let setup =
            Setup { choices, survey: Some(survey.clone()), ..Setup::new(engine(), Seed(base + nth - 1)) };
        !run(case.buggy, &setup).outcome.is_finished()
    })
}

/// The median, or the lower of the two middle values. `None` stands for more than the number of executions tried.
fn median(mut firsts: Vec<Option<u64>>) -> Option<u64> {
    firsts.sort_by_key(|first| first.unwrap_or(u64::MAX));
    *firsts.get((firsts.len().max(1) - 1) / 2)?
}

fn number(median: Option<u64>, most: u64) -> String {
    median.map_or_else(|| format!("> {most}"), |median| median.to_string())
}

fn line(row: &Row, most: u64) -> String {
    let cell = |of: usize| {
        let found = row.found[of] as u64;
        let some = if found == BASES { String::new() } else { format!(" ({found} of {BASES})") };
        format!("{}{some}", number(row.medians[of], most))
    };
    format!("| `{}` | {} | {} | {} |", row.id, cell(0), cell(1), cell(2))
}
