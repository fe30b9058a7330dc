//! Searches the scenario `vats` for kinds of failure, and shrinks one of each.
//!
//! `cargo run --release -p wavetank-lab --example vats -- SCENARIO FROM TO SECONDS`

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wavetank::Engine;
use wavetank_choice::shrink::shrink;
use wavetank_lab::vats::{Kind, Vats};
use wavetank_sim::known::Known;
use wavetank_sim::{Choices, Outcome, Run, Seed, Setup, World, run};

type Build = fn(&mut World, Arc<Mutex<Vec<String>>>);

#[expect(clippy::disallowed_methods, reason = "measures how long a search takes")]
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (name, from, to, seconds) = match &args[..] {
        [name, seed, choices] => {
            let choices = choices.split(',').map(|value| (value.trim().parse().expect("a choice"), None));
            let engine = wavetank_sim::check::engine();
            let seed = Seed(seed.parse().expect("a seed"));
            let setup = Setup { choices: Choices::Given(choices.collect()), ..Setup::new(engine, seed) };
            let build = builder(name);
            let told: Arc<Mutex<Vec<String>>> = Arc::default();
            let ran = run(|world: &mut World| build(world, told.clone()), &setup);
            println!("{}{}", ran.transcript.steps_text(&ran.schema), ran.outcome);
            println!("{:#?}", told.lock().unwrap());
            return;
        }
        [name, from, to, seconds] => (
            name.as_str(),
            from.parse::<u64>().expect("a seed"),
            to.parse::<u64>().expect("a seed"),
            seconds.parse::<u64>().expect("seconds"),
        ),
        _ => panic!("usage: vats SCENARIO FROM TO SECONDS"),
    };
    let build = builder(name);
    let engine = wavetank_sim::check::engine();
    let start = Instant::now(); // The search is bounded by time; no world sees the clock.
    let mut kinds: BTreeMap<String, (Vec<u64>, Duration)> = BTreeMap::new();
    let mut worlds = 0u64;
    for seed in from..to {
        if start.elapsed() > Duration::from_secs(seconds) {
            break;
        }
        worlds += 1;
        let ran =
            run(|world: &mut World| build(world, Arc::default()), &Setup::new(engine.clone(), Seed(seed)));
        if let Some(key) = key(&ran) {
            let elapsed = start.elapsed();
            kinds.entry(key).or_insert_with(|| (Vec::new(), elapsed)).0.push(seed);
        }
    }
    println!("{worlds} worlds in {:?}", start.elapsed());
    let mut sorted: Vec<_> = kinds.into_iter().collect();
    sorted.sort_by_key(|(_, (_, at))| *at);
    for (key, (seeds, at)) in &sorted {
        let (seed, count) = (seeds[0], seeds.len());
        println!("== {key}\n   seed {seed}, {count} times, first after {:.1} s", at.as_secs_f64());
    }
    for (key, (seeds, _)) in &sorted {
        println!("\n== {key}");
        let shrunk = seeds.iter().take(SHRUNK_SEEDS).map(|&seed| shrink_one(name, build, &engine, seed, key));
        println!("{}", shrunk.min().expect("each kind was seen").1);
    }
}

fn builder(name: &str) -> Build {
    match name {
        "vats" => |world, told| vats(told).build(world),
        "vats-2" => |world, told| vats(told).count(2).build(world),
        "vats-ends" => |world, told| vats(told).ends().build(world),
        "vats-plain" => |world, told| vats(told).kinds(&Kind::PLAIN).build(world),
        other => panic!("no scenario {other}"),
    }
}

fn vats(told: Arc<Mutex<Vec<String>>>) -> Vats {
    Vats::new().told(move |_, words| told.lock().unwrap().push(words.into()))
}

/// The key that tells kinds of failure apart: the known fault if there is one, otherwise the visible symptom.
fn key(run: &Run) -> Option<String> {
    if let Some(Known { id, signature, .. }) = run.outcome.known() {
        return Some(format!("{id}: {signature}"));
    }
    let text = match &run.outcome {
        Outcome::Finished => return None,
        Outcome::Panicked { message, at, .. } => format!("panicked at {at}: {message}"),
        Outcome::Stalled(graph) => format!("stalled: {}", graph.to_string().replace('\n', "; ")),
        Outcome::Violated(finding) => {
            let (oracle, what) = (finding.oracle, finding.what.replace("remote exception: ", ""));
            // Only the reason why the connection broke counts, not whether a call or the connection reports it.
            match what.split_once("failed: ").or(what.split_once("aborted: ")) {
                Some((_, error)) => format!("failed: {}", error.split(" (it leads").next().unwrap_or(error)),
                None => format!("violated ({oracle})"),
            }
        }
        other => other.to_string(),
    };
    Some(words(&text))
}

/// A text without its numbers and names of vats.
fn words(text: &str) -> String {
    let mut out = String::new();
    for word in text.split(' ') {
        let word: String = word.chars().filter(|c| !c.is_ascii_digit() || text.contains("rs:")).collect();
        if !["a", "b", "c", "d"].contains(&word.trim_matches(|c: char| !c.is_alphabetic())) {
            out += &word;
            out.push(' ');
        }
    }
    out.trim_end().to_string()
}

/// Shrinks one failure of a kind; gives the number of choices left and the text to print.
fn shrink_one(name: &str, build: Build, engine: &Arc<Engine>, seed: u64, wanted: &str) -> (usize, String) {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let attempt = |choices: Choices| {
        told.lock().unwrap().clear();
        let setup = Setup { choices, ..Setup::new(engine.clone(), Seed(seed)) };
        run(|world: &mut World| build(world, told.clone()), &setup)
    };
    let given = |choices: &[u32]| Choices::Given(choices.iter().map(|value| (*value, None)).collect());
    let values = |run: &Run| -> Vec<u32> { run.choices.iter().map(|choice| choice.value).collect() };
    let first = attempt(Choices::default());
    let shrunk = shrink(&values(&first), SHRINK_RUNS, |candidate| {
        let run = attempt(given(candidate));
        (key(&run).as_deref() == Some(wanted)).then(|| values(&run))
    });
    let run = attempt(given(&shrunk.choices));
    let left = shrunk.choices.len();
    let mut lines = vec![
        format!("seed {seed}: {left} choices of {}, {} runs", shrunk.from, shrunk.runs),
        run.token(name).to_string(),
        run.outcome.to_string(),
    ];
    let detail = run.outcome.detail();
    lines.extend(detail.iter().chain(told.lock().unwrap().iter()).map(|line| format!("  {line}")));
    (left, lines.join("\n"))
}

/// Number of failures of a kind that are shrunk; the smallest is shown.
const SHRUNK_SEEDS: usize = 5;

/// Number of runs that shrinking one failure may take.
const SHRINK_RUNS: usize = 10_000;
