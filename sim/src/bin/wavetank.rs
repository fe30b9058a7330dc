//! The `wavetank` command.

use clap::{Parser, Subcommand};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use wavetank::{Engine, EngineConfig};
use wavetank_sim::hashkeys;
use wavetank_sim::outcome::Outcome;
use wavetank_sim::scenario::{self, Scenario};
use wavetank_sim::schema::Schema;
use wavetank_sim::{Choices, Run, Seed, Setup, StrategyName, Token, run};

const FOUND: u8 = 1;
const USAGE: u8 = 2;
const DIVERGED: u8 = 3;

/// Runs WebAssembly guests that talk Cap'n Proto RPC under a seed, and runs the same again.
#[derive(Parser)]
#[command(name = "wavetank", version, after_help = EXIT_CODES)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 nothing found, 1 a failure found, 2 wrong usage, 3 a replay that diverged.";

#[derive(Subcommand)]
enum Command {
    /// Runs a scenario under one seed, or under many
    Run {
        /// The scenario; `wavetank list` names them all
        #[arg(default_value = "pid0")]
        scenario: String,
        /// Run this one seed and print its account
        #[arg(long, conflicts_with = "seeds")]
        seed: Option<Seed>,
        /// Run the seeds from A up to, not including, B
        #[arg(long, value_name = "A..B", default_value = "0..100")]
        seeds: Seeds,
        /// Who picks what happens next: random or round-robin
        #[arg(long, default_value_t)]
        strategy: StrategyName,
    },
    /// Runs what a token says again, and prints the transcript
    Replay {
        /// The token, as printed after `replay:`
        token: String,
        /// Print the RPC frames of each link (the default)
        #[arg(long)]
        frames: bool,
        /// Print every move and what it caused
        #[arg(long)]
        steps: bool,
    },
    /// Lists scenarios and strategies
    List,
}

/// A range of seeds.
#[derive(Clone, Debug)]
struct Seeds(std::ops::Range<u64>);

impl std::str::FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("not a range of seeds: {text:?} (write A..B with A below B, as 0..100)");
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let (from, to): (Seed, Seed) = (from.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?);
        if from >= to { Err(wrong()) } else { Ok(Seeds(from.0..to.0)) }
    }
}

fn main() -> ExitCode {
    let ended = match Args::parse().command {
        Command::Run { scenario, seed, seeds, strategy } => find(&scenario).and_then(|scenario| match seed {
            Some(seed) => run_one(scenario, seed, strategy),
            None => run_many(scenario, &seeds, strategy),
        }),
        Command::Replay { token, frames, steps } => replay(&token, frames || !steps, steps),
        Command::List => {
            list();
            Ok(ExitCode::SUCCESS)
        }
    };
    ended.unwrap_or_else(|message| {
        eprintln!("wavetank: {message}");
        ExitCode::from(USAGE)
    })
}

fn find(name: &str) -> Result<&'static Scenario, String> {
    scenario::find(name).ok_or_else(|| format!("unknown scenario {name:?}: `wavetank list` names them all"))
}

fn engine() -> Result<Arc<Engine>, String> {
    if !hashkeys::effective() {
        eprintln!("wavetank: hash keys do not follow the seed on this system: a seed may not repeat exactly");
    }
    Engine::new(&EngineConfig { cache: true, ..EngineConfig::default() }).map_err(|e| e.to_string())
}

fn run_one(scenario: &Scenario, seed: Seed, strategy: StrategyName) -> Result<ExitCode, String> {
    let setup = Setup { choices: Choices::Drawn(strategy), ..Setup::new(engine()?, seed) };
    let run = run(scenario.build, &setup);
    print!("{}", account(scenario, &run));
    Ok(exit_code(&run))
}

fn run_many(scenario: &Scenario, seeds: &Seeds, strategy: StrategyName) -> Result<ExitCode, String> {
    let engine = engine()?;
    let (mut finished, mut steps) = (0_u64, 0_u64);
    let mut failed = 0_u64;
    for seed in seeds.0.clone() {
        let setup = Setup { choices: Choices::Drawn(strategy), ..Setup::new(engine.clone(), Seed(seed)) };
        let run = run(scenario.build, &setup);
        steps += run.transcript.steps.len() as u64;
        if run.outcome.is_finished() {
            finished += 1;
        } else {
            failed += 1;
            // Many seeds fail alike: the first few say what there is to say.
            if failed <= SHOWN_FAILURES {
                println!("{}", account(scenario, &run));
            }
        }
    }
    let hidden = failed.saturating_sub(SHOWN_FAILURES);
    if hidden > 0 {
        println!("… and {hidden} more failures\n");
    }
    println!("{}: {finished} of {} seeds finished, {steps} steps", scenario.name, finished + failed);
    Ok(if failed > 0 { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

/// Failures of a sweep that are told in full.
const SHOWN_FAILURES: u64 = 3;

fn replay(token: &str, frames: bool, steps: bool) -> Result<ExitCode, String> {
    let token: Token = token.parse().map_err(|e| format!("{e}"))?;
    let scenario = find(&token.scenario)?;
    let given = token.choices.iter().map(|&(value, check)| (value, Some(check))).collect();
    let setup = Setup { choices: Choices::Given(given), ..Setup::new(engine()?, token.seed) };
    let run = run(scenario.build, &setup);
    if frames {
        print!("{}", frames_text(&run)?);
    }
    if steps {
        println!("{}", run.transcript.steps_text());
    }
    println!("{}", headline(scenario, &run));
    let digest = run.transcript.digest();
    if digest[..8] == token.digest {
        println!("reproduced: the transcript is the same, step for step");
        return Ok(exit_code(&run));
    }
    match &run.left_track {
        Some(left) => println!("diverged: {left}"),
        None => println!("diverged: the choices mean the same, but the transcript is another"),
    }
    Ok(ExitCode::from(DIVERGED))
}

fn list() {
    println!("scenarios");
    for Scenario { name, summary, .. } in scenario::ALL {
        println!("  {name:16} {summary}");
    }
    println!("strategies");
    for (name, summary) in StrategyName::ALL {
        println!("  {:16} {summary}", name.to_string());
    }
}

fn exit_code(run: &Run) -> ExitCode {
    if run.outcome.is_finished() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) }
}

fn headline(scenario: &Scenario, run: &Run) -> String {
    format!("{}: {} (seed {})", scenario.name, run.outcome, run.seed)
}

/// A run in a few lines, the last of which replays it.
fn account(scenario: &Scenario, run: &Run) -> String {
    let mut text = headline(scenario, run);
    let _ = writeln!(text);
    if let Outcome::Stalled(graph) = &run.outcome {
        for line in graph.to_string().lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    if let Outcome::Trapped { trap, .. } = &run.outcome {
        for frame in trap.backtrace.iter().take(SHOWN_FRAMES) {
            let _ = writeln!(text, "  in {frame}");
        }
    }
    for (name, exit) in &run.cells {
        let _ = match exit {
            Some(exit) => writeln!(text, "  {name} exited with {}, {} fuel", exit.code, exit.fuel),
            None => writeln!(text, "  {name} has not ended"),
        };
    }
    let _ = writeln!(
        text,
        "  {} steps, {} choices, {} ns of virtual time",
        run.transcript.steps.len(),
        run.choices.len(),
        run.virtual_ns
    );
    let _ = writeln!(text, "  replay: cargo run --release -- replay {}", run.token(scenario.name));
    text
}

/// Functions of a trap's backtrace that are shown.
const SHOWN_FRAMES: usize = 12;

fn frames_text(run: &Run) -> Result<String, String> {
    let schema = Schema::from_request(wavetank::schema::REQUEST).map_err(|e| e.to_string())?;
    let mut text = String::new();
    for link in run.transcript.frames(&Arc::new(schema)) {
        let _ = writeln!(text, "link {} of {}  (→ to the host, ← to the cell)", link.link, link.cell);
        for frame in &link.frames {
            let _ = writeln!(text, "  {frame}");
        }
        let _ = writeln!(text);
    }
    Ok(text)
}
