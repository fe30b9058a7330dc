//! Searches the scenario `vats` for kinds of failure, and shrinks one of each.
//!
//! `cargo run --release -p wavetank-sim --example vats -- SCENARIO FROM TO SECONDS`

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wavetank::Engine;
use wavetank_sim::calls::PEER_SCHEMA;
use wavetank_sim::vats::{Kind, Vats};
use wavetank_sim::{Choices, Outcome, Run, Seed, Setup, World, run};

static WHERE: Mutex<String> = Mutex::new(String::new());

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
            println!("{}{}", ran.transcript.steps_text(&PEER_SCHEMA), ran.outcome);
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
    std::panic::set_hook(Box::new(|info| {
        let at = info.location().map_or(String::new(), |at| {
            let file = at.file();
            format!("{}:{}", file.rsplit('/').next().unwrap_or(file), at.line())
        });
        *WHERE.lock().unwrap() = at;
    }));
    let engine = wavetank_sim::check::engine();
    let start = Instant::now();
    let mut kinds: BTreeMap<String, (u64, u64, Duration)> = BTreeMap::new();
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
            let entry = kinds.entry(key).or_insert_with(|| (seed, 0, elapsed));
            entry.1 += 1;
        }
    }
    println!("{worlds} worlds in {:?}", start.elapsed());
    let mut sorted: Vec<_> = kinds.into_iter().collect();
    sorted.sort_by_key(|(_, (_, _, at))| *at);
    for (key, (seed, count, at)) in &sorted {
        println!("== {key}\n   seed {seed}, {count} times, first after {:.1} s", at.as_secs_f64());
    }
    for (key, (seed, ..)) in &sorted {
        println!("\n== {key}");
        shrink(build, &engine, *seed, key);
    }
}

fn builder(name: &str) -> Build {
    match name {
        "vats" => |world, told| vats(told).build(world),
        "vats-2" => |world, told| vats(told).count(2).build(world),
        "vats-plain" => |world, told| vats(told).kinds(&Kind::PLAIN).build(world),
        other => panic!("no scenario {other}"),
    }
}

fn vats(told: Arc<Mutex<Vec<String>>>) -> Vats {
    Vats::new().told(move |_, words| told.lock().unwrap().push(words.into()))
}

/// What tells kinds of failure apart.
fn key(run: &Run) -> Option<String> {
    let text = match &run.outcome {
        Outcome::Finished => return None,
        Outcome::Panicked { message } => format!("panicked at {}: {message}", WHERE.lock().unwrap()),
        Outcome::Stalled(graph) => {
            let first = graph.tasks.first().map_or("", |task| task);
            format!("stalled: {first}")
        }
        Outcome::Violated { oracle, what } => {
            let error = what
                .split_once("failed: ")
                .map(|(_, error)| error.split(" (it leads").next().unwrap_or(error));
            format!("violated ({oracle}): {}", error.unwrap_or(""))
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

fn shrink(build: Build, engine: &Arc<Engine>, seed: u64, wanted: &str) {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let attempt = |choices: Choices| {
        told.lock().unwrap().clear();
        let setup = Setup { choices, ..Setup::new(engine.clone(), Seed(seed)) };
        run(|world: &mut World| build(world, told.clone()), &setup)
    };
    let first = attempt(Choices::default());
    let values = |run: &Run| -> Vec<u32> { run.choices.iter().map(|choice| choice.value).collect() };
    let mut best = values(&first);
    let mut length = best.len().next_power_of_two();
    let mut tries = 0;
    let mut fails = |candidate: &[u32]| {
        tries += 1;
        let run = attempt(Choices::Given(candidate.iter().map(|value| (*value, None)).collect()));
        (tries < 6000 && key(&run).as_deref() == Some(wanted)).then(|| values(&run))
    };
    // Shorter first, then smaller from the left.
    loop {
        let before = best.clone();
        while length > 0 {
            let mut at = best.len();
            while at > 0 {
                let from = at.saturating_sub(length);
                let mut cut = best.clone();
                cut.drain(from..at.min(best.len()));
                let mut zeroed = best.clone();
                zeroed[from..at].iter_mut().for_each(|value| *value = 0);
                for candidate in [cut, zeroed] {
                    if candidate != best
                        && let Some(found) = fails(&candidate)
                        && (found.len(), &found) < (best.len(), &best)
                    {
                        best = found;
                        break;
                    }
                }
                at = from.min(best.len());
            }
            length /= 2;
        }
        for at in 0..best.len() {
            let mut low = 0;
            while at < best.len() && low < best[at] {
                let mut candidate = best.clone();
                let middle = low + (best[at] - low) / 2;
                candidate[at] = middle;
                match fails(&candidate) {
                    Some(found) if (found.len(), &found) < (best.len(), &best) => best = found,
                    _ => low = middle + 1,
                }
            }
        }
        if best == before {
            break;
        }
        length = 8;
    }
    let run = attempt(Choices::Given(best.iter().map(|value| (*value, None)).collect()));
    println!("seed {seed}: {} choices, {best:?}", best.len());
    println!("{}", run.outcome);
    for line in run.outcome.detail() {
        println!("  {line}");
    }
    for line in told.lock().unwrap().iter() {
        println!("  {line}");
    }
    for link in run.transcript.frames(&PEER_SCHEMA) {
        let dull = |frame: &&wavetank_sim::frames::Frame| !frame.to_string().contains("bootstrap");
        if link.frames.iter().filter(dull).count() < 4 {
            continue;
        }
        println!("  link {} of {}", link.link, link.cell);
        for frame in link.frames.iter().take(40) {
            println!("    {frame}");
        }
    }
}
